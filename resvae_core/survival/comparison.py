"""One comparison of survival, whole: groups, curves, tests, and what holds without a cut."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, TypeAlias, cast

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import MIN_SHOWN
from resvae_core.survival.cox import HazardRatio, cox_per_sd
from resvae_core.survival.groups import MIN_PATIENTS, Groups, Rule, group_by_expression
from resvae_core.survival.kaplan_meier import (
    DAYS_PER_MONTH,
    KaplanMeier,
    count_at_risk,
    kaplan_meier,
)
from resvae_core.survival.landmark import landmark
from resvae_core.survival.log_rank import LogRank, log_rank
from resvae_core.survival.optimal_cut import OptimalCut, optimal_cut
from resvae_core.survival.rmst import RmstDifference, rmst_difference
from resvae_core.tables import SurvivalOutcome

HORIZONS_MONTHS = (12.0, 24.0, 36.0, 60.0, 120.0)
"""Times up to which mean survival is compared: round ones, so that nobody chooses them."""
NO_VALUE = "without a value of what divides them"
Division: TypeAlias = Rule | Literal["optimal"]


@dataclass(frozen=True)
class Comparison:
    """Survival of a cohort divided by one variable.

    Parameters
    ----------
    curves
        Kaplan–Meier estimate of the groups.
    test
        Log-rank test of the groups; of an optimal cut the maximally selected one, whose p-value
        is corrected for the search.
    ratio
        Cox hazard ratio per standard deviation of the variable: no cut involved; None where the
        fit did not converge.
    rmst
        Difference in restricted mean survival time between the last and the first group, up to
        the last of `HORIZONS_MONTHS` at which every group has ten patients at risk; None where
        there is none, and of groups whose cut was searched for.
    optimal
        How the cut was found; None where it was set beforehand. A fixed value that parts the
        patients as the search does counts as found.
    left_out
        How many patients have no usable outcome, by reason.
    q_value
        Of the hazard ratio, corrected for all genes whose curves are shipped; None where the
        patients are here and nobody knows how many genes were looked at.
    n_genes
        Pairs of cohort and gene that `q_value` is corrected for.
    """

    curves: KaplanMeier
    test: LogRank
    ratio: HazardRatio | None
    rmst: RmstDifference | None = None
    optimal: OptimalCut | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    q_value: float | None = None
    n_genes: int = 1


def compare(
    outcome: SurvivalOutcome,
    values: pd.Series[float],
    division: Division = "median",
    *,
    left_out: Mapping[str, int] | None = None,
) -> Comparison:
    """Divide patients by a variable and compare their survival.

    Parameters
    ----------
    outcome
        Times in days and events.
    values
        (n_patients,) one finite value a patient. Index: patients. Patients without an outcome do
        not take part in choosing the cut.
    division
        As `group_by_expression` takes it, or ``optimal``: the cut that separates survival best,
        with a p-value corrected for the search.
    left_out
        Patients whom `outcome` lacks, by reason; only handed on.

    Raises
    ------
    SurvivalDataError
        If groups or outcomes do not allow a comparison.
    """
    known = [patient for patient in outcome.patients if patient in values.index]
    n_unknown = len(outcome.patients) - len(known)
    values = values.loc[known]
    _check_number(len(known), outcome.endpoint)
    optimal = _found_by_search(outcome, values, division)
    if optimal is not None:
        groups = optimal.groups
    else:
        groups = group_by_expression(values, cast("Rule", division))
    return Comparison(
        curves=kaplan_meier(outcome, groups),
        test=_corrected(optimal, outcome) if optimal else log_rank(outcome, groups),
        ratio=_ratio(outcome, values),
        # after a search over cuts, its p-value would be uncorrected
        rmst=None if optimal else _rmst(outcome, groups),
        optimal=optimal,
        left_out={**(left_out or {}), **({NO_VALUE: n_unknown} if n_unknown else {})},
    )


def compare_from(
    outcome: SurvivalOutcome,
    values: pd.Series[float],
    division: Division,
    months: float,
    *,
    left_out: Mapping[str, int] | None = None,
) -> Comparison:
    """Do as :func:`compare` does for those who are still followed at a landmark, from there on.

    Parameters
    ----------
    months
        The landmark, in months from the start. Groups are formed anew among who is left.
    outcome, values, division, left_out
        As `compare`.

    Returns
    -------
    Comparison
        Its curves, their description and who is left out speak of the landmark.

    Raises
    ------
    SurvivalDataError
        As `compare`; or if too few are followed beyond the landmark.
    """
    later = landmark(outcome, months * DAYS_PER_MONTH)
    gone = {
        f"with the event by month {months:g}": later.n_events_before,
        f"last seen by month {months:g}": later.n_censored_before,
    }
    everyone = {**(left_out or {}), **{reason: n for reason, n in gone.items() if n}}
    result = compare(later.outcome, values, division, left_out=everyone)
    description = f"{later.description} {result.curves.description}"
    curves = replace(result.curves, description=description, landmark_months=months)
    return replace(result, curves=curves)


def _found_by_search(
    outcome: SurvivalOutcome, values: pd.Series[float], division: Division
) -> OptimalCut | None:
    """Search the best cut, if asked for or if a value that was entered parts the same patients.

    Nobody can tell why a value was entered; that it is the one a search finds, can be seen.
    """
    if division == "optimal":
        return optimal_cut(outcome, values)
    if not isinstance(division, tuple):
        return None
    try:
        found = optimal_cut(outcome, values)
    except SurvivalDataError:
        return None
    entered = group_by_expression(values, division).labels
    same = entered.loc[found.groups.labels.index].equals(found.groups.labels)
    return found if same else None


def _corrected(optimal: OptimalCut, outcome: SurvivalOutcome) -> LogRank:
    """Return the maximally selected statistic as the test of the groups that it chose."""
    return LogRank(
        statistic=optimal.statistic,
        dof=None,
        p_value=optimal.p_value,
        n=optimal.n,
        n_events=optimal.n_events,
        n_excluded=optimal.n_excluded,
        smallest_group=optimal.smallest_group,
        endpoint=outcome.endpoint,
        test_name="Maximally selected log-rank test, corrected",
    )


def _check_number(n: int, endpoint: str) -> None:
    if n < 2 * MIN_PATIENTS:
        raise SurvivalDataError(
            f"Only {n} patient{'s' if n != 1 else ''} can be followed for {endpoint} and "
            f"{'have' if n != 1 else 'has'} a value; at least {2 * MIN_PATIENTS} are needed.",
            remedy="Choose another endpoint or cohort.",
        )


def _ratio(outcome: SurvivalOutcome, values: pd.Series[float]) -> HazardRatio | None:
    """Fit the Cox model; curves and test stand without it."""
    try:
        return cox_per_sd(outcome, values)
    except SurvivalDataError:
        return None


def _rmst(outcome: SurvivalOutcome, groups: Groups) -> RmstDifference | None:
    """Compare mean survival up to the last horizon at which every group still has ten at risk.

    Up to the last patient's day, the difference would rest on the few who were followed longest.
    """
    days = outcome.time_days.to_numpy(float)
    labels = groups.labels.reindex(outcome.time_days.index).to_numpy()
    horizons = np.array(HORIZONS_MONTHS) * DAYS_PER_MONTH
    at_risk = np.min([count_at_risk(days[labels == name], horizons) for name in groups.names], 0)
    reached = horizons[at_risk >= MIN_SHOWN]
    try:
        return rmst_difference(outcome, groups, float(reached[-1])) if len(reached) else None
    except SurvivalDataError:
        return None
