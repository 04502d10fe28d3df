from __future__ import annotations

import plotly.graph_objects as go
import pytest

from resvae_core.figures.contrast import (
    CHART_TEXT,
    GRAPHIC_CONTRAST,
    TEXT_CONTRAST,
    blend,
    contrast,
    legible,
)
from resvae_core.figures.forest import forest_plot
from resvae_core.figures.frame import with_text
from resvae_core.figures.survival_screen import screen_volcano
from tests.core.figures.test_every_figure import text_colours
from tests.core.figures.test_palette import GROUNDS


def test_contrast_matches_the_values_of_the_wcag_definition() -> None:
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)
    assert contrast("#FFFFFF", "#777777") == contrast("#777777", "#FFFFFF")
    assert blend("#000000", 0.5, "#FFFFFF") == "#808080"
    assert blend("#123456", 1.0, "#FFFFFF") == "#123456"


def test_chart_text_reaches_aa_on_light_pages_and_stays_readable_should_they_turn_dark() -> None:
    for ground in ("#FFFFFF", "#F4F6F8"):
        assert contrast(CHART_TEXT, ground) >= TEXT_CONTRAST
    assert contrast(CHART_TEXT, GROUNDS["dark"]) >= GRAPHIC_CONTRAST


def test_a_light_page_gets_a_copy_with_all_text_coloured_and_a_dark_one_the_theme_s(
    cox_model,
) -> None:
    figure = forest_plot(cox_model)
    copy = legible(figure, "light")
    assert figure.layout.font.color is None
    assert set(text_colours(copy.to_plotly_json()["layout"])) == {CHART_TEXT}
    for axis in ("xaxis", "xaxis2", "yaxis"):
        assert copy.layout[axis].tickfont.color == copy.layout[axis].title.font.color == CHART_TEXT
    assert legible(figure, "dark") is legible(figure, None) is figure


def test_with_text_colours_every_axis_and_the_legend(screened) -> None:
    copy = with_text(screen_volcano(screened), "dark")
    colours = {copy.layout.font.color, copy.layout.legend.font.color}
    colours |= {copy.layout.xaxis.tickfont.color, copy.layout.yaxis.title.font.color}
    assert len(colours) == 1
    assert isinstance(copy, go.Figure)
