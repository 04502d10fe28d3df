"""A candidate beside the active model set: what both were judged at, and how predictions move."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from resvae_core.figures.frame import NARROW_NOTE, finish, require_columns
from resvae_core.figures.palette import NEUTRAL, RULE, faded, in_order, model_word, series_style
from resvae_core.figures.performance import LOWER_IS_BETTER, METRIC_WORDS
from resvae_core.figures.rows import fix_rows, legend_above
from resvae_core.registry.comparison import SPLIT_WORDS

if TYPE_CHECKING:
    import plotly.graph_objects as go

METRICS_COLUMNS = (
    "split",
    "model",
    "metric",
    "floor",
    "mean_candidate",
    "lower_candidate",
    "upper_candidate",
    "mean_active",
    "lower_active",
    "upper_active",
)
DRIFT_COLUMNS = ("cohort", "synthetic", "model", "drug", "n", "mean_change", "p95_change")
SET_METRIC_WORDS = METRIC_WORDS | {
    "ece": "Calibration error",
    "coverage_resistant": "Coverage of resistant pairs",
    "coverage_sensitive": "Coverage of sensitive pairs",
}
NO_DIRECTION = ("coverage_resistant", "coverage_sensitive")
"""Metrics that are to be near 0.9, neither higher nor lower."""
CANDIDATE = "candidate"
"""What the set beside the active one is called, unless another word is given."""
MOST_DRUGS = 20
_ROW_PX = 38
_BAR = 0.35
"""Opacity of a bar beneath marks; its outline has the contrast."""
_SETS = (("candidate", "circle"), ("active", "square"))


def set_metrics(
    table: pd.DataFrame, *, split: str, metric: str, caution: str = "", compared: str = CANDIDATE
) -> go.Figure:
    """Show one metric of a candidate's and the active set's models side by side.

    Parameters
    ----------
    table
        As `registry.comparison.SetComparison.metrics`: one row a split, model and metric, with
        mean, lower and upper (95 %) of each set; NaN where a set has no such model.
    split, metric
        Whose rows to show.
    caution
        Why the two sets' figures are not comparable (`SetComparison.caution`): said first.
    compared
        Word for the set beside the active one, which need not be a candidate.

    Returns
    -------
    go.Figure
        Two marks with intervals a model: circles for the candidate, squares for the active set;
        floors in grey, open.

    Raises
    ------
    InputDataError
        If a column is missing or there are no rows of that split and metric.
    """
    import plotly.graph_objects as go

    rows = _rows(table, split, metric)
    words = [model_word(model) for model in rows["model"]]
    words_of = {"candidate": compared, "active": "active"}
    figure = go.Figure()
    for position, (name, symbol) in enumerate(_SETS):
        colour = series_style(position).colour
        for floor in (False, True):
            chosen = rows[(rows["floor"] == floor) & rows[f"mean_{name}"].notna()]
            if chosen.empty:
                continue
            title = f"{words_of[name].capitalize()}{', floors' if floor else ''}"
            mark = f"{symbol}-open" if floor else symbol
            marks = _marks(chosen, name, title, mark, NEUTRAL if floor else colour)
            # two entries stay in one line, beneath the toolbar, on a narrow page too
            figure.add_trace(marks.update(showlegend=not floor))
    figure.update_layout(scattermode="group", scattergap=0.4, showlegend=True)
    figure.update_xaxes(title_text=_axis(metric), zeroline=False, range=_range(rows))
    fix_rows(figure, words)
    legend_above(figure)
    return finish(
        figure,
        takeaway=set_metrics_takeaway(
            table, split=split, metric=metric, caution=caution, compared=compared
        ),
        height=len(words) * _ROW_PX + 150,
        notes=[
            *([caution] if caution else []),
            f"{SPLIT_WORDS.get(split, split)}; mean with 95 % interval. The intervals are of each "
            "set alone: whether the sets differ is said by paired tests, where there can be any, "
            "not by overlap. Grey and open: floors.",
        ],
        top=60,
        bottom=60,
        note_characters=NARROW_NOTE,
    )


def set_metrics_takeaway(
    table: pd.DataFrame, *, split: str, metric: str, caution: str = "", compared: str = CANDIDATE
) -> str:
    """Name in one sentence the best learned model of each set, behind what forbids to compare."""
    rows = _rows(table, split, metric)
    learned = rows[~rows["floor"]]
    parts = []
    for name, _ in _SETS:
        word = compared if name == "candidate" else name
        means = learned.set_index("model")[f"mean_{name}"].dropna()
        if means.empty:
            parts.append(f"no learned model of the {word} set was judged")
            continue
        best = str(means.idxmin() if metric in LOWER_IS_BETTER else means.idxmax())
        parts.append(f"{model_word(best)} {means[best]:.3f} leads the {word} set")
    sentence = f"{SET_METRIC_WORDS.get(metric, metric)}: {'; '.join(parts)}."
    return f"{caution} {sentence}" if caution else sentence


def drift_by_drug(table: pd.DataFrame, *, model: str) -> go.Figure:
    """Show the drugs whose predictions move most between two sets.

    Parameters
    ----------
    table
        As `registry.drift.prediction_drift` gives it.
    model
        Whose rows to show; ``default`` for the two default models.

    Returns
    -------
    go.Figure
        Per drug the mean change of P(resistant), on a bar as far to either side of 0 as the 95th
        percentile of its size, each the mean over cohorts by their patients; the `MOST_DRUGS` drugs
        that move most.

    Raises
    ------
    InputDataError
        If a column is missing or there are no rows of that model.
    """
    import plotly.graph_objects as go

    rows = _drift_rows(table, model)
    shown = rows.head(MOST_DRUGS)
    synthetic = bool(table["synthetic"].any())
    size, mean = series_style(1).colour, series_style(0).colour
    figure = go.Figure(
        [
            go.Bar(
                x=2 * shown["p95_change"],
                base=-shown["p95_change"],
                y=shown["drug"],
                orientation="h",
                width=0.5,
                name="Size, 95th percentile (±)",
                marker={"color": faded(size, _BAR), "line": {"width": 1.5, "color": size}},
                customdata=shown["p95_change"],
                hovertemplate="%{y}: ± %{customdata:.3f}<extra></extra>",
            ),
            go.Scatter(
                x=shown["mean_change"],
                y=shown["drug"],
                mode="markers",
                name="Mean change",
                marker={"symbol": "circle", "size": 11, "color": mean},
                hovertemplate="%{y}: %{x:+.3f}<extra></extra>",
            ),
        ]
    )
    figure.add_vline(x=0, line={"color": RULE, "dash": "dash"})
    figure.update_xaxes(
        title_text="Change of the probability (right: more resistant)", zeroline=False
    )
    figure.update_layout(showlegend=True)
    fix_rows(figure, list(shown["drug"]))
    legend_above(figure)
    cohorts = ", ".join(dict.fromkeys(table["cohort"]))
    more = f" of {len(rows)}, those that move most" if len(rows) > len(shown) else ""
    return finish(
        figure,
        takeaway=drift_takeaway(table, model=model),
        height=len(shown) * 26 + 174,
        notes=[
            f"Candidate minus active set; patients of {cohorts}. {_drugs(len(shown))}{more}. "
            "Bar: a size has no sign, so it reaches as far to either side of 0."
        ],
        synthetic=synthetic,
        top=84,
        bottom=60,
        note_characters=NARROW_NOTE,
    )


def drift_takeaway(table: pd.DataFrame, *, model: str) -> str:
    """Say in one sentence which drug moves most, and how far the median drug does."""
    rows = _drift_rows(table, model)
    first = rows.iloc[0]
    return (
        f"Most movement: {first['drug']}, ± {first['p95_change']:.2f} (95th percentile of the size "
        f"of a change); the median drug ± {rows['p95_change'].median():.2f} ({_drugs(len(rows))})."
    )


def _drugs(n: int) -> str:
    return "1 drug" if n == 1 else f"{n} drugs"


def _rows(table: pd.DataFrame, split: str, metric: str) -> pd.DataFrame:
    require_columns(table, METRICS_COLUMNS, "the comparison of model sets")
    rows = table[(table["split"] == split) & (table["metric"] == metric)]
    require_columns(rows, METRICS_COLUMNS, f"the comparison by {metric} of {split}")
    return rows.set_index("model").loc[in_order(rows["model"])].reset_index()


def _marks(rows: pd.DataFrame, name: str, title: str, symbol: str, colour: str) -> go.Scatter:
    import plotly.graph_objects as go

    mean, lower, upper = (rows[f"{bound}_{name}"] for bound in ("mean", "lower", "upper"))
    return go.Scatter(
        x=mean,
        y=[model_word(model) for model in rows["model"]],
        orientation="h",
        offsetgroup=name,
        mode="markers",
        name=title,
        marker={
            "symbol": symbol,
            "color": colour,
            "size": 10,
            "line": {"width": 2, "color": colour},
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": (upper - mean).fillna(0.0),
            "arrayminus": (mean - lower).fillna(0.0),
            "thickness": 1.5,
            "width": 3,
        },
        customdata=pd.concat([lower, upper], axis=1).to_numpy(),
        hovertemplate=(
            f"%{{y}}, {title.partition(',')[0].lower()}: %{{x:.3f}} "
            "(%{customdata[0]:.3f} to %{customdata[1]:.3f})"
            "<extra></extra>"
        ),
    )


def _range(rows: pd.DataFrame) -> list[float]:
    """Return the ends of the axis: grouped marks would draw it from 0."""
    bounds = rows[[f"{end}_{name}" for name, _ in _SETS for end in ("mean", "lower", "upper")]]
    low, high = float(bounds.min().min()), float(bounds.max().max())
    room = 0.06 * (high - low) or 0.01
    return [low - room, high + room]


def _axis(metric: str) -> str:
    word = SET_METRIC_WORDS.get(metric, metric.replace("_", " "))
    if metric in NO_DIRECTION:
        return f"{word} (0.90 is promised)"
    return f"{word} ({'lower' if metric in LOWER_IS_BETTER else 'higher'} is better)"


def _drift_rows(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Return drug, mean_change, p95_change over cohorts by their patients, most movement first."""
    require_columns(table, DRIFT_COLUMNS, "the drift of predictions")
    rows = table[table["model"] == model]
    require_columns(rows, DRIFT_COLUMNS, f"the drift of {model}")
    weighted = rows[["mean_change", "p95_change"]].mul(rows["n"], axis=0).assign(n=rows["n"])
    sums = weighted.groupby(rows["drug"], sort=False).sum()
    means = sums[["mean_change", "p95_change"]].div(sums["n"], axis=0)
    return means.sort_values("p95_change", ascending=False).reset_index()
