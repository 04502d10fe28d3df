"""``jobs``: what waits, runs and has run; cancelling, resuming, and working on the queue."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Annotated

import typer

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.errors import JobError
from resvae_core.jobs import queue_watch, service
from resvae_core.jobs.record import LANES, STATES, JobRecord, State
from resvae_core.jobs.recovery import LEASE_SECONDS

program = typer.Typer(help="Work outside the web server.", no_args_is_help=True)

FOLLOW_SECONDS = 0.5
JobId = Annotated[str, typer.Argument(metavar="ID", help="Of the job; `jobs list` shows it.")]


@program.command("list")
def list_jobs(
    state: Annotated[
        str | None, typer.Option(help=f"Only jobs in this state: {', '.join(STATES)}.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 30,
) -> None:
    """List jobs, newest first."""
    service.recover()
    chosen = [known for known in STATES if known == state]
    if state is not None and not chosen:
        raise JobError(f"There is no state {state!r}.", remedy=f"Use one of: {', '.join(STATES)}.")
    for job in service.list_jobs(states=chosen or None, limit=limit):
        typer.echo(f"{job.id}  {_when(job.submitted_at)}  {_state(job):24}  {job.title}")


@program.command("show")
def show(job_id: JobId) -> None:
    """Show everything that is known of a job."""
    service.recover()
    job = service.get_job(job_id)
    lines = {
        "job": f"{job.id}, {job.title}",
        "state": _state(job),
        "waits": queue_watch.missing_worker(job),
        "step": _step(job),
        "task": f"{job.task} {json.dumps(job.arguments)}",
        "submitted": f"{_when(job.submitted_at)} by {job.submitted_by}",
        "started": f"{_when(job.started_at)}, attempt {job.attempt}" if job.started_at else "",
        "finished": _when(job.finished_at),
        "device": job.device,
        "limits": job.limits.words,
        "seed": "" if job.seed is None else str(job.seed),
        "code": job.code_digest,
        **{f"data {name}": digest for name, digest in job.data_digests.items()},
        "result": json.dumps(job.result) if job.result else "",
        "files": str(service.job_folder(job.id)),
        "error": " ".join(job.error) if job.error else "",
    }
    for name, text in lines.items():
        if text:
            typer.echo(f"{name:10} {text}")


@program.command("log")
def log(
    job_id: JobId,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until the job ends.")] = False,
) -> None:
    """Print a job's log."""
    after = 0
    while True:
        service.recover()
        job = service.get_job(job_id)
        for line in service.job_log(job_id, after):
            typer.echo(f"{_when(line.time)}  {line.text}")
            after = line.n
        if not follow or job.state not in ("queued", "running"):
            return
        time.sleep(FOLLOW_SECONDS)


@program.command("cancel")
def cancel(job_id: JobId) -> None:
    """Cancel a job; its files stay until it is forgotten."""
    service.cancel(job_id, actor=COMMAND_LINE)
    _await_word(job_id)
    typer.echo(_state(service.get_job(job_id)))


@program.command("resume")
def resume(job_id: JobId) -> None:
    """Go on with a job that was interrupted, cancelled or failed, with the limits of now."""
    before = service.get_job(job_id).state
    service.recover()
    _await_word(job_id)
    job = service.get_job(job_id)
    # one that was taken from a dead worker is queued by itself, unless the settings say otherwise
    if (before, job.state) != ("running", "queued"):
        job = service.resume(job_id, actor=COMMAND_LINE)
    typer.echo(_state(job))


@program.command("forget")
def forget(
    job_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="Of the job; `jobs list` shows it.")
    ] = None,
    ended_before: Annotated[
        float | None,
        typer.Option(metavar="DAYS", min=0, help="Instead: all that ended longer ago than that."),
    ] = None,
) -> None:
    """Remove a finished job, its log and its files: also the results that lie there."""
    if (job_id is None) == (ended_before is None):
        raise JobError(
            "Which jobs to remove is not clear.",
            remedy="Give the id of one job, or --ended-before with a number of days.",
        )
    if job_id is not None:
        service.forget(job_id, actor=COMMAND_LINE)
    elif ended_before is not None:
        removed = service.forget_old(ended_before, actor=COMMAND_LINE)
        typer.echo(f"{len(removed)} jobs were removed.")


@program.command("work")
def work(
    lane: Annotated[str, typer.Option(help=f"One of: {', '.join(LANES)}.")],
    device: Annotated[
        str, typer.Option(help="For trainings: what they compute on.", metavar="DEVICE")
    ] = "",
) -> None:
    """Work on the jobs of a lane until told to end (SIGTERM): a service of its own."""
    from resvae_core.jobs import worker

    if not worker.main(lane, device, idle_seconds=None):
        raise JobError(
            f"Another worker of this machine works on the lane {lane!r}.",
            remedy="One is enough: it takes one job after the other.",
        )


def _await_word(job_id: str) -> None:
    """Watch a job that runs elsewhere, until it is known whether its worker lives."""
    if service.is_elsewhere(job_id):
        typer.echo(
            "Its worker is not of this machine, or was not: looking for up to "
            f"{LEASE_SECONDS:.0f} seconds whether it lives.",
            err=True,
        )
        service.await_word(job_id)


def _state(job: JobRecord) -> str:
    state: State = job.state
    if job.position is not None:
        return f"{state}, place {job.position}"
    if state == "running" and job.fraction is not None:
        return f"{state}, {job.fraction:.0%}"
    return state


def _step(job: JobRecord) -> str:
    parts = [job.step, f"{job.done} of {job.total}" if job.total else ""]
    if job.eta_seconds is not None:
        parts.append(f"about {job.eta_seconds:.0f} s left")
    return ", ".join(filter(None, parts))


def _when(time: datetime | None) -> str:
    return "" if time is None else time.astimezone().strftime("%Y-%m-%d %H:%M:%S")
