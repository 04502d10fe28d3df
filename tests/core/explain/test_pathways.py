from __future__ import annotations

import pandas as pd
import pytest

from resvae_core.data.gene_sets import GeneSets
from resvae_core.data.pathways import load_pathways
from resvae_core.errors import InputDataError
from resvae_core.explain.attribution import attribute
from resvae_core.explain.pathways import sum_by_pathway
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.tables import Screen

PATHWAYS = GeneSets(
    "mine",
    {"growth": ("A", "B"), "death": ("B", "C", "ELSEWHERE"), "small": ("D",), "absent": ("X",)},
    "Mine.",
    "",
)


@pytest.fixture
def attributions() -> pd.DataFrame:
    """Return attributions of two samples to five genes."""
    values = {"P2": [1.0, -0.5, 0.25, 0.0, 2.0], "P1": [0.0, 0.0, 0.0, 0.1, 0.0]}
    return pd.DataFrame(
        [
            {"sample": sample, "gene": gene, "attribution": value}
            for sample, parts in values.items()
            for gene, value in zip("ABCDE", parts, strict=True)
        ]
    )


def test_a_gene_counts_in_each_of_its_pathways(attributions: pd.DataFrame) -> None:
    sums = sum_by_pathway(attributions, PATHWAYS)
    assert sums.table["sample"].tolist() == ["P2"] * 3 + ["P1"] * 3
    table = sums.table[sums.table["sample"] == "P2"]
    assert table["pathway"].tolist() == ["growth", "death", "small"]
    assert table["attribution"].tolist() == [0.5, -0.25, 0.0]
    assert table["absolute"].tolist() == [1.5, 0.75, 0.0]
    assert table["share"].tolist() == [0.4, 0.2, 0.0]
    assert table["n_genes"].tolist() == [2, 2, 1]
    assert table["top_genes"].tolist()[:2] == ["A +1.00, B -0.50", "B -0.50, C +0.25"]
    assert (sums.collection, sums.source) == ("mine", "Mine.")


def test_the_share_of_genes_without_a_pathway_is_told(attributions: pd.DataFrame) -> None:
    without = sum_by_pathway(attributions, PATHWAYS).without
    assert without.index.tolist() == ["P2", "P1"]
    assert without.tolist() == [pytest.approx(2 / 3.75), 0]


def test_small_pathways_can_be_left_out(attributions: pd.DataFrame) -> None:
    table = sum_by_pathway(attributions, PATHWAYS, minimal_genes=2).table
    assert set(table["pathway"]) == {"death", "growth"}


def test_what_cannot_be_added_up_is_refused(attributions: pd.DataFrame) -> None:
    with pytest.raises(InputDataError, match="There is no attribution to add up"):
        sum_by_pathway(attributions.iloc[:0], PATHWAYS)
    with pytest.raises(InputDataError, match="No pathway of mine has 3 of the 5 genes"):
        sum_by_pathway(attributions, PATHWAYS, minimal_genes=3)


def test_on_a_model_sums_are_those_of_its_own_attributions(
    fitted: dict[str, ResponseModel], screen: tuple[Samples, Screen]
) -> None:
    samples = screen[0].select(("LINE-000", "LINE-001"))
    reasons = attribute(fitted["elastic_net"], samples, "Cisplatin").table
    pathways = load_pathways()
    sums = sum_by_pathway(reasons, pathways)
    for row in sums.table.itertuples():
        own = reasons[
            (reasons["sample"] == row.sample)
            & reasons["gene"].isin(list(pathways.sets[row.pathway]))
        ]
        assert row.attribution == pytest.approx(own["attribution"].sum())
        assert row.n_genes == len(own)
    assert sums.without.between(0, 1).all()
