from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import (
    covariates_of,
    cox_adjusted,
    cox_high_vs_low,
    cox_per_sd,
    group_by_category,
    group_by_expression,
)
from resvae_core.survival.cox_model import COLUMNS
from resvae_core.tables import SurvivalOutcome


def simulated(n: int = 200, seed: int = 0) -> tuple[SurvivalOutcome, pd.Series, pd.DataFrame]:
    """A value without an effect of its own that follows age, which has one; stages I to IV."""
    generator = np.random.default_rng(seed)
    names = [f"P{number:03d}" for number in range(n)]
    age = generator.normal(60, 10, n)
    stage = generator.choice(["I", "II", "III", "IV"], n)
    days = 1000 * generator.exponential(size=n) * np.exp(-0.09 * (age - 60))
    record = pd.DataFrame(
        {"age": age, "sex": generator.choice(["female", "male"], n), "stage": stage}, index=names
    )
    outcome = SurvivalOutcome(
        pd.Series(days, names), pd.Series(generator.random(n) < 0.8, index=names)
    )
    return outcome, pd.Series(age + generator.normal(0, 5, n), names), record


def coefficient(model, term: str) -> float:
    return float(np.log(model.table.set_index("term").loc[term, "hazard_ratio"]))


def test_several_covariates_match_r_coxph_on_lung(lung, lung_outcome) -> None:
    # coxph(Surv(time, status) ~ age + sex + ph.ecog, data = lung): coef 0.01106676, -0.55261240,
    # 0.46372848; sex: exp(coef) 0.5754 (0.4142 to 0.7994), p = 0.000986; concordance 0.637; n = 227
    covariates = lung[["age", "ph.ecog"]].astype(float)
    model = cox_adjusted(lung_outcome, group_by_category(lung["sex"]), covariates, name="sex")
    assert coefficient(model, "sex: 2") == pytest.approx(-0.55261240, abs=5e-6)
    assert coefficient(model, "age") == pytest.approx(0.01106676, abs=5e-7)
    assert coefficient(model, "ph.ecog") == pytest.approx(0.46372848, abs=5e-6)
    row = model.of_interest
    assert (row["lower"], row["upper"]) == pytest.approx((0.4142, 0.7994), abs=5e-5)
    assert row["p_value"] == pytest.approx(0.000986, abs=5e-7)
    assert model.concordance == pytest.approx(0.637, abs=5e-4)
    assert (model.n, model.n_events, model.left_out) == (227, 164, {"ph.ecog not known": 1})


def test_proportional_hazards_check_is_close_to_r_cox_zph_on_lung(lung, lung_outcome) -> None:
    # cox.zph(coxph(Surv(time, status) ~ age + sex + wt.loss, data = lung)), survival before 3.0: p
    # = 0.538, 0.125, 0.877; lifelines treats tied times in the residuals a little differently
    covariates = lung[["age", "wt.loss"]].astype(float)
    model = cox_adjusted(lung_outcome, group_by_category(lung["sex"]), covariates, name="sex")
    found = model.table.set_index("term")["proportional_hazards_p"]
    assert found["age"] == pytest.approx(0.538, abs=0.02)
    assert found["sex: 2"] == pytest.approx(0.125, abs=0.02)
    assert found["wt.loss"] == pytest.approx(0.877, abs=0.02)


def test_without_covariates_it_is_the_plain_cox_model() -> None:
    outcome, values, record = simulated()
    nothing = pd.DataFrame(index=record.index)
    model = cox_adjusted(outcome, values, nothing, name="gene")
    plain = cox_per_sd(outcome, values)
    assert model.of_interest["hazard_ratio"] == pytest.approx(plain.hazard_ratio)
    assert model.label.endswith(f"p = {plain.p_value:.1e}")
    assert "per SD, adjusted for nothing" in model.label
    groups = group_by_expression(values, "tertile")
    model = cox_adjusted(outcome, groups, nothing, name="gene")
    assert model.of_interest["contrast"] == "high vs low"
    assert model.of_interest["p_value"] == pytest.approx(cox_high_vs_low(outcome, groups).p_value)


