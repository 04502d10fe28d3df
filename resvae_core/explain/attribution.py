"""Which genes carry a prediction: attributions that add up to the score.

Every model is explained on one scale, the calibrated log-odds of resistance: calibration is a
straight line from a model's score to its log-odds, so attributions of the score times the slope
are attributions of the log-odds. A gene that was not measured is read as the reference's mean;
what its attribution says is what that reading does (0 in the elastic net and the Res VAE, as long
as no other background is chosen).

- elastic net: exact, weight times value; base = a sample with every gene at the reference's mean.
- forests: TreeSHAP, see `tree_attribution`; base = the mean over training lines.
- Res VAE: integrated gradients, see `network_attribution`, from every gene at the reference's
  mean, through the encoder where it reads an embedding; the base has every rank at the reference's
  mean too.
- ensemble: the mean of its parts' attributions, which is exact because its score is the mean of
  theirs.

Another background, such as a cohort's mean profile, takes the place of those bases in all models:
the base is then the model's score of that profile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from resvae_core.data.drugs import find_drug
from resvae_core.errors import ConfigError, InputDataError, UnknownDrugError
from resvae_core.explain.network_attribution import explain_network_members, explain_networks
from resvae_core.explain.tree_attribution import explain_tree_members, explain_trees
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.gradient_boosting import GradientBoosting
from resvae_core.models.model_set import ModelSet
from resvae_core.models.random_forest import RandomForest
from resvae_core.models.resvae import ResVAE
from resvae_core.tables import Expression

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]
Progress = Callable[[int, int], None]

UNIT = "log-odds of resistance"
TOLERANCE = 1e-3
"""How far base + attributions may be from the score."""
CHUNK = 64
"""Samples that are explained at a time where there are many."""


@dataclass(frozen=True)
class Background:
    """A profile that samples are compared with, in place of the model's own base.

    Parameters
    ----------
    name
        Short, for tables: for example the code of a cohort.
    words
        What the profile is, for readers.
    profile
        One sample in log2(TPM + 1), read with the same reference as what is explained. A gene that
        it lacks is read as the reference's mean.

    Raises
    ------
    InputDataError
        If the profile is not one sample.
    """

    name: str
    words: str
    profile: Expression

    def __post_init__(self) -> None:
        if len(self.profile.values) != 1:
            raise InputDataError(
                f"The background {self.name!r} has {len(self.profile.values)} profiles; one was "
                "expected.",
                remedy="Average them first: Background.mean_of().",
            )

    @classmethod
    def mean_of(cls, name: str, cohort: Expression) -> Background:
        """Return the mean profile of a cohort: each gene's mean of log2(TPM + 1) where measured."""
        profile = cohort.values.mean(axis=0).astype(np.float32).to_frame(f"mean of {name}").T
        words = f"the mean profile of {name} ({len(cohort.values)} samples)"
        return cls(name, words, Expression(profile))


@dataclass(frozen=True)
class Parts:
    """Attributions of one model's score of one drug, on the log-odds scale.

    Parameters
    ----------
    values
        (n_samples, n_genes), columns = the model's ``genes_``.
    base, score
        (n_samples,); base + sum of a row's values = score within `TOLERANCE`.
    """

    values: Array
    base: Array
    score: Array

    @property
    def completeness_error(self) -> float:
        """Largest gap between base + attributions and score over the samples."""
        return float(np.abs(self.base + self.values.sum(axis=1) - self.score).max())


@dataclass(frozen=True)
class Attribution:
    """Why a model gives a drug its score, for some samples.

    Parameters
    ----------
    table
        One row a sample and gene of the model: ``sample``, ``gene``, ``value`` (log2(TPM + 1), NaN
        where not measured), ``attribution``, ``base``, ``score``, ``unit``. For each sample,
        base + sum of attributions = score within `TOLERANCE`.
    drug, model
        Whose score is explained.
    background
        What the base stands for, in words.
    completeness_error
        Largest gap between base + attributions and score over the samples.
    """

    table: pd.DataFrame
    drug: str
    model: str
    background: str
    completeness_error: float

    def probability(self, sample: str) -> float:
        """Return the probability that the sample's attributions add up to."""
        score = self.table.loc[self.table["sample"] == sample, "score"]
        return float(expit(score.iloc[0]))


