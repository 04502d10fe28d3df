"""Suggests the cancer type of a sample, or says that it is unclear.

A suggestion is a check on what a user chose, not a diagnosis. The model knows a few types; most
tumours it may meet are of others. So it was calibrated against types that it had never seen: each
known type in turn was left out, and its tumours were weighed by a model of the rest.

What is far from every type is ``unclear``: the limit is such that 97 of 100 held-out tumours of the
known types keep an answer. So is a sample with fewer than half of the genes. How often tumours of
other types nevertheless get a suggestion is on the model's card.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.compute import derive_seed
from resvae_core.data.type_tumours import TypeTumours
from resvae_core.models.type_profiles import (
    PIPELINE_SD,
    Evidence,
    TypeProfiles,
    fit_type_profiles,
)
from resvae_core.tables import Expression

Array = NDArray[np.float64]
Fold = NDArray[np.int64]

UNCLEAR = "unclear"
MINIMAL_GENES = 0.5
"""Share of the model's genes below which nothing is suggested."""
KEPT = 0.97
"""Share of held-out tumours of known types, types weighing the same, that must keep an answer.
Chosen among 0.95 and 0.97 with both figures at hand: it costs 0 to 3 of 100 tumours of left-out
types, and spares up to a quarter of the tumours that another pipeline measured."""
N_FOLDS = 5
COLUMNS = (
    "sample",
    "suggestion",
    "probability",
    "runner_up",
    "runner_up_probability",
    "n_genes",
    "note",
    "nearest",
)


@dataclass(frozen=True)
class Typical:
    """Evidence and similarity of a type's own tumours, by which those of a sample are measured.

    Parameters
    ----------
    mean, sd
        (n_types, 2) of evidence and similarity.
    """

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]

    @classmethod
    def of(cls, profiles: TypeProfiles, tumours: Mapping[str, TypeTumours]) -> Typical:
        """Measure the tumours that the profiles were fitted on."""
        means, sds = [], []
        for number, code in enumerate(profiles.types):
            weighed = profiles.weigh(tumours[code].expression)
            own = np.stack([weighed.evidence[:, number], weighed.similarity[:, number]], axis=1)
            means.append(own.mean(axis=0))
            sds.append(own.std(axis=0, ddof=1))
        return cls(np.array(means, np.float32), np.array(sds, np.float32))

    def typicality(self, evidence: Evidence) -> Array:
        """Return (n_samples,) how typical each is of the type with the most evidence.

        Standard deviations from that type's mean, the lower of evidence and similarity: 0 is an
        average tumour of the type, negative a less typical one.
        """
        rows, best = np.arange(len(evidence.evidence)), evidence.evidence.argmax(axis=1)
        own = np.stack([evidence.evidence[rows, best], evidence.similarity[rows, best]], axis=1)
        lowest: Array = ((own - self.mean[best]) / self.sd[best]).min(axis=1)
        return lowest


@dataclass(frozen=True)
class Calibration:
    """From typicality and evidence to probability.

    Parameters
    ----------
    intercept, slope
        Log odds of "the type with the most evidence" against "a type that nobody taught", at even
        odds before, from the typicality.
    sharpness
        Factor of the evidence in the shares of the known types.
    limit
        Typicality below which the answer is ``unclear``.
    """

    intercept: float
    slope: float
    sharpness: float
    limit: float


