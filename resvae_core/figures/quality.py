"""A sample's expression beside that of a reference: does it look like what models have seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.frame import finish, require_columns
from resvae_core.figures.palette import NEUTRAL, faded, series_style

if TYPE_CHECKING:
    import plotly.graph_objects as go


def expression_over_reference(
    values: pd.Series[float], reference: pd.DataFrame, *, synthetic: bool = False
) -> go.Figure:
    """Draw a sample's distribution of expression over the range of the reference.

    Parameters
    ----------
    values
        (n_genes,) log2(TPM + 1) of one sample, over the genes of the reference; NaN is left out.
    reference
        quantile, lower, median, upper, as `features.distribution.quantile_table` makes it from the
        same genes.
    synthetic
        Whether the sample is synthetic; the figure then says so.

    Raises
    ------
    InputDataError
        If a column is missing or no value is known.
    """
    import plotly.graph_objects as go

    sample = _sample_quantiles(values, reference)
    share = reference["quantile"]
    style = series_style(1)
    figure = go.Figure()
    edge = {"x": share, "mode": "lines", "line": {"width": 0}, "hoverinfo": "skip"}
    figure.add_trace(go.Scatter(y=reference["upper"], showlegend=False, **edge))
    figure.add_trace(
        go.Scatter(
            y=reference["lower"],
            fill="tonexty",
            fillcolor=faded(NEUTRAL, 0.25),
            name="Reference, 90 % of samples",
            **edge,
        )
    )
    for name, level, colour, dash, width in (
        ("Reference, median", reference["median"], NEUTRAL, "dot", 1.5),
        ("This sample", sample, style.colour, "solid", 2.5),
    ):
        figure.add_trace(
            go.Scatter(
                x=share,
                y=level,
                mode="lines",
                name=name,
                line={"color": colour, "dash": dash, "width": width},
                hovertemplate=f"{name}: %{{y:.2f}} at %{{x:.0%}} of genes<extra></extra>",
            )
        )
    figure.update_xaxes(title_text="Share of genes at or below", tickformat=".0%", range=[0, 1])
    figure.update_yaxes(title_text="Expression, log2(TPM + 1)", rangemode="tozero")
    figure.update_layout(legend={"orientation": "h", "x": 0, "y": 1, "yanchor": "bottom"})
    return finish(
        figure,
        takeaway=expression_over_reference_takeaway(values, reference),
        height=360,
        synthetic=synthetic,
        bottom=58,
    )


def expression_over_reference_takeaway(values: pd.Series[float], reference: pd.DataFrame) -> str:
    """Say in one sentence over how much of its distribution a sample lies in the reference."""
    sample = _sample_quantiles(values, reference)
    inside = (sample >= reference["lower"] - 1e-6) & (sample <= reference["upper"] + 1e-6)
    middle, usual = (
        np.interp(0.5, reference["quantile"], level) for level in (sample, reference["median"])
    )
    return (
        f"Across {100 * inside.mean():.0f} % of its distribution this sample lies within the range "
        f"of 90 % of reference samples (median expression {middle:.2f} against {usual:.2f})."
    )


def _sample_quantiles(values: pd.Series[float], reference: pd.DataFrame) -> np.ndarray:
    require_columns(reference, ("quantile", "lower", "median", "upper"), "the reference")
    known = values.dropna().to_numpy(float)
    if not len(known):
        raise InputDataError(
            "The sample has no expression value; at least one gene was expected.",
            remedy="Check that gene names were recognised.",
        )
    levels = reference["quantile"].to_numpy(float)
    return np.asarray(np.quantile(known, levels), dtype=float)
