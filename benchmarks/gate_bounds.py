"""What the bounds of the gates rest on: figures of the shipped set, and of its models as rivals.

PYTHONPATH=. python benchmarks/gate_bounds.py [--data FOLDER] [--patients N]
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t as student_t

from resvae_core.compute import one_thread
from resvae_core.config import data_folder
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.drift import DEFAULTS, prediction_drift, reference_cohorts
from resvae_core.registry.gates import MARGIN
from resvae_core.registry.store import load_evaluation, load_model_set
from resvae_core.tables import Expression

LEFT_OUT, WITHIN = "leave_cell_line_out", "within_tissue_roc_auc"
NETWORKS = ("vae_ll", "vae_ls", "vae_ld")
TEST_SHARE = 1 / 4
"""Test lines to training lines, with five folds."""
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
    print(f"| the margin of a loss, as a share of that gain | {MARGIN / (own['mean'] - 0.5):.0%} |")


def paired_tests(models: ModelSet) -> pd.DataFrame:
    """Return the tests of the learned models, each pair once, with ``half`` and ``sisters``.

    Sisters are two networks, or a network and the ensemble, whose parts are networks for the most.
    """
    tests = load_evaluation("comparisons")
    learned = tests["model"].isin(models.learned) & tests["reference"].isin(models.learned)
    chosen = tests[learned & (tests["split"] == LEFT_OUT) & (tests["metric"] == WITHIN)]
    pairs = [frozenset(pair) for pair in zip(chosen["model"], chosen["reference"], strict=True)]
    chosen = chosen.assign(
        half=(chosen["upper"] - chosen["lower"]) / 2,
        sisters=[pair <= {*NETWORKS, Ensemble.kind} for pair in pairs],
    )
    return chosen[~pd.Series(pairs, chosen.index).duplicated()]


def show_paired_widths(models: ModelSet) -> None:
    """Print how wide the interval of a paired difference is, and what more seeds would leave."""
    tests = paired_tests(models)
    for words, rows in (
        ("two networks, or one and the ensemble", tests[tests["sisters"]]),
        ("any two others", tests[~tests["sisters"]]),
    ):
        half = rows["half"]
        print(
            f"| half-width of a paired difference, {words}, {len(half)} pairs | "
            f"{half.min():.4f} to {half.max():.4f} |"
        )
    [n_folds] = tests["n_folds"].unique()
    few = student_t.ppf(0.975, n_folds - 1) * np.sqrt(1 / n_folds + TEST_SHARE)
    left = student_t.ppf(0.975, np.inf) * np.sqrt(TEST_SHARE) / few
    print(f"| what is left of that of {n_folds} folds with any number of seeds | {left:.0%} |")


def show_pairing(models: ModelSet) -> None:
    """Print how much narrower an interval over drugs is than one over folds."""
    drugs = load_evaluation("per_drug")
    drugs = drugs[(drugs["split"] == LEFT_OUT) & (drugs["metric"] == WITHIN)]
    wide = drugs.pivot(index="drug", columns="model", values="mean")
    ratios = []
    for row in paired_tests(models).itertuples():
        difference = (wide[row.model] - wide[row.reference]).dropna()
        ratios.append(row.half / (1.96 * difference.std() / np.sqrt(len(difference))))
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
    show_paired_widths(models)
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