def test_adjustment_takes_away_what_age_explains() -> None:
    outcome, values, record = simulated()
    covariates = covariates_of(record).table
    assert cox_per_sd(outcome, values).p_value < 1e-6
    model = cox_adjusted(outcome, values, covariates, name="gene")
    assert model.of_interest["p_value"] > 0.01
    assert model.adjusted_for == ("age", "sex", "stage")


def test_rows_are_coefficients_then_the_reference_of_each_category() -> None:
    outcome, values, record = simulated()
    groups = group_by_expression(values, "tertile")
    table = cox_adjusted(outcome, groups, covariates_of(record).table, name="TFF1").table
    assert table.columns.tolist() == COLUMNS
    assert table["label"].tolist() == [
        *("TFF1 middle", "TFF1 high", "TFF1 low"),
        "age",
        *("sex male", "sex female"),
        *("stage II", "stage III", "stage IV", "stage I"),
    ]
    assert table["contrast"].iloc[[0, 2, 3, 6]].tolist() == [
        "middle vs low",
        "reference",
        "per 10 years",
        "II vs I",
    ]
    references = table[table["reference"]]
    assert (references["hazard_ratio"] == 1).all()
    assert references[["lower", "upper", "p_value"]].isna().all(axis=None)
    assert table["n"].iloc[:3].sum() == table["n"].iloc[3] == 200
    assert table["n_events"].iloc[:3].sum() == table["n_events"].iloc[3]


def test_unit_of_a_covariate_scales_its_ratio_alone() -> None:
    outcome, values, record = simulated()
    years = cox_adjusted(outcome, values, record[["age"]], name="gene")
    tens = cox_adjusted(outcome, values, covariates_of(record).select(["age"]), name="gene")
    assert coefficient(tens, "age") == pytest.approx(10 * coefficient(years, "age"))
    assert tens.of_interest["hazard_ratio"] == pytest.approx(years.of_interest["hazard_ratio"])


def test_patients_that_lack_something_are_left_out_and_counted_once() -> None:
    outcome, values, record = simulated(60)
    covariates = covariates_of(record).table
    covariates.loc["P003", ["age per 10 years", "stage"]] = np.nan
    covariates.loc["P004", "stage"] = np.nan
    model = cox_adjusted(
        outcome.select(outcome.patients[2:]),
        values.drop("P002"),
        covariates.drop("P005"),
        name="gene",
    )
    assert model.left_out == {
        "no outcome": 2,
        "no value of gene": 1,
        "age not known": 2,
        "stage not known": 1,
    }
    assert (model.n, model.n_excluded) == (54, 6)


def test_small_stages_are_joined_with_their_neighbour_and_said() -> None:
    outcome, values, record = simulated()
    stage = np.where(np.arange(200) < 4, "I", np.where(np.arange(200) < 100, "II", "III"))
    covariates = covariates_of(record.assign(stage=stage)).select(["stage"])
    model = cox_adjusted(outcome, values, covariates, name="gene")
    assert model.table["contrast"].iloc[1] == "III vs I + II"
    assert any(note.startswith("stage: I + II joined, for a level") for note in model.notes)


def test_a_stage_without_events_is_joined_instead_of_diverging() -> None:
    outcome, values, record = simulated()
    early = record["stage"] == "I"
    spared = SurvivalOutcome(outcome.time_days, outcome.event & ~early)
    model = cox_adjusted(spared, values, covariates_of(record).select(["stage"]), name="gene")
    assert model.table["contrast"].iloc[1] == "III vs I + II"


def test_a_covariate_in_which_nobody_differs_is_dropped_and_said() -> None:
    outcome, values, record = simulated()
    covariates = pd.DataFrame({"sex": pd.Categorical(["male"] * 196 + ["female"] * 4), "age": 6.0})
    model = cox_adjusted(outcome, values, covariates.set_axis(record.index, axis=0), name="gene")
    assert model.adjusted_for == ()
    assert "sex left out: too few of these patients differ in it." in model.notes
    assert "age left out: too few of these patients differ in it." in model.notes


