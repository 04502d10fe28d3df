from __future__ import annotations

import pandas as pd
import pytest

from resvae_core.errors import ConfigError, InputDataError
from resvae_core.explain.attribution import UNIT, Attribution
from resvae_core.explain.consensus import COLUMNS, shared_genes
from resvae_core.models.ranking import FIVE

GENES = ["EGFR", "KRAS", "MYC", "TP53"]


def explanation(model: str, attributions: list[float]) -> Attribution:
    """Return what a model says of one sample of four genes."""
    table = pd.DataFrame(
        {
            "sample": "P1",
            "gene": GENES,
            "value": [1.0, 2.0, float("nan"), 4.0],
            "attribution": attributions,
            "base": 0.0,
            "score": sum(attributions),
            "unit": UNIT,
        }
    )
    return Attribution(table, "Cisplatin", model, "nothing", 0.0)


def five(**attributions: list[float]) -> dict[str, Attribution]:
    return {kind: explanation(kind, values) for kind, values in attributions.items()}


EXPLAINED = five(
    vae_ll=[0.9, -0.5, 0.1, 0.0],
    vae_ls=[0.8, -0.6, 0.1, 0.0],
    vae_ld=[0.7, 0.6, 0.1, 0.0],
    random_forest=[0.1, -0.7, 0.5, 0.0],
    xgboost=[0.6, -0.1, 0.5, 0.0],
)


def test_genes_of_three_models_with_the_same_sign_are_shared() -> None:
    table = shared_genes(EXPLAINED, "P1", n_top=2)
    assert list(table.columns) == COLUMNS
    assert table["gene"].tolist() == ["EGFR", "KRAS"]
    assert table["n_models"].tolist() == [4, 3]
    assert table["direction"].tolist() == ["resistant", "sensitive"]
    assert table["mean_attribution"].tolist() == pytest.approx([0.75, -0.6])
    assert table["value"].tolist() == [1.0, 2.0]
    assert table["models"].tolist() == [
        "vae_ll, vae_ls, vae_ld, xgboost",
        "vae_ll, vae_ls, random_forest",
    ]


def test_a_gene_without_attribution_is_never_shared() -> None:
    table = shared_genes(EXPLAINED, "P1", n_top=20)
    assert "TP53" not in set(table["gene"])
    assert table.set_index("gene")["n_models"].to_dict() == {"EGFR": 5, "KRAS": 4, "MYC": 5}


def test_models_beside_the_five_have_no_vote() -> None:
    others = five(elastic_net=[9.0, 0.0, 0.0, 0.0], ensemble=[9.0, 0.0, 0.0, 0.0])
    pd.testing.assert_frame_equal(
        shared_genes(EXPLAINED | others, "P1"), shared_genes(EXPLAINED, "P1")
    )


def test_no_shared_gene_gives_an_empty_table() -> None:
    table = shared_genes(EXPLAINED, "P1", n_top=1, shared_by=5)
    assert table.empty
    assert list(table.columns) == COLUMNS


def test_too_few_models_are_refused() -> None:
    two = {kind: EXPLAINED[kind] for kind in FIVE[:2]}
    with pytest.raises(ConfigError, match="2 of the five models were explained; at least 3"):
        shared_genes(two, "P1")


def test_an_unknown_sample_is_refused() -> None:
    with pytest.raises(InputDataError, match="'P2' was not explained"):
        shared_genes(EXPLAINED, "P2")
