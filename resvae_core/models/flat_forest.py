"""Regression trees as flat arrays: small on disk, no pickle, one pass for every tree.

scikit-learn walks one forest a call; a sample through 72 forests takes seconds. Here the trees of
all drugs lie behind one another, and a sample goes down all of them together. The children of a
node are neighbours (right = left + 1), so one offset says where both are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvae_core.errors import ConfigError

MAX_NODES = 256
CHUNK = 2_000_000
"""Samples × trees that are walked at a time: bounds the memory at about 50 MB."""


@dataclass(frozen=True)
class FlatForest:
    """Trees of several drugs.

    Parameters
    ----------
    feature, threshold
        (n_nodes,) int16 and float32: go left where the value is at most the threshold.
    left
        (n_nodes,) uint8 offset of the left child from the tree's root; 0 marks a leaf.
    value
        (n_nodes,) float32 mean target of the training rows in the node.
    cover
        (n_nodes,) int16 number of training rows in the node.
    root
        (n_trees + 1,) int32 position of each tree's root; the last entry is the number of nodes.
    drug
        (n_trees,) int16 index of the drug that the tree predicts.
    """

    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.uint8]
    value: NDArray[np.float32]
    cover: NDArray[np.int16]
    root: NDArray[np.int32]
    drug: NDArray[np.int16]

    def predict(self, z: NDArray[np.float32], n_drugs: int) -> NDArray[np.float64]:
        """Return (n_samples, n_drugs) means over each drug's trees for (n_samples, n_genes)."""
        n_trees = len(self.drug)
        trees_of = np.bincount(self.drug, minlength=n_drugs)
        step = max(1, CHUNK // max(n_trees, 1))
        out = np.empty((len(z), n_drugs))
        for start in range(0, len(z), step):
            leaves = self._leaves(z[start : start + step])
            for row, values in enumerate(self.value[leaves], start=start):
                out[row] = np.bincount(self.drug, weights=values, minlength=n_drugs)
        return out / trees_of

    def _leaves(self, z: NDArray[np.float32]) -> NDArray[np.int32]:
        """Return (n_samples, n_trees) positions of the leaves that samples end in."""
        root = self.root[:-1]
        node = np.broadcast_to(root, (len(z), len(root))).copy()
        row = np.arange(len(z))[:, None]
        while True:
            left = self.left[node]
            inner = left > 0
            if not inner.any():
                return node
            right = z[row, self.feature[node]] > self.threshold[node]
            node = np.where(inner, root + left + right, node).astype(np.int32)

    def trees_of(self, drug: int) -> list[dict[str, NDArray[Any]]]:
        """Return one drug's trees in scikit-learn's layout, as TreeSHAP takes them."""
        return [self._tree(int(tree)) for tree in np.flatnonzero(self.drug == drug)]

    def _tree(self, tree: int) -> dict[str, NDArray[Any]]:
        nodes = slice(int(self.root[tree]), int(self.root[tree + 1]))
        left = self.left[nodes].astype(np.int64)
        leaf = left == 0
        return {
            "children_left": np.where(leaf, -1, left),
            "children_right": np.where(leaf, -1, left + 1),
            "children_default": np.where(leaf, -1, left),
            "features": np.where(leaf, -2, self.feature[nodes]).astype(np.int64),
            "thresholds": self.threshold[nodes].astype(np.float64),
            "values": self.value[nodes].astype(np.float64)[:, None],
            "node_sample_weight": self.cover[nodes].astype(np.float64),
        }


def flatten(trees: Sequence[Any], drugs: Sequence[int]) -> FlatForest:
    """Turn scikit-learn trees into a `FlatForest`.

    Parameters
    ----------
    trees
        ``tree_`` of each fitted regression tree, with at most 255 nodes.
    drugs
        Index of the drug that each tree predicts.
    """
    parts = [_breadth_first(tree) for tree in trees]
    sizes = [len(part[0]) for part in parts]
    if max(sizes) > MAX_NODES:
        raise ConfigError(
            f"A tree has {max(sizes)} nodes; at most {MAX_NODES} fit a byte.",
            remedy="Set max_leaf_nodes to 128 or less.",
        )
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return FlatForest(
        columns[0].astype(np.int16),
        columns[1].astype(np.float32),
        columns[2].astype(np.uint8),
        columns[3].astype(np.float32),
        columns[4].astype(np.int16),
        np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32),
        np.asarray(drugs, np.int16),
    )


def _breadth_first(tree: Any) -> tuple[NDArray[Any], ...]:
    """Reorder a tree so that siblings are neighbours."""
    order, left = [0], [0]
    waiting = deque([0])
    while waiting:
        position = waiting.popleft()
        node = order[position]
        if tree.children_left[node] < 0:
            continue
        left[position] = len(order)
        for child in (tree.children_left[node], tree.children_right[node]):
            waiting.append(len(order))
            order.append(int(child))
            left.append(0)
    nodes = np.array(order)
    leaf = np.array(left) == 0
    return (
        np.where(leaf, 0, tree.feature[nodes]),
        np.where(leaf, 0.0, tree.threshold[nodes]),
        np.array(left),
        tree.value[nodes, 0, 0],
        tree.n_node_samples[nodes],
    )
