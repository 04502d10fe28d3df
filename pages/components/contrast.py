"""Colours that the theme cannot set: the text of charts, and of primary buttons on a dark page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from resvae_core.figures.contrast import legible

if TYPE_CHECKING:
    import plotly.graph_objects as go

ON_PRIMARY = "#0E1117"
"""Text on the dark theme's primary colour: 5.7:1, where Streamlit's white has 3.3:1."""


def on_page(figure: go.Figure) -> go.Figure:
    """Return a figure whose text can be read in the theme that the page is shown in."""
    return legible(figure, st.context.theme.type)


def on_primary(label: str) -> str:
    """Return the label of a primary button, dark on a dark page.

    The dark theme's primary colour has to be light enough to be text itself, on tabs and chosen
    segments. Give the button a key: its label changes with the theme.
    """
    if st.context.theme.type != "dark":
        return label
    return f':color[{label}]{{foreground="{ON_PRIMARY}"}}'
