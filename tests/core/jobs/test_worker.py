from __future__ import annotations

import errno
import os
import shutil
import signal
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import text, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import OperationalError

from resvae_core.access import audit
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.database import close_databases, exclusive, open_database
from resvae_core.errors import ConfigError
from resvae_core.jobs import launch, lease, limits, processes, service, store, supervisor, worker
from resvae_core.jobs.locks import try_lock
from resvae_core.jobs.record import Limits
from resvae_core.jobs.schema import JOBS
from resvae_core.jobs.sources import code_digest
from tests.core.jobs.conftest import (
    run_task,
    texts,
    wait_for_end,
    wait_until,
    workers,
)
from tests.core.jobs.faulty_wire import FaultyWire

SLOW = {"parts": 12, "seconds": 0.15}
CANCEL_SECONDS = 2.0

on_sqlite = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
on_postgres = pytest.mark.parametrize(
    "database", [pytest.param("postgresql", marks=pytest.mark.postgres)], indirect=True
)


def submit(task: str, limits: Limits | None = None, **arguments: object) -> str:
    return service.submit(task, arguments, actor=COMMAND_LINE, limits=limits).id


def written_by(job: str) -> list[str]:
    return [line.split(" by ")[0] for line in texts(job) if line.startswith("Part ")]


def wait_for_parts(job: str, count: int) -> None:
    wait_until(lambda: len(list(service.job_folder(job).glob("part-*.txt"))) >= count)


def test_a_job_runs_outside_and_leaves_result_log_curve_and_digests(database) -> None:
    job = run_task("parts", parts=5, seconds=0.01)
    assert (job.state, job.error, job.attempt) == ("done", None, 1)
    assert job.result == {"file": "all.txt", "rows": 5}
    assert (service.job_folder(job.id) / "all.txt").read_text() == "0\n1\n2\n3\n4\n"
    assert (job.step, job.done, job.total, job.epoch) == ("Writing", 5, 5, 4)
    assert job.metrics == {"loss": 0.2}
    assert (job.seed, job.code_digest) == (7, code_digest())
    assert job.data_digests == {"numbers": "ab" * 32}
    assert service.job_curve(job.id)["value"].tolist() == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5]
    lines = texts(job.id)
    assert lines[:2] == ["Submitted.", "Started (attempt 1)."]
    assert lines[2:] == [*(f"Part {n} by attempt 1." for n in range(5)), "Done."]
    assert job.finished_at >= job.started_at >= job.submitted_at
    ended = audit.find_lines(actor=COMMAND_LINE, action="job.finished")
    assert [(line.actor, line.source, line.subject) for line in ended] == [
        ("command line", "job", f"job:parts/{job.id}:done")
    ]
    # the same worker takes the next: it is no child of this process and stays a while
    (pid,) = workers()
    assert processes.psutil.Process(pid).ppid() != os.getpid()
    assert run_task("parts", parts=1, seconds=0).state == "done"
    assert workers() == [pid]


@on_sqlite
def test_errors_tell_what_happened_and_no_values(database) -> None:
    user = run_task("misbehave", how="user error")
    assert (user.state, user.error) == ("failed", ("There is nothing to read.", "Bring something."))
    fault = run_task("misbehave", how="value error")
    assert fault.state == "failed"
    assert fault.error[0].startswith("The job failed (ValueError, reference ")
    reference = fault.error[0].split("reference ")[1][:8]
    lines = texts(fault.id)
    assert f"ValueError, reference {reference}:" in lines
    assert any("practice.py" in line and "in misbehave" in line for line in lines)
    assert not any("Smith" in line or "3.14" in line for line in [*lines, *fault.error])
    assert run_task("misbehave", how="chatter").state == "done"


def test_text_that_a_database_refuses_ends_no_worker(database) -> None:
    job = run_task("misbehave", how="odd text")
    assert (job.state, job.error) == ("failed", ("nothing to read",) * 2)
    assert texts(job.id)[-2:] == ["nothing to read", "Failed: nothing to read"]
    assert service.job_curve(job.id)["name"].tolist() == ["nothing to read"]


@on_sqlite
@pytest.mark.parametrize(("how", "words"), [("exit", "exit code 3"), ("segfault", "SIGSEGV")])
def test_a_task_that_dies_without_a_word_is_interrupted(database, how, words) -> None:
    job = run_task("misbehave", how=how)
    assert (job.state, job.attempt) == ("interrupted", 1)
    assert job.error[0] == f"Its process ended early ({words})."


