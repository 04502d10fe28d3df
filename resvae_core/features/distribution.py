"""How expression is distributed over the genes of a sample, and over many samples."""

from __future__ import annotations

import numpy as np
import pandas as pd

LEVELS = np.linspace(0.0, 1.0, 101)


def quantile_table(values: pd.DataFrame) -> pd.DataFrame:
    """Summarise the distributions of reference samples so that none can be recognised.

    Parameters
    ----------
    values
        (n_samples, n_genes) log2(TPM + 1) of the reference, NaN where not measured.

    Returns
    -------
    pd.DataFrame
        101 rows: quantile (0 to 1, share of genes at or below), and lower, median, upper: the
        5 %, 50 % and 95 % points over the samples of their expression at that quantile.
    """
    per_sample = np.nanquantile(values.to_numpy(float), LEVELS, axis=1)
    lower, median, upper = np.quantile(per_sample, [0.05, 0.5, 0.95], axis=1)
    return pd.DataFrame({"quantile": LEVELS, "lower": lower, "median": median, "upper": upper})
