from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.survival_screen import screen_takeaway, screen_volcano


def text_of(figure) -> str:
    notes = " ".join(str(note.text) for note in figure.layout.annotations)
    return notes.replace("<br>", " ")


def test_each_point_is_log2_ratio_and_p_of_the_gene_it_carries(screened) -> None:
    rows = screened.set_index("gene")
    found = {}
    for trace in screen_volcano(screened).data:
        for (gene, _), x, y in zip(trace.customdata, trace.x, trace.y, strict=True):
            assert x == pytest.approx(np.log2(rows.loc[gene, "hazard_ratio"]))
            found[gene] = y
    assert set(found) == set(screened.loc[screened["cox_p"].notna(), "gene"])
    assert found["DKK1"] == pytest.approx(9)


def test_sides_differ_by_word_shape_and_colour(screened) -> None:
    traces = screen_volcano(screened).data
    assert [trace.name for trace in traces] == [
        "Not clear, q ≥ 0.05 (1)",
        "High = longer survival (1)",
        "High = shorter survival (2)",
    ]
    assert len({trace.marker.symbol for trace in traces}) == 3
    assert len({trace.marker.color for trace in traces}) == 3


def test_dashed_line_parts_the_genes_by_q(screened) -> None:
    figure = screen_volcano(screened)
    line = next(shape for shape in figure.layout.shapes if shape.y0 == shape.y1)
    clear = screened["cox_q"] < 0.05
    heights = -np.log10(screened["cox_p"].clip(lower=1e-9))
    assert line.y0 == pytest.approx(heights[clear].min())
    assert heights[screened["cox_q"] >= 0.05].max() < line.y0
    none = screen_volcano(screened.assign(cox_q=1.0))
    assert all(shape.y0 != shape.y1 for shape in none.layout.shapes)
    assert "No gene reaches q < 0.05" in text_of(none)


def test_a_p_too_small_to_be_written_stands_with_the_smallest(screened) -> None:
    zero = screened.assign(cox_p=screened["cox_p"].replace(1e-9, 0.0))
    heights = [y for trace in screen_volcano(zero).data for y in trace.y]
    assert np.isfinite(heights).all()


def test_selected_gene_is_ringed_and_named_and_a_missing_one_said(screened) -> None:
    figure = screen_volcano(screened, selected="TFF1")
    ring = figure.data[-1]
    assert ring.name == "Selected: TFF1"
    assert ring.customdata[0][0] == "TFF1"
    assert "<b>TFF1</b>" in text_of(figure)
    assert "FLAT is not among these genes." in text_of(screen_volcano(screened, selected="FLAT"))


def test_genes_that_could_not_be_assessed_are_counted_not_drawn(screened) -> None:
    text = text_of(screen_volcano(screened))
    assert "Genes that could not be assessed, left out: 1" in text
    assert "Prognostic" in text


def test_takeaway_counts_sides_and_names_the_clearest(screened) -> None:
    assert screen_takeaway(screened, endpoint="PFI") == (
        "PFI: 3 of 4 genes assessed go with survival at q < 0.05 (2 shorter, 1 longer); "
        "clearest DKK1, hazard ratio 1.50 per SD, q < 0.001."
    )
    none = screen_takeaway(screened.assign(cox_q=0.5))
    assert "0 of 4 genes" in none
    assert "the smallest q is that of DKK1" in none


def test_many_points_are_drawn_by_webgl() -> None:
    n = 5_001
    table = pd.DataFrame(
        {"gene": [f"G{i}" for i in range(n)], "hazard_ratio": 1.1, "cox_p": 0.5, "cox_q": 0.9}
    )
    assert screen_volcano(table).data[0].type == "scattergl"


def test_a_gene_twice_or_none_assessed_is_refused(screened) -> None:
    with pytest.raises(InputDataError, match="A gene stands twice in the table for the screen"):
        screen_volcano(pd.concat([screened, screened]))
    with pytest.raises(InputDataError, match="None of 5 genes could be assessed"):
        screen_volcano(screened.assign(cox_p=np.nan))
