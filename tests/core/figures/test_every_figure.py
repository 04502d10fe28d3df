"""What holds for every figure, whatever it shows."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest

from resvae_core.config import RESEARCH_USE
from resvae_core.features.distribution import quantile_table
from resvae_core.figures.beeswarm import (
    attribution_bands,
    attribution_bands_takeaway,
    beeswarm,
    beeswarm_takeaway,
    shared_genes,
    shared_genes_takeaway,
)
from resvae_core.figures.biomarkers import (
    adjustment,
    adjustment_takeaway,
    controls,
    controls_takeaway,
    volcano,
    volcano_takeaway,
)
from resvae_core.figures.calibration import (
    coverage,
    coverage_takeaway,
    reliability,
    reliability_takeaway,
)
from resvae_core.figures.contrast import contrast
from resvae_core.figures.cut_scan import cut_scan_plot, cut_scan_takeaway
from resvae_core.figures.explanation import waterfall, waterfall_takeaway
from resvae_core.figures.forecasts import (
    drug_ranking,
    drug_ranking_takeaway,
    models_on_one_axis,
    models_on_one_axis_takeaway,
)
from resvae_core.figures.forest import forest_plot, forest_takeaway
from resvae_core.figures.frame import SYNTHETIC, on_ground
from resvae_core.figures.maps import line_map, line_map_takeaway
from resvae_core.figures.model_sets import (
    drift_by_drug,
    drift_takeaway,
    set_metrics,
    set_metrics_takeaway,
)
from resvae_core.figures.pathways import (
    enrichment_bars,
    enrichment_bars_takeaway,
    pathway_bars,
    pathway_bars_takeaway,
)
from resvae_core.figures.performance import (
    differences,
    differences_takeaway,
    external,
    external_takeaway,
    leaderboard,
    leaderboard_takeaway,
)
from resvae_core.figures.position import position_in_cohort, position_takeaway
from resvae_core.figures.quality import (
    expression_over_reference,
    expression_over_reference_takeaway,
)
from resvae_core.figures.survival import kaplan_meier_plot, kaplan_meier_takeaway
from resvae_core.figures.survival_screen import screen_takeaway, screen_volcano
from resvae_core.figures.training_curves import (
    fold_metrics,
    fold_takeaway,
    loss_curves,
    loss_takeaway,
)
from resvae_core.figures.transfer import (
    alignment_shift,
    alignment_shift_takeaway,
    distributions,
    distributions_takeaway,
    response_intervals,
    response_intervals_takeaway,
    sample_matrix,
    sample_matrix_takeaway,
    task_heatmap,
    task_heatmap_takeaway,
)
from resvae_core.survival import group_by_expression, kaplan_meier
from resvae_core.tables import SurvivalOutcome
from tests.core.figures.test_palette import GROUNDS

MAY_BE_SYNTHETIC = (
    *("ranking", "models", "waterfall", "reference", "survival"),
    *("beeswarm", "bands", "shared", "pathways", "matrix", "map"),
    *("forest", "cut scan", "screen", "position"),
)


@pytest.fixture
def of_patient(swarm, bands, own, shared, pathways, forecast, cell_lines, nearest, place, outlines):
    """Name to a figure of a patient, its takeaway and what both take."""
    around = {"patient": place, "nearest": nearest, "tissue": "LUAD"}
    return {
        "beeswarm": (beeswarm, beeswarm_takeaway, (swarm,), {"patient": "P3"}),
        "bands": (attribution_bands, attribution_bands_takeaway, (bands, own), {}),
        "shared": (shared_genes, shared_genes_takeaway, (shared,), {}),
        "pathways": (pathway_bars, pathway_bars_takeaway, (pathways,), {}),
        "matrix": (sample_matrix, sample_matrix_takeaway, (forecast,), {"model": "vae_ld"}),
        "map": (
            lambda *tables, **options: line_map(*tables, cohorts=outlines, **options),
            line_map_takeaway,
            (cell_lines,),
            around,
        ),
    }


@pytest.fixture
def of_survival(cox_model, best_cut, screened, cohort_scores):
    """Name to a figure that may be of a synthetic cohort, its takeaway and what both take."""
    patient = {"call": "sensitive", "drug": "Gefitinib", "cohort": "LUAD"}
    return {
        "forest": (forest_plot, forest_takeaway, (cox_model,), {}),
        "cut scan": (cut_scan_plot, cut_scan_takeaway, (best_cut,), {}),
        "screen": (screen_volcano, screen_takeaway, (screened,), {}),
        "position": (position_in_cohort, position_takeaway, (cohort_scores, 0.4), patient),
    }


@pytest.fixture
def of_cohorts(enriched, biomarkers, panel_genes, known_pairs, tasks, responses):
    """Name to a figure of cohorts or cell lines, its takeaway and what both take."""
    luad = {"cohort": "LUAD"}
    return {
        "enrichment": (enrichment_bars, enrichment_bars_takeaway, (enriched,), {}),
        "volcano": (volcano, volcano_takeaway, (biomarkers,), {}),
        "adjustment": (adjustment, adjustment_takeaway, (panel_genes,), {}),
        "controls": (controls, controls_takeaway, (known_pairs,), {}),
        "tasks": (task_heatmap, task_heatmap_takeaway, (tasks,), {}),
        "distributions": (distributions, distributions_takeaway, (tasks,), luad),
        "alignment": (alignment_shift, alignment_shift_takeaway, (tasks,), luad),
        "responses": (response_intervals, response_intervals_takeaway, (responses,), {}),
    }


@pytest.fixture
def of_training():
    """Name to a figure of a training that runs, its takeaway and what both take."""
    points = [("vae_ld/0/0/0", epoch, "loss", 1 / epoch) for epoch in range(1, 4)]
    points += [(f"{kind}/0/0", 0, "roc_auc", 0.7) for kind in ("vae_ld", "tissue_mean")]
    curve = pd.DataFrame(points, columns=["series", "epoch", "name", "value"])
    curve["n"] = range(len(curve))
    return {
        "losses": (loss_curves, loss_takeaway, (curve,), {}),
        "folds": (fold_metrics, fold_takeaway, (curve,), {}),
        **of_model_sets(),
    }


def of_model_sets():
    """Return figures of a candidate beside the active set, as `of_training` does."""
    ends = ("mean", "lower", "upper")
    bounds = [f"{end}_{name}" for name in ("candidate", "active") for end in ends]
    judged = pd.DataFrame(
        [
            ("vae_ld", False, 0.72, 0.68, 0.76, 0.70, 0.66, 0.74),
            ("random_forest", False, np.nan, np.nan, np.nan, 0.69, 0.65, 0.73),
            ("tissue_mean", True, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5),
        ],
        columns=["model", "floor", *bounds],
    ).assign(split="leave_cell_line_out", metric="roc_auc")
    moved = pd.DataFrame(
        {
            "cohort": ["LUAD", "GBM"] * 2,
            "synthetic": False,
            "model": "default",
            "drug": ["Erlotinib", "Erlotinib", "Cisplatin", "Cisplatin"],
            "n": [100, 300, 100, 300],
            "mean_change": [0.1, -0.1, 0.02, 0.01],
            "p95_change": [0.2, 0.4, 0.05, 0.05],
        }
    )
    shown = {"split": "leave_cell_line_out", "metric": "roc_auc"}
    return {
        "set metrics": (set_metrics, set_metrics_takeaway, (judged,), shown),
        "drift": (drift_by_drug, drift_takeaway, (moved,), {"model": "default"}),
    }


@pytest.fixture
def drawn(
    forecast,
    limits,
    attribution,
    performance,
    bins,
    tests,
    covered,
    measured,
    of_patient,
    of_cohorts,
    of_survival,
    of_training,
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
        for name, (figure, _, tables, options_of_its_own) in (of_cohorts | of_training).items():
            plain[name] = figure(*tables, **options_of_its_own)
        for name, (figure, _, tables, options_of_its_own) in (of_patient | of_survival).items():
            plain[name] = figure(*tables, **options_of_its_own, **options)
        return plain | {
            "ranking": drug_ranking(forecast, model="vae_ld", **options),
            "models": models_on_one_axis(drug, thresholds=limits, **options),
            "waterfall": waterfall(attribution, **options),
            "reference": expression_over_reference(profile, reference, **options),
            "survival": kaplan_meier_plot(curves, **options),
        }

    def takeaways() -> dict[str, str]:
        of_tables = {
            name: takeaway(*tables, **options)
            for name, (_, takeaway, tables, options) in (
                of_patient | of_cohorts | of_survival | of_training
            ).items()
        }
        return of_tables | {
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
    texts = (str(annotation.text) for annotation in figure.layout.annotations)
    return " ".join(texts).replace("<br>", " ")


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


def test_every_mark_reaches_the_wcag_contrast_of_graphics(drawn) -> None:
    for name, figure in drawn().items():
        colours = [
            colour
            for trace in figure.data
            for colour in marks(trace)
            if isinstance(colour, str) and colour.startswith("#")
        ]
        found = [contrast(colour, ground) for colour in colours for ground in GROUNDS.values()]
        assert min(found, default=3.0) >= 3.0, name


def marks(trace: go.Scatter) -> list[object]:
    """Return the colours of a trace's marks: one, one a point, or a scale."""
    marker = getattr(trace, "marker", None)
    if marker is None:
        return []
    scale = [colour for _, colour in getattr(marker, "colorscale", None) or ()]
    return [*scale, *([marker.color] if isinstance(marker.color, str) else [])]


