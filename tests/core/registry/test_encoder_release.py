"""The whole command on tiny data: pretrained, judged, described, saved, and loaded again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.cli.main import main
from resvae_core.data.pretraining_profiles import CELL_LINES
from resvae_core.data.screens import TrainingSet
from resvae_core.encoders.shipped import load_shipped
from resvae_core.registry import encoder_release
from resvae_core.tables import Expression, Screen
from tests.core.training.tiny_profiles import CONFIG, tiny_profiles


def tiny_training_set(folder: Path) -> TrainingSet:
    lines = tiny_profiles().group(CELL_LINES).values
    ln_ic50 = pd.DataFrame(
        {"X": lines["GENE01"] - 4, "Y": lines["GENE02"] - lines["GENE03"]}, dtype=float
    )
    resistant = (ln_ic50 > 0).astype(float)
    tissue = pd.Series(np.where(np.arange(len(lines)) % 2, "LUAD", "GBM"), lines.index)
    return TrainingSet(Expression(lines), Screen(ln_ic50, resistant, tissue), {}, pd.DataFrame())


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the command find tiny data and settings."""
    monkeypatch.setattr(encoder_release, "PRESETS", {"large": CONFIG, "small": CONFIG})
    monkeypatch.setattr(encoder_release, "load_profiles", lambda folder: tiny_profiles())
    monkeypatch.setattr(encoder_release, "load_training_set", tiny_training_set)


@pytest.mark.usefixtures("tiny")
def test_pretrain_writes_an_encoder_with_its_card(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["pretrain", "small", "--data", str(tmp_path), "--device", "cpu"]
    arguments += ["--checkpoints", str(tmp_path / "runs"), "--out", str(tmp_path / "encoders")]
    for _ in range(2):  # the second time from the finished run
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert not stopped.value.code
    out, err = capsys.readouterr()
    assert "small: epoch 4, 100%, loss" in err
    assert "genes + embedding" in out
    folder = tmp_path / "encoders" / "small"
    encoder = load_shipped("small", "cpu", folder=folder)
    lines = Expression(tiny_profiles().group(CELL_LINES).values)
    assert encoder.embed(lines).shape == (60, 8)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    assert card["weights_sha256"] == encoder.digest
    assert card["training"]["groups"] == {"cell_lines": 60, "GBM": 40, "LUAD": 40, "BRCA": 40}
    assert card["training"]["device"].startswith("CPU, ")
    assert card["training"]["labels"].startswith("none")
    assert set(card["training"]["data_digests"]) == set(card["training"]["groups"])
    assert card["inputs"]["references"]["tumours"].startswith("TCGA primary tumours: GBM (40)")
    assert {row["method"] for row in card["figures"]["Hidden genes of held-out profiles"]} == {
        "mean",
        "pca, same kind",
        "pca, all kinds",
        "encoder",
    }
