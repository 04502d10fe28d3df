from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.files import file_digest
from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.registry.evidence import (
    EVIDENCE,
    TABLES,
    describe_evidence,
    load_evidence,
    save_evidence,
)
from resvae_core.registry.pointer import SET_FILE


def small_tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(0)
    return {
        name: pd.DataFrame({"gene": ["TP53", "EGFR"], "effect": rng.normal(size=2)})
        for name in TABLES
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / SET_FILE).write_text('{"name": "test-set"}', encoding="utf-8")
    save_evidence(
        small_tables(),
        model_set="test-set",
        set_digest=file_digest(tmp_path / SET_FILE),
        created="2026-01-01",
        cohorts={"LUAD": 513},
        folder=tmp_path,
    )
    return tmp_path


def test_every_table_comes_back_as_it_was_saved(folder: Path) -> None:
    for name, table in small_tables().items():
        loaded = load_evidence(name, folder).astype({"effect": float})
        pd.testing.assert_frame_equal(loaded, table, rtol=1e-5)
    about = describe_evidence(folder)
    assert (about.model_set, about.cohorts) == ("test-set", {"LUAD": 513})


def test_evidence_of_another_model_set_is_refused(folder: Path) -> None:
    (folder / SET_FILE).write_text('{"name": "retrained"}', encoding="utf-8")
    with pytest.raises(ArtifactError, match="another model set"):
        load_evidence("biomarkers", folder)


@pytest.mark.parametrize("harm", ["altered", "missing"])
def test_a_harmed_table_is_refused(folder: Path, harm: str) -> None:
    path = folder / EVIDENCE / "transfer_tasks.csv"
    if harm == "missing":
        path.unlink()
    else:
        path.write_text(path.read_text().replace("TP53", "TP54"))
    with pytest.raises(ArtifactError, match=f"transfer_tasks.csv of the evidence is {harm}"):
        load_evidence("transfer_tasks", folder)


def test_without_evidence_the_remedy_names_the_command(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="no readable evidence") as caught:
        describe_evidence(tmp_path)
    assert "resvae_core evidence" in caught.value.remedy


def test_an_unknown_schema_is_refused(folder: Path) -> None:
    path = folder / EVIDENCE / "evidence.json"
    document = json.loads(path.read_text()) | {"schema_version": 99}
    path.write_text(json.dumps(document))
    with pytest.raises(ArtifactError, match="another schema version"):
        describe_evidence(folder)


def test_tables_must_be_complete_and_known(folder: Path) -> None:
    with pytest.raises(ConfigError, match="no table 'patients'"):
        load_evidence("patients", folder)
    tables = small_tables()
    tables.pop("biomarkers")
    before = describe_evidence(folder)
    with pytest.raises(ConfigError, match="biomarkers"):
        save_evidence(tables, model_set="x", set_digest="", created="", cohorts={}, folder=folder)
    assert describe_evidence(folder) == before


def test_only_what_cannot_be_fetched_may_be_left_out_and_says_why(folder: Path) -> None:
    about: dict[str, Any] = {"model_set": "test-set", "set_digest": file_digest(folder / SET_FILE)}
    about |= {"created": "2026-01-01", "cohorts": {}, "folder": folder}
    tables = small_tables()
    tables.pop("alignment")
    with pytest.raises(ConfigError, match="unknown one: alignment"):
        save_evidence(tables, **about)
    save_evidence(tables, **about, left_out={"alignment": "a file is not installed"})
    assert describe_evidence(folder).left_out == {"alignment": "a file is not installed"}
    with pytest.raises(ArtifactError, match="was not computed, because a file is not installed"):
        load_evidence("alignment", folder)
    tables.pop("biomarkers")
    reasons = dict.fromkeys(("alignment", "biomarkers"), "a file is not installed")
    with pytest.raises(ConfigError, match="unknown one: biomarkers"):
        save_evidence(tables, **about, left_out=reasons)


def test_document_without_omissions_is_that_of_earlier_versions(folder: Path) -> None:
    document = json.loads((folder / EVIDENCE / "evidence.json").read_text())
    assert "left_out" not in document
    assert describe_evidence(folder).left_out == {}
