"""Survival as aggregates that may travel without their patients.

Curves of many genes divide the same patients, so what differs from one point to the next must be
the same for all genes and no single person's: the points are chosen once a cohort, ten or more
patients apart, numbers at risk are rounded to tens, survival to hundredths, medians to months.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import MIN_SHOWN
from resvae_core.survival.cox import HazardRatio, cox_per_sd
from resvae_core.survival.groups import Groups, Rule, group_by_expression
from resvae_core.survival.kaplan_meier import (
    DAYS_PER_MONTH,
    KaplanMeier,
    count_at_risk,
    kaplan_meier,
)
from resvae_core.survival.log_rank import LogRank, log_rank
from resvae_core.tables import SurvivalOutcome

CURVE_COLUMNS = ["group", "time_days", "survival", "lower", "upper", "at_risk"]
MEDIANS = ("median", "median_lower", "median_upper")
N_TICKS = 8
"""Points of a curve whose number at risk is shown."""
NOTE = (
    "Read off at points between which ten or more patients of the cohort left, and drawn straight "
    "between them; numbers at risk rounded to tens, medians to months."
)


@dataclass(frozen=True)
class Aggregate:
    """Survival of a cohort divided by one gene, without its patients.

    Parameters
    ----------
    curves
        One row a group and point: `CURVE_COLUMNS`; survival and its 95 % interval in [0, 1], to
        hundredths; at_risk counts T ≥ t, to tens, while ten or more of the group are left.
    groups
        One row a group, as `KaplanMeier.summary` without days; medians in whole months.
    test
        Numbers of the log-rank test and of the Cox regression per SD, and how groups were formed.
    """

    curves: pd.DataFrame
    groups: pd.DataFrame
    test: dict[str, Any]


def aggregate_survival(
    outcome: SurvivalOutcome, values: pd.Series[float], rule: Rule = "median"
) -> Aggregate:
    """Compare survival by a gene's expression and keep what names no patient.

    Parameters
    ----------
    outcome
        Times in days and events.
    values
        (n_patients,) one finite value a patient. Index: patients.
    rule
        As `group_by_expression` takes it.

    Raises
    ------
    SurvivalDataError
        If a group has fewer than 10 patients, or groups or outcomes do not allow a comparison.
    """
    groups = group_by_expression(values, rule)
    estimate = kaplan_meier(outcome, groups)
    if estimate.small_groups:
        raise SurvivalDataError(
            f"The group {estimate.small_groups[0]!r} has fewer than {MIN_SHOWN} patients.",
            remedy="Show it where the cohort is installed; it may not travel.",
        )
    test, ratio = log_rank(outcome, groups), cox_per_sd(outcome, values)
    document = {
        "endpoint": estimate.endpoint,
        "description": _describe(groups),
        "n_excluded": estimate.n_excluded,
        **{f"test_{name}": getattr(test, name) for name in ("statistic", "dof", "p_value")},
        "n": test.n,
        "n_events": test.n_events,
        "smallest_group": test.smallest_group,
        "hazard_ratio": ratio.hazard_ratio,
        "hr_lower": ratio.lower,
        "hr_upper": ratio.upper,
        "hr_p_value": ratio.p_value,
        "proportional_hazards_p": ratio.proportional_hazards_p,
        "standard_deviation": ratio.standard_deviation,
    }
    points = shared_points(outcome)
    curves = [_at_points(estimate, name, points) for name in estimate.summary["group"]]
    return Aggregate(pd.concat(curves, ignore_index=True), _without_days(estimate), document)


def shared_points(outcome: SurvivalOutcome) -> np.ndarray:
    """Return the days at which curves of a cohort are read off, the same for every gene.

    Returns
    -------
    ndarray
        (n_points,) days, whole months from 0 on; at each, at least ten patients of the whole
        cohort have left since the one before.
    """
    days = outcome.time_days.to_numpy(float)
    months = np.arange(0.0, days.max() / DAYS_PER_MONTH + 1) * DAYS_PER_MONTH
    at_risk = count_at_risk(days, months)
    kept = [0]
    for month in range(1, len(months)):
        if at_risk[kept[-1]] - at_risk[month] >= MIN_SHOWN:
            kept.append(month)
    points: np.ndarray = months[kept]
    return points


def restore_survival(aggregate: Aggregate) -> tuple[KaplanMeier, LogRank, HazardRatio]:
    """Return what figures take: curves without marks of single events or censored patients."""
    test, curves = aggregate.test, aggregate.curves
    endpoint = str(test["endpoint"])
    n, n_events, n_excluded = (int(test[name]) for name in ("n", "n_events", "n_excluded"))
    estimate = KaplanMeier(
        curve=curves.assign(events=0, censored=0),
        at_risk=_risk_rows(curves),
        summary=aggregate.groups.assign(
            **{
                f"{name}_days": aggregate.groups[f"{name}_months"] * DAYS_PER_MONTH
                for name in MEDIANS
            }
        ),
        endpoint=endpoint,
        description=f"{test['description']} {NOTE}",
        n_excluded=n_excluded,
        read_off=True,
    )
    log_rank_test = LogRank(
        statistic=float(test["test_statistic"]),
        dof=int(test["test_dof"]),
        p_value=float(test["test_p_value"]),
        n=n,
        n_events=n_events,
        n_excluded=n_excluded,
        smallest_group=int(test["smallest_group"]),
        endpoint=endpoint,
    )
    ratio = HazardRatio(
        hazard_ratio=float(test["hazard_ratio"]),
        lower=float(test["hr_lower"]),
        upper=float(test["hr_upper"]),
        p_value=float(test["hr_p_value"]),
        contrast="per SD",
        n=n,
        n_events=n_events,
        n_excluded=n_excluded,
        smallest_group=None,
        proportional_hazards_p=float(test["proportional_hazards_p"]),
        standard_deviation=float(test["standard_deviation"]),
    )
    return estimate, log_rank_test, ratio


def _at_points(estimate: KaplanMeier, group: str, points: np.ndarray) -> pd.DataFrame:
    """Read one group's curve off while ten of its patients are at risk."""
    curve = estimate.curve[estimate.curve["group"] == group]
    days = curve["time_days"].to_numpy(float)
    last = np.searchsorted(days, points, side="right") - 1  # the step that holds at the point
    following = np.searchsorted(days, points, side="left")  # T ≥ t: who is there just before it
    at_risk = np.append(curve["at_risk"].to_numpy(), 0)[following]
    rows = curve.iloc[last].assign(time_days=points, at_risk=np.rint(at_risk / 10).astype(int) * 10)
    rounded = rows.round({"survival": 2, "lower": 2, "upper": 2})
    shown: pd.DataFrame = rounded.loc[at_risk >= MIN_SHOWN, CURVE_COLUMNS]
    return shown


def _without_days(estimate: KaplanMeier) -> pd.DataFrame:
    """Return the groups with medians in whole months: a median is one person's day."""
    table = estimate.summary.drop(columns=[f"{name}_days" for name in MEDIANS])
    return table.round({f"{name}_months": 0 for name in MEDIANS})


def _describe(groups: Groups) -> str:
    """Say how groups were formed, without the cut: it is one patient's expression."""
    sizes = ", ".join(f"{name} {size}" for name, size in groups.sizes.items())
    return f"Cut at the {groups.rule}: {sizes}."


def _risk_rows(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers at risk at a few of the points."""
    points = np.unique(curves["time_days"])
    places = np.linspace(0, len(points) - 1, min(N_TICKS, len(points))).round().astype(int)
    rows = curves[curves["time_days"].isin(points[places])]
    table = rows.assign(time_months=rows["time_days"] / DAYS_PER_MONTH)
    chosen: pd.DataFrame = table[["group", "time_days", "time_months", "at_risk"]]
    return chosen.reset_index(drop=True)