def test_every_axis_of_an_effect_says_which_way_is_resistant(drawn) -> None:
    figures = drawn()
    for name in (
        *("beeswarm", "bands", "shared", "pathways", "volcano", "adjustment", "responses"),
        *("distributions", "alignment", "enrichment"),
    ):
        titles = figures[name].layout.xaxis.title.text
        assert "resistan" in titles, name
    for name in ("tasks", "matrix"):
        bar = figures[name].data[0].colorbar
        assert bar.ticktext == ("0 ▼ sensitive", "0.5", "1 ▲ resistant")


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


def text_colours(part: object, within: str = "") -> Iterator[str]:
    """Yield the colours of fonts in a part of a figure, and those written into its labels."""
    if isinstance(part, dict):
        for name, value in part.items():
            if name == "template":  # the theme's, in its place in the dashboard
                continue
            if name == "color" and within.endswith("font") and isinstance(value, str):
                yield value
            yield from text_colours(value, name)
    elif isinstance(part, list):
        for value in part:
            yield from text_colours(value, within)
    elif isinstance(part, str):
        yield from (piece[:7] for piece in part.split("color:")[1:])


def test_text_of_every_exported_figure_reaches_aa_on_light_and_on_dark_ground(drawn) -> None:
    for name, figure in drawn().items():
        # no trace has a colour of its own for its words
        assert list(text_colours([trace.to_plotly_json() for trace in figure.data])) == [], name
        for mode, ground in GROUNDS.items():
            copy = on_ground(figure, mode)
            assert copy.layout.paper_bgcolor == ground
            found = set(text_colours(copy.layout.to_plotly_json()))
            assert found, name
            assert all(contrast(colour, ground) >= 4.5 for colour in found), name
