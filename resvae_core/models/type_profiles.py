"""How much each cancer type explains a profile, and how much an unknown type would.

A type is a normal distribution of expression: a mean of its own, and a covariance within types that
all share (a few factors, such as purity and stroma, and a rest of each gene's own). Two things are
added to it. First, what a quantification pipeline alone does to a gene (`PIPELINE_SD`), once for
the cohort that taught and once for the sample: types that one pipeline measured must not be known
by their pipeline. Second, a type that nobody taught: its mean lies anywhere around the mean of all
types, as far as known types lie from it on average. Evidence is the log likelihood ratio of a known
type to that unknown one, per gene.

Every sample is first given the distribution of a frozen reference by the ranks of its genes: what
is left of unit, depth and composition after log2(TPM + 1) has no say. Missing genes are left out
of the ranks and of the distributions alike (a normal distribution loses them exactly); nothing is
filled in, and no sample depends on another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from resvae_core.data.type_tumours import TypeTumours
from resvae_core.errors import InputDataError
from resvae_core.features.genes import arrange, order_genes
from resvae_core.tables import Expression

Array = NDArray[np.float64]

PIPELINE_SD = 0.7
"""log2 units by which a pipeline shifts a gene. Over 483 genes that hardly vary within a type,
medians of cohorts that were quantified alike differ with a standard deviation of 0.45 and 0.47, of
others 0.66 to 1.06, 0.89 on average: pipelines add 0.7 to 0.8 (benchmarks/cancer_type.md)."""
PIPELINE_GAP = 0.5
"""log2 units between the medians of two groups of types, each quantified alike, above which a gene
follows the pipeline and is not read."""
N_FACTORS = 20
MINIMAL_VARIANCE = 0.05
MINIMAL_TYPE_VARIANCE = 0.1


@dataclass(frozen=True)
class Evidence:
    """What speaks for each type, sample by sample.

    Parameters
    ----------
    evidence
        (n_samples, n_types) log likelihood ratio to an unknown type, per measured gene.
    similarity
        (n_samples, n_types) cosine between sample and type, both seen from the mean of the types,
        −1 to 1.
    n_genes
        (n_samples,) genes measured of those that are read; evidence and similarity are NaN for 0.
    """

    evidence: Array
    similarity: Array
    n_genes: NDArray[np.int64]

    def where(self, kept: NDArray[np.bool_]) -> Evidence:
        """Return the same with 0 in place of what speaks for samples that are not kept."""
        mask = kept[:, None]
        return Evidence(
            np.where(mask, self.evidence, 0.0), np.where(mask, self.similarity, 0.0), self.n_genes
        )


@dataclass(frozen=True)
class TypeProfiles:
    """Normal distributions of expression, one a type.

    Parameters
    ----------
    types
        TCGA codes, in the order of `means`.
    genes
        In the order of the arrays.
    reference
        (n_genes,) log2(TPM + 1) whose distribution each sample is given.
    means
        (n_types, n_genes).
    factors
        (n_factors, n_genes) shared directions within types, one standard deviation long.
    variance
        (n_genes,) what they leave, pipelines included.
    type_variance
        (1,) variance of a type's mean around the mean of the types.
    """

    types: tuple[str, ...]
    genes: tuple[str, ...]
    reference: NDArray[np.float32]
    means: NDArray[np.float32]
    factors: NDArray[np.float32]
    variance: NDArray[np.float32]
    type_variance: NDArray[np.float32]

    def weigh(self, expression: Expression) -> Evidence:
        """Weigh each type against an unknown one, each sample by itself."""
        if not expression.values.columns.isin(self.genes).any():
            values: NDArray[np.float32] = np.full(
                (len(expression.values), len(self.genes)), np.nan, np.float32
            )
        else:
            values = arrange(expression, self.genes)
        measured = np.isfinite(values)
        scales: dict[bytes, _Scale] = {}
        rows = []
        for row, there in zip(values.astype(float), measured, strict=True):
            key = there.tobytes()
            scale = scales.get(key) or scales.setdefault(key, _Scale.of(self, there))
            rows.append(scale.weigh(row[there]))
        shape = (2, len(rows), len(self.types))
        both = np.stack(rows, axis=1) if rows else np.empty(shape)
        return Evidence(both[0], both[1], measured.sum(axis=1))


@dataclass(frozen=True)
class _Scale:
    """The distributions over the genes that a sample has."""

    sorted_reference: Array
    centre: Array
    means: Array
    within: _Normal
    unknown: _Normal

    @classmethod
    def of(cls, profiles: TypeProfiles, there: NDArray[np.bool_]) -> _Scale:
        means = profiles.means[:, there].astype(float)
        factors = profiles.factors[:, there].astype(float)
        variance = profiles.variance[there].astype(float)
        return cls(
            np.sort(profiles.reference[there].astype(float)),
            means.mean(axis=0),
            means,
            _Normal.of(factors, variance),
            _Normal.of(factors, variance + float(profiles.type_variance[0])),
        )

    def weigh(self, values: Array) -> Array:
        """Return (2, n_types) evidence and similarity of one sample."""
        if not len(values):
            return np.full((2, len(self.means)), np.nan)
        placed = give_distribution(values, self.sorted_reference)
        unknown = self.unknown.deviance(placed - self.centre)
        known = np.array([self.within.deviance(placed - mean) for mean in self.means])
        offset, types = placed - self.centre, self.means - self.centre
        weight = 1 / self.within.variance
        length = np.sqrt((types**2 * weight).sum(axis=1) * (offset**2 * weight).sum())
        similarity = (types * weight * offset).sum(axis=1) / np.maximum(length, 1e-12)
        return np.stack([(unknown - known) / len(values), similarity])


@dataclass(frozen=True)
class _Normal:
    """A normal distribution with mean 0 and covariance factorsᵀ factors + diag(variance)."""

    variance: Array
    scaled: Array
    inverse: NDArray[np.floating[Any]]
    log_determinant: float

    @classmethod
    def of(cls, factors: Array, variance: Array) -> _Normal:
        scaled = factors / variance
        core = np.eye(len(factors)) + scaled @ factors.T
        log_determinant = float(np.linalg.slogdet(core)[1] + np.log(variance).sum())
        return cls(variance, scaled, np.linalg.inv(core), log_determinant)

    def deviance(self, offset: Array) -> float:
        """Return −2 log density of one point, without the constant (Woodbury's identity)."""
        on_factors = self.scaled @ offset
        explained = on_factors @ self.inverse @ on_factors
        return float((offset**2 / self.variance).sum() - explained + self.log_determinant)


def give_distribution(values: Array, sorted_reference: Array) -> Array:
    """Give one sample the distribution of a reference, gene by gene in the order of its ranks.

    Parameters
    ----------
    values
        (n_genes,) one sample, nothing missing.
    sorted_reference
        (n_genes,) ascending; ties of the sample share a value.
    """
    ranks = rankdata(values) - 1
    placed: Array = np.interp(ranks, np.arange(len(values)), sorted_reference)
    return placed


def fit_type_profiles(tumours: Mapping[str, TypeTumours]) -> TypeProfiles:
    """Describe each type; all types weigh the same, whatever their number of tumours.

    Parameters
    ----------
    tumours
        Code to tumours, all of the same genes.

    Raises
    ------
    InputDataError
        If there are fewer than two types.
    """
    if len(tumours) < 2:
        raise InputDataError(
            f"{len(tumours)} cancer type(s) to tell apart; at least 2 were expected.",
            remedy="Give tumours of more types.",
        )
    genes = genes_to_read(tumours)
    raw = [arrange(group.expression, genes).astype(float) for group in tumours.values()]
    reference = np.mean([values.mean(axis=0) for values in raw], axis=0)
    ordered = np.sort(reference)
    placed = [np.array([give_distribution(row, ordered) for row in values]) for values in raw]
    means = np.array([values.mean(axis=0) for values in placed])
    factors, rest = _share_factors(placed, means)
    spread = means.var(axis=0, ddof=1).mean()
    return TypeProfiles(
        tuple(tumours),
        genes,
        reference.astype(np.float32),
        means.astype(np.float32),
        factors.astype(np.float32),
        (np.maximum(rest, MINIMAL_VARIANCE) + 2 * PIPELINE_SD**2).astype(np.float32),
        np.array([max(spread, MINIMAL_TYPE_VARIANCE)], np.float32),
    )


def _share_factors(placed: Sequence[Array], means: Array) -> tuple[Array, Array]:
    """Return (n_factors, n_genes) factors within types, and the (n_genes,) variance they leave."""
    weighted = np.vstack(
        [
            (values - mean) / np.sqrt(len(values) * len(placed))
            for values, mean in zip(placed, means, strict=True)
        ]
    )
    _, lengths, directions = np.linalg.svd(weighted, full_matrices=False)
    factors = lengths[:N_FACTORS, None] * directions[:N_FACTORS]
    return factors, (weighted**2).sum(axis=0) - (factors**2).sum(axis=0)


def genes_to_read(tumours: Mapping[str, TypeTumours]) -> tuple[str, ...]:
    """Return the genes of the tumours, without those that follow the pipeline, in model order.

    A pipeline is compared with the rest where both hold at least two types: if the medians of its
    types all lie above, or all below, those of the rest by more than `PIPELINE_GAP`, the gene is
    left out. A pipeline that measured one type alone cannot be told from the type.
    """
    groups = list(tumours.values())
    genes = order_genes(groups[0].expression.genes)
    medians = np.array([np.median(arrange(g.expression, genes), axis=0) for g in groups])
    follows = np.zeros(len(genes), bool)
    for pipeline in sorted({group.pipeline for group in groups}):
        inside = np.array([group.pipeline == pipeline for group in groups])
        if min(inside.sum(), (~inside).sum()) < 2:
            continue
        one, other = medians[inside], medians[~inside]
        above, below = one.min(axis=0) - other.max(axis=0), other.min(axis=0) - one.max(axis=0)
        follows |= np.maximum(above, below) > PIPELINE_GAP
    return tuple(gene for gene, left_out in zip(genes, follows, strict=True) if not left_out)
