from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from resvae_core.figures.survival import kaplan_meier_plot, kaplan_meier_takeaway
from resvae_core.survival import (
    DAYS_PER_MONTH,
    KaplanMeier,
    cox_high_vs_low,
    group_by_expression,
    kaplan_meier,
    log_rank,
)
from resvae_core.tables import SurvivalOutcome


@pytest.fixture
def cohort() -> tuple[SurvivalOutcome, pd.Series]:
    generator = np.random.default_rng(5)
    names = [f"P{n}" for n in range(80)]
    days = pd.Series(np.ceil(generator.exponential(900, 80)), names)
    outcome = SurvivalOutcome(days, pd.Series(generator.random(80) < 0.6, names))
    return outcome, pd.Series(generator.uniform(0, 10, 80), names)


@pytest.fixture
def curves(cohort) -> KaplanMeier:
    outcome, values = cohort
    return kaplan_meier(outcome, group_by_expression(values))


def text_of(figure) -> str:
    return " ".join(note.text for note in figure.layout.annotations)


def test_risk_table_prints_the_counts_under_the_ticks(curves) -> None:
    figure = kaplan_meier_plot(curves)
    table = next(trace for trace in figure.data if trace.mode == "text")
    assert list(table.text) == [str(n) for n in curves.at_risk["at_risk"]]
    assert list(table.x) == curves.at_risk["time_months"].tolist()
    assert list(figure.layout.xaxis.tickvals) == sorted(set(table.x))
    assert figure.layout.xaxis2.matches == "x" or figure.layout.xaxis.matches == "x2"


def test_curves_are_steps_over_months_with_a_tick_at_each_censoring(curves) -> None:
    figure = kaplan_meier_plot(curves)
    low = curves.curve[curves.curve["group"] == "low"]
    line, ticks = (
        next(trace for trace in figure.data if trace.legendgroup == "low" and found(trace))
        for found in (lambda trace: trace.name, lambda trace: trace.mode == "markers")
    )
    assert line.line.shape == "hv"
    np.testing.assert_allclose(line.x, low["time_days"] / DAYS_PER_MONTH)
    assert len(ticks.x) == (low["censored"] > 0).sum()


def test_legend_names_size_events_and_median(curves) -> None:
    names = [trace.name for trace in kaplan_meier_plot(curves).data if trace.name]
    row = curves.summary.iloc[0]
    assert names[0].startswith(f"low: n {row['n']}, events {row['n_events']}, median ")


def test_cut_value_and_its_tie_rule_are_on_the_figure(curves) -> None:
    assert "Cut at the median" in text_of(kaplan_meier_plot(curves)).replace("<br>", " ")
    assert "not the effect of a drug" in text_of(kaplan_meier_plot(curves))


def test_p_and_ratio_are_printed(cohort, curves) -> None:
    outcome, values = cohort
    groups = group_by_expression(values)
    test, ratio = log_rank(outcome, groups), cox_high_vs_low(outcome, groups)
    text = text_of(kaplan_meier_plot(curves, test, ratio))
    assert test.p_label in text
    assert ratio.label in text


def test_p_of_a_small_group_is_nowhere_on_the_figure(cohort) -> None:
    outcome, values = cohort
    cut = float(values.sort_values().iloc[-6])
    groups = group_by_expression(values, ("fixed", cut))
    test, ratio = log_rank(outcome, groups), cox_high_vs_low(outcome, groups)
    small = kaplan_meier(outcome, groups)
    figure = kaplan_meier_plot(small, test, ratio)
    assert "p = " not in text_of(figure)
    assert "p = " not in kaplan_meier_takeaway(small, test)
    assert "fewer than 10 patients" in text_of(figure)
    assert any("fewer than 10 patients" in (trace.name or "") for trace in figure.data)


def test_takeaway_says_not_reached_instead_of_a_number() -> None:
    names = [f"P{n}" for n in range(12)]
    outcome = SurvivalOutcome(
        pd.Series(range(1, 13), names, dtype=float), pd.Series([True] + [False] * 11, names), "PFI"
    )
    takeaway = kaplan_meier_takeaway(kaplan_meier(outcome))
    assert takeaway == (
        "Progression-free interval, median by group: all not reached (n = 12, 1 events)."
    )


def test_a_curve_known_at_points_only_is_drawn_straight_between_them(curves) -> None:
    for read_off, shape in ((False, "hv"), (True, "linear")):
        lines = kaplan_meier_plot(replace(curves, read_off=read_off)).data
        drawn = [line for line in lines if line.mode == "lines"]
        assert {line.line.shape for line in drawn} == {shape}
