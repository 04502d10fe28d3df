from __future__ import annotations

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import group_by_expression, log_rank, optimal_cut
from resvae_core.survival.cohort import match
from resvae_core.survival.log_rank import observed_minus_expected
from resvae_core.survival.optimal_cut import (
    cross_validate_cut,
    log_rank_scores,
    p_of_largest,
    scan_cuts,
)
from resvae_core.tables import SurvivalOutcome
from tests.core.survival.conftest import REFERENCE

AS_MAXSTAT = {"min_share": 0.1, "min_patients": 1}


@pytest.fixture
def dlbcl() -> tuple[SurvivalOutcome, pd.Series]:
    table = pd.read_csv(REFERENCE / "dlbcl.csv", index_col="patient")
    return SurvivalOutcome(table["time"].astype(float), table["event"] == 1), table["mge"]


def simulated(
    n: int, effect: float = 0.0, seed: int = 0, censored: float = 0.3
) -> tuple[SurvivalOutcome, pd.Series]:
    """Patients whose hazard rises by `effect` (log) above the median of a normal value."""
    generator = np.random.default_rng(seed)
    names = [f"P{number:03d}" for number in range(n)]
    values = generator.normal(size=n)
    days = 1000 * generator.exponential(size=n) * np.exp(-effect * (values > 0))
    events = generator.random(n) >= censored
    outcome = SurvivalOutcome(pd.Series(days, names), pd.Series(events, names))
    return outcome, pd.Series(values, names)


def maxstat_scores(days: np.ndarray, events: np.ndarray) -> np.ndarray:
    """Log-rank scores as Hothorn and Lausen (2003) define them: ties count as the last of them."""
    ranks = np.array([(days <= day).sum() for day in days])
    steps = events / (len(days) - ranks + 1)
    return np.array([events[i] - steps[ranks <= ranks[i]].sum() for i in range(len(days))])


def test_statistic_and_cut_match_r_maxstat_on_dlbcl(dlbcl) -> None:
    # maxstat.test(Surv(time, cens) ~ MGE, data = DLBCL, smethod = "LogRank"): M = 3.1772, estimated
    # cutpoint 0.1860526; tests/Examples/maxstat-Ex.Rout.save in the package's sources
    outcome, values = dlbcl
    days, events = outcome.time_days.to_numpy(), outcome.event.to_numpy()
    scan = scan_cuts(maxstat_scores(days, events), values.to_numpy(), 4)
    best = scan.loc[scan["statistic"].abs().idxmax()]
    assert abs(best["statistic"]) == pytest.approx(3.1772, abs=5e-5)
    assert best["n_low"] == (values <= 0.18606).sum()


def test_corrected_p_matches_r_maxstat_exactgauss_on_dlbcl(dlbcl) -> None:
    # maxstat.test(..., pmethod = "exactGauss", iscores = TRUE, abseps = 0.01): M = 3.171, p =
    # 0.01899, same file. R integrates at random; scores differ at one tied time (71.3 months)
    result = optimal_cut(*dlbcl, **AS_MAXSTAT, n_splits=0)
    assert result.statistic == pytest.approx(3.171, abs=1e-3)
    assert result.p_value == pytest.approx(0.01899, abs=2e-4)
    assert result.groups.sizes == {"low": 33, "high": 7}
    assert 0.1860526 < result.cut < 0.21498  # between the neighbouring values


def test_corrected_p_agrees_with_permutations() -> None:
    outcome, values = simulated(60, effect=0.9, seed=3)
    result = optimal_cut(outcome, values, min_share=0.2, n_splits=0)
    scores = log_rank_scores(outcome.time_days.to_numpy(), outcome.event.to_numpy())
    generator = np.random.default_rng(0)
    ordered = np.arange(60.0)
    largest = [
        scan_cuts(generator.permutation(scores), ordered, 12)["statistic"].abs().max()
        for _ in range(600)
    ]
    assert 0.005 < result.p_value < 0.2
    assert np.mean(np.array(largest) >= result.statistic) == pytest.approx(
        result.p_value, rel=0.3, abs=0.01
    )


def test_p_of_one_cut_is_the_normal_p() -> None:
    assert p_of_largest(1.959964, np.array([50.0]), 100) == pytest.approx(0.05, abs=1e-6)


