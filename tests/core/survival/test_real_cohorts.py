"""Facts on TCGA that were checked independently, with the rule by which each was found."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from resvae_core.survival import (
    covariates_of,
    cox_adjusted,
    cox_per_sd,
    group_by_category,
    group_by_expression,
    kaplan_meier,
    log_rank,
    optimal_cut,
    rmst_difference,
)
from resvae_core.tables import SurvivalOutcome

pytestmark = pytest.mark.data


def clinical(data: Path, cohort: str) -> pd.DataFrame:
    rows = [("cohort", "==", cohort)]
    table = pd.read_parquet(data / "tcga" / "clinical.parquet", filters=rows).set_index("patient")
    # patients without any follow-up (time missing or 0) are not counted in the checked facts
    return table[table["os_time_days"] > 0].dropna(subset=["os_event"])


def overall_survival(table: pd.DataFrame) -> SurvivalOutcome:
    return SurvivalOutcome(table["os_time_days"].astype(float), table["os_event"] == 1)


def expression(data: Path, cohort: str, gene: str, patients: pd.Index) -> pd.Series:
    path = data / "tcga" / f"{cohort}_expression.parquet"
    values = pd.read_parquet(path, columns=[gene])[gene].astype(float)
    return values[values.index.isin(patients)]


def test_lung_adenocarcinoma_median_survival_is_49_months(data) -> None:
    table = clinical(data, "LUAD")
    summary = kaplan_meier(overall_survival(table)).summary
    assert summary["median_months"].item() == pytest.approx(49.2, abs=0.05)


def test_lung_adenocarcinoma_stage_separates_survival(data) -> None:
    table = clinical(data, "LUAD")
    stage = group_by_category(table["stage_simple"].dropna())
    assert 1e-13 < log_rank(overall_survival(table), stage).p_value < 5e-12


def test_tff1_is_prognostic_in_lung_adenocarcinoma(data) -> None:
    table = clinical(data, "LUAD")
    tff1 = expression(data, "LUAD", "TFF1", table.index)
    outcome = overall_survival(table)
    assert log_rank(outcome, group_by_expression(tff1)).p_value == pytest.approx(0.019, abs=5e-4)
    assert cox_per_sd(outcome, tff1).hazard_ratio == pytest.approx(1.18, abs=5e-3)


def test_glioblastoma_median_survival_is_14_months(data) -> None:
    table = clinical(data, "GBM")
    mgmt = expression(data, "GBM", "MGMT", table.index)
    outcome = overall_survival(table.loc[mgmt.index])
    summary = kaplan_meier(outcome).summary
    assert summary["median_months"].item() == pytest.approx(13.6, abs=0.05)


@pytest.mark.parametrize(
    ("gene", "p_value", "tolerance"),
    [
        ("MGMT", 0.00098, 5e-6),
        ("LTF", 0.053, 5e-4),
        ("OPALIN", 0.14, 5e-3),
        ("IL2RA", 0.25, 5e-3),
        ("SLC17A7", 0.65, 5e-3),
    ],
)
def test_median_splits_in_glioblastoma_give_the_checked_p(data, gene, p_value, tolerance) -> None:
    table = clinical(data, "GBM")
    groups = group_by_expression(expression(data, "GBM", gene, table.index))
    result = log_rank(overall_survival(table), groups)
    assert result.p_value == pytest.approx(p_value, abs=tolerance)


def test_the_corrected_cut_does_not_call_ltf_significant_in_glioblastoma(data) -> None:
    # the search between the quartiles gives p = 0.016 if it is not corrected
    table = clinical(data, "GBM")
    ltf = expression(data, "GBM", "LTF", table.index)
    result = optimal_cut(overall_survival(table), ltf)
    assert result.p_uncorrected == pytest.approx(0.016, abs=5e-4)
    assert result.p_value == pytest.approx(0.063, abs=5e-4)
    assert result.cross_validated.p_value > 0.05
    assert min(result.groups.sizes.values()) >= 0.25 * result.n


@pytest.mark.parametrize("gene", ["OPALIN", "IL2RA", "SLC17A7"])
def test_no_cut_of_the_other_panel_genes_is_significant_in_glioblastoma(data, gene) -> None:
    table = clinical(data, "GBM")
    values = expression(data, "GBM", gene, table.index)
    assert optimal_cut(overall_survival(table), values, n_splits=0).p_value > 0.3


def test_mgmt_shortens_the_restricted_mean_in_glioblastoma(data) -> None:
    table = clinical(data, "GBM")
    groups = group_by_expression(expression(data, "GBM", "MGMT", table.index))
    result = rmst_difference(overall_survival(table), groups, tau_days=3 * 365.25)
    assert result.upper_months < 0
    assert result.p_value < 0.01


def test_stage_stays_prognostic_in_lung_adenocarcinoma_after_adjustment(data) -> None:
    table = clinical(data, "LUAD")
    covariates = covariates_of(table)
    assert covariates.names == ("age", "sex", "stage", "purity")
    tff1 = expression(data, "LUAD", "TFF1", table.index)
    model = cox_adjusted(overall_survival(table), tff1, covariates.table, name="TFF1")
    rows = model.table.set_index("label")
    assert (rows.loc[["stage II", "stage III", "stage IV"], "p_value"] < 1e-5).all()
    assert rows.loc["stage I", "hazard_ratio"] == 1
    assert model.n + model.n_excluded == len(table.index.union(tff1.index))
    assert set(model.left_out) >= {"stage not known", "age not known"}


def test_glioblastoma_has_no_stage_to_adjust_for(data) -> None:
    covariates = covariates_of(clinical(data, "GBM"))
    assert covariates.names == ("age", "sex", "purity")
    assert covariates.note == "Not adjusted for: stage (not recorded)."
