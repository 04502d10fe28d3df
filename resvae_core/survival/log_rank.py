"""The log-rank test of a difference in survival between groups."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import MIN_SHOWN, Matched, arrays, check_events, match_groups
from resvae_core.survival.groups import Groups
from resvae_core.survival.kaplan_meier import count_at_risk
from resvae_core.tables import SurvivalOutcome


@dataclass(frozen=True)
class LogRank:
    """Result of a log-rank test.

    Parameters
    ----------
    statistic
        Chi-squared.
    dof
        Degrees of freedom: number of groups - 1 (stratified: of groups with an expected event).
    p_value
        Two-sided. Show :attr:`p_label` to readers: it hides the number where groups are small.
    n, n_events
        Patients compared, and events among them.
    n_excluded
        Patients left out because they lack an outcome, a group or, if stratified, a stratum.
    smallest_group
        Size of the smallest group.
    endpoint
        ``OS``, ``DSS``, ``PFI`` or ``DFI``.
    test_name
        What was computed.
    """

    statistic: float
    dof: int
    p_value: float
    n: int
    n_events: int
    n_excluded: int
    smallest_group: int
    endpoint: str = "OS"
    test_name: str = "Log-rank test"

    @property
    def p_hidden(self) -> bool:
        """Whether a group has fewer than 10 patients, so that p is not to be shown."""
        return self.smallest_group < MIN_SHOWN

    @property
    def p_label(self) -> str:
        """Return the p-value for readers, or why it is not shown."""
        if self.p_hidden:
            return f"p not shown: a group has fewer than {MIN_SHOWN} patients"
        return format_p(self.p_value)


def format_p(p_value: float) -> str:
    """Write a p-value with two significant digits, such as "p = 0.019"; never as zero."""
    if p_value < 1e-4:
        return f"p = {p_value:.1e}" if p_value >= 1e-16 else "p < 1e-16"
    return f"p = {p_value:.2g}"


def log_rank(
    outcome: SurvivalOutcome, groups: Groups, strata: pd.Series[str] | None = None
) -> LogRank:
    """Test whether groups have the same survival (Mantel 1966; Peto and Peto 1972).

    Parameters
    ----------
    outcome
        Times in days and events.
    groups
        Two or more groups, formed without the outcome.
    strata
        (n_patients,) a category, such as the stage, within which alone patients are compared;
        None compares all with all. Patients without a stratum are left out and counted.

    Returns
    -------
    LogRank
        The same statistic as R's ``survdiff(Surv(time, event) ~ group)``, or with
        ``+ strata(stratum)``.

    Raises
    ------
    SurvivalDataError
        If no patient has both an outcome and a group, a group has fewer than two patients,
        nobody had an event, or no stratum has two groups to compare.
    """
    if strata is not None:
        return _stratified(outcome, groups, strata)
    from lifelines.statistics import multivariate_logrank_test

    matched = match_groups(outcome, groups)
    check_events(matched)
    days, events = arrays(matched)
    result = multivariate_logrank_test(days, matched.values.to_numpy(), events)
    return LogRank(
        statistic=float(result.test_statistic),
        dof=len(groups.names) - 1,
        p_value=float(result.p_value),
        n=len(days),
        n_events=matched.n_events,
        n_excluded=matched.n_excluded,
        smallest_group=int(matched.values.value_counts().min()),
        endpoint=outcome.endpoint,
    )


def _stratified(outcome: SurvivalOutcome, groups: Groups, strata: pd.Series[str]) -> LogRank:
    """Add observed minus expected events and their variances over strata; lifelines has none."""
    from scipy.stats import chi2

    known = strata.dropna()
    everyone = outcome.time_days.index.union(groups.labels.index)
    labels = groups.labels[groups.labels.index.isin(known.index)]
    matched = match_groups(outcome, replace(groups, labels=labels))
    check_events(matched)
    strata_of = known.loc[matched.values.index].to_numpy()
    difference, variance = _sum_over_strata(matched, groups.names, strata_of)
    compared = np.diag(variance) > 0
    if not compared.any():
        raise SurvivalDataError(
            f"None of {len(set(strata_of))} strata has events while two groups are at risk; at "
            "least one is needed.",
            remedy="Choose another variable to stratify by.",
        )
    # the differences of all groups add up to 0, so the variance is singular: its inverse is Moore's
    inverse = np.linalg.pinv(variance[np.ix_(compared, compared)], hermitian=True)
    statistic = float(difference[compared] @ inverse @ difference[compared])
    dof = int(compared.sum()) - 1
    return LogRank(
        statistic=statistic,
        dof=dof,
        p_value=float(chi2.sf(statistic, dof)),
        n=len(matched.values),
        n_events=matched.n_events,
        n_excluded=len(everyone) - len(matched.values),
        smallest_group=int(matched.values.value_counts().min()),
        endpoint=outcome.endpoint,
        test_name=f"Log-rank test stratified by {strata.name or 'stratum'} "
        f"({len(set(strata_of))} strata)",
    )


def _sum_over_strata(
    matched: Matched, names: tuple[str, ...], strata: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return observed minus expected events (n_groups,) and their variance."""
    days, events = arrays(matched)
    member = matched.values.to_numpy()[:, None] == np.array(names, dtype=object)
    parts = [
        observed_minus_expected(days[rows], events[rows], member[rows])
        for rows in (strata == stratum for stratum in pd.unique(strata))
    ]
    difference: np.ndarray = np.sum([one for one, _ in parts], axis=0)
    variance: np.ndarray = np.sum([one for _, one in parts], axis=0)
    return difference, variance


def observed_minus_expected(
    days: np.ndarray, events: np.ndarray, member: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return observed minus expected events of groups, and their variance (Mantel 1966).

    Parameters
    ----------
    days, events
        (n_patients,) times and whether an event was seen then.
    member
        (n_patients, n_groups) bool: who is in which group.

    Returns
    -------
    tuple
        (n_groups,) differences and their (n_groups, n_groups) hypergeometric variance.
    """
    times = np.unique(days[events])
    columns = range(member.shape[1])
    at_risk = np.stack([count_at_risk(days[member[:, group]], times) for group in columns], axis=1)
    died = np.zeros_like(at_risk)
    np.add.at(died, np.searchsorted(times, days[events]), member[events].astype(int))
    n, deaths = at_risk.sum(axis=1), died.sum(axis=1)
    share = at_risk / n[:, None]
    # one patient at risk cannot vary; the factor is 0 / 0 there
    factor = deaths * (n - deaths) / np.maximum(n - 1, 1)
    variance = np.diag(factor @ share) - (share * factor[:, None]).T @ share
    return (died - deaths[:, None] * share).sum(axis=0), variance
