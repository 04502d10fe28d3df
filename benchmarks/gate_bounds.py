"""What the bounds of the gates rest on: figures of the shipped set, and of its models as rivals.

PYTHONPATH=. python benchmarks/gate_bounds.py [--data FOLDER] [--patients N]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.compute import one_thread
from resvae_core.config import data_folder
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.drift import DEFAULTS, prediction_drift, reference_cohorts
from resvae_core.registry.store import load_evaluation, load_model_set
from resvae_core.tables import Expression

LEFT_OUT, WITHIN = "leave_cell_line_out", "within_tissue_roc_auc"
COHORTS = ("GBM", "LUAD")
RIVALS = (
    ("vae_ll", "vae_ls"),
    ("vae_ls", "vae_ld"),
    ("vae_ld", "vae_ll"),
    ("ensemble", "random_forest"),
    ("ensemble", "xgboost"),
)
"""Default model of the active set, and of a candidate that has another one."""


def show_evaluation(models: ModelSet) -> None:
    """Print calibration, negative control, gain, and how wide the default's interval is."""
    summary = load_evaluation("summary")
    half = (summary["upper"] - summary["lower"]) / 2
    table = summary.assign(half=half).set_index(["split", "metric", "model"]).sort_index()
    learned = list(models.learned)
    ece = table.loc[(LEFT_OUT, "ece")].loc[learned, "mean"]
    unseen = table.loc[("leave_tissue_out", "ece", "drug_tissue_mean"), "mean"]
    control = table.loc[(f"{LEFT_OUT}_permuted", WITHIN)].loc[learned, "half"]
    own = table.loc[(LEFT_OUT, WITHIN, models.default_model)]
    print("| what | figure |\n|---|---|")
    print(f"| ECE of the learned models, left-out lines | {ece.min():.3f} to {ece.max():.3f} |")
    print(f"| ECE of the drug × tissue mean, left-out tissues | {unseen:.3f} |")
    print(f"| negative control, half-width | {control.min():.3f} to {control.max():.3f} |")
    print(
        f"| within-tissue ROC AUC of {models.default_model}, above 0.5 | {own['mean'] - 0.5:.3f} |"
    )
    print(f"| its half-width | {own['half']:.3f} |")


def show_pairing(models: ModelSet) -> None:
    """Print how much narrower an interval over drugs is than one over folds."""
    tests = load_evaluation("comparisons")
    drugs = load_evaluation("per_drug")
    drugs = drugs[(drugs["split"] == LEFT_OUT) & (drugs["metric"] == WITHIN)]
    wide = drugs.pivot(index="drug", columns="model", values="mean")
    chosen = tests[(tests["split"] == LEFT_OUT) & (tests["metric"] == WITHIN)]
    ratios = []
    for row in chosen[chosen["model"].isin(models.learned)].itertuples():
        if row.reference in models.learned:
            difference = (wide[row.model] - wide[row.reference]).dropna()
            over_drugs = 1.96 * difference.std() / np.sqrt(len(difference))
            ratios.append((row.upper - row.lower) / 2 / over_drugs)
    print(
        f"| interval over folds / over drugs, {len(ratios)} pairs | {min(ratios):.1f} to "
        f"{max(ratios):.1f}, median {np.median(ratios):.1f} |"
    )


def show_drift(models: ModelSet, cohorts: dict[str, Expression]) -> None:
    """Print what becomes of firm calls where one model speaks in another's place."""
    print(
        "\n| active | candidate | firm calls | turned | became uncertain |\n|---|---|---|---|---|"
    )
    for active, candidate in RIVALS:
        table = prediction_drift(
            replace(models, default_model=candidate),
            replace(models, default_model=active),
            cohorts,
        )
        rows = table[table["model"] == DEFAULTS]
        firm, kept = rows["n_firm_active"].sum(), rows["n_firm"].sum()
        turned = rows["to_resistant"].sum() + rows["to_sensitive"].sum()
        print(
            f"| {active} | {candidate} | {firm:,} | {turned / firm:.2%} | {1 - kept / firm:.1%} |",
            flush=True,
        )


def main() -> None:
    """Read the command line and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=data_folder())
    parser.add_argument("--patients", type=int, default=120)
    options = parser.parse_args()
    models = load_model_set()
    show_evaluation(models)
    show_pairing(models)
    every = reference_cohorts(options.data)
    chosen = {code: every[code] for code in COHORTS if code in every} or every
    with one_thread():
        show_drift(models, {code: first(some, options.patients) for code, some in chosen.items()})


def first(expression: Expression, n: int) -> Expression:
    """Return the first patients of a cohort."""
    values: pd.DataFrame = expression.values
    return Expression(values.iloc[:n])


if __name__ == "__main__":
    main()
