"""Kaplan-Meier curves with log-log intervals and the number of patients at risk.

The number at risk at t counts the patients with T ≥ t, as R's ``survfit`` does: those whose event
happens at t are still at risk just before it. lifelines 0.30 tabulates T > t in its plots
(lifelines issues 1316 and 1383), so it is counted here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.survival.cohort import MIN_SHOWN, Matched, arrays, match_groups
from resvae_core.survival.groups import Groups
from resvae_core.tables import SurvivalOutcome

DAYS_PER_MONTH = 365.25 / 12
_TICK_MONTHS = (1, 2, 3, 6, 12, 24, 36, 60, 120)
_MAX_TICKS = 9


@dataclass(frozen=True)
class KaplanMeier:
    """Estimated survival of groups of patients.

    Parameters
    ----------
    curve
        One row per group and distinct time, time 0 included: group, time_days, survival, lower,
        upper (95 %, log-log; NaN once survival is 0), at_risk (T ≥ t), events, censored.
    at_risk
        One row per group and tick of the time axis: group, time_days, time_months, at_risk.
    summary
        One row a group: group, n, n_events, median_days, median_lower_days, median_upper_days
        (NaN: not reached), median_months and its two limits, small (fewer than 10 patients).
    endpoint
        ``OS``, ``DSS``, ``PFI`` or ``DFI``.
    description
        How the groups were formed, as a sentence.
    n_excluded
        Patients left out because they lack an outcome or a group.
    read_off
        Whether the curve is known at a few points only, and not where it steps between them.
    landmark_months
        From when time is counted, in months from the start; None for the start itself.
    """

    curve: pd.DataFrame
    at_risk: pd.DataFrame
    summary: pd.DataFrame
    endpoint: str
    description: str
    n_excluded: int
    read_off: bool = False
    landmark_months: float | None = None

    @property
    def small_groups(self) -> tuple[str, ...]:
        """Names of the groups with fewer than 10 patients, whose comparison is not shown."""
        return tuple(self.summary.loc[self.summary["small"], "group"])


def kaplan_meier(outcome: SurvivalOutcome, groups: Groups | None = None) -> KaplanMeier:
    """Estimate survival by Kaplan and Meier (1958), group by group.

    Parameters
    ----------
    outcome
        Times in days and events.
    groups
        Groups of patients; None takes all patients as one group, "all".

    Returns
    -------
    KaplanMeier
        Curves, numbers at risk and medians as tidy tables. Intervals are 95 %, on the log-log
        scale with Greenwood's variance (Kalbfleisch and Prentice 1980), so they stay in [0, 1].

    Raises
    ------
    SurvivalDataError
        If no patient has both an outcome and a group, or a group has fewer than two.
    """
    if groups is None:
        everyone = pd.Series("all", index=outcome.time_days.index, dtype=object)
        groups = Groups(everyone, ("all",), "all patients")
    matched = match_groups(outcome, groups)
    days, events = arrays(matched)
    members = {name: (matched.values == name).to_numpy() for name in groups.names}
    pieces = [_estimate(name, days[rows], events[rows]) for name, rows in members.items()]
    return KaplanMeier(
        curve=pd.concat([curve for curve, _ in pieces], ignore_index=True),
        at_risk=_risk_table(matched, groups.names),
        summary=pd.DataFrame([summary for _, summary in pieces]),
        endpoint=outcome.endpoint,
        description=groups.description,
        n_excluded=matched.n_excluded,
    )


def count_at_risk(days: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Count the patients still at risk just before each time: T ≥ t.

    Parameters
    ----------
    days
        (n_patients,) times to event or censoring.
    times
        (n_times,) when to count, in the same unit.

    Returns
    -------
    np.ndarray
        (n_times,) int.
    """
    return len(days) - np.searchsorted(np.sort(days), times, side="left")


def tick_months(last_day: float) -> np.ndarray:
    """Return round times in months, from 0 to at most `last_day` (days), nine at most."""
    last = last_day / DAYS_PER_MONTH
    step = next((step for step in _TICK_MONTHS if last / step < _MAX_TICKS), _TICK_MONTHS[-1])
    return np.arange(0.0, last + 1e-9, step)


def _estimate(
    name: str, days: np.ndarray, events: np.ndarray
) -> tuple[pd.DataFrame, dict[str, object]]:
    """Fit one group; return its curve and its row of the summary."""
    from lifelines import KaplanMeierFitter

    fitter = KaplanMeierFitter(alpha=0.05).fit(days, events)
    interval = fitter.confidence_interval_survival_function_
    table = fitter.event_table
    times = table.index.to_numpy(float)
    lower, upper = (interval.iloc[:, column].to_numpy(float) for column in (0, 1))
    survival = fitter.survival_function_.iloc[:, 0].to_numpy(float)
    curve = pd.DataFrame(
        {
            "group": name,
            "time_days": times,
            "survival": survival,
            # at S = 0 the log-log scale has no interval; lifelines writes 0 to 0 there
            "lower": np.where(survival > 0, lower, np.nan),
            "upper": np.where(survival > 0, upper, np.nan),
            "at_risk": count_at_risk(days, times),
            "events": table["observed"].to_numpy(int),
            "censored": table["censored"].to_numpy(int),
        }
    )
    return curve, _summary(name, curve, len(days))


def _summary(name: str, curve: pd.DataFrame, n: int) -> dict[str, object]:
    """Return sizes and the median with its interval: where curve and band reach one half."""
    row: dict[str, object] = {"group": name, "n": n, "n_events": int(curve["events"].sum())}
    limits = {"median": "survival", "median_lower": "lower", "median_upper": "upper"}
    for median, column in limits.items():
        # 1e-12: 0.5 reached by a product of fractions may miss it by rounding
        reached = curve.loc[curve[column] <= 0.5 + 1e-12, "time_days"]
        day = float(reached.min()) if len(reached) else float("nan")
        row[f"{median}_days"] = day
        row[f"{median}_months"] = day / DAYS_PER_MONTH
    return row | {"small": n < MIN_SHOWN}


def _risk_table(matched: Matched, names: tuple[str, ...]) -> pd.DataFrame:
    """Count the patients at risk in each group at the ticks of the time axis."""
    days, _ = arrays(matched)
    months = tick_months(float(days.max()))
    counts = [
        pd.DataFrame(
            {
                "group": name,
                "time_days": months * DAYS_PER_MONTH,
                "time_months": months,
                "at_risk": count_at_risk(
                    days[(matched.values == name).to_numpy()], months * DAYS_PER_MONTH
                ),
            }
        )
        for name in names
    ]
    return pd.concat(counts, ignore_index=True)
