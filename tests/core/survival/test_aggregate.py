from __future__ import annotations

from dataclasses import replace

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
from resvae_core.survival.aggregate import aggregate_survival, restore_survival, shared_points
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
    _, test, ratio = restore_survival(aggregate_survival(outcome, values))
    assert test == log_rank(outcome, group_by_expression(values))
    # how many patients lie above the lowest value is not kept; aggregates have ten in each group
    assert ratio == replace(cox_per_sd(outcome, values), smallest_group=None)


def test_curve_at_each_point_is_the_step_that_holds_there_to_two_digits() -> None:
    outcome, values = patients()
    original = kaplan_meier(outcome, group_by_expression(values)).curve
    aggregate = aggregate_survival(outcome, values)
    members = group_by_expression(values).labels
    for row in aggregate.curves.to_dict("records"):
        steps = original[original["group"] == row["group"]]
        holds = steps[steps["time_days"] <= row["time_days"]].iloc[-1]
        assert row["survival"] == pytest.approx(holds["survival"], abs=0.00501)
        at_risk = (outcome.time_days[members == row["group"]] >= row["time_days"]).sum()
        assert abs(row["at_risk"] - at_risk) <= 5
        assert at_risk >= 10


def test_points_are_the_same_for_every_gene_and_ten_patients_apart() -> None:
    outcome, values = patients()
    other = pd.Series(values.to_numpy()[::-1], index=values.index)
    points = shared_points(outcome)
    for gene in (values, other):
        days = aggregate_survival(outcome, gene).curves["time_days"].unique()
        assert set(days) <= set(points)
    left = [(outcome.time_days >= day).sum() for day in points]
    assert (-np.diff(left) >= 10).all()


def test_nobody_s_day_or_expression_travels() -> None:
    outcome, values = patients()
    aggregate = aggregate_survival(outcome, values)
    assert not [name for name in aggregate.groups if name.endswith("_days")]
    medians = aggregate.groups["median_months"].dropna()
    assert (medians == medians.round()).all()
    assert f"{values.median():.3g}" not in aggregate.test["description"]
    curves, _, _ = restore_survival(aggregate)
    np.testing.assert_allclose(
        curves.summary["median_days"], aggregate.groups["median_months"] * DAYS_PER_MONTH
    )


def test_a_small_group_does_not_travel() -> None:
    outcome, values = patients(18)
    with pytest.raises(SurvivalDataError, match="fewer than 10 patients"):
        aggregate_survival(outcome, values)


def test_restored_curves_say_that_they_were_read_off() -> None:
    outcome, values = patients()
    restored, _, _ = restore_survival(aggregate_survival(outcome, values))
    assert restored.read_off
    assert not kaplan_meier(outcome, group_by_expression(values)).read_off
