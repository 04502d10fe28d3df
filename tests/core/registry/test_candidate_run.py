"""A training request becomes a complete model set: the same bytes however often it is stopped."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.screens import load_training_set
from resvae_core.data.splits import leave_cell_line_out
from resvae_core.engine.engine import open_engine
from resvae_core.engine.serial import SerialEngine
from resvae_core.errors import InputDataError, JobCancelledError, JobInterruptedError
from resvae_core.models.base import Samples
from resvae_core.models.catalog import floor_names
from resvae_core.models.floors import DrugMean
from resvae_core.registry import card as cards
from resvae_core.registry.candidate_run import (
    FOLD_COLUMNS,
    STAGED,
    lines_digest,
    train_candidate,
    training_set_of,
)
from resvae_core.registry.card import write_card
from resvae_core.registry.store import (
    list_cards,
    load_evaluation,
    load_model_set,
    verify_model_set,
)
from resvae_core.registry.training_request import TrainingRequest
from tests.core.registry.test_training_run import files
from tests.tiny_data import EFFECTS, install_tiny_data

REQUEST = TrainingRequest(
    "tiny", drugs=("Erlotinib", "CDDP"), kinds=("elastic_net",), n_seeds=1, effort="short"
)
N_FOLDS = 15
KILLS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")
Sent = list[dict[str, Any]]


class Listener:
    """Keeps what a run tells, and may stop it after some steps."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.reports: Sent = []
        self.lines: list[str] = []
        self.described: dict[str, Any] = {}
        self._stop_after = stop_after

    def report(self, **told: Any) -> None:
        self.reports.append(told)
        if self._stop_after is not None and (told.get("done") or 0) >= self._stop_after:
            raise JobCancelledError("Cancelled.", remedy="Start it again.")

    def describe(self, **about: Any) -> None:
        self.described = about

    def points(self) -> Sent:
        return [told for told in self.reports if told.get("metrics")]


def train(
    data: Path,
    work: Path,
    listener: Listener | None = None,
    *,
    engine: Any = None,
    request: TrainingRequest = REQUEST,
) -> Path:
    listener = listener or Listener()
    return train_candidate(
        request,
        data,
        engine=engine or SerialEngine(),
        work=work,
        report=listener.report,
        log=listener.lines.append,
        describe=listener.describe,
    )


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_tiny_data(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="module")
def told() -> Listener:
    return Listener()


