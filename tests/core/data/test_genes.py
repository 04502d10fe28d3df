from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.genes import GeneTable, load_gene_table
from resvae_core.errors import CatalogError


@pytest.fixture(scope="module")
def table() -> GeneTable:
    return load_gene_table()


@pytest.mark.parametrize(
    ("name", "id_type"),
    [
        ("CARS1", "symbol"),
        ("CARS", "previous_symbol"),
        ("MCDDBH", "alias"),
        ("ENSG00000110619", "ensembl"),
        ("ENSG00000110619.18", "ensembl"),
        (" ENSG00000110619.18 ", "ensembl"),
        ("833", "entrez"),
        ("833.0", "entrez"),
    ],
)
def test_all_names_of_one_gene_give_its_current_symbol(
    table: GeneTable, name: str, id_type: str
) -> None:
    found = table.resolve([name]).iloc[0]
    assert (found["symbol"], found["id_type"]) == ("CARS1", id_type)


@pytest.mark.parametrize(
    ("old", "current"),
    [
        ("H3F3A", "H3-3A"),
        ("H3F3B", "H3-3B"),
        ("FGFR1OP", "CEP43"),
        ("C15orf65", "PIERCE2"),
        ("C15ORF65", "PIERCE2"),
        ("SEPT9", "SEPTIN9"),
        ("MARCH1", "MARCHF1"),
        ("MARC1", "MTARC1"),
        ("SEP15", "SELENOF"),
        ("HER2", "ERBB2"),
        ("MLL", "KMT2A"),
        ("NOV", "CCN3"),
        ("1-Mar", "MARCHF1"),
        ("Sep-02", "SEPTIN2"),
        ("1-Dec", "DELEC1"),
        ("ENSGR0000182378.9", "PLCXD1"),
        ("ENSG00000182378.13_PAR_Y", "PLCXD1"),
    ],
)
def test_old_names_give_current_symbols(table: GeneTable, old: str, current: str) -> None:
    assert table.canonical([old]) == [current]


@pytest.mark.parametrize(
    "name",
    ["MLL2", "Trp53", "tp53", "NA", "", "gene", "ENSMUSG00000059552", "ENSG99999999999"],
)
def test_ambiguous_foreign_and_missing_names_stay_unknown(table: GeneTable, name: str) -> None:
    found = table.resolve([name]).iloc[0]
    assert found["symbol"] is None
    assert found["id_type"] == "unknown"
    assert table.canonical([name]) == [name]


def test_no_name_stands_for_two_genes(table: GeneTable) -> None:
    frame = table.frame
    symbols = frame.symbol[frame.primary].tolist()
    previous = [n for names in frame.previous if names for n in names.split("|")]
    aliases = [n for names in frame.aliases if names for n in names.split("|")]
    assert len(symbols) == len(set(symbols))
    assert len(previous) == len(set(previous))
    assert len(aliases) == len(set(aliases))
    assert not set(previous) & set(symbols)
    assert not set(aliases) & {name.upper() for name in [*symbols, *previous]}
    assert not frame.ensembl.duplicated().any()
    assert not frame.entrez.dropna().duplicated().any()


def test_every_current_symbol_and_ensembl_id_gives_itself(table: GeneTable) -> None:
    primary = table.frame[table.frame.primary]
    assert table.resolve(primary.symbol.tolist()).symbol.tolist() == primary.symbol.tolist()
    assert table.resolve(primary.ensembl.tolist()).symbol.tolist() == primary.symbol.tolist()


def test_exon_lengths_match_gencode_v22(table: GeneTable) -> None:
    lengths = table.exon_lengths(["TP53", "EGFR", "CARS1", "no gene"])
    assert lengths["TP53"] == 3936
    assert lengths["CARS1"] == 10037
    assert np.isnan(lengths["no gene"])
    assert (table.lengths[np.isfinite(table.lengths)] > 0).all()


def test_record_lists_what_is_known(table: GeneTable) -> None:
    record = table.record("CARS")
    assert (record.symbol, record.ensembl, record.entrez) == ("CARS1", "ENSG00000110619", 833)
    assert (record.chromosome, record.biotype) == ("11", "protein_coding")
    assert "CARS" in record.previous
    with pytest.raises(CatalogError, match=r"'FOO1' is not in the gene table.*genenames"):
        table.record("FOO1")


def test_table_is_compact() -> None:
    from resvae_core.config import CATALOG

    assert (CATALOG / "genes.parquet").stat().st_size < 2.5e6


@pytest.mark.data
def test_genes_of_the_real_panels_resolve(table: GeneTable, data: Path) -> None:
    for path, missing in (
        ("gdsc/expression_panel.parquet", 0),
        ("gdsc/expression_merged.parquet", 0),
        ("tcga/LUAD_expression.parquet", 32),
    ):
        names = list(pd.read_parquet(data / path).columns)
        assert table.resolve(names).symbol.isna().sum() <= missing, path
    panel = table.canonical(list(pd.read_parquet(data / "gdsc/expression_panel.parquet").columns))
    assert len(set(panel)) == 682
    assert table.exon_lengths(panel).notna().all()
