"""Log-rank test and Cox regression of every gene at once.

Both are the same as gene by gene (`log_rank`, `cox_per_sd`), written as matrix products over all
genes that were measured in the same patients. A loop over lifelines takes hours for a genome:
``benchmarks/survival_screen.md``.

Patients without a value are left out gene by gene, and each gene says how many are in it. What
cannot be assessed is NaN with a note, never 0 or 1; one test may stand where the other does not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.errors import SurvivalDataError
from resvae_core.survival.cohort import MIN_SHOWN, arrays, check_events, match
from resvae_core.survival.groups import Rule
from resvae_core.survival.rmst import Z95
from resvae_core.tables import SurvivalOutcome

Array = NDArray[np.float64]
Bools = NDArray[np.bool_]
Positions = NDArray[np.intp]
Texts = NDArray[np.object_]

COLUMNS = (
    "gene",
    "n",
    "n_events",
    "n_low",
    "n_high",
    "cut",
    "log_rank_statistic",
    "log_rank_p",
    "log_rank_q",
    "hazard_ratio",
    "lower",
    "upper",
    "cox_p",
    "cox_q",
    "note",
)
COUNTS = ("n", "n_events", "n_low", "n_high")

_BLOCK = 1024
"""Genes computed together: bounds the memory, about 10 arrays of patients × this."""
_MAX_STEPS = 30
_STEP = 1e-9
"""Change of the coefficient, per SD, at which Newton's steps end."""
_ROUNDING = 1e-9
"""Fall of a log likelihood that may be rounding."""
_MIN_INFORMATION = 1e-6
"""A coefficient with a standard error above 1,000 per SD is no estimate."""

SAME_VALUE = "all patients have the same value"
NO_EVENT = "no event among the patients with a value"
NO_VALUE = "no patient with an outcome has a value"
FEW_ABOVE = f"Cox: fewer than {MIN_SHOWN} patients are above its lowest value"
FEW_BELOW = f"Cox: fewer than {MIN_SHOWN} patients are below its highest value"
NOT_CONVERGED = "Cox: did not converge"
_FEW_IN_GROUP = f"log-rank: {{}} in the {{}} group, at least {MIN_SHOWN} are needed"
NO_VARIANCE = "log-rank: no event while both groups are at risk"


@dataclass(frozen=True)
class _AtRisk:
    """Who is at risk at the events of some patients.

    Parameters
    ----------
    n, n_events
        Patients, and events among them.
    event
        (n,) 1 where the event was seen, else 0.
    efron
        (n_events, n) weight of each patient in the risk set of each event: 1, 0 after the own
        time, and 1 - l/d in the l-th of d tied events for those who have them (Efron 1977).
    residual
        (n,) event less the cumulative hazard (Nelson–Aalen) at the own time; over a group its sum
        is observed less expected events.
    times
        (n_times, n) 1 where the patient is at risk at a distinct time of an event: T ≥ t.
    variance
        (n_times,) d (n − d) / ((n − 1) n²) of the hypergeometric variance; 0 for one at risk.
    """

    n: int
    n_events: int
    event: Array
    efron: Array
    residual: Array
    times: Array
    variance: Array


