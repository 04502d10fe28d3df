"""Time of the genome-wide survival screen, and how far it agrees with lifelines.

    PYTHONPATH=. python benchmarks/survival_screen.py

On LUAD (overall survival) where it is installed, else on random numbers of its size. Log-rank and
Cox of every gene in one call; beside it a loop over lifelines on some of the genes, in the same
run, whose time for the whole genome is extrapolated.
"""

from __future__ import annotations

import resource
import time

import numpy as np
import pandas as pd
from lifelines import CoxPHFitter
from lifelines.statistics import logrank_test

from resvae_core.config import data_folder
from resvae_core.data.cohorts import load_cohort
from resvae_core.survival import screen_genes
from resvae_core.tables import SurvivalOutcome

LOOP_GENES = 100
"""Genes that the loop is timed on; its whole time is extrapolated."""
GAP_GENES = 1500
"""Genes that get gaps at random, each others: the slowest case."""
EXACT = {"precision": 1e-18, "r_precision": 0.0}
"""How far lifelines is driven where values are compared; times are with its own setting."""
N_PATIENTS, N_GENES = 513, 19_498


def main() -> None:
    """Print one line a figure."""
    outcome, values = patients()
    screen_genes(outcome, values.iloc[:, :50])  # imports
    before = peak_mib()
    start = time.perf_counter()
    table = screen_genes(outcome, values)
    seconds = time.perf_counter() - start
    print(f"{values.shape[0]} patients with an outcome x {values.shape[1]:,} genes")
    print(f"log-rank and Cox together, one thread: {seconds:.2f} s")
    print(f"memory on top of the data: {peak_mib() - before:.0f} MiB")
    for test in ("log_rank", "cox"):
        tested, found = table[f"{test}_p"].notna().sum(), (table[f"{test}_q"] < 0.05).sum()
        print(f"{test}: {tested:,} genes tested, {found} with q < 0.05")
    compare(outcome, values, table, seconds)
    look_closer(outcome, values, table)


def patients() -> tuple[SurvivalOutcome, pd.DataFrame]:
    """Return real patients where there are any."""
    folder = data_folder()
    if folder is not None and (folder / "tcga" / "LUAD_expression.parquet").is_file():
        cohort = load_cohort(folder, "LUAD")
        outcome = cohort.outcome("OS")
        return outcome, cohort.values.loc[outcome.patients]
    rng = np.random.default_rng(0)
    values = pd.DataFrame(rng.gamma(2, 2, (N_PATIENTS, N_GENES)).astype(np.float32)).add_prefix("G")
    days = pd.Series(np.ceil(rng.exponential(1000, N_PATIENTS)))
    return SurvivalOutcome(days, pd.Series(rng.random(N_PATIENTS) < 0.36)), values


def compare(
    outcome: SurvivalOutcome, values: pd.DataFrame, table: pd.DataFrame, seconds: float
) -> None:
    """Time the loop and print the greatest differences on its genes."""
    rng = np.random.default_rng(1)
    tested = np.flatnonzero(table["note"] == "")
    rows = table.iloc[rng.choice(tested, LOOP_GENES, replace=False)]
    days, events = outcome.time_days.to_numpy(), outcome.event.to_numpy()
    took = {"log-rank": 0.0, "Cox": 0.0}
    differences: dict[str, list[float]] = {"log-rank statistic": [], "log-rank p": []}
    differences |= {"log hazard ratio": [], "Cox p": []}
    for row in rows.itertuples():
        numbers = values[row.gene].to_numpy(float)
        start = time.perf_counter()
        high = numbers > np.median(numbers)
        test = logrank_test(days[high], days[~high], events[high], events[~high])
        took["log-rank"] += time.perf_counter() - start
        start = time.perf_counter()
        standard = (numbers - numbers.mean()) / numbers.std(ddof=1)
        frame = pd.DataFrame({"x": standard, "days": days, "event": events})
        CoxPHFitter().fit(frame, "days", "event").summary  # noqa: B018 - computed when it is read
        took["Cox"] += time.perf_counter() - start
        exact = CoxPHFitter().fit(frame, "days", "event", fit_options=EXACT).summary.loc["x"]
        differences["log-rank statistic"].append(test.test_statistic - row.log_rank_statistic)
        differences["log-rank p"].append(test.p_value - row.log_rank_p)
        differences["log hazard ratio"].append(exact["coef"] - np.log(row.hazard_ratio))
        differences["Cox p"].append(exact["p"] - row.cox_p)
    for test, loop in took.items():
        print(f"lifelines {test}: {1000 * loop / LOOP_GENES:.1f} ms a gene")
    whole = sum(took.values()) / LOOP_GENES * values.shape[1]
    print(f"lifelines loop, extrapolated from {LOOP_GENES} genes: {whole:.0f} s")
    print(f"ratio: {whole / seconds:.0f}")
    for name, found in differences.items():
        print(f"greatest difference, {name}: {np.abs(found).max():.1e}")


def look_closer(outcome: SurvivalOutcome, values: pd.DataFrame, table: pd.DataFrame) -> None:
    """Print what the greatest values do, what chance alone finds, and what gaps cost."""
    farthest = ((values - values.mean()) / values.std()).max()
    first = table.loc[table["cox_p"].idxmin()]
    print(
        f"smallest Cox p: {first.gene}, {first.cox_p:.1e} (log-rank {first.log_rank_p:.1e}), "
        f"a patient at {farthest[first.gene]:.1f} SD"
    )
    found = table.loc[table["cox_q"] < 0.05, "gene"]
    print(f"Cox q < 0.05 with a patient beyond 10 SD: {(farthest[found] > 10).sum()}")
    rng = np.random.default_rng(0)
    dealt = rng.permutation(len(values))
    names = outcome.time_days.index
    chance = SurvivalOutcome(
        outcome.time_days.iloc[dealt].set_axis(names), outcome.event.iloc[dealt].set_axis(names)
    )
    null = screen_genes(chance, values)
    for test in ("log_rank", "cox"):
        share, least = (null[f"{test}_p"] < 0.05).sum(), (null[f"{test}_q"] < 0.05).sum()
        tested = null[f"{test}_p"].notna().sum()
        print(f"outcomes dealt anew, {test}: p < 0.05 {share / tested:.1%}, q < 0.05 {least} genes")
    some = values.iloc[:, :GAP_GENES]
    start = time.perf_counter()
    screen_genes(outcome, some.mask(rng.random(some.shape) < 0.02))
    print(f"{GAP_GENES} genes with gaps of their own: {time.perf_counter() - start:.1f} s")


def peak_mib() -> float:
    """Return the process's peak memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
