"""How often a searched cut is called significant where nothing separates survival.

    PYTHONPATH=. python benchmarks/optimal_cut.py [--data ../shared/data]

Null data sets: values, exponential times and censoring drawn independently of each other. Each is
searched for its best cut. Printed is the share of data sets with p below 0.05: the log-rank p at
the best cut as if it had been fixed beforehand (uncorrected), the p of the maximum (corrected), and
the log-rank p on held-out patients (cross-validated: fewer data sets, it takes longest).
Then, why the held-out p comes from halves: one division into more folds rejects too often. With
`--data`, the genes of the glioblastoma cohort at several smallest group sizes.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import chi2

from resvae_core.survival import OptimalCut, optimal_cut
from resvae_core.survival.log_rank import observed_minus_expected
from resvae_core.survival.optimal_cut import N_SPLITS, log_rank_scores, scan_cuts
from resvae_core.tables import SurvivalOutcome

LEVEL = 0.05
P_VALUES = ("p_uncorrected", "p_value")
# patients, share censored, smallest share of a group, with cross-validation
DESIGNS = (
    (150, 0.3, 0.25, True),
    (150, 0.3, 0.10, True),
    (60, 0.3, 0.25, False),
    (150, 0.85, 0.25, False),
    (500, 0.6, 0.25, False),
)
GENES = ("MGMT", "LTF", "OPALIN", "IL2RA", "SLC17A7")
SHARES = (0.10, 0.15, 0.20, 0.25, 0.30)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--held-out-runs", type=int, default=300)
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    print("| patients | censored | smallest group | uncorrected | corrected | cross-validated |")
    print("|---|---|---|---|---|---|")
    for n, censored, share, validated in DESIGNS:
        rates = rejection_rates(options.runs, options.held_out_runs * validated, n, censored, share)
        cells = [f"{100 * rate:.1f} %" if np.isfinite(rate) else "–" for rate in rates]
        print(f"| {n} | {censored:.0%} | {share:.0%} | {' | '.join(cells)} |", flush=True)
    print("\n| folds | smallest group | one division, log-rank p below 0.05 |\n|---|---|---|")
    for n_folds in (2, 5, 10):
        for share in (0.25, 0.10):
            rate = fold_rate(options.held_out_runs, n_folds, share)
            print(f"| {n_folds} | {share:.0%} | {100 * rate:.1f} % |", flush=True)
    if options.data is not None:
        print_genes(options.data)


def rejection_rates(
    runs: int, held_out_runs: int, n: int, censored: float, share: float
) -> tuple[float, float, float]:
    """Return the shares of null data sets with uncorrected, corrected and held-out p below 5 %."""
    generator = np.random.default_rng(0)
    found = [
        optimal_cut(
            *null_data(generator, n, censored),
            min_share=share,
            n_splits=N_SPLITS if run < held_out_runs else 0,
        )
        for run in range(runs)
    ]
    rejected = [np.mean([getattr(cut, name) < LEVEL for cut in found]) for name in P_VALUES]
    held_out = [held_out_p(cut) < LEVEL for cut in found[:held_out_runs]]
    return float(rejected[0]), float(rejected[1]), np.mean(held_out) if held_out else float("nan")


def null_data(
    generator: np.random.Generator, n: int, censored: float
) -> tuple[SurvivalOutcome, pd.Series]:
    """Draw patients whose survival has nothing to do with their value."""
    names = [f"P{number:03d}" for number in range(n)]
    days = pd.Series(1000 * generator.exponential(size=n), names)
    events = pd.Series(generator.random(n) >= censored, names)
    return SurvivalOutcome(days, events), pd.Series(generator.normal(size=n), names)


def held_out_p(cut: OptimalCut) -> float:
    """Return the cross-validated p, if there is one."""
    return float("nan") if cut.cross_validated is None else cut.cross_validated.p_value


def fold_rate(runs: int, n_folds: int, share: float, n: int = 150) -> float:
    """Return how often held-out patients of one division into folds differ in null data."""
    generator = np.random.default_rng(0)
    rejected = 0
    for _ in range(runs):
        outcome, values = null_data(generator, n, 0.3)
        days, events, numbers = (
            outcome.time_days.to_numpy(),
            outcome.event.to_numpy(),
            values.to_numpy(),
        )
        fold, high = generator.permutation(n) % n_folds, np.zeros(n, dtype=bool)
        for number in range(n_folds):
            train, test = fold != number, fold == number
            scores = log_rank_scores(days[train], events[train])
            scan = scan_cuts(scores, numbers[train], int(np.ceil(share * train.sum())))
            high[test] = numbers[test] > scan["cut"].iloc[scan["statistic"].abs().argmax()]
        rejected += two_group_p(days, events, high) < LEVEL
    return rejected / runs


def two_group_p(days: np.ndarray, events: np.ndarray, high: np.ndarray) -> float:
    """Return the log-rank p of high against low; 1 if one of them is empty."""
    groups = np.stack([high, ~high], axis=1)
    difference, variance = observed_minus_expected(days, events, groups)
    return float(chi2.sf(difference[0] ** 2 / variance[0, 0], 1)) if variance[0, 0] > 0 else 1.0


def print_genes(data: Path) -> None:
    """Print what the search finds in glioblastoma, by how small a group may be."""
    from resvae_core.data.cohorts import load_cohort

    cohort = load_cohort(data, "GBM")
    print("\n| gene | smallest group | low / high | uncorrected | corrected | cross-validated |")
    print("|---|---|---|---|---|---|")
    for gene in GENES:
        for share in SHARES:
            cut = optimal_cut(cohort.outcome("OS"), cohort.values[gene], min_share=share)
            sizes = " / ".join(str(size) for size in cut.groups.sizes.values())
            p_values = (cut.p_uncorrected, cut.p_value, held_out_p(cut))
            cells = " | ".join(f"{p_value:.2g}" for p_value in p_values)
            print(f"| {gene} | {share:.0%} | {sizes} | {cells} |")


if __name__ == "__main__":
    main()
