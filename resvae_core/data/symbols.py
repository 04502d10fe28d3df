"""Bring the gene names of a matrix to current symbols, each once."""

from __future__ import annotations

import numpy as np
import pandas as pd

from resvae_core.data.genes import load_gene_table


def sum_by_symbol(linear: pd.DataFrame) -> pd.DataFrame:
    """Name genes by their current symbols and sum those that become one.

    Parameters
    ----------
    linear
        (n_samples, n_names) counts, FPKM or TPM, not logarithms. Columns: symbols of any age or
        Ensembl ids, with or without version.

    Returns
    -------
    pd.DataFrame
        (n_samples, n_genes). Ensembl ids without a known symbol are left out. NaN only where no
        part was measured.
    """
    symbols = pd.Index(load_gene_table().canonical([str(name) for name in linear.columns]))
    known = ~symbols.str.startswith("ENSG")
    kept = linear.loc[:, known].set_axis(symbols[known], axis=1)
    if not kept.columns.has_duplicates:
        return kept
    return kept.T.groupby(level=0, sort=False).sum(min_count=1).T


def average_by_symbol(scores: pd.DataFrame) -> pd.DataFrame:
    """Name genes by their current symbols and average those that become one.

    Parameters
    ----------
    scores
        (n_samples, n_names) values that do not add up: z-scores, microarray intensities.

    Returns
    -------
    pd.DataFrame
        (n_samples, n_genes).
    """
    symbols = pd.Index(load_gene_table().canonical([str(name) for name in scores.columns]))
    named = scores.set_axis(symbols, axis=1)
    if not symbols.has_duplicates:
        return named
    return named.T.groupby(level=0, sort=False).mean().T


def current_symbols(log2_tpm: pd.DataFrame) -> pd.DataFrame:
    """Do as :func:`sum_by_symbol` for a matrix in log2(TPM + 1).

    Parameters
    ----------
    log2_tpm
        (n_samples, n_names) log2(TPM + 1).

    Returns
    -------
    pd.DataFrame
        (n_samples, n_genes) float32, log2(TPM + 1). Genes that need no merging keep their values
        exactly.
    """
    symbols = pd.Index(load_gene_table().canonical([str(name) for name in log2_tpm.columns]))
    merged = symbols.duplicated(keep=False) | symbols.str.startswith("ENSG")
    single = log2_tpm.loc[:, ~merged].set_axis(symbols[~merged], axis=1).astype(np.float32)
    if not merged.any():
        return single
    return pd.concat([single, to_log2(sum_by_symbol(2 ** log2_tpm.loc[:, merged] - 1))], axis=1)


def to_log2(tpm: pd.DataFrame) -> pd.DataFrame:
    """Return log2(TPM + 1) as float32."""
    # a difference of logarithms can leave -1e-8 where the truth is 0
    return pd.DataFrame(np.log2(tpm.clip(lower=0) + 1)).astype(np.float32)


def to_tpm(rates: pd.DataFrame) -> pd.DataFrame:
    """Scale each sample to a million.

    Parameters
    ----------
    rates
        (n_samples, n_genes) FPKM, or counts per base: any value proportional to transcripts.
    """
    return rates.div(rates.sum(axis=1), axis=0) * 1e6
