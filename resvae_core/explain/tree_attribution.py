"""Shapley values of tree models, drug by drug (TreeSHAP).

Lundberg et al., Nature Machine Intelligence 2, 2020. Without a background they are path-dependent:
a gene that is left out follows both branches, by the share of training lines that went each way,
so the base is the mean over the training lines. With a background profile they are interventional:
a gene that is left out takes the profile's value, so the base is the profile's own score.

XGBoost computes the same values for all drugs at once. Here only one drug's trees are walked, as a
cohort needs it; the two agree to the last digits of single precision.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from resvae_core.models.calibrated import Array, Matrix
from resvae_core.models.flat_forest import FlatForest
from resvae_core.models.gradient_boosting import GradientBoosting
from resvae_core.models.random_forest import RandomForest

if TYPE_CHECKING:
    import xgboost as xgb

Tree = dict[str, NDArray[Any]]
TreeModel = RandomForest | GradientBoosting

_CONVERTED: WeakKeyDictionary[xgb.Booster, FlatForest] = WeakKeyDictionary()
"""Boosters as flat arrays, for as long as the booster lives: reading one takes a third of a
second."""


def explain_trees(
    model: TreeModel, z: Matrix, drugs: Sequence[int], background: Matrix | None = None
) -> tuple[Array, Array]:
    """Attribute the mean score of the members to genes.

    Parameters
    ----------
    model
        Fitted.
    z
        (n_samples, n_genes) standardised expression.
    drugs
        Positions of drugs in the model's order.
    background
        (1, n_genes) standardised profile; the training lines where None.

    Returns
    -------
    values
        (n_drugs, n_samples, n_genes).
    base
        (n_drugs, n_samples).
    """
    explained = [
        _shapley(
            [tree for k in range(model.n_members) for tree in member_trees(model, k, drug)],
            z,
            background,
        )
        for drug in drugs
    ]
    values, base = zip(*explained, strict=True)
    return (
        np.stack(values) / model.n_members,
        np.stack([np.full(len(z), one / model.n_members) for one in base]),
    )


def explain_tree_members(
    model: TreeModel, z: Matrix, drug: int, background: Matrix | None = None
) -> Array:
    """Return (n_members, n_samples, n_genes) attributions of each member's score of one drug."""
    return np.stack(
        [_shapley(member_trees(model, k, drug), z, background)[0] for k in range(model.n_members)]
    )


def member_trees(model: TreeModel, member: int, drug: int) -> list[Tree]:
    """Return one drug's trees of a member, in scikit-learn's layout; their sum is its score."""
    if isinstance(model, GradientBoosting):
        return flat_booster(model.boosters_[member]).trees_of(drug)
    trees = model.forests_[member].trees_of(drug)
    return [tree | {"values": tree["values"] / len(trees)} for tree in trees]


def flat_booster(booster: xgb.Booster) -> FlatForest:
    """Return the trees of a booster that was fitted with a masked squared error.

    There the curvature of a measured pair is 1, so a node's sum of curvatures is the number of its
    training lines, and the base score is 0.
    """
    if booster not in _CONVERTED:
        document = json.loads(bytes(booster.save_raw("json")))
        model = document["learner"]["gradient_booster"]["model"]
        _CONVERTED[booster] = _flatten(model["trees"], model["tree_info"])
    return _CONVERTED[booster]


def _flatten(trees: Sequence[dict[str, Any]], drugs: Sequence[int]) -> FlatForest:
    def column(name: str) -> NDArray[Any]:
        return np.concatenate([tree[name] for tree in trees])

    left = column("left_children")
    is_leaf = left < 0
    # XGBoost makes siblings in pairs, which is what one offset a node relies on
    assert (is_leaf | (column("right_children") == left + 1)).all()
    number = column("split_conditions").astype(np.float32)
    below = np.nextafter(number, np.float32(-np.inf))  # goes left where less, not where equal
    sizes = [len(tree["left_children"]) for tree in trees]
    return FlatForest(
        np.where(is_leaf, 0, column("split_indices")).astype(np.int16),
        np.where(is_leaf, 0.0, below).astype(np.float32),
        np.where(is_leaf, 0, left).astype(np.uint8),
        np.where(is_leaf, number, 0.0).astype(np.float32),
        column("sum_hessian").astype(np.int16),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        np.asarray(drugs, np.int16),
    )


def _shapley(trees: list[Tree], z: Matrix, background: Matrix | None) -> tuple[Array, float]:
    """Return (n_samples, n_genes) Shapley values of the sum of trees, and their base."""
    import shap

    document = {
        "internal_dtype": np.float64,
        "input_dtype": np.float32,
        "objective": "squared_error",
        "tree_output": "raw_value",
        "trees": trees,
    }
    way = "tree_path_dependent" if background is None else "interventional"
    explainer = shap.TreeExplainer(document, data=background, feature_perturbation=way)
    values = np.asarray(explainer.shap_values(z, check_additivity=False), float)
    return values.reshape(z.shape), float(np.ravel(explainer.expected_value)[0])
