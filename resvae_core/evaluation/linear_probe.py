"""Linear probe: how much of the drug response a representation holds in a form a ridge can read."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.data.splits import Fold
from resvae_core.evaluation.metrics import roc_auc, within_tissue_roc_auc
from resvae_core.tables import Screen

Array = NDArray[np.float64]
Features = Callable[[NDArray[np.int_]], Sequence[Array]]

PENALTIES = 10.0 ** np.arange(-5.0, 0.01, 0.25)
"""Ridge penalties tried, times the trace of the training lines' kernel."""

METRICS = ("pearson", "roc_auc", "within_tissue_roc_auc")


def probe(features: Features, screen: Screen, folds: Sequence[Fold]) -> pd.DataFrame:
    """Judge a representation by ridge regression to ln IC50, drug by drug.

    Parameters
    ----------
    features
        Given the row numbers of the training lines, returns blocks of features, each (n_lines,
        n_features) over all lines of the screen. Whatever it learns it must learn from those rows.
        Every block gets the same total variance.
    screen
        Lines and drugs.
    folds
        Splits of the screen's lines.

    Returns
    -------
    pd.DataFrame
        One row a fold and drug: ``fold``, ``drug`` and the metrics of `METRICS`. The penalty is
        chosen by exact leave-one-out error on the training lines alone.
    """
    position = {line: row for row, line in enumerate(screen.lines)}
    records = []
    for fold in folds:
        train = np.array([position[line] for line in fold.train])
        test = np.array([position[line] for line in fold.test])
        kernel = _kernel(features(train), train)
        for drug in screen.drugs:
            records.append(
                {"fold": fold.number, "drug": drug, **_judge(kernel, screen, drug, train, test)}
            )
    return pd.DataFrame(records)


def mean_by_drug(table: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over folds, (n_drugs, metrics): each drug then weighs the same."""
    return table.groupby("drug")[list(METRICS)].mean()


def _kernel(blocks: Sequence[Array], train: NDArray[np.int_]) -> Array:
    """Return (n_lines, n_lines) inner products, centred on the training lines."""
    total: Array = np.zeros(())
    for block in blocks:
        centred = np.asarray(block, float) - block[train].mean(axis=0, dtype=float)
        scale = np.square(centred[train]).sum() / len(train)
        total = total + centred @ centred.T / scale
    return total


def _judge(
    kernel: Array, screen: Screen, drug: str, train: NDArray[np.int_], test: NDArray[np.int_]
) -> dict[str, float]:
    target = screen.ln_ic50[drug].to_numpy(float)
    train, test = (rows[np.isfinite(target[rows])] for rows in (train, test))
    weights, offset = _ridge(kernel[np.ix_(train, train)], target[train])
    score = kernel[np.ix_(test, train)] @ weights + offset
    positive = screen.resistant[drug].to_numpy(float)[test] == 1
    tissue = screen.tissue.to_numpy(str)[test]
    return {
        "pearson": float(np.corrcoef(score, target[test])[0, 1]) if np.ptp(score) else 0.0,
        "roc_auc": roc_auc(score, positive),
        "within_tissue_roc_auc": within_tissue_roc_auc(score, positive, tissue)[0],
    }


def _ridge(kernel: Array, target: Array) -> tuple[Array, float]:
    """Return dual weights and offset at the penalty with the least leave-one-out error."""
    offset = float(target.mean())
    values, vectors = np.linalg.eigh(kernel)
    rotated = vectors.T @ (target - offset)
    best, least = np.zeros_like(target), np.inf
    for penalty in PENALTIES * np.trace(kernel):
        inverse = 1 / (np.maximum(values, 0) + penalty)
        weights = vectors @ (inverse * rotated)
        error = float(np.mean(np.square(weights / (np.square(vectors) @ inverse))))
        if error < least:
            best, least = weights, error
    return best, offset
