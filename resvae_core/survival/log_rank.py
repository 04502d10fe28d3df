"""The log-rank test of a difference in survival between groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import MIN_SHOWN, Matched, arrays, check_events, match_groups
from resvae_core.survival.groups import Groups
from resvae_core.survival.kaplan_meier import count_at_risk
from resvae_core.tables import SurvivalOutcome

_NO_VARIANCE = 1e-10
"""Part of the largest eigenvalue of a variance (or of one event) below which it is rounding."""


@dataclass(frozen=True)
class LogRank:
    """Result of a log-rank test.

    Parameters
    ----------
    statistic
        Chi-squared; of a cut that was searched for, the largest absolute standardised score M.
    dof
        Degrees of freedom: number of groups - 1, stratified the rank of the variance; None for M,
        which follows no chi-squared distribution.
    p_value
        Two-sided. Show :attr:`p_label` to readers: it hides the number where groups are small.
    n, n_events
        Patients compared, and events among them.
    n_excluded
        Patients left out because they lack an outcome, a group or, if stratified, a stratum in
        which there is another group to compare with.
    smallest_group
        Size of the smallest group.
    endpoint
        ``OS``, ``DSS``, ``PFI`` or ``DFI``.
    test_name
        What was computed.
    left_out
        Reason to the number of patients left out for it, if stratified; adds up to `n_excluded`.
    """

    statistic: float
    dof: int | None
    p_value: float
    n: int
    n_events: int
    n_excluded: int
    smallest_group: int
    endpoint: str = "OS"
    test_name: str = "Log-rank test"
    left_out: Mapping[str, int] = field(default_factory=dict)

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

    @property
    def statistic_label(self) -> str:
        """Return the statistic for readers, such as "χ² 5.55 on 1 degree of freedom"."""
        if self.dof is None:
            return f"M = {self.statistic:.2f}"
        degrees = "degree" if self.dof == 1 else "degrees"
        return f"χ² {self.statistic:.2f} on {self.dof} {degrees} of freedom"


def format_p(p_value: float) -> str:
    """Write a p-value with two significant digits, such as "p = 0.019"; never as zero."""
    if p_value < 1e-4:
        return f"p = {p_value:.1e}" if p_value >= 1e-16 else "p < 1e-16"
    return f"p = {p_value:.2g}"


def format_left_out(left_out: Mapping[str, int]) -> str:
    """Write how many were left out and why, such as "4 (no follow-up after day 0)"."""
    return ", ".join(f"{count} ({reason})" for reason, count in left_out.items() if count)


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
        None compares all with all. Patients without a stratum, and those of a stratum in which
        there is one group alone, are left out and counted: they take no part in the comparison.

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

    known = strata.dropna().astype(object)  # of a category, also levels that nobody has are groups
    labels = groups.labels[groups.labels.index.isin(known.index)]
    matched = match_groups(outcome, replace(groups, labels=labels))
    check_events(matched)
    strata_of = known.loc[matched.values.index]
    shared = matched.values.groupby(strata_of).transform("nunique").to_numpy() > 1
    left_out = _left_out(outcome, groups, known, n_alone=int((~shared).sum()))
    difference, variance = _sum_over_strata(matched, groups.names, strata_of.to_numpy())
    statistic, dof = _quadratic_form(difference, variance)
    n_strata = strata_of[shared].nunique()
    if not dof:
        raise SurvivalDataError(
            f"None of {strata_of.nunique()} strata has events while two groups are at risk; at "
            "least one is needed.",
            remedy="Choose another variable to stratify by.",
        )
    compared = matched.values[shared]
    return LogRank(
        statistic=statistic,
        dof=dof,
        p_value=float(chi2.sf(statistic, dof)),
        n=len(compared),
        n_events=int(arrays(matched)[1][shared].sum()),
        n_excluded=sum(left_out.values()),
        # a group that is nowhere beside another one counts as empty, so that p is hidden
        smallest_group=min(int((compared == name).sum()) for name in groups.names),
        endpoint=outcome.endpoint,
        test_name=f"Log-rank test stratified by {strata.name or 'stratum'} ("
        f"{n_strata} {'stratum' if n_strata == 1 else 'strata'})",
        left_out=left_out,
    )


def _left_out(
    outcome: SurvivalOutcome, groups: Groups, strata: pd.Series[str], n_alone: int
) -> dict[str, int]:
    """Count who takes no part, each for the first reason."""
    known, grouped = outcome.time_days.index, groups.labels.index
    both = known.intersection(grouped)
    counts = {
        "no outcome": len(grouped.difference(known)),
        "no group": len(known.difference(grouped)),
        "no stratum": int((~both.isin(strata.index)).sum()),
        "one group alone in the stratum": n_alone,
    }
    return {reason: count for reason, count in counts.items() if count}


def _quadratic_form(difference: np.ndarray, variance: np.ndarray) -> tuple[float, int]:
    """Return difference' variance⁻ difference and the rank of the variance.

    The variance is singular: differences of groups that meet in a stratum add up to 0, so one
    dimension is lost for each set of groups that no stratum connects with the others.
    """
    values, vectors = np.linalg.eigh(variance)
    kept = values > _NO_VARIANCE * max(float(values[-1]), 1.0)
    along = vectors[:, kept].T @ difference
    return float((along**2 / values[kept]).sum()), int(kept.sum())


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
