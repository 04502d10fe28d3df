"""The cut that separates survival best, with a p-value that knows it was searched for.

Trying every cut and showing the best one's log-rank p calls a quarter to four in ten of unrelated
genes significant (`benchmarks/optimal_cut.md`). The statistic here is the largest of the
standardised log-rank scores over all cuts (Lausen and Schumacher 1992), and its p-value is that of
the largest, not of one: the scores are jointly normal under the null hypothesis, correlated as the
groups overlap (Hothorn and Lausen 2003, "exactGauss" of R's maxstat). They form a Markov chain, so
the probability is integrated step by step: no random numbers, the same p every time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import MIN_SHOWN, Matched, arrays, check_events, match
from resvae_core.survival.cox import HazardRatio, cox_high_vs_low
from resvae_core.survival.groups import Groups, format_cut, group_by_expression
from resvae_core.survival.kaplan_meier import count_at_risk
from resvae_core.survival.log_rank import format_p, observed_minus_expected
from resvae_core.tables import SurvivalOutcome

MIN_SHARE = 0.25
"""Smallest share of patients in a group: cuts between the quartiles are searched. Which range is
searched can decide the verdict, so it is said with every result (`benchmarks/optimal_cut.md`)."""
N_SPLITS = 21
"""Divisions into two halves, of which the middle result is taken: one alone depends on chance."""
RULE = "best-separating value, searched for"
_NAMES = ("low", "high")


@dataclass(frozen=True)
class CrossValidatedCut:
    """What the search for a cut gives on patients that it has not seen.

    Patients are divided into two halves, and each half by the cut that the other chose (Faraggi
    and Simon 1996); of many divisions, the one with the median p-value is reported. With more than
    two folds the training sets overlap, and the log-rank p rejects too often
    (`benchmarks/optimal_cut.md`).

    Parameters
    ----------
    p_value
        Log-rank test between held-out patients above and below the cut that was chosen without
        them; NaN where `reason` says why there is none.
    hazard_ratio
        High against low of the same patients; None where `reason` says why.
    cuts
        The cuts of all halves: how far they differ says how stable the cut is.
    smallest_group
        Size of the smaller of the two groups.
    reason
        Why something is missing; "" if nothing is.
    """

    p_value: float
    hazard_ratio: HazardRatio | None
    cuts: tuple[float, ...]
    smallest_group: int
    reason: str = ""

    @property
    def p_hidden(self) -> bool:
        """Whether p is not to be shown: a group below 10 patients, or no p at all."""
        return self.smallest_group < MIN_SHOWN or not np.isfinite(self.p_value)

    @property
    def label(self) -> str:
        """Return the result on held-out patients for readers."""
        if not np.isfinite(self.p_value):
            return f"not cross-validated: {self.reason}"
        if self.p_hidden:
            return f"p not shown: a cross-validated group has fewer than {MIN_SHOWN} patients"
        ratio = "" if self.hazard_ratio is None else f"{self.hazard_ratio.label.split(',')[0]}, "
        halves = f"median of {len(self.cuts) // 2} divisions into halves"
        return f"{ratio}{format_p(self.p_value)} on held-out patients ({halves})"


@dataclass(frozen=True)
class OptimalCut:
    """The best cut of a continuous value, and how much of it is the search.

    Parameters
    ----------
    cut
        Midway between two neighbouring values, in their unit; values above it are high.
    groups
        Low and high at that cut, for curves.
    statistic
        Largest absolute standardised log-rank score over the cuts.
    p_value
        Of the largest over all cuts searched: the one to show.
    p_uncorrected
        Log-rank test at the chosen cut as if it had been fixed beforehand. It misleads.
    scan
        One row a cut searched, rising: cut, n_low, n_high, statistic (signed: above 0, patients
        with high values die sooner).
    cross_validated
        Log-rank test and hazard ratio on patients that did not choose the cut; None if not asked.
    n, n_events
        Patients searched, and events among them.
    n_excluded
        Patients left out because they lack an outcome or a value.
    min_share
        Smallest share of patients that a group could have.
    endpoint
        ``OS``, ``DSS``, ``PFI`` or ``DFI``.
    test_name
        What was computed.
    """

    cut: float
    groups: Groups
    statistic: float
    p_value: float
    p_uncorrected: float
    scan: pd.DataFrame
    cross_validated: CrossValidatedCut | None
    n: int
    n_events: int
    n_excluded: int
    min_share: float
    endpoint: str = "OS"
    test_name: str = "Maximally selected log-rank statistic"

    @property
    def smallest_group(self) -> int:
        """Size of the smaller group."""
        return min(self.groups.sizes.values())

    @property
    def p_hidden(self) -> bool:
        """Whether a group has fewer than 10 patients, so that p is not to be shown."""
        return self.smallest_group < MIN_SHOWN

    @property
    def label(self) -> str:
        """Return cut and corrected p-value for readers, and that it was searched for."""
        found = f"best of {len(self.scan)} cuts: {format_cut(self.cut)}"
        if self.p_hidden:
            return f"{found}; p not shown: a group has fewer than {MIN_SHOWN} patients"
        return f"{found}; {format_p(self.p_value)}, corrected for the search"


def optimal_cut(
    outcome: SurvivalOutcome,
    values: pd.Series[float],
    *,
    min_share: float = MIN_SHARE,
    min_patients: int = MIN_SHOWN,
    n_splits: int = N_SPLITS,
) -> OptimalCut:
    """Search for the cut with the largest log-rank statistic, and correct for the search.

    Parameters
    ----------
    outcome
        Times in days and events.
    values
        (n_patients,) one finite value a patient, for expression in log2(TPM + 1). Index: patients.
    min_share, min_patients
        Each group has at least this share of the patients (above 0, below 0.5), and at least this
        many.
    n_splits
        Divisions of the cross-validation, an odd number; 0 leaves it out.

    Returns
    -------
    OptimalCut
        The same for the same patients in any order. As R's ``maxstat.test(Surv(time, event) ~
        value, smethod = "LogRank", pmethod = "exactGauss")``, with the scores of the log-rank test
        where times are tied.

    Raises
    ------
    SurvivalDataError
        If a value is missing or infinite, nobody had an event, or no cut leaves enough patients on
        both sides.
    """
    _check(values, min_share)
    matched = match(outcome, values)
    check_events(matched)
    days, events = arrays(matched)
    numbers = matched.values.to_numpy(float)
    smallest = max(min_patients, int(np.ceil(min_share * len(numbers) - 1e-9)))
    scan = scan_cuts(log_rank_scores(days, events), numbers, smallest)
    best = scan["statistic"].abs().to_numpy().argmax()
    cut, statistic = float(scan["cut"].iloc[best]), abs(float(scan["statistic"].iloc[best]))
    groups = _groups_at(values.loc[matched.values.index], cut)
    return OptimalCut(
        cut=cut,
        groups=groups,
        statistic=statistic,
        p_value=p_of_largest(statistic, scan["n_low"].to_numpy(float), len(numbers)),
        p_uncorrected=_two_group_p(matched, numbers > cut),
        scan=scan,
        cross_validated=cross_validate_cut(matched, smallest, n_splits) if n_splits else None,
        n=len(numbers),
        n_events=matched.n_events,
        n_excluded=matched.n_excluded,
        min_share=min_share,
        endpoint=outcome.endpoint,
    )


def log_rank_scores(days: np.ndarray, events: np.ndarray) -> np.ndarray:
    """Return each patient's event minus the cumulative hazard (Nelson-Aalen) until its time.

    Parameters
    ----------
    days
        (n_patients,) times.
    events
        (n_patients,) bool.

    Returns
    -------
    np.ndarray
        (n_patients,) scores that add up to 0; over a group, to its observed minus expected events
        in the log-rank test, tied times included. Above 0: died sooner than expected.
    """
    times = np.unique(days)
    died = np.bincount(np.searchsorted(times, days[events]), minlength=len(times))
    hazard = np.cumsum(died / count_at_risk(days, times))
    scores: np.ndarray = events.astype(float) - hazard[np.searchsorted(times, days)]
    return scores


def scan_cuts(scores: np.ndarray, values: np.ndarray, smallest: int) -> pd.DataFrame:
    """Standardise the sum of scores on the upper side of every cut between two distinct values.

    Parameters
    ----------
    scores
        (n_patients,) rank scores, by `log_rank_scores` or another rule.
    values
        (n_patients,) what is cut.
    smallest
        Fewest patients on either side.

    Returns
    -------
    pd.DataFrame
        cut, n_low, n_high, statistic: standard normal for one cut if values and outcome are
        unrelated (mean and variance over permutations).

    Raises
    ------
    SurvivalDataError
        If no cut leaves `smallest` patients on both sides.
    """
    order = np.argsort(values, kind="stable")
    ordered, n = values[order], len(values)
    n_low = np.arange(1, n)
    allowed = (np.diff(ordered) > 0) & (n_low >= smallest) & (n - n_low >= smallest)
    if not allowed.any():
        raise SurvivalDataError(
            f"No cut of {n} patients with {len(np.unique(values))} different values leaves "
            f"{smallest} or more on both sides.",
            remedy="Use the value without a cut, a larger cohort, or another variable.",
        )
    centred = scores - scores.mean()
    above = -centred[order].cumsum()[:-1]
    spread = np.sqrt(n_low * (n - n_low) / (n * (n - 1)) * (centred**2).sum())
    table = pd.DataFrame(
        {
            "cut": ordered[:-1] + np.diff(ordered) / 2,
            "n_low": n_low,
            "n_high": n - n_low,
            "statistic": above / spread,
        }
    )
    return table[allowed].reset_index(drop=True)


def p_of_largest(statistic: float, n_low: np.ndarray, n: int) -> float:
    """Return the chance that the largest of the standardised scores reaches `statistic`.

    Scores of two cuts with m < k patients below have correlation √(m (n - k) / (k (n - m))), which
    makes them a Markov chain from cut to cut. The density of the chain while it has stayed within
    ± statistic is carried forward on Gauss-Legendre nodes, and what leaves is added up.

    Parameters
    ----------
    statistic
        Largest absolute standardised score, above 0.
    n_low
        (n_cuts,) patients below each cut, rising.
    n
        Patients in all.
    """
    from scipy.special import ndtr

    if statistic <= 0:
        return 1.0
    left = float(2 * ndtr(-statistic))
    odds = n_low / (n - n_low)
    correlation = np.sqrt(odds[:-1] / odds[1:])
    deviation = np.sqrt(1 - odds[:-1] / odds[1:])
    nodes, weights = _nodes(statistic, float(deviation.min(initial=1.0)))
    density = np.exp(-(nodes**2) / 2) / np.sqrt(2 * np.pi)
    for rho, sd in zip(correlation, deviation, strict=True):
        # by symmetry the nodes of the upper half stand for both
        mass = 2 * weights * density
        leaving = ndtr((rho * nodes - statistic) / sd) + ndtr((-rho * nodes - statistic) / sd)
        left += float(mass @ leaving)
        near, far = (nodes[:, None] - sign * rho * nodes for sign in (1, -1))
        kernel = np.exp(-((near / sd) ** 2) / 2) + np.exp(-((far / sd) ** 2) / 2)
        density = kernel @ (weights * density) / (sd * np.sqrt(2 * np.pi))
    return min(left, 1.0)


def limit_of_largest(p_value: float, n_low: np.ndarray, n: int) -> float:
    """Return the statistic whose corrected p-value is `p_value`; see `p_of_largest`."""
    from scipy.optimize import brentq

    # from the limit of a single cut up to where even thousands of cuts hardly reach
    found = brentq(lambda limit: p_of_largest(limit, n_low, n) - p_value, 1.0, 8.0, xtol=1e-3)
    return float(found)


def _nodes(statistic: float, deviation: float) -> tuple[np.ndarray, np.ndarray]:
    """Return Gauss-Legendre nodes and weights on [0, statistic].

    Two nodes a step's standard deviation leave a relative error of 1e-9 or less.
    """
    count = int(np.clip(np.ceil(2 * statistic / deviation), 40, 800))
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) * statistic / 2, weights * statistic / 2


def cross_validate_cut(
    matched: Matched, smallest: int, n_splits: int = N_SPLITS
) -> CrossValidatedCut:
    """Divide patients by cuts that were chosen without them.

    Parameters
    ----------
    matched
        Outcomes and values of the same patients.
    smallest
        Fewest patients on either side of the cut in the whole cohort; in proportion in a half.
    n_splits
        Divisions into halves, an odd number.

    Returns
    -------
    CrossValidatedCut
        The same for the same patients in any order: halves are drawn by name with fixed seeds.
    """
    results = []
    cuts: list[float] = []
    try:
        for seed in range(n_splits):
            labels, found = _held_out_labels(matched, smallest, seed)
            results.append((_two_group_p(matched, labels == "high"), labels))
            cuts += found
    except SurvivalDataError as error:
        return CrossValidatedCut(float("nan"), None, (), 0, error.message)
    p_value, labels = sorted(results, key=lambda result: result[0])[n_splits // 2]
    index = matched.values.index
    groups = Groups(pd.Series(labels, index, dtype=object), _NAMES, f"{RULE}, cross-validated")
    smaller = min(groups.sizes.values())
    try:
        ratio = cox_high_vs_low(matched.outcome, groups)
    except SurvivalDataError as error:
        return CrossValidatedCut(p_value, None, tuple(cuts), smaller, error.message)
    return CrossValidatedCut(p_value, ratio, tuple(cuts), smaller)


def _two_group_p(matched: Matched, high: np.ndarray) -> float:
    """Return the log-rank p of two groups, without the time that a table of results takes."""
    from scipy.stats import chi2

    difference, variance = observed_minus_expected(
        *arrays(matched), np.stack([high, ~high], axis=1)
    )
    if variance[0, 0] <= 0:  # one of the groups is empty
        return 1.0
    return float(chi2.sf(difference[0] ** 2 / variance[0, 0], 1))


def _held_out_labels(matched: Matched, smallest: int, seed: int) -> tuple[np.ndarray, list[float]]:
    """Label each half of the patients by the other half's cut; return the two cuts too."""
    days, events = arrays(matched)
    numbers = matched.values.to_numpy(float)
    half, cuts = _halves(matched, seed), []
    labels = np.empty(len(numbers), dtype=object)
    for train, test in ((half, ~half), (~half, half)):
        least = max(1, int(np.ceil(smallest * train.sum() / len(numbers) - 1e-9)))
        scan = scan_cuts(log_rank_scores(days[train], events[train]), numbers[train], least)
        cut = float(scan["cut"].iloc[scan["statistic"].abs().to_numpy().argmax()])
        labels[test] = np.where(numbers[test] > cut, "high", "low")
        cuts.append(cut)
    return labels, cuts


