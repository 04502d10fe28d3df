from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.splits import LEAVE_CELL_LINE_OUT, Fold
from resvae_core.evaluation.coverage import (
    clustered_share,
    coverage_by_drug,
    coverage_by_tissue,
    reliability_by_tissue,
)
from resvae_core.evaluation.held_out import HeldOut
from resvae_core.models.conformal import BOTH, RESISTANT, SENSITIVE
from resvae_core.tables import Screen

N_LINES = 60


def screen() -> Screen:
    """Two drugs on lines of which half are blood; a tenth of the pairs unmeasured."""
    rng = np.random.default_rng(0)
    lines = [f"LINE-{n:02d}" for n in range(N_LINES)]
    tissue = pd.Series(np.where(np.arange(N_LINES) < 30, "LAML", "LUAD"), index=lines)
    labels = (rng.random((N_LINES, 2)) < 0.7).astype(float)
    labels[rng.random(labels.shape) < 0.1] = np.nan
    resistant = pd.DataFrame(labels, index=lines, columns=["A", "B"])
    return Screen(resistant * 2 - 1, resistant, tissue)


def held_out(
    screen: Screen, sets: np.ndarray | None, probability: np.ndarray | None = None
) -> list[HeldOut]:
    """Return one model's predictions in two folds of each of two seeds."""
    if probability is None:
        probability = np.full((N_LINES, 2), 0.7)
    parts = []
    for seed in (0, 1):
        for number in (0, 1):
            test = np.arange(N_LINES) % 2 == number
            names = np.array(screen.lines)
            fold = Fold(LEAVE_CELL_LINE_OUT, seed, number, tuple(names[~test]), tuple(names[test]))
            p = probability[test].astype(np.float32)
            chosen = None if sets is None else sets[test].astype(np.int8)
            parts.append(HeldOut("elastic_net", fold, ("A", "B"), p, p, p, p, p, chosen, 0.5))
    return parts


def test_interval_is_wilsons_where_lines_have_one_pair_each() -> None:
    hits = np.repeat([1.0, 0.0], [80, 20])
    found = clustered_share(hits, np.ones(100))
    # Wilson's interval at 95 %, n = 99 (the variance over lines divides by n - 1), t for z
    assert found["coverage"] == 0.8
    assert found["lower"] == pytest.approx(0.709, abs=0.002)
    assert found["upper"] == pytest.approx(0.868, abs=0.002)
    assert (found["n_lines"], found["n_pairs"]) == (100, 100)


def test_pairs_of_one_line_that_go_wrong_together_count_once() -> None:
    hits = np.repeat([1.0, 0.0], [80, 20])
    alone, many = clustered_share(hits, np.ones(100)), clustered_share(hits * 50, np.full(100, 50))
    assert many["n_pairs"] == 5000
    assert many["lower"] == pytest.approx(alone["lower"])
    spread = clustered_share(np.full(100, 40.0), np.full(100, 50.0))
    assert spread["upper"] - spread["lower"] > 0


def test_full_coverage_of_few_lines_is_no_certainty() -> None:
    found = clustered_share(np.full(5, 60.0), np.full(5, 60.0))
    assert found["coverage"] == found["upper"] == 1.0
    assert found["lower"] < 0.6
    single = clustered_share(np.array([6.0, 0.0]), np.array([8.0, 0.0]))
    assert single["coverage"] == 0.75
    assert np.isnan(single["lower"])


def test_coverage_is_counted_by_class_tissue_and_drug() -> None:
    data = screen()
    sets = np.full((N_LINES, 2), BOTH)
    sets[:30] = SENSITIVE  # blood: every set says sensitive
    sets[30:, 0] = RESISTANT  # lung: drug A says resistant, B both
    found = coverage_by_tissue(held_out(data, sets), data).set_index(["tissue", "true_class"])
    coverage = found["coverage"]
    assert coverage["LAML", "resistant"] == coverage["(blood)", "resistant"] == 0
    assert coverage["LAML", "sensitive"] == 1
    assert coverage["LUAD", "resistant"] == coverage["(solid)", "resistant"] == 1
    truth = data.resistant.to_numpy()
    n = (truth[30:, 0] == 0).sum(), (truth[30:, 1] == 0).sum()
    assert coverage["LUAD", "sensitive"] == pytest.approx(n[1] / sum(n))
    assert found["n_pairs"]["LUAD", "sensitive"] == sum(n)  # of one repetition
    assert found["n_pairs"]["(all)", "resistant"] == (truth == 1).sum()
    drugs = coverage_by_drug(held_out(data, sets), data).set_index(["drug", "true_class"])
    assert drugs["coverage"]["B", "sensitive"] == 1
    assert drugs["n_pairs"]["A", "sensitive"] == (truth[:, 0] == 0).sum()


def test_repetitions_do_not_narrow_intervals() -> None:
    data = screen()
    sets = np.where(np.random.default_rng(1).random((N_LINES, 2)) < 0.5, BOTH, RESISTANT)
    twice = held_out(data, sets)
    pd.testing.assert_frame_equal(
        coverage_by_tissue(twice, data), coverage_by_tissue(twice[:2], data)
    )


def test_models_without_sets_have_no_coverage() -> None:
    data = screen()
    assert coverage_by_tissue(held_out(data, None), data).empty


def test_reliability_by_tissue_shows_a_tissue_that_is_off() -> None:
    data = screen()
    probability = np.full((N_LINES, 2), 0.7)
    truth = data.resistant.to_numpy()
    probability[:30] = np.nanmean(truth[:30])  # blood: right on average
    probability[30:] = 0.2  # lung: far too low
    curves = reliability_by_tissue(held_out(data, None, probability), data)
    error = curves.groupby("tissue")["ece"].first()
    assert error["LAML"] < 1e-6
    assert error["LUAD"] == pytest.approx(np.nanmean(truth[30:]) - 0.2, abs=1e-6)
    measured = int((~np.isnan(truth[30:])).sum())
    lung = curves[curves["tissue"] == "LUAD"]
    assert measured - len(lung) < lung["n"].sum() <= measured
    assert lung["n_lines"].unique().tolist() == [30]
