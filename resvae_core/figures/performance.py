"""How good the models are: leaderboard with the floors on it, paired tests, other measurements."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.frame import finish, interval_bars, require_columns, require_one
from resvae_core.figures.palette import (
    ENSEMBLE,
    FLOORS,
    NEUTRAL,
    RULE,
    SIMPLE,
    in_order,
    model_word,
    series_style,
)

if TYPE_CHECKING:
    import plotly.graph_objects as go

PERFORMANCE_COLUMNS = ("model", "split", "metric", "mean", "lower", "upper")
DIFFERENCE_COLUMNS = ("model", "metric", "difference", "lower", "upper", "p_holm")
EXTERNAL_COLUMNS = ("source", "model", "lines", "metric", "mean", "lower", "upper", "n_drugs")
METRIC_WORDS = {
    "roc_auc": "ROC AUC",
    "within_tissue_roc_auc": "ROC AUC within tissue",
    "average_precision_sensitive": "Average precision, sensitive lines",
    "pearson": "Pearson r with ln IC50",
    "spearman": "Spearman ρ",
    "brier": "Brier score",
}
LOWER_IS_BETTER = ("brier", "ece")
CLEAR = 0.05
"""Corrected p-value below which a difference is called clear."""
MEASUREMENT = "training_screen"
"""Stands among the models for the training screen's own measurement."""
LINES_WORDS = {
    "all": "All lines",
    "in_training": "Measured for the drug in training",
    "not_in_training": "Never measured for the drug in training",
}
_ROW_PX = 34
_DASHED = "Dashed: 0.5, which guessing gives, and the best floor."
_KINDS = (
    ("Ensemble of the five", "circle", series_style(0).colour, 15),
    ("One of the five", "circle", series_style(1).colour, 10),
    ("Simple model", "cross", series_style(2).colour, 10),
    ("Floor (reads no expression)", "square-open", NEUTRAL, 10),
)
"""Name in the legend, marker, colour and size."""


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
        of the mean over drugs or folds), and n_folds where known. NaN where a metric is not
        defined for a floor.
    split
        Which split's rows to show.
    metrics
        The metric on the left, by which rows are ordered, and the one beside it.

    Returns
    -------
    go.Figure
        Filled marks for learned models, the ensemble larger, open squares for floors, best on
        top; a dashed line at the best floor, and at 0.5 what guessing gives.

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
        figure.update_xaxes(title_text=_axis_title(metric), zeroline=False, col=column)
    _fix_rows(figure, words)
    return finish(
        figure,
        takeaway=leaderboard_takeaway(table, split=split, metrics=metrics),
        height=len(words) * _ROW_PX + 140,
        notes=[f"Split: {split.replace('_', ' ')}{_folds(rows)}. {_DASHED}"],
        top=60,
        bottom=60,
    )


def leaderboard_takeaway(
    table: pd.DataFrame,
    *,
    split: str = "leave_cell_line_out",
    metrics: tuple[str, str] = ("roc_auc", "within_tissue_roc_auc"),
) -> str:
    """Say in one sentence which model is best, beside the simple model and the best floor."""
    rows = _rows_of_split(table, split, metrics)
    sentences = [
        sentence
        for metric in metrics
        if (sentence := _standing(rows[rows["metric"] == metric].dropna(subset=["mean"]), metric))
    ]
    return f"{'; '.join(sentences)}."


def differences(table: pd.DataFrame, *, metric: str, against: str) -> go.Figure:
    """Show how much better or worse models are than a reference, on the same folds.

    Parameters
    ----------
    table
        One row a model of one metric: model, metric, difference (model minus reference), lower,
        upper (95 %), p_holm (corrected for the number of tests; NaN where there is no test).
    metric
        Which metric's rows to show.
    against
        The reference in words, as it stands within a sentence.

    Returns
    -------
    go.Figure
        Rows in the order of figures; filled where the difference is clear, open where it is not.

    Raises
    ------
    InputDataError
        If a column is missing or there are no rows of that metric.
    """
    import plotly.graph_objects as go

    rows = _rows_of_metric(table, metric)
    clear = rows["p_holm"] < CLEAR
    figure = go.Figure()
    for name, chosen, symbol in (
        (f"Clear difference (corrected p < {CLEAR:g})", rows[clear], "circle"),
        ("No clear difference", rows[~clear], "circle-open"),
    ):
        if len(chosen):
            figure.add_trace(_marks(chosen, "difference", name, symbol, series_style(1).colour, 10))
    figure.add_vline(x=0, line={"color": RULE, "dash": "dash"})
    figure.update_layout(showlegend=True)
    figure.update_xaxes(title_text=f"Difference in {_inside(metric)}", zeroline=False)
    _fix_rows(figure, [model_word(model) for model in rows["model"]])
    return finish(
        figure,
        takeaway=differences_takeaway(table, metric=metric, against=against),
        height=len(rows) * _ROW_PX + 130,
        notes=[
            f"Model minus {against}, paired over the same folds, 95 % interval. "
            f"{'Left' if metric in LOWER_IS_BETTER else 'Right'} of the line the model is better."
        ],
        top=50,
        bottom=60,
    )


