"""Whether numbers hold: probabilities against observed resistance, conformal sets against truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from resvae_core.figures.frame import finish, interval_bars, require_columns, require_one
from resvae_core.figures.palette import CALLS, RULE, faded, model_word, series_style

if TYPE_CHECKING:
    import plotly.graph_objects as go

RELIABILITY_COLUMNS = ("model", "predicted", "observed", "n")
COVERAGE_COLUMNS = ("model", "tissue", "true_class", "coverage", "lower", "upper", "n_lines")
GROUP_WORDS = {"(all)": "All cell lines", "(solid)": "Solid tumours", "(blood)": "Blood cancers"}
"""Groups of cancer types, in the order of figures."""
NOMINAL = 0.90
"""Share of a class's lines whose set is to contain their class."""
MINIMAL_LINES = 10
"""Lines of the class that a cancer type needs to be drawn."""
_ROW_PX = 26


def reliability(table: pd.DataFrame, *, where: str = "") -> go.Figure:
    """Compare predicted probabilities with how often resistance was observed.

    Parameters
    ----------
    table
        One row per model and bin of one split: model, predicted (mean probability of the bin),
        observed (share resistant), n (pairs of line and drug in the bin), and, where known, lower
        and upper (the interval of observed).
    where
        Which lines, in words, "" for all.

    Returns
    -------
    go.Figure
        Points on the dashed diagonal are calibrated; the size of a point grows with its count,
        which is written beside it where there is one model.

    Raises
    ------
    InputDataError
        If a column is missing, the table is empty or holds several splits or cancer types.
    """
    import plotly.graph_objects as go

    require_columns(table, RELIABILITY_COLUMNS, "the reliability curves")
    for column in {"split", "tissue"} & set(table.columns):
        require_one(table, column, "the reliability curves")
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
    counted = table["model"].nunique() == 1
    for position, (model, rows) in enumerate(table.groupby("model", sort=False)):
        _add_curve(figure, str(model), rows.sort_values("predicted"), position, counted)
    # where all predictions are high, an axis from 0 would crowd them into a corner
    lowest = min(float(table["predicted"].min()), float(table["observed"].min()))
    span = [max(lowest - 0.08, -0.02), 1.04]
    figure.update_xaxes(title_text="Predicted probability of resistance", range=span)
    figure.update_yaxes(title_text="Observed share resistant", range=span)
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"})
    return finish(
        figure,
        takeaway=reliability_takeaway(table, where=where),
        height=440,
        notes=["Numbers: pairs of cell line and drug in the bin; lines left out of training."],
        top=60,
        bottom=60,
    )


def reliability_takeaway(table: pd.DataFrame, *, where: str = "") -> str:
    """Give each model's expected calibration error (mean gap, weighted by count)."""
    require_columns(table, RELIABILITY_COLUMNS, "the reliability curves")
    gaps = (table["predicted"] - table["observed"]).abs() * table["n"]
    pairs = table.groupby("model", sort=False)["n"].sum()
    errors = gaps.groupby(table["model"], sort=False).sum() / pairs
    named = ", ".join(f"{model_word(str(model))} {error:.3f}" for model, error in errors.items())
    lines = f", {int(table['n_lines'].max())} lines" if "n_lines" in table else ""
    said = f"{where}: mean" if where else "Mean"
    return (
        f"{said} gap between predicted and observed resistance: {named} "
        f"({int(pairs.max()):,} pairs{lines})."
    )


def coverage(table: pd.DataFrame, *, nominal: float = NOMINAL) -> go.Figure:
    """Show how often conformal sets contain the true class, by class and cancer type.

    Parameters
    ----------
    table
        Rows of one model and split: model, tissue (``(all)``, ``(solid)``, ``(blood)`` or a
        cancer type), true_class, coverage, lower, upper (95 %), n_lines (of the class).
    nominal
        What the sets are built to reach; the dashed line.

    Returns
    -------
    go.Figure
        Groups first, then cancer types by size; a class of fewer than 10 lines is left out.

    Raises
    ------
    InputDataError
        If a column is missing or the table holds several models or splits.
    """
    import plotly.graph_objects as go

    rows = _coverage_rows(table)
    drawn = rows[rows["n_lines"] >= MINIMAL_LINES]
    sizes = drawn.groupby("tissue")["n_lines"].max().sort_values(ascending=False)
    order = [name for name in GROUP_WORDS if name in sizes.index]
    order += [name for name in sizes.index if name not in GROUP_WORDS]
    figure = go.Figure()
    for true_class in ("resistant", "sensitive"):
        _add_class(figure, drawn[drawn["true_class"] == true_class], true_class)
    figure.add_vline(x=nominal, line={"color": RULE, "dash": "dash", "width": 1.5})
    lowest = float(drawn["lower"].fillna(drawn["coverage"]).min()) if len(drawn) else 0.0
    figure.update_xaxes(
        title_text="Share of lines whose 90 % set contains their true class",
        range=[max(lowest - 0.05, 0.0), 1.02],
        tickformat=".0%",
        zeroline=False,
    )
    figure.update_yaxes(
        type="category",
        categoryorder="array",
        categoryarray=[_tissue_word(name) for name in order][::-1],
        range=[-0.7, len(order) - 0.3],
    )
    figure.update_layout(
        scattermode="group",
        scattergap=0.5,
        legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"},
    )
    return finish(
        figure,
        takeaway=coverage_takeaway(table, nominal=nominal),
        height=len(order) * _ROW_PX + 140,
        notes=[_coverage_note(rows, nominal)],
        top=50,
        bottom=60,
    )