@on_sqlite
def test_a_task_that_interrupts_itself_waits_for_somebody(database) -> None:
    job = run_task("give_up")
    assert (job.state, job.attempt) == ("interrupted", 1)
    assert job.error == ("The budget is spent.", "Give it more.")
    service.resume(job.id, actor=COMMAND_LINE)
    assert wait_for_end(job.id).attempt == 2


@on_sqlite
@pytest.mark.parametrize(
    ("task", "words"),
    [("crash", "Its process ended early (exit code 1)."), ("lose_engine", "The workers are gone.")],
)
def test_a_task_that_loses_its_process_or_workers_is_started_again(database, task, words) -> None:
    name = submit(task)
    wait_until(lambda: service.get_job(name).attempt == 3)
    assert sum(line.startswith(words) for line in texts(name)) == 2


def test_a_job_is_cancelled_within_two_seconds_with_all_its_relatives(database) -> None:
    name = submit("misbehave", how="deaf")
    wait_until(lambda: service.get_job(name).step == "Deaf")
    assert len(processes.processes_of(name)) == 3
    began = time.monotonic()
    service.cancel(name, actor=COMMAND_LINE)
    wait_until(lambda: service.get_job(name).state == "cancelled")
    assert time.monotonic() - began < CANCEL_SECONDS
    assert processes.processes_of(name) == []


def test_a_job_whose_worker_is_killed_goes_on_where_it_was(database) -> None:
    name = submit("parts", **SLOW)
    wait_for_parts(name, 3)
    (pid,) = workers()
    os.kill(pid, signal.SIGKILL)
    # its processes notice by themselves
    wait_until(lambda: not processes.processes_of(name))
    assert service.get_job(name).state == "running"
    service.recover()
    job = wait_for_end(name)
    assert (job.state, job.attempt) == ("done", 2)
    numbers = range(SLOW["parts"])
    everything = "".join(f"{number}\n" for number in numbers)
    assert (service.job_folder(name) / "all.txt").read_text() == everything
    # a line that was on its way when the worker died may be lost, a part never twice
    assert len(set(written_by(name))) == len(written_by(name)) >= SLOW["parts"] - 3


@on_sqlite
def test_a_job_whose_process_is_killed_goes_on_where_it_was(database) -> None:
    name = submit("parts", **SLOW)
    wait_for_parts(name, 3)
    for process in processes.processes_of(name):
        process.kill()
    job = wait_for_end(name)
    assert (job.state, job.attempt) == ("done", 2)
    assert "SIGKILL" in " ".join(texts(name))
    assert len(written_by(name)) == len(set(written_by(name)))


@on_sqlite
def test_a_worker_that_is_told_to_end_hands_its_job_on(database) -> None:
    name = submit("parts", **SLOW)
    wait_for_parts(name, 2)
    (pid,) = workers()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not workers())
    assert service.get_job(name).state == "queued"
    assert "Its worker was stopped." in texts(name)[-1]
    launch.start_missing_workers()
    assert wait_for_end(name).attempt == 2


@on_sqlite
@pytest.mark.parametrize(
    ("how", "limit", "words"),
    [
        ("memory", Limits(1, 0.2, 1), r"used 0\.\d GB of memory; its limit is 0.2 GB"),
        ("disk", Limits(1, 1, 0.002), "wrote 0.0 GB; its limit is 0.002 GB"),
        ("deaf", Limits(1 / 3600, 1, 1), "ran longer than its limit of 0.000277778 hours"),
    ],
)
def test_a_job_over_its_limit_fails_with_a_remedy(database, how, limit, words) -> None:
    name = submit("misbehave", limits=limit, how=how)
    job = wait_for_end(name)
    assert job.state == "failed"
    with pytest.raises(AssertionError, match=words):
        raise AssertionError(job.error[0])
    assert "limit" in job.error[1]
    assert processes.processes_of(name) == []


