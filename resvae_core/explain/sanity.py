"""Whether attributions say something of the model: they must change when the model is destroyed.

Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018: an explanation that stays the same
when the weights are randomised describes the sample, not the model. Two checks, each a rank
correlation (Spearman) over genes between two explanations of the same sample: the weights
permuted, and the model fitted again to permuted labels.

Signed attributions are judged. Their sizes alone (absolute values) stay correlated to some degree
even in a random model, because an unusual expression value moves any model more: that correlation
is shown beside the signed one and not judged.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from resvae_core.compute import derive_seed
from resvae_core.encoders.base import Encoder
from resvae_core.encoders.shipped import ShippedEncoder
from resvae_core.errors import ConfigError, InputDataError
from resvae_core.explain.attribution import attribution_matrix
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.flat_forest import FlatForest
from resvae_core.models.gradient_boosting import GradientBoosting
from resvae_core.models.random_forest import RandomForest
from resvae_core.models.resvae import ResVAE

if TYPE_CHECKING:
    import torch
    import xgboost as xgb

Array = NDArray[np.float64]
Anything = TypeVar("Anything")

LIMIT = 0.2
"""Mean rank correlation with a destroyed model below which attributions pass."""
COLUMNS = ["model", "drug", "spearman", "largest", "spearman_of_sizes", "n_samples"]


@dataclass(frozen=True)
class Likeness:
    """How alike two explanations of the same samples are, over genes.

    Parameters
    ----------
    signed, of_sizes
        (n_samples,) Spearman correlation of attributions, and of their absolute values; NaN where
        one of the two is the same for every gene.
    """

    signed: Array
    of_sizes: Array


def compare_models(
    one: ResponseModel, other: ResponseModel, samples: Samples, drug: str
) -> Likeness:
    """Compare how two models of the same genes explain the same samples and drug.

    Scores are explained before their calibration. It is a factor that ranks do not see, but for a
    model that has learned nothing it is 0: such a model attributes nothing to any gene.

    Parameters
    ----------
    one, other
        Fitted: a model and a randomised copy of it, or one that was fitted to permuted labels or
        with another seed.

    Raises
    ------
    InputDataError
        If they do not read the same genes in the same order.
    """
    if one.genes_ != other.genes_:
        raise InputDataError(
            "The two models to be compared read different genes.",
            remedy="Compare models that were fitted on the same data.",
        )
    plain = [_uncalibrated(model) for model in (one, other)]
    return likeness(*(attribution_matrix(model, samples, drug).values for model in plain))


def likeness(one: Array, other: Array) -> Likeness:
    """Compare two explanations, each (n_samples, n_genes)."""
    return Likeness(_spearman(one, other), _spearman(np.abs(one), np.abs(other)))


def comparison_table(
    ones: Mapping[str, ResponseModel],
    others: Mapping[str, ResponseModel],
    samples: Samples,
    drugs: Sequence[str],
) -> pd.DataFrame:
    """Compare models with their destroyed or refitted twins.

    Parameters
    ----------
    ones, others
        Kind to model; kinds of `ones` are compared.
    samples, drugs
        What is explained.

    Returns
    -------
    DataFrame
        One row a model and drug. Columns ``model``, ``drug``, ``spearman`` (mean over samples, of
        signed attributions: what is judged), ``largest`` (of the samples, whatever its sign),
        ``spearman_of_sizes`` (mean, of absolute attributions), ``n_samples``.
    """
    rows = []
    for kind, model in ones.items():
        for drug in drugs:
            alike = compare_models(model, others[kind], samples, drug)
            rows.append(
                (
                    kind,
                    drug,
                    float(alike.signed.mean()),
                    float(alike.signed[np.abs(alike.signed).argmax()]),
                    float(alike.of_sizes.mean()),
                    len(alike.signed),
                )
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def randomise(model: ResponseModel, seed: int = 0) -> CalibratedModel:
    """Return a copy of a fitted model that has forgotten what it learned of genes and drugs.

    Everything that was learned is permuted: every weight of a network (its encoder of expression
    and its head among them), which gene a tree splits on and what its leaves say, the weights of
    the elastic net. Moments and calibration stay, so that it reads and answers on the same scales.

    Parameters
    ----------
    model
        Fitted; it is not changed.
    seed
        Decides the permutations.

    Raises
    ------
    ConfigError
        If nothing is known of how to randomise such a model.
    """
    rng = np.random.default_rng(derive_seed("randomised", model.kind, seed))
    random = _twin(model)
    if isinstance(random, Ensemble):
        parts = {kind: randomise(part, seed) for kind, part in random.parts_.items()}
        random.parts_ = dict(parts)
    elif isinstance(random, ResVAE):
        random.encoder_ = None if random.encoder_ is None else _random_encoder(random.encoder_, rng)
        random.networks_ = [
            [_random_network(network, rng) for network in networks] for networks in random.networks_
        ]
    elif isinstance(random, RandomForest):
        random.forests_ = [_random_forest(forest, rng) for forest in random.forests_]
    elif isinstance(random, GradientBoosting):
        random.boosters_ = [_random_booster(booster, rng) for booster in random.boosters_]
    elif isinstance(random, ElasticNet):
        random.weights_ = rng.permuted(random.weights_, axis=1)
    else:
        raise ConfigError(
            f"Nothing is known of how to randomise models of kind {model.kind!r}.",
            remedy="Add it to resvae_core/explain/sanity.py.",
        )
    return random


def _twin(original: Anything) -> Anything:
    """Return an object with the same attributes; setting one of the twin's leaves the original."""
    twin = object.__new__(type(original))
    vars(twin).update(vars(original))
    return twin


