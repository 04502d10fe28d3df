"""Which genes carry a prediction: attributions that add up to the score.

Every model is explained on one scale, the calibrated log-odds of resistance: calibration is a
straight line from a model's score to its log-odds, so attributions of the score times the slope
are attributions of the log-odds. A gene that was not measured is read as the reference's mean;
what its attribution says is what that reading does (0 in the elastic net and the Res VAE).

- elastic net: exact, weight times value; base = a sample with every gene at the reference's mean.
- forests: TreeSHAP, path-dependent (Lundberg et al., Nature Machine Intelligence 2, 2020); base =
  the mean over training lines.
- Res VAE: integrated gradients (Sundararajan et al., ICML 2017) from every gene at the
  reference's mean, through the encoder where it reads an embedding. What a gene's rank within
  the sample adds is counted to that gene; the base has every rank at the reference's mean too.
- ensemble: the mean of its parts' attributions, which is exact because its score is the mean of
  theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from resvae_core.data.drugs import find_drug
from resvae_core.errors import ConfigError, InputDataError, UnknownDrugError
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.gradient_boosting import GradientBoosting
from resvae_core.models.random_forest import RandomForest
from resvae_core.models.resvae import GeneFunction, ResVAE

if TYPE_CHECKING:
    import torch

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]

UNIT = "log-odds of resistance"
TOLERANCE = 1e-3
"""How far base + attributions may be from the score."""
N_STEPS = (32, 128, 512)
"""Steps of the path integral, more only where fewer do not add up."""


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


def attribute(model: ResponseModel, samples: Samples, drug: str) -> Attribution:
    """Explain one model's score of one drug.

    Parameters
    ----------
    model
        A fitted model that reads expression.
    samples
        What is explained.
    drug
        Name or synonym.

    Raises
    ------
    ConfigError
        If the model is a floor, which reads no genes.
    UnknownDrugError
        If the drug is not known.
    """
    if not isinstance(model, CalibratedModel):
        raise ConfigError(
            f"{model.title!r} reads no genes, so there is nothing to attribute.",
            remedy="Choose a model that reads expression.",
        )
    name = find_drug(drug).name
    if name not in model.drugs_:
        raise UnknownDrugError(
            f"The model {model.kind!r} was not trained on {name}.",
            remedy=f"Choose one of its {len(model.drugs_)} drugs.",
        )
    number = model.drugs_.index(name)
    parts, base = _explain_score(model, samples, number)
    slope = float(model.calibration_.slope[number])
    parts, base = slope * parts, slope * base + float(model.calibration_.intercept[number])
    score = model.predict(samples).log_odds[name].to_numpy(float)
    error = float(np.abs(base + parts.sum(axis=1) - score).max())
    if error > TOLERANCE:
        raise InputDataError(
            f"The attributions miss the score of {name} by {error:.2g} log-odds; at most "
            f"{TOLERANCE:g} is accepted.",
            remedy="Check the sample's range verdict, or explain another model.",
        )
    table = _tidy(model, samples, parts, base, score)
    return Attribution(table, name, model.kind, _background(model, samples.reference), error)


def _explain_score(model: CalibratedModel, samples: Samples, drug: int) -> tuple[Array, Array]:
    """Return (n_samples, n_genes) attributions of the mean score, and (n_samples,) bases."""
    if isinstance(model, Ensemble):
        return _explain_mean(model, samples, drug)
    if isinstance(model, ResVAE):
        return _explain_networks(model, samples, drug)
    z = model.standardise(samples)
    if isinstance(model, ElasticNet):
        parts, base = _explain_linear(model, z, drug)
    elif isinstance(model, GradientBoosting):
        values = np.mean([model.contributions(k, z)[:, drug] for k in range(model.n_members)], 0)
        parts, base = values[:, :-1], float(values[0, -1])
    elif isinstance(model, RandomForest):
        parts, base = _explain_forest(model, z, drug)
    else:
        raise ConfigError(
            f"No explanation is known for models of kind {model.kind!r}.",
            remedy="Add one to resvae_core/explain/attribution.py.",
        )
    return parts, np.full(len(z), base)


def _explain_mean(model: Ensemble, samples: Samples, drug: int) -> tuple[Array, Array]:
    """Average over the parts, which all list the same genes in the same order."""
    explained = [_explain_score(part, samples, drug) for part in model.parts_.values()]
    parts, bases = zip(*explained, strict=True)
    return np.mean(parts, axis=0), np.mean(bases, axis=0)


def _explain_linear(model: ElasticNet, z: Matrix, drug: int) -> tuple[Array, float]:
    weights = model.weights_[:, :, drug].mean(axis=0).astype(float)
    return z * weights, float(model.intercept_[:, drug].mean())


def _explain_forest(model: RandomForest, z: Matrix, drug: int) -> tuple[Array, float]:
    import shap

    trees = [tree for forest in model.forests_ for tree in forest.trees_of(drug)]
    n_trees = len(trees)
    for tree in trees:
        tree["values"] = tree["values"] / n_trees
    document = {
        "internal_dtype": np.float64,
        "input_dtype": np.float32,
        "objective": "squared_error",
        "tree_output": "raw_value",
        "trees": trees,
    }
    explainer = shap.TreeExplainer(document, feature_perturbation="tree_path_dependent")
    values = np.asarray(explainer.shap_values(z, check_additivity=False), float)
    return values.reshape(z.shape), float(np.ravel(explainer.expected_value)[0])


def _explain_networks(model: ResVAE, samples: Samples, drug: int) -> tuple[Array, Array]:
    import torch

    features = model.gene_features(samples)
    measured = samples.expression.values.reindex(columns=list(model.genes_)).notna()
    inputs = (torch.from_numpy(features), torch.from_numpy(measured.to_numpy(np.float32)))
    explained = [
        [_integrate(function, inputs, drug) for function in functions]
        for functions in model.gene_functions(samples.reference)
    ]
    parts = [np.mean([part for part, _ in member], axis=0) for member in explained]
    bases = [np.mean([base for _, base in member], axis=0) for member in explained]
    by_gene = np.mean(parts, axis=0).reshape(len(features), -1, len(model.genes_)).sum(axis=1)
    return by_gene, np.mean(bases, axis=0)


def _integrate(
    function: GeneFunction, inputs: tuple[torch.Tensor, torch.Tensor], drug: int
) -> tuple[Array, Array]:
    """Return one network's integrated gradients and its response where every feature is 0."""
    import torch
    from captum.attr import IntegratedGradients

    z, measured = inputs
    zero = torch.zeros_like(z)
    with torch.no_grad():
        base = function(zero, measured)[:, drug]
        score = function(z, measured)[:, drug]
    method = IntegratedGradients(function)
    for n_steps in N_STEPS:
        values = method.attribute(
            z,
            baselines=zero,
            target=drug,
            additional_forward_args=(measured,),
            n_steps=n_steps,
            method="gausslegendre",
            internal_batch_size=4096,
        )
        if float((base + values.sum(dim=1) - score).abs().max()) < TOLERANCE / 10:
            break
    return values.detach().numpy().astype(float), base.numpy().astype(float)


def _tidy(
    model: CalibratedModel, samples: Samples, parts: Array, base: Array, score: Array
) -> pd.DataFrame:
    names, genes = samples.expression.samples, list(model.genes_)
    values = samples.expression.values.reindex(columns=genes).to_numpy(float)
    return pd.DataFrame(
        {
            "sample": np.repeat(names, len(genes)),
            "gene": np.tile(genes, len(names)),
            "value": values.ravel(),
            "attribution": parts.ravel(),
            "base": np.repeat(base, len(genes)),
            "score": np.repeat(score, len(genes)),
            "unit": UNIT,
        }
    )


def _background(model: CalibratedModel, reference: str) -> str:
    if isinstance(model, (GradientBoosting, RandomForest)):
        return "the mean over the training cell lines"
    return f"a sample with every gene at the mean of the reference ({reference.replace('_', ' ')})"
