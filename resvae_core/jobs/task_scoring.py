"""Task: score a cohort of the inbox with a model set, part by part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resvae_core.errors import ConfigError
from resvae_core.jobs.audit_lines import record_scoring
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.tasks import Task

if TYPE_CHECKING:
    from resvae_core.registry.batch_scoring import ScoringRequest

SCORES = "scores"
"""Folder of the scores below the job's."""
NEEDED = ("input", "set_digest")
EXPECTED: Mapping[str, str] = {
    "input": "a text",
    "set_digest": "a text",
    "models": "a list of texts",
    "drugs": "a list of texts",
    "cancer_type": "a text",
    "reference": "a text",
    "chunk": "a whole number",
}
"""Arguments of the job, and what each must be."""


def to_arguments(
    entry: str,
    *,
    models: Sequence[str] = (),
    drugs: Sequence[str] = (),
    cancer_type: str | None = None,
    reference: str = "",
    chunk: int = 0,
    set_folder: Path | None = None,
) -> dict[str, Any]:
    """Return the arguments of a job that scores now's model set, whatever is promoted meanwhile.

    Parameters
    ----------
    entry
        Id in the inbox (`data.inbox`).
    models, drugs, cancer_type, reference, chunk
        As in `ScoringRequest`; its own where not given.
    set_folder
        A set of the library; the active one where None.
    """
    from resvae_core.registry.description import active_set_folder
    from resvae_core.registry.store import read_contents

    digest = read_contents(set_folder or active_set_folder()).digest
    wanted = {
        "models": list(models),
        "drugs": list(drugs),
        "cancer_type": cancer_type,
        "reference": reference,
        "chunk": chunk,
    }
    given = {name: value for name, value in wanted.items() if value}
    return {"input": entry, "set_digest": digest, **given}


def check(arguments: dict[str, Any]) -> None:
    """Refuse arguments that name no input, model, drug, reference, cancer type or model set.

    Raises
    ------
    ConfigError
        If an argument is missing, unknown or of the wrong type.
    CatalogError
        If no model set here has the digest.
    InputDataError, UnknownDrugError, UnknownCohortError
        As `inbox.find_path` and `batch_scoring.check_request`.
    """
    from resvae_core.registry.batch_scoring import check_request

    check_request(to_request(arguments, Path()))


def to_request(arguments: dict[str, Any], folder: Path) -> ScoringRequest:
    """Return the request that a job's arguments stand for.

    Parameters
    ----------
    arguments
        ``input`` (id in the inbox) and ``set_digest`` (which model set); further, where wanted:
        ``models``, ``drugs`` (lists of names), ``cancer_type``, ``reference`` and ``chunk``
        (samples in a part).
    folder
        The job's: scores go below it, so that nobody can name a place to write to.
    """
    from resvae_core.data.inbox import find_path
    from resvae_core.registry.batch_scoring import CHUNK, ScoringRequest
    from resvae_core.registry.library import find_digest

    _require_types(arguments)
    return ScoringRequest(
        input=find_path(arguments["input"]),
        out=folder / SCORES,
        models=tuple(arguments.get("models", ())),
        drugs=tuple(arguments.get("drugs", ())),
        cancer_type=arguments.get("cancer_type"),
        reference=arguments.get("reference", "tumours"),
        chunk=arguments.get("chunk", CHUNK),
        set_folder=find_digest(arguments["set_digest"]).folder,
        named=False,
    )


def _require_types(arguments: Mapping[str, Any]) -> None:
    """Refuse arguments by their names and types; what they hold is not repeated."""
    missing = [name for name in NEEDED if name not in arguments]
    if missing or not arguments.keys() <= EXPECTED.keys():
        what = f"to be told {missing[0]!r}" if missing else "arguments that it does not know"
        raise ConfigError(f"Scoring has {what}.", remedy=f"It takes: {', '.join(EXPECTED)}.")
    for name, value in arguments.items():
        if not _is(value, EXPECTED[name]):
            raise ConfigError(
                f"The argument {name!r} of scoring is {type(value).__name__}; {EXPECTED[name]} was "
                "expected.",
                remedy="Leave it out, or give it as it is expected.",
            )


def _is(value: object, expected: str) -> bool:
    match expected:
        case "a whole number":
            return type(value) is int  # True is no number of samples
        case "a list of texts":
            return isinstance(value, list) and all(isinstance(one, str) for one in value)
        case _:
            return isinstance(value, str)


def run(context: JobContext) -> dict[str, Any]:
    """Score, or go on where an earlier attempt stopped.

    What an attempt with another input or program left is removed: parts of two would be mixed.
    """
    from resvae_core.registry.batch_scoring import score_cohort

    request = to_request(context.arguments, context.folder)

    def report(step: str, done: int, total: int) -> None:
        context.report(step=step, done=done, total=total)

    def anew(reason: str) -> None:
        context.log(f"Scores anew: {reason}")

    audited = partial(record_scoring, by=context)
    with context.engine() as engine:
        scored = score_cohort(request, engine, planned=audited, report=report, anew=anew)
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
