"""Every gene at once, against lifelines, R and the same tests gene by gene."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from lifelines.statistics import logrank_test
from scipy.stats import false_discovery_control

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import cox_per_sd, group_by_expression, log_rank, screen_genes
from resvae_core.survival.screen import COLUMNS
from resvae_core.tables import SurvivalOutcome

TESTS = ["log_rank_statistic", "log_rank_p", "log_rank_q"]
EXACT = {"precision": 1e-18, "r_precision": 0.0}
"""By itself lifelines stops when the likelihood hardly changes: too early to compare six digits."""
RATIOS = ["hazard_ratio", "lower", "upper", "cox_p", "cox_q"]


def cohort(
    seed: int = 0, n: int = 90, n_genes: int = 12, months: bool = True
) -> tuple[SurvivalOutcome, pd.DataFrame]:
    """Draw patients whose survival follows gene G0; in months many times are tied."""
    rng = np.random.default_rng(seed)
    names = [f"P{number:03d}" for number in range(n)]
    values = pd.DataFrame(
        rng.gamma(2.0, 2.0, (n, n_genes)), names, [f"G{gene}" for gene in range(n_genes)]
    )
    days = rng.exponential(600 * np.exp(-0.1 * values["G0"].to_numpy())) + 1
    days = np.ceil(days / 60) * 60 if months else days
    events = pd.Series(rng.random(n) < 0.6, names)
    return SurvivalOutcome(pd.Series(days, names), events), values


@pytest.mark.parametrize("months", [True, False], ids=["tied times", "distinct times"])
def test_log_rank_matches_lifelines_to_ten_digits(months: bool) -> None:
    outcome, values = cohort(months=months)
    table = screen_genes(outcome, values)
    for row in table.itertuples():
        high = (values[row.gene] > row.cut).to_numpy()
        days, events = outcome.time_days.to_numpy(), outcome.event.to_numpy()
        expected = logrank_test(days[high], days[~high], events[high], events[~high])
        assert row.log_rank_statistic == pytest.approx(expected.test_statistic, rel=1e-10)
        assert row.log_rank_p == pytest.approx(expected.p_value, rel=1e-10)


@pytest.mark.parametrize("months", [True, False], ids=["tied times", "distinct times"])
def test_cox_matches_lifelines_efron_to_six_digits(months: bool) -> None:
    outcome, values = cohort(months=months, n_genes=6)
    table = screen_genes(outcome, values).set_index("gene")
    for gene in values:
        standard = (values[gene] - values[gene].mean()) / values[gene].std()
        frame = pd.DataFrame({"x": standard, "t": outcome.time_days, "e": outcome.event})
        fit = CoxPHFitter().fit(frame, "t", "e", fit_options=EXACT).summary.loc["x"]
        found = table.loc[gene]
        assert found["hazard_ratio"] == pytest.approx(fit["exp(coef)"], rel=1e-6)
        assert found["lower"] == pytest.approx(fit["exp(coef) lower 95%"], rel=1e-6)
        assert found["upper"] == pytest.approx(fit["exp(coef) upper 95%"], rel=1e-6)
        assert found["cox_p"] == pytest.approx(fit["p"], rel=1e-6)


def test_ties_are_efrons_as_in_r_coxph_on_6mp(gehan) -> None:
    # coxph(Surv(time, cens) ~ treat, data = MASS::gehan): coef 1.572 (Efron); Breslow gives 1.509
    # survdiff(Surv(time, cens) ~ treat, data = MASS::gehan): chisq 16.8
    outcome, groups = gehan
    treated = (groups.labels == groups.names[0]).astype(float)
    found = screen_genes(outcome, pd.DataFrame({"treat": treated}), ("fixed", 0.5)).iloc[0]
    assert abs(np.log(found["hazard_ratio"])) / treated.std() == pytest.approx(1.572, abs=5e-4)
    assert found["log_rank_statistic"] == pytest.approx(16.8, abs=0.05)


def test_cox_matches_r_coxph_on_lung(lung, lung_outcome) -> None:
    # coxph(Surv(time, status) ~ age, data = lung): coef 0.018720 a year, p = 0.0419
    found = screen_genes(lung_outcome, lung[["age"]].astype(float)).iloc[0]
    coefficient = np.log(found["hazard_ratio"]) / lung["age"].std()
    assert coefficient == pytest.approx(0.018720, abs=5e-7)
    assert found["cox_p"] == pytest.approx(0.0419, abs=5e-5)


def test_a_screen_equals_the_tests_gene_by_gene_where_values_are_missing() -> None:
    outcome, whole = cohort(seed=3, n_genes=5)
    values = whole.mask(np.random.default_rng(1).random(whole.shape) < 0.1)
    values["G0"] = whole["G0"]
    table = screen_genes(outcome, values)
    assert (table["n"] < 90).sum() == 4
    for row in table.itertuples():
        known = values[row.gene].dropna()
        groups = group_by_expression(known)
        test, ratio = log_rank(outcome, groups), cox_per_sd(outcome, known)
        assert (row.n, row.n_events) == (test.n, test.n_events)
        assert [row.n_low, row.n_high] == list(groups.sizes.values())
        assert row.cut == groups.cuts[0]
        assert row.log_rank_p == pytest.approx(test.p_value, rel=1e-10)
        assert row.hazard_ratio == pytest.approx(ratio.hazard_ratio, rel=1e-3)
        assert row.cox_p == pytest.approx(ratio.p_value, rel=1e-3)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_order_of_patients_and_genes_changes_no_result(seed: int) -> None:
    outcome, values = cohort(seed)
    values.iloc[:7, 2] = np.nan
    rng = np.random.default_rng(seed)
    patients, genes = rng.permutation(values.index), rng.permutation(values.columns)
    shuffled = screen_genes(
        outcome.select(list(rng.permutation(values.index))), values.loc[patients, genes]
    )
    assert shuffled["gene"].tolist() == genes.tolist()
    expected = screen_genes(outcome, values).set_index("gene").loc[genes].reset_index()
    pd.testing.assert_frame_equal(shuffled, expected, rtol=1e-9)


def test_time_in_another_unit_changes_no_result() -> None:
    outcome, values = cohort()
    scaled = SurvivalOutcome(outcome.time_days / 7, outcome.event)
    expected = screen_genes(outcome, values)
    pd.testing.assert_frame_equal(screen_genes(scaled, values), expected, rtol=1e-9)


def test_hazard_ratio_per_sd_does_not_depend_on_the_unit_of_expression() -> None:
    outcome, values = cohort()
    expected, found = screen_genes(outcome, values), screen_genes(outcome, 1e3 * values - 40)
    pd.testing.assert_frame_equal(found[RATIOS], expected[RATIOS], rtol=1e-8)


def test_a_gene_alone_gets_the_same_p_as_among_others_but_another_q() -> None:
    outcome, values = cohort()
    among, alone = screen_genes(outcome, values), screen_genes(outcome, values[["G4"]])
    row = among[among["gene"] == "G4"].reset_index(drop=True)
    assert alone["cox_p"].item() == pytest.approx(row["cox_p"].item(), rel=1e-12)
    assert alone["cox_q"].item() == alone["cox_p"].item()


@pytest.mark.parametrize("sign", [1, -1])
def test_the_screen_tells_cox_p_where_the_gene_alone_does(sign) -> None:
    outcome, values = cohort()
    genes = {str(n): values["G0"].where(values["G0"].rank() > 90 - n, -9.0) for n in (9, 10)}
    found = screen_genes(outcome, sign * pd.DataFrame(genes)).set_index("gene")
    for name, column in genes.items():
        alone = cox_per_sd(outcome, sign * column)
        assert np.isnan(found.loc[name, "cox_p"]) == alone.p_hidden == (name == "9")
    few = "above its lowest" if sign == 1 else "below its highest"
    assert found.loc["9", "note"].endswith(f"Cox: fewer than 10 patients are {few} value")


@pytest.fixture
def awkward() -> pd.DataFrame:
    """Return a screen of genes of which most cannot be assessed."""
    outcome, values = cohort()
    days, event = outcome.time_days.copy(), outcome.event.copy()
    first = days.index[:12]
    days[first], event[first] = np.arange(1.0, 13.0), True
    event[~event.index.isin(first)] = False
    values = values[["G0", "G1"]].copy()
    values["constant"] = 3.0
    values["tied"] = np.where(np.arange(90) < 4, values["G0"], 0.0)
    values["capped"] = np.minimum(values["G0"], values["G0"].quantile(0.3))
    values["separating"] = np.where(days.index.isin(first), 50.0 - days, values["G0"] / 10)
    values["unmeasured"] = np.nan
    values["after the events"] = values["G0"].where(~values.index.isin(first))
    values["few"] = values["G0"].where(values.index.isin(first[:6]))
    return screen_genes(SurvivalOutcome(days, event), values).set_index("gene")


def test_what_cannot_be_assessed_is_nan_with_a_note_and_never_0_or_1(awkward) -> None:
    notes = {
        "G0": "",
        "G1": "",
        "constant": "all patients have the same value",
        "tied": "log-rank: 4 in the high group, at least 10 are needed; Cox: fewer than 10 "
        "patients are above its lowest value",
        "capped": "log-rank: 0 in the high group, at least 10 are needed",
        "separating": "Cox: did not converge",
        "unmeasured": "no patient with an outcome has a value",
        "after the events": "no event among the patients with a value",
        "few": "log-rank: 3 in the low group, at least 10 are needed; Cox: fewer than 10 "
        "patients are above its lowest value",
    }
    assert awkward["note"].to_dict() == notes
    no_test = ["constant", "tied", "capped", "unmeasured", "after the events", "few"]
    no_ratio = ["constant", "tied", "separating", "unmeasured", "after the events", "few"]
    for columns, genes in ((TESTS, no_test), (RATIOS, no_ratio)):
        assert awkward.loc[genes, columns].isna().all(axis=None)
        assert awkward.drop(genes)[columns].notna().all(axis=None)
    assert awkward.loc["unmeasured", ["n", "n_events", "n_low", "n_high"]].tolist() == [0] * 4


def test_q_values_are_benjamini_hochberg_over_the_tested_genes_only(awkward) -> None:
    for test in ("log_rank", "cox"):
        tested = awkward[f"{test}_p"].notna()
        expected = false_discovery_control(awkward.loc[tested, f"{test}_p"])
        np.testing.assert_allclose(awkward.loc[tested, f"{test}_q"], expected)


def test_random_genes_are_significant_as_often_as_they_should() -> None:
    outcome, values = cohort(seed=9, n=120, n_genes=1500)
    table = screen_genes(outcome, values.drop(columns="G0"))
    for test in ("log_rank_p", "cox_p"):
        assert 0.035 < (table[test] < 0.05).mean() < 0.065


def test_a_gene_that_drives_survival_is_found_among_random_ones() -> None:
    outcome, values = cohort(seed=5, n=400, n_genes=200)
    table = screen_genes(outcome, values)
    found = table[table["cox_q"] < 0.05]
    assert found["gene"].tolist() == ["G0"]
    assert found["hazard_ratio"].item() > 1


def test_columns_are_those_that_are_documented() -> None:
    outcome, values = cohort()
    table = screen_genes(outcome, values.astype(np.float32))
    assert tuple(table.columns) == COLUMNS
    assert {str(table[name].dtype) for name in ("n", "n_events", "n_low", "n_high")} == {"int64"}


def test_patients_without_an_outcome_take_no_part_even_in_the_cut() -> None:
    outcome, values = cohort()
    more = pd.concat([values, values.set_axis([f"Q{n}" for n in range(90)]) + 100])
    pd.testing.assert_frame_equal(screen_genes(outcome, more), screen_genes(outcome, values))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"rule": "tertile"}, "'tertile' does not make two groups"),
        ({"values": lambda t: pd.concat([t, t])}, "A patient occurs more than once"),
        ({"values": lambda t: pd.concat([t, t], axis=1)}, "A gene occurs more than once"),
        ({"values": lambda t: t.replace(t.iloc[0, 0], np.inf)}, "A value is infinite"),
        ({"values": lambda t: t.add_prefix("X", axis=0)}, "None of 90 patients with a value"),
        ({"event": False}, "None of 90 patients had an event"),
    ],
)
def test_what_no_screen_can_be_made_of_is_refused(change, text) -> None:
    outcome, values = cohort()
    values = change.get("values", lambda table: table)(values)
    event = outcome.event & change.get("event", True)
    with pytest.raises(SurvivalDataError, match=text):
        screen_genes(
            SurvivalOutcome(outcome.time_days, event), values, change.get("rule", "median")
        )


def test_no_warning_leaves_a_screen_of_extreme_values() -> None:
    outcome, values = cohort()
    values["G1"] = 0.0
    values.loc[values.index[:12], "G1"] = np.geomspace(1, 1e12, 12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        table = screen_genes(outcome, values).set_index("gene")
    row = table.loc["G1"]
    assert row["note"] == "" or np.isnan(row["hazard_ratio"])
    assert not (table["cox_p"] == 0).any()


@pytest.mark.data
def test_the_screen_gives_the_checked_facts_on_lung_adenocarcinoma(data: Path) -> None:
    # median split of TFF1: p = 0.019, hazard ratio 1.18 per SD
    columns = ["TFF1", "EGFR", "KRAS", "XIST"]
    values = pd.read_parquet(data / "tcga" / "LUAD_expression.parquet", columns=columns)
    record = pd.read_parquet(data / "tcga" / "clinical.parquet").set_index("patient")
    record = record[record["os_time_days"] > 0].dropna(subset=["os_event"])
    outcome = SurvivalOutcome(record["os_time_days"].astype(float), record["os_event"] == 1)
    found = screen_genes(outcome, values.astype(float)).set_index("gene").loc["TFF1"]
    assert found["log_rank_p"] == pytest.approx(0.019, abs=5e-4)
    assert found["hazard_ratio"] == pytest.approx(1.18, abs=5e-3)
