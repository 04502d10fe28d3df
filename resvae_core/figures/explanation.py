"""Why a model says what it says: from the base to the score, gene by gene."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.frame import finish, require_columns, require_one
from resvae_core.figures.palette import CALLS, GRID, NEUTRAL

if TYPE_CHECKING:
    import plotly.graph_objects as go

ATTRIBUTION_COLUMNS = ("sample", "gene", "value", "attribution", "base", "score", "unit")
TOLERANCE = 1e-3
"""How far base + attributions may miss the score: what integrated gradients leave over."""

_TAILS = np.array([0.0001, 0.001, 0.01])
_TICKS = (
    np.concatenate([_TAILS, [0.1, 0.5, 0.9], 1 - _TAILS[::-1]]),
    np.concatenate([_TAILS, np.arange(0.1, 0.95, 0.1), 1 - _TAILS[::-1]]),
    np.concatenate([_TAILS, np.arange(0.05, 0.99, 0.05), 1 - _TAILS[::-1]]),
    np.arange(0.01, 0.995, 0.01),
)
"""Probabilities that may stand on the upper axis, sparse to dense."""

_MIN_TICKS = 3
_ROW_PX = 26


def waterfall(
    table: pd.DataFrame,
    *,
    n_genes: int = 12,
    base_word: str = "reference",
    synthetic: bool = False,
) -> go.Figure:
    """Draw how genes move one sample's score from the base to what is shown.

    Parameters
    ----------
    table
        Attribution of one sample and drug, one row a gene: sample, gene, value (log2(TPM + 1),
        NaN where not measured), attribution, base, score, unit (log-odds of resistance).
        Base + attributions = score.
    n_genes
        How many genes get a bar; the others are added up into one bar.
    base_word
        What the base stands for, in a word or two.
    synthetic
        Whether the sample is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        Log-odds below, the probability they stand for above. ▲ towards resistant, ▼ towards
        sensitive.

    Raises
    ------
    InputDataError
        If a column is missing, the table holds several samples, bases or scores, or the parts
        do not add up to the score within 0.001.
    """
    import plotly.graph_objects as go

    base, score = _check_sum(table)
    steps = waterfall_steps(table, n_genes)
    figure = go.Figure()
    ends = base + steps["attribution"].cumsum()
    _add_steps(figure, steps, ends)
    start = f"Base ({base_word})"
    names = [start, *steps["name"], "Score"]
    points = np.array([base, score, *ends])
    middle = float(points.min() + points.max()) / 2
    _add_total(figure, start, base, middle)
    _add_total(figure, "Score", score, middle)
    _style(figure, names, points)
    return finish(
        figure,
        takeaway=waterfall_takeaway(table, n_genes=n_genes, base_word=base_word),
        height=len(names) * _ROW_PX + 130,
        notes=["Bars add up to the score. They explain the model, not the biology."],
        synthetic=synthetic,
        top=70,
        bottom=60,
    )


def waterfall_steps(table: pd.DataFrame, n_genes: int) -> pd.DataFrame:
    """Return the bars between base and score, largest first, the rest last.

    Parameters
    ----------
    table
        Attribution of one sample, as for :func:`waterfall`.
    n_genes
        How many genes stand alone.

    Returns
    -------
    pd.DataFrame
        name (gene and value, or "n other genes") and attribution; the sum is that of `table`.
    """
    ordered = _by_size(table)
    shown, rest = ordered[:n_genes], ordered[n_genes:]
    names = [_gene_label(gene, value) for gene, value in _pairs(shown, "value")]
    attributions = shown["attribution"].tolist()
    if len(rest):
        names.append(f"{len(rest)} other genes")
        attributions.append(float(rest["attribution"].sum()))
    return pd.DataFrame({"name": names, "attribution": attributions})


def waterfall_takeaway(
    table: pd.DataFrame, *, n_genes: int = 12, base_word: str = "reference"
) -> str:
    """Say in one sentence which genes move the score most, and how much all others do."""
    base, score = _check_sum(table)
    ordered = _by_size(table)
    genes = ", ".join(
        f"{gene} ({'▲' if attribution > 0 else '▼'} {_signed(attribution)})"
        for gene, attribution in _pairs(ordered[:3], "attribution")
    )
    rest = ordered["attribution"][n_genes:]
    others = f"; {len(rest)} other genes together {_signed(rest.sum())}" if len(rest) else ""
    return (
        f"From {_probability(base):.2f} for the {base_word} to {_probability(score):.2f} here; "
        f"the largest parts are {genes}{others}, in log-odds of resistance."
    )


def _probability(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def _by_size(table: pd.DataFrame) -> pd.DataFrame:
    return table.sort_values("attribution", key=np.abs, ascending=False, kind="stable")


def _pairs(table: pd.DataFrame, column: str) -> Iterator[tuple[str, float]]:
    return zip(table["gene"], table[column], strict=True)


def _gene_label(gene: str, value: float) -> str:
    return f"{gene} (not measured)" if np.isnan(value) else f"{gene} ({value:.1f})"


def _signed(number: float) -> str:
    return f"{number:+.2f}".replace("-", "−")


def _probability_ticks(low: float, high: float) -> np.ndarray:
    """Return round probabilities between two log-odds: the sparsest set with three, if any."""
    inside = [ticks[(_logit(ticks) >= low) & (_logit(ticks) <= high)] for ticks in _TICKS]
    return next((ticks for ticks in inside if len(ticks) >= _MIN_TICKS), inside[-1])


def _logit(probabilities: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(probabilities / (1 - probabilities)), dtype=float)


def _check_sum(table: pd.DataFrame) -> tuple[float, float]:
    """Return base and score, or refuse parts that do not lead from one to the other."""
    what = "the explanation"
    require_columns(table, ATTRIBUTION_COLUMNS, what)
    require_one(table, "sample", what)
    base, score = (float(require_one(table, column, what)) for column in ("base", "score"))
    total = base + float(table["attribution"].sum())
    if not abs(total - score) <= TOLERANCE:
        raise InputDataError(
            f"Base and attributions add up to {total:.4f}, the score is {score:.4f}; they must "
            "be the same.",
            remedy="Hand over all genes of one sample, drug and model.",
        )
    return base, score


def _add_steps(figure: go.Figure, steps: pd.DataFrame, ends: pd.Series[float]) -> None:
    """Add one bar a gene, floating between the running sums."""
    import plotly.graph_objects as go

    for call, sign in (("resistant", 1), ("sensitive", -1)):
        style = CALLS[call]
        chosen = steps["attribution"] * sign > 0
        parts = steps.loc[chosen, "attribution"]
        figure.add_trace(
            go.Bar(
                x=parts,
                base=ends[chosen] - parts,
                y=steps.loc[chosen, "name"],
                orientation="h",
                name=f"{style.symbol} Towards {style.word.lower()}",
                marker={"color": style.colour, "line": {"width": 0}},
                text=[f"{style.symbol} {_signed(part)}" for part in parts],
                textposition="outside",
                cliponaxis=False,
                hovertemplate="%{y}: %{text} log-odds<extra></extra>",
            )
        )


def _add_total(figure: go.Figure, name: str, value: float, middle: float) -> None:
    """Mark base or score, with the probability it stands for on the side that has room."""
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            x=[value],
            y=[name],
            mode="markers+text",
            marker={"color": NEUTRAL, "size": 12, "symbol": "diamond"},
            text=[f"  P(resistant) {_probability(value):.2f}  "],
            textposition="middle right" if value < middle else "middle left",
            showlegend=False,
            cliponaxis=False,
            hovertemplate=f"{name}: {value:.2f} log-odds<extra></extra>",
        )
    )


def _style(figure: go.Figure, names: list[str], points: np.ndarray) -> None:
    """Set the log-odds axis below, its probabilities above, and the order of the rows."""
    import plotly.graph_objects as go

    low, high = float(points.min()), float(points.max())
    margin = max(0.18 * (high - low), 0.3)
    limits = [low - margin, high + margin]
    ticks = _probability_ticks(*limits)
    # an axis appears only with a trace on it
    figure.add_trace(
        go.Scatter(x=[], y=[], xaxis="x2", showlegend=False, hoverinfo="skip"),
    )
    figure.update_layout(
        xaxis={
            "title": {"text": "Log-odds of resistance (lower sensitive → higher resistant)"},
            "range": limits,
            "zeroline": False,
        },
        xaxis2={
            "title": {"text": "Probability of resistance", "standoff": 6},
            "overlaying": "x",
            "side": "top",
            "range": limits,
            "tickvals": _logit(ticks),
            "ticktext": [f"{tick:g}" for tick in ticks],
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={
            "type": "category",
            "categoryorder": "array",
            "categoryarray": names[::-1],
            "range": [-0.6, len(names) - 0.4],
            "gridcolor": GRID,
        },
        barmode="overlay",
        showlegend=False,
    )
