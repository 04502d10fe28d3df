from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import GeneCoverageError
from resvae_core.features.genes import arrange, order_genes
from resvae_core.features.scaling import MINIMAL_SD, Moments
from resvae_core.tables import Expression


def test_gene_order_is_alphabetical_and_each_gene_once() -> None:
    assert order_genes(["TP53", "EGFR", "TP53"]) == ("EGFR", "TP53")


def test_arrange_reorders_and_leaves_missing_genes_missing() -> None:
    expression = Expression(pd.DataFrame({"B": [2.0], "A": [1.0]}, index=["S"]))
    assert np.array_equal(arrange(expression, ["A", "B", "C"]), [[1, 2, np.nan]], equal_nan=True)
    with pytest.raises(GeneCoverageError, match="None of the 1 genes"):
        arrange(expression, ["Z"])


def test_moments_equal_numpy_on_one_group() -> None:
    values = np.random.default_rng(0).gamma(4, 1, (50, 6)).astype(np.float32)
    moments = Moments.of(values)
    assert np.allclose(moments.mean, values.mean(axis=0), atol=1e-5)
    assert np.allclose(moments.sd, values.std(axis=0), atol=1e-4)


def test_groups_weigh_the_same_whatever_their_size() -> None:
    small, large = np.zeros((2, 1), np.float32), np.full((200, 1), 4, np.float32)
    assert Moments.of(small, large).mean[0] == pytest.approx(2.0)


def test_silent_and_missing_genes() -> None:
    values = np.array([[0, np.nan, 1], [0, np.nan, 3]], np.float32)
    moments = Moments.of(values)
    assert moments.sd[0] == pytest.approx(MINIMAL_SD)
    assert moments.standardise(values)[:, 1].tolist() == [0, 0]
