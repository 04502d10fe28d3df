from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from resvae_core.config import PROJECT_ROOT
from resvae_core.errors import ArtifactError
from resvae_core.registry.description import describe_model_set


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    models = {"resvae": False, "drug_mean": True}
    for kind, is_floor in models.items():
        (tmp_path / kind).mkdir()
        card = {
            "is_floor": is_floor,
            "created": "2026-11-20",
            "training": {"sources": "GDSC", "share_resistant": 0.85},
            "drugs": ["Cisplatin", "Erlotinib"],
            "genes": ["EGFR", "MYC", "TP53"],
        }
        (tmp_path / kind / "card.json").write_text(json.dumps(card))
    document = {"name": "a set", "default_model": "resvae", "models": list(models)}
    (tmp_path / "model_set.json").write_text(json.dumps(document))
    return tmp_path


def test_description_names_learned_models_and_the_set_files_digest(folder: Path) -> None:
    described = describe_model_set(folder)
    assert described.learned == ("resvae",)
    assert described.default_model == "resvae"
    assert (described.name, described.created, described.sources) == ("a set", "2026-11-20", "GDSC")
    assert described.drugs == ("Cisplatin", "Erlotinib")
    assert (described.n_genes, described.share_resistant, described.synthetic) == (3, 0.85, False)
    content = (folder / "model_set.json").read_bytes()
    assert described.digest == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("broken", ["model_set.json", "resvae/card.json"])
def test_missing_or_broken_file_is_refused_with_a_remedy(folder: Path, broken: str) -> None:
    (folder / broken).write_text("{")
    with pytest.raises(ArtifactError, match="no readable model set") as refusal:
        describe_model_set(folder)
    assert "Restore models/" in refusal.value.remedy


def test_description_loads_no_heavy_library() -> None:
    code = (
        "import sys, resvae_core.registry.description\n"
        "print({'numpy', 'pandas', 'torch', 'scipy'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "set()"
