from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import Groups, group_by_category, group_by_expression, kaplan_meier
from resvae_core.survival.kaplan_meier import DAYS_PER_MONTH, count_at_risk, tick_months
from resvae_core.tables import SurvivalOutcome

patients = st.lists(st.tuples(st.integers(0, 3000), st.booleans()), min_size=4, max_size=60)


def outcome_of(rows: list[tuple[int, bool]]) -> SurvivalOutcome:
    table = pd.DataFrame(rows, columns=["time", "event"]).rename("P{}".format)
    return SurvivalOutcome(table["time"].astype(float), table["event"])


def at_events(curve: pd.DataFrame, group: str) -> pd.DataFrame:
    return curve[(curve["group"] == group) & (curve["events"] > 0)]


def test_estimate_and_numbers_at_risk_match_r_survfit(aml) -> None:
    # summary(survfit(Surv(time, status) ~ x, data = aml)), R package survival
    curve = kaplan_meier(*aml).curve
    kept = at_events(curve, "Maintained")
    assert kept["time_days"].tolist() == [9, 13, 18, 23, 31, 34, 48]
    assert kept["at_risk"].tolist() == [11, 10, 8, 7, 5, 4, 2]
    np.testing.assert_allclose(
        kept["survival"], [0.909, 0.818, 0.716, 0.614, 0.491, 0.368, 0.184], atol=5e-4
    )
    other = at_events(curve, "Nonmaintained")
    assert other["at_risk"].tolist() == [12, 10, 8, 6, 5, 4, 3, 2, 1]
    np.testing.assert_allclose(
        other["survival"],
        [0.8333, 0.6667, 0.5833, 0.4861, 0.3889, 0.2917, 0.1944, 0.0972, 0.0],
        atol=5e-5,
    )


def test_log_log_interval_follows_from_r_greenwood_errors(aml) -> None:
    # std.err of the same R summary, put through exp(-exp(log(-log S) ± 1.96 se / (S |log S|)))
    curve = at_events(kaplan_meier(*aml).curve, "Maintained")
    survival = curve["survival"].to_numpy()
    error = np.array([0.0867, 0.1163, 0.1397, 0.1526, 0.1642, 0.1627, 0.1535])
    half = 1.959964 * error / (survival * np.abs(np.log(survival)))
    centre = np.log(-np.log(survival))
    np.testing.assert_allclose(curve["lower"], np.exp(-np.exp(centre + half)), atol=1e-3)
    np.testing.assert_allclose(curve["upper"], np.exp(-np.exp(centre - half)), atol=1e-3)


def test_log_log_interval_matches_stata_sts_list(gehan) -> None:
    # stset weeks, failure(relapse); sts list, by(group): Rodríguez, Princeton, gehan.html
    control = at_events(kaplan_meier(*gehan).curve, "control").iloc[:2]
    assert control["at_risk"].tolist() == [21, 19]
    np.testing.assert_allclose(control["survival"], [0.9048, 0.8095], atol=5e-5)
    np.testing.assert_allclose(control["lower"], [0.6700, 0.5689], atol=5e-5)
    np.testing.assert_allclose(control["upper"], [0.9753, 0.9239], atol=5e-5)


def test_medians_match_r_survfit(aml, lung, lung_outcome) -> None:
    # survfit(Surv(time, status) ~ x, data = aml): 31 and 23; Surv(time, status) ~ sex, lung: 270
    # (112 of 138 died) and 426 (53 of 90)
    assert kaplan_meier(*aml).summary["median_days"].tolist() == [31, 23]
    summary = kaplan_meier(lung_outcome, group_by_category(lung["sex"])).summary
    assert summary["median_days"].tolist() == [270, 426]
    assert summary["n"].tolist() == [138, 90]
    assert summary["n_events"].tolist() == [112, 53]


def test_median_that_is_not_reached_is_nan() -> None:
    summary = kaplan_meier(outcome_of([(5, True), (9, False), (9, False), (9, False)])).summary
    assert summary["median_days"].isna().all()
    assert summary["median_upper_days"].isna().all()


def test_interval_ends_where_survival_is_zero(aml) -> None:
    curve = kaplan_meier(*aml).curve
    assert curve.loc[curve["survival"] == 0, ["lower", "upper"]].isna().all(axis=None)
    assert curve.loc[curve["survival"] > 0, ["lower", "upper"]].notna().all(axis=None)


@settings(deadline=None, max_examples=40)
@given(patients)
def test_curves_fall_within_zero_and_one_and_lie_in_their_bands(rows) -> None:
    curve = kaplan_meier(outcome_of(rows)).curve
    assert curve["survival"].between(0, 1).all()
    assert (curve["survival"].diff().dropna() <= 1e-12).all()
    banded = curve.dropna()
    assert (banded["lower"] <= banded["survival"] + 1e-9).all()
    assert (banded["upper"] >= banded["survival"] - 1e-9).all()


@settings(deadline=None, max_examples=40)
@given(patients)
def test_at_risk_counts_patients_with_time_at_least_t(rows) -> None:
    curves = kaplan_meier(outcome_of(rows))
    times = [time for time, _ in rows]
    for table in (curves.curve, curves.at_risk):
        counted = [sum(time >= at for time in times) for at in table["time_days"]]
        assert table["at_risk"].tolist() == counted


def test_at_risk_at_a_tied_time_includes_those_who_fail_then() -> None:
    assert count_at_risk(np.array([5.0, 5.0, 7.0]), np.array([5.0, 5.1, 7.0])).tolist() == [3, 1, 1]


def test_risk_table_stands_at_round_months() -> None:
    assert tick_months(60 * DAYS_PER_MONTH).tolist() == [0, 12, 24, 36, 48, 60]
    assert tick_months(7 * DAYS_PER_MONTH).tolist() == list(range(8))
    assert all(len(tick_months(days)) <= 9 for days in (0.0, 1.0, 100.0, 1000.0, 9000.0))


def test_small_groups_are_flagged() -> None:
    values = pd.Series(range(15), index=[f"P{n}" for n in range(15)], dtype=float)
    outcome = outcome_of([(n + 1, True) for n in range(15)])
    curves = kaplan_meier(outcome, group_by_expression(values, ("fixed", 9.0)))
    assert curves.small_groups == ("high",)


def test_patients_without_an_outcome_are_left_out_and_counted() -> None:
    values = pd.Series(range(8), index=[f"P{n}" for n in range(8)], dtype=float)
    curves = kaplan_meier(outcome_of([(5, True)] * 6), group_by_expression(values))
    assert curves.summary["n"].tolist() == [4, 2]
    assert curves.n_excluded == 2


def test_tables_without_a_shared_patient_are_refused() -> None:
    values = pd.Series([1.0, 2.0, 3.0, 4.0], index=list("abcd"))
    with pytest.raises(SurvivalDataError, match="None of 4 patients with a value is among the 4"):
        kaplan_meier(outcome_of([(5, True)] * 4), group_by_expression(values))


def test_a_group_without_patients_who_have_an_outcome_is_refused() -> None:
    labels = pd.Series(["low"] * 3 + ["high"], index=[f"P{n}" for n in range(4)])
    with pytest.raises(SurvivalDataError, match="'high' has 1 patients with an outcome"):
        kaplan_meier(outcome_of([(5, True)] * 4), Groups(labels, ("low", "high"), "median"))
