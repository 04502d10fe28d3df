"""Hazard ratios of one Cox model side by side: the forest plot."""

from __future__ import annotations

from textwrap import wrap
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from resvae_core.figures.frame import finish, interval_bars, require_columns
from resvae_core.figures.palette import NEUTRAL, RULE, series_style
from resvae_core.figures.rows import number_rows
from resvae_core.survival.cohort import MIN_SHOWN
from resvae_core.survival.log_rank import format_left_out, format_p

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resvae_core.survival import CoxModel

FOREST_COLUMNS = (
    *("term", "label", "contrast", "n", "n_events", "hazard_ratio", "lower", "upper"),
    *("p_value", "proportional_hazards_p", "reference"),
)
PROPORTIONAL_LEVEL = 0.05
"""p-value of the test of proportional hazards below which a row is marked."""
HAZARD_AXIS = "Hazard ratio, log scale<br>longer survival ← 1 → shorter survival"
_WARNING = "†"
_WIDEST = (1 / 64, 64.0)
"""Limits of the axis: an interval beyond them says that the ratio is not known."""
_TICKS = (1 / 64, 1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
_FINE_TICKS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.2, 1.5, 2.0, 2.5, 3.0)
_NARROW = 4.0
"""Ratio of the ends of the axis below which halves and doubles alone are too few."""
_TICK_WORDS = ("1/64", "1/32", "1/16", "1/8", "1/4", "1/2", *(f"{t:g}" for t in _TICKS[6:]))
_LINE_PX, _ROW_GAP_PX = 15, 10
_LABEL_CHARACTERS = 36
_AXIS_PX = 78


def forest_plot(model: CoxModel, *, synthetic: bool = False) -> go.Figure:
    """Draw every hazard ratio of a Cox model with its interval, on a log axis.

    Parameters
    ----------
    model
        Result of :func:`resvae_core.survival.cox_adjusted`; a row of ``model.table`` each, in
        its order, the variable of interest first.
    synthetic
        Whether the cohort is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        Squares with 95 % intervals, open circles at 1 for reference levels; patients and events
        beneath each label; ratio, interval and p-value beside it, the p-value hidden where a
        level of the variable has fewer than 10 patients. † marks a ratio whose hazards are not
        shown to be proportional. An interval that leaves 1/64 to 64 is cut there, and the notes
        say so.

    Raises
    ------
    InputDataError
        If the model's table is empty or lacks a column.
    """
    from plotly.subplots import make_subplots

    rows = _rows(model)
    figure = make_subplots(
        cols=2, shared_yaxes=True, column_widths=[0.62, 0.38], horizontal_spacing=0.01
    )
    _add_ratios(figure, rows)
    _add_references(figure, rows[rows["reference"]])
    _add_words(figure, rows)
    figure.add_vline(x=1, line={"color": RULE, "width": 1.5}, row=1, col=1)
    low, high = _range(rows)
    figure.update_xaxes(
        type="log",
        range=[np.log10(low), np.log10(high)],
        tickvals=_FINE_TICKS if high / low < _NARROW else _TICKS,
        ticktext=[f"{t:g}" for t in _FINE_TICKS] if high / low < _NARROW else _TICK_WORDS,
        title_text=HAZARD_AXIS,
        zeroline=False,
        col=1,
    )
    figure.update_xaxes(visible=False, range=[0, 1], fixedrange=True, col=2)
    number_rows(figure, list(rows["row"]))
    figure.update_yaxes(visible=False, col=2)
    figure.update_layout(showlegend=False)
    return finish(
        figure,
        takeaway=forest_takeaway(model),
        height=len(rows) * _row_px(rows) + 40 + _AXIS_PX,
        notes=_notes(model, rows, (low, high)),
        synthetic=synthetic,
        bottom=_AXIS_PX,
    )


def forest_takeaway(model: CoxModel) -> str:
    """Say in one sentence what the variable of interest is worth beside the others."""
    rows = _rows(model)
    first = rows[rows["term"] == model.of_interest["term"]].iloc[0]
    beside = f", adjusted for {_listed(model.adjusted_for)}" if model.adjusted_for else ""
    doubt = "; hazards not proportional" if first["doubtful"] else ""
    return (
        f"{_name(first)}: hazard ratio {_ratio_words(first)}, {first['p_words']}{beside} "
        f"({model.n} patients, {model.n_events} events; C-index {model.concordance:.2f}{doubt})."
    )


def _rows(model: CoxModel) -> pd.DataFrame:
    """Return the model's rows with label, p-value in words and the mark of doubt."""
    table = model.table.reset_index(drop=True)
    require_columns(table, FOREST_COLUMNS, "the forest plot")
    reference = table["reference"].astype(bool)
    variable = table["term"].str.split(": ").str[0]
    smallest = variable.map(table.groupby(variable)["n"].min())
    marked = table.assign(
        reference=reference,
        # the model leaves out p where few patients carry the variable of interest
        hidden=((smallest < MIN_SHOWN) | table["p_value"].isna()) & ~reference,
        doubtful=~reference & (table["proportional_hazards_p"] < PROPORTIONAL_LEVEL),
    )
    records = [row for _, row in marked.iterrows()]
    return marked.assign(
        row=[_label(row) for row in records], p_words=[_p_words(row) for row in records]
    )


