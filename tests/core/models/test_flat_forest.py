from __future__ import annotations

import numpy as np
import pytest
from sklearn.ensemble import RandomForestRegressor

from resvae_core.errors import ConfigError
from resvae_core.models.flat_forest import flatten


def forests(max_leaf_nodes: int = 32) -> tuple[list[RandomForestRegressor], np.ndarray]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(300, 12)).astype(np.float32)
    targets = [z[:, 0] + z[:, 1] ** 2, np.sin(z[:, 2]) - z[:, 3]]
    fitted = [
        RandomForestRegressor(
            n_estimators=7, max_leaf_nodes=max_leaf_nodes, random_state=number
        ).fit(z, target)
        for number, target in enumerate(targets)
    ]
    return fitted, rng.normal(size=(50, 12)).astype(np.float32)


def test_predictions_match_scikit_learn() -> None:
    fitted, z = forests()
    trees = [tree.tree_ for forest in fitted for tree in forest.estimators_]
    flat = flatten(trees, [0] * 7 + [1] * 7)
    expected = np.column_stack([forest.predict(z) for forest in fitted])
    assert np.allclose(flat.predict(z, 2), expected, atol=1e-5)


def test_trees_handed_to_tree_shap_keep_their_rows() -> None:
    fitted, _ = forests()
    flat = flatten([tree.tree_ for tree in fitted[0].estimators_], [0] * 7)
    for ours, theirs in zip(flat.trees_of(0), fitted[0].estimators_, strict=True):
        leaves = ours["children_left"] < 0
        assert leaves.sum() == theirs.get_n_leaves()
        assert ours["node_sample_weight"][leaves].sum() == ours["node_sample_weight"][0]


def test_trees_that_do_not_fit_a_byte_are_refused() -> None:
    fitted, _ = forests(max_leaf_nodes=200)
    with pytest.raises(ConfigError, match="at most 256 fit a byte"):
        flatten([tree.tree_ for tree in fitted[0].estimators_], [0] * 7)
