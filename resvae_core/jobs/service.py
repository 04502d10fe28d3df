"""Jobs for pages and the command line: each function that acts asks first who may, and says so."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resvae_core.access.audit import as_subject, record
from resvae_core.access.roles import Actor, require
from resvae_core.config import state_folder
from resvae_core.database import saying_when_away
from resvae_core.errors import CatalogError, ConfigError, JobError
from resvae_core.jobs import recovery, store
from resvae_core.jobs.launch import start_missing_workers
from resvae_core.jobs.lines import one_line
from resvae_core.jobs.record import FINISHED, JobRecord, Limits, LogLine, State
from resvae_core.jobs.tasks import TASKS, Task
from resvae_core.settings import load_settings

if TYPE_CHECKING:
    import pandas as pd

RESUMABLE: tuple[State, ...] = ("interrupted", "failed", "cancelled")
DAY_SECONDS = 86_400


@saying_when_away()
def submit(
    task: str, arguments: Mapping[str, Any], *, actor: Actor, limits: Limits | None = None
) -> JobRecord:
    """Queue a job and see that a worker lives.

    A job that does the same and waits or runs already is returned as it is.

    Parameters
    ----------
    task
        Name in `TASKS`.
    arguments
        What it needs, as JSON.
    actor
        Who asks.
    limits
        What an attempt may use; the settings' where None.

    Raises
    ------
    AccessError
        If the actor may not do this.
    CatalogError
        If there is no such task.
    ResVAEError
        If the arguments are wrong.
    """
    kind = TASKS[task]
    require(actor, kind.permission)
    given = _plain(arguments)
    kind.check(given)
    job = store.NewJob(
        task=task,
        title=one_line(kind.title_of(given)),
        arguments=given,
        lane=kind.lane,
        device=_device(kind, given),
        resumable=kind.resumable,
        submitted_by=actor.name,
        limits=_checked(limits or default_limits()),
    )
    identifier = store.new_id()
    waiting = store.find(task, given)
    if waiting is None or waiting.state not in ("queued", "running"):
        subject = as_subject("job", f"{task}/{identifier}")
        record("job.submitted", actor=actor, subject=subject)
    added, _ = store.add(job, identifier)
    start_missing_workers()
    return added


@saying_when_away()
def cancel(job_id: str, *, actor: Actor) -> JobRecord:
    """Cancel a job: at once if it waits, within two seconds if it runs.

    What it wrote stays until it is forgotten; a job that is finished stays as it is.

    Raises
    ------
    AccessError, CatalogError
        If the actor may not do this, or there is no such job.
    """
    _allow(job_id, actor, "job.cancelled", ("queued", "running", "interrupted"))
    store.ask_to_cancel(job_id)
    recovery.take_from_the_dead()
    return store.read(job_id)


@saying_when_away()
def resume(job_id: str, *, actor: Actor) -> JobRecord:
    """Queue a job again that was interrupted, cancelled or failed; it goes on where it was.

    What it may use from now on is what the settings say now.

    Raises
    ------
    AccessError, CatalogError
        If the actor may not do this, or there is no such job.
    ConfigError
        If the settings cannot be read.
    JobError
        If it waits, runs or is done, or another job that does the same waits or runs.
    """
    limits = default_limits()
    _allow(job_id, actor, "job.resumed", RESUMABLE)
    if not store.queue_again(job_id, RESUMABLE, limits=limits):
        state = store.read(job_id).state
        raise JobError(
            f"The job is {state}; only what was interrupted, cancelled or failed can be resumed.",
            remedy="Submit it anew to run it again.",
        )
    start_missing_workers()
    return store.read(job_id)


@saying_when_away()
def forget(job_id: str, *, actor: Actor) -> None:
    """Remove a finished job with its log, curves and files.

    Raises
    ------
    AccessError, CatalogError
        If the actor may not do this, or there is no such job.
    JobError
        If it waits or runs, or files of it cannot be removed: the job stays until they can.
    """
    _allow(job_id, actor, "job.forgotten", FINISHED)
    if not (_remove_files(job_id) and store.remove(job_id)):
        raise JobError(
            f"The job is {store.read(job_id).state}; only a finished one can be removed.",
            remedy="Cancel it first.",
        )


@saying_when_away()
def forget_old(days: float, *, actor: Actor) -> list[str]:
    """Remove every job that ended longer ago than that, with its log, curves and files.

    Jobs that were interrupted, failed or were cancelled are among them. One that cannot be removed
    does not keep the others.

    Parameters
    ----------
    days
        Since they ended.
    actor
        Who asks.

    Returns
    -------
    list
        The ids of those that were removed.

    Raises
    ------
    AccessError
        If the actor may not remove one of them.
    JobError
        If some could not be removed, after all others were.
    """
    removed: list[str] = []
    refused: list[tuple[str, JobError | CatalogError]] = []
    for job_id in store.ended_before(time.time() - days * DAY_SECONDS):
        try:
            forget(job_id, actor=actor)
        except (JobError, CatalogError) as error:
            refused.append((job_id, error))
        else:
            removed.append(job_id)
    if refused:
        names = ", ".join(job_id for job_id, _ in refused)
        last = refused[-1][1]
        raise JobError(
            f"{len(removed)} jobs were removed, but not {names}: {last.message}",
            remedy=last.remedy,
        ) from last
    return removed


@saying_when_away()
def await_word(job_id: str) -> None:
    """Wait until it is known whether a running job's worker lives, half a minute at most.

    A job whose worker does not is taken from it, and goes on by itself where the settings say so.
    """
    recovery.watch(job_id)


@saying_when_away()
def is_elsewhere(job_id: str) -> bool:
    """Tell whether a job runs on another machine, or in another container, by its record."""
    return recovery.is_elsewhere(job_id)


@saying_when_away()
def list_jobs(
    *, task: str | None = None, states: Collection[State] | None = None, limit: int = 100
) -> list[JobRecord]:
    """Return the newest jobs, newest first.

    Parameters
    ----------
    task, states
        Only those; all where None.
    limit
        At most so many.
    """
    return store.read_all(task=task, states=states, limit=limit)


@saying_when_away()
def get_job(job_id: str) -> JobRecord:
    """Return a job.

    Raises
    ------
    CatalogError
        If there is none with this id.
    """
    return store.read(job_id)


@saying_when_away()
def find_job(task: str, arguments: Mapping[str, Any]) -> JobRecord | None:
    """Return the newest job of a task with exactly these arguments, whatever its state."""
    return store.find(task, _plain(arguments))


@saying_when_away()
def job_log(job_id: str, after: int = 0) -> list[LogLine]:
    """Return the lines of a job's log with numbers above `after`, oldest first."""
    return store.read_log(job_id, after)


