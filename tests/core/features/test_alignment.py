"""Cohorts that are known gene by gene, put on a reference's scale."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import GeneCoverageError
from resvae_core.features.alignment import normal_scores, standard_scores, to_reference
from resvae_core.features.range_check import Reference, Thresholds
from resvae_core.features.scaling import Moments


def reference() -> Reference:
    """Return a reference of three genes; only its moments are read here."""
    moments = Moments(np.array([4, 0.2, 6], np.float32), np.array([1, 0.5, 2], np.float32))
    nothing = np.zeros((1, 3))
    return Reference(
        ("A", "B", "C"), moments, nothing, nothing, np.eye(1), Thresholds(1.0, 1.0, 1.0, 1.0)
    )


def frame(values: object, genes: list[str]) -> pd.DataFrame:
    matrix = np.asarray(values, float)
    return pd.DataFrame(matrix, index=[f"P{i}" for i in range(len(matrix))], columns=genes)


def test_normal_scores_keep_the_order_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    z = frame(rng.normal(size=(101, 2)), ["A", "B"])
    scores = normal_scores(z)
    pd.testing.assert_frame_equal(normal_scores(np.exp(3 * z)), scores)
    pd.testing.assert_frame_equal(scores.rank(), z.rank())
    assert scores.mean().abs().max() < 1e-12
    assert scores.std(ddof=0).to_numpy() == pytest.approx([1, 1], abs=0.02)
    assert scores["A"].max() == pytest.approx(2.575, abs=0.01)  # however extreme the z was


def test_ties_share_a_score_and_missing_values_stay_missing() -> None:
    scores = normal_scores(frame([[0, 1, 1], [0, np.nan, 2], [0, 3, 1]], ["A", "B", "C"]))
    assert scores["A"].to_list() == [0, 0, 0]
    assert np.isnan(scores.loc["P1", "B"])
    assert scores["B"].dropna().to_numpy() == pytest.approx([-0.6745, 0.6745], abs=1e-4)
    assert scores.loc["P0", "C"] == scores.loc["P2", "C"] < 0 < scores.loc["P1", "C"]


def test_scores_take_the_references_mean_and_spread_and_stay_above_zero() -> None:
    expression = to_reference(frame([[1, -1, 9], [-1, 1, 9]], ["C", "B", "unknown"]), reference())
    assert expression.genes == ["B", "C"]
    assert expression.values.loc["P0"].to_list() == pytest.approx([0, 8])  # 0.2 − 0.5 is below 0
    assert expression.values.loc["P1"].to_list() == pytest.approx([0.7, 4])
    assert expression.values.dtypes.eq("float32").all()


def test_what_is_placed_is_read_back_as_it_was() -> None:
    rng = np.random.default_rng(1)
    scores = standard_scores(frame(rng.normal(3, 2, size=(50, 1)), ["A"])).clip(-3, 3)
    placed = to_reference(scores, reference()).values.to_numpy()
    assert (placed - 4) / 1 == pytest.approx(scores.to_numpy(), abs=1e-5)


def test_a_constant_gene_says_nothing() -> None:
    constant = frame([[5.0], [5.0], [5.0]], ["A"])
    assert standard_scores(constant)["A"].to_list() == [0, 0, 0]


def test_a_cohort_without_any_gene_of_the_reference_is_refused() -> None:
    with pytest.raises(GeneCoverageError, match=r"None of the 3 genes.*\(1 genes\).*by symbol"):
        to_reference(frame([[1.0]], ["ENSG00000000003"]), reference())