def _name(row: pd.Series[float]) -> str:
    """Return what a ratio compares, such as "Age, per 10 years" or "Stage II vs I"."""
    label, contrast = str(row["label"]), str(row["contrast"])
    label = f"{label[:1].upper()}{label[1:]}"
    if row["reference"] or not contrast:
        return label
    if " vs " in contrast:
        return f"{label} vs {contrast.split(' vs ')[-1]}"
    return f"{label}, {contrast}"


def _label(row: pd.Series[float]) -> str:
    lines = "<br>".join(wrap(_name(row), _LABEL_CHARACTERS))
    small = f"{row['n']:.0f} patients, {row['n_events']:.0f} events"
    return f"{lines}<br><span style='font-size:10px'>{small}</span>"


def _row_px(rows: pd.DataFrame) -> int:
    """Return the height that the longest label needs."""
    lines = 1 + int(rows["row"].str.count("<br>").max())
    return lines * _LINE_PX + _ROW_GAP_PX


def _p_words(row: pd.Series[float]) -> str:
    if row["hidden"]:
        return f"p not shown: a level has fewer than {MIN_SHOWN} patients"
    return "p not known" if np.isnan(row["p_value"]) else format_p(row["p_value"])


def _ratio_words(row: pd.Series[float]) -> str:
    if np.isnan(row["hazard_ratio"]):
        return "not known"
    return f"{row['hazard_ratio']:.2f} ({row['lower']:.2f}–{row['upper']:.2f})"


def _listed(words: tuple[str, ...]) -> str:
    *most, last = words
    return f"{', '.join(most)} and {last}" if most else last


def _range(rows: pd.DataFrame) -> tuple[float, float]:
    """Return ends of the axis: what is drawn and 1, with a little room, never beyond 1/64 to 64."""
    ends = rows.loc[~rows["reference"], ["hazard_ratio", "lower", "upper"]].to_numpy(float)
    known = ends[np.isfinite(ends) & (ends > 0)]
    low, high = min(known.min(initial=0.8), 0.8), max(known.max(initial=1.25), 1.25)
    return max(low / 1.15, _WIDEST[0]), min(high * 1.15, _WIDEST[1])


def _add_ratios(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Add one square a coefficient, hollow where its hazards are not proportional."""
    import plotly.graph_objects as go

    known = rows[~rows["reference"] & rows["hazard_ratio"].notna()]
    style = series_style(0)
    figure.add_trace(
        go.Scatter(
            x=known["hazard_ratio"],
            y=known.index,
            mode="markers",
            name="Hazard ratio",
            marker={
                "symbol": ["square-open" if mark else "square" for mark in known["doubtful"]],
                "color": style.colour,
                "size": 11,
                "line": {"color": style.colour, "width": 2},
            },
            error_x=interval_bars(known, "hazard_ratio") | {"color": style.colour},
            customdata=[
                (_name(row), _ratio_words(row), row["p_words"]) for _, row in known.iterrows()
            ],
            hovertemplate=(
                "%{customdata[0]}: HR %{customdata[1]}, %{customdata[2]}<extra></extra>"
            ),
        ),
        1,
        1,
    )


def _add_references(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Add an open circle at 1 for each level that others are compared with."""
    import plotly.graph_objects as go

    if rows.empty:
        return
    figure.add_trace(
        go.Scatter(
            x=[1.0] * len(rows),
            y=rows.index,
            mode="markers",
            name="Reference",
            marker={"symbol": "circle-open", "color": NEUTRAL, "size": 11, "line": {"width": 2}},
            hovertemplate="Reference level<extra></extra>",
        ),
        1,
        1,
    )


def _add_words(figure: go.Figure, rows: pd.DataFrame) -> None:
    """Write ratio, interval and p-value of each row in the column on the right."""
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            x=[0.0] * len(rows),
            y=rows.index,
            mode="text",
            text=[_words_beside(row) for _, row in rows.iterrows()],
            textposition="middle right",
            textfont={"size": 12},
            hoverinfo="skip",
            cliponaxis=False,
        ),
        1,
        2,
    )


def _words_beside(row: pd.Series[float]) -> str:
    if row["reference"]:
        return "reference"
    mark = f" {_WARNING}" if row["doubtful"] else ""
    p_words = str(row["p_words"]).split(":")[0]  # why it is hidden stands in the notes
    return f"<b>{_ratio_words(row)}</b>  {p_words}{mark}"


def _notes(model: CoxModel, rows: pd.DataFrame, ends: tuple[float, float]) -> list[str]:
    left_out = format_left_out(model.left_out) or "nobody"
    notes = [
        f"Cox model, Efron ties: {model.n} patients, {model.n_events} events; left out: "
        f"{left_out}. C-index {model.concordance:.2f} on the same patients. Each ratio holds the "
        "other rows fixed."
    ]
    if rows["doubtful"].any():
        notes.append(
            f"{_WARNING} and hollow: hazards are not proportional (p < {PROPORTIONAL_LEVEL:g})."
        )
    if rows["hidden"].any():
        notes.append(f"p is not shown where it would rest on fewer than {MIN_SHOWN} patients.")
    if (rows["lower"] < ends[0]).any() or (rows["upper"] > ends[1]).any():
        notes.append("Intervals that leave the axis are cut at its ends; the words are not.")
    notes.extend(model.notes)
    return [*notes, "Prognostic: survival under any treatment, not the effect of a drug."]
