"""Metrics of predicted resistance.

Ranking metrics count how well sensitive and resistant lines are told apart; "positive" is resistant
unless the name says otherwise. A metric that a fold cannot support (one class only) is NaN, never a
made-up value.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from resvae_core.models.conformal import BOTH, NEITHER, NOMINAL, RESISTANT, SENSITIVE

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
    "coverage_resistant": f"share of resistant lines whose conformal set contains *resistant*, "
    f"pairs of all drugs weighing the same (nominal {NOMINAL:.2f})",
    "coverage_sensitive": f"share of sensitive lines whose conformal set contains *sensitive*, "
    f"pairs of all drugs weighing the same (nominal {NOMINAL:.2f})",
    "set_single": "share of pairs whose conformal set names one class",
    "set_both": "share of pairs whose conformal set holds both classes: the prediction cannot tell",
    "set_neither": "share of pairs whose conformal set is empty: unlike either class",
}

WEIGHTED_BY_N = (
    "within_tissue_roc_auc",
    "coverage_resistant",
    "coverage_sensitive",
    "set_single",
    "set_both",
    "set_neither",
)
"""Metrics whose mean over drugs weighs pairs, not drugs: few pairs of a drug say little."""


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
    score: Array, positive: NDArray[np.bool_], tissue: NDArray[np.str_] | NDArray[np.int_]
) -> tuple[float, int]:
    """Return the ROC AUC over pairs of the same tissue, and the number of such pairs."""
    same = tissue[positive][:, None] == tissue[~positive][None, :]
    pairs = int(same.sum())
    if not pairs:
        return float("nan"), 0
    difference = score[positive][:, None] - score[~positive][None, :]
    concordant = (difference[same] > 0).sum() + (difference[same] == 0).sum() / 2
    return float(concordant / pairs), pairs


def average_precision(score: Array, positive: NDArray[np.bool_]) -> float:
    """Return the mean precision over the steps of recall, high scores first; NaN with one class.

    Lines with the same score are found together, as scikit-learn's does it.
    """
    n_positive = int(positive.sum())
    if n_positive in (0, len(positive)):
        return float("nan")
    order = np.argsort(-score, kind="stable")
    last_of_tie = np.append(np.diff(score[order]) != 0, True)
    found = np.cumsum(positive[order])[last_of_tie]
    listed = np.arange(1, len(score) + 1)[last_of_tie]
    return float(np.sum(np.diff(found, prepend=0) * found / listed) / n_positive)


def matthews(positive: NDArray[np.bool_], called: NDArray[np.bool_]) -> float:
    """Return the Matthews correlation of labels and calls; 0 where either is constant."""
    return pearson(positive.astype(float), called.astype(float))


def pearson(x: Array, y: Array) -> float:
    """Return Pearson's correlation; 0 for a constant, which follows nothing, NaN under 3 values."""
    if len(x) < 3:
        return float("nan")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return 0.0
    dx, dy = x - x.mean(), y - y.mean()
    return float(dx @ dy / np.sqrt((dx @ dx) * (dy @ dy)))


def spearman(x: Array, y: Array) -> float:
    """Return Spearman's rank correlation, ties at their mean rank; 0 and NaN as in `pearson`."""
    return pearson(rankdata(x), rankdata(y))


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
    tissue: NDArray[np.str_] | NDArray[np.int_],
) -> Iterator[tuple[str, float, int]]:
    """Yield (metric, value, n) of one drug on one fold.

    Parameters
    ----------
    score, probability, resistant, ln_ic50, tissue
        (n_lines,) measured lines only; `resistant` is 0 or 1; tissues are names or numbers.
    threshold
        Probability below which a line is called sensitive.
    """
    positive = resistant == 1
    n = len(positive)
    both = 0 < positive.sum() < n
    called = probability >= threshold
    within, pairs = within_tissue_roc_auc(score, positive, tissue)
    yield "roc_auc", roc_auc(score, positive), n
    yield "within_tissue_roc_auc", within, pairs
    yield "average_precision_sensitive", average_precision(-score, ~positive), n
    recalls = (np.mean(called[positive]) + np.mean(~called[~positive])) / 2 if both else np.nan
    yield "balanced_accuracy", float(recalls), n
    yield "mcc", matthews(positive, called) if both else float("nan"), n
    yield "f1_resistant", _f1(positive, called), n
    yield "f1_sensitive", _f1(~positive, ~called) if both else float("nan"), n
    yield "brier", float(np.mean(np.square(probability - resistant))), n
    yield "pearson", pearson(score, ln_ic50), n
    yield "spearman", spearman(score, ln_ic50), n


def set_metrics(sets: NDArray[np.int8], resistant: Array) -> Iterator[tuple[str, float, int]]:
    """Yield (metric, value, n) of conformal sets, of one drug or of many pairs.

    Parameters
    ----------
    sets
        (n_pairs,) codes of `models.conformal`.
    resistant
        (n_pairs,) 1 or 0.
    """
    for name, label, bit in (("resistant", 1, RESISTANT), ("sensitive", 0, SENSITIVE)):
        inside = (sets[resistant == label] & bit) > 0
        yield f"coverage_{name}", float(inside.mean()) if len(inside) else float("nan"), len(inside)
    for name, chosen in (
        ("single", (sets == RESISTANT) | (sets == SENSITIVE)),
        ("both", sets == BOTH),
        ("neither", sets == NEITHER),
    ):
        yield f"set_{name}", float(chosen.mean()) if len(sets) else float("nan"), len(sets)


def _f1(positive: NDArray[np.bool_], called: NDArray[np.bool_]) -> float:
    hits = int((positive & called).sum())
    total = int(positive.sum() + called.sum())
    return 2 * hits / total if total else float("nan")
