from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from resvae_core.data.splits import LEAVE_CELL_LINE_OUT, leave_cell_line_out
from resvae_core.evaluation import benchmark
from resvae_core.evaluation.report import benchmark_report
from resvae_core.evaluation.summary import best_model, reliability, summarise
from resvae_core.models.base import Samples
from resvae_core.models.catalog import floor_names
from resvae_core.tables import Screen

Data = tuple[Samples, Screen]


@pytest.fixture(scope="module")
def table(screen: Data, tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    samples, response = screen
    folds = [
        fold
        for seed in range(2)
        for fold in leave_cell_line_out(response.tissue, n_folds=3, seed=seed)
    ]
    folds += [benchmark.permuted(fold) for fold in folds[:3]]
    cache = tmp_path_factory.mktemp("cache")
    return benchmark.run(["elastic_net"], folds, samples.expression, response, cache=cache)


def mean(table: pd.DataFrame, split: str, model: str) -> float:
    rows = summarise(table).set_index(["split", "model", "metric"])["mean"]
    return float(rows[split, model, "roc_auc"])


def test_floors_are_always_there(table: pd.DataFrame) -> None:
    assert set(table["model"]) == {"elastic_net", *floor_names()}


def test_model_beats_its_floor_and_permuted_labels_do_not(table: pd.DataFrame) -> None:
    floor = mean(table, LEAVE_CELL_LINE_OUT, "drug_tissue_mean")
    assert mean(table, LEAVE_CELL_LINE_OUT, "elastic_net") > floor + 0.1
    assert mean(table, LEAVE_CELL_LINE_OUT + "_permuted", "elastic_net") < 0.6
    assert best_model(summarise(table), ["elastic_net"]) == "elastic_net"


def test_always_resistant_has_no_ranking_and_a_good_f1(table: pd.DataFrame) -> None:
    rows = summarise(table).set_index(["split", "model", "metric"])["mean"]
    assert rows[LEAVE_CELL_LINE_OUT, "always_resistant", "roc_auc"] == 0.5
    assert rows[LEAVE_CELL_LINE_OUT, "always_resistant", "f1_resistant"] > 0.8


def test_summary_has_intervals_around_means_per_drug_too(table: pd.DataFrame) -> None:
    summary = summarise(table, by_drug=True)
    own = summary[(summary["model"] == "elastic_net") & (summary["metric"] == "roc_auc")]
    assert set(own["drug"]) == {"Cisplatin", "Erlotinib", "Gemcitabine"}
    assert (own["lower"] <= own["mean"]).all()
    assert (own["mean"] <= own["upper"]).all()
    curves = reliability(table)
    assert set(curves["bin"]) == set(range(10))


def test_finished_folds_are_not_computed_again(screen: Data, tmp_path: Path) -> None:
    samples, response = screen
    folds = leave_cell_line_out(response.tissue, n_folds=3)[:1]
    seen: list[tuple[int, int]] = []

    def run() -> pd.DataFrame:
        return benchmark.run(
            ["elastic_net"],
            folds,
            samples.expression,
            response,
            cache=tmp_path,
            progress=lambda done, total: seen.append((done, total)),
        )

    first, again = run(), run()
    pd.testing.assert_frame_equal(first, again)
    assert seen == [(0, 1), (1, 1), (1, 1)]
    changed = Screen(response.ln_ic50 + 1, response.resistant, response.tissue)
    benchmark.run(["elastic_net"], folds, samples.expression, changed, cache=tmp_path)
    assert len(list(tmp_path.rglob("*.parquet"))) == 2


def test_report_lists_models_beside_floors(table: pd.DataFrame) -> None:
    text = benchmark_report(table)
    assert "| Elastic net |" in text
    assert "| Drug × tissue mean |" in text
    assert "## leave_cell_line_out_permuted (3 folds)" in text
