"""Survival by every gene at once: ratio per SD against its p-value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.directions import Q_CLEAR, q_words
from resvae_core.figures.frame import finish, require_columns
from resvae_core.figures.palette import NEUTRAL, RULE, SeriesStyle, series_style
from resvae_core.figures.rows import legend_above

if TYPE_CHECKING:
    import plotly.graph_objects as go

SCREEN_COLUMNS = ("gene", "hazard_ratio", "cox_p", "cox_q")
SIDES: dict[str, tuple[str, SeriesStyle]] = {
    "shorter": ("High = shorter survival", series_style(3)),
    "longer": ("High = longer survival", series_style(0)),
    "not clear": (f"Not clear, q ≥ {Q_CLEAR:g}", SeriesStyle(NEUTRAL, "solid", "circle")),
}
"""Side of a gene to its words and style; none of the colours is that of a call on a drug."""
_MARKERS = {"shorter": "triangle-up", "longer": "triangle-down", "not clear": "circle"}
_MANY = 5_000
_VOLCANO_PX = 420
_AXIS_PX = 78
_ROOM_BESIDE = 1.3
_LABEL_ROOM = (0.16, 0.045)
"""How far apart two names have to stand, as shares of width and height."""


def screen_volcano(
    table: pd.DataFrame,
    *,
    selected: str = "",
    endpoint: str = "OS",
    unit: str = "log2(TPM + 1)",
    n_labels: int = 5,
    synthetic: bool = False,
) -> go.Figure:
    """Draw the hazard ratio per SD of every gene against its p-value.

    Parameters
    ----------
    table
        Result of :func:`resvae_core.survival.screen_genes`: gene, hazard_ratio (per SD), cox_p,
        cox_q; NaN where a gene could not be assessed.
    selected
        The gene to ring and name; empty for none.
    endpoint
        OS, DSS, PFI or DFI, for the words.
    unit
        Of the expression: log2(TPM + 1), or z-scores.
    n_labels
        How many of the clearest genes a side are named.
    synthetic
        Whether the cohort is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        One trace a side, points in the order of the table, ``customdata[0]`` the gene. The
        dashed line is the largest p-value with q < 0.05, where there is one. Above 5,000 points
        a trace is drawn by WebGL.

    Raises
    ------
    InputDataError
        If a column is missing, a gene stands twice, or none could be assessed.
    """
    import plotly.graph_objects as go

    rows = _rows(table)
    wide = _ROOM_BESIDE * max(float(rows["effect"].abs().max()), 0.1)
    top = 1.12 * max(float(rows["height"].max()), 1.5)
    figure = go.Figure()
    for side in reversed(SIDES):
        _add_points(figure, rows[rows["side"] == side], side)
    _add_ring(figure, rows[rows["gene"] == selected])
    _name_genes(figure, rows, selected, n_labels, (2 * wide, top))
    clear = rows[rows["cox_q"] < Q_CLEAR]
    if len(clear):
        figure.add_hline(y=float(clear["height"].min()), line={"color": RULE, "dash": "dash"})
    figure.add_vline(x=0, line={"color": RULE, "width": 1})
    figure.update_xaxes(
        title_text="log<sub>2</sub> hazard ratio per SD of expression<br>"
        "high = longer survival ← 0 → high = shorter survival",
        range=[-wide, wide],
        zeroline=False,
    )
    figure.update_yaxes(
        title_text="−log<sub>10</sub> p (higher = clearer)",
        range=[-0.03 * top, top],
        zeroline=False,
        title_standoff=4,
    )
    figure.update_layout(clickmode="event+select", dragmode="pan", showlegend=True)
    legend_above(figure)
    return finish(
        figure,
        takeaway=screen_takeaway(table, endpoint=endpoint),
        height=_VOLCANO_PX + 60 + _AXIS_PX,
        notes=_notes(table, rows, selected, unit),
        synthetic=synthetic,
        top=60,
        bottom=_AXIS_PX,
    )


def screen_takeaway(table: pd.DataFrame, *, endpoint: str = "OS") -> str:
    """Count in one sentence the genes that go with survival, and name the clearest."""
    rows = _rows(table)
    counts = rows["side"].value_counts()
    n_clear = int(counts.drop("not clear", errors="ignore").sum())
    sentence = (
        f"{endpoint}: {n_clear:,} of {len(rows):,} genes assessed go with survival at q < "
        f"{Q_CLEAR:g} ({counts.get('shorter', 0):,} shorter, {counts.get('longer', 0):,} longer)"
    )
    first = _clearest(rows).iloc[0]
    most = "clearest" if n_clear else "the smallest q is that of"
    return (
        f"{sentence}; {most} {first['gene']}, hazard ratio {first['hazard_ratio']:.2f} per SD, "
        f"{q_words(first['cox_q'])}."
    )


def _rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the genes that could be assessed, with effect, height and side."""
    require_columns(table, SCREEN_COLUMNS, "the screen of genes")
    if table["gene"].duplicated().any():
        raise InputDataError(
            "A gene stands twice in the table for the screen; one row each was expected.",
            remedy="Hand over the screen of one cohort and endpoint.",
        )
    rows = table[table["hazard_ratio"].gt(0) & table["cox_p"].notna() & table["cox_q"].notna()]
    if rows.empty:
        raise InputDataError(
            f"None of {len(table)} genes could be assessed; at least one was expected.",
            remedy="Read the column note of the screen for why, and choose a larger cohort.",
        )
    # a p-value too small to be written stands with the smallest that is not
    p_values = rows["cox_p"]
    smallest = p_values[p_values > 0].min()
    floor = float(smallest) if smallest == smallest else 1e-16
    way = np.where(rows["hazard_ratio"] >= 1, "shorter", "longer")
    return rows.assign(
        effect=np.log2(rows["hazard_ratio"]),
        height=-np.log10(p_values.clip(lower=floor)),
        side=np.where(rows["cox_q"] < Q_CLEAR, way, "not clear"),
    )


