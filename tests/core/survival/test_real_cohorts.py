"""Facts on TCGA that were checked independently, with the rule by which each was found."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from resvae_core.survival import (
    cox_per_sd,
    group_by_category,
    group_by_expression,
    kaplan_meier,
    log_rank,
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