def attribute(
    model: ResponseModel, samples: Samples, drug: str, *, background: Background | None = None
) -> Attribution:
    """Explain one model's score of one drug.

    Parameters
    ----------
    model
        A fitted model that reads expression.
    samples
        What is explained.
    drug
        Name or synonym.
    background
        What samples are compared with; the model's own base where None.

    Raises
    ------
    ConfigError
        If the model is a floor, which reads no genes.
    UnknownDrugError
        If the drug is not known.
    InputDataError
        If attributions do not add up to the score.
    """
    parts = attribution_matrix(model, samples, drug, background=background)
    return _tell(_readable(model), samples, find_drug(drug).name, parts, background)


def attribute_set(
    model_set: ModelSet,
    samples: Samples,
    drug: str,
    *,
    kinds: Sequence[str] | None = None,
    background: Background | None = None,
) -> dict[str, Attribution]:
    """Explain several models' scores of one drug; the ensemble takes over what its parts say.

    Parameters
    ----------
    model_set
        Fitted models.
    kinds
        Which of them; all learned models where None.
    samples, drug, background
        See `attribute`.

    Returns
    -------
    dict
        Kind to explanation, in the order of `kinds`.

    Raises
    ------
    ConfigError, UnknownDrugError, InputDataError
        As `attribute`.
    """
    models = _models(model_set, kinds)
    name = find_drug(drug).name
    found = _explain_models(models, samples, [name], background)
    return {
        kind: _tell(model, samples, name, found[kind, name], background)
        for kind, model in models.items()
    }


def attribution_matrix(
    model: ResponseModel, samples: Samples, drug: str, *, background: Background | None = None
) -> Parts:
    """Explain one model's score of one drug as arrays; parameters and errors as `attribute`."""
    readable = _readable(model)
    name = find_drug(drug).name
    return _explain_models({model.kind: readable}, samples, [name], background)[model.kind, name]


def matrices_of_set(
    model_set: ModelSet,
    samples: Samples,
    drugs: Sequence[str],
    *,
    kinds: Sequence[str] | None = None,
    background: Background | None = None,
    progress: Progress = lambda done, total: None,
) -> dict[tuple[str, str], Parts]:
    """Explain several models' scores of several drugs for many samples, a few at a time.

    What the drugs of a model have in common is computed once.

    Parameters
    ----------
    model_set, kinds, samples, background
        See `attribute_set`.
    drugs
        Names or synonyms.
    progress
        Called with (samples done, samples in total) after each chunk, and once before the first.

    Returns
    -------
    dict
        (kind, name of the drug) to what `attribution_matrix` gives.

    Raises
    ------
    ConfigError, UnknownDrugError, InputDataError
        As `attribute`.
    """
    models = _models(model_set, kinds)
    names = list(dict.fromkeys(find_drug(drug).name for drug in drugs))
    everyone = samples.expression.samples
    chunks = []
    progress(0, len(everyone))
    for start in range(0, len(everyone), CHUNK):
        chosen = samples.select(tuple(everyone[start : start + CHUNK]))
        chunks.append(_explain_models(models, chosen, names, background))
        progress(min(start + CHUNK, len(everyone)), len(everyone))
    return {key: _join([chunk[key] for chunk in chunks]) for key in chunks[0]}


def member_matrices(
    model: ResponseModel, samples: Samples, drug: str, *, background: Background | None = None
) -> Array:
    """Explain each member's score of one drug.

    A member was fitted without one fold of the training lines; the mean over members is what
    `attribution_matrix` gives. Parameters and errors are those of `attribute`.

    Returns
    -------
    ndarray
        (n_members, n_samples, n_genes) log-odds of resistance.
    """
    readable = _readable(model)
    return _explain_members({model.kind: readable}, samples, drug, background)[model.kind]


def member_matrices_of_set(
    model_set: ModelSet,
    samples: Samples,
    drug: str,
    *,
    kinds: Sequence[str] | None = None,
    background: Background | None = None,
) -> dict[str, Array]:
    """Explain the members of several models; the ensemble takes over what its parts say.

    Returns kind to what `member_matrices` gives. Parameters and errors as `attribute_set`.
    """
    return _explain_members(_models(model_set, kinds), samples, drug, background)