def _clearest(rows: pd.DataFrame) -> pd.DataFrame:
    by = ["cox_q", "cox_p", "_size"]
    return rows.assign(_size=-rows["effect"].abs()).sort_values(by, kind="stable")


def _hover(rows: pd.DataFrame) -> list[tuple[str, str]]:
    """Return gene, and ratio and q-value in words."""
    columns = zip(rows["gene"], rows["hazard_ratio"], rows["cox_q"], strict=True)
    return [(str(gene), f"HR {ratio:.2f} per SD, {q_words(q)}") for gene, ratio, q in columns]


def _add_points(figure: go.Figure, rows: pd.DataFrame, side: str) -> None:
    """Add the genes of one side."""
    import plotly.graph_objects as go

    if rows.empty:
        return
    word, style = SIDES[side]
    is_clear = side != "not clear"
    draw = go.Scattergl if len(rows) > _MANY else go.Scatter
    figure.add_trace(
        draw(
            x=rows["effect"],
            y=rows["height"],
            mode="markers",
            name=f"{word} ({len(rows):,})",
            marker={
                "symbol": _MARKERS[side],
                "color": style.colour,
                "size": 7 if is_clear else 4,
                "opacity": 0.85 if is_clear else 0.45,
            },
            customdata=_hover(rows),
            hovertemplate=f"%{{customdata[0]}}: %{{customdata[1]}}<extra>{word}</extra>",
        )
    )


def _add_ring(figure: go.Figure, row: pd.DataFrame) -> None:
    """Ring the selected gene."""
    import plotly.graph_objects as go

    if row.empty:
        return
    figure.add_trace(
        go.Scatter(
            x=row["effect"],
            y=row["height"],
            mode="markers",
            name=f"Selected: {row['gene'].iloc[0]}",
            marker={"symbol": "circle-open", "size": 20, "color": NEUTRAL, "line": {"width": 3}},
            customdata=_hover(row),
            hovertemplate="%{customdata[0]}: %{customdata[1]}<extra>Selected</extra>",
        )
    )


def _name_genes(
    figure: go.Figure, rows: pd.DataFrame, selected: str, n_labels: int, size: tuple[float, float]
) -> None:
    """Name the selected gene and the clearest of each side, where names do not meet."""
    clear = _clearest(rows[rows["side"] != "not clear"])
    wanted = [rows[rows["gene"] == selected]]
    wanted += [clear[clear["side"] == side].head(3 * n_labels) for side in ("shorter", "longer")]
    placed: list[tuple[float, float]] = []
    for group, limit in zip(wanted, (1, n_labels, n_labels), strict=True):
        n_named = 0
        for gene, x, y in zip(group["gene"], group["effect"], group["height"], strict=True):
            spot = (x / size[0], y / size[1])
            if n_named == limit or any(_meet(spot, other) for other in placed):
                continue
            placed.append(spot)
            n_named += 1
            _name(figure, str(gene), x, y, is_selected=gene == selected)


def _meet(one: tuple[float, float], other: tuple[float, float]) -> bool:
    return all(abs(a - b) < room for a, b, room in zip(one, other, _LABEL_ROOM, strict=True))


def _name(figure: go.Figure, gene: str, x: float, y: float, *, is_selected: bool) -> None:
    """Write a gene's name outwards of its point, where a volcano has none."""
    outwards = 1 if x >= 0 else -1
    figure.add_annotation(
        text=f"<b>{gene}</b>" if is_selected else gene,
        x=x,
        y=y,
        showarrow=False,
        xanchor="left" if x >= 0 else "right",
        xshift=(13 if is_selected else 6) * outwards,
        font={"size": 11},
    )


def _notes(table: pd.DataFrame, rows: pd.DataFrame, selected: str, unit: str) -> list[str]:
    n_clear = int((rows["side"] != "not clear").sum())
    cut = (
        f"Dashed: largest p with q < {Q_CLEAR:g}" if n_clear else f"No gene reaches q < {Q_CLEAR:g}"
    )
    notes = [
        f"Cox regression a gene, per SD of {unit}, without a cut. {cut}; q is corrected "
        f"over the {len(rows):,} genes assessed (Benjamini–Hochberg).",
        "Prognostic: survival under any treatment, unadjusted; not the effect of a drug.",
    ]
    if n_left := len(table) - len(rows):
        notes.append(f"Genes that could not be assessed, left out: {n_left:,}; see the table.")
    if selected and not (rows["gene"] == selected).any():
        notes.append(f"{selected} is not among these genes.")
    return notes
