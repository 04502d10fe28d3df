"""The task ``evidence``: what a model set finds in the installed cohorts, kept beside the set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from resvae_core.config import data_folder
from resvae_core.errors import ArtifactError, ConfigError, InputDataError
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.tasks import Task

if TYPE_CHECKING:
    from pathlib import Path

    from resvae_core.registry.library import SetEntry

N_OTHER_STEPS = 7
"""Steps of `evidence_run.build_evidence` beside the cohorts, each of which is one."""


def check(arguments: dict[str, Any]) -> None:
    """Refuse what cannot be computed: before anything is queued.

    Raises
    ------
    ConfigError
        If the set is not named, is the shipped one, or lacks drugs that the findings are about.
    CatalogError
        If there is no such set.
    InputDataError
        If there are no data, or cohorts are not installed.
    """
    entry = _set_of(arguments)
    _require_cohorts(_data())
    _require_drugs(entry)


def title(arguments: dict[str, Any]) -> str:
    """Return what the job is called: by its set."""
    return f"Findings of {arguments.get('set', '')}"


def run(context: JobContext) -> dict[str, Any]:
    """Compute every table of the evidence and put it beside the set, whole or not at all.

    Returns
    -------
    dict
        ``set`` and ``tables``, how many were made. What an earlier attempt completed is kept.
    """
    from resvae_core.registry.evidence import TABLES, save_evidence
    from resvae_core.registry.evidence_run import build_evidence, cohort_sizes
    from resvae_core.registry.store import load_model_set

    check(context.arguments)
    entry, data = _set_of(context.arguments), _data()
    if not _is_there(entry):
        tables = build_evidence(data, load_model_set(entry.folder), report=_steps(context))
        context.report(step="Saving the findings")
        save_evidence(
            tables,
            model_set=entry.name,
            created=datetime.now(UTC).date().isoformat(),
            cohorts=cohort_sizes(tables),
            folder=entry.folder,
        )
    return {"set": entry.id, "tables": len(TABLES)}


def _steps(context: JobContext) -> Any:
    from resvae_core.data.transfer_drugs import TRANSFER_COHORTS

    total, done = N_OTHER_STEPS + len(TRANSFER_COHORTS), iter(range(1_000))

    def report(step: str) -> None:
        context.log(step)
        context.report(step=step, done=min(next(done), total), total=total)

    return report


def _is_there(entry: SetEntry) -> bool:
    """Tell whether the set has findings of its own already."""
    from resvae_core.registry.evidence import describe_evidence

    try:
        describe_evidence(entry.folder)
    except ArtifactError:
        return False
    return True


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


def _require_cohorts(data: Path) -> None:
    from resvae_core.data.cohorts import list_cohorts
    from resvae_core.data.transfer_drugs import TRANSFER_COHORTS

    installed = list_cohorts(data)
    missing = [code for code in TRANSFER_COHORTS if code not in installed]
    if missing:
        raise InputDataError(
            f"The findings are about {', '.join(TRANSFER_COHORTS)}; {', '.join(missing)} is not "
            "installed.",
            remedy="Fetch the cohorts first.",
        )


def _require_drugs(entry: SetEntry) -> None:
    from resvae_core.data.transfer_drugs import load_transfer_drugs
    from resvae_core.registry.store import list_cards

    known = set(list_cards(entry.folder)[0].document["drugs"])
    asked = {drug.drug for drugs in load_transfer_drugs().values() for drug in drugs}
    if missing := sorted(asked - known):
        raise ConfigError(
            f"The model set {entry.id} was not trained on {', '.join(missing)}, which the findings "
            "are about.",
            remedy="Train a set with all drugs.",
        )


def _data() -> Path:
    data = data_folder()
    if data is None:
        raise InputDataError(
            "There is no data folder, so there are no cohorts to look at.",
            remedy="Fetch the cohorts, or set RESVAE_DATA.",
        )
    return data


EVIDENCE = Task(
    name="evidence",
    title=title,
    run=run,
    permission="train",
    lane="training",
    resumable=True,
    check=check,
)
