"""``score``: from Parquet to Parquet, resumable, checked."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.cli.main import USER_ERROR, main
from resvae_core.config import models_folder
from resvae_core.data.inbox import entry_id
from resvae_core.jobs import service
from resvae_core.registry.batch_scoring import CHUNK
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


def run(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["score", *arguments])
    return int(ended.value.code or 0)


@pytest.fixture
def inbox(cohort_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inbox with the cohort in it, and nobody who works on jobs."""
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESVAE_INBOX", str(tmp_path / "inbox"))
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    (tmp_path / "inbox").mkdir()
    return cohort_file.rename(tmp_path / "inbox" / "cohort.parquet")


def test_a_job_is_queued_by_name_and_stored_by_id(
    inbox: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--inbox") == 0
    shown = capsys.readouterr()
    assert shown.out.split()[:3] == [entry_id(inbox.name), "10", "samples"]
    assert "cohort.parquet" in shown.out
    assert run("cohort.parquet", "--job", "--model", "drug_mean", "--drug", "Cisplatin") == 0
    (job,) = service.list_jobs(task="score")
    assert capsys.readouterr().out.strip() == job.id
    assert job.arguments == {
        "input": entry_id(inbox.name),
        "set_digest": read_contents(models_folder()).digest,
        "models": ["drug_mean"],
        "drugs": ["Cisplatin"],
        "reference": "tumours",
        "chunk": CHUNK,
    }
    assert "cohort" not in json.dumps(job.arguments)


@pytest.mark.usefixtures("inbox")
def test_a_job_is_refused_that_names_nothing_of_the_inbox_or_a_place_to_write_to(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for options, message in {
        ("nowhere.parquet", "--job"): "The inbox has no entry 'nowhere.parquet'",
        ("cohort.parquet", "--job", "--out", "x"): "not with one of --out and --job",
        ("cohort.parquet",): "not with one of --out and --job",
        ("cohort.parquet", "--job", "--verify"): "belong to a run here",
        ("cohort.parquet", "--job", "--workers", "2"): "belong to a run here",
        (): "without an input",
    }.items():
        assert run(*options) == USER_ERROR
        assert message in capsys.readouterr().err
    assert service.list_jobs(task="score") == []
