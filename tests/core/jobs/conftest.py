"""Jobs on both databases, with tasks that are made for tests."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.database import close_databases
from resvae_core.jobs import processes, recovery, service, store
from resvae_core.jobs.record import JobRecord
from tests.core.jobs.practice import VARIABLE

DATABASES = ["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)]


@pytest.fixture(params=DATABASES)
def database(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[str]:
    """Give the test a state folder and a database of its own; workers end with it."""
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESVAE_TASKS", VARIABLE)
    if request.param == "postgresql":
        monkeypatch.setenv("RESVAE_DATABASE_URL", request.getfixturevalue("postgres"))
    monkeypatch.setattr(recovery, "_last", [-recovery.RECOVER_SECONDS])
    yield request.param
    end_workers()
    close_databases()


@pytest.fixture
def no_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing work on what is queued."""
    monkeypatch.setenv("RESVAE_WORKERS", "external")


def workers() -> list[int]:
    """Return the workers of this test's state folder."""
    state = str(Path(os.environ["RESVAE_STATE"]).absolute())
    return [
        process.pid
        for process in processes.psutil.process_iter(["cmdline"])
        if "resvae_core.jobs.worker" in (process.info["cmdline"] or [])
        and processes._environment(process).get("RESVAE_STATE") == state
        and processes.mark_of(process.pid)
    ]


def end_workers() -> None:
    """Kill the workers of this test, and wait until they and their jobs are gone."""
    for pid in workers():
        os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not workers())
    for job in store.running():
        processes.end_all_of(job.id)


def wait_until(is_so: Callable[[], bool], seconds: float = 60) -> None:
    """Wait until something is so."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


def run_task(task: str, **arguments: object) -> JobRecord:
    """Submit a job and wait until it has ended."""
    job = service.submit(task, arguments, actor=COMMAND_LINE)
    return wait_for_end(job.id)


def wait_for_end(job: str) -> JobRecord:
    """Wait until a job has ended."""
    wait_until(lambda: service.get_job(job).state not in ("queued", "running"))
    return service.get_job(job)


def texts(job: str) -> list[str]:
    """Return the lines of a job's log."""
    return [line.text for line in service.job_log(job)]
