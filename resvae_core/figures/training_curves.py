"""A training while it runs: the loss of every fit over its epochs, and what finished folds say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from resvae_core.figures.frame import finish, require_columns
from resvae_core.figures.palette import (
    ABLATION_WORDS,
    FLOORS,
    MODEL_WORDS,
    NEUTRAL,
    RULE,
    SeriesStyle,
    faded,
    in_order,
    model_word,
    series_style,
)
from resvae_core.figures.performance import METRIC_WORDS

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

CURVE_COLUMNS = ("n", "series", "epoch", "name", "value")
LOSS = "loss"
METRICS = ("roc_auc", "within_tissue_roc_auc")
FINAL = "final"
"""In the place of a fold: the fit on all lines, which judges nothing."""
MOST_FITS = 40
"""Fits that are drawn, the last ones: more lines than this are a carpet."""
_ROW_PX = 34
_PARTS = ("seed", "fold", "member")
_PAST = 0.35
"""Opacity of the fits before the last one of a model."""


def loss_curves(curve: pd.DataFrame) -> go.Figure:
    """Show the loss over the epochs, one line a fit, the last fit of each model strongest.

    Parameters
    ----------
    curve
        Columns `CURVE_COLUMNS` as a job keeps them; rows named ``loss`` are drawn. A series is
        ``kind/seed/fold`` or ``kind/seed/fold/member``; `FINAL` stands for the fold of the last
        fit.

    Raises
    ------
    InputDataError
        If a column is missing or no loss was reported.
    """
    import plotly.graph_objects as go

    rows = losses_of(curve)
    require_columns(rows, CURVE_COLUMNS, "the curves of loss")
    drawn = rows[rows["series"].isin(_latest(rows))].sort_values(["series", "epoch"])
    last = rows.groupby("kind")["series"].last()
    leading = drawn["series"] == drawn["kind"].map(last)
    # few traces of many lines: each trace costs the page milliseconds
    lines = [
        _lines(some[some["kind"] == kind], style, leading=strong)
        for strong, some in ((False, drawn[~leading]), (True, drawn[leading]))
        for kind, style in _styles(rows).items()
        if (some["kind"] == kind).any()
    ]
    figure = go.Figure(lines)
    figure.update_xaxes(title_text="Epoch", rangemode="tozero")
    figure.update_yaxes(title_text="Training loss (lower is better)")
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"})
    return finish(figure, takeaway=loss_takeaway(curve), height=240, top=40, bottom=50)


def fold_metrics(curve: pd.DataFrame, metric: str = METRICS[0]) -> go.Figure:
    """Show one metric of every finished fold, one row a model, beside the best floor.

    Parameters
    ----------
    curve
        As in `loss_curves`; rows of the metric's name are drawn, floors among the models.
    metric
        One of `METRICS`.

    Returns
    -------
    go.Figure
        A small mark a fold, a large one for their mean; dashed where guessing and the best floor
        lie.

    Raises
    ------
    InputDataError
        If a column is missing or no fold has finished.
    """
    import plotly.graph_objects as go

    rows = metrics_of(curve, metric)
    require_columns(rows, CURVE_COLUMNS, "the metrics of finished folds")
    kinds = in_order(rows["kind"])
    styles = _styles(rows)
    marks = [
        mark
        for kind in kinds
        for mark in _fold_marks(rows.loc[rows["kind"] == kind, "value"], kind, styles[kind])
    ]
    figure = go.Figure(marks)
    floor = _best_floor(rows)
    for level in (0.5, floor[1] if floor else 0.5):
        figure.add_vline(x=level, line={"color": RULE, "dash": "dash"})
    word = METRIC_WORDS.get(metric, metric)
    figure.update_xaxes(title_text=f"{word} on held-out lines (higher is better)", zeroline=False)
    words = [model_word(kind) for kind in kinds][::-1]
    figure.update_yaxes(type="category", categoryorder="array", categoryarray=words)
    return finish(
        figure,
        takeaway=fold_takeaway(curve, metric),
        height=len(kinds) * _ROW_PX + 90,
        notes=["Small: one fold; large: their mean. Dashed: 0.5 (guessing) and the best floor."],
        top=10,
        bottom=50,
    )


def loss_takeaway(curve: pd.DataFrame) -> str:
    """Say in one sentence how the loss of the fit that reported last has moved."""
    rows = losses_of(curve)
    newest = str(rows.loc[rows["n"].idxmax(), "series"])
    fit = rows[rows["series"] == newest].sort_values("epoch")
    ends = fit.iloc[[0, -1]] if len(fit) > 1 else fit
    words = [f"{row.value:.3g} at epoch {row.epoch:.0f}" for row in ends.itertuples()]
    return f"{fit_word(newest)}: loss {', '.join(words)}."


def fold_takeaway(curve: pd.DataFrame, metric: str = METRICS[0]) -> str:
    """Say in one sentence which model leads so far, beside the best floor."""
    rows, word = metrics_of(curve, metric), METRIC_WORDS.get(metric, metric)
    learned, floor = rows[~rows["kind"].isin(FLOORS)], _best_floor(rows)
    beside = f"a floor of {model_word(floor[0])} {floor[1]:.3f}" if floor else ""
    if learned.empty:
        return f"{word}: {beside}; no learned model has finished a fold yet."
    means = learned.groupby("kind")["value"].mean()
    best = str(means.idxmax())
    n_folds = int((learned["kind"] == best).sum())
    against = f" against {beside}" if beside else ""
    return (
        f"{word} so far: {model_word(best)} {means[best]:.3f} over {n_folds} "
        f"{'fold' if n_folds == 1 else 'folds'}{against}."
    )


def latest_report(curve: pd.DataFrame) -> str:
    """Return what was reported last, by its fit: "VAE_LD, seed 0, fold 3: ROC AUC 0.724".

    Parameters
    ----------
    curve
        As in `loss_curves`; at least one row.
    """
    require_columns(curve, CURVE_COLUMNS, "a training's curves")
    last = curve.loc[curve["n"].idxmax()]
    told = curve[(curve["series"] == last["series"]) & (curve["epoch"] == last["epoch"])]
    epoch = f", epoch {last['epoch']:.0f}" if last["epoch"] else ""  # 0 stands for a whole fold
    values = ", ".join(
        f"{METRIC_WORDS.get(name, name.replace('_', ' '))} {value:.3f}"
        for name, value in zip(told["name"], told["value"], strict=True)
    )
    return f"{fit_word(str(last['series']))}{epoch}: {values}"


def losses_of(curve: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of losses, with the model of each in the column ``kind``."""
    return _named(curve, LOSS)


