"""Range check: whether a sample is one that the models may be asked about.

References (tumour cohorts, or the training cell lines) are described by aggregates alone: per
gene a mean and a spread, common directions of variation, and each group's centre on them. A
sample is judged by three numbers: the share of the model's genes it has, its distance to the
nearest group along the common directions, and what those directions leave unexplained. Each
sample is judged on its own.

Thresholds come from reference samples that were held out when they were judged: 95 % of held-out
samples of the *same* groups are in range; 95 % of samples whose whole group was held out (a
cancer type without a reference) are borderline or better; what lies further is out of range.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.compute import derive_seed
from resvae_core.errors import InputDataError
from resvae_core.features.genes import arrange
from resvae_core.features.scaling import Moments
from resvae_core.tables import Expression

IN_RANGE, BORDERLINE, OUT_OF_RANGE = "in range", "borderline", "out of range"
GOOD_COVERAGE, MINIMAL_COVERAGE = 0.95, 0.80
"""Shares of the model's genes below which a sample is borderline, and out of range."""
N_DIRECTIONS = 30
SHRINKAGE = 0.1
"""How far the covariance along the directions is drawn to its diagonal."""

Matrix = NDArray[np.float32]
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Thresholds:
    """Limits of distance and residual: up to `good` in range, up to `bad` borderline."""

    distance_good: float
    distance_bad: float
    residual_good: float
    residual_bad: float


@dataclass(frozen=True)
class Reference:
    """Aggregates of reference samples.

    Parameters
    ----------
    genes
        In the order of the arrays.
    moments
        Of the groups, each weighing the same.
    directions
        (n_directions, n_genes) orthonormal.
    centres
        (n_groups, n_directions).
    precision
        (n_directions, n_directions) inverse of the pooled covariance within groups.
    thresholds
        See `Thresholds`.
    """

    genes: tuple[str, ...]
    moments: Moments
    directions: Array
    centres: Array
    precision: Array
    thresholds: Thresholds

    def assess(self, expression: Expression) -> pd.DataFrame:
        """Judge samples, each on its own.

        Returns
        -------
        DataFrame
            Index: samples. Columns: ``range`` (in range, borderline, out of range),
            ``gene_coverage`` (0 to 1), ``n_missing`` (model genes), ``distance``, ``residual``
            (both in units of their in-range limit, so 1 is the limit) and ``reasons`` (tuple).
        """
        rows = [self._assess_one(values) for values in arrange(expression, self.genes)]
        return pd.DataFrame(rows, index=expression.values.index)

    def _assess_one(self, values: Matrix) -> dict[str, object]:
        measured = np.isfinite(values)
        coverage = float(measured.mean())
        distance, residual = self._measure(values, measured)
        limits = self.thresholds
        checks = [
            _grade(-coverage, -GOOD_COVERAGE, -MINIMAL_COVERAGE),
            _grade(distance, limits.distance_good, limits.distance_bad),
            _grade(residual, limits.residual_good, limits.residual_bad),
        ]
        sentences = (
            f"{int(measured.sum())} of {len(measured)} genes that the models read were measured",
            "its profile lies away from every reference group",
            "its genes vary together in a way the references do not show",
        )
        worst = max(checks)
        return {
            "range": (IN_RANGE, BORDERLINE, OUT_OF_RANGE)[worst],
            "gene_coverage": coverage,
            "n_missing": int((~measured).sum()),
            "distance": distance / limits.distance_good,
            "residual": residual / limits.residual_good,
            "reasons": tuple(s for s, check in zip(sentences, checks, strict=True) if check),
        }

    def _measure(self, values: Matrix, measured: NDArray[np.bool_]) -> tuple[float, float]:
        """Return distance and residual from the genes that were measured."""
        if measured.sum() <= 2 * len(self.directions):
            return float("inf"), float("inf")
        z = self.moments.standardise(values[None])[0, measured].astype(float)
        axes = self.directions[:, measured]
        position = np.linalg.lstsq(axes.T, z, rcond=None)[0]
        offset = position - self.centres
        squared = np.einsum("gi,ij,gj->g", offset, self.precision, offset)
        residual = float(np.mean(np.square(z - position @ axes)))
        return float(squared.min() / len(position)), residual


