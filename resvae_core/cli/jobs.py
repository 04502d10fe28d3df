"""``jobs``: what waits, runs and has run; cancelling, resuming, and working on the queue."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Annotated

import typer

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.errors import JobError
from resvae_core.jobs import service
from resvae_core.jobs.record import LANES, STATES, JobRecord, State

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
        "step": _step(job),
        "task": f"{job.task} {json.dumps(job.arguments)}",
        "submitted": f"{_when(job.submitted_at)} by {job.submitted_by}",
        "started": f"{_when(job.started_at)}, attempt {job.attempt}" if job.started_at else "",
        "finished": _when(job.finished_at),
        "device": job.device,
        "limits": f"{job.limits.hours:g} h, {job.limits.memory_gb:g} GB of memory, "
        f"{job.limits.disk_gb:g} GB of disk",
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
    """Cancel a job; its files stay until it is resumed or forgotten."""
    typer.echo(_state(service.cancel(job_id, actor=COMMAND_LINE)))


@program.command("resume")
def resume(job_id: JobId) -> None:
    """Go on with a job that was interrupted, cancelled or failed."""
    typer.echo(_state(service.resume(job_id, actor=COMMAND_LINE)))


@program.command("forget")
def forget(job_id: JobId) -> None:
    """Remove a finished job, its log and its files."""
    service.forget(job_id, actor=COMMAND_LINE)


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
