"""Forecasts of resistance: all drugs of one sample, and all models of one drug."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.frame import finish, require_columns, require_one
from resvae_core.figures.palette import (
    CALLS,
    ENSEMBLE,
    FIVE,
    FLOORS,
    GRID,
    HIGHER_IS_RESISTANT,
    NEUTRAL,
    RULE,
    SIMPLE,
    faded,
    in_order,
    model_word,
)
from resvae_core.models.ranking import read_agreement

if TYPE_CHECKING:
    import plotly.graph_objects as go

FORECAST_COLUMNS = ("sample", "drug", "model", "probability", "lower", "upper", "call")
_ROW_PX = 21
_MODEL_ROW_PX = 40
_AXIS_PX = 58
_LINE_LABEL_PX = 20
_MARK_PX = 11
_ENSEMBLE_MARK_PX = 18


def drug_ranking(
    table: pd.DataFrame,
    *,
    model: str,
    floor: str = "drug_tissue_mean",
    highlight: str | None = None,
    synthetic: bool = False,
) -> go.Figure:
    """Rank all drugs of one sample by one model's probability of resistance.

    Parameters
    ----------
    table
        Forecast of one sample: sample, drug, model, probability, lower, upper (0 to 1; NaN where
        not assessable), call (resistant, sensitive, uncertain, not assessable).
    model
        Which model's rows to rank.
    floor
        The model without expression whose probability is marked beside each drug, where present.
    highlight
        A drug to set in bold.
    synthetic
        Whether the sample is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        The most sensitive drug on top; a dot whose shape and colour are the call, with its
        interval, and an open bar where the floor lies. Drugs without a number come last.

    Raises
    ------
    InputDataError
        If a column is missing, the table holds several samples, or it lacks the model.
    """
    import plotly.graph_objects as go

    rows = _rows_of_model(table, model)
    drugs = rows["drug"].tolist()
    figure = go.Figure()
    _add_calls(figure, rows, "drug")
    floor_rows = table[(table["model"] == floor) & table["drug"].isin(drugs)]
    _add_floor(figure, floor_rows, "drug", f"Floor: {model_word(floor).lower()}")
    labels = [f"<b>{drug}</b>" if drug == highlight else drug for drug in drugs]
    _style(figure, drugs, labels)
    return finish(
        figure,
        takeaway=drug_ranking_takeaway(table, model=model),
        height=len(drugs) * _ROW_PX + 60 + _AXIS_PX,
        notes=[f"{model_word(model)}: dot and 90 % interval. Most sensitive first."],
        synthetic=synthetic,
        top=60,
        bottom=_AXIS_PX,
    )


def drug_ranking_takeaway(table: pd.DataFrame, *, model: str) -> str:
    """Count the calls of one model over the drugs of one sample, in one sentence."""
    rows = _rows_of_model(table, model)
    counts = rows["call"].value_counts()
    named = ", ".join(f"{counts[call]} {call}" for call in CALLS if call in counts)
    sentence = f"{model_word(model)}, {len(rows)} drugs: {named}"
    assessed = rows[rows["probability"].notna() & (rows["call"] != "not assessable")]
    if assessed.empty:
        return f"{sentence}."
    first = assessed.iloc[0]
    return f"{sentence}; lowest probability of resistance for {first['drug']} ({_interval(first)})."


def models_on_one_axis(
    table: pd.DataFrame,
    *,
    thresholds: Mapping[str, float],
    floor: str = "drug_tissue_mean",
    synthetic: bool = False,
) -> go.Figure:
    """Show every model's probability for one drug and one sample, over the floor.

    Parameters
    ----------
    table
        Forecast rows of one sample and one drug, columns as for :func:`drug_ranking`.
    thresholds
        Model to the probability at which its calls part: an interval wholly at or above it is
        resistant, wholly below it sensitive. Marked on each row; the five models lean by it.
    floor
        The floor that is drawn as a line over all rows; other floors are left out.
    synthetic
        Whether the sample is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        The ensemble on top with a larger mark, the five models, and below them the simple model;
        dot and interval, the shape and colour of a dot being its call.

    Raises
    ------
    InputDataError
        If a column is missing, the table holds several samples or drugs, or no learned model.
    """
    import plotly.graph_objects as go

    learned = _learned_rows(table)
    words = learned["row"].tolist()
    labels = [_row_label(model) for model in learned["model"]]
    figure = go.Figure()
    _add_thresholds(figure, learned, thresholds)
    _add_calls(figure, learned, "row")
    _add_floor_line(figure, table[table["model"] == floor])
    _style(figure, words, labels)
    _divide(figure, learned["model"].tolist())
    # the legend makes room for the label of the floor's line
    figure.update_layout(legend_y=1 + _LINE_LABEL_PX / (len(words) * _MODEL_ROW_PX))
    return finish(
        figure,
        takeaway=models_on_one_axis_takeaway(table, thresholds=thresholds, floor=floor),
        height=len(words) * _MODEL_ROW_PX + 76 + _AXIS_PX,
        notes=[
            f"{table['drug'].iloc[0]}: one row a model, mark and 90 % interval. The ensemble is "
            "the mean of the five. A call needs the whole interval on one side of the model's own "
            "limit; a model leans to the side its mark is on."
        ],
        synthetic=synthetic,
        top=76,
        bottom=_AXIS_PX,
    )


def models_on_one_axis_takeaway(
    table: pd.DataFrame, *, thresholds: Mapping[str, float], floor: str = "drug_tissue_mean"
) -> str:
    """Say in one sentence how far the five agree on a drug, and where the floor lies."""
    learned = _learned_rows(table)
    sentence = f"{table['drug'].iloc[0]}: {read_agreement(table, thresholds).words}"
    known = learned.loc[learned["model"].isin(FIVE), "probability"].dropna()
    if len(known):
        sentence += f" (probability of resistance {known.min():.2f} to {known.max():.2f})"
    for model in (ENSEMBLE, floor):
        beside = table.loc[table["model"] == model, "probability"].dropna()
        if len(beside):
            word = model_word(model)
            sentence += f"; {word[:1].lower()}{word[1:]} {beside.iloc[0]:.2f}"
    return f"{sentence}."


def _learned_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return learned models of one sample and drug in the order of figures, with their words."""
    what = "the models of one drug"
    require_columns(table, FORECAST_COLUMNS, what)
    require_one(table, "sample", what)
    require_one(table, "drug", what)
    learned = table[~table["model"].isin(FLOORS)]
    require_columns(learned, FORECAST_COLUMNS, what)
    ordered = learned.set_index("model").loc[in_order(learned["model"])].reset_index()
    return ordered.assign(row=[model_word(model) for model in ordered["model"]])


