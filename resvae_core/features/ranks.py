"""Ranks of genes within a sample: what is left when a sample's scale is unknown."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata


def rank_genes(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Rank the measured genes of each sample.

    Parameters
    ----------
    values
        (n_samples, n_genes) log2(TPM + 1), NaN where not measured.

    Returns
    -------
    ndarray
        (n_samples, n_genes) rank divided by the number of measured genes: above 0, at most 1, ties
        share their mean rank; NaN where not measured.
    """
    ranks = rankdata(values, axis=1, nan_policy="omit")
    measured = np.maximum(np.isfinite(values).sum(axis=1, keepdims=True), 1)
    return np.ascontiguousarray(ranks / measured, np.float32)
