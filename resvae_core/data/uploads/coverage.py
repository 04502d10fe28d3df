"""Which of the genes that something reads a sample has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from resvae_core.tables import Expression

MAX_ZERO_SHARE = 0.1
"""Of the genes that the models read; no tumour of the reference cohorts has more than 6 % at 0."""


def gene_coverage(sample: Expression, readers: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """Count the genes that each model or encoder finds in a sample.

    Parameters
    ----------
    sample
        One sample.
    readers
        Name → the genes it reads, current symbols.

    Returns
    -------
    DataFrame
        One row a reader: ``reader``, ``n_genes`` it reads, ``n_measured``, ``share`` (0 to 1),
        ``n_missing``, ``n_zero`` (measured as 0: many may be genes that were lost, not silent) and
        ``missing`` (list of symbols, in the reader's order).
    """
    values = sample.values.iloc[0]
    rows = []
    for name, genes in readers.items():
        found = values.reindex(list(genes)).to_numpy(float)
        measured = np.isfinite(found)
        rows.append(
            {
                "reader": name,
                "n_genes": len(found),
                "n_measured": int(measured.sum()),
                "share": float(measured.mean()) if len(found) else 0.0,
                "n_missing": int((~measured).sum()),
                "n_zero": int((found == 0).sum()),
                "missing": [gene for gene, there in zip(genes, measured, strict=True) if not there],
            }
        )
    return pd.DataFrame(rows)
