"""``explain`` for all models at once, and against a cohort's mean profile."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.models.catalog import learned_names
from tests.core.cli.test_cli import DEMO, run


def explained(
    capsys: pytest.CaptureFixture[str], folder: Path, *options: str
) -> tuple[pd.DataFrame, str]:
    """Return the table of one call, and what it said beside it."""
    out = folder / "reasons.csv"
    arguments = ("explain", DEMO, "--drug", "Cisplatin", "--out", str(out), *options)
    code, _, err = run(capsys, *arguments)
    assert code == 0
    return pd.read_csv(out), err


def test_all_models_add_up_and_equal_the_single_ones(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    table, err = explained(capsys, tmp_path, "--model", "all")
    assert list(table.columns[:3]) == ["model", "sample", "gene"]
    assert list(dict.fromkeys(table["model"])) == learned_names()
    rows = table.groupby(["model", "sample"])
    sums = rows["base"].first() + rows["attribution"].sum()
    assert np.abs(sums - rows["score"].first()).max() <= 1e-3
    assert err.count("Base:") == 3  # networks and elastic net, trees, ensemble
    alone, _ = explained(capsys, tmp_path, "--model", "random_forest")
    same = table[table["model"] == "random_forest"].drop(columns="model").reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, same)


def test_a_cohort_is_the_background(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    table, err = explained(capsys, tmp_path, "--background", "DEMO")
    assert "Base: the mean profile of" in err
    assert "synthetic" in err
    assert table["base"].nunique() <= 2  # DEMO-4 lacks genes that the encoders then do not see


def test_a_cohort_that_is_not_installed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ("explain", DEMO, "--drug", "Cisplatin", "--background", "UVM")
    code, _, err = run(capsys, *arguments)
    assert code == 2
    assert "UVM" in err
    assert "What to do" in err
