"""GMT files: reading, finding, and fetching from a server on this machine."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from resvae_core.data import gene_sets
from resvae_core.data.gene_sets import (
    fetch_reactome,
    find_gene_sets,
    gene_sets_folders,
    list_gene_sets,
    read_gmt,
)
from resvae_core.errors import ArtifactError, CatalogError, DownloadError, InputDataError
from tests.core.data.local_host import Host, serving

GMT = "Signalling\tR-HSA-1\tEGFR\tKRAS\tCARS\tEGFR\nRepair\t\tBRCA1,1.0\tENSG00000012048\n\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder where collections are looked for; it does not exist yet."""
    monkeypatch.setenv("RESVAE_GENE_SETS", str(tmp_path / "sets"))
    return tmp_path / "sets"


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as running:
        yield running


def archive(**members: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as content:
        for name, text in members.items():
            content.writestr(f"{name}.gmt", text)
    return stream.getvalue()


@pytest.mark.parametrize("packed", [False, True])
def test_a_gmt_gives_current_symbols_each_once(packed: bool, tmp_path: Path) -> None:
    path = tmp_path / ("mine.gmt.gz" if packed else "mine.gmt")
    path.write_bytes(gzip.compress(GMT.encode()) if packed else GMT.encode())
    collection = read_gmt(path)
    assert collection.name == "mine"
    assert collection.sets == {"Signalling": ("EGFR", "KRAS", "CARS1"), "Repair": ("BRCA1",)}
    assert collection.genes == {"EGFR", "KRAS", "CARS1", "BRCA1"}
    assert len(collection.sha256) == 64


def test_unknown_genes_stay_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "a.gmt").write_text("Set\t\tNOT-A-GENE\n")
    assert read_gmt(tmp_path / "a.gmt").sets == {"Set": ("NOT-A-GENE",)}


def test_sets_of_one_name_are_told_apart_by_their_descriptions(tmp_path: Path) -> None:
    path = tmp_path / "a.gmt"
    path.write_text("Repair\tR-1\tBRCA1\nOther\tx\tTP53\nRepair\tR-2\tBRCA2\n")
    assert list(read_gmt(path).sets) == ["Repair (R-1)", "Other", "Repair (R-2)"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"Signalling\tx\tEGFR\nRepair\tx\n", "Line 2 of a.gmt has no genes"),
        (b"Signalling\tx\tEGFR\n\n\tx\tBRCA1\n", "Line 3 of a.gmt has no name"),
        (b"One\tx\tEGFR\nTwo\tx\tKRAS\nOne\tx\tTP53\n", "Lines 1 and 3 of a.gmt both hold"),
        (b"gene,value\nEGFR,2\n", "Line 1 of a.gmt has no genes"),
        (b"\n", "a.gmt holds no gene set"),
        (b"\xff\xfe\x00", "a.gmt cannot be read as text"),
    ],
)
def test_broken_files_are_refused_with_the_line(
    content: bytes, message: str, tmp_path: Path
) -> None:
    (tmp_path / "a.gmt").write_bytes(content)
    with pytest.raises(InputDataError, match=message):
        read_gmt(tmp_path / "a.gmt")


def test_broken_archives_and_huge_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.gmt.gz").write_bytes(gzip.compress(GMT.encode())[:-9])
    with pytest.raises(InputDataError, match=r"a\.gmt\.gz cannot be read as text"):
        read_gmt(tmp_path / "a.gmt.gz")
    (tmp_path / "b.gmt").write_text(GMT)
    monkeypatch.setattr(gene_sets, "MAX_BYTES", 10)
    with pytest.raises(InputDataError, match=r"b\.gmt is larger than"):
        read_gmt(tmp_path / "b.gmt")


