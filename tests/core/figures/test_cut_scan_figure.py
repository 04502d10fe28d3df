from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.cut_scan import cut_scan_plot, cut_scan_takeaway
from resvae_core.survival.log_rank import format_p


def text_of(figure) -> str:
    notes = " ".join(str(note.text) for note in figure.layout.annotations)
    return notes.replace("<br>", " ")


def test_every_cut_is_drawn_by_size_and_the_chosen_one_is_the_highest(best_cut) -> None:
    figure = cut_scan_plot(best_cut, variable="GENE, log2(TPM + 1)")
    line, chosen = figure.data[:2]
    np.testing.assert_allclose(line.x, best_cut.scan["cut"])
    np.testing.assert_allclose(line.y, best_cut.scan["statistic"].abs())
    assert list(chosen.x) == [best_cut.cut]
    assert chosen.y[0] == pytest.approx(max(line.y))
    assert figure.layout.xaxis.title.text == "Candidate cut: GENE, log2(TPM + 1)"
    assert {shape.x0 for shape in figure.layout.shapes} >= {best_cut.cut}


def test_the_corrected_p_value_is_named_and_the_uncorrected_one_shown_nowhere(best_cut) -> None:
    figure = cut_scan_plot(best_cut)
    text = text_of(figure)
    assert f"Corrected for trying {len(best_cut.scan)} cuts: {format_p(best_cut.p_value)}" in text
    assert format_p(best_cut.p_uncorrected) not in f"{text} {figure.layout.meta['takeaway']}"
    assert "so that number is not shown" in text
    assert "not the effect of a drug" in text
    takeaway = cut_scan_takeaway(best_cut)
    assert takeaway.endswith(f"{format_p(best_cut.p_value)}, corrected for the search.")


def test_the_result_on_held_out_patients_is_said_where_there_is_one(best_cut) -> None:
    assert best_cut.cross_validated.label in text_of(cut_scan_plot(best_cut))
    without = replace(best_cut, cross_validated=None)
    assert "Cross-validated" not in text_of(cut_scan_plot(without))


def test_p_of_a_group_below_ten_patients_is_nowhere_on_the_figure(best_cut) -> None:
    labels = best_cut.groups.labels.copy()
    labels[:] = "high"
    labels.iloc[:9] = "low"
    small = replace(best_cut, groups=replace(best_cut.groups, labels=labels), cross_validated=None)
    words = text_of(cut_scan_plot(small)) + cut_scan_takeaway(small)
    assert "p = " not in words
    assert "p not shown: a group has fewer than 10 patients" in words


def test_a_scan_without_cuts_is_refused(best_cut) -> None:
    with pytest.raises(InputDataError, match="scan of cuts has no rows"):
        cut_scan_plot(replace(best_cut, scan=best_cut.scan.iloc[:0]))
