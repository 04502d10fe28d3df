from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import Groups, group_by_category, group_by_expression, log_rank
from resvae_core.survival.log_rank import format_left_out, format_p
from resvae_core.tables import SurvivalOutcome


def two_groups(days: list[int], events: list[bool], first: int) -> tuple[SurvivalOutcome, Groups]:
    names = [f"P{n}" for n in range(len(days))]
    labels = pd.Series(["A"] * first + ["B"] * (len(days) - first), index=names)
    outcome = SurvivalOutcome(pd.Series(days, names, dtype=float), pd.Series(events, names))
    return outcome, group_by_category(labels)


def mantel_statistic(days: np.ndarray, events: np.ndarray, in_a: np.ndarray) -> float:
    """Observed minus expected over hypergeometric variance, time by time (Mantel 1966)."""
    difference = variance = 0.0
    for time in np.unique(days[events]):
        risk, died = days >= time, (days == time) & events
        n, n_a, d = risk.sum(), (risk & in_a).sum(), died.sum()
        difference += (died & in_a).sum() - d * n_a / n
        if n > 1:
            variance += d * (n_a / n) * (1 - n_a / n) * (n - d) / (n - 1)
    return difference**2 / variance if variance else float("nan")


def test_log_rank_matches_r_survdiff_on_aml(aml) -> None:
    # survdiff(Surv(time, status) ~ x, data = aml): Chisq = 3.4 on 1 df, p = 0.0653
    result = log_rank(*aml)
    assert result.statistic == pytest.approx(3.4, abs=0.05)
    assert result.p_value == pytest.approx(0.0653, abs=5e-5)
    assert (result.dof, result.n, result.n_events, result.n_excluded) == (1, 23, 18, 0)


def test_log_rank_matches_r_survdiff_on_lung(lung, lung_outcome) -> None:
    # survdiff(Surv(time, status) ~ sex, data = lung), digits = 6: Chisq 10.3267, p = 0.00131116
    result = log_rank(lung_outcome, group_by_category(lung["sex"]))
    assert result.statistic == pytest.approx(10.3267, abs=5e-5)
    assert result.p_value == pytest.approx(0.00131116, abs=5e-9)


def test_log_rank_matches_r_survdiff_on_6mp(gehan) -> None:
    # survdiff(Surv(time, cens) ~ treat, data = MASS::gehan): Chisq = 16.8 on 1 df, p = 4.17e-05
    result = log_rank(*gehan)
    assert result.statistic == pytest.approx(16.8, abs=0.05)
    assert result.p_value == pytest.approx(4.17e-05, abs=5e-8)


@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.tuples(st.integers(1, 40), st.booleans()), min_size=6, max_size=40),
    st.integers(2, 4),
)
def test_log_rank_matches_mantels_sum(rows, first) -> None:
    days, events = ([row[part] for row in rows] for part in (0, 1))
    expected = mantel_statistic(np.array(days), np.array(events), np.arange(len(rows)) < first)
    if np.isfinite(expected):
        result = log_rank(*two_groups(days, events, first))
        assert result.statistic == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_stratified_log_rank_matches_r_survdiff_on_lung(lung, lung_outcome) -> None:
    # survdiff(Surv(time, status) ~ pat.karno + strata(inst), data = lung): n = 224, Chisq = 21.4 on
    # 7 df, p = 0.00326; example of ?survdiff, also in broom's glance.survdiff
    known = lung.dropna(subset=["pat.karno", "inst"])
    groups = group_by_category(known["pat.karno"])
    result = log_rank(lung_outcome, groups, strata=lung["inst"])
    assert result.statistic == pytest.approx(21.4, abs=0.05)
    assert result.p_value == pytest.approx(0.00326, abs=5e-6)
    assert (result.dof, result.n, result.n_excluded) == (7, 224, 4)
    assert result.test_name == "Log-rank test stratified by inst (18 strata)"


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.tuples(st.integers(1, 30), st.booleans()), min_size=8, max_size=30),
    st.integers(2, 4),
)
def test_one_stratum_gives_the_plain_log_rank_test(rows, first) -> None:
    days, events = ([row[part] for row in rows] for part in (0, 1))
    expected = mantel_statistic(np.array(days), np.array(events), np.arange(len(rows)) < first)
    if np.isfinite(expected):
        outcome, groups = two_groups(days, events, first)
        one = pd.Series("all", outcome.time_days.index)
        result = log_rank(outcome, groups, one)
        assert result.statistic == pytest.approx(expected, rel=1e-6, abs=1e-9)
        assert result.dof == 1


def test_strata_take_away_what_they_explain_alone() -> None:
    # in both strata the groups are alike; pooled they differ, as B is mostly in the worse stratum
    generator = np.random.default_rng(0)
    worse = np.arange(400) % 2 == 0
    in_b = generator.random(400) < np.where(worse, 0.9, 0.1)
    days = generator.exponential(np.where(worse, 10.0, 100.0))
    names = [f"P{n}" for n in range(400)]
    outcome = SurvivalOutcome(pd.Series(days, names), pd.Series(True, names))
    groups = group_by_category(pd.Series(np.where(in_b, "B", "A"), names))
    strata = pd.Series(np.where(worse, "worse", "better"), names)
    assert log_rank(outcome, groups).p_value < 1e-12
    assert log_rank(outcome, groups, strata).p_value > 0.05


def test_patients_without_a_stratum_are_left_out_and_counted() -> None:
    outcome, groups = two_groups(list(range(1, 31)), [True] * 30, 15)
    strata = pd.Series("I", outcome.time_days.index).where(outcome.time_days > 3)
    result = log_rank(outcome, groups, strata)
    assert (result.n, result.n_excluded, result.smallest_group) == (27, 3, 12)


