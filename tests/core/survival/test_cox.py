from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import (
    cox_high_vs_low,
    cox_per_sd,
    group_by_category,
    group_by_expression,
)
from resvae_core.tables import SurvivalOutcome


def numbered(values: list[float]) -> pd.Series:
    return pd.Series(values, index=[f"P{n}" for n in range(len(values))], dtype=float)


def outcome_of(events: list[bool]) -> SurvivalOutcome:
    days = numbered(list(range(1, len(events) + 1)))
    return SurvivalOutcome(days, pd.Series(events, index=days.index))


def test_cox_matches_r_coxph_on_lung(lung, lung_outcome) -> None:
    # coxph(Surv(time, status) ~ sex, data = lung): coef -0.5310, exp(coef) 0.5880, 95 % 0.4237 to
    # 0.816, p = 0.00149, n = 228, 165 events
    result = cox_high_vs_low(lung_outcome, group_by_category(lung["sex"]))
    assert np.log(result.hazard_ratio) == pytest.approx(-0.5310, abs=5e-5)
    assert result.lower == pytest.approx(0.4237, abs=5e-5)
    assert result.upper == pytest.approx(0.816, abs=5e-4)
    assert result.p_value == pytest.approx(0.00149, abs=5e-6)
    assert (result.n, result.n_events, result.contrast) == (228, 165, "2 vs 1")


def test_cox_per_sd_matches_r_coxph_on_lung(lung, lung_outcome) -> None:
    # coxph(Surv(time, status) ~ age, data = lung): coef 0.018720 a year, p = 0.0419
    result = cox_per_sd(lung_outcome, lung["age"].astype(float))
    assert np.log(result.hazard_ratio) / lung["age"].std() == pytest.approx(0.018720, abs=5e-7)
    assert result.p_value == pytest.approx(0.0419, abs=5e-5)
    assert result.standard_deviation == pytest.approx(lung["age"].std())


def test_ties_are_efrons_as_in_r_coxph_on_6mp(gehan) -> None:
    # coxph(Surv(time, cens) ~ treat, data = MASS::gehan): coef 1.572 (Efron), HR 4.82; Breslow
    # ties give 1.509
    result = cox_high_vs_low(*gehan)
    assert -np.log(result.hazard_ratio) == pytest.approx(1.572, abs=5e-4)


def test_hazard_ratio_turns_over_with_the_sign_of_the_values(lung, lung_outcome) -> None:
    age = lung["age"].astype(float)
    up, down = cox_per_sd(lung_outcome, age), cox_per_sd(lung_outcome, -age)
    assert up.hazard_ratio == pytest.approx(1 / down.hazard_ratio)
    assert up.p_value == pytest.approx(down.p_value)


def test_hazard_ratio_does_not_depend_on_the_unit(lung, lung_outcome) -> None:
    age = lung["age"].astype(float)
    one, other = cox_per_sd(lung_outcome, age), cox_per_sd(lung_outcome, 1000 * age + 7)
    assert one.hazard_ratio == pytest.approx(other.hazard_ratio)


def test_high_against_low_keeps_the_middle_groups_in_the_model(lung, lung_outcome) -> None:
    result = cox_high_vs_low(lung_outcome, group_by_expression(lung["age"], "tertile"))
    assert result.contrast == "high vs low"
    assert result.n == 228


def test_label_hides_p_where_a_group_is_small() -> None:
    outcome = outcome_of([True] * 30)
    values = numbered([float(n % 7) for n in range(30)])
    shown = cox_high_vs_low(outcome, group_by_expression(values, ("fixed", 3.0)))
    hidden = cox_high_vs_low(outcome, group_by_expression(values, ("fixed", 5.0)))
    assert ", p = " in shown.label
    assert hidden.p_hidden
    assert "p = " not in hidden.label


@pytest.mark.parametrize("sign", [1, -1])
def test_p_per_sd_is_hidden_where_fewer_than_ten_carry_the_signal(sign) -> None:
    outcome = outcome_of([True] * 40)
    days = outcome.time_days.to_numpy()
    nine, ten = (
        cox_per_sd(outcome, sign * numbered([20 + day % 7 if day <= n else 0 for day in days]))
        for n in (9, 10)
    )
    assert (nine.smallest_group, nine.p_hidden) == (9, True)
    assert "p = " not in nine.label
    assert nine.p_label == "p not shown: fewer than 10 patients differ in value from the rest"
    assert (ten.smallest_group, ten.p_hidden) == (10, False)
    assert ten.label.endswith(f"per SD, {ten.p_label}")


def test_p_per_sd_of_fewer_than_ten_patients_is_hidden() -> None:
    result = cox_per_sd(outcome_of([True] * 9), numbered([3, 1, 4, 1.5, 5, 9, 2, 6, 5.5]))
    assert (result.n, result.p_hidden) == (9, True)


def test_a_ratio_restored_without_its_smallest_group_keeps_its_p() -> None:
    result = cox_per_sd(outcome_of([True] * 9), numbered([3, 1, 4, 1.5, 5, 9, 2, 6, 5.5]))
    assert not replace(result, smallest_group=None).p_hidden


def test_proportional_hazards_are_doubted_where_the_effect_turns_over_time() -> None:
    generator = np.random.default_rng(0)
    high = np.repeat([0.0, 1.0], 200)
    early = generator.random(400) < np.where(high == 1, 0.7, 0.2)
    days = np.where(early, generator.uniform(1, 100, 400), generator.uniform(100, 200, 400))
    names = [f"P{n}" for n in range(400)]
    outcome = SurvivalOutcome(pd.Series(days, names), pd.Series(True, index=names))
    assert cox_per_sd(outcome, pd.Series(high, names)).proportional_hazards_p < 1e-4


@pytest.mark.parametrize(
    ("values", "events", "text"),
    [
        ([1, 1, 1, 1], [True] * 4, "All 4 patients have the same value"),
        ([1, 2, 3, 4], [False] * 4, "None of 4 patients had an event"),
        ([1, 2, 3], [True] * 3, "3 patients have a value and an outcome"),
        ([1, 2, np.nan, 4], [True] * 4, "1 of 4 patients have no value"),
        ([1, 2, np.inf, 4], [True] * 4, "A value is infinite"),
    ],
)
def test_values_that_cannot_be_modelled_are_refused(values, events, text) -> None:
    with pytest.raises(SurvivalDataError, match=text):
        cox_per_sd(outcome_of(events), numbered(values))


def test_a_patient_that_occurs_twice_is_refused() -> None:
    values = pd.Series([1.0, 2.0, 3.0, 4.0], index=["P0", "P0", "P1", "P2"])
    with pytest.raises(SurvivalDataError, match="occurs more than once"):
        cox_per_sd(outcome_of([True] * 3), values)


def test_a_group_without_events_is_refused() -> None:
    outcome = outcome_of([True] * 4 + [False] * 4)
    groups = group_by_expression(numbered(list(range(8))))
    with pytest.raises(SurvivalDataError, match="'high' has no event"):
        cox_high_vs_low(outcome, groups)


def test_values_that_separate_the_events_are_refused_not_reported() -> None:
    outcome = outcome_of([True, True, True, False, False, False, False])
    with pytest.raises(SurvivalDataError, match="did not converge"):
        cox_per_sd(outcome, numbered([9, 8, 7, 0, 0, 0, 0]))
