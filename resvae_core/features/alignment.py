"""Putting a cohort that is known only gene by gene on the scale of a reference.

Within-study z-scores have lost the level and the spread of each gene. What they keep is the order
of the patients, gene by gene. It is turned into normal scores, which take the reference's mean and
spread: so a model reads for each patient how far the gene lies from the middle of the patient's
own cohort, in the reference's units.

The z-scores themselves would be the plainer choice (mean + sd·z). The installed ones are of
*linear* expression: skewed, with values beyond 100. Read as logarithms they put models further
from what they say of the same patients' log2(TPM + 1) than normal scores do
(``benchmarks/zscore_alignment.md``).
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm, rankdata

from resvae_core.errors import GeneCoverageError
from resvae_core.features.range_check import Reference
from resvae_core.tables import Expression

Array = NDArray[np.float64]


def normal_scores(values: pd.DataFrame) -> pd.DataFrame:
    """Return for each gene the normal quantiles of the samples' ranks.

    Parameters
    ----------
    values
        (n_samples, n_genes) on any scale that keeps the order of the samples within a gene; NaN
        where not measured.

    Returns
    -------
    DataFrame
        (n_samples, n_genes) float64: Φ⁻¹((rank − ½) / n measured), ties at their mean rank, NaN
        where not measured. Mean 0 and spread close to 1 for a gene without ties, 0 throughout for
        a constant gene.
    """
    matrix = values.to_numpy(float)
    measured = np.maximum(np.isfinite(matrix).sum(axis=0), 1)
    ranks = rankdata(matrix, axis=0, nan_policy="omit")
    return pd.DataFrame(norm.ppf((ranks - 0.5) / measured), values.index, values.columns)


def standard_scores(values: pd.DataFrame) -> pd.DataFrame:
    """Return values standardised by their own mean and spread, gene by gene; 0 for a constant."""
    spread = values.std(ddof=0)
    return (values - values.mean()) / spread.where(spread > 0, 1.0)


def to_reference(scores: pd.DataFrame, reference: Reference) -> Expression:
    """Place scores on a reference's scale: mean + sd · score, not below 0.

    Parameters
    ----------
    scores
        (n_samples, n_genes), about 0 in mean and 1 in spread for each gene.
    reference
        Whose moments are taken.

    Returns
    -------
    Expression
        log2(TPM + 1) of the genes that both have, in the reference's order. The mean sample has
        the reference's mean profile, whatever its cancer type: only the order of samples within
        the cohort carries information.

    Raises
    ------
    GeneCoverageError
        If the two share no gene.
    """
    shared = [gene for gene in reference.genes if gene in scores.columns]
    if not shared:
        raise GeneCoverageError(
            f"None of the {len(reference.genes)} genes of the reference is in the cohort "
            f"({scores.shape[1]} genes).",
            remedy="Check that genes are named by symbol.",
        )
    mean = pd.Series(reference.moments.mean, list(reference.genes), dtype=float)[shared]
    sd = pd.Series(reference.moments.sd, list(reference.genes), dtype=float)[shared]
    values = (mean + sd * scores[shared]).clip(lower=0)
    return Expression(values.astype(np.float32))
