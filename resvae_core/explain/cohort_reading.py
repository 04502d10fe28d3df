"""What the models say of the patients of a cohort, as biomarkers are computed from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.explain.associations import (
    MIN_PATIENTS,
    Correlations,
    correlate,
    correlate_given,
    standardise_genes,
)
from resvae_core.explain.attribution import (
    Parts,
    Progress,
    matrices_of_set,
    member_matrices_of_set,
)
from resvae_core.models.base import Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.model_set import ModelSet
from resvae_core.models.patients import Patients

Array = NDArray[np.float64]

ENSEMBLE = Ensemble.kind
PURITY = "purity_CPE"
"""Column of the clinical table: consensus purity, Aran et al. 2015, Nat Commun 6:8971."""
CHUNK = 128
"""Patients that are scored at a time."""
N_FOR_MEMBERS = 64
"""Patients, evenly spaced, on whom every member of every model is explained: explaining a network's
five members takes five times as long as explaining their mean."""


@dataclass(frozen=True)
class CohortReading:
    """What the models say of one cohort's patients.

    Parameters
    ----------
    cohort
        TCGA code.
    values
        (n_patients, n_measured) every measured gene: log2(TPM + 1) or z-scores.
    log_odds
        Model to (n_patients, n_drugs) predicted log-odds of resistance to every drug of the set:
        the ensemble and the models it is made of. Rows as in `values`.
    slopes
        Drug to (n_models, n_genes) slopes of attributions, by `attribution_slopes`; models in the
        order of `log_odds` without the ensemble. Its keys are the drugs that are looked at.
    member_slopes
        Drug to (n_models, n_members, n_genes): the same of each member of each model.
    genes
        (n_genes,) what the last axis of the slopes stands for: the genes that the models read.
    purity
        (n_patients,) share of tumour cells, 0 to 1; NaN where not recorded.
    """

    cohort: str
    values: pd.DataFrame
    log_odds: Mapping[str, pd.DataFrame]
    slopes: Mapping[str, Array]
    member_slopes: Mapping[str, Array]
    genes: tuple[str, ...]
    purity: Array

    @property
    def drugs(self) -> list[str]:
        """The drugs that are looked at."""
        return list(self.slopes)

    @property
    def has_purity(self) -> bool:
        """Whether purity is recorded for enough patients to adjust for it."""
        return int(np.isfinite(self.purity).sum()) >= MIN_PATIENTS

    @property
    def parts(self) -> list[str]:
        """The models that the ensemble is made of."""
        return [kind for kind in self.log_odds if kind != ENSEMBLE]

    def scores(self, kind: str = ENSEMBLE, drugs: Sequence[str] | None = None) -> Array:
        """Return (n_patients, n_drugs) log-odds of resistance to the drugs."""
        return self.log_odds[kind][list(drugs or self.drugs)].to_numpy(float)

    def general(self, drugs: Sequence[str] | None = None) -> Array:
        """Return (n_patients, n_drugs) each patient's resistance to all other drugs."""
        others = general_resistance(self.log_odds[ENSEMBLE])
        return others[list(drugs or self.drugs)].to_numpy(float)


@dataclass(frozen=True)
class AdjustedCorrelations:
    """Correlations of every measured gene with scores, each array (n_measured, n_scores).

    Parameters
    ----------
    plain
        Nothing held fixed.
    purity
        Given tumour purity, over the patients in whom it is recorded; None where those are too few.
    general
        Given the patient's resistance to all other drugs.
    """

    plain: Correlations
    purity: Correlations | None
    general: Correlations


def adjusted_correlations(
    reading: CohortReading, scores: Array, general: Array
) -> AdjustedCorrelations:
    """Correlate every measured gene with scores: plain, and with one covariate held fixed.

    Parameters
    ----------
    reading
        The cohort.
    scores
        (n_patients, n_scores), for example log-odds of resistance to each drug.
    general
        (n_patients, n_scores) resistance to all other drugs, or (n_patients,) where every score
        is of the same drug.

    Raises
    ------
    InputDataError
        If fewer than ten patients have every score.
    """
    values = reading.values.to_numpy(float)
    return AdjustedCorrelations(
        plain=correlate(values, scores),
        purity=correlate_given(values, scores, reading.purity) if reading.has_purity else None,
        general=correlate_given(values, scores, general),
    )


