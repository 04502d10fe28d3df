"""Correlation of every gene with scores of the same patients, at once for the whole genome.

Pearson on log2(TPM + 1) or z-scores: the log scale keeps single patients from carrying it, and
what remains after a covariate has a closed form. Spearman is the same on ranks, as an option.

A gene is not assessable (NaN) where a value is missing, or where fewer than ten patients differ
from its lowest value: a gene that is off in nearly everybody correlates through a few patients.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri
from scipy.stats import false_discovery_control, rankdata
from scipy.stats import t as student

from resvae_core.errors import InputDataError

Array = NDArray[np.float64]

CONFIDENCE = 0.95
MIN_PATIENTS = 10
"""Patients that a correlation needs, and patients in whom a gene must be above its lowest value."""
COLLINEAR = 1e-9
"""Share of a variance below which nothing but rounding is left of it."""


@dataclass(frozen=True)
class Correlations:
    """Correlations of genes with scores, every array (n_genes, n_scores); NaN: not assessable.

    Parameters
    ----------
    effect
        Pearson correlation (of ranks: Spearman), partial where there is a covariate; −1 to 1.
    lower, upper
        Its 95 % interval by Fisher's z.
    p_value
        Two-sided, t distribution with n − 2 degrees of freedom, one less for a covariate.
    n_patients
        Patients that were used.
    """

    effect: Array
    lower: Array
    upper: Array
    p_value: Array
    n_patients: int


def correlate(values: Array, scores: Array, *, ranks: bool = False) -> Correlations:
    """Correlate every gene with every score.

    Parameters
    ----------
    values
        (n_patients, n_genes) expression; NaN where not measured.
    scores
        (n_patients, n_scores), for example log-odds of resistance to each drug. Patients with a
        missing score are left out for all.
    ranks
        Spearman instead of Pearson.

    Raises
    ------
    InputDataError
        If fewer than ten patients have every score.
    """
    values, scores = _complete(values, scores)
    genes, targets = _unit_genes(values, ranks), _unit(_ranked(scores, ranks))
    return _test(genes.T @ targets, len(values), n_covariates=0)


def correlate_given(
    values: Array, scores: Array, covariate: Array, *, ranks: bool = False
) -> Correlations:
    """Correlate every gene with every score, given one covariate (partial correlation).

    The same as correlating what a straight line through the covariate leaves of both, in closed
    form: (r_gs − r_gc r_sc) / √((1 − r_gc²)(1 − r_sc²)).

    Parameters
    ----------
    values, scores, ranks
        See `correlate`.
    covariate
        (n_patients,), the same for every score, or (n_patients, n_scores), one for each. Patients
        without it are left out.

    Raises
    ------
    InputDataError
        If fewer than ten patients have every score and the covariate.
    """
    per_score = np.broadcast_to(covariate.reshape(len(covariate), -1), scores.shape)
    values, scores, given = _complete(values, scores, per_score)
    genes, targets = _unit_genes(values, ranks), _unit(_ranked(scores, ranks))
    given = _unit(_ranked(given, ranks))
    with_gene, with_score = genes.T @ given, np.sum(targets * given, axis=0)
    left = (1 - with_gene**2) * (1 - with_score**2)
    left[(1 - with_gene**2 < COLLINEAR) | (1 - with_score**2 < COLLINEAR)] = np.nan
    partial = (genes.T @ targets - with_gene * with_score) / np.sqrt(left)
    return _test(partial, len(values), n_covariates=1)


def false_discovery(p_values: Array) -> Array:
    """Return Benjamini–Hochberg q-values over all finite p-values, NaN where p is.

    Parameters
    ----------
    p_values
        Of any shape; the whole array is one family of tests.
    """
    q_values = np.full(p_values.shape, np.nan)
    tested = np.isfinite(p_values)
    if tested.any():
        q_values[tested] = false_discovery_control(p_values[tested], method="bh")
    return q_values


def standardise_genes(values: Array) -> Array:
    """Centre each gene and scale it to a standard deviation of 1 over the patients.

    Parameters
    ----------
    values
        (n_patients, n_genes) expression; NaN where not measured.

    Returns
    -------
    Array
        (n_patients, n_genes); NaN for a gene that is not assessable.
    """
    unit = _unit_genes(np.asarray(values, dtype=np.float64), ranks=False)
    standardised: Array = unit * np.sqrt(len(values))
    return standardised


def _complete(values: Array, *others: Array) -> tuple[Array, ...]:
    """Keep the patients who have all of the others, as float64."""
    kept = np.logical_and.reduce([np.isfinite(other).all(axis=1) for other in others])
    if kept.sum() < MIN_PATIENTS:
        raise InputDataError(
            f"{kept.sum()} of {len(values)} patients have every value that a correlation needs; "
            f"at least {MIN_PATIENTS} are required.",
            remedy="Use a larger cohort, or one in which the covariate is recorded.",
        )
    return tuple(np.asarray(table[kept], dtype=np.float64) for table in (values, *others))


def _unit_genes(values: Array, ranks: bool) -> Array:
    """Centre genes and scale them to length 1; NaN where a gene is not assessable."""
    missing = np.isnan(values).any(axis=0)
    varying = (values > values.min(axis=0)).sum(axis=0)
    unit = _unit(_ranked(values, ranks))
    unit[:, missing | (varying < MIN_PATIENTS)] = np.nan
    return unit


def _ranked(columns: Array, ranks: bool) -> Array:
    return rankdata(columns, axis=0) if ranks else columns


def _unit(columns: Array) -> Array:
    """Centre columns and scale them to length 1; NaN where a column is constant."""
    mean = columns.mean(axis=0)
    centred = columns - mean
    length = np.linalg.norm(centred, axis=0)
    rounding = 1e-9 * np.sqrt(len(columns)) * np.maximum(np.abs(mean), 1e-3)
    length[~(length > rounding)] = np.nan
    unit: Array = centred / length
    return unit


def _test(effect: Array, n_patients: int, n_covariates: int) -> Correlations:
    effect = np.clip(effect, -1.0, 1.0)
    freedom = n_patients - 2 - n_covariates
    reach = ndtri(0.5 + CONFIDENCE / 2) / np.sqrt(freedom - 1)
    with np.errstate(divide="ignore"):  # a correlation of exactly 1 or −1
        statistic = np.abs(effect) * np.sqrt(freedom / (1 - effect**2))
        z = np.arctanh(effect)
    p_value = 2 * student.sf(statistic, freedom)
    return Correlations(effect, np.tanh(z - reach), np.tanh(z + reach), p_value, n_patients)
