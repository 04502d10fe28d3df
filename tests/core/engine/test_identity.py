"""The same training gives the same bytes wherever it runs."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path

import pytest

from resvae_core.data.splits import leave_cell_line_out
from resvae_core.engine.engine import Engine, Event, open_engine
from resvae_core.evaluation.benchmark import fit_missing, permuted, read_held_out, tabulate
from resvae_core.evaluation.summary import evaluation_tables
from resvae_core.registry.checkpoints import Checkpoints
from resvae_core.registry.training_run import Plan, fit_set, publish
from tests.core.engine.clusters import cluster
from tests.core.registry.tiny_training import tiny_training_set, tiny_tumours

KINDS = ("vae_ls", "random_forest", "xgboost")


def train(root: Path, engine: Engine | None) -> list[Event]:
    """Judge, fit and publish a short training run in a folder; return what it told."""
    training_set, tumours = tiny_training_set(), tiny_tumours()
    screen, told = training_set.screen, list[Event]()
    first, second, _ = leave_cell_line_out(screen.tissue, n_folds=3)
    folds = [first, permuted(second)]
    judged = (KINDS, folds, training_set.expression, screen)
    cache = root / "evaluation"
    fit_missing(*judged, cache=cache, engine=engine, on_event=told.append, effort="short")
    held_out = read_held_out(*judged, cache=cache, effort="short")
    tables = evaluation_tables(tabulate(held_out, screen), held_out, screen)
    plan = Plan("tiny", KINDS, "2026-01-01")
    model_set = fit_set(
        plan,
        training_set,
        tumours,
        checkpoints=Checkpoints(root / "training"),
        engine=engine,
        on_event=told.append,
        effort="short",
    )
    publish(plan, model_set, training_set, tumours, tables, root / "models")
    return told


def files(root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(root).as_posix(): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], list[Event]]:
    root = tmp_path_factory.mktemp("serial")
    told = train(root, None)
    return files(root), told


def test_a_training_run_tells_what_every_fit_has_come_to(
    serial: tuple[dict[str, bytes], list[Event]],
) -> None:
    found, told = serial
    assert {event["kind"] for event in told} == set(KINDS)
    assert {event["fold"] for event in told} == {0, 1, "final"}
    last = {(e.get("split"), e["fold"], e["kind"]): e for e in told}
    for event in last.values():
        assert event["member"] == event["n_members"] - 1
        assert json.dumps(event)
    networks = [event for event in told if event["kind"] == "vae_ls"]
    assert all(event["loss"] > 0 and event["epoch"] <= event["n_epochs"] for event in networks)
    assert any(name.startswith("models/vae_ls/weights") for name in found)


@pytest.mark.parametrize("where", ["processes", "dask", "cluster"])
def test_weights_predictions_and_tables_are_the_same_bytes_on_every_engine(
    where: str,
    serial: tuple[dict[str, bytes], list[Event]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    root = tmp_path / "run"
    with cluster(tmp_path) if where == "cluster" else nullcontext() as running:
        if running:
            running.wait_for_workers(2)
            monkeypatch.setenv("RESVAE_SCHEDULER", running.address)
        with open_engine("dask" if running else where, 2) as engine:
            told = train(root, engine)
    found, expected = files(root), serial[0]
    assert set(found) == set(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert {(e["fold"], e["kind"]) for e in told} == {(e["fold"], e["kind"]) for e in serial[1]}
