from __future__ import annotations

import numpy as np

from resvae_core.features.ranks import rank_genes


def test_ranks_worked_by_hand() -> None:
    values = np.array([[5.0, 0.0, 0.0, 9.0], [1.0, np.nan, 3.0, 2.0]], np.float32)
    expected = [[0.75, 0.375, 0.375, 1.0], [1 / 3, np.nan, 1.0, 2 / 3]]
    assert np.allclose(rank_genes(values), expected, equal_nan=True)


def test_a_monotone_change_of_a_sample_changes_nothing() -> None:
    values = np.random.default_rng(0).gamma(2, 2, (3, 50)).astype(np.float32)
    assert np.array_equal(rank_genes(values), rank_genes(3 * values + 1))


def test_a_sample_does_not_depend_on_others() -> None:
    values = np.random.default_rng(1).gamma(2, 2, (4, 30)).astype(np.float32)
    values[2, 5] = np.nan
    alone = np.concatenate([rank_genes(row[None]) for row in values])
    assert np.array_equal(rank_genes(values), alone, equal_nan=True)
