"""Computing how far a candidate's predictions move from those of the active set."""

from __future__ import annotations

from typing import Any

from resvae_core.config import data_folder
from resvae_core.errors import ConfigError
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.tasks import Task

ARGUMENTS = ("set", "against")


def check(arguments: dict[str, Any]) -> None:
    """Check that the arguments are the id of a set, and the digest of one to hold it against.

    Raises
    ------
    ConfigError
        If one is missing, there are others, or the candidate is the shipped set.
    CatalogError
        If there is no such set.
    """
    from resvae_core.registry.drift import require_candidate
    from resvae_core.registry.library import find_digest, find_set

    if set(arguments) != set(ARGUMENTS):
        raise ConfigError(
            f"A drift was asked for with {', '.join(sorted(arguments)) or 'nothing'}.",
            remedy=f"Give these: {', '.join(ARGUMENTS)}.",
        )
    find_set(arguments["set"])
    require_candidate(arguments["set"])
    find_digest(arguments["against"])


def compute_drift(context: JobContext) -> dict[str, Any]:
    """Predict the reference cohorts with both sets and keep the table in the state folder.

    Returns
    -------
    dict
        ``set`` and ``rows`` of the table.
    """
    from resvae_core.registry.drift import write_drift
    from resvae_core.registry.library import find_digest, find_set

    context.report(step="Loading both sets")

    def tell(done: int, total: int) -> None:
        context.report(step="Predicting the reference cohorts", done=done, total=total)

    candidate = find_set(context.arguments["set"])
    active = find_digest(context.arguments["against"])
    table = write_drift(candidate, active, data_folder(), progress=tell)
    return {"set": candidate.id, "rows": len(table)}


DRIFT = Task(
    name="drift",
    title=lambda arguments: f"Prediction drift of {arguments['set']}",
    run=compute_drift,
    permission="score",
    lane="scoring",
    resumable=False,
    check=check,
)