def screen_genes(
    outcome: SurvivalOutcome, values: pd.DataFrame, rule: Rule = "median"
) -> pd.DataFrame:
    """Relate survival to every gene: log-rank of two groups, and Cox per SD (Efron ties).

    Parameters
    ----------
    outcome
        Times in days and events.
    values
        (n_patients, n_genes) expression, for example log2(TPM + 1); NaN where not measured.
        Index: patients. Columns: genes. Patients without an outcome are left out.
    rule
        ``median``, of the patients who are compared, or ``("fixed", cut)`` in the unit of
        `values`; a value equal to the cut lies in the low group. Cox takes no cut.

    Returns
    -------
    pd.DataFrame
        One row a gene, in the order of the columns: gene; n and n_events with a value and an
        outcome; n_low, n_high, cut; log_rank_statistic (chi-squared, 1 degree of freedom),
        log_rank_p, log_rank_q; hazard_ratio per SD with its 95 % interval lower, upper (Wald),
        cox_p, cox_q; note. q is Benjamini–Hochberg over all genes that could be tested, apart for
        each test. NaN where not assessable, and note says why: a group with fewer than 10
        patients (log-rank), fewer than 10 patients above the lowest value or below the highest
        (Cox, as `n_informative` counts), no variation, no event, or a Cox regression that does
        not converge.

    Raises
    ------
    SurvivalDataError
        If the rule makes other than two groups; a patient or a gene occurs twice; no patient has
        both an outcome and values; nobody had an event; or a value is infinite.
    """
    from threadpoolctl import threadpool_limits

    choose_cut = _cut(rule)
    _check_names(values)
    matched = match(outcome, pd.Series(0.0, index=values.index))
    check_events(matched)
    days, events = arrays(matched)
    matrix = values.loc[matched.values.index].to_numpy()
    found: dict[str, Array] = {
        name: np.full(matrix.shape[1], np.nan) for name in COLUMNS if name not in ("gene", "note")
    }
    notes = np.full(matrix.shape[1], "", dtype=object)
    with threadpool_limits(1):  # the same last digits on every machine
        for present, genes in _measured_together(matrix):
            at_risk = _at_risk(days[present], events[present])
            for block in _blocks(genes):
                numbers = matrix[np.ix_(present, block)].astype(np.float64)
                columns, notes[block] = _screen_block(at_risk, numbers, choose_cut)
                for name, column in columns.items():
                    found[name][block] = column
    return _as_table([str(name) for name in values.columns], found, notes)


def _cut(rule: Rule) -> Callable[[Array], Array]:
    """Return what gives each gene its cut."""
    if rule == "median":
        return lambda numbers: np.asarray(np.quantile(numbers, 0.5, axis=0), dtype=np.float64)
    if isinstance(rule, tuple) and rule[0] == "fixed":
        cut = float(rule[1])
        return lambda numbers: np.full(numbers.shape[1], cut)
    raise SurvivalDataError(
        f"Rule {rule!r} does not make two groups; a screen compares two, low and high.",
        remedy="Use the median or a fixed cut, and other rules gene by gene.",
    )


def _check_names(values: pd.DataFrame) -> None:
    for names, what in ((values.index, "patient"), (values.columns, "gene")):
        if names.has_duplicates:
            raise SurvivalDataError(
                f"A {what} occurs more than once; each may count once.",
                remedy=f"Keep one {'row' if what == 'patient' else 'column'} a {what}.",
            )
    if np.isinf(values.to_numpy()).any():
        raise SurvivalDataError(
            "A value is infinite; finite values were expected.", remedy="Use log2(TPM + 1)."
        )


def _measured_together(matrix: NDArray[np.floating]) -> Iterator[tuple[Positions, Positions]]:
    """Yield patients (positions) and the genes (positions) that just these have a value of."""
    missing = np.isnan(matrix)
    gaps = missing.any(axis=0)
    whole = np.flatnonzero(~gaps)
    if len(whole):
        yield np.arange(len(matrix)), whole
    genes = np.flatnonzero(gaps)
    patterns: dict[bytes, list[int]] = {}
    for gene, packed in zip(genes, np.packbits(missing[:, genes], axis=0).T, strict=True):
        patterns.setdefault(packed.tobytes(), []).append(int(gene))
    for together in patterns.values():
        yield np.flatnonzero(~missing[:, together[0]]), np.array(together)


def _blocks(genes: Positions) -> Iterator[Positions]:
    for start in range(0, len(genes), _BLOCK):
        yield genes[start : start + _BLOCK]


