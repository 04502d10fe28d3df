from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core import survival
from resvae_core.config import RESEARCH_USE
from resvae_core.reporting import Report, SurvivalResults, methods_text, survival_methods
from resvae_core.tables import SurvivalOutcome
from tests.core.reporting.conftest import FILE_DIGEST, MakeReport


def test_methods_name_model_data_threshold_and_digests(report: Report) -> None:
    text = methods_text(report)
    origin, facts = report.provenance, report.facts
    for fact in (
        origin.model_set,
        origin.set_digest,
        FILE_DIGEST,
        f"{origin.n_lines} cancer cell lines",
        f"ln IC50 (µM) above {facts.threshold_ln_ic50:.2f}",
        "threshold (0.77)",
        "TreeSHAP",
        "Seed 0",
        "The sample was in range.",
        RESEARCH_USE,
    ):
        assert fact in text


def test_methods_tell_of_no_explanation_where_there_is_none(make_report: MakeReport) -> None:
    text = methods_text(make_report(explained=False))
    assert "TreeSHAP" not in text
    assert "Lundberg" not in text


def test_methods_of_a_refused_sample_say_that_nothing_was_predicted(refused: Report) -> None:
    text = methods_text(refused)
    assert "No prediction was made for it." in text
    assert "would have been predicted" in text


@pytest.fixture(scope="module")
def patients() -> tuple[SurvivalOutcome, pd.Series]:
    rng = np.random.default_rng(3)
    names = [f"P{number}" for number in range(80)]
    values = pd.Series(rng.normal(size=80), index=names)
    days = pd.Series(rng.exponential(900, 80) * np.exp(-0.4 * values.to_numpy()) + 1, index=names)
    event = pd.Series(rng.random(80) < 0.7, index=names)
    return SurvivalOutcome(days, event), values


def test_survival_methods_tell_what_was_computed_and_nothing_else(patients) -> None:
    outcome, values = patients
    groups = survival.group_by_expression(values, "median")
    ratio, test = survival.cox_per_sd(outcome, values), survival.log_rank(outcome, groups)
    text = survival_methods(
        SurvivalResults(
            cohort="a cohort",
            variable="expression of TFF1",
            curves=survival.kaplan_meier(outcome, groups),
            test=test,
            ratio=ratio,
            left_out={"no outcome": 3},
        )
    )
    for fact in (
        "80 patients of a cohort",
        "expression of TFF1",
        groups.description,
        test.p_label,
        ratio.label,
        "Left out: no outcome 3.",
        "prognostic",
        RESEARCH_USE,
    ):
        assert fact in text
    assert "Maximally selected" not in text
    assert "Restricted mean" not in text


def test_survival_methods_of_a_searched_cut_give_the_corrected_p_alone(patients) -> None:
    outcome, values = patients
    cut = survival.optimal_cut(outcome, values)
    test = survival.log_rank(outcome, cut.groups)
    text = survival_methods(
        SurvivalResults(
            cohort="a cohort",
            variable="a score",
            curves=survival.kaplan_meier(outcome, cut.groups),
            test=test,
            rmst=survival.rmst_difference(outcome, cut.groups),
            cut=cut,
            q_value=0.04,
            ratio=survival.cox_per_sd(outcome, values),
            n_genes=12,
        )
    )
    assert cut.label in text
    assert "corrected for the search" in text
    assert f"{test.test_name} (two-sided" not in text
    assert "Hothorn" in text
    assert "Corrected for 12 genes by Benjamini and Hochberg: q = 0.04." in text


def test_survival_methods_hide_p_where_a_group_is_small(patients) -> None:
    outcome, values = patients
    few = survival.group_by_expression(values, ("fixed", float(values.nlargest(6).min()) - 1e-6))
    text = survival_methods(
        SurvivalResults(
            cohort="a cohort",
            variable="a score",
            curves=survival.kaplan_meier(outcome, few),
            test=survival.log_rank(outcome, few),
        )
    )
    assert "p not shown: a group has fewer than 10 patients" in text
    assert "p = " not in text
