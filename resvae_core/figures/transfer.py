"""From cell lines to patients: what models say of cohorts, and whether response bears it out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.directions import Q_CLEAR, signed
from resvae_core.figures.frame import finish, interval_bars, require_columns, require_one
from resvae_core.figures.palette import (
    CALLS,
    ENSEMBLE,
    FLOORS,
    HIGHER_IS_RESISTANT,
    NEUTRAL,
    RULE,
    faded,
    in_order,
    model_word,
    series_style,
)
from resvae_core.figures.rows import fix_rows, joined, legend_above

if TYPE_CHECKING:
    import plotly.graph_objects as go

TASK_COLUMNS = ("cohort", "drug", "model", "n_patients")
DISTRIBUTION_COLUMNS = (
    *TASK_COLUMNS,
    *("q10", "q25", "median", "q75", "q90", "floor", "line_share_resistant"),
)
SHIFT_COLUMNS = (*TASK_COLUMNS, "median", "median_unaligned", "spearman_unaligned")
RESPONSE_COLUMNS = ("cohort", "drug", "model", "roc_auc", "lower", "upper", "n", "n_responders")
MATRIX_COLUMNS = ("sample", "drug", "model", "probability", "call")

PLAIN_RIDGE = "plain_ridge"
Z_SCORES = "zscore"
"""How the form of a cohort begins that is known as z-scores within its study."""
LEVEL_WORDS = (
    "z: known as z-scores within the study, so the order of its patients means something and the "
    "level of the cohort does not."
)
MINIMAL_CLASS = 10
"""Responders, and non-responders, below which an interval is not to be leant on."""
VALUE_WORDS = {
    "median": "Median probability of resistance",
    "share_resistant": "Share that would be called resistant",
    "share_sensitive": "Share that would be called sensitive",
    "share_uncertain": "Share uncertain",
    "in_range_share": "Share in range",
    "borderline_share": "Share borderline",
    "floor": "Floor: drug × tissue mean",
    "line_share_resistant": "Share of cell lines resistant",
    "agreement": "Share on which four of five models agree",
    "spearman_ensemble": "Spearman ρ with the ensemble",
    "stability_members": "Spearman ρ of the order of patients between folds",
}
"""What a cell of the heat map can show, in words."""
TWO_SIDED = ("median", "floor", "line_share_resistant")
"""Values of which low means sensitive and high means resistant."""
LEVELS = ("median", "share_resistant", "share_sensitive", "share_uncertain")
"""Values that mean nothing where the level of a cohort is not known."""

_INK = "#1B2430"
_CALL_SCALE = ((0.0, "#66AAD1"), (0.5, "#EEEEEE"), (1.0, "#E69E66"))
"""The colours of the calls, lightened until dark text has 6:1 on every cell, on both grounds."""
_AMOUNT_SCALE = ((0.0, "#EEEEEE"), (1.0, "#6FBCB2"))
_CELL_PX = 26
_ROW_PX = 34
_PAIR_ROW_PX = 42
_AXIS_PX = 58
_LONGEST_BAR_PX = 320
_MANY_CELLS = 2_500
"""Cells beyond which only those without a number get a sign."""
_FEW_COLUMNS = 10
"""Columns up to which a cell has room for its number."""
_MANY_COLUMNS = 36
"""Columns beyond which their names are written smaller."""


def task_heatmap(
    table: pd.DataFrame, *, value: str = "median", model: str = ENSEMBLE, cohort: str = ""
) -> go.Figure:
    """Show one value of every task: drugs by cohorts for one model, or by models for one cohort.

    Parameters
    ----------
    table
        Transfer table, one row a cohort, drug and model: cohort, drug, model, n_patients, the
        value, and form where known.
    value
        The column to show; see `VALUE_WORDS`.
    model
        Whose rows to show, beside one another by cohort. Left aside where a cohort is given.
    cohort
        One cohort to show by model instead; empty for all cohorts of one model.

    Returns
    -------
    go.Figure
        One row a drug, the number in its cell. A cell is empty where the drug is not among the
        nine of the cohort. Colours of probabilities run from sensitive to resistant.

    Raises
    ------
    InputDataError
        If a column is missing, or there are no rows of that model or cohort.
    """
    import plotly.graph_objects as go

    cells = _cells(table, value, model, cohort)
    words = {name: _column_word(table, name, cohort) for name in cells.columns}
    scale = _CALL_SCALE if value in TWO_SIDED else _AMOUNT_SCALE
    figure = go.Figure(
        go.Heatmap(
            z=cells.to_numpy(float),
            x=list(words.values()),
            y=list(cells.index),
            zmin=0,
            zmax=1,
            colorscale=[list(stop) for stop in scale],
            xgap=2,
            ygap=2,
            colorbar=_colour_bar(value in TWO_SIDED, len(cells)),
            hovertemplate="%{y}, %{x}: %{z:.2f}<extra></extra>",
            hoverongaps=False,
        )
    )
    _write_cells(figure, cells.rename(columns=words), "{:.2f}".format)
    figure.update_xaxes(side="top", type="category", showgrid=False)
    fix_rows(figure, list(cells.index))
    figure.update_yaxes(showgrid=False)
    return finish(
        figure,
        takeaway=task_heatmap_takeaway(table, value=value, model=model, cohort=cohort),
        height=len(cells) * _CELL_PX + 70,
        notes=[
            f"{VALUE_WORDS.get(value, value)}{'' if cohort else f', {model_word(model)}'}"
            f"{f', {cohort}' if cohort else ''}. Empty: not among the drugs of the cohort. A "
            f"prediction for these patients, not their response. Called resistant only where the "
            "whole 90 % interval lies above the model's limit, not above 0.5."
            f"{_level_words(table[table['cohort'] == (cohort or table['cohort'])])}"
        ],
        top=56,
        bottom=12,
    )


def task_heatmap_takeaway(
    table: pd.DataFrame, *, value: str = "median", model: str = ENSEMBLE, cohort: str = ""
) -> str:
    """Name in one sentence the tasks with the lowest and the highest value.

    Where the value is a level, cohorts of z-scores are left out: they have none.
    """
    if value in LEVELS and not cohort and "form" in table:
        table = table[table["form"] == "log2tpm"]
    cells = _cells(table, value, model, cohort)
    long = cells.rename_axis(index="drug", columns="column").reset_index()
    long = long.melt("drug", var_name="column").dropna(subset=["value"])
    ordered = long.sort_values("value", kind="stable")
    what = VALUE_WORDS.get(value, value)
    who = cohort or model_word(model)
    if long.empty:
        return f"{who}: {_inside(what)} is not known for any drug."
    ends = []
    for end in (ordered.iloc[0], ordered.iloc[-1]):
        where = model_word(str(end["column"])) if cohort else str(end["column"])
        ends.append(f"{end['value']:.2f} ({end['drug']}, {where})")
    return f"{who}: {_inside(what)} from {ends[0]} to {ends[1]} over {len(long)} cells."


def _inside(words: str) -> str:
    """Return words as they stand inside a sentence; names keep their capital."""
    return words if words.startswith("Spearman") else words[:1].lower() + words[1:]


def distributions(table: pd.DataFrame, *, cohort: str, model: str = ENSEMBLE) -> go.Figure:
    """Show how one model's probabilities spread over the patients of a cohort, drug by drug.

    Parameters
    ----------
    table
        Transfer table: cohort, drug, model, n_patients, q10, q25, median, q75, q90 (of the
        probability of resistance over the patients), floor (drug × tissue mean), and
        line_share_resistant (of the cell lines of the type; NaN where there are none).
    cohort, model
        Whose rows to show.

    Returns
    -------
    go.Figure
        Box from 25 % to 75 % with its median, whiskers from 10 % to 90 % of patients; an open bar
        at the floor and a cross at the share of resistant lines. Most sensitive drug on top.

    Raises
    ------
    InputDataError
        If a column is missing, or there are no such rows.
    """
    import plotly.graph_objects as go

    rows = _distribution_rows(table, cohort, model)
    drugs = list(rows["drug"])
    figure = go.Figure(
        go.Box(
            y=drugs,
            lowerfence=rows["q10"],
            q1=rows["q25"],
            median=rows["median"],
            q3=rows["q75"],
            upperfence=rows["q90"],
            orientation="h",
            name=f"{model_word(model)}: 10, 25, 50, 75, 90 % of patients",
            line={"color": series_style(0).colour, "width": 1.8},
            fillcolor=faded(series_style(0).colour, 0.25),
            showlegend=True,
        )
    )
    for column, name, style in (
        ("floor", "Floor: drug × tissue mean", {"symbol": "line-ns-open", "color": NEUTRAL}),
        (
            "line_share_resistant",
            "Resistant share of cell lines of the type",
            {"symbol": "x", "color": series_style(3).colour},
        ),
    ):
        known = rows[rows[column].notna()]
        if known.empty:
            continue
        figure.add_trace(
            go.Scatter(
                x=known[column],
                y=known["drug"],
                mode="markers",
                name=name,
                marker={
                    **style,
                    "size": 18 if column == "floor" else 9,
                    "line": {"color": style["color"], "width": 2.5},
                },
                hovertemplate=f"%{{y}}: {name[:1].lower()}{name[1:]} %{{x:.2f}}<extra></extra>",
            )
        )
    lowest = _probability_axis(figure, HIGHER_IS_RESISTANT, rows[["q10", "floor"]])
    fix_rows(figure, drugs)
    legend_above(figure)
    return finish(
        figure,
        takeaway=distributions_takeaway(table, cohort=cohort, model=model),
        height=len(rows) * _ROW_PX + 90 + _AXIS_PX,
        notes=[
            f"{cohort}, {int(rows['n_patients'].max())} patients. What the model says of them, not "
            "how they responded. Where a box sits on the floor, expression adds little."
            f"{_level_words(rows)}{_axis_words(lowest)}"
        ],
        top=90,
        bottom=_AXIS_PX,
    )


def distributions_takeaway(table: pd.DataFrame, *, cohort: str, model: str = ENSEMBLE) -> str:
    """Name in one sentence the drugs with the lowest and highest median, and the widest spread."""
    rows = _distribution_rows(table, cohort, model)
    first, last = rows.iloc[0], rows.iloc[-1]
    widest = rows.loc[(rows["q90"] - rows["q10"]).idxmax()]
    return (
        f"{model_word(model)} in {cohort}: median probability of resistance from "
        f"{first['median']:.2f} ({first['drug']}) to {last['median']:.2f} ({last['drug']}); "
        f"patients differ most for {widest['drug']} (80 % of them from {widest['q10']:.2f} to "
        f"{widest['q90']:.2f})."
    )


def alignment_shift(table: pd.DataFrame, *, model: str = ENSEMBLE, cohort: str = "") -> go.Figure:
    """Show what alignment to tumours does to a cohort's median, drug by drug.

    Parameters
    ----------
    table
        Transfer table: cohort, drug, model, n_patients, median (aligned), median_unaligned (the
        same patients read with the moments of cell lines) and spearman_unaligned (rank correlation
        of the patients' probabilities between the two). NaN where a cohort was measured as
        z-scores, which cannot be read unaligned.
    model
        Whose rows to show.
    cohort
        One cohort; empty for all that have both.

    Raises
    ------
    InputDataError
        If a column is missing, or no task has both medians.
    """
    import plotly.graph_objects as go

    rows = _shift_rows(table, model, cohort)
    figure = go.Figure()
    joined(figure, rows, "median_unaligned", "median", "row")
    for column, name, position, symbol in (
        ("median_unaligned", "Not aligned", 2, "circle-open"),
        ("median", "Aligned to tumours (shown elsewhere)", 0, "circle"),
    ):
        figure.add_trace(
            go.Scatter(
                x=rows[column],
                y=rows["row"],
                mode="markers",
                name=name,
                marker={
                    "symbol": symbol,
                    "color": series_style(position).colour,
                    "size": 11,
                    "line": {"color": series_style(position).colour, "width": 2},
                },
                customdata=rows["spearman_unaligned"],
                hovertemplate=(
                    f"%{{y}}, {name.split(' (')[0].lower()}: median %{{x:.2f}}; order of patients "
                    "kept to ρ %{customdata:.2f}<extra></extra>"
                ),
            )
        )
    lowest = _probability_axis(
        figure, f"Median p{HIGHER_IS_RESISTANT[1:]}", rows[["median", "median_unaligned"]]
    )
    fix_rows(figure, list(rows["row"]))
    legend_above(figure)
    return finish(
        figure,
        takeaway=alignment_shift_takeaway(table, model=model, cohort=cohort),
        height=len(rows) * (_CELL_PX + 2) + 60 + _AXIS_PX,
        notes=[_shift_note(table, rows, model, cohort) + _axis_words(lowest)],
        top=60,
        bottom=_AXIS_PX,
    )


def alignment_shift_takeaway(
    table: pd.DataFrame, *, model: str = ENSEMBLE, cohort: str = ""
) -> str:
    """Say in one sentence how far alignment moves medians and whether it keeps the order."""
    rows = _shift_rows(table, model, cohort)
    shift = rows["median"] - rows["median_unaligned"]
    largest = shift.abs().idxmax()
    kept = rows["spearman_unaligned"].median()
    order = "" if np.isnan(kept) else f"; the order of patients is kept to a median ρ of {kept:.2f}"
    tasks = f"{len(rows)} task{'' if len(rows) == 1 else 's'}"
    return (
        f"{model_word(model)}: alignment moves the median by {signed(float(shift.median()))} "
        f"in the middle of {tasks}, most for {rows.loc[largest, 'row']} "
        f"({signed(float(shift[largest]))}){order}."
    )


def response_intervals(
    table: pd.DataFrame,
    *,
    model: str = ENSEMBLE,
    cohort_drug: tuple[str, str] | None = None,
    beside: str = PLAIN_RIDGE,
) -> go.Figure:
    """Show how well predictions part responders from non-responders, pair by pair.

    Parameters
    ----------
    table
        Response table, one row a cohort, drug and model: cohort, drug, model, roc_auc, lower,
        upper (95 %, bootstrap over patients; NaN where there is none), n, n_responders, and q_value
        (Benjamini–Hochberg over all pairs and models) where known. Above 0.5: non-responders have
        the higher probability of resistance.
    model
        The model to show for all pairs.
    cohort_drug
        One pair to show by model instead; None for all pairs.
    beside
        The model it is compared with where all pairs are shown, if the table has it.

    Returns
    -------
    go.Figure
        Filled marks where q is below 0.05, or without q where the whole interval lies on one side
        of 0.5; hollow elsewhere. Pairs by number of patients, most on top. Nothing is pooled over
        drugs or cancers.

    Raises
    ------
    InputDataError
        If a column is missing, or there are no such rows.
    """
    import plotly.graph_objects as go

    rows, labels = _response_rows(table, model, cohort_drug, beside)
    figure = go.Figure()
    groups = [m for m in (model, beside) if (rows["model"] == m).any()]
    if cohort_drug is not None:
        figure.add_trace(_response_marks(rows, "Model", 0))
    else:
        # rows count from below, so the last trace of a group stands on top
        for position, name in reversed(list(enumerate(dict.fromkeys(groups)))):
            chosen = rows[rows["model"] == name]
            figure.add_trace(_response_marks(chosen, model_word(name), position))
        figure.update_layout(scattermode="group", scattergap=0.5)
    figure.add_vline(x=0.5, line={"color": RULE, "dash": "dash"})
    figure.update_xaxes(
        title_text="ROC AUC for non-response<br>0.5 = guessing · above: ▲ resistance predicted for "
        "those who did not respond",
        title_font_size=12,
        range=[-0.02, 1.02],
        dtick=0.25,
        zeroline=False,
    )
    fix_rows(figure, list(labels), list(labels.values()))
    legend_above(figure)
    figure.update_layout(showlegend=cohort_drug is None, legend_traceorder="reversed")
    return finish(
        figure,
        takeaway=response_intervals_takeaway(
            table, model=model, cohort_drug=cohort_drug, beside=beside
        ),
        height=len(labels) * _PAIR_ROW_PX + 60 + 80,
        notes=[
            _pair_words(rows) + "95 % interval over patients, each pair on its own, never pooled; "
            "no bar where a group is too small or all patients are given the same. Filled: "
            f"{_clear_words(rows)}; hollow: not. Of so many intervals some exclude 0.5 by chance "
            "alone."
        ],
        top=60,
        bottom=80,
    )


def response_intervals_takeaway(
    table: pd.DataFrame,
    *,
    model: str = ENSEMBLE,
    cohort_drug: tuple[str, str] | None = None,
    beside: str = PLAIN_RIDGE,
) -> str:
    """Count in one sentence the pairs in which a model parts responders from the others."""
    rows, _ = _response_rows(table, model, cohort_drug, beside)
    if cohort_drug is not None:
        named = ", ".join(
            f"{model_word(str(row['model']))} {row['roc_auc']:.2f}{_interval_words(row)}"
            for _, row in rows.iterrows()
            if row["model"] not in FLOORS
        )
        n, n_responders = int(rows["n"].iloc[0]), int(rows["n_responders"].iloc[0])
        return (
            f"{cohort_drug[1]} in {cohort_drug[0]} ({n} patients, {n_responders} responders), "
            f"ROC AUC for non-response: {named or 'no learned model'}."
        )
    parts = []
    for name in dict.fromkeys((model, beside)):
        chosen = rows[rows["model"] == name]
        if len(chosen):
            above, below = (chosen["lower"] > 0.5).sum(), (chosen["upper"] < 0.5).sum()
            parts.append(
                f"{model_word(name)} has its whole interval above 0.5 in {above} of {len(chosen)} "
                f"pairs and below in {below}{_corrected_words(chosen)}"
            )
    return f"ROC AUC against recorded response: {'; '.join(parts)}."


def sample_matrix(
    table: pd.DataFrame,
    *,
    model: str = ENSEMBLE,
    drugs: Sequence[str] = (),
    synthetic: bool = False,
) -> go.Figure:
    """Show one model's probability for many samples and drugs at once.

    Parameters
    ----------
    table
        Forecast of one or more samples: sample, drug, model, probability (NaN where not
        assessable), call (resistant, sensitive, uncertain, not assessable).
    model
        Whose rows to show.
    drugs
        The drugs to show, in this order; empty for all, lowest mean probability first.
    synthetic
        Whether samples are synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        One row a sample and one column a drug, or the other way round where drugs are more. A
        cell has the sign of its call, with up to ten columns its number too; ⊘ where not
        assessable, without a colour. Above 2,500 cells only ⊘ is written.

    Raises
    ------
    InputDataError
        If a column is missing, a sample has a drug twice, or there are no such rows.
    """
    import plotly.graph_objects as go

    rows = _matrix_rows(table, model, drugs)
    samples = list(dict.fromkeys(rows["sample"]))
    order = list(drugs) if drugs else _by_probability(rows)
    cells, signs = (
        rows.pivot(index="sample", columns="drug", values=values).loc[samples, order]
        for values in ("shown", "sign")
    )
    if len(order) > len(samples):
        cells, signs = cells.T, signs.T
    figure = go.Figure(
        go.Heatmap(
            z=cells.to_numpy(float),
            x=list(cells.columns),
            y=list(cells.index),
            zmin=0,
            zmax=1,
            colorscale=[list(stop) for stop in _CALL_SCALE],
            xgap=1,
            ygap=1,
            colorbar=_colour_bar(two_sided=True, n_rows=len(cells)),
            customdata=signs.to_numpy(object),
            hovertemplate="%{y}, %{x}: %{z:.2f} %{customdata}<extra></extra>",
            hoverongaps=False,
        )
    )
    _write_signs(figure, cells, signs)
    figure.update_xaxes(
        side="top",
        type="category",
        tickangle=-90,
        dtick=1,
        tickfont_size=8 if len(cells.columns) > _MANY_COLUMNS else 12,
        showgrid=False,
    )
    fix_rows(figure, list(cells.index))
    figure.update_yaxes(showgrid=False)
    return finish(
        figure,
        takeaway=sample_matrix_takeaway(table, model=model, drugs=drugs),
        height=max(len(cells), 4) * _CELL_PX + 142,
        notes=[
            f"{model_word(model)}, probability of resistance. ▲ resistant, ▼ sensitive, "
            "◆ uncertain, ⊘ not assessable."
        ],
        synthetic=synthetic,
        top=130,
        bottom=12,
    )


def sample_matrix_takeaway(
    table: pd.DataFrame, *, model: str = ENSEMBLE, drugs: Sequence[str] = ()
) -> str:
    """Count in one sentence the calls over all samples and drugs shown."""
    rows = _matrix_rows(table, model, drugs)
    counts = rows["call"].value_counts()
    named = ", ".join(f"{counts[call]} {call}" for call in CALLS if call in counts)
    samples, n_drugs = rows["sample"].nunique(), rows["drug"].nunique()
    return (
        f"{model_word(model)}, {samples} sample{'' if samples == 1 else 's'} and {n_drugs} "
        f"drug{'' if n_drugs == 1 else 's'}: {named}."
    )


def _chosen(table: pd.DataFrame, columns: Sequence[str], what: str, **wanted: str) -> pd.DataFrame:
    """Return the rows of a model and cohort, or say which there are."""
    require_columns(table, columns, what)
    rows = table
    for column, name in wanted.items():
        if not name:
            continue
        if not (rows[column] == name).any():
            raise InputDataError(
                f"The table for {what} has no rows of {column} {name!r}; it has "
                f"{', '.join(sorted(map(str, rows[column].unique())))}.",
                remedy="Choose one of these.",
            )
        rows = rows[rows[column] == name]
    return rows


def _cells(table: pd.DataFrame, value: str, model: str, cohort: str) -> pd.DataFrame:
    """Return drugs × cohorts, or drugs × models of one cohort, as numbers."""
    what = "the tasks"
    wanted = {"cohort": cohort} if cohort else {"model": model}
    rows = _chosen(table, (*TASK_COLUMNS, value), what, **wanted)
    across = "model" if cohort else "cohort"
    _require_once(rows, ["drug", across], what)
    cells = rows.pivot(index="drug", columns=across, values=value)
    if cohort:
        columns = in_order(rows["model"])
        drugs = list(cells.mean(axis=1).sort_values(kind="stable").index)
    else:
        columns = list(dict.fromkeys(rows["cohort"]))
        # drugs that many cohorts share stand on top
        shared = cells.notna().sum(axis=1).rename("shared").reset_index()
        drugs = list(shared.sort_values(["shared", "drug"], ascending=[False, True])["drug"])
    return cells.loc[drugs, columns]


def _require_once(rows: pd.DataFrame, keys: list[str], what: str) -> None:
    if rows.duplicated(keys).any():
        raise InputDataError(
            f"The table for {what} has two rows of one {' and '.join(keys)}; one was expected.",
            remedy="Hand over the table as the core makes it.",
        )


def _column_word(table: pd.DataFrame, name: str, cohort: str) -> str:
    if cohort:
        return model_word(name)
    rows = table[table["cohort"] == name]
    return f"{name}<br>n {int(rows['n_patients'].max())}{', z' if _has_z_scores(rows) else ''}"


def _has_z_scores(rows: pd.DataFrame) -> bool:
    return "form" in rows and bool(rows["form"].str.startswith(Z_SCORES).any())


def _level_words(rows: pd.DataFrame) -> str:
    """Return what cannot be read from a cohort that is known as z-scores."""
    return f" {LEVEL_WORDS}" if _has_z_scores(rows) else ""


def _colour_bar(two_sided: bool, n_rows: int) -> dict[str, object]:
    return {
        "tickvals": [0, 0.5, 1],
        "ticktext": ["0 ▼ sensitive", "0.5", "1 ▲ resistant"] if two_sided else ["0", "0.5", "1"],
        "thickness": 12,
        "lenmode": "pixels",
        "y": 1,
        "yanchor": "top",
        "len": min(max(n_rows, 4) * _CELL_PX, _LONGEST_BAR_PX),
        "outlinewidth": 0,
    }


def _write_cells(
    figure: go.Figure, cells: pd.DataFrame, write: object, coloured: pd.DataFrame | None = None
) -> None:
    """Write in cells: dark where a cell is coloured (all, where not told), else in grey."""
    import plotly.graph_objects as go

    assert callable(write)
    known = [
        (column, row, write(value))
        for row, values in cells.iterrows()
        for column, value in values.items()
        if not pd.isna(value)
    ]
    figure.add_trace(
        go.Scatter(
            x=[column for column, _, _ in known],
            y=[row for _, row, _ in known],
            mode="text",
            text=[text for _, _, text in known],
            textfont={
                "size": 11,
                "color": [
                    _INK if coloured is None or coloured.at[row, column] else NEUTRAL
                    for column, row, _ in known
                ],
            },
            showlegend=False,
            hoverinfo="skip",
        )
    )


def _distribution_rows(table: pd.DataFrame, cohort: str, model: str) -> pd.DataFrame:
    what = "the distributions"
    rows = _chosen(table, DISTRIBUTION_COLUMNS, what, cohort=cohort, model=model)
    require_one(rows, "cohort", what)
    require_one(rows, "model", what)
    _require_once(rows, ["drug"], what)
    known = rows[rows["median"].notna()]
    require_columns(known, DISTRIBUTION_COLUMNS, f"{what} of {cohort}")
    return known.sort_values("median", kind="stable")


def _shift_rows(table: pd.DataFrame, model: str, cohort: str) -> pd.DataFrame:
    """Return tasks that have both medians, with the label of their row."""
    what = "the alignment"
    rows = _chosen(table, SHIFT_COLUMNS, what, model=model, cohort=cohort)
    require_one(rows, "model", what)
    _require_once(rows, ["cohort", "drug"], what)
    rows = rows[rows["median"].notna() & rows["median_unaligned"].notna()]
    if rows.empty:
        raise InputDataError(
            f"No task{f' of {cohort}' if cohort else ''} was read without alignment; cohorts "
            "measured as z-scores cannot be.",
            remedy="Choose a genome-wide cohort.",
        )
    several = rows["cohort"].nunique() > 1
    labels = rows["cohort"] + " · " + rows["drug"] if several else rows["drug"]
    by_cohort = {name: number for number, name in enumerate(dict.fromkeys(rows["cohort"]))}
    order = rows.assign(row=labels, _cohort=rows["cohort"].map(by_cohort))
    return order.sort_values(["_cohort", "median"], kind="stable").drop(columns="_cohort")


def _shift_note(table: pd.DataFrame, rows: pd.DataFrame, model: str, cohort: str) -> str:
    all_rows = table[(table["model"] == model) & (table["cohort"] == (cohort or table["cohort"]))]
    without = [name for name in all_rows["cohort"].unique() if name not in set(rows["cohort"])]
    words = f" Not in the figure: {', '.join(without)} (z-scores)." if without else ""
    return (
        "Aligned: genes standardised by the moments of tumours; not aligned: by those of the cell "
        f"lines, the same patients.{words}"
    )


def _probability_axis(figure: go.Figure, title: str, shown: pd.DataFrame) -> float:
    """Start the axis of probabilities at the quarter below what is shown; return that start."""
    lowest = np.floor(4 * float(shown.min().min())) / 4
    figure.update_xaxes(
        title_text=title,
        range=[lowest - 0.02 * (1 - lowest), 1 + 0.02 * (1 - lowest)],
        tick0=lowest,
        dtick=0.25 if lowest < 0.5 else 0.1 if lowest < 0.75 else 0.05,
        zeroline=False,
    )
    return float(lowest)


def _axis_words(lowest: float) -> str:
    return f" The axis starts at {lowest:.2f}, not at 0." if lowest > 0 else ""


def _response_rows(
    table: pd.DataFrame, model: str, cohort_drug: tuple[str, str] | None, beside: str
) -> tuple[pd.DataFrame, dict[str, str]]:
    """Return the rows with a key, and key to label in the order of the figure."""
    what = "the recorded responses"
    if cohort_drug is not None:
        rows = _chosen(table, RESPONSE_COLUMNS, what, cohort=cohort_drug[0], drug=cohort_drug[1])
        _require_once(rows, ["model"], what)
        order = sorted(in_order(rows["model"]), key=lambda name: name in FLOORS)
        rows = rows.set_index("model").loc[order].reset_index()
        rows = rows.assign(key=rows["model"])
        return rows, {name: model_word(name) for name in rows["model"]}
    _chosen(table, RESPONSE_COLUMNS, what, model=model)
    rows = table[table["model"].isin((model, beside)) & table["roc_auc"].notna()]
    _require_once(rows, ["cohort", "drug", "model"], what)
    rows = rows.assign(key=rows["cohort"] + " · " + rows["drug"])
    rows = rows.sort_values(["n", "key"], ascending=[False, True], kind="stable")
    labels = {
        str(row["key"]): f"{row['key']}<br><span style='font-size:10px'>n {row['n']:.0f}, "
        f"{row['n_responders']:.0f} responded{_few_words(row)}</span>"
        for _, row in rows.iterrows()
    }
    return rows, labels


def _clear_words(rows: pd.DataFrame) -> str:
    if "q_value" in rows:
        return f"q < {Q_CLEAR:g} over all pairs and models"
    return "the whole interval on one side of 0.5"


def _corrected_words(rows: pd.DataFrame) -> str:
    if "q_value" not in rows:
        return ""
    return f", q < {Q_CLEAR:g} in {(rows['q_value'] < Q_CLEAR).sum()}"


def _interval_words(row: pd.Series[float]) -> str:
    return "" if np.isnan(row["lower"]) else f" ({row['lower']:.2f}–{row['upper']:.2f})"


def _few_words(row: pd.Series[float]) -> str:
    fewest = min(row["n_responders"], row["n"] - row["n_responders"])
    return f" · only {fewest:.0f} in one group" if fewest < MINIMAL_CLASS else ""


def _response_marks(rows: pd.DataFrame, name: str, position: int) -> go.Scatter:
    """Return marks with intervals: filled where they part responders more than by chance."""
    import plotly.graph_objects as go

    style = series_style(position)
    clear = (rows["lower"] > 0.5) | (rows["upper"] < 0.5)
    if "q_value" in rows:
        clear = rows["q_value"] < Q_CLEAR
    return go.Scatter(
        x=rows["roc_auc"],
        y=rows["key"],
        mode="markers",
        orientation="h",
        offsetgroup=name,
        name=name,
        marker={
            "symbol": np.where(clear, style.marker, f"{style.marker}-open").tolist(),
            "color": style.colour,
            "size": 11,
            "line": {"color": style.colour, "width": 2},
        },
        error_x=interval_bars(rows, "roc_auc"),
        customdata=rows[["lower", "upper"]],
        hovertemplate=(
            f"%{{y}}, {name}: %{{x:.2f}} (%{{customdata[0]:.2f}}–%{{customdata[1]:.2f}})"
            "<extra></extra>"
        ),
    )


def _pair_words(rows: pd.DataFrame) -> str:
    """Return what is shown, where it is one pair."""
    if rows[["cohort", "drug"]].drop_duplicates().shape[0] > 1:
        return ""
    first = rows.iloc[0]
    return (
        f"{first['drug']} in {first['cohort']}: {first['n']:.0f} patients, "
        f"{first['n_responders']:.0f} of them responders. "
    )


def _matrix_rows(table: pd.DataFrame, model: str, drugs: Sequence[str]) -> pd.DataFrame:
    """Return rows with what a cell shows: no colour where not assessable."""
    what = "the samples"
    rows = _chosen(table, MATRIX_COLUMNS, what, model=model)
    if drugs:
        for drug in drugs:
            _chosen(rows, MATRIX_COLUMNS, what, drug=drug)
        rows = rows[rows["drug"].isin(drugs)]
    _require_once(rows, ["sample", "drug"], what)
    hidden = rows["probability"].isna() | (rows["call"] == "not assessable")
    call = rows["call"].where(~hidden, "not assessable")
    return rows.assign(
        call=call,
        shown=rows["probability"].where(~hidden),
        sign=[CALLS[name].symbol for name in call],
    )


def _by_probability(rows: pd.DataFrame) -> list[str]:
    means = rows.groupby("drug", sort=False)["shown"].mean()
    return list(means.sort_values(kind="stable", na_position="last").index)


def _write_signs(figure: go.Figure, cells: pd.DataFrame, signs: pd.DataFrame) -> None:
    """Write the sign of each call, and its number where there is room."""
    written = signs.where(cells.isna()) if signs.size > _MANY_CELLS else signs
    if signs.shape[1] <= _FEW_COLUMNS:
        numbers = cells.map(lambda value: "" if pd.isna(value) else f" {value:.2f}")
        written = written + numbers
    _write_cells(figure, written, str, cells.notna())
