"""Metrics of predicted resistance.

Ranking metrics count how well sensitive and resistant lines are told apart; "positive" is resistant
unless the name says otherwise. A metric that a fold cannot support (one class only) is NaN, never a
made-up value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import pearsonr, rankdata, spearmanr

Array = NDArray[np.float64]

MEANINGS = {
    "roc_auc": "ROC AUC of resistant against sensitive lines",
    "within_tissue_roc_auc": "ROC AUC over pairs of lines of the same tissue, pairs of all drugs "
    "weighing the same",
    "average_precision_sensitive": "average precision of finding sensitive lines",
    "balanced_accuracy": "mean of sensitivity and specificity at the model's threshold",
    "mcc": "Matthews correlation at the model's threshold",
    "f1_resistant": "F1 of the resistant (majority) class",
    "f1_sensitive": "F1 of the sensitive (minority) class",
    "brier": "mean squared error of the probability (lower is better)",
    "pearson": "Pearson correlation of score and ln IC50",
    "spearman": "Spearman correlation of score and ln IC50",
    "lift_over_tissue_floor": "ROC AUC minus that of the drug × tissue mean on the same fold",
    "ece": "expected calibration error over ten equal-count bins of all pairs of all drugs (lower "
    "is better); it says that probabilities are right on average, not that they tell lines apart",
}


def roc_auc(score: Array, positive: NDArray[np.bool_]) -> float:
    """Return the share of (positive, negative) pairs in order, ties half; NaN with one class."""
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if n_positive == 0 or n_negative == 0:
        return float("nan")
    ranks = rankdata(score)
    above = ranks[positive].sum() - n_positive * (n_positive + 1) / 2
    return float(above / (n_positive * n_negative))


def within_tissue_roc_auc(
    score: Array, positive: NDArray[np.bool_], tissue: NDArray[np.str_]
) -> tuple[float, int]:
    """Return the ROC AUC over pairs of the same tissue, and the number of such pairs."""
    concordant, pairs = 0.0, 0
    for name in np.unique(tissue):
        inside = tissue == name
        n = int(positive[inside].sum()) * int((~positive[inside]).sum())
        if n:
            concordant += roc_auc(score[inside], positive[inside]) * n
            pairs += n
    return (concordant / pairs if pairs else float("nan")), pairs


def expected_calibration_error(probability: Array, resistant: Array, n_bins: int = 10) -> float:
    """Return the mean gap between predicted and observed share over equal-count bins."""
    bins = reliability_bins(probability, resistant, n_bins)
    return float(sum(n * abs(p - o) for p, o, n in bins) / max(len(probability), 1))


def reliability_bins(
    probability: Array, resistant: Array, n_bins: int = 10
) -> list[tuple[float, float, int]]:
    """Return (mean probability, share resistant, number of pairs) of equal-count bins.

    Pairs with the same probability share what was observed of them, so that the order of the pairs
    does not matter where a bin's edge falls among them.
    """
    _, tie, count = np.unique(probability, return_inverse=True, return_counts=True)
    observed = (np.bincount(tie, weights=resistant) / count)[tie]
    order = np.argsort(probability, kind="stable")
    return [
        (float(probability[part].mean()), float(observed[part].mean()), len(part))
        for part in np.array_split(order, n_bins)
        if len(part)
    ]


def drug_metrics(
    score: Array,
    probability: Array,
    threshold: float,
    resistant: Array,
    ln_ic50: Array,
    tissue: NDArray[np.str_],
) -> Iterator[tuple[str, float, int]]:
    """Yield (metric, value, n) of one drug on one fold.

    Parameters
    ----------
    score, probability, resistant, ln_ic50, tissue
        (n_lines,) measured lines only; `resistant` is 0 or 1.
    threshold
        Probability below which a line is called sensitive.
    """
    from sklearn import metrics

    positive = resistant == 1
    n = len(positive)
    within, pairs = within_tissue_roc_auc(score, positive, tissue)
    yield "roc_auc", roc_auc(score, positive), n
    yield "within_tissue_roc_auc", within, pairs
    both = 0 < positive.sum() < n
    called = probability >= threshold
    sensitive_precision = metrics.average_precision_score(~positive, -score) if both else np.nan
    yield "average_precision_sensitive", float(sensitive_precision), n
    recalls = [np.mean(called[positive] == 1), np.mean(called[~positive] == 0)] if both else np.nan
    yield "balanced_accuracy", float(np.mean(recalls)), n
    yield "mcc", float(metrics.matthews_corrcoef(positive, called)) if both else float("nan"), n
    yield "f1_resistant", _f1(positive, called), n
    yield "f1_sensitive", _f1(~positive, ~called) if both else float("nan"), n
    yield "brier", float(np.mean(np.square(probability - resistant))), n
    yield "pearson", _correlation(pearsonr, score, ln_ic50), n
    yield "spearman", _correlation(spearmanr, score, ln_ic50), n


def _correlation(method: Callable[..., Any], score: Array, ln_ic50: Array) -> float:
    """Return a correlation; 0 for a constant score, which follows nothing, NaN under 3 lines."""
    if len(score) < 3:
        return float("nan")
    return 0.0 if np.ptp(score) == 0 else float(method(score, ln_ic50).statistic)


def _f1(positive: NDArray[np.bool_], called: NDArray[np.bool_]) -> float:
    hits = int((positive & called).sum())
    total = int(positive.sum() + called.sum())
    return 2 * hits / total if total else float("nan")