def test_p_of_many_cuts_matches_r_maxstat_plausen92_limits() -> None:
    # Lausen and Schumacher (1992), Table 2: 5 % quantile 3.054 for cuts in 10-90 %, 2.829 in
    # 25-75 %, as n grows; a finite cohort has fewer cuts, so its p is a little smaller
    for share, quantile in ((0.1, 3.054), (0.25, 2.829)):
        n_low = np.arange(np.ceil(share * 400), np.floor((1 - share) * 400) + 1)
        assert 0.03 < p_of_largest(quantile, n_low, 400) < 0.052


def test_p_is_between_that_of_one_cut_and_bonferroni() -> None:
    n_low = np.arange(20.0, 81.0)
    p_values = [p_of_largest(statistic, n_low, 100) for statistic in (1.0, 2.0, 3.0, 6.0, 12.0)]
    assert all(later < earlier for earlier, later in pairwise(p_values))
    alone = p_of_largest(6.0, n_low[:1], 100)
    assert alone < p_values[3] < 61 * alone
    assert 0 < p_values[4] < 1e-28  # no loss of digits in the tail


@settings(deadline=None, max_examples=30)
@given(st.lists(st.tuples(st.integers(1, 25), st.booleans()), min_size=8, max_size=40))
def test_scores_of_a_group_are_observed_minus_expected_of_the_log_rank_test(rows) -> None:
    days = np.array([float(row[0]) for row in rows])
    events = np.array([row[1] for row in rows])
    scores = log_rank_scores(days, events)
    assert scores.sum() == pytest.approx(0, abs=1e-9)
    if events.any():
        first = np.arange(len(rows)) < 4
        difference, _ = observed_minus_expected(days, events, np.stack([first, ~first], axis=1))
        assert scores[first].sum() == pytest.approx(difference[0], abs=1e-9)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_result_does_not_depend_on_the_order_of_patients(seed) -> None:
    outcome, values = simulated(50, seed=seed)
    order = np.random.default_rng(seed).permutation(values.index)
    one = optimal_cut(outcome, values, n_splits=1)
    other = optimal_cut(outcome.select(list(order)), values[order], n_splits=1)
    assert one.cut == other.cut
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9)
    assert one.cross_validated.cuts == other.cross_validated.cuts


@settings(deadline=None, max_examples=12)
@given(st.lists(st.integers(0, 12), min_size=40, max_size=80), st.sampled_from([0.1, 0.25]))
def test_cuts_lie_between_distinct_values_and_leave_enough_on_both_sides(levels, share) -> None:
    generator = np.random.default_rng(0)
    names = [f"P{number:02d}" for number in range(len(levels))]
    days = pd.Series(generator.exponential(size=len(levels)), names)
    outcome = SurvivalOutcome(days, pd.Series(True, names))
    values = pd.Series(levels, names, dtype=float)
    smallest = max(10, np.ceil(share * len(levels)))
    below = np.array([(values < value).sum() for value in set(values)])
    if not ((below >= smallest) & (len(values) - below >= smallest)).any():
        with pytest.raises(SurvivalDataError, match="No cut of"):
            optimal_cut(outcome, values, min_share=share, n_splits=0)
        return
    result = optimal_cut(outcome, values, min_share=share, n_splits=0)
    assert (result.scan[["n_low", "n_high"]].min(axis=1) >= smallest).all()
    assert not set(result.scan["cut"]) & set(values)
    assert result.groups.sizes["low"] == (values < result.cut).sum() >= smallest


def test_null_data_are_rejected_about_as_often_as_the_level_says() -> None:
    # 300 null data sets: at a true 5 % between 6 and 25 rejections in 99 % of such tests;
    # benchmarks/optimal_cut.py does 1,000 and prints what the uncorrected p would do
    rejected = uncorrected = 0
    generator = np.random.default_rng(0)
    for _ in range(300):
        days, events = generator.exponential(size=80), generator.random(80) > 0.3
        scan = scan_cuts(log_rank_scores(days, events), generator.normal(size=80), 20)
        largest = float(scan["statistic"].abs().max())
        rejected += p_of_largest(largest, scan["n_low"].to_numpy(float), 80) < 0.05
        uncorrected += largest > 1.96
    assert 6 <= rejected <= 25
    assert uncorrected > 60