@dataclass(frozen=True)
class CancerTypeModel:
    """Profiles of the types, and how their evidence is read."""

    profiles: TypeProfiles
    typical: Typical
    calibration: Calibration

    @property
    def types(self) -> tuple[str, ...]:
        """TCGA codes of the types it knows."""
        return self.profiles.types

    @property
    def genes(self) -> tuple[str, ...]:
        """Genes that it reads, in its order."""
        return self.profiles.genes

    @property
    def minimal_genes(self) -> int:
        """Number of its genes that a sample must have."""
        return math.ceil(MINIMAL_GENES * len(self.genes))

    def suggest(self, expression: Expression) -> pd.DataFrame:
        """Suggest a cancer type for each sample, each by itself.

        Parameters
        ----------
        expression
            log2(TPM + 1), current symbols; genes may be missing.

        Returns
        -------
        DataFrame
            One row a sample: ``sample``, ``suggestion`` (TCGA code or ``unclear``),
            ``probability`` (of the nearest type, against the other known types and, at even odds
            before, a type that nobody taught; NaN with too few genes), ``runner_up`` and
            ``runner_up_probability`` (the next known type), ``n_genes`` (measured, of those it
            reads), ``note`` (why it is unclear; else empty), ``nearest`` (the type nearest to it,
            also where that is too far to be suggested; empty with too few genes).
        """
        evidence = self.profiles.weigh(expression)
        enough = evidence.n_genes >= self.minimal_genes
        evidence = evidence.where(enough)
        typicality = self.typical.typicality(evidence)
        shares = probabilities(evidence, typicality, self.calibration)
        rows = []
        for i, name in enumerate(expression.samples):
            n_genes = int(evidence.n_genes[i])
            answer = (
                self._answer(shares[i], float(typicality[i]))
                if enough[i]
                else self._refuse(n_genes)
            )
            rows.append({"sample": name, "n_genes": n_genes, **answer})
        return pd.DataFrame(rows, columns=list(COLUMNS))

    def _answer(self, shares: Array, typicality: float) -> dict[str, object]:
        second, first = (int(place) for place in np.argsort(shares)[-2:])
        clear = typicality >= self.calibration.limit
        return {
            "suggestion": self.types[first] if clear else UNCLEAR,
            "probability": float(shares[first]),
            "runner_up": self.types[second],
            "runner_up_probability": float(shares[second]),
            "note": "" if clear else self._too_far(self.types[first]),
            "nearest": self.types[first],
        }

    def _refuse(self, n_genes: int) -> dict[str, object]:
        nothing = float("nan")
        return {
            "suggestion": UNCLEAR,
            "probability": nothing,
            "runner_up": "",
            "runner_up_probability": nothing,
            "note": f"{n_genes:,} of the {len(self.genes):,} genes that the suggestion reads were "
            f"measured; at least {self.minimal_genes:,} are needed.",
            "nearest": "",
        }

    def _too_far(self, nearest: str) -> str:
        return (
            f"Nearest is {nearest}, and {100 * KEPT:.0f} of 100 tumours of the known types are "
            f"nearer to theirs. It may be of a type other than {', '.join(self.types)}, normal "
            "tissue, a cell line, a mixture or a damaged sample."
        )


def probabilities(evidence: Evidence, typicality: Array, calibration: Calibration) -> Array:
    """Return (n_samples, n_types) probabilities; what is missing to 1 is the unknown type's."""
    shares = _shares(evidence.evidence, calibration.sharpness)
    logit = calibration.intercept + calibration.slope * typicality
    known = 1 / (1 + np.exp(-np.clip(logit, -50, 50)))
    result: Array = shares * known[:, None]
    return result


def fit_cancer_type_model(tumours: Mapping[str, TypeTumours]) -> CancerTypeModel:
    """Describe the types, and calibrate on held-out tumours and left-out types.

    Parameters
    ----------
    tumours
        Code to tumours, all of the same genes; at least three types.
    """
    profiles = fit_type_profiles(tumours)
    calibration = calibrate(weigh_held_out(tumours), weigh_left_out(tumours))
    return CancerTypeModel(profiles, Typical.of(profiles, tumours), calibration)


@dataclass(frozen=True)
class Weighed:
    """Tumours weighed by profiles that were fitted without them.

    Parameters
    ----------
    evidence
        (n_tumours, n_types); one type fewer where a tumour's own type was left out.
    typicality
        (n_tumours,).
    truth
        (n_tumours,) number of each one's own type among all types.
    """

    evidence: Array
    typicality: Array
    truth: NDArray[np.int64]

    @classmethod
    def join(cls, parts: Sequence[Weighed]) -> Weighed:
        """Put tumours of several profiles one after the other."""
        return cls(
            np.concatenate([part.evidence for part in parts]),
            np.concatenate([part.typicality for part in parts]),
            np.concatenate([part.truth for part in parts]),
        )


def weigh_held_out(tumours: Mapping[str, TypeTumours]) -> Weighed:
    """Weigh each tumour by profiles of all types that were fitted without its fold."""
    folds = assign_folds(tumours)
    parts = []
    for fold in range(N_FOLDS):
        rest = select(tumours, folds, fold, inside=False)
        parts += _weigh(rest, select(tumours, folds, fold, inside=True), tuple(tumours))
    return Weighed.join(parts)


