"""Restricted mean survival time: the mean time without an event up to a chosen day.

It needs no proportional hazards and has a unit that everybody knows. lifelines gives the variance
of the times, not of their estimated mean, so the error is computed here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import MIN_SHOWN, match_groups
from resvae_core.survival.groups import Groups
from resvae_core.survival.kaplan_meier import DAYS_PER_MONTH, kaplan_meier
from resvae_core.survival.log_rank import format_p
from resvae_core.tables import SurvivalOutcome

Z95 = 1.959963984540054
"""97.5 % quantile of the standard normal distribution."""


@dataclass(frozen=True)
class RmstDifference:
    """Restricted mean survival times of groups, and the difference between two of them.

    Parameters
    ----------
    contrast
        What is compared, such as "high vs low": the last group minus the first.
    tau_days
        Day up to which times are averaged.
    table
        One row a group: group, n, n_events (up to that day), rmst_days, rmst_months, se_days, and
        the 95 % interval lower_months, upper_months.
    difference_months, lower_months, upper_months
        Difference of the means and its 95 % interval; above 0 the last group lives longer.
    p_value
        Two-sided test of no difference (normal approximation).
    n, n_events
        Patients in the groups, and events among them up to `tau_days`.
    n_excluded
        Patients left out because they lack an outcome or a group.
    smallest_group
        Size of the smallest group.
    endpoint
        ``OS``, ``DSS``, ``PFI`` or ``DFI``.
    test_name
        What was computed.
    """

    contrast: str
    tau_days: float
    table: pd.DataFrame
    difference_months: float
    lower_months: float
    upper_months: float
    p_value: float
    n: int
    n_events: int
    n_excluded: int
    smallest_group: int
    endpoint: str = "OS"
    test_name: str = "Difference in restricted mean survival time"

    @property
    def p_hidden(self) -> bool:
        """Whether a group has fewer than 10 patients, so that p is not to be shown."""
        return self.smallest_group < MIN_SHOWN

    @property
    def label(self) -> str:
        """Return difference, interval and, where it may be shown, p-value for readers."""
        numbers = (
            f"{self.difference_months:+.1f} months ({self.lower_months:+.1f} to "
            f"{self.upper_months:+.1f})"
        ).replace("-", "−")
        months = f"{self.tau_days / DAYS_PER_MONTH:.0f} months"
        text = f"{numbers} {self.contrast} within the first {months}"
        return text if self.p_hidden else f"{text}, {format_p(self.p_value)}"


def rmst_difference(
    outcome: SurvivalOutcome, groups: Groups, tau_days: float | None = None
) -> RmstDifference:
    """Compare the area under the survival curves up to a day (Royston and Parmar 2011).

    Parameters
    ----------
    outcome
        Times in days and events.
    groups
        Two or more groups; the last is compared with the first.
    tau_days
        Up to which day; by default the last one at which the curve of each group is known.

    Returns
    -------
    RmstDifference
        As R's ``survRM2::rmst2``: areas under Kaplan-Meier curves, errors by Greenwood's formula.

    Raises
    ------
    SurvivalDataError
        If no patient has both an outcome and a group, a group has fewer than two patients,
        `tau_days` is not above 0 or lies where the curve of a group is not known, or the difference
        has no error, as without an event before `tau_days`.
    """
    matched = match_groups(outcome, groups)
    curve = kaplan_meier(outcome, groups).curve
    curves = {name: curve[curve["group"] == name] for name in groups.names}
    tau = _tau(curves, tau_days)
    table = pd.DataFrame([_row(name, part, tau) for name, part in curves.items()])
    first, last = table.iloc[0], table.iloc[-1]
    difference = float(last["rmst_days"] - first["rmst_days"])
    error = float(np.hypot(first["se_days"], last["se_days"]))
    _check_error(error, first, last, tau)
    return RmstDifference(
        contrast=f"{last['group']} vs {first['group']}",
        tau_days=tau,
        table=table,
        difference_months=difference / DAYS_PER_MONTH,
        lower_months=(difference - Z95 * error) / DAYS_PER_MONTH,
        upper_months=(difference + Z95 * error) / DAYS_PER_MONTH,
        p_value=_two_sided_p(difference, error),
        n=int(table["n"].sum()),
        n_events=int(table["n_events"].sum()),
        n_excluded=matched.n_excluded,
        smallest_group=int(table["n"].min()),
        endpoint=outcome.endpoint,
    )


def _tau(curves: dict[str, pd.DataFrame], asked: float | None) -> float:
    """Return the day asked for, or the last one that all curves reach; refuse one beyond it."""
    last = min(_last_known_day(curve) for curve in curves.values())
    if not np.isfinite(last):  # each curve ends at 0, where it stays
        last = max(float(curve["time_days"].max()) for curve in curves.values())
        limit = np.inf
    else:
        limit = last
    tau = last if asked is None else float(asked)
    if not 0 < tau <= limit:
        raise SurvivalDataError(
            f"The day {tau:g} is not above 0 and at most {limit:.0f}, the last one that the "
            "survival curve of each group reaches.",
            remedy="Choose an earlier day, or none for the last possible one.",
        )
    return tau


def _last_known_day(curve: pd.DataFrame) -> float:
    """Return the end of a curve; infinity if nobody is left, for it is 0 from there on."""
    return float("inf") if curve["survival"].iloc[-1] <= 0 else float(curve["time_days"].iloc[-1])


def _row(name: str, curve: pd.DataFrame, tau: float) -> dict[str, object]:
    """Return a group's restricted mean with its error."""
    before = curve[curve["time_days"] <= tau]
    widths = np.diff(np.append(before["time_days"].to_numpy(float), tau))
    areas = before["survival"].to_numpy(float) * widths
    mean = float(areas.sum())
    remaining = areas[::-1].cumsum()[::-1]  # area from each time to tau
    at_risk, died = before["at_risk"].to_numpy(float), before["events"].to_numpy(float)
    left = at_risk - died
    # where nobody is left, nothing remains: the term is 0, its quotient is not
    greenwood = np.divide(died, at_risk * left, out=np.zeros_like(died), where=left > 0)
    error = float(np.sqrt((remaining**2 * greenwood).sum()))
    return {
        "group": name,
        "n": int(curve["at_risk"].iloc[0]),
        "n_events": int(died.sum()),
        "rmst_days": mean,
        "rmst_months": mean / DAYS_PER_MONTH,
        "se_days": error,
        "lower_months": (mean - Z95 * error) / DAYS_PER_MONTH,
        "upper_months": (mean + Z95 * error) / DAYS_PER_MONTH,
    }


def _check_error(error: float, first: pd.Series, last: pd.Series, tau: float) -> None:
    """Refuse groups without variance: they would be told to differ for sure, or not at all."""
    if error > 0:
        return
    n_events = int(first["n_events"] + last["n_events"])
    raise SurvivalDataError(
        f"{n_events or 'No'} event{'s' if n_events > 1 else ''} up to day {tau:g} in the groups "
        f"{last['group']!r} and {first['group']!r} leave{'' if n_events > 1 else 's'} no error to "
        "test the difference of their mean survival with.",
        remedy="Choose a later day, another endpoint, or a cohort with longer follow-up.",
    )


def _two_sided_p(difference: float, error: float) -> float:
    """Return the normal p-value."""
    from scipy.stats import norm

    return float(2 * norm.sf(abs(difference) / error))
