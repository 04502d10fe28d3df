from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from itertools import pairwise

import numpy as np
import pytest
from sqlalchemy import update

from resvae_core.database import close_databases, exclusive
from resvae_core.errors import CatalogError, JobError
from resvae_core.jobs import processes, recovery, store
from resvae_core.jobs.record import Limits
from resvae_core.jobs.schema import JOBS
from resvae_core.jobs.store import LostJobError, News, Worker

pytestmark = pytest.mark.usefixtures("database", "no_workers")
FORK = multiprocessing.get_context("fork")
ME = Worker("here", 1, "1")
CROWD, JOBS_EACH = 4, 6


def add(number: int = 0, **changes: object) -> str:
    values = {
        "task": "parts",
        "title": "Write parts",
        "arguments": {"number": number},
        "lane": "scoring",
        "device": "",
        "resumable": True,
        "submitted_by": "somebody",
        "limits": Limits(1.0, 1.0, 1.0),
    }
    return store.add(store.NewJob(**(values | changes)), store.new_id())[0].id


def run_processes(function, *arguments: object) -> None:
    crowd = [FORK.Process(target=function, args=(n, *arguments)) for n in range(CROWD)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
        assert one.exitcode == 0


def claim_all(number: int, results) -> None:
    while (held := store.claim("scoring", Worker("here", number, "1"))) is not None:
        results.put((held.id, number))


def write_lines(number: int, held: store.Claim) -> None:
    for line in range(JOBS_EACH):
        store.keep(held, News(log=[(time.time(), f"{number} {line}")]))


def submit_the_same(number: int, results) -> None:
    results.put(add(7))


def test_many_processes_claim_every_job_exactly_once() -> None:
    names = {add(number) for number in range(CROWD * JOBS_EACH)}
    results = FORK.Queue()
    run_processes(claim_all, results)
    claimed = [results.get(timeout=10) for _ in names]
    assert results.empty()
    assert sorted(name for name, _ in claimed) == sorted(names)
    assert {store.read(name).attempt for name in names} == {1}


def test_lines_of_many_processes_are_all_there_in_one_order() -> None:
    add()
    held = store.claim("scoring", ME)
    run_processes(write_lines, held)
    lines = store.read_log(held.id)
    assert [line.n for line in lines] == list(range(1, len(lines) + 1))
    texts = [line.text for line in lines[2:]]
    assert sorted(texts) == sorted(f"{n} {line}" for n in range(CROWD) for line in range(JOBS_EACH))
    for n in range(CROWD):
        own = [text for text in texts if text.startswith(f"{n} ")]
        assert own == [f"{n} {line}" for line in range(JOBS_EACH)]
    assert store.read_log(held.id, after=len(lines) - 1) == lines[-1:]


def test_the_same_work_is_queued_once_however_many_ask() -> None:
    results = FORK.Queue()
    run_processes(submit_the_same, results)
    assert len({results.get(timeout=10) for _ in range(CROWD)}) == 1
    assert add(8) not in {job.id for job in store.read_all() if job.arguments == {"number": 7}}


def test_a_worker_that_lost_its_job_can_write_nothing() -> None:
    name = add()
    lost = store.claim("scoring", ME)
    assert store.interrupt(name, lost.token, "Gone.", resume=True) == "queued"
    held = store.claim("scoring", Worker("there", 2, "2"))
    before, lines = store.read(name), store.read_log(name)
    news = News({"done": 99}, [(0.0, "from the dead")], {("", 1, "loss"): 1.0})
    for write in (
        lambda: store.keep(lost, news),
        lambda: store.is_to_stop(lost),
        lambda: store.finish(lost, "done", line="Done.", result={"rows": 1}, news=news),
    ):
        with pytest.raises(LostJobError, match=name):
            write()
    assert store.interrupt(name, lost.token, "Again.", resume=True) is None
    assert store.read(name) == before
    assert store.read_log(name) == lines
    assert store.read_points(name) == []
    store.finish(held, "done", line="Done.", result={"rows": 2})
    assert (store.read(name).state, store.read(name).result) == ("done", {"rows": 2})


def test_jobs_wait_in_the_order_they_came_and_know_their_place() -> None:
    names = [add(number) for number in range(3)]
    training = [add(n, lane="training", device=device) for n, device in ((8, "auto"), (9, "cpu"))]
    assert [store.read(name).position for name in names] == [1, 2, 3]
    assert [store.read(name).position for name in training] == [1, 1]
    held = store.claim("scoring", ME)
    assert held.id == names[0]
    assert [store.read(name).position for name in names] == [None, 1, 2]
    # what was interrupted is older than what came later
    store.interrupt(held.id, held.token, "Gone.", resume=True)
    assert [store.read(name).position for name in names] == [1, 2, 3]
    assert store.waiting() == {("scoring", ""): 3, ("training", "auto"): 1, ("training", "cpu"): 1}
    assert [job.id for job in store.read_all(states=["queued"], limit=2)] == training[::-1]


def test_a_worker_takes_only_what_its_device_can_do() -> None:
    add(1, lane="training", device="cuda:0")
    name = add(2, lane="training", device="auto")
    held = store.claim("training", ME, devices=("cpu", "auto"), device="cpu")
    assert (held.id, held.record.device) == (name, "cpu")
    assert store.claim("training", ME, devices=("cpu", "auto"), device="cpu") is None
    # queued again, it asks for what it asked for
    store.interrupt(name, held.token, "Gone.", resume=True)
    assert store.read(name).device == "auto"
    store.fail_waiting("training", "cuda:0", ("No such device.", "Use the CPU."))
    failed = store.read_all(states=["failed"])
    assert [job.error for job in failed] == [("No such device.", "Use the CPU.")]


def test_what_was_interrupted_twice_waits_a_moment_before_it_goes_on() -> None:
    name = add()
    for _ in range(2):
        held = store.claim("scoring", ME)
        store.interrupt(name, held.token, "Gone.", resume=True)
    assert store.claim("scoring", ME) is None
    assert store.read(name).position == 1
    assert store.waiting() == {("scoring", ""): 1}


def test_a_pause_that_was_written_by_a_clock_ahead_of_ours_is_over(monkeypatch) -> None:
    name = add()
    for _ in range(2):
        held = store.claim("scoring", ME)
        now = time.time()
        with monkeypatch.context() as ahead:
            ahead.setattr(store.time, "time", lambda now=now: now + 3600)
            store.interrupt(name, held.token, "Gone.", resume=True)
    assert store.claim("scoring", ME) is not None


def test_what_is_interrupted_too_often_waits_for_somebody(monkeypatch) -> None:
    monkeypatch.setattr(store, "RESUME_SECONDS", (0.0,) * 4)
    name, states = add(), []
    for _ in range(store.MAX_ATTEMPTS):
        held = store.claim("scoring", ME)
        states.append(store.interrupt(name, held.token, "Gone.", resume=True))
    assert states == ["queued"] * 4 + ["interrupted"]
    job = store.read(name)
    assert job.error == ("Gone.", "Resume it, or start it again.")
    assert job.finished_at is not None
    assert store.queue_again(name, ["interrupted"])
    held = store.claim("scoring", ME)
    assert held.attempt == store.MAX_ATTEMPTS + 1
    assert store.interrupt(name, held.token, "Gone.", resume=True) == "queued"


@pytest.mark.parametrize(("resumable", "resume"), [(False, True), (True, False)])
def test_what_cannot_or_shall_not_go_on_by_itself_is_interrupted(resumable, resume) -> None:
    name = add(resumable=resumable)
    held = store.claim("scoring", ME)
    assert store.interrupt(name, held.token, "Gone.", resume=resume) == "interrupted"


def test_cancelling_depends_on_the_state() -> None:
    waiting, name = add(1), add(2)
    assert store.ask_to_cancel(waiting) == "cancelled"
    held = store.claim("scoring", ME)
    assert held.id == name
    assert not store.is_to_stop(held)
    assert store.ask_to_cancel(name) == "running"
    assert store.ask_to_cancel(name) == "running"
    assert store.is_to_stop(held)
    assert store.keep(held)
    # its worker dies before it could obey
    assert store.interrupt(name, held.token, "Gone.", resume=True) == "cancelled"
    assert store.ask_to_cancel(name) == "cancelled"
    assert sum("Cancelling" in line.text for line in store.read_log(name)) == 1
    with pytest.raises(CatalogError, match="no job 'none'"):
        store.ask_to_cancel("none")


def test_a_job_whose_twin_waits_or_runs_is_not_queued_again() -> None:
    first = add()
    store.ask_to_cancel(first)
    twin, other = add(), add(1)
    assert twin != first
    with pytest.raises(JobError, match=f"Job {twin} does the same and is queued") as caught:
        store.queue_again(first, ["cancelled"])
    assert f"Wait for job {twin}" in caught.value.remedy
    held = store.claim("scoring", ME)
    with pytest.raises(JobError, match=f"Job {twin} does the same and is running"):
        store.queue_again(first, ["cancelled"])
    store.finish(held, "failed", line="Failed.", error=("So it is.", "Do it again."))
    assert store.queue_again(first, ["cancelled"])
    assert {job.id for job in store.read_all(states=["queued"])} == {first, other}


def test_a_log_ends_with_a_word_when_it_is_full_but_how_the_job_ended_is_there(monkeypatch) -> None:
    monkeypatch.setattr(store, "MOST_LINES", 6)
    add()
    held = store.claim("scoring", ME)
    for start in range(0, 9, 3):
        store.keep(held, News(log=[(0.0, f"Line {start + k}.") for k in range(3)]))
    store.interrupt(held.id, held.token, "Gone.", resume=True)
    held = store.claim("scoring", ME)
    store.finish(held, "done", line="Done.", news=News(log=[(0.0, "The last one.")]))
    own = ["Submitted.", "Started (attempt 1)."]
    told = [*(f"Line {k}." for k in range(4)), store.LOG_IS_FULL]
    end = ["Gone. Interrupted; queued again to go on from where it was."]
    end += ["Started (attempt 2).", "Done."]
    assert [line.text for line in store.read_log(held.id)] == own + told + end


def test_points_that_are_reported_again_get_their_new_value() -> None:
    add()
    held = store.claim("scoring", ME)
    points = {(s, epoch, "loss"): 1.0 / (epoch + 1) for s in "acdefgh" for epoch in range(100)}
    store.keep(held, News(points=points))
    store.keep(held, News(points={("a", 3, "loss"): 9.0, ("b", 0, "loss"): float("nan")}))
    found = store.read_points(held.id)
    assert len(found) == 701
    assert [point[0] for point in found] == sorted(point[0] for point in found)
    values = {(series, epoch): value for _, series, epoch, _, value in found}
    assert values["a", 3] == 9.0
    assert values["a", 4] == 0.2
    assert np.isnan(values["b", 0])


def test_of_a_long_curve_few_points_are_read_among_them_the_first_and_the_last() -> None:
    add()
    held = store.claim("scoring", ME)
    # it reports every tenth epoch: what counts is the place among its own points
    long = {("a", 10 * k, "loss"): float(k) for k in range(5 * store.CURVE_POINTS + 2)}
    store.keep(held, News(points=long | {("a", 0, "roc_auc"): 0.5, ("b", 7, "loss"): 1.0}))
    found = store.read_points(held.id)
    epochs = [epoch for _, series, epoch, name, _ in found if (series, name) == ("a", "loss")]
    assert store.CURVE_POINTS / 2 < len(epochs) <= store.CURVE_POINTS + 1
    assert (epochs[0], epochs[-1]) == (0, 10 * (len(long) - 1))
    steps = {later - earlier for earlier, later in pairwise(epochs[:-1])}
    assert len(steps) == 1
    assert {point[1:] for point in found} >= {("a", 0, "roc_auc", 0.5), ("b", 7, "loss", 1.0)}
    # a whole one stays whole
    whole = {("c", epoch, "loss"): 1.0 for epoch in range(store.CURVE_POINTS)}
    store.keep(held, News(points=whole))
    series = [point[1] for point in store.read_points(held.id)]
    assert series.count("c") == store.CURVE_POINTS


def test_the_expected_time_follows_the_pace_of_this_attempt() -> None:
    add()
    held, now = store.claim("scoring", ME), time.time()
    assert store.read(held.id).eta_seconds is None
    # resumed at 40 of 100; 20 more took 10 seconds, so the last 40 take 20
    progress = {"done": 60, "total": 100, "pace_done": 40, "pace_at": now - 10, "told_at": now}
    store.keep(held, News(progress))
    assert store.read(held.id).eta_seconds == pytest.approx(20, abs=1)
    assert store.read(held.id).fraction == 0.6


def test_a_removed_job_leaves_nothing_and_a_running_one_stays() -> None:
    name = add()
    held = store.claim("scoring", ME)
    store.keep(held, News(points={("", 1, "loss"): 1.0}))
    assert not store.remove(name)
    store.finish(held, "done", line="Done.")
    assert store.remove(name)
    assert store.read_log(name) == []
    assert store.read_points(name) == []
    with pytest.raises(CatalogError, match="no job"):
        store.read(name)


def test_records_outlive_the_connections_of_a_process() -> None:
    name = add()
    before = store.read(name)
    close_databases()
    assert store.read(name) == before
    assert store.find("parts", {"number": 0}) == before
    assert store.find("parts", {"number": 1}) is None


def test_a_dead_process_of_this_host_loses_its_job_at_once() -> None:
    name = add()
    store.claim("scoring", Worker(processes.host(), 2**22 + 1, "1"))
    recovery.take_from_the_dead()
    assert store.read(name).state == "queued"
    log = [line.text for line in store.read_log(name)]
    assert log[-1].startswith("Its worker ended. Interrupted; queued again")


def test_a_process_with_the_number_of_a_dead_one_is_not_taken_for_it() -> None:
    own = processes.mark_of(1)
    name = add()
    store.claim("scoring", Worker(processes.host(), 1, f"{own}0"))
    recovery.take_from_the_dead()
    assert store.read(name).state == "queued"
    held = store.claim("scoring", Worker(processes.host(), 1, own or ""))
    recovery.take_from_the_dead()
    assert store.read(held.id).state == "running"


OWN = processes.host().split("-")
OTHER = "0" * processes.PART


def test_a_worker_of_an_earlier_boot_of_this_computer_lost_its_job_at_once(database) -> None:
    name = add()
    store.claim("scoring", Worker("-".join((OWN[0], OTHER, OWN[2])), 1, "1"))
    recovery.take_from_the_dead()
    # a server may be used by a copy of this computer that has its id, and runs
    assert store.read(name).state == ("queued" if database == "sqlite" else "running")


@pytest.mark.parametrize(
    "host",
    [
        pytest.param("-".join((OWN[0], OWN[1], OTHER)), id="container-with-the-id-of-its-machine"),
        pytest.param("-".join((OTHER, OWN[1], OTHER)), id="container-with-an-id-of-its-own"),
        pytest.param("-".join((OTHER, OTHER, OWN[2])), id="other-machine"),
        pytest.param("-".join((OWN[0], "", OWN[2])), id="boot-not-known"),
        pytest.param("f" * 16, id="name-of-an-earlier-version"),
    ],
)
def test_a_worker_that_may_live_elsewhere_keeps_its_job(host) -> None:
    name = add()
    store.claim("scoring", Worker(host, 2**22 + 1, "1"))
    recovery.take_from_the_dead()
    assert store.read(name).state == "running"


def start_sleeper(job: str, attempt: int) -> subprocess.Popen[bytes]:
    environment = os.environ | processes.label(job, attempt)
    return subprocess.Popen(
        [sys.executable, "-S", "-c", "import time; time.sleep(60)"], env=environment
    )


def test_only_processes_of_the_lost_attempt_and_earlier_ones_are_ended() -> None:
    job = store.new_id()
    sleepers = [start_sleeper(job, attempt) for attempt in (1, 2, 10)]
    try:
        assert processes.end_all_of(job, 2)
        assert [sleeper.wait(10) for sleeper in sleepers[:2]] == [-9, -9]
        assert [found.pid for found in processes.processes_of(job)] == [sleepers[2].pid]
        assert processes.processes_of(job[:-1]) == []
    finally:
        assert processes.end_all_of(job)
        assert sleepers[2].wait(10) == -9


def test_whoever_notices_a_dead_worker_late_leaves_the_next_attempt_alone(monkeypatch) -> None:
    name = add()
    store.claim("scoring", Worker(processes.host(), 2**22 + 1, "1"))
    stale = store.running()
    recovery.take_from_the_dead()
    own = processes.mark_of(os.getpid()) or ""
    held = store.claim("scoring", Worker(processes.host(), os.getpid(), own))
    assert held.attempt == 2
    child = start_sleeper(name, held.attempt)
    try:
        monkeypatch.setattr(store, "running", lambda: stale)
        recovery.take_from_the_dead()
        # not even where it read the record before the other one took the job
        monkeypatch.setattr(store, "is_current", lambda *attempt: True)
        recovery.take_from_the_dead()
        assert child.poll() is None
        assert store.read(name).state == "running"
    finally:
        child.kill()
        child.wait()


def test_another_host_s_job_is_lost_when_its_heart_stops_on_our_clock(monkeypatch) -> None:
    name = add()
    held = store.claim("scoring", Worker("elsewhere", 1, "1"))
    clock = [1000.0]
    monkeypatch.setattr(recovery.time, "monotonic", lambda: clock[0])

    def state_after(seconds: float) -> str:
        clock[0] += seconds
        recovery.take_from_the_dead()
        return store.read(name).state

    # its own clock is an hour behind: only that it changes counts
    with exclusive(store.database(), name) as connection:
        connection.execute(update(JOBS).values(heartbeat_at=time.time() - 3600))
    assert state_after(0) == "running"
    assert state_after(recovery.LEASE_SECONDS - 1) == "running"
    store.keep(held)
    assert state_after(2) == "running"
    assert state_after(recovery.LEASE_SECONDS - 1) == "running"
    assert state_after(2) == "queued"
