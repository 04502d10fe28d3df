"""How good the models are: leaderboard with the floors on it, and reliability."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.frame import finish, require_columns, require_one
from resvae_core.figures.palette import FLOORS, NEUTRAL, RULE, model_word, series_style

if TYPE_CHECKING:
    import plotly.graph_objects as go

PERFORMANCE_COLUMNS = ("model", "split", "metric", "mean", "lower", "upper")
RELIABILITY_COLUMNS = ("model", "predicted", "observed", "n")
METRIC_WORDS = {
    "roc_auc": "ROC AUC",
    "within_tissue_roc_auc": "ROC AUC within tissue",
}
_ROW_PX = 34
_DASHED = "Dashed: 0.5, which guessing gives, and the best floor."


def leaderboard(
    table: pd.DataFrame,
    *,
    split: str = "leave_cell_line_out",
    metrics: tuple[str, str] = ("roc_auc", "within_tissue_roc_auc"),
) -> go.Figure:
    """Show two metrics side by side for every model, floors included.

    Parameters
    ----------
    table
        One row per model, split and metric: model, split, metric, mean, lower, upper (interval
        of the mean over drugs or folds). NaN where a metric is not defined for a floor.
    split
        Which split's rows to show.
    metrics
        The metric on the left, by which rows are ordered, and the one beside it.

    Returns
    -------
    go.Figure
        Filled circles for learned models, open squares for floors, best on top; a dashed line
        at the best floor, and at 0.5 what guessing gives.

    Raises
    ------
    InputDataError
        If a column is missing or there are no rows of that split and metric.
    """
    from plotly.subplots import make_subplots

    rows = _rows_of_split(table, split, metrics)
    words = [model_word(model) for model in _order(rows, metrics[0])]
    figure = make_subplots(cols=2, shared_yaxes=True, horizontal_spacing=0.06)
    for column, metric in enumerate(metrics, start=1):
        _add_metric(figure, rows[rows["metric"] == metric], column)
        title = METRIC_WORDS.get(metric, metric.replace("_", " "))
        figure.update_xaxes(title_text=f"{title} (higher is better)", zeroline=False, col=column)
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=words[::-1],
        range=[-0.6, len(words) - 0.4],
    )
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"}
    )
    return finish(
        figure,
        takeaway=leaderboard_takeaway(table, split=split, metrics=metrics),
        height=len(words) * _ROW_PX + 140,
        notes=[f"Split: {split.replace('_', ' ')}. Floors read no expression.", _DASHED],
        top=60,
        bottom=60,
    )


def leaderboard_takeaway(
    table: pd.DataFrame,
    *,
    split: str = "leave_cell_line_out",
    metrics: tuple[str, str] = ("roc_auc", "within_tissue_roc_auc"),
) -> str:
    """Say in one sentence which model is best, and what the best floor reaches."""
    rows = _rows_of_split(table, split, metrics)
    sentences = []
    for metric in metrics:
        chosen = rows[rows["metric"] == metric].dropna(subset=["mean"])
        best = (_best(chosen, floors=False), _best(chosen, floors=True))
        parts = [f"{model_word(model)} {mean:.3f}" for model, mean in filter(None, best)]
        if parts:
            title = METRIC_WORDS.get(metric, metric.replace("_", " "))
            sentences.append(f"{title}: {' against a floor of '.join(parts)}")
    return f"{'; '.join(sentences)}."


def reliability(table: pd.DataFrame) -> go.Figure:
    """Compare predicted probabilities with how often resistance was observed.

    Parameters
    ----------
    table
        One row per model and bin of one split: model, predicted (mean probability of the bin),
        observed (share resistant), n (cases in the bin), and, where known, lower and upper (the
        interval of observed).

    Returns
    -------
    go.Figure
        Points on the dashed diagonal are calibrated; the size of a point grows with its count.

    Raises
    ------
    InputDataError
        If a column is missing, the table is empty or holds several splits.
    """
    import plotly.graph_objects as go

    require_columns(table, RELIABILITY_COLUMNS, "the reliability curves")
    if "split" in table:
        require_one(table, "split", "the reliability curves")
    figure = go.Figure()
    figure.add_trace(
        go.Scatter(
            x=[0, 1],
            y=[0, 1],
            mode="lines",
            name="Calibrated",
            line={"color": RULE, "dash": "dash", "width": 1.5},
            hoverinfo="skip",
        )
    )
    for position, (model, rows) in enumerate(table.groupby("model", sort=False)):
        _add_reliability(figure, str(model), rows.sort_values("predicted"), position)
    figure.update_xaxes(title_text="Predicted probability of resistance", range=[-0.02, 1.02])
    figure.update_yaxes(title_text="Observed share resistant", range=[-0.02, 1.04])
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"})
    return finish(figure, takeaway=reliability_takeaway(table), height=420, top=60, bottom=60)


def reliability_takeaway(table: pd.DataFrame) -> str:
    """Give each model's expected calibration error (mean gap, weighted by count)."""
    require_columns(table, RELIABILITY_COLUMNS, "the reliability curves")
    gaps = (table["predicted"] - table["observed"]).abs() * table["n"]
    errors = (
        gaps.groupby(table["model"], sort=False).sum()
        / table.groupby("model", sort=False)["n"].sum()
    )
    named = ", ".join(f"{model_word(str(model))} {error:.3f}" for model, error in errors.items())
    return f"Mean gap between predicted and observed resistance: {named}."


