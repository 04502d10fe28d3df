"""Forecasts of resistance: all drugs of one sample, and all models of one drug."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.frame import finish, require_columns, require_one
from resvae_core.figures.palette import (
    CALLS,
    FLOORS,
    HIGHER_IS_RESISTANT,
    NEUTRAL,
    RULE,
    faded,
    model_word,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

FORECAST_COLUMNS = ("sample", "drug", "model", "probability", "lower", "upper", "call")
_ROW_PX = 21
_MODEL_ROW_PX = 40
_AXIS_PX = 58
_LINE_LABEL_PX = 20


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
    thresholds: Mapping[str, float] | None = None,
    zones: tuple[float, float] | None = None,
    floor: str = "drug_tissue_mean",
    synthetic: bool = False,
) -> go.Figure:
    """Show every model's probability for one drug and one sample, beside the floors.

    Parameters
    ----------
    table
        Forecast rows of one sample and one drug, columns as for :func:`drug_ranking`.
    thresholds
        Model to the probability at which its calls part: an interval wholly above is resistant,
        wholly below sensitive. Marked on each row; None for no marks.
    zones
        Probabilities at which "uncertain" begins and ends, shaded behind the dots; None for no
        shading (where the call depends on more than the probability).
    floor
        The floor that is drawn as a line over all rows.
    synthetic
        Whether the sample is synthetic; the figure then says so.

    Raises
    ------
    InputDataError
        If a column is missing, or the table holds several samples or drugs.
    """
    import plotly.graph_objects as go

    learned, floors = _split_floors(table)
    drug = str(table["drug"].iloc[0])
    words = [*learned["row"], *floors["row"]]
    figure = go.Figure()
    _shade(figure, zones)
    _add_calls(figure, learned, "row")
    _add_thresholds(figure, learned, thresholds or {})
    _add_floor(figure, floors, "row", "Floor (reads no expression)")
    _add_floor_line(figure, table[table["model"] == floor])
    _style(figure, words, words)
    # the legend makes room for the label of the floor's line
    figure.update_layout(legend_y=1 + _LINE_LABEL_PX / (len(words) * _MODEL_ROW_PX))
    return finish(
        figure,
        takeaway=models_on_one_axis_takeaway(table, floor=floor),
        height=len(words) * _MODEL_ROW_PX + 76 + _AXIS_PX,
        notes=[f"{drug}: one row a model, dot and 90 % interval. Floors read no expression."],
        synthetic=synthetic,
        top=76,
        bottom=_AXIS_PX,
    )


def models_on_one_axis_takeaway(table: pd.DataFrame, *, floor: str = "drug_tissue_mean") -> str:
    """Say in one sentence how far the models agree on a drug, and where the floor lies."""
    learned, _ = _split_floors(table)
    drug = table["drug"].iloc[0]
    if learned.empty:
        return f"{drug}: no model has a forecast."
    calls = learned["call"].value_counts()
    said = ", ".join(f"{n} {call}" for call, n in calls.items())
    known = learned["probability"].dropna()
    span = f", probabilities {known.min():.2f} to {known.max():.2f}" if len(known) else ""
    sentence = f"{drug}, {len(learned)} models: {said}{span}"
    beside = table.loc[table["model"] == floor, "probability"].dropna()
    if len(beside):
        sentence += f"; {model_word(floor)} {beside.iloc[0]:.2f}"
    return f"{sentence}."


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


def _split_floors(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return learned models and floors of one sample and drug, with the word for each row."""
    what = "the models of one drug"
    require_columns(table, FORECAST_COLUMNS, what)
    require_one(table, "sample", what)
    require_one(table, "drug", what)
    rows = table.assign(row=[model_word(model) for model in table["model"]])
    is_floor = rows["model"].isin(FLOORS)
    return rows[~is_floor], rows[is_floor]


def _interval(row: pd.Series[float]) -> str:
    return f"{row['probability']:.2f}, {row['lower']:.2f}–{row['upper']:.2f}"


def _add_calls(figure: go.Figure, rows: pd.DataFrame, axis: str) -> None:
    """Add one trace a call, so that the legend pairs word, shape and colour."""
    import plotly.graph_objects as go

    numbered = rows["probability"].notna()
    _add_without_number(figure, rows[~numbered], axis)
    for call, style in CALLS.items():
        chosen = rows[numbered & (rows["call"] == call)]
        if chosen.empty:
            continue
        figure.add_trace(
            go.Scatter(
                x=chosen["probability"],
                y=chosen[axis],
                mode="markers",
                name=style.label,
                marker={"symbol": style.marker, "color": style.colour, "size": 11},
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
    name = "Threshold of the calls"
    figure.add_trace(
        go.Scatter(
            x=[thresholds[model] for model in rows["model"]],
            y=rows["row"],
            mode="markers",
            name=name,
            marker={"symbol": "hourglass-open", "color": NEUTRAL, "size": 9},
            hovertemplate=f"%{{y}}: {name.lower()} %{{x:.2f}}<extra></extra>",
        )
    )


def _add_floor_line(figure: go.Figure, rows: pd.DataFrame) -> None:
    known = rows["probability"].dropna()
    if len(known):
        figure.add_vline(
            x=float(known.iloc[0]),
            line={"color": RULE, "dash": "dash", "width": 1.5},
            annotation_text=f"{model_word(rows['model'].iloc[0])} {known.iloc[0]:.2f}",
            annotation_position="top",
        )


def _shade(figure: go.Figure, zones: tuple[float, float] | None) -> None:
    """Shade the ranges of probability that are called sensitive, uncertain and resistant."""
    if zones is None:
        return
    edges = (0.0, *zones, 1.0)
    for call, left, right in zip(
        ("sensitive", "uncertain", "resistant"), edges[:-1], edges[1:], strict=True
    ):
        style = CALLS[call]
        figure.add_vrect(
            x0=left, x1=right, fillcolor=style.colour, opacity=0.09, line_width=0, layer="below"
        )
        figure.add_annotation(
            text=style.label,
            x=(left + right) / 2,
            yref="paper",
            y=0,
            yanchor="bottom",
            showarrow=False,
            font={"size": 11},
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