def _grade(value: float, good: float, bad: float) -> int:
    return 0 if value <= good else 1 if value <= bad else 2


def fit_reference(groups: Mapping[str, Expression], genes: Sequence[str]) -> Reference:
    """Describe reference samples and set the thresholds on held-out ones.

    Parameters
    ----------
    groups
        Name to samples, for example TCGA cohorts; at least two groups.
    genes
        The models' genes; those that no group measured are left out of the reference.

    Raises
    ------
    InputDataError
        If there are fewer than two groups.
    """
    if len(groups) < 2:
        raise InputDataError(
            f"A reference needs at least two groups of samples; there is {len(groups)}.",
            remedy="Install another cohort: limits are set on groups that were left out.",
        )
    matrices = [arrange(group, genes) for group in groups.values()]
    known = np.any([np.isfinite(matrix).any(axis=0) for matrix in matrices], axis=0)
    matrices = [matrix[:, known] for matrix in matrices]
    chosen = tuple(gene for gene, there in zip(genes, known, strict=True) if there)
    good = _joint_limits(_held_out(matrices, chosen))
    bad = np.maximum(good, _joint_limits(_left_out(matrices, chosen)))
    limits = Thresholds(float(good[0]), float(bad[0]), float(good[1]), float(bad[1]))
    return _describe(matrices, chosen, limits)


def _joint_limits(measures: Array, share: float = 0.95) -> Array:
    """Return one limit a measure, such that the stated share of samples keeps all of them."""
    limits = np.quantile(measures, share, axis=0)
    scaled: Array = limits * np.quantile((measures / limits).max(axis=1), share)
    return scaled


def _describe(matrices: list[Matrix], genes: tuple[str, ...], limits: Thresholds) -> Reference:
    moments = Moments.of(*matrices)
    scaled = [moments.standardise(matrix).astype(float) for matrix in matrices]
    weighted = np.vstack([z / np.sqrt(len(z)) for z in scaled])
    n_directions = min(N_DIRECTIONS, len(genes) // 4)
    directions = np.linalg.svd(weighted, full_matrices=False)[2][:n_directions]
    positions = [z @ directions.T for z in scaled]
    pooled = np.mean([np.cov(position.T) for position in positions], axis=0)
    pooled += SHRINKAGE * np.diag(np.diag(pooled))
    centres = np.stack([position.mean(axis=0) for position in positions])
    return Reference(genes, moments, directions, centres, np.linalg.inv(pooled), limits)


_NO_LIMITS = Thresholds(1.0, 1.0, 1.0, 1.0)


def _held_out(matrices: list[Matrix], genes: tuple[str, ...], n_folds: int = 5) -> Array:
    """Return (n_groups * n, 2) distance and residual, each group resampled to the same size."""
    rng = np.random.default_rng(derive_seed("range check"))
    folds = [rng.permutation(len(matrix)) % n_folds for matrix in matrices]
    found: list[list[Array]] = [[] for _ in matrices]
    for fold in range(n_folds):
        rest = [m[f != fold] for m, f in zip(matrices, folds, strict=True)]
        reference = _describe(rest, genes, _NO_LIMITS)
        for group, (matrix, of) in enumerate(zip(matrices, folds, strict=True)):
            found[group].append(_distances(reference, matrix[of == fold]))
    return _balance([np.concatenate(parts) for parts in found])


def _left_out(matrices: list[Matrix], genes: tuple[str, ...]) -> Array:
    """Return distance and residual of samples whose group the reference has never seen."""
    parts = []
    for group, matrix in enumerate(matrices):
        others = [other for number, other in enumerate(matrices) if number != group]
        parts.append(_distances(_describe(others, genes, _NO_LIMITS), matrix))
    return _balance(parts)


def _distances(reference: Reference, matrix: Matrix) -> Array:
    return np.array([reference._measure(row, np.isfinite(row)) for row in matrix])


def _balance(parts: list[Array]) -> Array:
    """Repeat each group's rows so that all groups weigh about the same."""
    largest = max(len(part) for part in parts)
    return np.concatenate([np.resize(part, (largest, part.shape[1])) for part in parts])
