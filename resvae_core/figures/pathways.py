"""Genes added up: by pathway for one sample, and by enriched set for a list of genes."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.directions import (
    ATTRIBUTION_AXIS,
    DIRECTIONS,
    Q_CLEAR,
    TOWARDS,
    q_words,
    signed,
    style_of,
    with_sign,
)
from resvae_core.figures.frame import finish, require_columns, require_one
from resvae_core.figures.palette import CALLS, RULE, faded, series_style
from resvae_core.figures.rows import fix_rows, legend_above

if TYPE_CHECKING:
    import plotly.graph_objects as go

PATHWAY_COLUMNS = ("pathway", "attribution", "n_genes", "top_genes")
ENRICHMENT_COLUMNS = ("set", "overlap", "size", "q_value", "nes")

_ROW_PX = 34
_LABEL_CHARACTERS = 34
_SMALLEST_Q = 1e-300


def pathway_bars(
    table: pd.DataFrame, *, n_pathways: int = 12, synthetic: bool = False
) -> go.Figure:
    """Show how much the genes of each pathway move one sample's score together.

    Parameters
    ----------
    table
        One row a pathway of one sample, drug and model: pathway, attribution (sum over its genes,
        log-odds of resistance), n_genes (of the model's genes that are counted to it), top_genes
        (its leading genes, as text).
    n_pathways
        How many pathways get a bar, by absolute attribution.
    synthetic
        Whether the sample is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        One bar a pathway, the largest on top. ▲ towards resistant, ▼ towards sensitive.

    Raises
    ------
    InputDataError
        If a column is missing, or a pathway stands twice.
    """
    import plotly.graph_objects as go

    rows = _pathway_rows(table).head(n_pathways)
    figure = go.Figure()
    for direction in DIRECTIONS:
        chosen = rows[(rows["attribution"] >= 0) == (direction == "resistant")]
        if len(chosen):
            figure.add_trace(_pathway_bar(chosen, direction))
    figure.add_vline(x=0, line={"color": RULE, "width": 1.5})
    labels = [
        f"{_in_lines(str(row.pathway))} ({row.n_genes} gene{'' if row.n_genes == 1 else 's'})"
        for row in rows.itertuples()
    ]
    fix_rows(figure, list(rows["pathway"]), labels)
    figure.update_xaxes(title_text=ATTRIBUTION_AXIS, range=_limits(rows["attribution"], 0.22))
    legend_above(figure)
    left_out = len(table) - len(rows)
    return finish(
        figure,
        takeaway=pathway_bars_takeaway(table),
        height=len(rows) * _ROW_PX + 150,
        notes=[
            "Sum of the attributions of a pathway's genes."
            + (f" {left_out} smaller ones are not shown." if left_out else "")
            + " It explains the model, and is no test of the pathway's activity."
        ],
        synthetic=synthetic,
        top=50,
        bottom=76,
    )


def pathway_bars_takeaway(table: pd.DataFrame) -> str:
    """Name in one sentence the pathways that move the score most, with their leading genes."""
    rows = _pathway_rows(table)
    first = rows.iloc[0]
    second = [
        f"{row['pathway']} ({with_sign(row['attribution'])})"
        for row in rows[1:3].to_dict("records")
    ]
    return (
        f"Added up by pathway, the score is moved most by {first['pathway']} "
        f"({with_sign(first['attribution'])} log-odds of resistance, {_top(first)})"
        f"{', then ' if second else ''}{' and '.join(second)}."
    )


def enrichment_bars(table: pd.DataFrame, *, n_sets: int = 15) -> go.Figure:
    """Show which gene sets are enriched, by a ranked list or by overlap with a chosen list.

    Parameters
    ----------
    table
        One row a gene set: set, overlap (genes of the list in it), size (its genes that could
        have been chosen), q_value (Benjamini–Hochberg), nes (normalised enrichment score, above
        0 where its genes stand at the resistant end of the ranking; NaN for over-representation).
    n_sets
        How many sets get a bar, smallest q first.

    Returns
    -------
    go.Figure
        By normalised enrichment score where the table has one, else by −log10 q. Filled below
        q 0.05, hollow above.

    Raises
    ------
    InputDataError
        If a column is missing, a set stands twice, or no set has a number.
    """
    import plotly.graph_objects as go

    rows = _enrichment_rows(table).head(n_sets)
    ranked = bool(rows["nes"].notna().any())
    rows = rows.assign(x=rows["nes"] if ranked else _clearness(rows["q_value"]))
    figure = go.Figure()
    for name, chosen, colour, filled in _enrichment_groups(rows, ranked):
        figure.add_trace(_set_bar(chosen, name, colour, filled))
    title = (
        f"Normalised enrichment score<br>{TOWARDS}"
        if ranked
        else "−log<sub>10</sub> q (further right = clearer)"
    )
    limits = _limits(rows["x"], 0.5)
    if not ranked:  # the line at q 0.05 is always in the picture
        limits = [0.0, max(limits[1], -1.5 * float(np.log10(Q_CLEAR)))]
    figure.update_xaxes(title_text=title, range=limits, zeroline=False)
    figure.add_vline(x=0, line={"color": RULE, "width": 1.5})
    if not ranked:
        figure.add_vline(x=-np.log10(Q_CLEAR), line={"color": RULE, "dash": "dash"}, layer="below")
    fix_rows(figure, list(rows["set"]), [_in_lines(_set_words(name)) for name in rows["set"]])
    legend_above(figure)
    figure.update_layout(showlegend=True)
    return finish(
        figure,
        takeaway=enrichment_bars_takeaway(table),
        height=len(rows) * _ROW_PX + 170,
        notes=[
            f"Number at a bar: q-value, genes of the list in the set of the set's size. "
            f"Filled: q < {Q_CLEAR:g}; hollow: not. The background is every gene that could have "
            "been chosen."
        ],
        top=74,
        bottom=76 if ranked else 60,
    )


def enrichment_bars_takeaway(table: pd.DataFrame) -> str:
    """Say in one sentence how many sets are enriched, and name the clearest."""
    rows = _enrichment_rows(table)
    clear = rows[rows["q_value"] < Q_CLEAR]
    tested = f"{len(rows)} gene set{'' if len(rows) == 1 else 's'} looked at"
    if clear.empty:
        return f"Of {tested}, none is enriched (smallest q {rows['q_value'].min():.2g})."
    first = rows.iloc[0]
    words = f"{_set_words(str(first['set']))} ({_set_text(first)})"
    return f"Of {tested}, {len(clear)} below q {Q_CLEAR:g}; clearest {words}."


def _pathway_rows(table: pd.DataFrame) -> pd.DataFrame:
    what = "the pathways"
    require_columns(table, PATHWAY_COLUMNS, what)
    for column in ("sample", "drug", "model"):
        if column in table:
            require_one(table, column, what)
    _require_once(table, "pathway", what)
    return table.sort_values("attribution", key=np.abs, ascending=False, kind="stable")


def _enrichment_rows(table: pd.DataFrame) -> pd.DataFrame:
    what = "the enrichment"
    require_columns(table, ENRICHMENT_COLUMNS, what)
    _require_once(table, "set", what)
    rows = table[table["q_value"].notna()]
    require_columns(rows, ENRICHMENT_COLUMNS, "the enrichment with a q-value")
    size = rows["nes"].abs().where(rows["nes"].notna(), rows["overlap"] / rows["size"])
    ordered = rows.assign(_size=-size).sort_values(["q_value", "_size"], kind="stable")
    return ordered.drop(columns="_size")


def _require_once(table: pd.DataFrame, column: str, what: str) -> None:
    if table[column].duplicated().any():
        raise InputDataError(
            f"A {column} stands twice in the table for {what}; one row each was expected.",
            remedy="Hand over one sample, drug and list of genes.",
        )


def _top(row: pd.Series[float]) -> str:
    genes = str(row["top_genes"])
    return f"foremost {genes}" if genes else f"{row['n_genes']} genes"


def _pathway_bar(rows: pd.DataFrame, direction: str) -> go.Bar:
    import plotly.graph_objects as go

    style = CALLS[direction]
    return go.Bar(
        x=rows["attribution"],
        y=rows["pathway"],
        orientation="h",
        name=f"{style.symbol} Towards {style.word.lower()}",
        marker={"color": style.colour, "line": {"width": 0}},
        text=[f"{style.symbol} {signed(part)}" for part in rows["attribution"]],
        textposition="outside",
        cliponaxis=False,
        customdata=[str(genes) for genes in rows["top_genes"]],
        hovertemplate="%{y}: %{text} log-odds<br>%{customdata}<extra></extra>",
    )


def _enrichment_groups(
    rows: pd.DataFrame, ranked: bool
) -> list[tuple[str, pd.DataFrame, str, bool]]:
    """Return legend, rows, colour and whether filled, by direction and by q below 0.05."""
    clear = rows["q_value"] < Q_CLEAR
    groups = []
    for filled, words in ((True, f"q < {Q_CLEAR:g}"), (False, "not clear")):
        if not ranked:
            groups.append((words, clear == filled, series_style(0).colour, filled))
            continue
        for direction in DIRECTIONS:
            style, side = CALLS[direction], (rows["nes"] >= 0) == (direction == "resistant")
            name = f"{style.symbol} Towards {style.word.lower()}, {words}"
            groups.append((name, (clear == filled) & side, style.colour, filled))
    return [
        (name, rows[mask], colour, filled) for name, mask, colour, filled in groups if mask.any()
    ]


def _set_bar(rows: pd.DataFrame, name: str, colour: str, filled: bool) -> go.Bar:
    import plotly.graph_objects as go

    return go.Bar(
        x=rows["x"],
        y=rows["set"],
        orientation="h",
        name=name,
        marker={
            "color": colour if filled else faded(colour, 0.0),
            "line": {"color": colour, "width": 1.5},
        },
        text=[_set_text(row) for _, row in rows.iterrows()],
        textposition="outside",
        cliponaxis=False,
        hovertemplate="%{y}: %{text}<extra></extra>",
    )


def _set_text(row: pd.Series[float]) -> str:
    nes = "" if np.isnan(row["nes"]) else f"{style_of(row['nes']).symbol} "
    return f"{nes}{q_words(row['q_value'])}, {row['overlap']:.0f} of {row['size']:.0f}"


def _clearness(q_values: pd.Series[float]) -> pd.Series[float]:
    return -q_values.clip(lower=_SMALLEST_Q).map(np.log10)


def _set_words(name: str) -> str:
    """Return a set's name for readers: collections write it in capitals with underscores."""
    return name.replace("_", " ")


def _in_lines(text: str) -> str:
    """Break a long label over two lines at most."""
    lines = wrap(text, _LABEL_CHARACTERS)
    return "<br>".join(lines if len(lines) <= 2 else [lines[0], f"{lines[1]} …"])


def _limits(values: pd.Series[float], room: float) -> list[float]:
    """Return limits with room for the text at the end of each bar."""
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    room *= (high - low) or 1.0
    return [low - room * (low < 0), high + room * (high > 0)]
