"""Task: score a cohort of Parquet files with the active model set, part by part."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from resvae_core.errors import ConfigError
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.tasks import Task

if TYPE_CHECKING:
    from resvae_core.registry.batch_scoring import ScoringRequest

SCORES = "scores"
"""Folder of the scores below the job's."""
KNOWN = {"input", "models", "drugs", "cancer_type", "reference", "chunk", "set"}


def check(arguments: dict[str, Any]) -> None:
    """Refuse arguments that name no input, model, drug, reference or cancer type.

    Raises
    ------
    ConfigError
        If an argument is missing, unknown or of the wrong type.
    InputDataError, UnknownDrugError, UnknownCohortError
        As `batch_scoring.check_request`.
    """
    from resvae_core.registry.batch_scoring import check_request

    check_request(to_request(arguments, Path()))


def to_request(arguments: dict[str, Any], folder: Path) -> ScoringRequest:
    """Return the request that a job's arguments stand for.

    Parameters
    ----------
    arguments
        ``input`` (path); further, where wanted: ``models``, ``drugs`` (lists of names),
        ``cancer_type``, ``reference``, ``chunk`` (samples in a part) and ``set`` (id in the
        registry; the active set where not given).
    folder
        The job's: scores go below it, so that nobody can name a place to write to.
    """
    from resvae_core.registry.batch_scoring import CHUNK, ScoringRequest
    from resvae_core.registry.library import find_set

    unknown = sorted(set(arguments) - KNOWN)
    if unknown or not isinstance(arguments.get("input"), str):
        what = f"no argument {unknown[0]!r}" if unknown else "to be told its 'input'"
        raise ConfigError(f"Scoring has {what}.", remedy=f"It takes: {', '.join(sorted(KNOWN))}.")
    chosen = arguments.get("set")
    return ScoringRequest(
        input=Path(arguments["input"]),
        out=folder / SCORES,
        models=tuple(arguments.get("models") or ()),
        drugs=tuple(arguments.get("drugs") or ()),
        cancer_type=arguments.get("cancer_type") or None,
        reference=arguments.get("reference") or "tumours",
        chunk=int(arguments.get("chunk") or CHUNK),
        set_folder=find_set(chosen).folder if chosen else None,
    )


def run(context: JobContext) -> dict[str, Any]:
    """Score, or go on where an earlier attempt stopped."""
    from resvae_core.registry.batch_scoring import score_cohort

    request = to_request(context.arguments, context.folder)

    def report(step: str, done: int, total: int) -> None:
        context.report(step=step, done=done, total=total)

    with context.engine() as engine:
        scored = score_cohort(request, engine, report=report)
    digests = {f"file {k + 1}": digest for k, digest in enumerate(scored.input_digests)}
    context.describe(data_digests=digests)
    context.log(f"{scored.rows:,} rows in {scored.parts:,} parts.")
    return {
        "folder": SCORES,
        "samples": scored.samples,
        "rows": scored.rows,
        "parts": scored.parts,
        "parts_written": scored.parts_written,
        "set": scored.model_set,
        "set_digest": scored.set_digest,
    }


SCORE = Task(
    name="score",
    title="Score a cohort",
    run=run,
    permission="score",
    lane="scoring",
    resumable=True,
    check=check,
)