def _at_risk(days: Array, events: Bools) -> _AtRisk:
    """Count once what is the same for all genes of these patients."""
    times, deaths = np.unique(days[events], return_counts=True)
    later = (days >= times[:, None]).astype(np.float64)
    n_at_risk = later.sum(axis=1)
    hazard = deaths / n_at_risk
    left = np.maximum(n_at_risk - 1, 1)  # d = n = 1 there, and the product is 0
    variance = deaths * (n_at_risk - deaths) / (left * n_at_risk**2)
    tied = ((days == times[:, None]) & events).astype(np.float64)
    of_event = np.repeat(np.arange(len(times)), deaths)
    share = np.concatenate([np.arange(count) / count for count in deaths] or [np.empty(0)])
    return _AtRisk(
        n=len(days),
        n_events=int(events.sum()),
        event=events.astype(np.float64),
        efron=later[of_event] - share[:, None] * tied[of_event],
        residual=events - hazard @ later,
        times=later,
        variance=variance,
    )


def _screen_block(
    at_risk: _AtRisk, numbers: Array, choose_cut: Callable[[Array], Array]
) -> tuple[dict[str, Array], Texts]:
    """Test genes that the same patients have values of; (n_patients, n_genes) of them."""
    n_genes = numbers.shape[1]
    counts = {"n": np.full(n_genes, at_risk.n), "n_events": np.full(n_genes, at_risk.n_events)}
    if not at_risk.n_events:
        why = NO_EVENT if at_risk.n else NO_VALUE
        return counts, np.full(n_genes, why, dtype=object)
    cut = choose_cut(numbers)
    high = numbers > cut
    n_high = high.sum(axis=0)
    groups = {"n_low": at_risk.n - n_high, "n_high": n_high, "cut": cut}
    smallest = np.minimum(n_high, at_risk.n - n_high)
    constant = np.ptp(numbers, axis=0) == 0
    sparse = (numbers > numbers.min(axis=0)).sum(axis=0) < MIN_SHOWN
    full = (numbers < numbers.max(axis=0)).sum(axis=0) < MIN_SHOWN
    tests, flat = _log_rank(at_risk, high, smallest >= MIN_SHOWN)
    ratios, diverged = _cox(at_risk, numbers, ~(constant | sparse | full))
    notes = np.full(n_genes, "", dtype=object)
    for gene in np.flatnonzero((smallest < MIN_SHOWN) | flat | sparse | full | diverged):
        group = "high" if 2 * n_high[gene] < at_risk.n else "low"
        reasons = {
            _FEW_IN_GROUP.format(smallest[gene], group): smallest[gene] < MIN_SHOWN,
            NO_VARIANCE: flat[gene],
            FEW_ABOVE: sparse[gene],
            FEW_BELOW: full[gene] and not sparse[gene],
            NOT_CONVERGED: diverged[gene],
        }
        notes[gene] = "; ".join(text for text, holds in reasons.items() if holds)
    notes[constant] = SAME_VALUE
    return counts | groups | tests | ratios, notes


def _log_rank(at_risk: _AtRisk, high: Bools, assessable: Bools) -> tuple[dict[str, Array], Bools]:
    """Return statistic and p of two groups, and where there is no variance to test with."""
    from scipy.stats import chi2

    member = high.astype(np.float64)
    excess = at_risk.residual @ member  # observed less expected events of the high group
    n_high = at_risk.times @ member
    n_low = at_risk.times.sum(axis=1)[:, None] - n_high
    variance = at_risk.variance @ (n_high * n_low)
    flat = assessable & ~(variance > 0)
    statistic = np.full(len(excess), np.nan)
    tested = assessable & ~flat
    statistic[tested] = excess[tested] ** 2 / variance[tested]
    return {"log_rank_statistic": statistic, "log_rank_p": chi2.sf(statistic, 1)}, flat