def _row_label(model: str) -> str:
    if model == ENSEMBLE:
        return f"<b>{model_word(model)}</b>"
    return f"{model_word(model)} (simple model)" if model == SIMPLE else model_word(model)


def _divide(figure: go.Figure, models: Sequence[str]) -> None:
    """Draw a line between the ensemble, the five and what stands below them."""
    kinds = [(model == ENSEMBLE, model in FIVE) for model in models]
    for above, (one, other) in enumerate(itertools.pairwise(kinds), start=1):
        if one != other:
            figure.add_hline(
                y=len(models) - above - 0.5, line={"color": GRID, "width": 1.5}, layer="below"
            )


def _rows_of_model(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return one model's rows, most sensitive first, those without a number last."""
    require_columns(table, FORECAST_COLUMNS, "the ranking of drugs")
    require_one(table, "sample", "the ranking of drugs")
    if model in FLOORS:
        raise InputDataError(
            f"{model_word(model)} reads no expression and makes no calls; a learned model was "
            "expected.",
            remedy="Choose a learned model to rank by.",
        )
    rows = table[table["model"] == model]
    if rows.empty:
        raise InputDataError(
            f"The forecast has no rows of model {model!r}; it has "
            f"{', '.join(sorted(table['model'].unique()))}.",
            remedy="Choose one of these.",
        )
    return rows.sort_values("probability", kind="stable", na_position="last")


def _interval(row: pd.Series[float]) -> str:
    return f"{row['probability']:.2f}, {row['lower']:.2f}–{row['upper']:.2f}"


def _add_calls(figure: go.Figure, rows: pd.DataFrame, axis: str) -> None:
    """Add one trace a call, so that the legend pairs word, shape and colour.

    `axis` is the column that names the rows; among several models the ensemble's mark is larger.
    """
    import plotly.graph_objects as go

    numbered = rows["probability"].notna()
    _add_without_number(figure, rows[~numbered], axis)
    for call, style in CALLS.items():
        chosen = rows[numbered & (rows["call"] == call)]
        if chosen.empty:
            continue
        sizes = _MARK_PX if axis == "drug" else _sizes(chosen)
        figure.add_trace(
            go.Scatter(
                x=chosen["probability"],
                y=chosen[axis],
                mode="markers",
                name=style.label,
                marker={"symbol": style.marker, "color": style.colour, "size": sizes},
                error_x={
                    "type": "data",
                    "symmetric": False,
                    "array": (chosen["upper"] - chosen["probability"]).fillna(0.0),
                    "arrayminus": (chosen["probability"] - chosen["lower"]).fillna(0.0),
                    "color": faded(style.colour, 0.7),
                    "thickness": 1.8,
                    "width": 3,
                },
                customdata=chosen[["lower", "upper"]],
                hovertemplate=(
                    f"%{{y}}: %{{x:.2f}} (%{{customdata[0]:.2f}}–%{{customdata[1]:.2f}}) "
                    f"{style.label}<extra></extra>"
                ),
            )
        )


def _sizes(rows: pd.DataFrame) -> list[int]:
    """Return a larger size for the ensemble."""
    return [_ENSEMBLE_MARK_PX if model == ENSEMBLE else _MARK_PX for model in rows["model"]]


def _add_without_number(figure: go.Figure, rows: pd.DataFrame, axis: str) -> None:
    """Write the call, in words, in the rows that have no probability: a mark at 0 would lie."""
    import plotly.graph_objects as go

    if rows.empty:
        return
    figure.add_trace(
        go.Scatter(
            x=[0.0] * len(rows),
            y=rows[axis],
            mode="text",
            text=[CALLS[call].label for call in rows["call"]],
            textposition="middle right",
            textfont={"size": 11},
            showlegend=False,
            hoverinfo="skip",
        )
    )


def _add_floor(figure: go.Figure, rows: pd.DataFrame, axis: str, name: str) -> None:
    """Mark what a model without expression says, as an open upright bar."""
    import plotly.graph_objects as go

    if rows.empty:
        return
    figure.add_trace(
        go.Scatter(
            x=rows["probability"],
            y=rows[axis],
            mode="markers",
            name=name,
            marker={"symbol": "line-ns-open", "color": NEUTRAL, "size": 12, "line": {"width": 2}},
            hovertemplate=f"%{{y}}: {name} %{{x:.2f}}<extra></extra>",
        )
    )


def _add_thresholds(
    figure: go.Figure, learned: pd.DataFrame, thresholds: Mapping[str, float]
) -> None:
    """Mark on each model's row where its calls part."""
    import plotly.graph_objects as go

    rows = learned[learned["model"].isin(thresholds.keys())]
    if rows.empty:
        return
    name = "Limit of the model's calls"
    figure.add_trace(
        go.Scatter(
            x=[thresholds[model] for model in rows["model"]],
            y=rows["row"],
            mode="markers",
            name=name,
            marker={"symbol": "line-ns-open", "color": NEUTRAL, "size": 20, "line": {"width": 2}},
            hovertemplate=f"%{{y}}: {name.lower()} %{{x:.2f}}<extra></extra>",
        )
    )


def _add_floor_line(figure: go.Figure, rows: pd.DataFrame) -> None:
    known = rows["probability"].dropna()
    if len(known):
        figure.add_vline(
            x=float(known.iloc[0]),
            line={"color": RULE, "dash": "dash", "width": 1.5},
            annotation_text=f"Floor: {model_word(rows['model'].iloc[0]).lower()} "
            f"{known.iloc[0]:.2f}",
            # away from the edge: a floor is often near 1
            annotation_position="top left" if known.iloc[0] > 0.5 else "top right",
        )


def _style(figure: go.Figure, keys: list[str], labels: list[str]) -> None:
    """Fix the probability axis to 0–1 and the rows to their order, first on top."""
    figure.update_xaxes(
        title_text=HIGHER_IS_RESISTANT, range=[-0.02, 1.02], dtick=0.25, zeroline=False
    )
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=keys[::-1],
        tickmode="array",
        tickvals=keys,
        ticktext=labels,
        range=[-0.7, len(keys) - 0.3],
        zeroline=False,
    )
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"}
    )
