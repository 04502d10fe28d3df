"""``score``: from Parquet to Parquet, resumable, checked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.cli.main import USER_ERROR, main
from resvae_core.config import models_folder
from resvae_core.registry.store import read_contents


@pytest.fixture
def cohort_file(tmp_path: Path) -> Path:
    genes = sorted(read_contents(models_folder()).genes)
    values = np.random.default_rng(0).gamma(4, 1, (10, len(genes))).astype(np.float32)
    path = tmp_path / "cohort.parquet"
    pd.DataFrame(values, [f"SYN-{k}" for k in range(10)], genes).to_parquet(path)
    return path


def score(cohort_file: Path, *further: str) -> None:
    """Run the command and let it end with success."""
    options = ["--model", "drug_mean", "--engine", "serial", "--chunk", "4", *further]
    with pytest.raises(SystemExit) as ended:
        main(["score", str(cohort_file), "--out", str(cohort_file.parent / "out"), *options])
    assert ended.value.code == 0


def test_the_command_scores_goes_on_and_checks(
    cohort_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score(cohort_file, "--drug", "cisplatin", "--drug", "Erlotinib", "--cancer-type", "LUAD")
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "20 rows of 10 samples in 3 parts (3 written now)" in printed.err
    assert "10 of 10 samples" in printed.err
    assert "Research use only" in printed.err
    table = pd.read_parquet(cohort_file.parent / "out" / "part-00000.parquet")
    assert list(table["drug"].unique()) == ["Cisplatin", "Erlotinib"]
    (cohort_file.parent / "out" / "part-00001.parquet").unlink()
    options = ("--drug", "Cisplatin", "--drug", "Erlotinib", "--cancer-type", "LUAD")
    score(cohort_file, *options, "--verify")
    printed = capsys.readouterr()
    assert "(1 written now)" in printed.err
    assert "Verified: each of 20 rows is there once" in printed.err


def test_the_command_says_what_is_wrong_and_what_to_do(
    cohort_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    score(cohort_file, "--drug", "Cisplatin")
    capsys.readouterr()
    options = ["--model", "drug_mean", "--drug", "Erlotinib", "--engine", "serial", "--chunk", "4"]
    with pytest.raises(SystemExit) as ended:
        main(["score", str(cohort_file), "--out", str(cohort_file.parent / "out"), *options])
    assert ended.value.code == USER_ERROR
    printed = capsys.readouterr().err
    assert "not the same drugs" in printed
    assert "What to do: Choose another folder" in printed
