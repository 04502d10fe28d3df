"""How far the leading genes of an explanation depend on what was left out, drawn, or compared with.

Measured as the overlap of the leading genes of two explanations of the same sample: the number of
genes that both name over the number that either names (Jaccard), 1 where they name the same. Two
random draws of 20 of 682 genes overlap by 0.015.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.errors import InputDataError
from resvae_core.explain.attribution import (
    Background,
    matrices_of_set,
    member_matrices_of_set,
)
from resvae_core.models.base import Samples
from resvae_core.models.model_set import ModelSet

Array = NDArray[np.float64]

N_TOP = 20
"""Leading genes that are compared."""
OVER_FOLDS, OVER_SEEDS, OVER_BACKGROUNDS = "folds", "seeds", "backgrounds"

COLUMNS = ["model", "over", "k", "jaccard", "n_pairs"]


def stability_table(
    model_set: ModelSet,
    samples: Samples,
    drug: str,
    *,
    background: Background | None = None,
    kinds: Sequence[str] | None = None,
    n_top: Sequence[int] = (N_TOP,),
) -> pd.DataFrame:
    """Return how stable each model's leading genes are over members, and over two backgrounds.

    Parameters
    ----------
    model_set, samples, drug, kinds
        See `attribute_set`.
    background
        What the model's own base is compared with; no rows over backgrounds where None.
    n_top
        Numbers of leading genes.

    Returns
    -------
    DataFrame
        Columns ``model``; ``over`` (folds: members that were trained without another fold of the
        lines; backgrounds); ``k``, the number of leading genes; ``jaccard``, the mean over samples
        and pairs; ``n_pairs`` that were compared.
    """
    tables = [over_folds(model_set, samples, drug, kinds=kinds, n_top=n_top)]
    if background is not None:
        chosen = [None, background]
        tables.append(over_backgrounds(model_set, samples, drug, chosen, kinds=kinds, n_top=n_top))
    return pd.concat(tables, ignore_index=True)


def over_folds(
    model_set: ModelSet,
    samples: Samples,
    drug: str,
    *,
    kinds: Sequence[str] | None = None,
    n_top: Sequence[int] = (N_TOP,),
) -> pd.DataFrame:
    """Compare the members of each model; parameters and result as `stability_table`."""
    members = member_matrices_of_set(model_set, samples, drug, kinds=kinds)
    return overlap_table(members, OVER_FOLDS, n_top=n_top)


def over_backgrounds(
    model_set: ModelSet,
    samples: Samples,
    drug: str,
    backgrounds: Sequence[Background | None],
    *,
    kinds: Sequence[str] | None = None,
    n_top: Sequence[int] = (N_TOP,),
) -> pd.DataFrame:
    """Compare explanations against several backgrounds, None being each model's own base.

    Other parameters and the result as `stability_table`.
    """
    found = [
        matrices_of_set(model_set, samples, [drug], kinds=kinds, background=background)
        for background in backgrounds
    ]
    variants = {kind: [one[kind, name].values for one in found] for kind, name in found[0]}
    return overlap_table(variants, OVER_BACKGROUNDS, n_top=n_top)


def over_seeds(
    model_sets: Sequence[ModelSet],
    samples: Samples,
    drug: str,
    *,
    kinds: Sequence[str] | None = None,
    n_top: Sequence[int] = (N_TOP,),
) -> pd.DataFrame:
    """Compare model sets that were fitted with other seeds, and so on other folds.

    Other parameters and the result as `stability_table`.

    Raises
    ------
    InputDataError
        If the sets do not read the same genes in the same order.
    """
    if len({model_set.genes for model_set in model_sets}) > 1:
        raise InputDataError(
            "The model sets to be compared read different genes.",
            remedy="Compare sets that were trained on the same data.",
        )
    found = [matrices_of_set(model_set, samples, [drug], kinds=kinds) for model_set in model_sets]
    variants = {kind: [one[kind, name].values for one in found] for kind, name in found[0]}
    return overlap_table(variants, OVER_SEEDS, n_top=n_top)


def overlap_table(
    variants: Mapping[str, Sequence[Array] | Array],
    over: str,
    *,
    n_top: Sequence[int] = (N_TOP,),
) -> pd.DataFrame:
    """Compare every pair of explanations of the same samples.

    Parameters
    ----------
    variants
        Model to its explanations, each (n_samples, n_genes): two or more.
    over
        What they differ in, in a word.
    n_top
        Numbers of leading genes.

    Returns
    -------
    DataFrame
        See `stability_table`.
    """
    rows = []
    for model, matrices in variants.items():
        for k in n_top:
            values = [
                jaccard(leading(first[row], k), leading(second[row], k))
                for first, second in combinations(matrices, 2)
                for row in range(len(first))
            ]
            rows.append((model, over, k, float(np.mean(values)), len(values)))
    return pd.DataFrame(rows, columns=COLUMNS)


def leading(attributions: Array, n_top: int) -> frozenset[int]:
    """Return the positions of the largest attributions, whatever their sign; zeros never lead."""
    order = np.argsort(-np.abs(attributions), kind="stable")[:n_top]
    return frozenset(order[attributions[order] != 0].tolist())


def jaccard(one: frozenset[int], other: frozenset[int]) -> float:
    """Return the share of what either has that both have; NaN where both are empty."""
    return len(one & other) / len(one | other) if one | other else float("nan")