def differences_takeaway(table: pd.DataFrame, *, metric: str, against: str) -> str:
    """Name in one sentence the models that are clearly better and clearly worse."""
    rows = _rows_of_metric(table, metric)
    sign = -1 if metric in LOWER_IS_BETTER else 1
    clear, gain = rows["p_holm"] < CLEAR, sign * rows["difference"]
    parts = []
    for word, chosen in (
        ("clearly better", rows[clear & (gain > 0)]),
        ("clearly worse", rows[clear & (gain < 0)]),
        ("no clear difference", rows[~clear]),
    ):
        named = [
            f"{model_word(str(row.model))} ({row.difference:+.3f})" for row in chosen.itertuples()
        ]
        parts += [f"{word}: {', '.join(named)}"] if named else []
    return f"{METRIC_WORDS.get(metric, metric)} against {against}: {'; '.join(parts)}."


def external(table: pd.DataFrame, *, metric: str, truth: str) -> go.Figure:
    """Show how well models agree with another screen or with the published calls.

    Parameters
    ----------
    table
        One row per model and set of lines, of one source: source, model (``training_screen`` for
        the training screen's own measurement), lines, metric, mean, lower, upper (95 %, over
        drugs), n_drugs, and where known n_lines.
    metric
        Which metric's rows to show.
    truth
        The source in words.

    Raises
    ------
    InputDataError
        If a column is missing, the table holds several sources, or it lacks the metric.
    """
    import plotly.graph_objects as go

    rows = _external_rows(table, metric)
    models = _measurement_first(rows["model"])
    words = [_external_word(model) for model in models]
    figure = go.Figure()
    for position, name in enumerate(LINES_WORDS):
        chosen = rows[rows["lines"] == name]
        if len(chosen):
            style = series_style(position)
            legend = f"{LINES_WORDS[name]}{_size_of(chosen)}"
            marks = _marks(chosen, "mean", legend, style.marker, style.colour, 10)
            marks.update(
                y=[_external_word(model) for model in chosen["model"]],
                orientation="h",
                offsetgroup=name,
            )
            figure.add_trace(marks)
    figure.update_xaxes(title_text=_axis_title(metric), zeroline=False)
    figure.update_layout(scattermode="group", scattergap=0.45)
    _fix_rows(figure, words)
    figure.update_layout(legend={"orientation": "v"})
    return finish(
        figure,
        takeaway=external_takeaway(table, metric=metric, truth=truth),
        height=len(words) * (_ROW_PX + 6) + 160,
        notes=[
            "Mean over drugs, 95 % interval over drugs; every line scored by a model that never "
            "saw it. The training screen's own measurement shows how far two screens agree: no "
            "model can be asked for more."
        ],
        top=90,
        bottom=60,
    )


def external_takeaway(table: pd.DataFrame, *, metric: str, truth: str) -> str:
    """Name the best model and what two screens share, in one sentence."""
    rows = _external_rows(table, metric)
    parts = []
    for name in ("not_in_training", "in_training"):
        models = rows[(rows["lines"] == name) & (rows["model"] != MEASUREMENT)]
        models = models[~models["model"].isin(FLOORS)]
        if len(models):
            best = models.loc[models["mean"].idxmax()]
            parts.append(
                f"{LINES_WORDS[name].lower()}, best {model_word(str(best['model']))} "
                f"{best['mean']:.2f} ({best['lower']:.2f}–{best['upper']:.2f})"
            )
    measured = rows[rows["model"] == MEASUREMENT]
    if len(measured):
        parts.append(f"the training screen's own measurement {measured['mean'].iloc[0]:.2f}")
    return f"{truth}, {_inside(metric)}: {'; '.join(parts)}."


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


