"""How well a colour can be read on a ground, and figures that can be read on a page."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import plotly.graph_objects as go

TEXT_CONTRAST, GRAPHIC_CONTRAST = 4.5, 3.0
"""Least contrast of text, and of marks and large text (WCAG 2.2, 1.4.3 and 1.4.11, level AA)."""
CHART_TEXT = "#69707D"
"""Text of charts on a light page: 5.0:1 on white, and 3.8:1 should the page turn dark under it."""


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours written as "#RRGGBB", 1 to 21 (WCAG 2.2)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def blend(colour: str, opacity: float, ground: str) -> str:
    """Return what a colour with an opacity from 0 to 1 looks like on a ground, as "#RRGGBB"."""
    pairs = zip(_channels(colour), _channels(ground), strict=True)
    return "#" + "".join(
        f"{round(opacity * top + (1 - opacity) * under):02X}" for top, under in pairs
    )


def legible(figure: go.Figure, theme: str | None) -> go.Figure:
    """Return a figure whose text can be read on a page of the dashboard.

    Streamlit draws the text of charts on a light page in a grey of 3.7:1. On a dark page its grey
    is light enough, and left alone: it follows when the theme changes while a page is open, which
    a colour of the figure's own does not.

    Parameters
    ----------
    figure
        Left as it is.
    theme
        ``light`` or ``dark``; None where it is not known yet.

    Returns
    -------
    go.Figure
        A copy on a light page, otherwise the figure itself.
    """
    if theme != "light":
        return figure
    import plotly.graph_objects as go

    colour = {"color": CHART_TEXT}
    copy = go.Figure(figure).update_layout(font=colour, legend_font=colour)
    copy.update_xaxes(tickfont=colour, title_font=colour)
    return copy.update_yaxes(tickfont=colour, title_font=colour)


def _channels(colour: str) -> list[int]:
    return [int(colour[start : start + 2], 16) for start in (1, 3, 5)]


def _luminance(colour: str) -> float:
    """Return the relative luminance of sRGB."""
    linear = [
        c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4
        for c in (channel / 255 for channel in _channels(colour))
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
