"""Figures with one row a gene, drug or pair: order, legend above, dot and interval."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from resvae_core.figures.palette import RULE

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go


def fix_rows(figure: go.Figure, keys: Sequence[str], labels: Sequence[str] | None = None) -> None:
    """Fix rows to their order, first on top, with labels of their own where given."""
    keys = list(keys)
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=keys[::-1],
        tickmode="array",
        tickvals=keys,
        ticktext=keys if labels is None else list(labels),
        range=[-0.6, len(keys) - 0.4],
        zeroline=False,
    )


def number_rows(figure: go.Figure, labels: Sequence[str]) -> None:
    """Label rows that stand at 0, 1, 2 …, counted from the top."""
    figure.update_yaxes(
        tickmode="array",
        tickvals=list(range(len(labels))),
        ticktext=list(labels),
        range=[len(labels) - 0.4, -0.6],
        zeroline=False,
    )


def legend_above(figure: go.Figure) -> None:
    """Put the legend in a line above the drawing."""
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"}
    )


def joined(figure: go.Figure, rows: pd.DataFrame, start: str, end: str, labels: str) -> None:
    """Draw a thin line a row between two numbers, beneath the marks."""
    import plotly.graph_objects as go

    known = rows[rows[start].notna() & rows[end].notna()]
    x = [part for row in known[[start, end]].to_numpy(float) for part in (*row, None)]
    y = [part for label in known[labels] for part in (label, label, None)]
    figure.add_trace(
        go.Scatter(
            x=x,
            y=y,
            mode="lines",
            line={"color": RULE, "width": 1.5},
            showlegend=False,
            hoverinfo="skip",
        )
    )
