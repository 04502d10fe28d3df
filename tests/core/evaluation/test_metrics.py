from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from sklearn import metrics as oracle

from resvae_core.evaluation.metrics import (
    MEANINGS,
    WEIGHTED_BY_N,
    average_precision,
    drug_metrics,
    expected_calibration_error,
    matthews,
    pearson,
    roc_auc,
    set_metrics,
    spearman,
    within_tissue_roc_auc,
)
from resvae_core.models.conformal import BOTH, NEITHER, RESISTANT, SENSITIVE

SCORES = st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=4, max_size=60)


@given(pairs=SCORES)
def test_roc_auc_matches_sklearn_with_ties(pairs: list[tuple[int, bool]]) -> None:
    score = np.array([s for s, _ in pairs], float)
    positive = np.array([p for _, p in pairs])
    if positive.all() or not positive.any():
        assert np.isnan(roc_auc(score, positive))
    else:
        assert roc_auc(score, positive) == pytest.approx(oracle.roc_auc_score(positive, score))


def test_within_tissue_counts_pairs_of_the_same_tissue_only() -> None:
    score = np.array([0.9, 0.1, 0.8, 0.7])
    positive = np.array([True, False, False, True])
    tissue = np.array(["lung", "lung", "skin", "skin"])
    value, pairs = within_tissue_roc_auc(score, positive, tissue)
    assert (value, pairs) == (0.5, 2)  # right in lung, wrong in skin


def test_a_constant_within_tissue_is_worth_one_half() -> None:
    tissue = np.repeat(["a", "b"], 10)
    score = np.where(tissue == "a", 0.9, 0.2)
    positive = np.tile([True, False], 10)
    assert within_tissue_roc_auc(score, positive, tissue)[0] == 0.5


def test_calibration_error_of_perfect_and_of_overconfident_probabilities() -> None:
    rng = np.random.default_rng(0)
    probability = rng.uniform(size=20_000)
    truth = (rng.uniform(size=20_000) < probability).astype(float)
    assert expected_calibration_error(probability, truth) < 0.02
    assert expected_calibration_error(np.ones(1000), np.repeat([1.0, 0.0], 500)) == 0.5


def test_calibration_error_of_a_constant_does_not_depend_on_the_order_of_lines() -> None:
    truth = np.repeat([1.0, 0.0], 500)
    assert expected_calibration_error(np.full(1000, 0.5), truth) == pytest.approx(0)


def test_every_metric_is_explained_and_one_class_gives_nan() -> None:
    n = 12
    rng = np.random.default_rng(1)
    found = {
        name: value
        for name, value, _ in drug_metrics(
            rng.normal(size=n),
            np.full(n, 0.9),
            0.5,
            np.ones(n),
            rng.normal(size=n),
            np.full(n, "x"),
        )
    }
    assert set(found) <= set(MEANINGS)
    for name in ("roc_auc", "average_precision_sensitive", "balanced_accuracy", "mcc"):
        assert np.isnan(found[name])
    assert found["f1_resistant"] == 1.0  # what "always resistant" is worth


@given(pairs=SCORES)
def test_average_precision_matches_sklearn_with_ties(pairs: list[tuple[int, bool]]) -> None:
    score = np.array([s for s, _ in pairs], float)
    positive = np.array([p for _, p in pairs])
    if positive.all() or not positive.any():
        assert np.isnan(average_precision(score, positive))
    else:
        expected = oracle.average_precision_score(positive, score)
        assert average_precision(score, positive) == pytest.approx(expected)


@given(pairs=SCORES)
def test_matthews_matches_sklearn(pairs: list[tuple[int, bool]]) -> None:
    called = np.array([s > 4 for s, _ in pairs])
    positive = np.array([p for _, p in pairs])
    if len(set(called)) == 1 or len(set(positive)) == 1:
        assert matthews(positive, called) == 0  # scikit-learn's convention as well
    else:
        expected = oracle.matthews_corrcoef(positive, called)
        assert matthews(positive, called) == pytest.approx(expected, abs=1e-12)


@given(pairs=SCORES)
def test_correlations_match_scipy_with_ties(pairs: list[tuple[int, bool]]) -> None:
    x = np.array([s for s, _ in pairs], float)
    y = np.array([s * p + 0.5 * p for s, p in pairs], float)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert pearson(x, y) == spearman(x, y) == 0
    else:
        assert pearson(x, y) == pytest.approx(pearsonr(x, y).statistic, abs=1e-12)
        assert spearman(x, y) == pytest.approx(spearmanr(x, y).statistic, abs=1e-12)


def test_within_tissue_roc_auc_is_the_weighted_mean_over_tissues() -> None:
    rng = np.random.default_rng(2)
    score, positive = rng.integers(0, 6, 80).astype(float), rng.random(80) < 0.7
    tissue = rng.integers(0, 4, 80)
    parts = []
    for code in range(4):
        inside = tissue == code
        n = int(positive[inside].sum() * (~positive[inside]).sum())
        parts.append((roc_auc(score[inside], positive[inside]), n))
    values, weights = zip(*parts, strict=True)
    value, pairs = within_tissue_roc_auc(score, positive, tissue)
    assert value == pytest.approx(np.average(values, weights=weights))
    assert pairs == sum(weights)


def test_sets_are_counted_by_class() -> None:
    sets = np.array([RESISTANT, BOTH, SENSITIVE, NEITHER, SENSITIVE], np.int8)
    found = {name: (value, n) for name, value, n in set_metrics(sets, np.array([1, 1, 1, 0, 0]))}
    assert found["coverage_resistant"] == (pytest.approx(2 / 3), 3)
    assert found["coverage_sensitive"] == (0.5, 2)
    assert found["set_single"] == (pytest.approx(0.6), 5)
    assert found["set_both"] == found["set_neither"] == (pytest.approx(0.2), 5)
    assert set(found) <= set(MEANINGS)
    assert set(found) <= set(WEIGHTED_BY_N)
