"""The data manifest: what is installed, what is intact, under which terms."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from resvae_core.data.inventory import (
    DataSource,
    KnownFile,
    Manifest,
    list_files,
    load_manifest,
    verify_files,
)
from resvae_core.data.screens import TRAINING_FILES
from resvae_core.errors import CatalogError

CONTENT = b"line,ln_ic50\nA,1.5\n"
SOURCE = DataSource("gdsc", "GDSC", "research use", "cite", "https://example.org")


def manifest(*names: str) -> Manifest:
    """Make a manifest in which every file has the same contents."""
    digest = hashlib.sha256(CONTENT).hexdigest()
    files = tuple(KnownFile(name, len(CONTENT), digest, ("gdsc",), "x") for name in names)
    return Manifest(files, {"gdsc": SOURCE})


def test_intact_partial_altered_and_missing_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "intact.csv").write_bytes(CONTENT)
    (tmp_path / "partial.csv").write_bytes(CONTENT[:-3])
    (tmp_path / "longer.csv").write_bytes(CONTENT + b"x")
    (tmp_path / "altered.csv").write_bytes(CONTENT.replace(b"1.5", b"2.5"))
    known = manifest("intact.csv", "partial.csv", "longer.csv", "altered.csv", "missing.csv")
    listed = {status.file.path: status.state for status in list_files(tmp_path, known)}
    assert listed == {
        "intact.csv": "present",
        "partial.csv": "partial",
        "longer.csv": "altered",
        "altered.csv": "present",
        "missing.csv": "missing",
    }
    verified = {status.file.path: status for status in verify_files(tmp_path, known)}
    assert verified["intact.csv"].state == "verified"
    assert verified["altered.csv"].state == "altered"
    assert [name for name, status in verified.items() if status.intact] == ["intact.csv"]


def test_without_a_folder_everything_is_missing() -> None:
    assert {status.state for status in list_files(None)} == {"missing"}


def test_every_known_file_has_digest_content_and_terms() -> None:
    shipped = load_manifest()
    for file in shipped.files:
        assert len(file.sha256) == 64
        assert file.size > 0
        assert file.content
        assert shipped.terms(file)
    assert set(TRAINING_FILES) <= {file.path for file in shipped.files}


def test_terms_of_the_screen_say_that_commercial_use_needs_a_licence() -> None:
    shipped = load_manifest()
    response = next(file for file in shipped.files if file.path == "gdsc/response.parquet")
    assert "commercial use needs a licence" in shipped.terms(response)


def test_a_broken_manifest_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "data_manifest.json"
    path.write_text('{"sources": []')
    with pytest.raises(CatalogError, match=r"data_manifest\.json cannot be read"):
        load_manifest(path)


@pytest.mark.data
def test_the_development_data_are_intact(data: Path) -> None:
    wrong = [status.file.path for status in verify_files(data) if status.state != "verified"]
    assert wrong == []
