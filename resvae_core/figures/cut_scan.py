"""Every candidate cut of a maximally selected statistic, and what choosing the best one costs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from resvae_core.figures.frame import finish, require_columns
from resvae_core.figures.palette import NEUTRAL, RULE, series_style
from resvae_core.figures.rows import legend_above
from resvae_core.survival.cohort import MIN_SHOWN
from resvae_core.survival.log_rank import format_p
from resvae_core.survival.optimal_cut import limit_of_largest

if TYPE_CHECKING:
    import plotly.graph_objects as go

    from resvae_core.survival import OptimalCut

SCAN_COLUMNS = ("cut", "n_low", "n_high", "statistic")
LEVEL = 0.05
"""Corrected p-value at which a line is drawn."""
_SCAN_PX = 300
_AXIS_PX = 58


def cut_scan_plot(
    cut: OptimalCut, *, variable: str = "Value", synthetic: bool = False
) -> go.Figure:
    """Draw the standardised log-rank statistic over all candidate cuts, the chosen one marked.

    Parameters
    ----------
    cut
        Result of :func:`resvae_core.survival.optimal_cut`.
    variable
        What is cut, with its unit, such as "LTF, log2(TPM + 1)": the title of the axis.
    synthetic
        Whether the cohort is synthetic; the figure then says so.

    Returns
    -------
    go.Figure
        |statistic| by cut, a diamond and a dashed line at the chosen cut, and a dotted line where
        the largest of all cuts would be called significant at 5 %.

    Raises
    ------
    InputDataError
        If no cut was scanned or a column is missing.
    """
    import plotly.graph_objects as go

    require_columns(cut.scan, SCAN_COLUMNS, "the scan of cuts")
    scan = cut.scan.sort_values("cut", kind="stable")
    height = scan["statistic"].abs()
    style, chosen = series_style(0), series_style(3)
    figure = go.Figure(
        go.Scatter(
            x=scan["cut"],
            y=height,
            mode="lines+markers" if len(scan) < 100 else "lines",
            name="Candidate cuts",
            line={"color": style.colour, "width": 2},
            marker={"color": style.colour, "size": 5},
            customdata=scan[["n_low", "n_high"]],
            hovertemplate=(
                "Cut %{x:.3g}: %{y:.2f} (%{customdata[0]} low, %{customdata[1]} high)"
                "<extra></extra>"
            ),
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[cut.cut],
            y=[abs(cut.statistic)],
            mode="markers",
            name=f"Chosen: {cut.cut:.3g}",
            marker={"symbol": "diamond", "size": 14, "color": chosen.colour},
            hovertemplate="Chosen cut %{x:.3g}: %{y:.2f}<extra></extra>",
        )
    )
    figure.add_vline(x=cut.cut, line={"color": RULE, "dash": "dash", "width": 1.5})
    limit = limit_of_largest(LEVEL, scan["n_low"].to_numpy(float), cut.n)
    top = 1.15 * max(float(height.max()), abs(cut.statistic), limit)
    _add_limit(figure, limit)
    figure.update_xaxes(title_text=f"Candidate cut: {variable}", zeroline=False)
    figure.update_yaxes(
        title_text="|Standardised log-rank<br>statistic|", range=[0, top], zeroline=False
    )
    legend_above(figure)
    return finish(
        figure,
        takeaway=cut_scan_takeaway(cut),
        height=_SCAN_PX + _AXIS_PX + 40,
        notes=_notes(cut),
        synthetic=synthetic,
        bottom=_AXIS_PX,
    )


def cut_scan_takeaway(cut: OptimalCut) -> str:
    """Say in one sentence which of how many cuts was chosen, and its corrected p-value."""
    low, high = cut.groups.sizes.values()
    found = (
        f"Of {len(cut.scan):,} candidate cuts, {cut.cut:.3g} splits survival most (statistic "
        f"{abs(cut.statistic):.2f}; {low} low, {high} high)"
    )
    if cut.p_hidden:
        return f"{found}; p not shown: a group has fewer than {MIN_SHOWN} patients."
    return f"{found}: {format_p(cut.p_value)}, corrected for the search."


def _add_limit(figure: go.Figure, limit: float) -> None:
    """Draw where 5 % lies once the search counts; named in the legend, for lines cross labels."""
    import plotly.graph_objects as go

    line = {"color": NEUTRAL, "dash": "dot", "width": 1.5}
    figure.add_hline(y=limit, line=line)
    name = f"{limit:.2f}: limit of 5 % after the search"
    figure.add_trace(go.Scatter(x=[None], y=[None], mode="lines", name=name, line=line))


def _notes(cut: OptimalCut) -> list[str]:
    notes = []
    if not cut.p_hidden:
        notes.append(
            f"Corrected for trying {len(cut.scan):,} cuts: {format_p(cut.p_value)}. Without the "
            "correction, the best of many cuts looks significant far too often where there is "
            "nothing, so that number is not shown."
        )
    if cut.cross_validated:
        notes.append(f"Cross-validated: {cut.cross_validated.label}.")
    notes.append(
        f"{cut.endpoint}: {cut.n} patients, {cut.n_events} events. Each group holds at least "
        f"{100 * cut.min_share:.0f} % of the patients."
    )
    return [*notes, "Prognostic: survival under any treatment, not the effect of a drug."]
