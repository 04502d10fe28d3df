"""``jobs`` of the command line."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.main import USER_ERROR, main
from resvae_core.config import PROJECT_ROOT
from resvae_core.jobs import recovery, service, store
from tests.core.jobs.conftest import run_task, wait_for_end, wait_until

pytestmark = [
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
    pytest.mark.usefixtures("database"),
]


def say(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["jobs", *arguments])
    assert ended.value.code == 0
    return capsys.readouterr().out


def refuse(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["jobs", *arguments])
    assert ended.value.code == USER_ERROR
    return capsys.readouterr().err


def test_a_job_is_listed_shown_and_its_log_followed(capsys) -> None:
    job = service.submit("parts", {"parts": 3, "seconds": 0.1}, actor=COMMAND_LINE)
    log = say(capsys, "log", job.id, "--follow")
    assert log.splitlines()[0].endswith("  Submitted.")
    assert log.splitlines()[-1].endswith("  Done.")
    listed = say(capsys, "list")
    assert job.id in listed
    assert "done" in listed
    assert "Write 3 parts" in listed
    assert job.id not in say(capsys, "list", "--state", "failed")
    shown = say(capsys, "show", job.id)
    assert '{"file": "all.txt", "rows": 3}' in shown
    assert service.get_job(job.id).code_digest in shown
    assert "24 h, 8 GB of memory, 20 GB of disk" in shown
    assert str(service.job_folder(job.id)) in shown


def test_a_job_is_cancelled_resumed_and_forgotten(capsys, no_workers) -> None:
    job = service.submit("parts", {"parts": 3, "seconds": 0.1}, actor=COMMAND_LINE)
    assert "queued, place 1" in say(capsys, "list")
    assert say(capsys, "cancel", job.id) == "cancelled\n"
    assert say(capsys, "resume", job.id) == "queued, place 1\n"
    assert "only a finished one can be removed" in refuse(capsys, "forget", job.id)
    say(capsys, "cancel", job.id)
    say(capsys, "forget", job.id)
    assert say(capsys, "list") == ""


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a worker of another host be given up soon."""
    monkeypatch.setattr(recovery, "LEASE_SECONDS", 0.5)
    monkeypatch.setattr(recovery, "WATCH_SECONDS", 0.05)


@pytest.mark.parametrize(("act", "state"), [("cancel", "cancelled"), ("resume", "queued, place 1")])
def test_a_job_whose_worker_elsewhere_is_gone_can_be_cancelled_and_resumed(
    capsys, no_workers, hasty, act, state
) -> None:
    job = service.submit("parts", {"parts": 1, "seconds": 0}, actor=COMMAND_LINE)
    store.claim("scoring", store.Worker("elsewhere", 1, "1"))
    with pytest.raises(SystemExit) as ended:
        main(["jobs", act, job.id])
    said = capsys.readouterr()
    assert (ended.value.code, said.out) == (0, f"{state}\n")
    assert "Its worker is not of this machine, or was not: looking for up to 30" in said.err


def test_a_job_whose_worker_elsewhere_lives_stays_with_it(capsys, no_workers, monkeypatch) -> None:
    monkeypatch.setattr(recovery, "WATCH_SECONDS", 0.05)
    job = service.submit("parts", {"parts": 1, "seconds": 0}, actor=COMMAND_LINE)
    held = store.claim("scoring", store.Worker("elsewhere", 1, "1"))
    over = threading.Event()

    def beat() -> None:
        while not over.wait(0.1):
            store.keep(held)

    thread = threading.Thread(target=beat)
    thread.start()
    began = time.monotonic()
    try:
        assert "The job is running; only" in refuse(capsys, "resume", job.id)
        assert say(capsys, "cancel", job.id) == "running\n"
    finally:
        over.set()
        thread.join()
    assert time.monotonic() - began < recovery.LEASE_SECONDS
    assert store.is_to_stop(held)


def test_old_jobs_are_forgotten_together(capsys, no_workers) -> None:
    for parts in (1, 2):
        job = service.submit("parts", {"parts": parts, "seconds": 0}, actor=COMMAND_LINE)
        service.cancel(job.id, actor=COMMAND_LINE)
    assert say(capsys, "forget", "--ended-before", "1") == "0 jobs were removed.\n"
    assert say(capsys, "forget", "--ended-before", "0") == "2 jobs were removed.\n"
    assert say(capsys, "list") == ""
    for arguments in ((), (job.id, "--ended-before", "1")):
        assert "Which jobs to remove is not clear" in refuse(capsys, "forget", *arguments)


def test_what_is_not_there_is_said(capsys, no_workers) -> None:
    assert "There is no job 'nothing'" in refuse(capsys, "show", "nothing")
    assert "There is no state 'gone'" in refuse(capsys, "list", "--state", "gone")
    assert "There is no lane 'fast'" in refuse(capsys, "work", "--lane", "fast")


def test_an_error_is_shown_with_its_remedy(capsys) -> None:
    job = run_task("misbehave", how="user error")
    assert "There is nothing to read. Bring something." in say(capsys, "show", job.id)


def test_a_worker_of_its_own_works_until_it_is_told_to_end(no_workers) -> None:
    command = [sys.executable, "-m", "resvae_core", "jobs", "work", "--lane", "scoring"]
    worker = subprocess.Popen(command, cwd=PROJECT_ROOT)
    try:
        done = service.submit("parts", {"parts": 1, "seconds": 0}, actor=COMMAND_LINE)
        assert wait_for_end(done.id).state == "done"
        slow = service.submit("parts", {"parts": 99_999, "seconds": 0.1}, actor=COMMAND_LINE)
        wait_until(lambda: bool(service.get_job(slow.id).done))
        second = subprocess.run(
            command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False
        )
        assert second.returncode == USER_ERROR
        assert "Another worker of this machine" in second.stderr
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait(120) == 0
        assert service.get_job(slow.id).state == "queued"
        assert store.running() == []
    finally:
        worker.kill()
        worker.wait()
