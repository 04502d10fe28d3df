"""Gene order: decided here and nowhere else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from resvae_core.errors import GeneCoverageError
from resvae_core.tables import Expression


def order_genes(genes: Iterable[str]) -> tuple[str, ...]:
    """Return the order in which a model reads genes: alphabetical, each once."""
    return tuple(sorted(set(genes)))


def arrange(expression: Expression, genes: Sequence[str]) -> NDArray[np.float32]:
    """Put expression into a model's gene order.

    Parameters
    ----------
    expression
        Samples in any gene order, with more or fewer genes than the model reads.
    genes
        The model's genes, in its order.

    Returns
    -------
    ndarray
        (n_samples, n_genes) log2(TPM + 1); NaN where a gene was not measured. Nothing is filled
        here: how a missing gene is read is a matter of scaling.

    Raises
    ------
    GeneCoverageError
        If none of the genes is in the data.
    """
    if not expression.values.columns.isin(genes).any():
        raise GeneCoverageError(
            f"None of the {len(genes)} genes that the model reads is in the data "
            f"({len(expression.genes)} genes).",
            remedy="Check that genes are named by symbol, Ensembl or Entrez id.",
        )
    values = expression.values.reindex(columns=list(genes)).to_numpy(np.float32)
    # one memory layout, so that sums round the same whatever the order of the columns was
    return np.ascontiguousarray(values)
