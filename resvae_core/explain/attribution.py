"""Which genes carry a prediction: attributions that add up to the score.

Every model is explained on one scale, the calibrated log-odds of resistance: calibration is a
straight line from a model's score to its log-odds, so attributions of the score times the slope
are attributions of the log-odds. A gene that was not measured is read as the reference's mean;
what its attribution says is what that reading does (0 in the elastic net and the Res VAE).

- elastic net: exact, weight times value; base = a sample with every gene at the reference's mean.
- forests: TreeSHAP, path-dependent (Lundberg et al., Nature Machine Intelligence 2, 2020); base =
  the mean over training lines.
- Res VAE: integrated gradients (Sundararajan et al., ICML 2017) from every gene at the
  reference's mean.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from resvae_core.data.drugs import find_drug
from resvae_core.errors import ConfigError, InputDataError, UnknownDrugError
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.cross_fitted import CrossFittedModel
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.gradient_boosting import GradientBoosting
from resvae_core.models.random_forest import RandomForest
from resvae_core.models.resvae import ResVAE

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
    if not isinstance(model, CrossFittedModel):
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
    z = model.standardise(samples)
    parts, base = _explain_score(model, z, number)
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


def _explain_score(model: CrossFittedModel, z: Matrix, drug: int) -> tuple[Array, float]:
    """Return (n_samples, n_genes) attributions of the mean member score, and their base."""
    if isinstance(model, ElasticNet):
        return _explain_linear(model, z, drug)
    if isinstance(model, GradientBoosting):
        members = [model.contributions(k, z)[:, drug] for k in range(model.n_members)]
        values = np.mean(members, axis=0)
        return values[:, :-1], float(values[0, -1])
    if isinstance(model, RandomForest):
        return _explain_forest(model, z, drug)
    if isinstance(model, ResVAE):
        return _explain_network(model, z, drug)
    raise ConfigError(
        f"No explanation is known for models of kind {model.kind!r}.",
        remedy="Add one to resvae_core/explain/attribution.py.",
    )


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


def _explain_network(model: ResVAE, z: Matrix, drug: int) -> tuple[Array, float]:
    import torch
    from captum.attr import IntegratedGradients

    inputs = torch.from_numpy(z)
    zero = torch.zeros_like(inputs[:1])
    parts, bases = [], []
    for network in model.networks_:
        method = IntegratedGradients(network.response)
        device = next(network.parameters()).device
        with torch.inference_mode():
            base = float(network.response(zero.to(device))[0, drug])
            score = network.response(inputs.to(device))[:, drug].cpu()
        for n_steps in N_STEPS:
            values = method.attribute(
                inputs.to(device),
                baselines=zero.to(device),
                target=drug,
                n_steps=n_steps,
                method="gausslegendre",
                internal_batch_size=4096,
            ).cpu()
            if float((base + values.sum(dim=1) - score).abs().max()) < TOLERANCE / 10:
                break
        parts.append(values.detach().numpy())
        bases.append(base)
    return np.mean(parts, axis=0).astype(float), float(np.mean(bases))


def _tidy(
    model: CrossFittedModel, samples: Samples, parts: Array, base: float, score: Array
) -> pd.DataFrame:
    names, genes = samples.expression.samples, list(model.genes_)
    values = samples.expression.values.reindex(columns=genes).to_numpy(float)
    return pd.DataFrame(
        {
            "sample": np.repeat(names, len(genes)),
            "gene": np.tile(genes, len(names)),
            "value": values.ravel(),
            "attribution": parts.ravel(),
            "base": base,
            "score": np.repeat(score, len(genes)),
            "unit": UNIT,
        }
    )


def _background(model: CrossFittedModel, reference: str) -> str:
    if isinstance(model, (GradientBoosting, RandomForest)):
        return "the mean over the training cell lines"
    return f"a sample with every gene at the mean of the reference ({reference.replace('_', ' ')})"
