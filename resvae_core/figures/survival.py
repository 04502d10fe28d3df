"""Kaplan-Meier curves with interval, censoring marks and the number at risk beneath."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING, Any

import numpy as np

from resvae_core.figures.frame import finish
from resvae_core.figures.palette import SeriesStyle, faded, series_style
from resvae_core.survival import DAYS_PER_MONTH, HazardRatio, KaplanMeier, LogRank

if TYPE_CHECKING:
    import plotly.graph_objects as go

ENDPOINT_WORDS = {
    "OS": "Overall survival",
    "DSS": "Disease-specific survival",
    "PFI": "Progression-free interval",
    "DFI": "Disease-free interval",
}
_CURVES_PX = 340
_ROW_PX = 24
_AXIS_PX = 74
_LEGEND_PX = 22


def kaplan_meier_plot(
    curves: KaplanMeier,
    test: LogRank | None = None,
    ratio: HazardRatio | None = None,
    *,
    looked_at: tuple[int, float] | None = None,
    synthetic: bool = False,
) -> go.Figure:
    """Draw survival curves of groups over the months, with the number at risk (T ≥ t) beneath.

    Parameters
    ----------
    curves
        Result of :func:`resvae_core.survival.kaplan_meier`.
    test
        Log-rank test to print; its p-value is hidden where a group has fewer than 10 patients.
    ratio
        Hazard ratio to print.
    looked_at
        How many tests were made (a gene in a cohort each), and the q-value of the hazard ratio
        over them; None where nothing is known of others.
    synthetic
        Whether the cohort is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        Curves with 95 % bands (log-log), a tick at each censored time, and the risk table.
    """
    from plotly.subplots import make_subplots

    names = list(curves.summary["group"])
    table_px = _ROW_PX * len(names)
    inner = _CURVES_PX + _AXIS_PX + table_px
    figure = make_subplots(
        rows=2,
        shared_xaxes=True,
        row_heights=[_CURVES_PX / (inner - _AXIS_PX), table_px / (inner - _AXIS_PX)],
        vertical_spacing=_AXIS_PX / inner,
    )
    for position, name in enumerate(names):
        _add_group(figure, curves, name, series_style(position))
    _add_risk_table(figure, curves, names)
    _style_axes(figure, curves)
    _add_results(figure, test, ratio, looked_at)
    top = _LEGEND_PX * len(names) + 16
    figure.update_layout(
        legend={"x": 0, "y": 1.01, "xanchor": "left", "yanchor": "bottom"}, hovermode="x unified"
    )
    return finish(
        figure,
        takeaway=kaplan_meier_takeaway(
            curves, test, None if ratio and ratio.p_hidden else looked_at
        ),
        height=inner + top + 12,
        notes=_notes(curves),
        synthetic=synthetic,
        top=top,
        bottom=12,
    )


def kaplan_meier_takeaway(
    curves: KaplanMeier, test: LogRank | None = None, looked_at: tuple[int, float] | None = None
) -> str:
    """Say in one sentence what the curves show: medians by group, p-value, and no more."""
    medians = "; ".join(
        f"{row['group']} {_median_words(row['median_months'])} "
        f"(n = {row['n']}, {row['n_events']} events)"
        for row in curves.summary.to_dict("records")
    )
    tested = f"; {test.test_name.lower()} {test.p_label}" if test else ""
    start = f" from month {curves.landmark_months:g} on" if curves.landmark_months else ""
    corrected = f"; {_corrected_words(looked_at)}" if looked_at else ""
    endpoint = f"{ENDPOINT_WORDS[curves.endpoint]}{start}"
    return f"{endpoint}, median by group: {medians}{tested}{corrected}."


def _corrected_words(looked_at: tuple[int, float]) -> str:
    n_tests, q_value = looked_at
    return f"q = {q_value:.2g} (hazard ratio, over {n_tests:,} tests)"


def _median_words(months: float) -> str:
    return "not reached" if np.isnan(months) else f"{months:.1f} months"


def _legend_words(row: dict[Hashable, Any]) -> str:
    median = _median_words(row["median_months"])
    limits = [row["median_lower_months"], row["median_upper_months"]]
    low, high = ("not reached" if np.isnan(limit) else f"{limit:.1f}" for limit in limits)
    small = " · fewer than 10 patients" if row["small"] else ""
    return (
        f"{row['group']}: n {row['n']}, events {row['n_events']}, median {median} "
        f"(95 % {low} to {high}){small}"
    )


def _notes(curves: KaplanMeier) -> list[str]:
    notes = [curves.description]
    if curves.n_excluded:
        notes.append(f"{curves.n_excluded} patients left out: no outcome or no group.")
    return [*notes, "Prognostic: survival under any treatment, not the effect of a drug."]


def _add_group(figure: go.Figure, curves: KaplanMeier, name: str, style: SeriesStyle) -> None:
    """Add band, curve and censoring marks of one group."""
    import plotly.graph_objects as go

    curve = curves.curve[curves.curve["group"] == name]
    row = curves.summary[curves.summary["group"] == name].to_dict("records")[0]
    months = curve["time_days"] / DAYS_PER_MONTH
    known = curve["lower"].notna()
    shape = "linear" if curves.read_off else "hv"
    step = {"shape": shape, "width": 0}
    shared = {"legendgroup": name, "x": months[known], "mode": "lines", "line": step}
    quiet = {"showlegend": False, "hoverinfo": "skip"}
    band = faded(style.colour, 0.16)
    figure.add_trace(go.Scatter(y=curve["upper"][known], **shared, **quiet), 1, 1)
    figure.add_trace(
        go.Scatter(y=curve["lower"][known], fill="tonexty", fillcolor=band, **shared, **quiet), 1, 1
    )
    figure.add_trace(
        go.Scatter(
            x=months,
            y=curve["survival"],
            mode="lines",
            name=_legend_words(row),
            legendgroup=name,
            line={"shape": shape, "color": style.colour, "dash": style.dash, "width": 2.2},
            customdata=curve[["lower", "upper", "at_risk"]],
            hovertemplate=(
                f"{name}: %{{y:.2f}} (%{{customdata[0]:.2f}}–%{{customdata[1]:.2f}}), "
                "%{customdata[2]} at risk<extra></extra>"
            ),
        ),
        1,
        1,
    )
    censored = curve["censored"] > 0
    figure.add_trace(
        go.Scatter(
            x=months[censored],
            y=curve["survival"][censored],
            mode="markers",
            legendgroup=name,
            marker={"symbol": "line-ns-open", "size": 8, "color": style.colour},
            **quiet,
        ),
        1,
        1,
    )


def _add_risk_table(figure: go.Figure, curves: KaplanMeier, names: list[str]) -> None:
    """Write the number at risk of each group under the ticks of the time axis."""
    import plotly.graph_objects as go

    table = curves.at_risk
    figure.add_trace(
        go.Scatter(
            x=table["time_months"],
            y=table["group"],
            text=table["at_risk"].astype(str),
            mode="text",
            showlegend=False,
            hoverinfo="skip",
            cliponaxis=False,
        ),
        2,
        1,
    )
    figure.update_yaxes(
        row=2,
        type="category",
        categoryorder="array",
        categoryarray=names[::-1],
        range=[-0.5, len(names) - 0.5],
        showgrid=False,
        zeroline=False,
    )
    figure.add_annotation(
        text="<b>At risk</b> (T ≥ t)",
        xref="paper",
        x=0,
        xanchor="left",
        yref="y2 domain",
        y=1,
        yanchor="bottom",
        showarrow=False,
        font={"size": 12},
    )


def _style_axes(figure: go.Figure, curves: KaplanMeier) -> None:
    ticks = curves.at_risk["time_months"].unique()
    last = float(curves.curve["time_days"].max()) / DAYS_PER_MONTH
    figure.update_xaxes(tickvals=ticks, range=[-0.02 * last, 1.02 * last], zeroline=False)
    start = curves.landmark_months
    months = f"Months from the landmark at {start:g}" if start else "Months"
    figure.update_xaxes(title_text=months, title_standoff=10, showticklabels=True, row=1, col=1)
    figure.update_xaxes(showticklabels=False, showgrid=False, row=2, col=1)
    figure.update_yaxes(
        title_text=f"{ENDPOINT_WORDS[curves.endpoint]}",
        range=[0, 1.03],
        tickformat=".0%",
        row=1,
        col=1,
    )


def _add_results(
    figure: go.Figure,
    test: LogRank | None,
    ratio: HazardRatio | None,
    looked_at: tuple[int, float] | None,
) -> None:
    """Print test and hazard ratio in the corner that falling curves leave free."""
    lines = [f"{test.test_name}: {test.p_label}"] if test else []
    if ratio:
        lines.append(f"Without a cut (Cox): {ratio.label}")
    if looked_at and not (ratio and ratio.p_hidden):
        lines.append(_corrected_words(looked_at))
    if lines:
        figure.add_annotation(
            text="<br>".join(lines),
            xref="x domain",
            yref="y domain",
            x=1,
            y=0.93,  # below the grid line of 100 %
            xanchor="right",
            yanchor="top",
            align="right",
            showarrow=False,
        )
