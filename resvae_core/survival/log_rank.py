"""The log-rank test of a difference in survival between groups."""

from __future__ import annotations

from dataclasses import dataclass

from resvae_core.survival.cohort import MIN_SHOWN, arrays, check_events, match_groups
from resvae_core.survival.groups import Groups
from resvae_core.tables import SurvivalOutcome


@dataclass(frozen=True)
class LogRank:
    """Result of a log-rank test.

    Parameters
    ----------
    statistic
        Chi-squared.
    dof
        Degrees of freedom: number of groups - 1.
    p_value
        Two-sided. Show :attr:`p_label` to readers: it hides the number where groups are small.
    n, n_events
        Patients compared, and events among them.
    n_excluded
        Patients left out because they lack an outcome or a group.
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


def log_rank(outcome: SurvivalOutcome, groups: Groups) -> LogRank:
    """Test whether groups have the same survival (Mantel 1966; Peto and Peto 1972).

    Parameters
    ----------
    outcome
        Times in days and events.
    groups
        Two or more groups, formed without the outcome.

    Returns
    -------
    LogRank
        The same statistic as R's ``survdiff(Surv(time, event) ~ group)``.

    Raises
    ------
    SurvivalDataError
        If no patient has both an outcome and a group, a group has fewer than two patients, or
        nobody had an event.
    """
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
