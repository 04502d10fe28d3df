"""The shipped pathways: genes that exist, and that the models or the merged matrix have."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from resvae_core.config import CATALOG, models_folder
from resvae_core.data.genes import load_gene_table
from resvae_core.data.pathways import load_pathways, source_of_pathway
from resvae_core.errors import CatalogError
from resvae_core.models.base import read_model_document

PUBLISHED = "Sanchez-Vega 2018"


def test_every_gene_is_a_current_symbol() -> None:
    genes = sorted(load_pathways().genes)
    assert load_gene_table().canonical(genes) == genes


def test_the_ten_published_pathways_come_first_with_their_known_genes() -> None:
    sources = source_of_pathway()
    assert list(sources.values()) == [PUBLISHED] * 10 + ["hand-made"] * 5
    sets = load_pathways().sets
    assert list(sets) == list(sources)
    assert {"EGFR", "ERBB2", "KRAS", "BRAF", "NF1"} <= set(sets["RTK-RAS"])
    assert {"PIK3CA", "PTEN", "MTOR"} <= set(sets["PI3K"])
    assert {"TP53", "MDM2", "MDM4"} <= set(sets["p53"])
    assert set(sets["NRF2"]) == {"NFE2L2", "KEAP1", "CUL3"}
    assert {"APC", "CTNNB1", "AXIN1"} <= set(sets["Wnt"])


def test_no_gene_stands_twice_in_a_pathway() -> None:
    for genes in load_pathways().sets.values():
        assert len(genes) == len(set(genes))


def test_the_counts_of_the_description_hold() -> None:
    read = set(read_model_document(models_folder() / "vae_ld")["genes"])
    pathways = load_pathways()
    lines = (CATALOG / "pathways.md").read_text(encoding="utf-8").splitlines()
    told = {
        cells[0].strip(): (int(cells[1]), int(cells[2]))
        for line in lines
        if len(cells := line.strip("|").split("|")) == 4 and cells[1].strip().isdigit()
    }
    assert told == {n: (len(g), len(read & set(g))) for n, g in pathways.sets.items()}
    text = " ".join(lines)
    assert f"{len(pathways.genes)} genes, {len(pathways.genes & read)} of them among" in text
    assert f"{len(read - pathways.genes)} of the models' {len(read)} genes are in none" in text


@pytest.mark.data
def test_every_gene_is_measured_in_cell_lines(data: Path) -> None:
    listed = pd.read_csv(data / "gdsc/expression_merged_genes.csv")["gene"]
    measured = set(load_gene_table().canonical(listed.tolist()))
    assert load_pathways().genes <= measured


@pytest.mark.parametrize("text", ["gene,source\nEGFR,x\n", "gene,pathway,source\n"])
def test_broken_tables_are_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "pathways.csv").write_text(text)
    with pytest.raises(CatalogError, match=r"table of pathways pathways\.csv cannot be read"):
        load_pathways(tmp_path / "pathways.csv")
    with pytest.raises(CatalogError, match="cannot be read"):
        load_pathways(tmp_path / "absent.csv")
