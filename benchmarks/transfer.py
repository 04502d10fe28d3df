"""How long the transfer takes, and how predictions stand against recorded responses.

    PYTHONPATH=. python benchmarks/transfer.py --data ../shared/data

Prints the time of both tables, the transfer in short, and every pair of cohort and drug with at
least 20 responses on record, good or bad.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.evaluation.clinical_response import (
    PLAIN_RIDGE,
    response_table,
    summarise_response,
)
from resvae_core.evaluation.transfer import transfer_table
from resvae_core.registry.store import load_model_set

IN_SHORT = {
    "median": "median P(resistant)",
    "share_resistant": "called resistant",
    "share_sensitive": "called sensitive",
    "in_range_share": "in range",
    "agreement": "four of five agree",
    "stability_members": "Spearman of members",
    "spearman_unaligned": "Spearman with no alignment",
}


def main() -> None:
    """Print times and tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    model_set = load_model_set()
    started = time.perf_counter()
    table = transfer_table(folder, model_set)
    seconds = time.perf_counter() - started
    started = time.perf_counter()
    response = response_table(folder, model_set)
    print(f"Transfer: {len(table)} rows, {int(table['task'].sum())} tasks, {seconds:.0f} s.")
    print(f"Responses: {len(response)} rows, {time.perf_counter() - started:.0f} s.\n")
    print_transfer(table)
    learned = [*model_set.learned, PLAIN_RIDGE]
    print_response(response, learned)
    print_summary(summarise_response(response), learned)
    intervals = response.dropna(subset=["lower"])
    print(
        f"\n{len(intervals)} intervals: {(intervals['lower'] > 0.5).sum()} above 0.5, "
        f"{(intervals['upper'] < 0.5).sum()} below; smallest q {intervals['q_value'].min():.2f}."
    )


def print_transfer(table: pd.DataFrame) -> None:
    """Print the mean over drugs by cohort and model."""
    print("| cohort | patients | model | " + " | ".join(IN_SHORT.values()) + " |")
    print("|---" * (len(IN_SHORT) + 3) + "|")
    for (code, n, model), rows in table.groupby(["cohort", "n_patients", "model"], sort=False):
        means = rows[list(IN_SHORT)].mean()
        cells = ["–" if np.isnan(value) else f"{value:.2f}" for value in means]
        print(f"| {code} | {n} | {model} | " + " | ".join(cells) + " |")


def print_response(response: pd.DataFrame, models: list[str]) -> None:
    """Print ROC AUC and interval, one row a pair of cohort and drug; floors are 0.5 throughout."""
    print("\n| cohort | drug | n | responders | " + " | ".join(models) + " |")
    print("|---" * (len(models) + 4) + "|")
    keys = ["cohort", "drug", "n", "n_responders"]
    for key, rows in response.groupby(keys, sort=False):
        found = rows.set_index("model")
        cells = [area_in_words(found.loc[model]) for model in models]
        print(f"| {' | '.join(map(str, key))} | {' | '.join(cells)} |")


def area_in_words(row: pd.Series) -> str:
    """Return for example ``0.69 (0.52–0.84)``."""
    if np.isnan(row["roc_auc"]):
        return "not assessable"
    interval = "no interval" if np.isnan(row["lower"]) else f"{row['lower']:.2f}–{row['upper']:.2f}"
    return f"{row['roc_auc']:.2f} ({interval})"


def print_summary(summary: pd.DataFrame, models: list[str]) -> None:
    """Print counts over pairs by model."""
    names = list(summary.columns[1:])
    print("\n| model | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|")
    for _, row in summary[summary["model"].isin(models)].iterrows():
        cells = [f"{row[name]:.2f}" if "median" in name else str(row[name]) for name in names]
        print(f"| {row['model']} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
