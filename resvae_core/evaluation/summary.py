"""Means with intervals, and paired tests, from the tidy table of `benchmark`.

Folds share training lines, so their spread understates the uncertainty of the mean. Intervals and
tests use the corrected resampled t (Nadeau and Bengio, Machine Learning 52, 2003): the variance
of a mean over J folds is multiplied by 1/J + n_test/n_train instead of 1/J.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student_t

from resvae_core.data.splits import LEAVE_CELL_LINE_OUT
from resvae_core.evaluation.benchmark import ALL_DRUGS
from resvae_core.models.floors import DrugTissueMean

INTERVAL = 0.95
NEVER_NEGATIVE = ("brier", "ece")


def summarise(table: pd.DataFrame, *, by_drug: bool = False) -> pd.DataFrame:
    """Average metrics over drugs and folds.

    Parameters
    ----------
    table
        As `benchmark.run` returns it.
    by_drug
        Give one row a drug as well, instead of the mean over drugs.

    Returns
    -------
    DataFrame
        Columns model, split, metric, (drug,) mean, lower, upper (95 %), n_folds, and
        difference_to_floor with p_value: the paired test against the drug × tissue mean, not
        corrected for the number of tests.
    """
    keys = ["model", "split", "metric", *(["drug"] if by_drug else [])]
    chosen = table[~table["metric"].str.startswith("reliability_")]
    if by_drug:
        chosen = chosen[chosen["drug"] != ALL_DRUGS]
    per_fold = _fold_means(chosen, [*keys, "seed", "fold"])
    ratio = _test_share(table)
    floor = per_fold.xs(DrugTissueMean.kind, level="model")
    rows = []
    for key, values in per_fold.groupby(level=keys):
        name = dict(zip(keys, map(str, np.atleast_1d(np.array(key, dtype=object))), strict=True))
        share = ratio[name["split"]]
        mean, half = _mean_and_half_width(np.asarray(values, float), share)
        paired = (values.droplevel("model") - floor).dropna()
        difference, p_value = _paired_test(np.asarray(paired, float), share)
        rows.append(
            {
                **name,
                "mean": mean,
                "lower": max(mean - half, 0.0) if name["metric"] in NEVER_NEGATIVE else mean - half,
                "upper": mean + half,
                "n_folds": int(values.notna().sum()),
                "difference_to_floor": difference,
                "p_value": p_value,
            }
        )
    return pd.DataFrame(rows)


def best_model(summary: pd.DataFrame, kinds: Sequence[str]) -> str:
    """Return the model with the highest within-tissue ROC AUC on left-out cell lines.

    The clinician knows the tissue already: what a model adds to it decides who speaks first. The
    first of `kinds` where nothing was judged.
    """
    if summary.empty:
        return kinds[0]
    rows = summary[
        (summary["split"] == LEAVE_CELL_LINE_OUT)
        & (summary["metric"] == "within_tissue_roc_auc")
        & summary["model"].isin(kinds)
    ]
    return str(rows.loc[rows["mean"].idxmax(), "model"])


def reliability(table: pd.DataFrame) -> pd.DataFrame:
    """Return calibration curves: model, split, bin, predicted, observed, n (pairs of one seed)."""
    bins = table[table["metric"].str.startswith("reliability_")]
    parts = bins["metric"].str.extract(r"reliability_(?P<what>[a-z]+)_(?P<bin>\d+)")
    bins = bins.assign(what=parts["what"], bin=parts["bin"].astype(int))
    keys = ["model", "split", "bin"]
    bins["weighted"] = bins["value"] * bins["n"]
    sums = bins.groupby([*keys, "what"])[["weighted", "n"]].sum()
    wide = (sums["weighted"] / sums["n"]).unstack("what")
    n_seeds = table.groupby("split")["seed"].nunique().to_dict()
    pairs = sums["n"].xs("observed", level="what")
    wide["n"] = pairs // pairs.index.get_level_values("split").map(n_seeds)
    return wide.reset_index().rename_axis(columns=None)


def _fold_means(table: pd.DataFrame, keys: list[str]) -> pd.Series[float]:
    """Average over drugs within a fold; pairs of the same tissue weigh by their number."""
    weight = table["n"].where(table["metric"] == "within_tissue_roc_auc", 1.0)
    weight = weight.where(table["value"].notna(), 0.0)
    sums = pd.DataFrame(
        {
            **{key: table[key] for key in keys},
            "weighted": table["value"].fillna(0.0) * weight,
            "weight": weight,
        }
    )
    grouped = sums.groupby(keys)[["weighted", "weight"]].sum()
    mean: pd.Series[float] = grouped["weighted"] / grouped["weight"].where(grouped["weight"] > 0)
    return mean


def _test_share(table: pd.DataFrame) -> dict[str, float]:
    """Return n_test / n_train of each split: k folds of equal size give 1 / (k - 1)."""
    n_folds = table.groupby("split")["fold"].nunique()
    return {str(split): 1 / max(int(n) - 1, 1) for split, n in n_folds.items()}


def _standard_error(values: NDArray[np.float64], ratio: float) -> float:
    return float(np.std(values, ddof=1) * np.sqrt(1 / len(values) + ratio))


def _mean_and_half_width(values: NDArray[np.float64], ratio: float) -> tuple[float, float]:
    values = values[~np.isnan(values)]
    if len(values) < 2:
        return (float(values.mean()) if len(values) else float("nan")), float("nan")
    reach = student_t.ppf(0.5 + INTERVAL / 2, df=len(values) - 1)
    return float(values.mean()), float(reach * _standard_error(values, ratio))


def _paired_test(differences: NDArray[np.float64], ratio: float) -> tuple[float, float]:
    if len(differences) < 2:
        return float("nan"), float("nan")
    mean, error = float(differences.mean()), _standard_error(differences, ratio)
    if error == 0:
        return mean, float("nan")
    return mean, float(2 * student_t.sf(abs(mean / error), df=len(differences) - 1))
