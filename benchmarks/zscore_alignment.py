"""What is lost where a cohort comes as within-study z-scores of some of the genes.

    PYTHONPATH=. python benchmarks/zscore_alignment.py --data ../shared/data

LUAD and GBM are installed in both forms. Each path of `evaluation.alignment.PATHS` is held against
the direct reading of the same patients, and so are two that need the reference's own patients and
are not in use: the z-scores' ranks mapped to the quantiles of the genome-wide cohorts, each
weighing the same, with and without the cohort itself.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from resvae_core.data.cohorts import load_cohort
from resvae_core.evaluation.alignment import BOTH_FORMS, PATHS, compare_paths, read_paths
from resvae_core.registry.store import load_model_set
from resvae_core.registry.training_run import load_tumours
from resvae_core.tables import Expression

QUANTILES = {
    "z-scores, quantiles": "ranks of the installed z-scores, mapped to the reference's quantiles",
    "z-scores, other quantiles": "the same, the cohort itself left out of the reference",
}
MEASURES = {
    "spearman": "Spearman over patients, median over drugs",
    "mean_shift": "shift of mean P(resistant)",
    "calls_changed": "share of pairs whose call changes",
}


def main() -> None:
    """Print one table a cohort and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    model_set, tumours = load_model_set(), load_tumours(folder)
    for path, words in (PATHS | QUANTILES).items():
        print(f"- **{path}**: {words}.")
    for code in BOTH_FORMS:
        direct, paths = read_paths(folder, code, model_set)
        z_scores = load_cohort(folder, code, form="zscore").values.loc[direct.samples]
        others = {name: one for name, one in tumours.items() if name != code}
        names = list(QUANTILES)
        paths[names[0]] = match_quantiles(z_scores, tumours, model_set.genes)
        paths[names[1]] = match_quantiles(z_scores, others, model_set.genes)
        table = compare_paths(model_set, code, direct, paths)
        for measure, words in MEASURES.items():
            print(f"\n**{code}** ({len(direct.samples)} patients): {words}.\n")
            print_table(table, measure)


def match_quantiles(
    z_scores: pd.DataFrame, cohorts: Mapping[str, Expression], genes: tuple[str, ...]
) -> Expression:
    """Give each patient the reference's quantile at the patient's rank, gene by gene."""
    shared = [gene for gene in genes if gene in z_scores.columns]
    levels = (rankdata(z_scores[shared], axis=0) - 0.5) / len(z_scores)
    columns = {}
    for column, gene in enumerate(shared):
        parts = [
            np.nanquantile(one.values[gene], levels[:, column])
            for one in cohorts.values()
            if gene in one.values.columns
        ]
        columns[gene] = np.mean(parts, axis=0).astype(np.float32)
    return Expression(pd.DataFrame(columns, index=z_scores.index))


def print_table(table: pd.DataFrame, measure: str) -> None:
    """Print a measure, one row a path and one column a model."""
    models = table["model"].drop_duplicates().tolist()
    print("| path | genes | " + " | ".join(models) + " |\n" + "|---" * (len(models) + 2) + "|")
    for path, rows in table.groupby("path", sort=False):
        values = rows.set_index("model")[measure]
        sign = "+.3f" if measure == "mean_shift" else ".2f"
        cells = [format(values[model], sign) for model in models]
        print(f"| {path} | {rows['n_genes'].iloc[0]} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
