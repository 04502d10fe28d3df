"""What to say of a job that nobody takes up, where workers are services of their own."""

from __future__ import annotations

import os
from datetime import UTC, datetime

from resvae_core.jobs import service
from resvae_core.jobs.launch import EXTERNAL, WORKERS_VARIABLE
from resvae_core.jobs.record import JobRecord, State

RUNNING: tuple[State, ...] = ("running",)
PATIENCE_SECONDS = 60.0
"""How long the next job of a queue waits before its worker is missed; one that is free looks four
times a second."""


def are_external() -> bool:
    """Tell whether workers are services of their own: this program starts none."""
    return os.environ.get(WORKERS_VARIABLE) == EXTERNAL


def missing_worker(job: JobRecord) -> str:
    """Say that no worker seems to run for a job; nothing where one may be busy, or come yet.

    Workers leave no record but in the jobs that they run, so this is inferred: the job has been the
    next of its queue for long, and nothing runs that its worker could be busy with.
    """
    if job.position != 1 or not are_external() or _waited(job) < PATIENCE_SECONDS:
        return ""
    running = service.list_jobs(states=RUNNING)
    if any(one.lane == job.lane and job.device in ("auto", one.device) for one in running):
        return ""
    named = "" if job.device in ("", "auto") else job.device
    option = f" --device {named}" if named else ""
    return (
        f"No worker for {named or job.lane} seems to run ({WORKERS_VARIABLE}={EXTERNAL}). Start "
        f"one: python -m resvae_core jobs work --lane {job.lane}{option}"
    )


def _waited(job: JobRecord) -> float:
    """Return for how many seconds a job has been queued, the last time that it was."""
    now = datetime.now(UTC)
    since = (now - job.submitted_at).total_seconds()
    if since < PATIENCE_SECONDS:
        return since
    lines = service.job_log(job.id)  # queueing again is the last that is said of it
    return (now - lines[-1].time).total_seconds() if lines else since