def test_a_full_disk_is_said(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(limits, "FREE_GB", 1e9)
    monkeypatch.setattr(limits, "LOOK_SECONDS", 0.0)
    watch = limits.Watch(Limits(1, 100, 1), os.getpid(), tmp_path)
    found = []
    wait_until(lambda: found.append(watch.look()) or found[-1] is not None)
    assert "are free on the disk" in found[-1].message


def test_a_folder_that_takes_long_to_measure_holds_nobody_up(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(limits, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(limits, "DISK_SECONDS", 0.0)
    answer, walks = threading.Event(), []

    def slow(folder: Path) -> int:
        walks.append(folder)
        answer.wait(60)
        return 2_000_000

    monkeypatch.setattr(limits, "folder_size", slow)
    watch = limits.Watch(Limits(1, 100, 0.001), os.getpid(), tmp_path)
    began = time.monotonic()
    assert [watch.look() for _ in range(5)] == [None] * 5
    assert time.monotonic() - began < 5
    assert walks == [tmp_path]
    answer.set()
    found = []
    wait_until(lambda: found.append(watch.look()) or found[-1] is not None)
    assert "its limit is 0.001 GB" in found[-1].message


@on_sqlite
def test_one_training_runs_at_a_time_on_a_device_however_it_is_named(database) -> None:
    names = [
        submit("train_parts", parts=6, seconds=0.1, device="auto"),
        submit("train_parts", parts=6, seconds=0.1, device="cpu"),
    ]
    seen, started = set(), set()

    def ended() -> bool:
        started.update(workers())  # one that has nothing to do ends after a while
        jobs = [service.get_job(name) for name in names]
        seen.add(sum(job.state == "running" for job in jobs))
        return all(job.state == "done" for job in jobs)

    wait_until(ended)
    assert len(started) >= 2  # one for each name; a third finds its lane taken and ends
    assert max(seen) == 1
    assert {service.get_job(name).device for name in names} == {"cpu"}


@on_sqlite
def test_a_training_for_a_device_that_is_not_there_fails(database) -> None:
    job = run_task("train_parts", parts=1, seconds=0, device="cuda:31")
    assert job.state == "failed"
    assert "'cuda:31' was asked for" in job.error[0]


@on_sqlite
def test_a_lane_has_one_worker_of_a_machine(database, monkeypatch) -> None:
    with try_lock(launch.lock_name("scoring", "")) as free:
        assert free
        with try_lock(launch.lock_name("scoring", "")) as again:
            assert not again
        assert not worker.Worker("scoring", idle_seconds=0).run()
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    submit("parts", parts=1, seconds=0)
    assert worker.Worker("scoring", idle_seconds=0).run()
    assert store.waiting() == {}


@on_sqlite
def test_a_job_that_cannot_be_started_for_want_of_room_fails_and_says_so(
    database, no_workers, monkeypatch
) -> None:
    name = submit("parts", parts=1, seconds=0)
    mkdir = Path.mkdir

    def full(path: Path, *arguments: object, **options: object) -> None:
        if path.name == name:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        mkdir(path, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", full)
    assert worker.Worker("scoring", idle_seconds=0).run()
    job = service.get_job(name)
    assert (job.state, job.attempt) == ("failed", 1)
    assert job.error[0] == "The job could not be started (No space left on device)."
    assert job.error[1].startswith("Make room on the disk of the state folder")
    (ended,) = audit.find_lines(actor=COMMAND_LINE, action="job.finished")
    assert ended.subject == f"job:parts/{name}:failed"


@on_sqlite
def test_a_job_whose_process_ends_before_it_reads_what_to_do_is_interrupted(
    database, no_workers, monkeypatch
) -> None:
    # more than a pipe holds
    name = submit("parts", parts=1, seconds=0, padding="x" * 300_000)
    me = store.Worker(processes.host(), os.getpid(), processes.mark_of(os.getpid()) or "")
    held = store.claim("scoring", me)
    monkeypatch.setattr(supervisor.sys, "executable", shutil.which("true"))
    supervisor.Supervisor(held, lambda: False).run()
    assert texts(name)[-1].startswith("Its process ended early (exit code 0).")


@on_sqlite
@pytest.mark.parametrize(
    ("is_open", "error", "words"),
    [
        pytest.param(True, OperationalError, "no such column", id="found-by-a-statement"),
        pytest.param(False, ConfigError, "has no column not_before", id="found-at-the-start"),
    ],
)
def test_a_worker_ends_with_a_word_where_the_database_is_not_away_but_wrong(
    database, no_workers, is_open, error, words
) -> None:
    with exclusive(store.database(), "tables") as connection:
        connection.execute(text("ALTER TABLE jobs DROP COLUMN not_before"))
    if not is_open:
        close_databases()
    lonely = worker.Worker("scoring", idle_seconds=None)
    patience = threading.Timer(10, lonely.leave)
    patience.start()
    try:
        with pytest.raises(error, match=words):
            lonely.run()
    finally:
        patience.cancel()
        with exclusive(open_database(), "tables") as connection:
            connection.execute(text("DROP TABLE jobs"))
        close_databases()  # the next one makes it anew


@on_sqlite
def test_an_idle_worker_ends_and_the_next_job_gets_a_new_one(database, monkeypatch) -> None:
    began = time.monotonic()
    assert worker.Worker("scoring", idle_seconds=0.3).run()
    assert time.monotonic() - began < 5
    assert run_task("parts", parts=1, seconds=0).state == "done"


@on_postgres
def test_a_job_outlives_the_database_going_away(database, monkeypatch, request) -> None:
    url = make_url(request.getfixturevalue("postgres"))
    with FaultyWire(url.host or "127.0.0.1", url.port or 5432) as wire:
        through = url.set(host="127.0.0.1", port=wire.port)
        monkeypatch.setenv("RESVAE_DATABASE_URL", through.render_as_string(hide_password=False))
        name = submit("parts", **SLOW)
        wait_for_parts(name, 2)
        wire.cut()
        # the task does not notice; it even ends meanwhile
        wait_until((service.job_folder(name) / "all.txt").is_file)
        time.sleep(0.5)
        wire.mend()
        job = wait_for_end(name)
        assert (job.state, job.attempt, job.done) == ("done", 1, SLOW["parts"])
        assert written_by(name) == [f"Part {n}" for n in range(SLOW["parts"])]
        assert len(service.job_curve(name)) == SLOW["parts"]
        wire.cut()
        with pytest.raises(ConfigError, match="The database cannot be reached"):
            service.list_jobs()
    monkeypatch.setenv("RESVAE_DATABASE_URL", url.render_as_string(hide_password=False))


def test_a_job_is_halted_while_its_heartbeat_waits_for_the_database(database, monkeypatch) -> None:
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    monkeypatch.setattr(lease, "PAUSE_SECONDS", 2.0)
    name = submit("parts", parts=40, seconds=0.1)
    me = store.Worker(processes.host(), os.getpid(), processes.mark_of(os.getpid()) or "")
    watcher = supervisor.Supervisor(store.claim("scoring", me), lambda: False)
    thread = threading.Thread(target=watcher.run)
    thread.start()

    def statuses() -> set[str]:
        return {process.status() for process in processes.processes_of(name)}

    wait_for_parts(name, 2)
    # the statement does not fail: it waits, as long as somebody else writes
    with exclusive(store.database(), name):
        wait_until(lambda: statuses() == {"stopped"}, 6)
        parts = len(list(service.job_folder(name).glob("part-*.txt")))
        time.sleep(0.5)
        assert len(list(service.job_folder(name).glob("part-*.txt"))) == parts
    thread.join(60)
    job = service.get_job(name)
    assert (job.state, job.attempt, job.result["rows"]) == ("done", 1, 40)


def test_a_halted_job_that_is_somebody_else_s_by_now_never_goes_on(database, monkeypatch) -> None:
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    monkeypatch.setattr(lease, "PAUSE_SECONDS", 2.0)
    name = submit("parts", parts=40, seconds=0.1)
    me = store.Worker(processes.host(), os.getpid(), processes.mark_of(os.getpid()) or "")
    held = store.claim("scoring", me)
    thread = threading.Thread(target=supervisor.Supervisor(held, lambda: False).run)
    thread.start()
    wait_for_parts(name, 2)
    with exclusive(store.database(), name) as connection:
        wait_until(lambda: {p.status() for p in processes.processes_of(name)} == {"stopped"}, 6)
        connection.execute(update(JOBS).values(state="queued", token=""))
        parts = len(list(service.job_folder(name).glob("part-*.txt")))
    thread.join(60)
    assert processes.processes_of(name) == []
    assert len(list(service.job_folder(name).glob("part-*.txt"))) == parts
    assert service.get_job(name).state == "queued"
    service.cancel(name, actor=COMMAND_LINE)
