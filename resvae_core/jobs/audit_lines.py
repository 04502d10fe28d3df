"""Lines of the audit trail that a job's process adds, in the name of whoever asked for the job."""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from resvae_core.access.audit import as_subject, record
from resvae_core.access.roles import Actor, Role
from resvae_core.database import is_unreachable
from resvae_core.errors import AuditError

if TYPE_CHECKING:
    from resvae_core.jobs.context import JobContext
    from resvae_core.registry.score_folder import ScorePlan

RETRY_SECONDS = 1.0


def asker(context: JobContext, role: Role = "none") -> Actor:
    """Return who asked for a job, known by nothing but the job's record.

    Parameters
    ----------
    context
        Of the job.
    role
        Where a function that the task calls asks for one: the least that could submit the task.
        Permission was asked for then, and whoever submitted may have another role by now.
    """
    return Actor(context.actor_name or "job", role, "job")


def record_in_job(
    context: JobContext,
    action: str,
    *,
    model_set: str = "",
    file_digest: str = "",
    subject: str = "",
) -> None:
    """Add a line in the name of whoever asked for the job; wait while the database is away.

    Raises
    ------
    JobCancelledError
        If the job is to stop.
    AuditError
        If the line cannot be written for another reason.
    """
    while True:
        context.check()
        try:
            return record(
                action,
                actor=asker(context),
                model_set=model_set,
                file_digest=file_digest,
                subject=subject,
            )
        except AuditError as error:
            if not _is_away(error):
                raise
        time.sleep(RETRY_SECONDS)


def record_scoring(plan: ScorePlan, *, by: Actor | JobContext) -> None:
    """Record that a cohort is scored: by which set, and on which files."""
    told = {
        "model_set": f"{plan.model_set['name']}:{plan.model_set['digest']}",
        "file_digest": input_digest([file["sha256"] for file in plan.input["files"]]),
    }
    if isinstance(by, Actor):
        record("cohort.scored", actor=by, **told)
    else:
        record_in_job(by, "cohort.scored", **told)


def record_added(identifier: str, digest: str, *, by: Actor | JobContext) -> None:
    """Record that a trained set, by its id and digest, becomes a candidate in the library."""
    subject = as_subject("set", identifier)
    if isinstance(by, Actor):
        record("set.added", actor=by, model_set=digest, subject=subject)
    else:
        record_in_job(by, "set.added", model_set=digest, subject=subject)


def input_digest(digests: list[str]) -> str:
    """Return one digest for several files: the file's own where there is one.

    Parameters
    ----------
    digests
        SHA-256 (hex) of each file, in the order of their names.
    """
    if len(digests) == 1:
        return digests[0]
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _is_away(error: BaseException | None) -> bool:
    """Tell whether the database being away is what an error comes from."""
    while error is not None:
        if isinstance(error, DBAPIError):
            return is_unreachable(error)
        error = error.__cause__
    return False