@pytest.fixture(scope="module")
def trained(tiny: Path, told: Listener, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the set of a run that nothing stopped."""
    return train(tiny, tmp_path_factory.mktemp("work"), told)


def test_set_is_complete_and_loads(trained: Path) -> None:
    assert all(found.state == "intact" for found in verify_model_set(trained))
    model_set = load_model_set(trained)
    assert model_set.name == "tiny-short"
    assert list(model_set.models) == ["elastic_net", *floor_names()]
    assert model_set.models["elastic_net"].drugs_ == ("Cisplatin", "Erlotinib")
    assert set(model_set.references) == {"tumours", "cell_lines"}


def test_model_beats_the_floor_and_permuted_labels_teach_nothing(trained: Path) -> None:
    summary = load_evaluation("summary", trained).set_index(["model", "split", "metric"])["mean"]
    metric = "within_tissue_roc_auc"
    assert summary["elastic_net", "leave_cell_line_out", metric] > 0.7
    assert summary["drug_tissue_mean", "leave_cell_line_out", metric] == 0.5
    assert 0.3 < summary["elastic_net", "leave_cell_line_out_permuted", metric] < 0.7


def test_every_fold_is_kept_with_the_lines_that_it_left_out(trained: Path, tiny: Path) -> None:
    folds = load_evaluation("folds", trained)
    assert list(folds.columns) == FOLD_COLUMNS
    assert len(folds[["split", "seed", "fold"]].drop_duplicates()) == N_FOLDS
    means = folds.groupby(["model", "split", "metric"])["value"].mean()
    summary = load_evaluation("summary", trained).set_index(["model", "split", "metric"])["mean"]
    shared = means.index.intersection(summary.index)
    assert len(shared) == len(summary)
    np.testing.assert_allclose(means[shared], summary[shared], rtol=2e-4, atol=2e-5)
    first = leave_cell_line_out(load_training_set(tiny).screen.tissue, seed=0)[0]
    rows = folds.query("split == 'leave_cell_line_out' and seed == 0 and fold == 0")
    assert set(rows["lines"]) == {lines_digest(first)}
    assert set(rows["n"]) == {len(first.test)}


def test_card_says_what_was_asked_for_and_that_the_run_was_short(trained: Path) -> None:
    for card in list_cards(trained):
        request = card.document["request"]
        assert request == json.loads(json.dumps(REQUEST.decisive()))
        assert card.document["limits"][0] == cards.SHORT_LIMIT
        assert cards.RESTORED_LIMIT not in card.document["limits"]
        assert cards.OTHER_SETTINGS_LIMIT in card.document["limits"]
        assert card.document["output"]["label"] == cards.CATALOGUE_LABEL


def test_run_tells_steps_in_order_and_metrics_of_finished_folds(
    trained: Path, told: Listener
) -> None:
    steps = [one for one in told.reports if one.get("done") is not None]
    done = [one["done"] for one in steps]
    assert done == sorted(done)
    assert {one["total"] for one in steps} == {done[-1]}
    words = [one["step"] for one in steps]
    assert [words[0], *words[-2:]] == ["Fold 1 of 15", "Saving the set", "Saved"]
    assert {"Fold 15 of 15", "Computing metrics", "Models are fitted"} <= set(words)
    points = {one["series"]: one["metrics"] for one in told.points()}
    kinds = ["elastic_net", *floor_names()]
    assert set(points) == {f"{kind}/0/{fold}" for kind in kinds for fold in range(5)}
    folds = load_evaluation("folds", trained).query("split == 'leave_cell_line_out'")
    kept = folds.set_index(["model", "fold", "metric"])["value"]
    found = points["elastic_net/0/3"]["roc_auc"]
    assert found == pytest.approx(kept["elastic_net", 3, "roc_auc"], rel=1e-4)
    assert told.described["seed"] == 0
    assert set(told.described["data_digests"]) == set(load_digests(trained))
    assert len(told.described["code_digest"]) == 64
    assert any("Positive controls are left out" in line for line in told.lines)


def load_digests(folder: Path) -> dict[str, str]:
    digests: dict[str, str] = list_cards(folder)[0].document["training"]["data_digests"]
    return digests


def test_processes_give_the_same_bytes(trained: Path, tiny: Path, tmp_path: Path) -> None:
    with open_engine("processes", 2) as engine:
        assert files(train(tiny, tmp_path, engine=engine)) == files(trained)


@KILLS
def test_killed_runs_go_on_to_the_same_bytes(trained: Path, tiny: Path, tmp_path: Path) -> None:
    moments: list[Callable[[], bool]] = [
        lambda: len(list(tmp_path.glob("evaluation/elastic_net/*.safetensors"))) >= 4,
        lambda: any(tmp_path.glob("training/*/tissue_mean")),
        lambda: any(tmp_path.glob(f".{STAGED}.partial-*")),
    ]
    for moment in moments:
        killed_when(moment, tiny, tmp_path)
        assert not (tmp_path / STAGED).exists()
    listener = Listener()
    assert files(train(tiny, tmp_path, listener)) == files(trained)
    assert listener.reports[1].get("epoch") == 0  # the finished folds are told at once


def killed_when(moment: Callable[[], bool], data: Path, work: Path) -> None:
    """Train in a process of its own and kill it (SIGKILL) as soon as a moment has come."""
    process = os.fork()
    if process == 0:
        train(data, work)
        os._exit(0)
    while not moment():
        assert os.waitpid(process, os.WNOHANG) == (0, 0), "it ended before it could be killed"
        time.sleep(0.002)
    os.kill(process, signal.SIGKILL)
    _, status = os.waitpid(process, 0)
    assert os.WIFSIGNALED(status)


def test_cancelled_run_goes_on_where_it_was(trained: Path, tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(JobCancelledError):
        train(tiny, tmp_path, Listener(stop_after=3))
    kept = {path: path.stat().st_mtime_ns for path in tmp_path.glob("evaluation/*/*.safetensors")}
    assert len(kept) == 3 * (1 + len(floor_names()))
    listener = Listener()
    assert files(train(tiny, tmp_path, listener)) == files(trained)
    assert next(one["done"] for one in listener.reports if "done" in one) == 3
    assert {path: path.stat().st_mtime_ns for path in kept} == kept


def test_run_stops_at_its_budget_before_anything_is_half_done(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(JobInterruptedError, match="budget of 1e-09 hours is used up; 0 of 15"):
        train(tiny, tmp_path, request=replace(REQUEST, budget_hours=1e-9))
    assert not (tmp_path / STAGED).exists()


def test_lowest_share_takes_thresholds_from_the_measured_lines_and_says_so(tiny: Path) -> None:
    request = replace(REQUEST, label_rule="lowest_share", label_share=0.2)
    training_set = training_set_of(request.resolved(), tiny)
    screen = training_set.screen
    ln_ic50 = screen.ln_ic50["Erlotinib"].dropna()
    sensitive = screen.resistant["Erlotinib"].dropna() == 0
    threshold = training_set.label_rule.thresholds["Erlotinib"]
    assert threshold == ln_ic50.quantile(0.2)
    assert (ln_ic50[sensitive] <= threshold).all()
    assert (ln_ic50[~sensitive] > threshold).all()
    assert sensitive.mean() == pytest.approx(0.2, abs=0.01)
    samples = Samples(training_set.expression, screen.tissue)
    model = DrugMean().fit(samples, screen)
    document = write_card(
        model,
        training_set,
        {"summary": pd.DataFrame()},
        created="2026-01-01",
        references={},
        request=request.decisive(),
    ).document
    rule = document["training"]["label_rule"]
    assert rule["thresholds_ln_ic50"]["Erlotinib"] == round(threshold, 6)
    assert document["output"]["label"] == cards.SHARE_LABEL.format(share=0.2)
    text = " ".join(document["limits"])
    assert "the lowest 20% of its measured training lines" in text
    assert "About 80 of 100 lines" in text
    assert "those of test folds too" in text
    assert cards.NO_TUMOUR_LIMIT in text
    assert "lowest 15 %" not in text


def test_tiny_data_are_the_same_bytes_each_time(tiny: Path, tmp_path: Path) -> None:
    assert files(install_tiny_data(tmp_path)) == files(tiny)


def test_unmeasured_drugs_are_left_out_where_none_is_named(tiny: Path) -> None:
    training_set = training_set_of(replace(REQUEST, drugs=()), tiny)
    assert set(training_set.screen.drugs) == set(EFFECTS)
    assert list(training_set.sources.index) == training_set.screen.drugs


def test_what_the_data_lack_is_refused(tiny: Path) -> None:
    with pytest.raises(InputDataError, match="no measurement of Sorafenib"):
        training_set_of(replace(REQUEST, drugs=("Sorafenib",)), tiny)
    with pytest.raises(InputDataError, match="installed expression is a panel"):
        training_set_of(replace(REQUEST, genes="genome"), tiny)
