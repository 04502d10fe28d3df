"""Where one patient's probability lies among the scores of a cohort."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.figures.frame import finish, require_columns
from resvae_core.figures.palette import CALLS, HIGHER_IS_RESISTANT, NEUTRAL, faded
from resvae_core.figures.rows import legend_above

if TYPE_CHECKING:
    import plotly.graph_objects as go

QUANTILE_COLUMNS = ("level", "value")
_BANDS = (
    (0.05, 0.95, 0.35, 0.18, "90 % of the cohort"),
    (0.25, 0.75, 0.55, 0.30, "Middle half"),
)
"""Levels of both ends, half the height, opacity, and name of a band."""
_STRIP_AT, _PATIENT_AT = -0.4, 0.7
"""Heights of strip and patient: the mark stands above the strip, where nothing dims it."""
_STRIP_PX = 90
_AXIS_PX = 58


def position_in_cohort(
    quantiles: pd.DataFrame,
    probability: float,
    *,
    call: str,
    drug: str,
    cohort: str,
    percentile: float | None = None,
    n_patients: int | None = None,
    floor: float | None = None,
    approximate: bool = False,
    synthetic: bool = False,
) -> go.Figure:
    """Draw a patient's probability on the strip of a cohort's scores.

    Parameters
    ----------
    quantiles
        level (0 to 1, share of the cohort's patients with at most that score) and value (their
        probability of resistance at that level), of one drug and model; at least two levels.
    probability
        The patient's probability of resistance, 0 to 1; NaN where there is none.
    call
        Key of :data:`resvae_core.figures.palette.CALLS`: shape and colour of the mark.
    drug, cohort
        Names, for the words.
    percentile
        Share of the cohort's patients with a lower score, 0 to 100; where None, read off the
        quantiles.
    n_patients
        How many patients the quantiles are of; None where not known.
    floor
        What drug and tissue alone would say, 0 to 1; marked by an upright bar.
    approximate
        Whether the cohort is known as z-scores only, so that its scores are approximate.
    synthetic
        Whether the sample is synthetic; the figure then says so.

    Raises
    ------
    InputDataError
        If a column is missing, fewer than two quantiles are known, they do not rise, or the
        probability lies outside 0 to 1.
    """
    known = _known(quantiles, probability)
    import plotly.graph_objects as go

    figure = go.Figure()
    for band in _BANDS:
        _add_band(figure, known, *band)
    _add_mark(figure, _value_at(known, 0.5), "Median", "circle-open", 10)
    if floor is not None and not np.isnan(floor):
        _add_mark(figure, floor, "Floor: drug and tissue alone", "line-ns-open", 34)
    _add_patient(figure, probability, call)
    figure.update_xaxes(
        title_text=HIGHER_IS_RESISTANT, range=[-0.02, 1.02], dtick=0.25, zeroline=False
    )
    figure.update_yaxes(visible=False, range=[-1.1, 1.1], fixedrange=True)
    legend_above(figure)
    return finish(
        figure,
        takeaway=position_takeaway(
            quantiles,
            probability,
            call=call,
            drug=drug,
            cohort=cohort,
            percentile=percentile,
            n_patients=n_patients,
        ),
        height=_STRIP_PX + 60 + _AXIS_PX,
        notes=_notes(known, cohort, approximate),
        synthetic=synthetic,
        top=60,
        bottom=_AXIS_PX,
    )


def position_takeaway(
    quantiles: pd.DataFrame,
    probability: float,
    *,
    call: str,
    drug: str,
    cohort: str,
    percentile: float | None = None,
    n_patients: int | None = None,
) -> str:
    """Say in one sentence above how many of 100 patients of the cohort the patient's score lies."""
    known = _known(quantiles, probability)
    size = f" (n = {n_patients:,})" if n_patients else ""
    if np.isnan(probability):
        return (
            f"{drug}: {CALLS[call].label}, so this patient has no place among {cohort}{size}; half "
            f"of that cohort score above {_value_at(known, 0.5):.2f}."
        )
    return (
        f"{drug}: {CALLS[call].label}, probability of resistance {probability:.2f}, above the "
        f"scores of {_share_words(known, probability, percentile)} patients of {cohort}{size}."
    )