def _uncalibrated(model: ResponseModel) -> ResponseModel:
    """Return a copy of a model whose log-odds are its score."""
    if not isinstance(model, CalibratedModel):
        return model
    plain = _twin(model)
    slope = np.ones_like(model.calibration_.slope)
    plain.calibration_ = replace(model.calibration_, slope=slope, intercept=0 * slope)
    return plain


def _random_network(network: Any, rng: np.random.Generator) -> Any:
    """Return a copy of a torch module whose weights are permuted, each tensor in itself."""
    import torch

    random = copy.deepcopy(network)
    with torch.no_grad():
        for tensor in random.state_dict().values():
            if tensor.is_floating_point() and tensor.numel() > 1:
                tensor.copy_(_permuted(tensor, rng))
    return random


def _permuted(tensor: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    order = rng.permutation(tensor.numel())
    return tensor.flatten()[order].reshape(tensor.shape)


def _random_encoder(encoder: Encoder, rng: np.random.Generator) -> Encoder:
    if not isinstance(encoder, ShippedEncoder):
        raise ConfigError(
            f"Nothing is known of how to randomise the encoder {encoder.name!r}.",
            remedy="Add it to resvae_core/explain/sanity.py.",
        )
    random = _twin(encoder)
    random._network = _random_network(encoder._network, rng)
    return random


def _random_forest(forest: FlatForest, rng: np.random.Generator) -> FlatForest:
    leaf = forest.left == 0
    feature, value = forest.feature.copy(), forest.value.copy()
    feature[~leaf] = rng.permutation(feature[~leaf])
    tree = np.searchsorted(forest.root, np.arange(len(leaf)), side="right") - 1
    for drug in np.unique(forest.drug):
        own = leaf & (forest.drug[tree] == drug)
        value[own] = rng.permutation(value[own])
    return replace(forest, feature=feature, value=value)


def _random_booster(booster: xgb.Booster, rng: np.random.Generator) -> xgb.Booster:
    import xgboost as xgb

    document = json.loads(bytes(booster.save_raw("json")))
    trees = document["learner"]["gradient_booster"]["model"]["trees"]
    _permute_nodes(trees, "split_indices", rng, leaves=False)
    _permute_nodes(trees, "split_conditions", rng, leaves=True)
    random = xgb.Booster({"nthread": 1})
    random.load_model(bytearray(json.dumps(document).encode()))
    return random


def _permute_nodes(
    trees: list[dict[str, Any]], column: str, rng: np.random.Generator, *, leaves: bool
) -> None:
    """Permute what the leaves, or the other nodes, of all trees hold in a column, in place."""
    places = [
        (tree[column], node)
        for tree in trees
        for node, left in enumerate(tree["left_children"])
        if (left < 0) == leaves
    ]
    held = [values[node] for values, node in places]
    for (values, node), source in zip(places, rng.permutation(len(held)), strict=True):
        values[node] = held[source]


def _spearman(one: Array, other: Array) -> Array:
    """Return (n_samples,) rank correlations over the genes, NaN where a side has one value."""
    first, second = (rankdata(values, axis=1) for values in (one, other))
    first, second = (ranks - ranks.mean(axis=1, keepdims=True) for ranks in (first, second))
    scale = np.sqrt(np.square(first).sum(axis=1) * np.square(second).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Array = (first * second).sum(axis=1) / scale
    return found
