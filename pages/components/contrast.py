"""Colours that the theme cannot set: the text of charts, and of primary buttons on a dark page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import streamlit as st

from resvae_core.figures.contrast import legible

if TYPE_CHECKING:
    import plotly.graph_objects as go

DARK_GROUND = "#0E1117"
"""The dark theme's background."""
ON_PRIMARY = "#0E1117"
"""Text on the dark theme's primary colour: 5.7:1, where Streamlit's white has 3.3:1."""


def on_page(figure: go.Figure) -> go.Figure:
    """Return a figure whose text can be read in the theme that the page is shown in."""
    return legible(figure, shown_theme())


def shown_theme() -> Literal["light", "dark"] | None:
    """Return the theme that the page is shown in; None before the browser has said so.

    Where the program was started with one theme for everybody (`run.theme_options`), the browser's
    first word is still the one that it would have chosen itself.
    """
    grounds = {st.get_option(f"theme.{theme}.backgroundColor") for theme in ("light", "dark")}
    if len(grounds) > 1:
        return st.context.theme.type
    return "dark" if grounds == {DARK_GROUND} else "light"


def on_primary(label: str) -> str:
    """Return the label of a primary button, dark on a dark page.

    The dark theme's primary colour has to be light enough to be text itself, on tabs and chosen
    segments. Give the button a key: its label changes with the theme.
    """
    if shown_theme() != "dark":
        return label
    return f':color[{label}]{{foreground="{ON_PRIMARY}"}}'
