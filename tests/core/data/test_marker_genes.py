from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from resvae_core.config import CATALOG
from resvae_core.data.genes import load_gene_table
from resvae_core.data.marker_genes import MARKER_KINDS, load_marker_genes
from resvae_core.errors import CatalogError

ROWS = (CATALOG / "marker_genes.csv").read_text(encoding="utf-8").splitlines()[1:]


def test_every_marker_is_listed_once_under_its_current_symbol_with_a_source() -> None:
    markers = load_marker_genes()
    assert len(markers) == len(ROWS)
    assert load_gene_table().canonical(list(markers)) == list(markers)
    assert all(marker.source and marker.tissue_or_cell for marker in markers.values())


def test_description_counts_what_the_list_holds() -> None:
    markers = load_marker_genes().values()
    text = (CATALOG / "marker_genes.md").read_text(encoding="utf-8")
    assert f"{len(markers)} genes" in text
    for kind, count in Counter(marker.kind for marker in markers).items():
        assert f"`{kind}` ({count})" in text
    assert {marker.kind for marker in markers} == set(MARKER_KINDS)


@pytest.mark.parametrize(
    ("gene", "kind"),
    [
        ("OPALIN", "normal tissue"),
        ("SLC17A7", "normal tissue"),
        ("TFF1", "normal tissue"),
        ("LTF", "immune"),
        ("IL2RA", "immune"),
        ("COL1A1", "stroma"),
    ],
)
def test_genes_of_the_papers_claims_are_known_for_what_they_mark(gene: str, kind: str) -> None:
    assert load_marker_genes()[gene].kind == kind


@pytest.mark.parametrize("text", ["gene,source\nA,B\n", "gene,kind,tissue_or_cell,source\nA,x,y,z"])
def test_a_list_that_cannot_be_read_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "markers.csv"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match="marker genes"):
        load_marker_genes(path)
    with pytest.raises(CatalogError, match="marker genes"):
        load_marker_genes(tmp_path / "none.csv")
