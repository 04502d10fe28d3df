"""Survival at a fixed day, and from a fixed day on.

A group that is only known some time after the start, such as response or treatment received, must
not be compared from the start: who is in it has survived until then (immortal time). A landmark
analysis compares those alive at a day by what was known on it (Anderson et al. 1983).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.groups import MIN_PATIENTS, Groups
from resvae_core.survival.kaplan_meier import DAYS_PER_MONTH, kaplan_meier
from resvae_core.tables import SurvivalOutcome


@dataclass(frozen=True)
class Landmark:
    """Patients who are followed beyond a day without an event.

    Parameters
    ----------
    outcome
        Their times, counted from that day, and events.
    day
        The landmark, in days from the start.
    n_events_before, n_censored_before
        Patients left out because their event came, or their follow-up ended, on or before the day.
    """

    outcome: SurvivalOutcome
    day: float
    n_events_before: int
    n_censored_before: int

    @property
    def description(self) -> str:
        """Return the day, who is left and who was left out as one sentence."""
        return (
            f"Landmark at {self.day / DAYS_PER_MONTH:.1f} months: {len(self.outcome.time_days)} "
            f"patients, time counted from there; left out: {self.n_events_before} with an event "
            f"and {self.n_censored_before} lost to follow-up by then."
        )


def landmark(outcome: SurvivalOutcome, day: float) -> Landmark:
    """Keep the patients followed beyond `day` without an event, and count time from there.

    Parameters
    ----------
    outcome
        Times in days and events.
    day
        In days from the start, at least 0; to be chosen without looking at the outcome.

    Raises
    ------
    SurvivalDataError
        If `day` is negative or not finite, or fewer than four patients are followed beyond it.
    """
    if not np.isfinite(day) or day < 0:
        raise SurvivalDataError(
            f"The landmark {day} is not a day; a finite number of at least 0 was expected.",
            remedy="Give it in days from the start of follow-up.",
        )
    times = outcome.time_days.astype(float)
    later = times > day
    if later.sum() < 2 * MIN_PATIENTS:
        raise SurvivalDataError(
            f"{int(later.sum())} of {len(times)} patients are followed beyond day {day:g}; at "
            f"least {2 * MIN_PATIENTS} are needed.",
            remedy="Choose an earlier landmark.",
        )
    gone = outcome.event[~later]
    return Landmark(
        SurvivalOutcome(times[later] - day, outcome.event[later], outcome.endpoint),
        float(day),
        n_events_before=int(gone.sum()),
        n_censored_before=int((~gone.astype(bool)).sum()),
    )


def survival_at(
    outcome: SurvivalOutcome, groups: Groups | None, months: Sequence[float]
) -> pd.DataFrame:
    """Read the Kaplan-Meier curves off at given times.

    Parameters
    ----------
    outcome
        Times in days and events.
    groups
        Groups of patients; None takes all patients as one group, "all".
    months
        Times in months, at least 0.

    Returns
    -------
    pd.DataFrame
        One row a group and time: group, months, survival, lower, upper (95 %, log-log), at_risk
        (T ≥ t). NaN after a group's last time, where the curve is not known (unless it is 0).

    Raises
    ------
    SurvivalDataError
        As `kaplan_meier`; or if a time is negative or not finite.
    """
    if not all(np.isfinite(month) and month >= 0 for month in months):
        raise SurvivalDataError(
            f"The times {list(months)} have one that is negative or not finite.",
            remedy="Give months from the start of follow-up.",
        )
    estimate = kaplan_meier(outcome, groups)
    names = estimate.summary["group"]
    rows = [
        _read_off(estimate.curve[estimate.curve["group"] == name], month)
        for name in names
        for month in months
    ]
    return pd.DataFrame(rows)


def _read_off(curve: pd.DataFrame, month: float) -> dict[str, object]:
    """Return one group's curve at a time."""
    days, day = curve["time_days"].to_numpy(float), month * DAYS_PER_MONTH
    step = curve.iloc[int(np.searchsorted(days, day, side="right")) - 1]
    following = int(np.searchsorted(days, day, side="left"))
    known = day <= days[-1] or step["survival"] <= 0
    return {
        "group": step["group"],
        "months": float(month),
        **{
            name: float(step[name]) if known else float("nan")
            for name in ("survival", "lower", "upper")
        },
        "at_risk": int(curve["at_risk"].iloc[following]) if following < len(days) else 0,
    }