def test_few_events_for_the_coefficients_are_said() -> None:
    outcome, values, record = simulated(60)
    rare = SurvivalOutcome(outcome.time_days, outcome.event & (np.arange(60) % 3 == 0))
    model = cox_adjusted(rare, values, covariates_of(record).select(["age", "sex"]), name="gene")
    assert model.notes[0] == (
        f"{model.n_events} events for 3 coefficients: fewer than 10 each, so ratios and intervals "
        "are unreliable."
    )


def test_hazards_that_turn_over_time_are_said() -> None:
    generator = np.random.default_rng(0)
    high = np.repeat([0.0, 1.0], 200)
    early = generator.random(400) < np.where(high == 1, 0.7, 0.2)
    days = np.where(early, generator.uniform(1, 100, 400), generator.uniform(100, 200, 400))
    names = [f"P{n}" for n in range(400)]
    outcome = SurvivalOutcome(pd.Series(days, names), pd.Series(True, index=names))
    nothing = pd.DataFrame(index=names)
    model = cox_adjusted(outcome, pd.Series(high, names), nothing, name="TFF1")
    assert model.notes[0].startswith("Hazards are not proportional")
    assert "TFF1 (p = " in model.notes[0]


def test_p_is_hidden_where_a_group_has_fewer_than_ten() -> None:
    outcome, values, record = simulated()
    groups = group_by_expression(values, ("fixed", float(values.nlargest(8).min()) - 1e-9))
    model = cox_adjusted(outcome, groups, covariates_of(record).table, name="gene")
    assert (model.p_hidden, model.smallest_group) == (True, 8)
    assert np.isnan(model.of_interest["p_value"])
    assert model.table["p_value"].iloc[2] > 0  # age's own stays
    assert "p = " not in model.label
    assert model.notes[-1] == "p of gene not shown: a group has fewer than 10 patients."


def test_both_p_are_hidden_where_fewer_than_ten_carry_the_signal() -> None:
    outcome, values, record = simulated()
    sparse = pd.Series(0.0, values.index)
    order = outcome.time_days[outcome.event].sort_values().index
    sparse[order[[0, 1, 2, 3, 4, 150, 151, 152, 153]]] = 1.0
    assert cox_per_sd(outcome, sparse).proportional_hazards_p < 0.05  # and not to be told
    model = cox_adjusted(outcome, sparse, covariates_of(record).table, name="gene")
    assert (model.p_hidden, model.smallest_group) == (True, 9)
    assert model.of_interest["term"] == "gene"
    assert model.of_interest[["p_value", "proportional_hazards_p"]].isna().all()
    assert model.table.iloc[1][["p_value", "proportional_hazards_p"]].notna().all()  # age's stay
    assert "p = " not in model.label
    assert not any("gene (p" in note for note in model.notes)
    assert model.notes[-1] == (
        "p of gene not shown: fewer than 10 patients differ in value from the rest."
    )


def test_what_cannot_be_modelled_is_refused() -> None:
    outcome, values, record = simulated(60)
    covariates = covariates_of(record).table
    with pytest.raises(SurvivalDataError, match="The variable of interest, age, is among"):
        cox_adjusted(outcome, values, covariates, name="age")
    with pytest.raises(SurvivalDataError, match="Of none of 60 patients are all covariates known"):
        cox_adjusted(outcome, values, covariates.assign(age=np.nan), name="gene")
    with pytest.raises(SurvivalDataError, match="1 of 60 patients have no value"):
        cox_adjusted(outcome, values.where(values.index != "P003"), covariates, name="gene")
    with pytest.raises(SurvivalDataError, match="occurs more than once"):
        cox_adjusted(outcome, values, pd.concat([covariates, covariates[:1]]), name="gene")
    spared = SurvivalOutcome(outcome.time_days, outcome.event & (values > values.median()))
    with pytest.raises(SurvivalDataError, match="Group 'low' has 30 patients of whom everything"):
        cox_adjusted(spared, group_by_expression(values), covariates, name="gene")


def test_a_copy_of_the_variable_among_the_covariates_is_refused_not_reported() -> None:
    outcome, values, _ = simulated(60)
    copy = pd.DataFrame({"other": values})
    with pytest.raises(SurvivalDataError, match="did not converge"):
        cox_adjusted(outcome, values, copy, name="gene")