def _rows_of_split(table: pd.DataFrame, split: str, metrics: tuple[str, str]) -> pd.DataFrame:
    require_columns(table, PERFORMANCE_COLUMNS, "the leaderboard")
    rows = table[(table["split"] == split) & table["metric"].isin(metrics)]
    if rows.empty:
        raise InputDataError(
            f"The table has no {' or '.join(metrics)} of split {split!r}; it has splits "
            f"{', '.join(sorted(table['split'].unique()))} and metrics "
            f"{', '.join(sorted(table['metric'].unique()))}.",
            remedy="Choose one of these.",
        )
    return rows


def _order(rows: pd.DataFrame, metric: str) -> list[str]:
    """Return all models, best first; those without the metric last."""
    means = rows[rows["metric"] == metric].set_index("model")["mean"]
    return list(means.reindex(rows["model"].unique()).sort_values(ascending=False).index)


def _best(rows: pd.DataFrame, *, floors: bool) -> tuple[str, float] | None:
    """Return name and mean of the best floor, or of the best learned model."""
    chosen = rows[rows["model"].isin(FLOORS) == floors].sort_values("mean")
    if chosen.empty:
        return None
    return str(chosen["model"].iloc[-1]), float(chosen["mean"].iloc[-1])


def _add_metric(figure: go.Figure, rows: pd.DataFrame, column: int) -> None:
    """Add learned models and floors of one metric, and the best floor's line."""
    import plotly.graph_objects as go

    learned_style = series_style(1)
    kinds = (
        ("Learned model", False, "circle", learned_style.colour),
        ("Floor (reads no expression)", True, "square-open", NEUTRAL),
    )
    for name, is_floor, symbol, colour in kinds:
        chosen = rows[rows["model"].isin(FLOORS) == is_floor].dropna(subset=["mean"])
        figure.add_trace(
            go.Scatter(
                x=chosen["mean"],
                y=[model_word(model) for model in chosen["model"]],
                mode="markers+text",
                text=[f"{mean:.3f}" for mean in chosen["mean"]],
                textposition="top center",
                textfont={"size": 10},
                name=name,
                legendgroup=name,
                showlegend=column == 1,
                marker={"symbol": symbol, "color": colour, "size": 10},
                error_x=_interval(chosen),
                customdata=chosen[["lower", "upper"]],
                hovertemplate=(
                    "%{y}: %{x:.3f} (%{customdata[0]:.3f}–%{customdata[1]:.3f})<extra></extra>"
                ),
            ),
            1,
            column,
        )
    best = _best(rows.dropna(subset=["mean"]), floors=True)
    for level in (0.5, best[1] if best else 0.5):
        figure.add_vline(x=level, line={"color": RULE, "dash": "dash"}, col=column, row=1)


def _add_reliability(figure: go.Figure, model: str, rows: pd.DataFrame, position: int) -> None:
    import plotly.graph_objects as go

    style = series_style(position)
    sizes = 6 + 14 * (rows["n"] / rows["n"].max()) ** 0.5
    known = "lower" in rows and "upper" in rows
    interval = _interval(rows.rename(columns={"observed": "mean"})) if known else None
    figure.add_trace(
        go.Scatter(
            x=rows["predicted"],
            y=rows["observed"],
            mode="lines+markers",
            name=model_word(model),
            line={"color": style.colour, "dash": style.dash, "width": 1.5},
            marker={
                "symbol": style.marker,
                "color": style.colour,
                "size": sizes,
                "line": {"width": 0},
            },
            error_y=interval,
            customdata=rows["n"],
            hovertemplate=(
                f"{model_word(model)}: predicted %{{x:.2f}}, observed %{{y:.2f}}, "
                "n = %{customdata}<extra></extra>"
            ),
        )
    )


def _interval(rows: pd.DataFrame) -> dict[str, object]:
    """Return Plotly's error bars from lower and upper limits around the mean."""
    return {
        "type": "data",
        "symmetric": False,
        "array": (rows["upper"] - rows["mean"]).fillna(0.0),
        "arrayminus": (rows["mean"] - rows["lower"]).fillna(0.0),
        "thickness": 1.5,
        "width": 3,
    }
