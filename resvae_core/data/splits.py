"""Splits of cell lines, named by what the test lines are blind to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.compute import derive_seed
from resvae_core.errors import ConfigError

LEAVE_CELL_LINE_OUT = "leave_cell_line_out"
LEAVE_TISSUE_OUT = "leave_tissue_out"


@dataclass(frozen=True)
class Fold:
    """One train/test split; no line is on both sides.

    Parameters
    ----------
    split
        ``leave_cell_line_out`` or ``leave_tissue_out``.
    seed, number
        Which repetition, and which fold of it.
    train, test
        Ids of the cell lines.
    """

    split: str
    seed: int
    number: int
    train: tuple[str, ...]
    test: tuple[str, ...]


def leave_cell_line_out(tissue: pd.Series[str], *, n_folds: int = 5, seed: int = 0) -> list[Fold]:
    """Split cell lines into folds that each hold the same share of every tissue.

    Parameters
    ----------
    tissue
        (n_lines,) tissue of each line, index = line ids.
    n_folds
        At least 2.
    seed
        Same seed, same folds, whatever the order of the lines.

    Raises
    ------
    ConfigError
        If there are fewer lines than folds, or fewer than two folds.
    """
    if not 2 <= n_folds <= len(tissue):
        raise ConfigError(
            f"{n_folds} folds were asked for with {len(tissue)} cell lines.",
            remedy="Use at least 2 folds and no more than there are lines.",
        )
    rng = np.random.default_rng(derive_seed(LEAVE_CELL_LINE_OUT, seed))
    dealt: list[str] = []
    for _, lines in sorted(tissue.groupby(tissue), key=lambda item: str(item[0])):
        dealt.extend(rng.permutation(sorted(map(str, lines.index))))
    fold_of = {line: position % n_folds for position, line in enumerate(dealt)}
    number = np.array([fold_of[str(line)] for line in tissue.index])
    return list(_folds(LEAVE_CELL_LINE_OUT, tissue, number, seed))


def leave_tissue_out(tissue: pd.Series[str], *, n_folds: int = 5, seed: int = 0) -> list[Fold]:
    """Split cell lines so that every tissue lies wholly in one fold.

    Tissues are dealt from the largest to the smallest into the fold that is smallest so far, in an
    order that the seed decides between equals. Parameters and errors as `leave_cell_line_out`.
    """
    sizes = tissue.value_counts()
    if not 2 <= n_folds <= len(sizes):
        raise ConfigError(
            f"{n_folds} folds were asked for with {len(sizes)} tissues.",
            remedy="Use at least 2 folds and no more than there are tissues.",
        )
    rng = np.random.default_rng(derive_seed(LEAVE_TISSUE_OUT, seed))
    shuffled = rng.permutation(sorted(sizes.index))
    fold_of: dict[str, int] = {}
    load = np.zeros(n_folds, dtype=int)
    for name in sorted(shuffled, key=lambda name: -int(sizes[name])):
        fold_of[name] = int(load.argmin())
        load[fold_of[name]] += int(sizes[name])
    number = np.array([fold_of[name] for name in tissue])
    return list(_folds(LEAVE_TISSUE_OUT, tissue, number, seed))


def _folds(
    split: str, tissue: pd.Series[str], number: NDArray[np.int_], seed: int
) -> Iterator[Fold]:
    lines = np.array([str(line) for line in tissue.index])
    for fold in np.unique(number):
        test = number == fold
        yield Fold(split, seed, int(fold), tuple(lines[~test]), tuple(lines[test]))
