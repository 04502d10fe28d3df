"""``biomarkers``: computed and shipped rows, which are kept, and what is refused."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner, Result

from resvae_core.cli import biomarkers as command
from resvae_core.cli.main import program as whole
from resvae_core.data.transfer_drugs import load_transfer_drugs
from resvae_core.errors import ConfigError, InputDataError, UnknownCohortError, UnknownDrugError
from resvae_core.explain.biomarkers import COLUMNS, biomarker_table
from tests.core.explain.test_biomarkers import DRUGS, synthetic_reading

READ: list[str] = []


@pytest.fixture
def program() -> typer.Typer:
    program = typer.Typer()
    program.command()(command.biomarkers)
    return program


def run(program: typer.Typer, *arguments: object) -> Result:
    return CliRunner().invoke(program, [str(one) for one in arguments])


@pytest.fixture
def quick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Replace what predicts and explains; return a folder for data."""
    READ.clear()

    def read_patients(model_set, patients, drugs, *, progress):
        progress(0, 10)
        progress(10, 10)
        READ.append(patients.code)
        assert drugs == [entry.drug for entry in load_transfer_drugs()[patients.code]]
        return replace(synthetic_reading(), cohort=patients.code)

    def load_patients(folder, code, model_set):
        return SimpleNamespace(code=code)

    monkeypatch.setattr(command, "load_model_set", lambda folder: None)
    monkeypatch.setattr(command, "load_patients", load_patients)
    monkeypatch.setattr(command, "read_patients", read_patients)
    return tmp_path


def table_of(result: Result) -> pd.DataFrame:
    assert result.exit_code == 0, result.output
    return pd.read_csv(io.StringIO(result.stdout), keep_default_na=False)


def test_one_cohort_is_computed_and_written(program: typer.Typer, quick: Path) -> None:
    out = quick / "table.csv"
    result = run(program, "--data", quick, "--cohort", "luad", "--out", out)
    assert result.exit_code == 0
    table = pd.read_csv(out)
    assert list(table.columns) == list(COLUMNS)
    assert READ == ["LUAD"]
    assert "q over LUAD" in result.stderr
    assert "Research use only" in result.stderr


def test_all_five_are_computed_where_none_is_named(program: typer.Typer, quick: Path) -> None:
    result = run(program, "--data", quick, "--drug", "cisplatin")
    assert READ == ["LUAD", "GBM", "BLCA", "STAD", "PAAD"]
    assert set(table_of(result)["drug"]) == {"Cisplatin"}


def test_a_drug_chooses_rows_and_changes_none(program: typer.Typer, quick: Path) -> None:
    everything = table_of(run(program, "--data", quick, "--cohort", "LUAD"))
    some = table_of(run(program, "--data", quick, "--cohort", "LUAD", "--drug", "Erlotinib"))
    expected = everything[everything["drug"] == "Erlotinib"].reset_index(drop=True)
    pd.testing.assert_frame_equal(some, expected)
    assert set(everything["drug"]) == set(DRUGS)


def test_shipped_rows_need_no_data(program: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = biomarker_table([synthetic_reading()])
    asked = []

    def load_evidence(name: str, folder: Path | None) -> pd.DataFrame:
        asked.append(name)
        return shipped

    monkeypatch.setattr(command, "load_evidence", load_evidence)
    table = table_of(run(program, "--shipped", "--cohort", "LUAD", "--drug", "Paclitaxel"))
    assert asked == ["biomarkers"]
    assert len(table) == (shipped["drug"] == "Paclitaxel").sum()
    assert len(table_of(run(program, "--shipped", "--cohort", "STAD"))) == 0


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--cohort", "BRCA"), UnknownCohortError, "not for 'BRCA'"),
        (("--drug", "aspirin"), UnknownDrugError, "aspirin"),
        (("--cohort", "LUAD", "--drug", "Temozolomide"), ConfigError, "nine drugs of LUAD"),
        (("--data", "no-such-folder"), InputDataError, "There is no data folder"),
    ],
)
def test_what_cannot_be_computed_is_refused(
    program: typer.Typer, arguments: tuple[str, ...], error: type[Exception], message: str
) -> None:
    result = run(program, *arguments)
    assert isinstance(result.exception, error)
    assert message in str(result.exception)


def test_the_program_knows_the_command() -> None:
    assert "biomarkers" in {command.name for command in whole.registered_commands}
