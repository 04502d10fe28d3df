"""Counting right, wrong and withheld suggestions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from resvae_core.data.type_tumours import TypeTumours
from resvae_core.evaluation.cancer_type import (
    by_type,
    keep_share,
    pipeline_differences,
    type_of_tissue,
    wilson,
)
from resvae_core.models.cancer_type import UNCLEAR
from resvae_core.tables import Expression


@pytest.mark.parametrize(("hits", "n"), [(0, 10), (3, 10), (10, 10), (500, 513)])
def test_wilson_interval_matches_scipys_binomtest(hits: int, n: int) -> None:
    expected = binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits, n) == pytest.approx((expected.low, expected.high))


def test_wilson_of_nothing_is_unknown() -> None:
    assert np.isnan(wilson(0, 0)).all()


def test_by_type_counts_by_hand() -> None:
    answers = pd.DataFrame(
        {
            "type": ["A", "A", "A", "A", "B", "B"],
            "suggestion": ["A", "A", UNCLEAR, "B", "B", UNCLEAR],
            "nearest": ["A", "A", "A", "B", "B", "A"],
        }
    )
    table = by_type(answers, {"A": 4, "B": 2}).set_index("type")
    assert table.loc["A", ["right", "wrong", "unclear"]].tolist() == [0.5, 0.25, 0.25]
    assert table.loc["B", ["right", "wrong", "unclear"]].tolist() == [0.5, 0.0, 0.5]
    assert table.loc["all", "floor"] == pytest.approx(4 / 6)
    assert table.loc["all", "nearest_right"] == pytest.approx(4 / 6)
    assert table.loc["mean of types", "unclear"] == pytest.approx(0.375)
    assert np.isnan(table.loc["mean of types", "lower"])


def test_keep_share_keeps_the_same_genes_in_all_samples_and_depends_on_the_name() -> None:
    values = pd.DataFrame(np.ones((3, 40), np.float32), columns=[f"G{i}" for i in range(40)])
    expression = Expression(values)
    kept = keep_share(expression, 0.25, "x")
    assert len(kept.genes) == 10
    assert kept.genes == keep_share(expression, 0.25, "x").genes
    assert kept.genes != keep_share(expression, 0.25, "y").genes


def test_pipeline_differences_find_a_planted_shift() -> None:
    rng = np.random.default_rng(0)
    genes = [f"G{i}" for i in range(200)]
    level = rng.uniform(4, 8, 200)
    shift = rng.normal(0, 0.8, 200)

    def group(code: str, pipeline: str, moved: float) -> TypeTumours:
        values = level + moved * shift + rng.normal(0, 0.2, (30, 200))
        table = pd.DataFrame(values.astype(np.float32), columns=genes)
        return TypeTumours(code, Expression(table), pipeline)

    tumours = {"A": group("A", "x", 0), "B": group("B", "x", 0), "C": group("C", "y", 1)}
    table = pipeline_differences(tumours).set_index(["first", "second"])
    assert table.loc[("A", "B"), "same_pipeline"]
    assert table.loc[("A", "B"), "sd"] < 0.1
    assert table.loc[("A", "C"), "sd"] == pytest.approx(shift.std(), rel=0.1)


def test_colorectal_lines_stand_for_rectum_and_others_for_themselves_or_nothing() -> None:
    types = ("LUAD", "READ")
    assert [type_of_tissue(name, types) for name in ("COREAD", "LUAD", "SKCM")] == [
        "READ",
        "LUAD",
        "",
    ]
