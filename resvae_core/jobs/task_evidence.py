"""The task ``evidence``: what a model set finds in the installed cohorts, kept beside the set."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from resvae_core.config import data_folder
from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.sources import code_digest
from resvae_core.jobs.tasks import Task

if TYPE_CHECKING:
    from pathlib import Path

    from resvae_core.registry.evidence import Evidence
    from resvae_core.registry.library import SetEntry

KEPT = "findings"
"""Folder of finished steps below the job's own."""
N_OTHER_STEPS = 7
"""Steps of `evidence_run.build_evidence` beside the cohorts, each of which is one."""


def check(arguments: dict[str, Any]) -> None:
    """Refuse what cannot be computed: before anything is queued.

    Raises
    ------
    ConfigError
        If the set is not named or is the shipped one, or lacks what the findings are computed with.
    CatalogError
        If there is no such set.
    InputDataError
        If data are missing: every problem is named, with its remedy.
    ArtifactError
        If the set cannot be read.
    """
    from resvae_core.registry.evidence_needs import require_needs

    require_needs(data_folder(), _set_of(arguments).folder)


def title(arguments: dict[str, Any]) -> str:
    """Return what the job is called: by its set."""
    return f"Findings of {arguments.get('set', '')}"


def run(context: JobContext) -> dict[str, Any]:
    """Compute the tables of the evidence and put them beside the set, all or none of them.

    Returns
    -------
    dict
        ``set``, and ``tables``, how many were made; the log says which were left out, and why.
        What an earlier attempt completed is kept, step by step.
    """
    check(context.arguments)
    entry, data = _set_of(context.arguments), data_folder()
    assert data is not None, "it was checked"
    found = _evidence_of(entry) or _compute(context, entry, data)
    shutil.rmtree(context.folder / KEPT, ignore_errors=True)  # nothing goes on from here
    return {"set": entry.id, "tables": len(found.digests)}


def _compute(context: JobContext, entry: SetEntry, data: Path) -> Evidence:
    from resvae_core.registry.evidence import describe_evidence, save_evidence
    from resvae_core.registry.evidence_run import build_evidence, cohort_sizes
    from resvae_core.registry.evidence_steps import KeptSteps, run_key
    from resvae_core.registry.store import load_model_set

    model_set = load_model_set(entry.folder)
    keep = KeptSteps(context.folder / KEPT / run_key(model_set.digest, data, code_digest()))
    found = build_evidence(data, model_set, report=_steps(context), keep=keep)
    context.report(step="Saving the findings")
    save_evidence(
        found.tables,
        model_set=model_set.name,
        set_digest=model_set.digest,
        created=datetime.now(UTC).date().isoformat(),
        cohorts=cohort_sizes(found.tables),
        left_out=found.left_out,
        folder=entry.folder,
    )
    return describe_evidence(entry.folder)


def _steps(context: JobContext) -> Any:
    from resvae_core.data.transfer_drugs import TRANSFER_COHORTS

    total, done = N_OTHER_STEPS + len(TRANSFER_COHORTS), iter(range(1_000))

    def report(step: str) -> None:
        context.log(step)
        context.report(step=step, done=min(next(done), total), total=total)

    return report


def _evidence_of(entry: SetEntry) -> Evidence | None:
    """Return what findings the set has already; None where it has none of its own."""
    from resvae_core.registry.evidence import describe_evidence

    try:
        return describe_evidence(entry.folder)
    except ArtifactError:
        return None


def _set_of(arguments: dict[str, Any]) -> SetEntry:
    from resvae_core.registry.library import find_set
    from resvae_core.registry.pointer import SHIPPED

    if set(arguments) != {"set"}:
        raise ConfigError(
            f"The findings were asked for with {', '.join(sorted(arguments)) or 'nothing'}; the id "
            "of a model set was expected.",
            remedy="Name a set as {'set': id}.",
        )
    if arguments["set"] == SHIPPED:
        raise ConfigError(
            "The findings of the shipped set came with the program.",
            remedy="Choose a retrained set; `python -m resvae_core evidence` replaces shipped "
            "findings.",
        )
    return find_set(str(arguments["set"]))


EVIDENCE = Task(
    name="evidence",
    title=title,
    run=run,
    permission="train",
    lane="training",
    resumable=True,
    check=check,
)