def _rows_of_metric(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    """Return one metric's rows in the order of figures."""
    require_columns(table, DIFFERENCE_COLUMNS, "the paired tests")
    rows = table[table["metric"] == metric]
    require_columns(rows, DIFFERENCE_COLUMNS, f"the paired tests of {metric}")
    return rows.set_index("model").loc[in_order(rows["model"])].reset_index()


def _external_rows(table: pd.DataFrame, metric: str) -> pd.DataFrame:
    require_columns(table, EXTERNAL_COLUMNS, "the comparison with other measurements")
    require_one(table, "source", "the comparison with other measurements")
    rows = table[table["metric"] == metric]
    require_columns(rows, EXTERNAL_COLUMNS, f"the comparison by {metric}")
    return rows


def _measurement_first(models: pd.Series[str]) -> list[str]:
    others = in_order(models[models != MEASUREMENT])
    return [MEASUREMENT, *others] if (models == MEASUREMENT).any() else others


def _external_word(model: str) -> str:
    return "<i>Training screen itself</i>" if model == MEASUREMENT else model_word(model)


def _size_of(rows: pd.DataFrame) -> str:
    n_drugs = int(rows["n_drugs"].max())
    lines = f", {int(rows['n_lines'].max())} lines" if "n_lines" in rows else ""
    return f" ({n_drugs} drugs{lines})"


def _standing(rows: pd.DataFrame, metric: str) -> str:
    """Return the best learned model, the simple one and the best floor by one metric."""
    learned, floors = (rows[rows["model"].isin(FLOORS) == floors] for floors in (False, True))
    best = _best(learned)
    if best is None:
        return ""
    rivals = [] if best[0] == SIMPLE else [_best(learned[learned["model"] == SIMPLE])]
    named = [f"{model_word(model)} {mean:.3f}" for model, mean in filter(None, rivals)]
    named += [f"a floor of {model_word(m)} {mean:.3f}" for m, mean in filter(None, [_best(floors)])]
    beside = f" against {' and '.join(named)}" if named else ""
    return f"{METRIC_WORDS.get(metric, metric)}: {model_word(best[0])} {best[1]:.3f}{beside}"


def _best(rows: pd.DataFrame) -> tuple[str, float] | None:
    """Return name and mean of the best row, the first in the order of figures where equal."""
    if rows.empty:
        return None
    means = rows.set_index("model")["mean"].reindex(in_order(rows["model"]))
    return str(means.idxmax()), float(means.max())


def _order(rows: pd.DataFrame, metric: str) -> list[str]:
    """Return all models, best first; those without the metric last."""
    means = rows[rows["metric"] == metric].set_index("model")["mean"]
    return list(means.reindex(rows["model"].unique()).sort_values(ascending=False).index)


def _folds(rows: pd.DataFrame) -> str:
    return f", {int(rows['n_folds'].max())} folds" if "n_folds" in rows else ""


def _inside(metric: str) -> str:
    """Return a metric's word as it stands within a sentence."""
    word = METRIC_WORDS.get(metric, metric.replace("_", " "))
    return word if word.startswith(("ROC", "Pearson", "Spearman", "Brier")) else word.lower()


def _axis_title(metric: str) -> str:
    word = METRIC_WORDS.get(metric, metric.replace("_", " "))
    return f"{word} ({'lower' if metric in LOWER_IS_BETTER else 'higher'} is better)"


def _add_metric(figure: go.Figure, rows: pd.DataFrame, column: int) -> None:
    """Add learned models and floors of one metric, and the best floor's line."""
    rows = rows.dropna(subset=["mean"])
    group = rows["model"].map(_kind_of)
    for number, (name, symbol, colour, size) in enumerate(_KINDS):
        chosen = rows[group == number]
        marks = _marks(chosen, "mean", name, symbol, colour, size)
        marks.update(
            mode="markers+text",
            text=[f"{mean:.3f}" for mean in chosen["mean"]],
            textposition="top center",
            textfont={"size": 10},
            legendgroup=name,
            showlegend=column == 1,
        )
        figure.add_trace(marks, 1, column)
    best = _best(rows[rows["model"].isin(FLOORS)])
    for level in (0.5, best[1] if best else 0.5):
        figure.add_vline(x=level, line={"color": RULE, "dash": "dash"}, col=column, row=1)


def _kind_of(model: str) -> int:
    """Return the position in `_KINDS`."""
    special = {ENSEMBLE: 0, SIMPLE: 2}
    return 3 if model in FLOORS else special.get(model, 1)


def _marks(
    rows: pd.DataFrame, value: str, name: str, symbol: str, colour: str, size: int
) -> go.Scatter:
    """Return one mark with its interval a row, at the row of its model."""
    import plotly.graph_objects as go

    digits = "+.3f" if value == "difference" else ".3f"
    return go.Scatter(
        x=rows[value],
        y=[model_word(model) for model in rows["model"]],
        mode="markers",
        name=name,
        marker={"symbol": symbol, "color": colour, "size": size, "line": {"width": 2}}
        if symbol.endswith("open")
        else {"symbol": symbol, "color": colour, "size": size},
        error_x=interval_bars(rows, value),
        customdata=rows[["lower", "upper"]],
        hovertemplate=(
            f"%{{y}}: %{{x:{digits}}} (%{{customdata[0]:{digits}}} to %{{customdata[1]:{digits}}})"
            "<extra></extra>"
        ),
    )


def _fix_rows(figure: go.Figure, words: Sequence[str]) -> None:
    """Fix the rows to their order, first on top, with the legend above."""
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=list(words)[::-1],
        range=[-0.6, len(words) - 0.4],
    )
    figure.update_layout(
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom", "xanchor": "left"}
    )