def test_without_a_collection_it_is_said_how_to_get_one(folder: Path) -> None:
    assert gene_sets_folders() == [folder]
    assert list_gene_sets() == {}
    with pytest.raises(CatalogError, match="No collection of gene sets is installed") as refused:
        find_gene_sets()
    assert "enrich --fetch" in refused.value.remedy
    assert "gsea-msigdb.org" in refused.value.remedy
    assert str(folder) in refused.value.remedy
    with pytest.raises(InputDataError, match="There is no gene-set file") as missing:
        find_gene_sets(str(folder / "hallmarks.gmt"))
    assert "enrich --fetch" in missing.value.remedy


def test_installed_collections_are_found_by_name_path_or_by_being_the_only_one(
    folder: Path,
) -> None:
    folder.mkdir()
    (folder / "b.gmt.gz").write_bytes(gzip.compress(GMT.encode()))
    (folder / "notes.txt").write_text("no collection")
    assert find_gene_sets().name == "b"
    (folder / "a.gmt").write_text(GMT)
    assert list(list_gene_sets()) == ["a", "b"]
    assert find_gene_sets("b").name == "b"
    assert find_gene_sets(str(folder / "a.gmt")).name == "a"
    with pytest.raises(CatalogError, match="2 collections of gene sets are installed"):
        find_gene_sets()
    with pytest.raises(CatalogError, match="is called 'hallmarks'"):
        find_gene_sets("hallmarks")
    (folder / "ReactomePathways.gmt").write_text(GMT)
    assert find_gene_sets().name == "ReactomePathways"


def test_collections_of_the_data_folder_are_found_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESVAE_GENE_SETS", raising=False)
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path))
    (tmp_path / "gene_sets").mkdir()
    (tmp_path / "gene_sets/h.gmt").write_text(GMT)
    assert list_gene_sets()["h"] == tmp_path / "gene_sets/h.gmt"


def test_reactome_is_fetched_unpacked_and_its_digest_recorded(host: Host, folder: Path) -> None:
    host.content = archive(ReactomePathways=GMT)
    found = fetch_reactome(url=f"{host.url}/file")
    assert found.path == folder / "ReactomePathways.gmt"
    assert found.n_sets == 2
    assert found.earlier_sha256 is None
    assert sorted(p.name for p in folder.iterdir()) == ["ReactomePathways.gmt", "digests.json"]
    record = json.loads((folder / "digests.json").read_text())["ReactomePathways"]
    assert record["sha256"] == found.sha256
    assert find_gene_sets().sets["Repair"] == ("BRCA1",)
    again = fetch_reactome(url=f"{host.url}/file")
    assert again.earlier_sha256 == again.sha256
    host.content, host.tag = archive(ReactomePathways=GMT + "New\t\tTP53\n"), '"two"'
    newer = fetch_reactome(url=f"{host.url}/file")
    assert newer.earlier_sha256 == found.sha256
    assert newer.sha256 != found.sha256
    assert newer.n_sets == 3


def test_a_failed_fetch_keeps_what_was_there(host: Host, folder: Path) -> None:
    host.content = archive(ReactomePathways=GMT)
    fetch_reactome(url=f"{host.url}/file")
    kept = (folder / "ReactomePathways.gmt").read_bytes()
    host.tag = '"two"'
    with pytest.raises(ArtifactError, match="expected 0000"):
        fetch_reactome(url=f"{host.url}/file", sha256="0" * 64)
    with pytest.raises(DownloadError, match="has no file at"):
        fetch_reactome(url=f"{host.url}/404")
    for content, error, message in (
        (b"no archive", ArtifactError, "is no zip archive"),
        (archive(a=GMT, b=GMT), ArtifactError, "holds 2 GMT files"),
        (archive(a="One\tx\n"), InputDataError, "Line 1 of .* has no genes"),
    ):
        host.content = content
        with pytest.raises(error, match=message):
            fetch_reactome(url=f"{host.url}/file")
    assert (folder / "ReactomePathways.gmt").read_bytes() == kept
    assert sorted(p.name for p in folder.iterdir()) == ["ReactomePathways.gmt", "digests.json"]
