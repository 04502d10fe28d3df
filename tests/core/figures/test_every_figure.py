"""What holds for every figure, whatever it shows."""

from __future__ import annotations

import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from resvae_core.config import RESEARCH_USE
from resvae_core.figures.calibration import (
    coverage,
    coverage_takeaway,
    reliability,
    reliability_takeaway,
)
from resvae_core.figures.explanation import waterfall, waterfall_takeaway
from resvae_core.figures.forecasts import (
    drug_ranking,
    drug_ranking_takeaway,
    models_on_one_axis,
    models_on_one_axis_takeaway,
)
from resvae_core.figures.frame import SYNTHETIC, on_ground
from resvae_core.figures.performance import (
    differences,
    differences_takeaway,
    external,
    external_takeaway,
    leaderboard,
    leaderboard_takeaway,
)
from resvae_core.figures.quality import (
    expression_over_reference,
    expression_over_reference_takeaway,
    quantile_table,
)
from resvae_core.figures.survival import kaplan_meier_plot, kaplan_meier_takeaway
from resvae_core.survival import group_by_expression, kaplan_meier
from resvae_core.tables import SurvivalOutcome

MAY_BE_SYNTHETIC = ("ranking", "models", "waterfall", "reference", "survival")


@pytest.fixture
def drawn(
    forecast, limits, attribution, performance, bins, tests, covered, measured
) -> Callable[..., dict[str, go.Figure]]:
    profile = pd.Series(np.linspace(0, 10, 50))
    reference = quantile_table(pd.DataFrame(np.outer(np.linspace(0.9, 1.1, 9), profile)))
    drug = forecast[forecast["drug"] == "Erlotinib"]
    times = pd.Series(np.arange(1.0, 25), index=[f"P{n}" for n in range(24)])
    outcome = SurvivalOutcome(100 * times, times % 3 > 0)
    curves = kaplan_meier(outcome, group_by_expression((times * 7) % 24))

    def draw(**options: bool) -> dict[str, go.Figure]:
        plain = {
            "leaderboard": leaderboard(performance),
            "reliability": reliability(bins),
            "coverage": coverage(covered),
            "differences": differences(tests, metric="roc_auc", against="elastic net"),
            "external": external(measured, metric="spearman", truth="CTRPv2"),
        }
        return plain | {
            "ranking": drug_ranking(forecast, model="vae_ld", **options),
            "models": models_on_one_axis(drug, thresholds=limits, **options),
            "waterfall": waterfall(attribution, **options),
            "reference": expression_over_reference(profile, reference, **options),
            "survival": kaplan_meier_plot(curves, **options),
        }

    def takeaways() -> dict[str, str]:
        return {
            "leaderboard": leaderboard_takeaway(performance),
            "reliability": reliability_takeaway(bins),
            "coverage": coverage_takeaway(covered),
            "differences": differences_takeaway(tests, metric="roc_auc", against="elastic net"),
            "external": external_takeaway(measured, metric="spearman", truth="CTRPv2"),
            "ranking": drug_ranking_takeaway(forecast, model="vae_ld"),
            "models": models_on_one_axis_takeaway(drug, thresholds=limits),
            "waterfall": waterfall_takeaway(attribution),
            "reference": expression_over_reference_takeaway(profile, reference),
            "survival": kaplan_meier_takeaway(curves),
        }

    draw.takeaways = takeaways
    return draw


def notes(figure: go.Figure) -> str:
    return " ".join(str(annotation.text) for annotation in figure.layout.annotations)


def test_every_figure_says_research_use_only(drawn) -> None:
    assert all(RESEARCH_USE in notes(figure) for figure in drawn().values())


def test_synthetic_data_are_marked_only_where_they_are_synthetic(drawn) -> None:
    marked = drawn(synthetic=True)
    assert all(notes(marked[name]).count(SYNTHETIC) == 2 for name in MAY_BE_SYNTHETIC)
    assert all(SYNTHETIC not in notes(figure) for figure in drawn().values())


def test_every_figure_takes_text_and_ground_from_the_theme(drawn) -> None:
    for figure in drawn().values():
        assert figure.layout.paper_bgcolor == figure.layout.plot_bgcolor == "rgba(0, 0, 0, 0)"
        assert figure.layout.font.color is None
        assert all(note.font.color is None for note in figure.layout.annotations)


def test_takeaway_of_the_figure_is_one_sentence_and_the_functions(drawn) -> None:
    expected = drawn.takeaways()
    for name, figure in drawn().items():
        takeaway = figure.layout.meta["takeaway"]
        assert takeaway == expected[name]
        assert takeaway.endswith(".")
        assert "nan" not in takeaway


def test_every_figure_is_json_that_a_browser_reads(drawn) -> None:
    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is not JSON")

    for figure in drawn().values():
        assert json.loads(figure.to_json(), parse_constant=refuse)["data"]


@pytest.mark.parametrize(("mode", "ground"), [("light", "#FFFFFF"), ("dark", "#0E1117")])
def test_a_ground_for_export_leaves_the_figure_itself_alone(drawn, mode, ground) -> None:
    figure = drawn()["ranking"]
    copy = on_ground(figure, mode)
    assert copy.layout.paper_bgcolor == ground
    assert copy.layout.font.color == copy.layout.xaxis.tickfont.color
    assert figure.layout.font.color is None
    assert figure.layout.paper_bgcolor == "rgba(0, 0, 0, 0)"
