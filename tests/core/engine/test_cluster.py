"""A cluster that runs elsewhere: a real scheduler and two workers on loopback."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from resvae_core.config import PROJECT_ROOT
from resvae_core.engine.cluster import RemoteWorkers
from resvae_core.engine.engine import open_engine
from resvae_core.engine.events import Event
from resvae_core.engine.remote import identity, refuse_others
from resvae_core.errors import EngineError
from tests.core.engine import items
from tests.core.engine.clusters import Cluster, cluster, end


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with cluster(tmp_path_factory.mktemp("cluster")) as started:
        yield started


def test_a_cluster_is_used_where_its_address_is_set_and_survives_a_killed_worker(
    running: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    running.wait_for_workers(2)
    monkeypatch.setenv("RESVAE_SCHEDULER", running.address)
    with open_engine("dask") as engine:
        assert engine.n_workers == 2
        found = dict(engine.map(items.scaled, range(6), shared=10))
        assert [found[index][0] for index in range(6)] == [0, 10, 20, 30, 40, 50]
        assert {process for _, process in found.values()} <= {w.pid for w in running.workers}
        lost = dict(engine.map(items.suicidal, range(6), shared=str(tmp_path)))
        assert lost == dict(enumerate(range(6)))
    running.add_worker()


def test_work_that_nobody_waits_for_any_more_ends_on_the_worker(
    running: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESVAE_SCHEDULER", running.address)
    running.wait_for_workers(2)

    class StopError(Exception):
        pass

    def stop(index: int, event: object) -> None:
        raise StopError

    with open_engine() as engine:
        with pytest.raises(StopError):
            list(engine.map(items.slow, [60.0, 60.0], shared=str(tmp_path), on_event=stop))
        started = time.monotonic()
        assert dict(engine.map(items.alone, [1, 2, 3, 4])) == {0: 1, 1: 4, 2: 9, 3: 16}
        assert time.monotonic() - started < 40  # 60 if it went on


def test_computations_of_one_client_hear_their_own_events_and_leave_none_with_the_scheduler(
    running: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_SCHEDULER", running.address)
    running.wait_for_workers(2)
    heard: dict[str, set[int]] = {"first": set(), "second": set()}

    def hear(name: str) -> Callable[[int, Event], None]:
        return lambda index, event: heard[name].add(event["item"])

    with open_engine() as engine:
        first = engine.map(items.telling, [1, 2], on_event=hear("first"))
        assert next(first)[1] in (1, 2)
        assert sorted(engine.map(items.telling, [3], on_event=hear("second"))) == [(0, 3)]
        list(first)
    assert heard == {"first": {1, 2}, "second": {3}}
    wait_until_forgotten(running)


def wait_until_forgotten(running: Cluster) -> None:
    """Wait until the scheduler keeps no event that an item emitted."""
    workers = RemoteWorkers(running.address)
    try:
        client = workers.connect(1)
        deadline = time.monotonic() + 20
        # Dask tells events of its own, under topics of its own
        while kept := [n for n, told in client.get_events().items() if "'series'" in repr(told)]:
            assert time.monotonic() < deadline, f"the scheduler keeps {kept}"
            time.sleep(0.1)
    finally:
        workers.close()


def test_workers_with_more_threads_or_other_code_are_refused(
    running: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESVAE_SCHEDULER", running.address)
    running.wait_for_workers(2)
    crowded = running.add_worker("--nthreads", "2")
    running.wait_for_workers(3)
    with (
        pytest.raises(EngineError, match=r"has threads 2; 1 was expected.*--nthreads 1"),
        open_engine(),
    ):
        pass
    end(crowded)
    shutil.copytree(
        PROJECT_ROOT / "resvae_core",
        tmp_path / "resvae_core",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    with (tmp_path / "resvae_core" / "compute.py").open("a") as stream:
        stream.write("# another version\n")
    monkeypatch.setenv("RESVAE_MODELS", str(PROJECT_ROOT / "models"))
    other = running.add_worker(root=tmp_path)
    running.wait_for_workers(3)
    with (
        pytest.raises(EngineError, match=r"has resvae_core \w{16}; \w{16} was expected"),
        open_engine(),
    ):
        pass
    end(other)


def test_a_killed_scheduler_is_noticed_within_seconds(
    running: Cluster, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("RESVAE_SCHEDULER", running.address)
    with open_engine() as engine:

        def kill(index: int, event: object) -> None:
            end(running.scheduler)

        started = time.monotonic()
        with pytest.raises(EngineError, match=r"connection to the Dask scheduler .* was lost"):
            list(engine.map(items.slow, [30.0, 30.0], shared=str(tmp_path), on_event=kill))
        assert time.monotonic() - started < 25  # 30 if it waited
    with pytest.raises(EngineError, match="did not answer within 10 seconds"), open_engine():
        pass


def test_a_cluster_without_workers_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resvae_core.engine.cluster.CONNECT_SECONDS", 2.0)
    with cluster(tmp_path, n_workers=0) as empty:
        monkeypatch.setenv("RESVAE_SCHEDULER", empty.address)
        with (
            pytest.raises(EngineError, match=r"has no workers\. Start some: `dask worker tcp"),
            open_engine(),
        ):
            pass


def test_other_library_versions_are_named_and_a_missing_encoder_is_no_matter() -> None:
    own = identity()
    assert own["threads"] == "1"
    assert {"Python", "numpy", "torch", "xgboost", "resvae_core"} <= set(own)
    refuse_others("tcp://a:1", own, own)
    with pytest.raises(EngineError, match=r"worker tcp://a:1 has numpy 1\.0; .* was expected"):
        refuse_others("tcp://a:1", {**own, "numpy": "1.0"}, own)
    encoders = [name for name in own if name.startswith("encoders/")]
    assert encoders
    without = {name: value for name, value in own.items() if name not in encoders}
    refuse_others("tcp://a:1", without, own)
    with pytest.raises(EngineError, match=f"has {encoders[0]} other"):
        refuse_others("tcp://a:1", {**own, encoders[0]: "other"}, own)
    with pytest.raises(EngineError, match="cannot run this program"):
        refuse_others("tcp://a:1", ModuleNotFoundError("No module named 'resvae_core'"), own)


def test_encoders_that_a_worker_lacks_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resvae_core.encoders.catalog import load_encoder
    from resvae_core.errors import ArtifactError

    monkeypatch.setenv("RESVAE_MODELS", str(tmp_path))
    with pytest.raises(ArtifactError, match=r"\.safetensors|encoder"):
        load_encoder("small")
