"""Random forest on ln IC50, one forest a drug."""

from __future__ import annotations

from dataclasses import asdict, fields

import numpy as np

from resvae_core.compute import derive_seed
from resvae_core.models.base import Arrays, Document
from resvae_core.models.calibrated import Array, Matrix
from resvae_core.models.cross_fitted import CrossFittedModel, Rows
from resvae_core.models.flat_forest import FlatForest, flatten
from resvae_core.training.watch import report_epoch


class RandomForest(CrossFittedModel):
    """Forests of small regression trees, kept as flat arrays from the moment they are fitted.

    Parameters
    ----------
    n_trees
        Trees per drug and member.
    max_features
        Share of the genes tried at each node.
    max_leaf_nodes
        At most 128, so that a tree's nodes can be counted in a byte.
    min_samples_leaf
        Training lines in a leaf, at least.
    n_members, seed
        See `CrossFittedModel`.
    """

    kind = "random_forest"
    title = "Random forest"

    forests_: list[FlatForest]

    def __init__(
        self,
        *,
        n_trees: int = 24,
        max_features: float = 0.1,
        max_leaf_nodes: int = 32,
        min_samples_leaf: int = 3,
        n_members: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__(n_members=n_members, seed=seed)
        self.n_trees = n_trees
        self.max_features = max_features
        self.max_leaf_nodes = max_leaf_nodes
        self.min_samples_leaf = min_samples_leaf

    def configuration(self) -> Document:
        """Return the constructor's arguments."""
        return {
            "n_trees": self.n_trees,
            "max_features": self.max_features,
            "max_leaf_nodes": self.max_leaf_nodes,
            "min_samples_leaf": self.min_samples_leaf,
            "n_members": self.n_members,
            "seed": self.seed,
        }

    def _fit_member(self, member: int, z: Matrix, target: Array, rows: Rows) -> None:
        from sklearn.ensemble import RandomForestRegressor

        if member == 0:
            self.forests_ = []
        trees, drugs = [], []
        for drug in range(target.shape[1]):
            measured = ~np.isnan(target[:, drug])
            forest = RandomForestRegressor(
                n_estimators=self.n_trees,
                max_features=self.max_features,
                max_leaf_nodes=self.max_leaf_nodes,
                min_samples_leaf=self.min_samples_leaf,
                random_state=derive_seed(self.kind, self.seed, member, drug),
                n_jobs=1,
            ).fit(z[measured], target[measured, drug])
            trees += [tree.tree_ for tree in forest.estimators_]
            drugs += [drug] * self.n_trees
            report_epoch(
                self.kind,
                {
                    **{"member": member, "n_members": self.n_members},
                    **{"epoch": drug + 1, "n_epochs": target.shape[1]},
                },
            )
        self.forests_.append(flatten(trees, drugs))

    def _score_member(self, member: int, z: Matrix) -> Array:
        return self.forests_[member].predict(z, len(self.drugs_))

    def _member_arrays(self) -> Arrays:
        return {
            f"member{number}.{name}": array
            for number, forest in enumerate(self.forests_)
            for name, array in asdict(forest).items()
        }

    def _restore_members(self, arrays: Arrays) -> None:
        names = [field.name for field in fields(FlatForest)]
        self.forests_ = [
            FlatForest(**{name: arrays[f"member{number}.{name}"] for name in names})
            for number in range(self.n_members)
        ]