@saying_when_away()
def job_curve(job_id: str) -> pd.DataFrame:
    """Return what a job reported while it learned.

    Returns
    -------
    DataFrame
        Columns n (order of arrival), series, epoch, name, value (NaN where it was not finite). Of
        a curve with more than `store.CURVE_POINTS` points only every k-th and the last one.
    """
    import pandas as pd

    columns = ["n", "series", "epoch", "name", "value"]
    return pd.DataFrame(store.read_points(job_id), columns=columns)


def job_folder(job_id: str) -> Path:
    """Return where a job's files lie, kept from attempt to attempt.

    Raises
    ------
    JobError
        If this is no job's id.
    """
    if not job_id.isalnum():
        raise JobError(f"{job_id!r} is no job's id.", remedy="`jobs list` shows them.")
    return state_folder() / "jobs" / job_id


@saying_when_away()
def recover() -> None:
    """Take jobs from dead workers, queue again what may go on, and start workers for the queue.

    Cheap, and done at most every few seconds: every page calls it.
    """
    recovery.recover_if_due()


def default_limits() -> Limits:
    """Return the limits of the settings."""
    settings = load_settings()
    return Limits(settings.time_limit_hours, settings.memory_limit_gb, settings.disk_limit_gb)


def _allow(job_id: str, actor: Actor, action: str, states: Collection[State]) -> None:
    """Ask for the role; record the action where the job is in a state in which it will happen."""
    found = store.read(job_id)
    require(actor, TASKS[found.task].permission)
    if found.state in states:
        record(action, actor=actor, subject=as_subject("job", job_id))


def _remove_files(job_id: str) -> bool:
    """Remove the files of a finished job, and what an earlier try left; False if it is not."""
    folder = job_folder(job_id)
    aside = folder.with_name(f"{job_id}.removed-{secrets.token_hex(4)}")

    def set_aside() -> None:
        # out of the way at once: somebody may resume the job while a large folder is removed
        if folder.exists():
            folder.rename(aside)

    try:
        if not store.while_finished(job_id, set_aside):
            return False
        for left in folder.parent.glob(f"{job_id}.removed-*"):
            shutil.rmtree(left)
    except OSError as error:
        raise JobError(
            f"Files of the job could not be removed ({type(error).__name__}).",
            remedy=f"See who owns what lies in {folder.parent.name}/{job_id}* of the state folder "
            "and whether a program has it open; then remove the job again.",
        ) from error
    return True


def _plain(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments as they come back from the database: lists for tuples, finite numbers."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(arguments), allow_nan=False))
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"The arguments of a job are no JSON ({type(error).__name__}).",
            remedy="Use texts, finite numbers, lists and mappings with texts as keys.",
        ) from error
    return plain


def _checked(limits: Limits) -> Limits:
    if min(limits.hours, limits.memory_gb, limits.disk_gb) <= 0:
        raise ConfigError(
            "A limit of a job is not above 0.", remedy="Use hours, GB of memory and GB of disk."
        )
    return limits


def _device(kind: Task, arguments: Mapping[str, Any]) -> str:
    """Return the device that a training asks for: its own, else the settings'."""
    if kind.lane != "training":
        return ""
    asked = str(arguments.get("device") or "auto")
    asked = load_settings().device if asked == "auto" else asked
    return "cuda:0" if asked == "cuda" else asked