def coverage_takeaway(table: pd.DataFrame, *, nominal: float = NOMINAL) -> str:
    """Say what the sets reach on all lines, and their spread over cancer types."""
    rows = _coverage_rows(table)
    parts = []
    for word in ("resistant", "sensitive"):
        of_class = rows[rows["true_class"] == word].set_index("tissue")
        if "(all)" not in of_class.index:
            continue
        single = of_class.drop(index=list(GROUP_WORDS), errors="ignore")
        shares = single.loc[single["n_lines"] >= MINIMAL_LINES, "coverage"]
        spread = (
            f" ({shares.min():.0%} to {shares.max():.0%} by cancer type)" if len(shares) else ""
        )
        parts.append(f"{of_class.loc['(all)', 'coverage']:.1%} of {word} lines{spread}")
    return (
        f"{model_word(str(rows['model'].iloc[0]))}: the set contains the true class for "
        f"{' and '.join(parts)}; built for {nominal:.0%}."
    )


def _coverage_rows(table: pd.DataFrame) -> pd.DataFrame:
    require_columns(table, COVERAGE_COLUMNS, "the coverage of conformal sets")
    for column in {"model", "split"} & set(table.columns):
        require_one(table, column, "the coverage of conformal sets")
    return table


def _coverage_note(rows: pd.DataFrame, nominal: float) -> str:
    single = rows[~rows["tissue"].isin(GROUP_WORDS)]
    n_small = single.loc[single["n_lines"] < MINIMAL_LINES, "tissue"].nunique()
    return (
        f"Dashed: {nominal:.0%}, nominal. 95 % intervals treat lines as the unit. "
        f"Not drawn, in the table only: {n_small} cancer types with fewer than {MINIMAL_LINES} "
        "lines of a class."
    )


def _tissue_word(name: str) -> str:
    return GROUP_WORDS.get(name, name)


def _add_class(figure: go.Figure, rows: pd.DataFrame, true_class: str) -> None:
    import plotly.graph_objects as go

    style = CALLS[true_class]
    figure.add_trace(
        go.Scatter(
            x=rows["coverage"],
            y=[_tissue_word(name) for name in rows["tissue"]],
            mode="markers",
            orientation="h",
            offsetgroup=true_class,
            name=f"{style.symbol} {style.word} lines",
            marker={"symbol": style.marker, "color": style.colour, "size": 9},
            error_x={**interval_bars(rows, "coverage"), "color": faded(style.colour, 0.6)},
            customdata=rows[["lower", "upper", "n_lines"]],
            hovertemplate=(
                f"%{{y}}, {true_class}: %{{x:.1%}} (%{{customdata[0]:.1%}}–"
                "%{customdata[1]:.1%}), %{customdata[2]} lines<extra></extra>"
            ),
        )
    )


def _add_curve(
    figure: go.Figure, model: str, rows: pd.DataFrame, position: int, counted: bool
) -> None:
    import plotly.graph_objects as go

    style = series_style(position)
    sizes = 6 + 14 * (rows["n"] / rows["n"].max()) ** 0.5 if not counted else 9
    known = "lower" in rows and "upper" in rows
    figure.add_trace(
        go.Scatter(
            x=rows["predicted"],
            y=rows["observed"],
            mode="lines+markers+text" if counted else "lines+markers",
            text=[f"{n:,}" for n in rows["n"]] if counted else None,
            textposition=["bottom right" if n % 2 else "top left" for n in range(len(rows))],
            textfont={"size": 10},
            name=model_word(model),
            line={"color": style.colour, "dash": style.dash, "width": 1.5},
            marker={
                "symbol": style.marker,
                "color": style.colour,
                "size": sizes,
                "line": {"width": 0},
            },
            error_y=interval_bars(rows, "observed") if known else None,
            customdata=rows["n"],
            hovertemplate=(
                f"{model_word(model)}: predicted %{{x:.2f}}, observed %{{y:.2f}}, "
                "n = %{customdata}<extra></extra>"
            ),
        )
    )