def weigh_left_out(tumours: Mapping[str, TypeTumours]) -> Weighed:
    """Weigh each tumour by profiles of the other types alone."""
    parts = []
    for code, group in tumours.items():
        rest = {other: tumours[other] for other in tumours if other != code}
        parts += _weigh(rest, {code: group}, tuple(tumours))
    return Weighed.join(parts)


def _weigh(
    rest: Mapping[str, TypeTumours], judged: Mapping[str, TypeTumours], types: tuple[str, ...]
) -> list[Weighed]:
    profiles = fit_type_profiles(rest)
    typical = Typical.of(profiles, rest)
    found = []
    for code, group in judged.items():
        evidence = profiles.weigh(group.expression)
        truth = np.full(len(evidence.evidence), types.index(code))
        found.append(Weighed(evidence.evidence, typical.typicality(evidence), truth))
    return found


def calibrate(known: Weighed, unknown: Weighed) -> Calibration:
    """Set probabilities and the limit.

    The limit rests on held-out tumours of known types alone: `KEPT` of them keep an answer, types
    weighing the same. The probability also knows tumours of left-out types, all types weighing the
    same again, and known and unknown ones the same in all.

    Parameters
    ----------
    known, unknown
        As from `weigh_held_out` and `weigh_left_out`.
    """
    from sklearn.linear_model import LogisticRegression

    weight = _balance(known.truth)
    typicality = np.concatenate([known.typicality, unknown.typicality])
    labels = np.repeat([1, 0], [len(known.truth), len(unknown.truth)])
    weights = np.concatenate([weight, _balance(unknown.truth)]) * len(labels) / 2
    regression = LogisticRegression().fit(typicality[:, None], labels, sample_weight=weights)
    order = np.argsort(known.typicality)
    place = np.searchsorted(np.cumsum(weight[order]), 1 - KEPT)
    return Calibration(
        float(regression.intercept_[0]),
        float(regression.coef_[0, 0]),
        _sharpest(known, weight),
        float(known.typicality[order][place]),
    )


def _sharpest(known: Weighed, weight: Array) -> float:
    """Return the factor of the evidence that gives the true types the highest likelihood."""
    from scipy.optimize import minimize_scalar

    def loss(log_factor: float) -> float:
        shares = _shares(known.evidence, float(np.exp(log_factor)))
        own = shares[np.arange(len(known.truth)), known.truth]
        return float(-(weight * np.log(np.maximum(own, 1e-12))).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(0, 5), method="bounded").x))


def assign_folds(tumours: Mapping[str, TypeTumours]) -> dict[str, Fold]:
    """Deal the tumours of each type to `N_FOLDS` folds of nearly the same size."""
    rng = np.random.default_rng(derive_seed("cancer type folds"))
    sizes = {code: len(group.expression.values) for code, group in tumours.items()}
    return {code: rng.permutation(np.arange(size) % N_FOLDS) for code, size in sizes.items()}


def select(
    tumours: Mapping[str, TypeTumours], folds: Mapping[str, Fold], fold: int, *, inside: bool
) -> dict[str, TypeTumours]:
    """Return the tumours of a fold, or those of all others."""
    return {
        code: replace(
            group, expression=Expression(group.expression.values[(folds[code] == fold) == inside])
        )
        for code, group in tumours.items()
    }


def another_pipeline(expression: Expression, name: str) -> Expression:
    """Return samples as a made-up pipeline might have measured them.

    Each gene is shifted by an amount of its own, the same in all samples, with standard deviation
    `PIPELINE_SD` and heavy tails (Student's t with 4 degrees of freedom); silent genes stay silent.

    Parameters
    ----------
    expression
        log2(TPM + 1).
    name
        Another name is another pipeline; the same name is always the same.
    """
    rng = np.random.default_rng(derive_seed("pipeline", name))
    values = expression.values
    # Student's t with 4 degrees of freedom has a variance of 2
    shift = rng.standard_t(4, values.shape[1]) * PIPELINE_SD / np.sqrt(2)
    moved = (values + shift).clip(lower=0).where(values > 0, values)
    return Expression(moved.astype(np.float32))


def _shares(evidence: Array, sharpness: float) -> Array:
    raised = sharpness * (evidence - evidence.max(axis=1, keepdims=True))
    shares: Array = np.exp(raised)
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def _balance(groups: NDArray[np.int64]) -> Array:
    """Return weights that sum to 1, the same for each group."""
    sizes = np.bincount(groups)
    weights: Array = 1.0 / (sizes[groups] * (sizes > 0).sum())
    return weights
