"""What every figure has in common: transparent ground, the research-use line, the takeaway.

Text has no colour of its own: it takes that of the theme, or of :func:`with_text` where the theme
is known. Where a figure leaves the dashboard, :func:`on_ground` gives it a ground too.
"""

from __future__ import annotations

from collections.abc import Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, Literal

from resvae_core.config import RESEARCH_USE
from resvae_core.errors import InputDataError
from resvae_core.figures.palette import GRID, RULE

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

SYNTHETIC = "SYNTHETIC DATA"
_LINE_PX = 17
_NOTE_CHARACTERS = 88
NARROW_NOTE = 50
"""Characters of a line that fits beside row labels in a page of 400 px."""
_CLEAR = "rgba(0, 0, 0, 0)"
_GROUNDS = {"light": ("#FFFFFF", "#1B2430"), "dark": ("#0E1117", "#E6EAF0")}


def finish(
    figure: go.Figure,
    *,
    takeaway: str,
    height: int,
    notes: Sequence[str] = (),
    synthetic: bool = False,
    top: int = 40,
    bottom: int = 64,
    note_characters: int = _NOTE_CHARACTERS,
) -> go.Figure:
    """Give a figure its ground, margins, notes and the research-use line, and return it.

    Parameters
    ----------
    figure
        The figure; changed in place.
    takeaway
        One sentence that says what the figure shows; kept in ``figure.layout.meta["takeaway"]``
        for the caption and the alternative text.
    height
        Height of the drawing in pixels, without the notes.
    notes
        Lines written beneath the drawing, above the research-use line.
    synthetic
        Whether the data are synthetic: marks the drawing.
    top, bottom
        Margins in pixels that the drawing itself needs (legend, axis title).
    note_characters
        Characters a line of the notes: `NARROW_NOTE` where a figure is read on a telephone too.
    """
    lines = [line for note in notes for line in wrap(note, note_characters)]
    lines += [f"<b>{SYNTHETIC}</b> – not patients"] * synthetic
    lines += wrap(RESEARCH_USE, note_characters)
    if synthetic:
        _mark_synthetic(figure)
    foot = _LINE_PX * len(lines) + 8
    figure.update_layout(
        height=height + foot,
        margin={"l": 10, "r": 16, "t": top, "b": bottom + foot},
        paper_bgcolor=_CLEAR,
        plot_bgcolor=_CLEAR,
        meta={"takeaway": takeaway},
        hoverlabel={"namelength": -1},
    )
    figure.update_xaxes(gridcolor=GRID, zerolinecolor=GRID, linecolor=RULE, automargin=True)
    figure.update_yaxes(gridcolor=GRID, zerolinecolor=GRID, linecolor=RULE, automargin=True)
    figure.add_annotation(
        text="<br>".join(lines),
        xref="paper",
        yref="paper",
        x=0,
        y=0,
        xanchor="left",
        yanchor="top",
        yshift=-bottom,
        align="left",
        showarrow=False,
        font={"size": 11},
    )
    return figure


def with_text(figure: go.Figure, mode: Literal["light", "dark"]) -> go.Figure:
    """Return a copy whose text has full contrast on a light or a dark ground.

    A theme's own template may draw axis labels in a faded grey, below 4.5:1.
    """
    import plotly.graph_objects as go

    colour = {"color": _GROUNDS[mode][1]}
    copy = go.Figure(figure).update_layout(font=colour, legend_font=colour)
    copy.update_xaxes(tickfont=colour, title_font=colour)
    return copy.update_yaxes(tickfont=colour, title_font=colour)


def on_ground(figure: go.Figure, mode: Literal["light", "dark"]) -> go.Figure:
    """Return a copy with an opaque ground and text to match, for images and reports."""
    ground = _GROUNDS[mode][0]
    return with_text(figure, mode).update_layout(paper_bgcolor=ground, plot_bgcolor=ground)


def interval_bars(rows: pd.DataFrame, value: str) -> dict[str, object]:
    """Return Plotly's error bars from the columns lower and upper around a value."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (rows["upper"] - rows[value]).fillna(0.0),
        "arrayminus": (rows[value] - rows["lower"]).fillna(0.0),
        "thickness": 1.5,
        "width": 3,
    }


def require_columns(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Refuse a table that is empty or lacks a column.

    Raises
    ------
    InputDataError
        Naming the missing columns.
    """
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise InputDataError(
            f"The table for {what} lacks {', '.join(missing)}; it has "
            f"{', '.join(map(str, table.columns)) or 'no columns'}.",
            remedy="Hand over the table as the core makes it.",
        )
    if table.empty:
        raise InputDataError(
            f"The table for {what} has no rows; at least one was expected.",
            remedy="Choose a sample, drug or model that has results.",
        )


def require_one(table: pd.DataFrame, column: str, what: str) -> str:
    """Return the one value that a column holds.

    Raises
    ------
    InputDataError
        If it holds several: a figure of two patients or drugs in one would mislead.
    """
    values = table[column].unique()
    if len(values) != 1:
        raise InputDataError(
            f"The table for {what} holds {len(values)} values of {column!r}; one was expected.",
            remedy=f"Choose one {column} first.",
        )
    return str(values[0])


def _mark_synthetic(figure: go.Figure) -> None:
    """Write across the drawing that its data are synthetic, faintly, behind nothing."""
    figure.add_annotation(
        text=SYNTHETIC,
        xref="paper",
        yref="paper",
        x=0.5,
        y=0.55,
        showarrow=False,
        textangle=-20,
        opacity=0.16,
        font={"size": 44},
    )
