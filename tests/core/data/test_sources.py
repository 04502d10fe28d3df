"""The table of data sets: complete, official, and nothing of it leads out of the data folder."""

from __future__ import annotations

import json
from fnmatch import fnmatch
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from resvae_core.data import sources
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.cohorts import XENA_CLINICAL, XENA_FILES
from resvae_core.data.screens import OFFICIAL_PATTERNS
from resvae_core.data.sources import find_by_path, find_data_set, load_data_sets, with_needs
from resvae_core.errors import CatalogError

HOSTS = {
    "cog.sanger.ac.uk",
    "www.cancerrxgene.org",
    "ndownloader.figshare.com",
    "gdc-hub.s3.us-east-1.amazonaws.com",
    "tcga-pancan-atlas-hub.s3.us-east-1.amazonaws.com",
}


def own_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *rows: dict[str, object]) -> None:
    table = tmp_path / "table.json"
    table.write_text(json.dumps(rows))
    monkeypatch.setenv(sources.SOURCES_VARIABLE, str(table))


def row(key: str, path: str = "x/y.csv", **more: object) -> dict[str, object]:
    texts = dict.fromkeys(
        ("title", "content", "release", "licence", "licence_url", "citation", "homepage"), "text"
    )
    file = {"path": path, "url": "https://example.org/y.csv", "form": "csv"}
    return {"key": key, **texts, "files": [file], **more}


def test_every_data_set_names_its_terms_and_is_fetched_over_https_from_its_owner() -> None:
    for one in load_data_sets().values():
        assert all((one.title, one.content, one.release, one.licence, one.citation))
        assert one.licence_url.startswith("https://")
        assert one.homepage.startswith("https://")
        for file in one.files:
            parts = urlsplit(file.url or "")
            assert (parts.scheme, parts.hostname in HOSTS) == ("https", True), file.url
            assert file.form != "other", "what arrives can be checked"


def test_each_cancer_type_has_a_data_set_that_needs_the_clinical_table() -> None:
    keys = [f"tcga-{code.lower()}" for code in load_cancer_types()]
    assert len(keys) == 33
    assert [one.key for one in with_needs("TCGA-LUAD")] == ["clinical", "tcga-luad"]
    assert set(keys) <= set(load_data_sets())


def test_files_lie_where_the_readers_look_for_them() -> None:
    paths = [file.path for key in ("gdsc", "depmap") for file in find_data_set(key).files]
    for pattern in OFFICIAL_PATTERNS:
        assert sum(fnmatch(path, pattern) for path in paths) == 1, pattern
    cohort = find_data_set("tcga-gbm").files[0].path
    assert fnmatch(cohort, XENA_FILES[0].format(code="GBM"))
    assert fnmatch(find_data_set("clinical").files[0].path, XENA_CLINICAL[0])


def test_gdsc_brings_the_expression_it_needs_and_asks_for_its_licence() -> None:
    assert [one.key for one in with_needs("gdsc")] == ["depmap", "gdsc"]
    assert find_data_set("gdsc").requires_acceptance
    assert not find_data_set("depmap").requires_acceptance
    assert find_data_set("depmap").size == 506_628_654 + 645_696
    assert all(file.md5 for file in find_data_set("depmap").files)


def test_file_leads_back_to_its_data_set() -> None:
    found = find_by_path("depmap/Model.csv")
    assert found is not None
    assert found.key == "depmap"
    assert find_by_path("gdsc/response.parquet") is None


def test_unknown_key_names_those_that_are_known() -> None:
    with pytest.raises(CatalogError, match="'genomes' is no data set") as refused:
        find_data_set("genomes")
    assert "gdsc" in refused.value.remedy


@pytest.mark.parametrize("path", ["/etc/passwd", "../outside.csv", "a/../../outside.csv"])
def test_table_that_would_write_outside_the_data_folder_is_refused(
    path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_table(tmp_path, monkeypatch, row("one", path))
    with pytest.raises(CatalogError, match="no proper path or form"):
        load_data_sets()


def test_table_of_ones_own_is_used_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_table(tmp_path, monkeypatch, row("one"), row("two", needs=["one"]))
    assert [one.key for one in with_needs("two")] == ["one", "two"]
    monkeypatch.setenv(sources.SOURCES_VARIABLE, str(tmp_path / "no-such.json"))
    with pytest.raises(CatalogError, match=r"no-such\.json cannot be read"):
        load_data_sets()
    (tmp_path / "needy").mkdir()
    own_table(tmp_path / "needy", monkeypatch, row("two", needs=["one"]))
    with pytest.raises(CatalogError, match="needs 'one', which the table does not have"):
        load_data_sets()