def test_a_planted_cut_is_found_and_held_up_by_patients_that_did_not_choose_it() -> None:
    outcome, values = simulated(200, effect=1.5, seed=1)
    result = optimal_cut(outcome, values)
    assert abs(result.cut) < 0.35
    assert result.p_value < 1e-6
    assert result.cross_validated.p_value < 1e-4
    assert result.cross_validated.hazard_ratio.lower > 1
    assert np.std(result.cross_validated.cuts) < 0.5
    assert len(result.cross_validated.cuts) == 42
    assert "on held-out patients (median of 21 divisions into halves)" in (
        result.cross_validated.label
    )


def test_uncorrected_p_is_the_log_rank_p_at_the_cut() -> None:
    outcome, values = simulated(60, seed=5)
    result = optimal_cut(outcome, values, n_splits=0)
    fixed = group_by_expression(values, ("fixed", result.cut))
    assert result.p_uncorrected == pytest.approx(log_rank(outcome, fixed).p_value)
    assert result.p_uncorrected < result.p_value
    assert result.cross_validated is None


def test_sign_of_the_scan_says_who_dies_sooner() -> None:
    outcome, values = simulated(100, effect=1.5)
    scan = optimal_cut(outcome, values, n_splits=0).scan
    turned = optimal_cut(outcome, -values, n_splits=0).scan
    assert scan["statistic"].iloc[scan["statistic"].abs().argmax()] > 3
    np.testing.assert_allclose(scan["statistic"], -turned["statistic"][::-1], atol=1e-9)


def test_the_cut_of_a_half_is_chosen_without_the_other_half() -> None:
    # outcomes of the held-out half are turned upside down: the cuts chosen may not move
    from resvae_core.survival.optimal_cut import _halves, _held_out_labels

    outcome, values = simulated(80, effect=1.0)
    matched = match(outcome, values)
    half = _halves(matched, seed=0)
    reversed_days = outcome.time_days.where(half, outcome.time_days.max() + 1 - outcome.time_days)
    changed = match(SurvivalOutcome(reversed_days, outcome.event), values)
    _, (cut, _) = _held_out_labels(matched, 20, seed=0)
    _, (same, _) = _held_out_labels(changed, 20, seed=0)
    assert cut == same


def test_cross_validation_says_why_there_is_none() -> None:
    names = [f"P{number:02d}" for number in range(40)]
    values = pd.Series([0.0] * 25 + [1.0] * 15, names)
    outcome = SurvivalOutcome(pd.Series(range(1, 41), names, dtype=float), pd.Series(True, names))
    found = cross_validate_cut(match(outcome, values), 20)
    assert found.label.startswith("not cross-validated: No cut of 20 patients with 2 different")
    assert found.p_hidden
    assert found.hazard_ratio is None


def test_label_says_that_the_cut_was_searched_for_and_hides_p_of_small_groups(dlbcl) -> None:
    shown = optimal_cut(*simulated(60), n_splits=0)
    hidden = optimal_cut(*dlbcl, **AS_MAXSTAT, n_splits=0)
    assert shown.label.startswith(f"best of {len(shown.scan)} cuts: ")
    assert shown.label.endswith("corrected for the search")
    assert shown.groups.description.startswith(
        f"Cut at the best-separating value, searched for ({shown.cut:.3g}; a value equal".replace(
            "-0", "−0"
        )
    )
    assert hidden.p_hidden
    assert "p not shown: a group has fewer than 10" in hidden.label


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"min_share": 0.5}, "The smallest share of a group is 0.5"),
        ({"min_patients": 31}, "leaves 31 or more on both sides"),
    ],
)
def test_impossible_groups_are_refused(change, text) -> None:
    with pytest.raises(SurvivalDataError, match=text):
        optimal_cut(*simulated(60), **change)


def test_values_that_cannot_be_cut_are_refused() -> None:
    outcome, values = simulated(60)
    with pytest.raises(SurvivalDataError, match="1 of 60 patients have no value"):
        optimal_cut(outcome, values.where(values.index != "P003"))
    with pytest.raises(SurvivalDataError, match="A value is infinite"):
        optimal_cut(outcome, values.where(values.index != "P003", np.inf))
    with pytest.raises(SurvivalDataError, match="No cut of 60 patients with 1 different values"):
        optimal_cut(outcome, values * 0)
    with pytest.raises(SurvivalDataError, match="None of 60 patients had an event"):
        optimal_cut(SurvivalOutcome(outcome.time_days, outcome.event & False), values)
    with pytest.raises(SurvivalDataError, match="occurs more than once"):
        optimal_cut(outcome, pd.concat([values, values.iloc[:1]]))
