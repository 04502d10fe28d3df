from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import (
    DAYS_PER_MONTH,
    cox_per_sd,
    group_by_expression,
    kaplan_meier,
    log_rank,
)
from resvae_core.survival.aggregate import aggregate_survival, restore_survival
from resvae_core.tables import SurvivalOutcome


def patients(n: int = 120) -> tuple[SurvivalOutcome, pd.Series]:
    rng = np.random.default_rng(3)
    names = [f"P{number}" for number in range(n)]
    values = pd.Series(rng.normal(5, 1, n), index=names)
    days = pd.Series(np.ceil(rng.exponential(900, n) * np.exp(-0.3 * (values - 5))), index=names)
    event = pd.Series(rng.random(n) < 0.7, index=names)
    return SurvivalOutcome(days, event), values


def test_restored_test_and_ratio_are_those_of_the_patients() -> None:
    outcome, values = patients()
    curves, test, ratio = restore_survival(aggregate_survival(outcome, values))
    assert test == log_rank(outcome, group_by_expression(values))
    assert ratio == cox_per_sd(outcome, values)
    original = kaplan_meier(outcome, group_by_expression(values))
    pd.testing.assert_frame_equal(curves.summary, original.summary)


def test_curve_at_each_month_is_the_step_that_holds_there() -> None:
    outcome, values = patients()
    original = kaplan_meier(outcome, group_by_expression(values)).curve
    aggregate = aggregate_survival(outcome, values)
    days = outcome.time_days
    members = group_by_expression(values).labels
    for row in aggregate.curves.to_dict("records"):
        steps = original[original["group"] == row["group"]]
        holds = steps[steps["time_days"] <= row["time_days"]].iloc[-1]
        assert row["survival"] == holds["survival"]
        assert row["at_risk"] == (days[members == row["group"]] >= row["time_days"]).sum()


def test_nothing_below_ten_patients_travels() -> None:
    outcome, values = patients()
    aggregate = aggregate_survival(outcome, values)
    assert aggregate.curves["at_risk"].min() >= 10
    months = aggregate.curves["time_days"] / DAYS_PER_MONTH
    np.testing.assert_allclose(months, np.rint(months), atol=1e-9)
    curves, _, _ = restore_survival(aggregate)
    assert curves.at_risk["at_risk"].min() >= 10


def test_a_small_group_does_not_travel() -> None:
    outcome, values = patients(18)
    with pytest.raises(SurvivalDataError, match="fewer than 10 patients"):
        aggregate_survival(outcome, values)
