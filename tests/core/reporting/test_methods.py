from __future__ import annotations

from dataclasses import replace

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
        f"{test.statistic_label}, {test.p_label}.",
        ratio.label,
        "The division was made without knowledge of the outcome.",
        "Left out: 3 (no outcome).",
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
    assert "Corrected for 12 tests by Benjamini and Hochberg: q = 0.04." in text
    assert (
        "12 tests were made, a gene in a cohort each: the p-values above are those of this" in text
    )
    assert "without knowledge of the outcome" not in text


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


def test_survival_methods_say_what_is_not_known_of_a_cut_that_was_entered(patients) -> None:
    outcome, values = patients
    groups = survival.group_by_expression(values, ("fixed", 0.2))
    results = SurvivalResults(
        cohort="a cohort",
        variable="predicted resistance",
        curves=survival.kaplan_meier(outcome, groups),
        fixed=True,
        note="Expression is given as z-scores.",
        models="A (sha256 1f2e)",
    )
    text = survival_methods(results)
    assert "holds only if it was chosen before the outcome was seen." in text
    assert "without knowledge of the outcome" not in text
    assert "(57 events). Expression is given as z-scores.\n" in text
    assert "Scores are those of model set A (sha256 1f2e)." in text
    searched = survival_methods(replace(results, cut=survival.optimal_cut(outcome, values)))
    assert "parts the patients as a search for the best-separating cut does" in searched
    assert "holds only if" not in searched


def test_survival_methods_hide_every_p_of_a_signal_that_few_patients_carry(patients) -> None:
    outcome, values = patients
    groups = survival.group_by_expression(values)
    few = values.where(values.rank() > 75, -9.0)
    text = survival_methods(
        SurvivalResults(
            cohort="a cohort",
            variable="expression of a rare gene",
            curves=survival.kaplan_meier(outcome, groups),
            ratio=survival.cox_per_sd(outcome, few),
            adjusted=survival.cox_adjusted(outcome, few, values.to_frame("age"), name="gene"),
            q_value=0.001,
            n_genes=200,
        )
    )
    assert "p not shown: fewer than 10 patients differ in value from the rest." in text
    assert "p of gene not shown" in text
    for hidden in ("p = ", "q = ", "Schoenfeld residuals (", "Corrected for", "tests were made"):
        assert hidden not in text


def test_survival_methods_say_that_p_after_a_search_over_genes_is_uncorrected(patients) -> None:
    outcome, values = patients
    groups = survival.group_by_expression(values)
    results = SurvivalResults(
        cohort="a cohort",
        variable="expression of TFF1",
        curves=survival.kaplan_meier(outcome, groups),
        test=survival.log_rank(outcome, groups),
        n_genes=200,
    )
    assert "200 tests were made, a gene in a cohort each: the p-values above" in survival_methods(
        results
    )
    assert "tests were made" not in survival_methods(replace(results, n_genes=1))


def test_survival_methods_say_whom_a_landmark_and_a_stratum_leave_out(patients) -> None:
    outcome, values = patients
    later = survival.landmark(outcome, 100.0)
    groups = survival.group_by_expression(values.loc[later.outcome.patients])
    strata = pd.Series("I", groups.labels.index, name="stage")
    strata.iloc[:2] = np.nan
    test = survival.log_rank(later.outcome, groups, strata)
    text = survival_methods(
        SurvivalResults(
            cohort="a cohort",
            variable="a score",
            curves=survival.kaplan_meier(later.outcome, groups),
            test=test,
            strata="stage",
            landmark_day=100.0,
            left_out={"with the event by day 100": later.n_events_before, "last seen": 0},
        )
    )
    assert "an event, or last seen, on or before it were left out." in text
    assert f"Left out: {later.n_events_before} (with the event by day 100)." in text
    assert (
        f"stratified by stage (1 stratum) (two-sided; {test.n} patients, {test.n_events} events; "
        "left out: 2 (no stratum)): χ²"
    ) in text