def _halves(matched: Matched, seed: int) -> np.ndarray:
    """Return who is in the first half: events evenly, by name, whatever the order of patients."""
    _, events = arrays(matched)
    names = matched.values.index.astype(str).to_numpy()
    dealt = np.argsort(names, kind="stable")[np.random.default_rng(seed).permutation(len(names))]
    dealt = dealt[np.argsort(events[dealt], kind="stable")]
    half = np.empty(len(names), dtype=bool)
    half[dealt] = np.arange(len(names)) % 2 == 0
    return half


def _groups_at(values: pd.Series[float], cut: float) -> Groups:
    """Divide patients at the cut found, and say that it was searched for."""
    fixed = group_by_expression(values, ("fixed", cut))
    return Groups(fixed.labels, _NAMES, RULE, (cut,))


def _check(values: pd.Series[float], min_share: float) -> None:
    if not 0 < min_share < 0.5:
        raise SurvivalDataError(
            f"The smallest share of a group is {min_share:g}; it must lie between 0 and 0.5.",
            remedy="Use 0.25, or 0.1 to search nearly all cuts.",
        )
    if values.index.has_duplicates:
        raise SurvivalDataError(
            "A patient occurs more than once; each may count once.",
            remedy="Keep one row a patient.",
        )
    if np.isinf(values.to_numpy(float)).any():
        raise SurvivalDataError(
            "A value is infinite; finite values were expected.", remedy="Use log2(TPM + 1)."
        )
