from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.survival import DAYS_PER_MONTH, cox_per_sd, group_by_expression, log_rank
from resvae_core.survival.comparison import HORIZONS_MONTHS, NO_VALUE, compare, compare_from
from resvae_core.tables import SurvivalOutcome


@pytest.fixture
def patients() -> tuple[SurvivalOutcome, pd.Series]:
    rng = np.random.default_rng(3)
    names = [f"P{number:03d}" for number in range(120)]
    values = pd.Series(rng.normal(size=120), index=names)
    days = pd.Series(rng.exponential(900 * np.exp(-0.5 * values)) + 1, index=names)
    event = pd.Series(rng.random(120) < 0.7, index=names)
    return SurvivalOutcome(days, event), values


def test_a_comparison_holds_what_its_parts_say_alone(patients) -> None:
    outcome, values = patients
    result = compare(outcome, values, "tertile", left_out={"no outcome": 3})
    groups = group_by_expression(values, "tertile")
    assert result.test == log_rank(outcome, groups)
    assert result.ratio == cox_per_sd(outcome, values)
    assert list(result.curves.summary["group"]) == ["low", "middle", "high"]
    assert result.left_out == {"no outcome": 3}
    assert result.optimal is None


def test_the_cut_is_that_of_patients_with_an_outcome_alone(patients) -> None:
    outcome, values = patients
    others = pd.Series(99.0, index=[f"X{number}" for number in range(50)])
    alone, among = compare(outcome, values), compare(outcome, pd.concat([others, values]))
    pd.testing.assert_frame_equal(alone.curves.summary, among.curves.summary)


def test_an_optimal_cut_brings_its_corrected_p_as_the_test(patients) -> None:
    outcome, values = patients
    result = compare(outcome, values, "optimal")
    assert result.optimal is not None
    assert result.test.p_value == result.optimal.p_value >= result.optimal.p_uncorrected
    assert result.test.smallest_group == min(result.optimal.groups.sizes.values())
    assert "corrected" in result.test.test_name
    assert result.test.dof is None  # it follows no chi-squared distribution
    assert result.test.statistic == result.optimal.statistic
    assert result.rmst is None  # its p-value would know nothing of the search


def test_mean_survival_ends_at_a_round_time_when_ten_of_each_group_are_at_risk(patients) -> None:
    outcome, values = patients
    result = compare(outcome, values)
    months = result.rmst.tau_days / DAYS_PER_MONTH
    assert months in HORIZONS_MONTHS
    labels = group_by_expression(values).labels
    at_risk = {
        horizon: (outcome.time_days >= horizon * DAYS_PER_MONTH).groupby(labels).sum().min()
        for horizon in HORIZONS_MONTHS
    }
    assert at_risk[months] >= 10
    later = [horizon for horizon in HORIZONS_MONTHS if horizon > months]
    assert all(at_risk[horizon] < 10 for horizon in later)


def test_without_ten_at_risk_at_any_horizon_there_is_no_mean_survival(patients) -> None:
    outcome, values = patients
    some = outcome.select(outcome.patients[:16])
    assert compare(some, values).rmst is None


def test_values_that_order_all_deaths_leave_curves_without_a_ratio() -> None:
    names = [f"P{number}" for number in range(16)]
    days = pd.Series(np.arange(1.0, 17.0), index=names)
    outcome = SurvivalOutcome(days, pd.Series(True, index=names))
    result = compare(outcome, pd.Series(np.arange(16.0)[::-1], index=names))
    assert result.ratio is None
    assert result.test.n == 16


def test_a_fixed_value_that_a_search_finds_is_corrected_as_the_search(patients) -> None:
    outcome, values = patients
    found = compare(outcome, values, "optimal")
    entered = compare(outcome, values, ("fixed", found.optimal.cut))
    assert entered.test.p_value == found.test.p_value
    assert entered.rmst is None
    other = compare(outcome, values, ("fixed", float(values.quantile(0.3))))
    assert other.optimal is None
    assert other.test.dof == 1


def test_patients_without_a_value_are_counted(patients) -> None:
    outcome, values = patients
    result = compare(outcome, values.iloc[:90], left_out={"no follow-up time": 2})
    assert result.left_out == {"no follow-up time": 2, NO_VALUE: 30}
    assert result.test.n == 90


def test_from_a_landmark_everything_says_so_and_everybody_is_accounted_for(patients) -> None:
    outcome, values = patients
    result = compare_from(outcome, values, "median", 12.0, left_out={"no follow-up time": 2})
    assert result.curves.landmark_months == 12
    assert result.curves.description.startswith("Landmark at 12.0 months")
    assert result.test.n + sum(result.left_out.values()) == len(values) + 2
    gone = outcome.time_days <= 12 * DAYS_PER_MONTH
    assert result.left_out["with the event by month 12"] == int(outcome.event[gone].sum())