def _readable(model: ResponseModel) -> CalibratedModel:
    if not isinstance(model, CalibratedModel):
        raise ConfigError(
            f"{model.title!r} reads no genes, so there is nothing to attribute.",
            remedy="Choose a model that reads expression.",
        )
    return model


def _models(model_set: ModelSet, kinds: Sequence[str] | None) -> dict[str, CalibratedModel]:
    chosen = model_set.learned if kinds is None else kinds
    return {kind: _readable(model_set.model(kind)) for kind in chosen}


def _single(models: Mapping[str, CalibratedModel]) -> dict[str, CalibratedModel]:
    """Return the models with those that an ensemble among them averages, and not the ensemble."""
    single: dict[str, CalibratedModel] = {}
    for kind, model in models.items():
        single |= model.parts_ if isinstance(model, Ensemble) else {kind: model}
    return single


def _positions(model: CalibratedModel, drugs: Sequence[str]) -> list[int]:
    unknown = [name for name in drugs if name not in model.drugs_]
    if unknown:
        raise UnknownDrugError(
            f"The model {model.kind!r} was not trained on {unknown[0]}.",
            remedy=f"Choose one of its {len(model.drugs_)} drugs.",
        )
    return [model.drugs_.index(name) for name in drugs]


def _explain_models(
    models: Mapping[str, CalibratedModel],
    samples: Samples,
    drugs: Sequence[str],
    background: Background | None,
) -> dict[tuple[str, str], Parts]:
    """Explain models and drugs together; see `matrices_of_set`."""
    explained, scores = {}, {}
    for kind, model in _single(models).items():
        explained[kind] = _explain_score(model, samples, _positions(model, drugs), background)
        scores[kind] = model.score_members(samples).mean(axis=0)
    parts = {}
    for kind, model in models.items():
        own = tuple(model.parts_) if isinstance(model, Ensemble) else (kind,)
        values, base = (np.mean([explained[k][i] for k in own], axis=0) for i in (0, 1))
        score = np.mean([scores[k] for k in own], axis=0)
        for place, (name, number) in enumerate(zip(drugs, _positions(model, drugs), strict=True)):
            slope, intercept = _calibration(model, number)
            parts[kind, name] = Parts(
                slope * values[place],
                slope * base[place] + intercept,
                slope * score[:, number] + intercept,
            )
            _check(parts[kind, name], name)
    return parts


def _explain_score(
    model: CalibratedModel,
    samples: Samples,
    drugs: Sequence[int],
    background: Background | None,
) -> tuple[Array, Array]:
    """Return (n_drugs, n_samples, n_genes) parts of the mean score, (n_drugs, n_samples) bases."""
    if isinstance(model, ResVAE):
        profile = None if background is None else background.profile
        return explain_networks(model, samples, drugs, profile)
    z, start = _standardised(model, samples, background)
    if isinstance(model, (RandomForest, GradientBoosting)):
        return explain_trees(model, z, drugs, start)
    if isinstance(model, ElasticNet):
        each = [_explain_linear(model, z, drug, start) for drug in drugs]
        base = [_linear_base(model, len(z), drug, start) for drug in drugs]
        return np.stack(each).mean(axis=1), np.stack(base)
    raise _unexplained(model)


def _explain_members(
    models: Mapping[str, CalibratedModel],
    samples: Samples,
    drug: str,
    background: Background | None,
) -> dict[str, Array]:
    name = find_drug(drug).name
    explained = {
        kind: _explain_score_of_members(model, samples, _positions(model, [name])[0], background)
        for kind, model in _single(models).items()
    }
    found: dict[str, Array] = {}
    for kind, model in models.items():
        own = tuple(model.parts_) if isinstance(model, Ensemble) else (kind,)
        slope, _ = _calibration(model, _positions(model, [name])[0])
        found[kind] = slope * np.mean([explained[k] for k in own], axis=0)
    return found