def test_patients_whose_stratum_has_one_group_alone_count_nowhere() -> None:
    # stratum "alone" holds 20 more of B: the test is that of the others, and so are the counts
    days = [*range(1, 31), *range(2, 42, 2)]
    outcome, groups = two_groups(days, [True] * 50, 9)
    names = outcome.time_days.index
    strata = pd.Series(["both"] * 30 + ["alone"] * 20, names, name="centre")
    result = log_rank(outcome, groups, strata)
    same = log_rank(outcome.select(list(names[:30])), groups)
    assert result.statistic == pytest.approx(same.statistic)
    assert (result.n, result.n_events, result.smallest_group) == (30, 30, 9)
    assert result.p_hidden
    assert result.left_out == {"one group alone in the stratum": 20}
    assert result.n_excluded == 20
    assert result.test_name == "Log-rank test stratified by centre (1 stratum)"


def test_p_is_hidden_where_a_group_stands_beside_no_other() -> None:
    outcome, groups = two_groups(list(range(1, 61)), [True] * 60, 20)
    labels = groups.labels.where(np.arange(60) < 40, "C")
    strata = pd.Series(np.where(np.arange(60) < 40, "I", "II"), labels.index)
    result = log_rank(outcome, group_by_category(labels), strata)
    assert (result.n, result.dof, result.smallest_group) == (40, 1, 0)
    assert result.p_hidden


def test_disjoint_strata_add_up_in_statistic_and_degrees_of_freedom() -> None:
    # A and B meet in one stratum, C and D in the other: two tests on 1 degree of freedom each
    generator = np.random.default_rng(1)
    names = [f"P{n}" for n in range(80)]
    outcome = SurvivalOutcome(
        pd.Series(generator.exponential(100, 80), names), pd.Series(True, names)
    )
    labels = pd.Series(list("AB" * 20 + "CD" * 20), names)
    strata = pd.Series(["I"] * 40 + ["II"] * 40, names)
    whole = log_rank(outcome, group_by_category(labels), strata)
    parts = [
        log_rank(outcome.select(names[rows]), group_by_category(labels.iloc[rows]))
        for rows in (slice(0, 40), slice(40, 80))
    ]
    assert whole.dof == 2
    assert whole.statistic == pytest.approx(sum(part.statistic for part in parts))


def test_reasons_of_the_stratified_test_add_up() -> None:
    outcome, groups = two_groups(list(range(1, 31)), [True] * 30, 15)
    some = replace(groups, labels=groups.labels.drop("P0"))
    strata = pd.Series("I", outcome.time_days.index).drop("P1")
    result = log_rank(outcome.select(outcome.patients[:29]), some, strata)
    assert result.left_out == {"no outcome": 1, "no group": 1, "no stratum": 1}
    assert (result.n, result.n_excluded) == (27, 3)


def test_strata_that_are_the_groups_are_refused() -> None:
    outcome, groups = two_groups([1, 2, 3, 4, 5, 6], [True] * 6, 3)
    with pytest.raises(SurvivalDataError, match="None of 2 strata has events while two groups"):
        log_rank(outcome, groups, groups.labels)


def test_dof_is_groups_minus_one(lung, lung_outcome) -> None:
    assert log_rank(lung_outcome, group_by_expression(lung["age"], "quartile")).dof == 3


def test_statistic_is_told_with_its_degrees_of_freedom_or_as_m(aml, lung, lung_outcome) -> None:
    one = log_rank(*aml)
    three = log_rank(lung_outcome, group_by_expression(lung["age"], "quartile"))
    assert one.statistic_label == "χ² 3.40 on 1 degree of freedom"
    assert three.statistic_label.endswith(" on 3 degrees of freedom")
    assert replace(one, statistic=3.301, dof=None).statistic_label == "M = 3.30"


def test_left_out_is_told_as_number_and_reason() -> None:
    counts = {"no follow-up after day 0": 4, "negative time": 0, "no event status": 1}
    assert format_left_out(counts) == "4 (no follow-up after day 0), 1 (no event status)"
    assert format_left_out({}) == ""


def test_p_is_hidden_below_ten_patients_in_a_group() -> None:
    days = list(range(1, 31))
    shown = log_rank(*two_groups(days, [True] * 30, 10))
    hidden = log_rank(*two_groups(days, [True] * 30, 9))
    assert not shown.p_hidden
    assert shown.p_label.startswith("p = ")
    assert hidden.p_hidden
    assert hidden.p_label == "p not shown: a group has fewer than 10 patients"


def test_result_says_what_was_computed(aml) -> None:
    result = log_rank(*aml)
    assert (result.test_name, result.endpoint) == ("Log-rank test", "OS")


@pytest.mark.parametrize(
    ("p_value", "text"),
    [(0.0186, "p = 0.019"), (0.5, "p = 0.5"), (4.2e-05, "p = 4.2e-05"), (0.0, "p < 1e-16")],
)
def test_p_is_never_written_as_zero(p_value, text) -> None:
    assert format_p(p_value) == text


def test_no_event_is_refused() -> None:
    with pytest.raises(SurvivalDataError, match=r"None of 6 patients had an event \(OS\)"):
        log_rank(*two_groups([1, 2, 3, 4, 5, 6], [False] * 6, 3))


def test_missing_labels_are_refused() -> None:
    outcome, groups = two_groups([1, 2, 3, 4], [True] * 4, 2)
    holed = Groups(groups.labels.where(groups.labels.index != "P0"), groups.names, groups.rule)
    with pytest.raises(SurvivalDataError, match="1 of 4 patients have no value"):
        log_rank(outcome, holed)