def metrics_of(curve: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return the last value of a metric for each fold, with its model in the column ``kind``."""
    return _named(curve, metric).drop_duplicates("series", keep="last")


def _named(curve: pd.DataFrame, name: str) -> pd.DataFrame:
    require_columns(curve.head(1), CURVE_COLUMNS, "a training's curves")
    rows = curve[curve["name"] == name].dropna(subset=["value"])
    return rows.assign(kind=rows["series"].astype(str).str.split("/").str[0])


def _latest(rows: pd.DataFrame) -> list[str]:
    """Return the series to draw, those that reported last at the end, so on top."""
    return [str(series) for series in rows.groupby("series")["n"].max().nlargest(MOST_FITS).index][
        ::-1
    ]


def _styles(rows: pd.DataFrame) -> dict[str, SeriesStyle]:
    """Return a style for each model, the same whichever others are there; floors share one."""
    kinds = dict.fromkeys((*MODEL_WORDS, *ABLATION_WORDS, *in_order(rows["kind"])))
    learned = [kind for kind in kinds if kind not in FLOORS]
    styles = {kind: series_style(position) for position, kind in enumerate(learned)}
    return styles | {kind: SeriesStyle(NEUTRAL, "dot", "square-open") for kind in FLOORS}


def _lines(rows: pd.DataFrame, style: SeriesStyle, *, leading: bool) -> go.Scatter:
    """Return the fits of one model as one trace, with a gap behind each."""
    import plotly.graph_objects as go

    kind = str(rows["kind"].iloc[0])
    gap: dict[Any, Any] = {"epoch": float("nan"), "value": float("nan"), "series": ""}
    parts: list[list[dict[Any, Any]]] = [
        [*fit.to_dict("records"), gap] for _, fit in rows.groupby("series", sort=False)
    ]
    points = [point for part in parts for point in part][:-1]
    return go.Scatter(
        x=[point["epoch"] for point in points],
        y=[point["value"] for point in points],
        customdata=[fit_word(str(point["series"])) for point in points],
        # a fit of a few epochs may report one point, which no line shows
        mode="lines+markers",
        marker={"size": 4},
        name=model_word(kind),
        legendgroup=kind,
        showlegend=leading,
        line={
            "color": style.colour if leading else faded(style.colour, _PAST),
            "dash": style.dash,
            "width": 2.5 if leading else 1,
        },
        hovertemplate="%{customdata}, epoch %{x}: %{y:.3f}<extra></extra>",
    )


def _fold_marks(values: pd.Series[float], kind: str, style: SeriesStyle) -> list[go.Scatter]:
    """Return the folds of one model and their mean."""
    import plotly.graph_objects as go

    sizes = {"folds": ([*values], 7, 0.75), "mean": ([values.mean()], 14, 1.0)}
    return [
        go.Scatter(
            x=found,
            y=[model_word(kind)] * len(found),
            mode="markers",
            showlegend=False,
            marker={"color": style.colour, "symbol": style.marker, "size": size},
            opacity=opacity,
            hovertemplate=f"{model_word(kind)}, {what}: %{{x:.3f}}<extra></extra>",
        )
        for what, (found, size, opacity) in sizes.items()
    ]


def fit_word(series: str) -> str:
    """Return a series such as ``vae_ld/0/3`` for readers: "VAE_LD, seed 0, fold 3"."""
    kind, *rest = series.split("/")
    words = [f"{name} {part}" for name, part in zip(_PARTS, rest, strict=False) if part != FINAL]
    return ", ".join((model_word(kind), *words, *["fit on all lines"] * (FINAL in rest)))


def _best_floor(rows: pd.DataFrame) -> tuple[str, float] | None:
    means = rows[rows["kind"].isin(FLOORS)].groupby("kind")["value"].mean()
    return (str(means.idxmax()), float(means.max())) if len(means) else None