def _cox(at_risk: _AtRisk, numbers: Array, assessable: Bools) -> tuple[dict[str, Array], Bools]:
    """Return hazard ratios per SD with interval and p, and where the fit did not converge."""
    from scipy.stats import norm

    coefficient, error = (np.full(numbers.shape[1], np.nan) for _ in range(2))
    chosen = numbers[:, assessable]
    standard = (chosen - chosen.mean(axis=0)) / chosen.std(axis=0, ddof=1)
    coefficient[assessable], error[assessable] = _newton(at_risk, standard)
    ratios = {
        "hazard_ratio": np.exp(coefficient),
        "lower": np.exp(coefficient - Z95 * error),
        "upper": np.exp(coefficient + Z95 * error),
        "cox_p": 2 * norm.sf(np.abs(coefficient / error)),
    }
    return ratios, assessable & np.isnan(coefficient)


def _newton(at_risk: _AtRisk, standard: Array) -> tuple[Array, Array]:
    """Maximise the partial likelihood of each gene; NaN where 30 steps do not reach it.

    A step that makes the likelihood smaller is halved. Values that separate patients with and
    without events have no maximum: the steps then never become small.
    """
    n_genes = standard.shape[1]
    coefficient, error = np.full(n_genes, np.nan), np.full(n_genes, np.nan)
    genes = np.arange(n_genes)
    reached, best, step = np.zeros(n_genes), np.full(n_genes, -np.inf), np.zeros(n_genes)
    for _ in range(_MAX_STEPS):
        if not len(genes):
            break
        tried = reached + step
        likelihood, slope, information = _partial_likelihood(at_risk, standard, tried)
        better = likelihood >= best - _ROUNDING
        with np.errstate(divide="ignore", invalid="ignore"):
            step = np.where(better, slope / information, step / 2)
        reached, best = np.where(better, tried, reached), np.where(better, likelihood, best)
        done = better & (np.abs(step) < _STEP) & (information > _MIN_INFORMATION)
        coefficient[genes[done]] = reached[done]
        error[genes[done]] = 1 / np.sqrt(information[done])
        if done.any():
            genes, standard = genes[~done], standard[:, ~done]
            reached, best, step = reached[~done], best[~done], step[~done]
    return coefficient, error


def _partial_likelihood(
    at_risk: _AtRisk, standard: Array, coefficient: Array
) -> tuple[Array, Array, Array]:
    """Return log partial likelihood (Efron), its slope and the information, each (n_genes,)."""
    exponent = standard * coefficient
    exponent -= exponent.max(axis=0)  # the same factor in every risk set: it cancels
    weight = np.exp(exponent)
    total = at_risk.efron @ weight
    weight *= standard
    with np.errstate(divide="ignore", invalid="ignore"):  # a risk set may underflow: a bad step
        mean = (at_risk.efron @ weight) / total
        weight *= standard
        square = (at_risk.efron @ weight) / total
        likelihood = at_risk.event @ exponent - np.log(total).sum(axis=0)
        slope = at_risk.event @ standard - mean.sum(axis=0)
        information = (square - mean**2).sum(axis=0)
    return likelihood, slope, information


def _as_table(genes: list[str], found: dict[str, Array], notes: Texts) -> pd.DataFrame:
    table = pd.DataFrame({"gene": genes, **found, "note": notes})
    for count in ("n_low", "n_high"):
        table[count] = table[count].fillna(0)
    for test in ("log_rank", "cox"):
        table[f"{test}_q"] = q_values(table[f"{test}_p"].to_numpy(float))
    return table[list(COLUMNS)].astype(dict.fromkeys(COUNTS, int))


def q_values(p_values: Array) -> Array:
    """Return Benjamini–Hochberg q-values over all finite p-values, NaN where p is."""
    from scipy.stats import false_discovery_control

    q_values = np.full(len(p_values), np.nan)
    tested = np.isfinite(p_values)
    if tested.any():
        q_values[tested] = false_discovery_control(p_values[tested], method="bh")
    return q_values
