"""What every engine promises, in this process, in others, and on local Dask workers."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from resvae_core.config import PROJECT_ROOT
from resvae_core.engine.cluster import CONFIGURATION, IN_FLIGHT
from resvae_core.engine.engine import Engine, open_engine
from resvae_core.engine.events import MAX_CHARACTERS, Throttle, emit, sending
from resvae_core.errors import ConfigError, EngineError, InputDataError, JobCancelledError
from tests.core.engine import items
from tests.core.engine.clusters import wait_until_gone

KINDS = ("serial", "processes", "dask")


@pytest.fixture(scope="module")
def engines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Engine]]:
    """Give engines that the tests share: each starts its workers once."""
    opened: dict[str, Any] = {}

    def get(kind: str) -> Engine:
        if kind not in opened:
            opened[kind] = open_engine(kind, 2, folder=tmp_path_factory.mktemp(kind))
            opened[f"{kind} itself"] = opened[kind].__enter__()
        return opened[f"{kind} itself"]

    yield get
    for kind in KINDS:
        if kind in opened:
            opened[kind].__exit__(None, None, None)


@pytest.fixture(params=KINDS)
def engine(request: pytest.FixtureRequest, engines: Callable[[str], Engine]) -> Engine:
    return engines(request.param)


def test_each_result_bears_the_index_of_its_item(engine: Engine) -> None:
    found = sorted(engine.map(items.scaled, [5, 6, 7, 8, 9], shared=10))
    assert [(index, value) for index, (value, _) in found] == list(enumerate([50, 60, 70, 80, 90]))
    assert len({process for _, (_, process) in found}) <= engine.n_workers
    assert dict(engine.map(items.alone, [3, 4])) == {0: 9, 1: 16}
    assert list(engine.map(items.alone, [])) == []


def test_every_item_is_computed_with_one_thread(engine: Engine) -> None:
    for _, (n_threads, variable) in engine.map(items.threads, range(2)):
        assert n_threads == 1
        assert engine.name == "serial" or variable == "1"


def test_events_are_thinned_and_the_last_of_a_series_arrives(engine: Engine) -> None:
    seen: list[tuple[int, dict[str, Any]]] = []
    results = engine.map(
        items.telling, range(3), on_event=lambda index, event: seen.append((index, event))
    )
    assert sorted(results) == [(0, 0), (1, 1), (2, 2)]
    assert len(seen) < 3 * 2 * 20
    for index in range(3):
        own = [event for number, event in seen if number == index]
        assert {event["item"] for event in own} == {index}
        for series in ("first", "second"):
            steps = [event["step"] for event in own if event["series"] == series]
            assert steps == sorted(steps)
            assert steps[-1] == 199


def test_an_error_of_an_item_is_raised_whole_and_the_engine_goes_on(engine: Engine) -> None:
    with pytest.raises(InputDataError, match=r"Item 3 is wrong\. Leave it out\.") as caught:
        list(engine.map(items.failing, range(6)))
    assert caught.value.remedy == "Leave it out."
    with pytest.raises(ZeroDivisionError):
        list(engine.map(items.wrong, [1, 0]))
    assert dict(engine.map(items.alone, [2])) == {0: 4}


def test_an_error_of_the_listener_ends_the_computation(engine: Engine, tmp_path: Path) -> None:
    def stop(index: int, event: object) -> None:
        raise JobCancelledError("Stopped.", remedy="Start it again.")

    started = time.monotonic()
    with pytest.raises(JobCancelledError, match="Stopped"):
        list(engine.map(items.slow, [60.0, 60.0], shared=str(tmp_path), on_event=stop))
    assert time.monotonic() - started < 40  # 60 if it went on
    assert dict(engine.map(items.alone, [2])) == {0: 4}


def test_few_items_are_under_way_at_a_time(engine: Engine) -> None:
    taken: list[int] = []

    class Watched(list[int]):
        def __iter__(self) -> Iterator[int]:
            for item in range(len(self)):
                taken.append(item)
                yield item

    results = engine.map(items.alone, Watched([0] * 40))
    assert not taken  # nothing is computed before somebody asks
    for done in range(1, 10):
        next(results)
        assert len(taken) <= done + IN_FLIGHT * engine.n_workers
    results.close()
    assert dict(engine.map(items.alone, [2])) == {0: 4}


@pytest.mark.parametrize("kind", ["processes"])
def test_what_cannot_leave_its_process_is_said(kind: str, engines: Callable[[str], Engine]) -> None:
    with pytest.raises(RuntimeError, match="cannot leave its process"):
        list(engines(kind).map(items.unsendable, [1]))


def test_a_lost_process_is_said(engines: Callable[[str], Engine], tmp_path: Path) -> None:
    pool = engines("processes")
    with pytest.raises(EngineError, match=r"ended in the middle of its work \(exit code -9\)"):
        list(pool.map(items.suicidal, range(6), shared=str(tmp_path)))
    assert dict(pool.map(items.suicidal, range(6), shared=str(tmp_path))) == dict(
        enumerate(range(6))
    )


def test_items_of_a_killed_dask_worker_are_computed_again(
    engines: Callable[[str], Engine], tmp_path: Path
) -> None:
    found = dict(engines("dask").map(items.suicidal, range(6), shared=str(tmp_path)))
    assert found == dict(enumerate(range(6)))
    assert (tmp_path / "killed").exists()


def test_an_item_that_kills_every_worker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONFIGURATION, "distributed.scheduler.allowed-failures", 1)
    with open_engine("dask", 1) as engine:
        with pytest.raises(EngineError, match="were lost again and again"):
            list(engine.map(items.doomed, [1]))
        assert dict(engine.map(items.alone, [2])) == {0: 4}


@pytest.mark.parametrize("kind", ["processes", "dask"])
def test_no_process_outlives_the_engine(kind: str) -> None:
    before = {child.pid for child in psutil.Process().children(recursive=True)}
    with open_engine(kind, 2) as engine:
        assert len(dict(engine.map(items.alone, range(4)))) == 4
        started = {child.pid for child in psutil.Process().children(recursive=True)} - before
        assert started
    left = [p for p in started if "resource_tracker" not in " ".join(_command(p))]
    assert wait_until_gone(left) == []


def _command(process: int) -> list[str]:
    try:
        return list(psutil.Process(process).cmdline())
    except psutil.NoSuchProcess:
        return []


@pytest.mark.parametrize("kind", ["processes", "dask"])
def test_workers_end_with_a_program_that_is_killed(kind: str, tmp_path: Path) -> None:
    program = subprocess.Popen(
        [sys.executable, "-m", "tests.core.engine.client", kind, str(tmp_path)],
        cwd=PROJECT_ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 200
        while len(list(tmp_path.iterdir())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        started = [child.pid for child in psutil.Process(program.pid).children(recursive=True)]
        assert {int(path.name) for path in tmp_path.iterdir()} <= set(started)
    finally:
        program.kill()
        program.wait()
    assert wait_until_gone(started) == []


def test_an_unknown_engine_is_refused() -> None:
    with (
        pytest.raises(ConfigError, match="'threads' is no engine"),
        open_engine("threads"),
    ):
        pass


def test_the_settings_choose_where_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESVAE_ENGINE", "processes")
    monkeypatch.setenv("RESVAE_N_WORKERS", "3")
    with open_engine() as engine:
        assert (engine.name, engine.n_workers) == ("processes", 3)
    with open_engine("serial") as engine:
        assert (engine.name, engine.n_workers) == ("serial", 1)


def test_nobody_hears_what_is_emitted_outside_of_an_engine() -> None:
    emit({"step": 1})


@pytest.mark.parametrize(
    ("event", "message"),
    [
        ({"text": "x" * MAX_CHARACTERS}, f"at most {MAX_CHARACTERS} were expected"),
        ({"array": object()}, "holds something that is no JSON"),
    ],
)
def test_large_and_strange_events_are_refused(event: dict[str, Any], message: str) -> None:
    with sending(lambda event: None), pytest.raises(ConfigError, match=message):
        emit(event)


def test_a_throttle_holds_back_within_a_series_only() -> None:
    sent: list[int] = []
    throttle = Throttle(lambda event: sent.append(event["n"]), interval=60)
    for n, series in enumerate(["a", "a", "a", "b", "b", "a"]):
        throttle.take({"n": n}, series)
    throttle.flush()
    throttle.flush()
    assert sent == [0, 2, 4, 5]