def _explain_score_of_members(
    model: CalibratedModel, samples: Samples, drug: int, background: Background | None
) -> Array:
    """Return (n_members, n_samples, n_genes) parts of each member's score."""
    if isinstance(model, ResVAE):
        profile = None if background is None else background.profile
        return explain_network_members(model, samples, drug, profile)
    z, start = _standardised(model, samples, background)
    if isinstance(model, (RandomForest, GradientBoosting)):
        return explain_tree_members(model, z, drug, start)
    if isinstance(model, ElasticNet):
        return _explain_linear(model, z, drug, start)
    raise _unexplained(model)


def _explain_linear(model: ElasticNet, z: Matrix, drug: int, start: Matrix | None) -> Array:
    """Return (n_members, n_samples, n_genes) weight times the way from the background."""
    way = z.astype(float) - (0.0 if start is None else start)
    parts: Array = way * model.weights_[:, None, :, drug]
    return parts


def _linear_base(model: ElasticNet, n: int, drug: int, start: Matrix | None) -> Array:
    """Return (n,) mean scores of the background."""
    base = float(model.intercept_[:, drug].mean())
    if start is not None:
        base += float((start[0].astype(float) @ model.weights_[:, :, drug].T).mean())
    return np.full(n, base)


def _standardised(
    model: CalibratedModel, samples: Samples, background: Background | None
) -> tuple[Matrix, Matrix | None]:
    """Return (n_samples, n_genes) z-scores of samples and (1, n_genes) of the background."""
    z = model.standardise(samples)
    if background is None:
        return z, None
    return z, model.standardise(Samples(background.profile, reference=samples.reference))


def _calibration(model: CalibratedModel, drug: int) -> tuple[float, float]:
    """Return slope and intercept from a drug's score to its log-odds."""
    return float(model.calibration_.slope[drug]), float(model.calibration_.intercept[drug])


def _unexplained(model: CalibratedModel) -> ConfigError:
    return ConfigError(
        f"No explanation is known for models of kind {model.kind!r}.",
        remedy="Add one to resvae_core/explain/attribution.py.",
    )


def _check(parts: Parts, drug: str) -> None:
    if parts.completeness_error > TOLERANCE:
        raise InputDataError(
            f"The attributions miss the score of {drug} by {parts.completeness_error:.2g} "
            f"log-odds; at most {TOLERANCE:g} is accepted.",
            remedy="Check the sample's range verdict, or explain another model.",
        )


def _join(chunks: Sequence[Parts]) -> Parts:
    return Parts(
        np.concatenate([chunk.values for chunk in chunks]),
        np.concatenate([chunk.base for chunk in chunks]),
        np.concatenate([chunk.score for chunk in chunks]),
    )


def _tell(
    model: CalibratedModel,
    samples: Samples,
    drug: str,
    parts: Parts,
    background: Background | None,
) -> Attribution:
    names, genes = samples.expression.samples, list(model.genes_)
    values = samples.expression.values.reindex(columns=genes).to_numpy(float)
    table = pd.DataFrame(
        {
            "sample": np.repeat(names, len(genes)),
            "gene": np.tile(genes, len(names)),
            "value": values.ravel(),
            "attribution": parts.values.ravel(),
            "base": np.repeat(parts.base, len(genes)),
            "score": np.repeat(parts.score, len(genes)),
            "unit": UNIT,
        }
    )
    words = _base_in_words(model, samples.reference, background)
    return Attribution(table, drug, model.kind, words, parts.completeness_error)


def _base_in_words(model: CalibratedModel, reference: str, background: Background | None) -> str:
    of_reference = f"every gene at the mean of the reference ({reference.replace('_', ' ')})"
    of_lines = "the mean over the training cell lines"
    if background is not None:
        measured = background.profile.values.notna().iloc[0]
        lacking = sum(not measured.get(gene, False) for gene in model.genes_)
        if not lacking:
            return background.words
        return f"{background.words}; {lacking} genes that it lacks are at the reference's mean"
    if isinstance(model, (GradientBoosting, RandomForest)):
        return of_lines
    if isinstance(model, Ensemble):
        return f"for the trees {of_lines}, for the networks a sample with {of_reference}"
    return f"a sample with {of_reference}"
