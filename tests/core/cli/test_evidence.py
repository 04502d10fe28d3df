"""``evidence``: findings are of the set that they were computed with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from resvae_core.cli import evidence as command
from resvae_core.data.files import replace_folder
from resvae_core.errors import ArtifactError
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.evidence import EVIDENCE, TABLES, describe_evidence
from resvae_core.registry.evidence_run import Findings
from resvae_core.registry.store import set_digest
from tests.core.registry.tiny_sets import staged_copy, tiny_set


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a set; the findings, which take minutes, are made up."""
    monkeypatch.setattr(command, "require_needs", lambda data, models: None)
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path))
    monkeypatch.setattr(command, "cohort_sizes", lambda tables: {"LUAD": 513})
    monkeypatch.setattr(command, "build_evidence", lambda *_, **__: findings())
    return Path(shutil.copytree(tiny_set(), tmp_path / "models"))


def findings() -> Findings:
    table = pd.DataFrame({"gene": ["TP53"], "effect": [0.5]})
    return Findings(dict.fromkeys(TABLES, table), {})


def test_evidence_names_the_set_that_was_loaded(models: Path, tmp_path: Path) -> None:
    command.evidence(tmp_path, models)
    found = describe_evidence(models)
    assert (found.model_set, found.set_digest) == ("tiny", set_digest(models))


def test_findings_of_a_set_that_was_replaced_meanwhile_are_not_said_to_be_of_the_new_one(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(data: Path, model_set: ModelSet, **_: object) -> Findings:
        replace_folder(staged_copy(tiny_set(), tmp_path / "other", name="other"), models)
        return findings()

    monkeypatch.setattr(command, "build_evidence", build)
    with pytest.raises(
        ArtifactError, match=r"models/ was replaced while .* not tiny \("
    ) as refusal:
        command.evidence(tmp_path, models)
    assert "Compute the evidence again" in refusal.value.remedy
    assert not (models / EVIDENCE).exists()
