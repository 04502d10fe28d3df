from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.splits import leave_cell_line_out
from resvae_core.evaluation.external import (
    IN_TRAINING,
    MEASUREMENT,
    NOT_IN_TRAINING,
    against_calls,
    against_screen,
    bootstrap_mean,
    external_tables,
    spearman_within,
    summarise_external,
)
from resvae_core.evaluation.held_out import HeldOut
from resvae_core.tables import Screen

N_LINES = 200
LINES = [f"LINE-{n:03d}" for n in range(N_LINES)]


def data() -> tuple[Screen, pd.DataFrame]:
    """Return a screen with gaps, and another one that measures the same with noise."""
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(N_LINES, 2))
    measured = pd.DataFrame(truth, index=LINES, columns=["A", "B"])
    measured = measured.mask(rng.random(measured.shape) < 0.3)
    resistant = (measured > -0.5).astype(float).where(measured.notna())
    tissue = pd.Series(rng.choice(["LUAD", "BRCA"], N_LINES), index=LINES)
    other = pd.DataFrame(truth + rng.normal(0, 0.5, truth.shape), index=LINES, columns=["B", "C"])
    other["B"] = truth[:, 1] + rng.normal(0, 0.5, N_LINES)
    return Screen(measured, resistant, tissue), other


def predictions(screen: Screen, score: np.ndarray, kind: str = "elastic_net") -> list[HeldOut]:
    """Return scores as out-of-fold predictions, with another base rate in each fold."""
    parts = []
    for fold in leave_cell_line_out(screen.tissue, n_folds=4):
        rows = [LINES.index(line) for line in fold.test]
        p = (score[rows] + 3.0 * fold.number).astype(np.float32)
        parts.append(HeldOut(kind, fold, ("A", "B"), p, p, p, p, p, None, 0.5))
    return parts


def test_sets_of_lines_and_the_screens_own_measurement() -> None:
    screen, other = data()
    score = np.column_stack([np.zeros(N_LINES), other["B"]])
    table = against_screen(predictions(screen, score), other, screen)
    assert set(table["drug"]) == {"B"}  # A was not measured there, C not here
    found = table.set_index(["model", "lines"])
    n_known = int(screen.ln_ic50["B"].notna().sum())
    assert found["n"]["elastic_net", "all"] == N_LINES
    assert found["n"]["elastic_net", IN_TRAINING] == n_known
    assert found["n"]["elastic_net", NOT_IN_TRAINING] == N_LINES - n_known
    assert found["value"]["elastic_net", NOT_IN_TRAINING] == pytest.approx(1)
    assert 0.7 < found["value"][MEASUREMENT, IN_TRAINING] < 1
    assert (MEASUREMENT, "all") not in found.index


def test_base_rates_of_folds_do_not_enter() -> None:
    # each line is scored with the mean of the others, as the drug mean does it across folds: a
    # ranking over folds would find it worse than chance
    screen, other = data()
    truth = other["B"].to_numpy()
    score = np.zeros((N_LINES, 2))
    for fold in leave_cell_line_out(screen.tissue, n_folds=4):
        rows = [LINES.index(line) for line in fold.test]
        score[rows, 1] = np.delete(truth, rows).mean()
    table = against_screen(predictions(screen, score), other, screen)
    assert (table[table["model"] == "elastic_net"]["value"] == 0).all()


def test_calls_are_judged_within_folds_and_tissues() -> None:
    screen, other = data()
    calls = (other > 0).astype(float)
    of_tissue = (screen.tissue == "LUAD").to_numpy()
    score = np.column_stack([np.zeros(N_LINES), of_tissue])
    found = against_calls(predictions(screen, score), calls, screen)
    own = found[(found["model"] == "elastic_net") & (found["lines"] == "all")]
    value = own.set_index("metric")["value"]
    assert value["within_tissue_roc_auc"] == 0.5  # it knows the tissue and nothing else
    assert value["roc_auc"] != 0.5
    right = np.column_stack([np.zeros(N_LINES), other["B"]])
    found = against_calls(predictions(screen, right), calls, screen)
    assert (found[found["model"] == "elastic_net"]["value"] == 1).all()


def test_a_drug_with_one_class_has_no_roc_auc() -> None:
    screen, other = data()
    calls = pd.DataFrame(1.0, index=LINES, columns=["B"])
    found = against_calls(predictions(screen, other[["C", "B"]].to_numpy()), calls, screen)
    assert found.empty


def test_spearman_within_groups_leaves_out_groups_that_are_too_small() -> None:
    x = np.array([1.0, 2, 3, 10, 9, 8, 7, 5, 6])
    y = np.array([1.0, 2, 3, 1, 2, 3, 4, 0, 9])
    group = np.array([0, 0, 0, 1, 1, 1, 1, 2, 2])
    assert spearman_within(x, y, group) == pytest.approx((2 * 1 + 3 * -1) / 5)
    assert np.isnan(spearman_within(x[7:], y[7:], group[7:]))


def test_bootstrap_covers_the_mean_and_is_the_same_each_time() -> None:
    values = np.random.default_rng(0).normal(0.4, 0.2, 50)
    lower, upper = bootstrap_mean(values)
    error = values.std() / np.sqrt(50)
    assert lower == pytest.approx(values.mean() - 1.96 * error, abs=0.01)
    assert upper == pytest.approx(values.mean() + 1.96 * error, abs=0.01)
    assert bootstrap_mean(values) == (lower, upper)
    assert np.isnan(bootstrap_mean(values[:1])[0])


def test_summary_averages_drugs() -> None:
    rows = [("m", "all", drug, "spearman", value, 20) for drug, value in (("A", 0.2), ("B", 0.4))]
    rows.append(("m", "all", "C", "spearman", float("nan"), 20))
    table = pd.DataFrame(rows, columns=["model", "lines", "drug", "metric", "value", "n"])
    row = summarise_external(table).iloc[0]
    assert row["mean"] == pytest.approx(0.3)
    assert (row["n_drugs"], row["n_pairs"]) == (2, 40)


def test_nothing_installed_gives_empty_tables(tmp_path: Path) -> None:
    screen, other = data()
    found = external_tables(predictions(screen, other.to_numpy()), screen, tmp_path)
    assert set(found) == {"external", "external_by_drug"}
    assert found["external"].empty
    assert found["external_by_drug"].empty