def _known(quantiles: pd.DataFrame, probability: float) -> pd.DataFrame:
    """Return the quantiles in order, once they and the probability make sense."""
    require_columns(quantiles, QUANTILE_COLUMNS, "the place in the cohort")
    known = quantiles.dropna(subset=list(QUANTILE_COLUMNS)).sort_values("level")
    if len(known) < 2 or (known["value"].diff() < 0).any():
        raise InputDataError(
            f"{len(known)} quantiles of the cohort's scores are known, in the order "
            f"{', '.join(f'{value:.2f}' for value in known['value'])}; at least two that rise "
            "with their level were expected.",
            remedy="Hand over the quantiles of one drug and model.",
        )
    if not (np.isnan(probability) or 0 <= probability <= 1):
        raise InputDataError(
            f"The probability of resistance is {probability:g}; 0 to 1 was expected.",
            remedy="Hand over a probability, not log-odds or a percentage.",
        )
    return known


def _value_at(known: pd.DataFrame, level: float) -> float:
    return float(np.interp(level, known["level"], known["value"]))


def _share_words(known: pd.DataFrame, probability: float, percentile: float | None) -> str:
    """Return the share in natural frequencies; beyond the quantiles only that it lies beyond."""
    if percentile is not None:
        return f"{percentile:.0f} of 100"
    first, last = known.iloc[0], known.iloc[-1]
    if probability < first["value"]:
        return f"fewer than {100 * first['level']:.0f} of 100"
    if probability > last["value"]:
        return f"more than {100 * last['level']:.0f} of 100"
    below = float(np.interp(probability, known["value"], known["level"]))
    return f"about {100 * below:.0f} of 100"


def _add_band(
    figure: go.Figure,
    known: pd.DataFrame,
    low: float,
    high: float,
    half: float,
    opacity: float,
    name: str,
) -> None:
    """Add a bar between two levels; none where the quantiles do not reach so far."""
    import plotly.graph_objects as go

    if low < known["level"].iloc[0] - 1e-9 or high > known["level"].iloc[-1] + 1e-9:
        return
    start, end = _value_at(known, low), _value_at(known, high)
    top, bottom = _STRIP_AT + half, _STRIP_AT - half
    figure.add_trace(
        go.Scatter(
            x=[start, end, end, start, start],
            y=[bottom, bottom, top, top, bottom],
            mode="lines",
            fill="toself",
            fillcolor=faded(NEUTRAL, opacity),
            line={"width": 1, "color": NEUTRAL},
            name=f"{name}: {start:.2f}–{end:.2f}",
            hoverinfo="skip",
        )
    )


def _add_mark(figure: go.Figure, value: float, name: str, symbol: str, size: int) -> None:
    """Add one neutral mark on the strip."""
    import plotly.graph_objects as go

    figure.add_trace(
        go.Scatter(
            x=[value],
            y=[_STRIP_AT],
            mode="markers",
            name=f"{name} {value:.2f}",
            marker={"symbol": symbol, "color": NEUTRAL, "size": size, "line": {"width": 2.5}},
            hovertemplate=f"{name}: %{{x:.2f}}<extra></extra>",
        )
    )


def _add_patient(figure: go.Figure, probability: float, call: str) -> None:
    """Add the mark of the call above the strip, with a stem down to it; none without a number."""
    import plotly.graph_objects as go

    if np.isnan(probability):
        return
    style = CALLS[call]
    figure.add_trace(
        go.Scatter(
            x=[probability, probability],
            y=[_PATIENT_AT, _STRIP_AT - _BANDS[1][2]],
            mode="lines",
            line={"color": style.colour, "width": 2},
            showlegend=False,
            hoverinfo="skip",
        )
    )
    figure.add_trace(
        go.Scatter(
            x=[probability],
            y=[_PATIENT_AT],
            mode="markers",
            name=f"This patient: {style.label} {probability:.2f}",
            marker={"symbol": style.marker, "color": style.colour, "size": 18},
            hovertemplate=f"This patient: %{{x:.2f}} {style.label}<extra></extra>",
        )
    )


def _notes(known: pd.DataFrame, cohort: str, approximate: bool) -> list[str]:
    notes = [
        f"{cohort}: scores of the same model on that cohort's tumours, known at "
        f"{len(known)} levels only. A place in a cohort is no chance of response."
    ]
    if approximate:
        notes.append("The cohort is known as z-scores only: its scores are approximate.")
    return notes