def read_patients(
    model_set: ModelSet,
    patients: Patients,
    drugs: Sequence[str],
    *,
    matrices: Mapping[tuple[str, str], Parts] | None = None,
    progress: Progress = lambda done, total: None,
) -> CohortReading:
    """Let the ensemble and its five models score and explain a cohort.

    Parameters
    ----------
    model_set
        A set with an ensemble.
    patients
        The cohort.
    drugs
        Names of the drugs that are explained; all drugs of the set are scored.
    matrices
        Attributions of the five models to the drugs for these patients, as `matrices_of_set` gives
        them, where they are at hand; computed where None.
    progress
        Called with (work done, work in total), in patients times drugs.

    Raises
    ------
    ConfigError
        If the set has no ensemble.
    UnknownDrugError
        If a drug is not known.
    """
    samples = model_set.samples(patients.expression)
    few = _few(samples)
    total = len(drugs) * (len(patients.values) + len(few.expression.values))
    kinds = _ensemble(model_set).needs
    if matrices is None:
        matrices = matrices_of_set(
            model_set,
            samples,
            drugs,
            kinds=kinds,
            progress=lambda done, _: progress(len(drugs) * done, total),
        )
    genes = list(model_set.genes)
    read = patients.expression.values.reindex(columns=genes)
    members = {}
    for number, drug in enumerate(drugs):
        found = member_matrices_of_set(model_set, few, drug, kinds=kinds)
        expression = few.expression.values.reindex(columns=genes)
        members[drug] = np.stack([attribution_slopes(found[kind], expression) for kind in kinds])
        progress(total - (len(drugs) - number - 1) * len(expression), total)
    slopes = {
        drug: np.stack([attribution_slopes(matrices[k, drug].values, read) for k in kinds])
        for drug in drugs
    }
    return replace(score_patients(model_set, patients), slopes=slopes, member_slopes=members)


def score_patients(model_set: ModelSet, patients: Patients) -> CohortReading:
    """Let the ensemble and its five models score a cohort, without explaining any drug.

    Enough for associations, and done in seconds. Parameters and errors are those of
    `read_patients`.
    """
    return CohortReading(
        cohort=patients.code,
        values=patients.values,
        log_odds=predicted_log_odds(model_set, model_set.samples(patients.expression)),
        slopes={},
        member_slopes={},
        genes=tuple(model_set.genes),
        purity=purity_of(patients.clinical),
    )


def predicted_log_odds(model_set: ModelSet, samples: Samples) -> dict[str, pd.DataFrame]:
    """Return what the ensemble and each of its models predict.

    Returns
    -------
    dict[str, DataFrame]
        Kind to (n_samples, n_drugs) calibrated log-odds of resistance, the ensemble first.

    Raises
    ------
    ConfigError
        If the set has no ensemble.
    """
    ensemble = _ensemble(model_set)
    names = samples.expression.samples
    chunks = [
        _log_odds(ensemble, samples.select(tuple(names[start : start + CHUNK])))
        for start in range(0, len(names), CHUNK)
    ]
    return {kind: _joined(chunks, kind) for kind in chunks[0]}


def purity_of(clinical: pd.DataFrame) -> Array:
    """Return (n_patients,) share of tumour cells, NaN where the record has none."""
    if PURITY not in clinical:
        return np.full(len(clinical), np.nan)
    return clinical[PURITY].to_numpy(float)


def attribution_slopes(attributions: Array, expression: pd.DataFrame) -> Array:
    """Return what one standard deviation more of each gene adds to the score.

    Parameters
    ----------
    attributions
        (..., n_patients, n_genes) attributions to the log-odds of resistance.
    expression
        (n_patients, n_genes) expression that was read, columns in the same order; NaN where not
        measured.

    Returns
    -------
    Array
        (..., n_genes) least-squares slopes on the gene's standardised expression; NaN for a gene
        that is not measured in all of them, or varies in fewer than ten.
    """
    z = standardise_genes(expression.to_numpy(float))
    slopes: Array = np.einsum("...ng,ng->...g", attributions, z) / len(z)
    return slopes


def general_resistance(log_odds: pd.DataFrame) -> pd.DataFrame:
    """Return how resistant each patient is to all other drugs than the one.

    Parameters
    ----------
    log_odds
        (n_patients, n_drugs) predicted log-odds of resistance, of two drugs or more.

    Returns
    -------
    pd.DataFrame
        (n_patients, n_drugs) mean of the standardised log-odds of the other drugs; a drug with
        the same log-odds for everybody says nothing and counts for nothing.
    """
    spread = log_odds.std(ddof=0)
    telling = log_odds.loc[:, spread > 1e-9]
    z = (telling - telling.mean()) / spread[telling.columns]
    own = z.reindex(columns=log_odds.columns, fill_value=0.0)
    n_others = telling.shape[1] - log_odds.columns.isin(telling.columns).astype(int)
    others: pd.DataFrame = own.rsub(z.sum(axis=1), axis=0).div(n_others, axis=1)
    return others


def _log_odds(ensemble: Ensemble, samples: Samples) -> dict[str, pd.DataFrame]:
    scores = {kind: part.score_members(samples) for kind, part in ensemble.parts_.items()}
    models: dict[str, CalibratedModel] = {ensemble.kind: ensemble, **ensemble.parts_}
    scores = {ensemble.kind: ensemble.combine(scores), **scores}
    return {kind: models[kind].predict_from(scores[kind], samples).log_odds for kind in models}


def _joined(chunks: Sequence[Mapping[str, pd.DataFrame]], kind: str) -> pd.DataFrame:
    return pd.concat([chunk[kind] for chunk in chunks])


def _ensemble(model_set: ModelSet) -> Ensemble:
    model = model_set.model(ENSEMBLE)
    assert isinstance(model, Ensemble)
    return model


def _few(samples: Samples) -> Samples:
    """Return some of the samples, evenly spaced."""
    names = samples.expression.samples
    n_chosen = min(N_FOR_MEMBERS, len(names))
    places = np.linspace(0, len(names) - 1, n_chosen).round().astype(int)
    return samples.select(tuple(names[place] for place in places))
