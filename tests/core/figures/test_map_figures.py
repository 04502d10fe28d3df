from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.maps import ELLIPSE_SHARE, line_map, line_map_takeaway


def traces(figure) -> dict[str, object]:
    """Return the traces that have points."""
    return {trace.name: trace for trace in figure.data if any(x is not None for x in trace.x)}


def notes(figure) -> str:
    return " ".join(str(note.text).replace("<br>", " ") for note in figure.layout.annotations)


def test_own_tissue_stands_out_and_others_are_grey(cell_lines) -> None:
    found = traces(line_map(cell_lines, tissue="LUAD"))
    own, others = found["LUAD lines"], found["Lines of other tissues"]
    assert list(own.x) == [0.0, 1.0]
    assert len(others.x) == 2
    assert own.marker.size > others.marker.size
    assert own.marker.color != others.marker.color


def test_shape_is_the_measured_response(cell_lines) -> None:
    figure = line_map(cell_lines, tissue="LUAD")
    assert list(traces(figure)["LUAD lines"].marker.symbol) == ["triangle-up", "triangle-down"]
    legend = [trace.name for trace in figure.data if trace.showlegend is not False]
    assert {"▲ Resistant", "▼ Sensitive"} <= set(legend)
    without = line_map(cell_lines.drop(columns="label"))
    assert set(traces(without)["Cell lines"].marker.symbol) == {"circle"}


def test_colour_may_be_the_response(cell_lines) -> None:
    found = traces(line_map(cell_lines, colour_by="response"))
    assert list(found["▲ Resistant"].x) == [0.0, 4.0]
    assert list(found["▼ Sensitive"].x) == [1.0]
    with pytest.raises(InputDataError, match="by response lacks label"):
        line_map(cell_lines.drop(columns="label"), colour_by="response")


def test_the_patient_is_a_named_diamond_and_nearest_lines_are_ringed(
    cell_lines, place, nearest
) -> None:
    figure = line_map(cell_lines, patient=place, nearest=nearest)
    found = traces(figure)
    assert found["P1"].marker.symbol == "diamond"
    assert list(found["3 nearest lines"].x) == [1.0, 0.0, -4.0]
    assert {"A549", "PC-9", "U-87"} <= {note.text for note in figure.layout.annotations}
    assert "a ringed line may look far" in notes(figure)


def test_names_of_crowded_lines_do_not_run_into_one_another(cell_lines, nearest) -> None:
    crowded = cell_lines.assign(x=[0.0, 0.01, 0.02, 4.0], y=[0.0, 0.01, 0.0, 3.0])
    figure = line_map(crowded, nearest=nearest)
    named = [note for note in figure.layout.annotations if note.text in set(cell_lines["name"])]
    for one, other in combinations(named, 2):
        apart = abs(one.xshift - other.xshift), abs(one.yshift - other.yshift)
        assert apart[0] > 20 or apart[1] > 12


def test_an_ellipse_holds_half_of_a_normal_cohort(cell_lines, outlines) -> None:
    points = np.random.default_rng(1).normal(size=(20_000, 2)) * [1.0, 0.5] + 0.5
    figure = line_map(cell_lines, cohorts=outlines)
    outline = next(trace for trace in figure.data if trace.fill == "toself")
    x, y = np.array(outline.x) - 0.5, np.array(outline.y) - 0.5
    assert x.max() == pytest.approx(np.sqrt(-2 * np.log(0.5)), abs=1e-6)
    inside = ((points - 0.5) ** 2 / [x.max() ** 2, y.max() ** 2]).sum(axis=1) <= 1
    assert inside.mean() == pytest.approx(ELLIPSE_SHARE, abs=0.01)
    assert "<i>LUAD</i>" in notes(figure)


def test_both_axes_have_one_scale(cell_lines) -> None:
    assert line_map(cell_lines).layout.yaxis.scaleanchor == "x"


def test_takeaway_says_tissue_and_response_of_the_nearest(cell_lines, place, nearest) -> None:
    assert line_map_takeaway(cell_lines, patient=place, nearest=nearest, tissue="LUAD") == (
        "Of the 3 cell lines nearest to P1 (first PC-9, A549, U-87), 2 are LUAD, as 50% of all "
        "lines are; 2 were measured and 1 of these is resistant."
    )
    assert line_map_takeaway(cell_lines) == "4 cell lines of 3 tissues on one map."


def test_without_a_tissue_the_most_frequent_is_named_in_words(cell_lines, nearest) -> None:
    bare = nearest.drop(columns="label", errors="ignore")
    soft = bare.assign(tissue=["soft_tissue", "LUAD", "soft_tissue"])
    assert line_map_takeaway(cell_lines, nearest=soft).endswith(", 2 are soft tissue.")
    even = bare.assign(tissue=["soft_tissue", "LUAD", "GBM"])
    assert line_map_takeaway(cell_lines, nearest=even).endswith(
        ", of 3 tissues, no more than 1 of any one."
    )


def test_lines_of_another_map_or_two_patients_are_refused(
    cell_lines, place, nearest, outlines
) -> None:
    with pytest.raises(InputDataError, match="1 of the nearest lines are not on the map"):
        line_map(cell_lines[:2], nearest=nearest)
    with pytest.raises(InputDataError, match="holds 2 values of 'sample'"):
        line_map(cell_lines, nearest=nearest.assign(sample=["P1", "P1", "P2"]))
    with pytest.raises(InputDataError, match="belong to no cloud"):
        line_map(cell_lines, cohorts=outlines.assign(cov_xy=5.0))
    with pytest.raises(InputDataError, match="lacks cov_xy"):
        line_map(cell_lines, cohorts=outlines.drop(columns="cov_xy"))
