"""Survival as aggregates that may travel without their patients.

Curves are read off at whole months and end where fewer than ten patients of a group are at risk,
so that no step of a curve is one person's day.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import MIN_SHOWN
from resvae_core.survival.cox import HazardRatio, cox_per_sd
from resvae_core.survival.groups import Rule, group_by_expression
from resvae_core.survival.kaplan_meier import DAYS_PER_MONTH, KaplanMeier, kaplan_meier, tick_months
from resvae_core.survival.log_rank import LogRank, log_rank
from resvae_core.tables import SurvivalOutcome

CURVE_COLUMNS = ["group", "time_days", "survival", "lower", "upper", "at_risk"]
NOTE = "Read off at whole months, up to where ten patients of a group are still at risk."


@dataclass(frozen=True)
class Aggregate:
    """Survival of a cohort divided by one gene, without its patients.

    Parameters
    ----------
    curves
        One row a group and month: `CURVE_COLUMNS`; survival and its 95 % interval in [0, 1],
        at_risk counts T ≥ t and is never below 10.
    groups
        One row a group, as `KaplanMeier.summary`.
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
    estimate = kaplan_meier(outcome, group_by_expression(values, rule))
    if estimate.small_groups:
        raise SurvivalDataError(
            f"The group {estimate.small_groups[0]!r} has fewer than {MIN_SHOWN} patients.",
            remedy="Show it where the cohort is installed; it may not travel.",
        )
    test = log_rank(outcome, group_by_expression(values, rule))
    ratio = cox_per_sd(outcome, values)
    document = {
        "endpoint": estimate.endpoint,
        "description": estimate.description,
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
    names = list(estimate.summary["group"])
    curves = pd.concat([_by_month(estimate, name) for name in names], ignore_index=True)
    return Aggregate(curves, estimate.summary, document)


def restore_survival(aggregate: Aggregate) -> tuple[KaplanMeier, LogRank, HazardRatio]:
    """Return what figures take: curves without marks of single events or censored patients."""
    test, curves = aggregate.test, aggregate.curves
    endpoint = str(test["endpoint"])
    n, n_events, n_excluded = (int(test[name]) for name in ("n", "n_events", "n_excluded"))
    estimate = KaplanMeier(
        curve=curves.assign(events=0, censored=0),
        at_risk=_risk_rows(curves),
        summary=aggregate.groups,
        endpoint=endpoint,
        description=f"{test['description']} {NOTE}",
        n_excluded=n_excluded,
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


def _by_month(estimate: KaplanMeier, group: str) -> pd.DataFrame:
    """Read one group's curve off at whole months while ten patients are at risk."""
    curve = estimate.curve[estimate.curve["group"] == group]
    days = curve["time_days"].to_numpy(float)
    ticks = np.arange(0.0, days[-1] / DAYS_PER_MONTH + 1e-9) * DAYS_PER_MONTH
    last = np.searchsorted(days, ticks, side="right") - 1  # the step that holds at the tick
    following = np.searchsorted(days, ticks, side="left")  # T ≥ t: who is there just before it
    at_risk = curve["at_risk"].to_numpy()[np.minimum(following, len(days) - 1)]
    rows = curve.iloc[last].assign(time_days=ticks, at_risk=at_risk)
    shown: pd.DataFrame = rows.loc[at_risk >= MIN_SHOWN, CURVE_COLUMNS]
    return shown


def _risk_rows(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the numbers at risk at the ticks of the time axis."""
    months = np.rint(curves["time_days"] / DAYS_PER_MONTH)
    ticks = tick_months(float(curves["time_days"].max()))
    rows = curves.assign(time_months=months)[months.isin(ticks)]
    table: pd.DataFrame = rows[["group", "time_days", "time_months", "at_risk"]]
    return table.reset_index(drop=True)
