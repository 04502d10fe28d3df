"""``transfer``: the table, its comparison with the shipped one, and how it ends."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner, Result

from resvae_core.cli import transfer as command
from resvae_core.evaluation.clinical_response import COLUMNS as RESPONSE_COLUMNS
from resvae_core.evaluation.clinical_response import TESTS
from resvae_core.evaluation.transfer import COLUMNS, KEYS
from resvae_core.registry.evidence import EVIDENCE, EVIDENCE_FILE


@pytest.fixture
def program() -> typer.Typer:
    program = typer.Typer()
    program.command()(command.transfer)
    return program


def run(program: typer.Typer, *arguments: object) -> Result:
    return CliRunner().invoke(program, [str(one) for one in arguments])


def made_up(median: float = 0.9) -> pd.DataFrame:
    numbers = dict.fromkeys([name for name in COLUMNS if name not in KEYS], 0.5)
    rows = [
        dict(zip(KEYS, ("LUAD", drug, "vae_ll"), strict=True))
        | numbers
        | {"task": True, "form": "log2tpm", "median": median, "spearman_unaligned": np.nan}
        for drug in ("Cisplatin", "Gefitinib")
    ]
    return pd.DataFrame(rows)[COLUMNS]


def responses() -> pd.DataFrame:
    row = ("LUAD", "Cisplatin", "vae_ll", 0.69, 0.52, 0.84, 51, 40, "log2tpm", 0.06, 0.38)
    return pd.DataFrame([row], columns=[*RESPONSE_COLUMNS, *TESTS])


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace what computes; return a folder for data, models and what is written."""
    monkeypatch.setattr(command, "load_model_set", lambda folder: None)
    monkeypatch.setattr(command, "transfer_table", lambda folder, models, progress: made_up())
    monkeypatch.setattr(command, "response_table", lambda folder, models, progress: responses())
    return tmp_path


def ship(folder: Path, table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / EVIDENCE).mkdir()
    (folder / EVIDENCE / EVIDENCE_FILE).write_text("{}")
    monkeypatch.setattr(command, "load_evidence", lambda name, models: table)


def test_a_table_that_is_the_shipped_one_is_said_to_be(
    program: typer.Typer, quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(quick, made_up(0.9004), monkeypatch)
    out = quick / "table.csv"
    result = run(program, "--data", quick, "--models", quick, "--out", out)
    assert result.exit_code == 0
    assert "agrees with the shipped one (largest difference 0.0004)" in result.stderr
    assert "Research use only" in result.stderr
    pd.testing.assert_frame_equal(pd.read_csv(out), made_up())


def test_numbers_that_differ_are_listed_and_end_with_exit_code_1(
    program: typer.Typer, quick: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ship(quick, made_up(0.8), monkeypatch)
    result = run(program, "--data", quick, "--models", quick)
    assert result.exit_code == 1
    assert "2 numbers differ from the shipped table by more than 0.001" in result.stderr
    assert "LUAD, Cisplatin, vae_ll: median is 0.9, shipped 0.8" in result.stderr
    assert result.stdout.startswith(",".join(COLUMNS))


def test_without_a_shipped_table_there_is_nothing_to_disagree_with(
    program: typer.Typer, quick: Path
) -> None:
    responses_file = quick / "response.csv"
    result = run(program, "--data", quick, "--models", quick, "--response-out", responses_file)
    assert result.exit_code == 0
    assert "no shipped table" in result.stderr
    assert pd.read_csv(responses_file)["roc_auc"].tolist() == [0.69]
    assert "vae_ll: ROC AUC above 0.5 in 1 of 1 pairs" in result.stderr
    assert "some exclude 0.5 by chance (smallest q over all of them 0.38)" in result.stderr


def test_cohorts_are_announced_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    command.show("LUAD", 0, 5)
    command.show("", 5, 5)
    assert capsys.readouterr().err == "1 of 5: LUAD\n"


def test_long_lists_of_differences_are_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = made_up()
    numbers = [name for name in COLUMNS if name not in (*KEYS, "task", "form")]
    other[numbers] += 1
    ship(tmp_path, other, monkeypatch)
    same, words = command.compare_with_shipped(made_up(), tmp_path)
    assert not same
    assert words.splitlines()[-1].strip().startswith("and ")
    assert len(words.splitlines()) == command.N_SHOWN + 2


@pytest.mark.data
def test_the_shipped_table_is_reproduced_in_under_ten_minutes(
    program: typer.Typer, data: Path, tmp_path: Path
) -> None:
    started = time.monotonic()
    out = tmp_path / "transfer.csv"
    result = run(program, "--data", data, "--out", out)
    assert time.monotonic() - started < 600
    assert result.exit_code == 0, result.stderr
    table = pd.read_csv(out)
    assert table["task"].sum() == 180
    assert len(table) == 5 * 9 * 7
