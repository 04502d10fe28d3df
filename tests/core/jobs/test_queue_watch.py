"""What is said of a job that no worker takes up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from resvae_core.jobs import queue_watch, service, store
from resvae_core.jobs.queue_watch import missing_worker
from resvae_core.jobs.record import JobRecord, Lane, Limits

pytestmark = pytest.mark.usefixtures("database", "no_workers")
ONE_SQLITE = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
WORKER = store.Worker("another", 1, "mark")


def queue(number: int, lane: Lane = "training", device: str = "cuda:0") -> JobRecord:
    """Queue a job."""
    job = store.NewJob(
        *("parts", "Train", {"number": number}, lane, device, True, "me", Limits(1.0, 1.0, 1.0))
    )
    return store.add(job, store.new_id())[0]


@pytest.fixture
def much_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every job have waited for longer than a worker needs."""
    monkeypatch.setattr(queue_watch, "PATIENCE_SECONDS", -1.0)


@ONE_SQLITE
@pytest.mark.usefixtures("much_later")
def test_next_job_of_a_device_without_a_worker_says_so_and_how_to_start_one() -> None:
    first, second = queue(1), service.get_job(queue(2).id)
    said = missing_worker(first)
    assert said.startswith("No worker for cuda:0 seems to run (RESVAE_WORKERS=external). Start one")
    assert said.endswith("jobs work --lane training --device cuda:0")
    assert missing_worker(second) == "", "it waits for the first"
    assert missing_worker(queue(3, device="auto")).endswith("jobs work --lane training")
    assert missing_worker(queue(4, "scoring", "")).startswith("No worker for scoring seems to run")


@ONE_SQLITE
@pytest.mark.usefixtures("much_later")
@pytest.mark.parametrize(
    ("asked", "busy", "missing"),
    [("cuda:0", "cuda:0", False), ("auto", "cuda:0", False), ("cuda:1", "cuda:0", True)],
)
def test_a_worker_that_is_busy_with_another_job_is_not_missed(
    asked: str, busy: str, missing: bool
) -> None:
    queue(1)
    assert store.claim("training", WORKER, devices=("cuda:0", "auto"), device=busy) is not None
    assert bool(missing_worker(queue(2, device=asked))) == missing


@ONE_SQLITE
def test_a_job_that_was_queued_a_moment_ago_misses_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    job = queue(1)
    assert missing_worker(job) == ""
    old = timedelta(seconds=2 * queue_watch.PATIENCE_SECONDS)
    long_ago = JobRecord(**vars(job) | {"submitted_at": job.submitted_at - old})
    assert missing_worker(long_ago) == "", "its log says that it was queued again just now"


@ONE_SQLITE
@pytest.mark.usefixtures("much_later")
def test_where_the_program_starts_workers_itself_none_is_missed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    job = queue(1)
    monkeypatch.delenv("RESVAE_WORKERS")
    assert missing_worker(job) == ""
