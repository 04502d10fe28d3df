"""The command line on the shipped models and the synthetic demo patients."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.cli.main import main
from resvae_core.config import ASSETS
from resvae_core.models.catalog import KINDS, learned_names
from resvae_core.models.model_set import COLUMNS
from resvae_core.models.ranking import FIVE
from resvae_core.registry.description import describe_model_set

DEMO = str(ASSETS / "demo" / "patients.csv.gz")


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Return exit code, stdout and stderr of one call."""
    with pytest.raises(SystemExit) as stopped:
        main(arguments)
    out, err = capsys.readouterr()
    return int(stopped.value.code or 0), out, err


def test_predict_gives_every_drug_and_model(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, "predict", DEMO, "--cancer", "LUAD")
    table = pd.read_csv(io.StringIO(out))
    assert code == 0
    assert list(table.columns) == [*COLUMNS, "model_set"]
    assert table["model_set"].unique().tolist() == [describe_model_set().stamp]
    assert table.groupby("sample").size().tolist() == [72 * len(KINDS)] * 4
    assert "Research use only" in err


def test_demo_patients_tell_their_stories(capsys: pytest.CaptureFixture[str]) -> None:
    stories = json.loads((ASSETS / "demo" / "patients.json").read_text(encoding="utf-8"))
    drug = stories[0]["drug"]
    _, out, _ = run(capsys, "predict", DEMO, "--cancer", "LUAD", "--drug", drug)
    table = pd.read_csv(io.StringIO(out))
    table = table[table["model"].isin(learned_names())]
    five = table[table["model"].isin(FIVE)]
    calls = {story["story"]: table[table["sample"] == story["sample"]] for story in stories}
    of_five = {story["story"]: five[five["sample"] == story["sample"]]["call"] for story in stories}
    assert set(of_five["resistant"]) == {"resistant"}
    n_sensitive = (of_five["sensitive"] == "sensitive").sum()
    assert n_sensitive >= 2
    assert stories[1]["sentence"].startswith(f"{n_sensitive} of the five models")
    for story in stories[:3]:
        told = calls[story["story"]].set_index("model")["call"]
        assert told[story["model"]] == story["story"]
    assert (of_five["uncertain"] == "uncertain").sum() >= 3
    assert set(calls["out of range"]["range"]) == {"out of range"}
    assert set(calls["out of range"]["call"]) == {"not assessable"}


@pytest.mark.parametrize("model", learned_names())
def test_explain_adds_up(model: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    out_file = tmp_path / "reasons.csv"
    code, _, err = run(
        capsys,
        *("explain", DEMO, "--drug", "Cisplatin", "--model", model, "--out", str(out_file)),
    )
    table = pd.read_csv(out_file)
    assert code == 0
    assert "Base:" in err
    assert list(table.columns) == [
        "sample",
        "gene",
        "value",
        "attribution",
        "base",
        "score",
        "unit",
    ]
    sums = table.groupby("sample").agg({"attribution": "sum", "base": "first", "score": "first"})
    assert np.abs(sums["base"] + sums["attribution"] - sums["score"]).max() <= 1e-3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("predict", "no-such-file.csv"), "There is no file"),
        (("predict", DEMO, "--drug", "Cisplatinum-X"), "Cisplatinum-X"),
        (("predict", DEMO, "--cancer", "XXXX"), "No cancer type 'XXXX'"),
        (("predict", DEMO, "--model", "oracle"), "has no model 'oracle'"),
        (("explain", DEMO, "--drug", "Cisplatin", "--model", "drug_mean"), "reads no genes"),
        (("models", "card", "oracle"), "The card of 'oracle' is missing"),
        (("data", "verify", "--data", "no-such-folder"), "There is no data folder"),
        (("train", "--data", "no-such-folder"), "There is no data folder"),
    ],
)
def test_errors_give_message_and_remedy_and_no_traceback(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = run(capsys, *arguments)
    assert code == 2
    assert message in err
    assert "What to do:" in err
    assert "Traceback" not in err + out


def test_models_list_verify_and_card(capsys: pytest.CaptureFixture[str]) -> None:
    _, listed, _ = run(capsys, "models", "list")
    assert all(kind in listed for kind in KINDS)
    code, verified, _ = run(capsys, "models", "verify")
    assert code == 0
    assert {line.split()[0] for line in verified.splitlines()} == {"intact"}
    _, card, _ = run(capsys, "models", "card", "vae_ld")
    document = json.loads(card)
    assert len(document["genes"]) == document["inputs"]["n_genes"]
    assert len(document["drugs"]) == 72


def test_data_list_names_every_known_file(capsys: pytest.CaptureFixture[str]) -> None:
    code, listed, _ = run(capsys, "data", "list", "--files")
    assert code == 0
    assert "gdsc/response.parquet" in listed


@pytest.mark.data
@pytest.mark.parametrize(
    "name",
    [
        "gbm_1_patient_tpm_symbols.csv",
        "gbm_3_patients_counts_ensembl.tsv.gz",
        "luad_1_patient_tpm_symbols.csv",
        "luad_3_patients_counts_ensembl.tsv.gz",
    ],
)
def test_real_uploads_give_72_drugs_by_all_models(
    name: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = run(
        capsys, "predict", str(data / "uploads" / name), "--cancer", name[:4].strip("_")
    )
    table = pd.read_csv(io.StringIO(out))
    assert code == 0
    assert set(table.groupby("sample").size()) == {72 * len(KINDS)}
    assert set(table["range"]) <= {"in range", "borderline"}


@pytest.mark.data
@pytest.mark.parametrize("cancer", ["gbm", "luad"])
def test_counts_and_tpm_of_one_patient_agree(
    cancer: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tables = {}
    for form in ("1_patient_tpm_symbols.csv", "3_patients_counts_ensembl.tsv.gz"):
        _, out, _ = run(capsys, "predict", str(data / "uploads" / f"{cancer}_{form}"))
        tables[form[0]] = pd.read_csv(io.StringIO(out)).set_index(["sample", "drug", "model"])
    tpm = tables["1"]["probability"]
    counts = tables["3"]["probability"].loc[tpm.index]
    learned = tpm.index.get_level_values("model").isin(learned_names())
    assert (tpm - counts)[learned].abs().median() <= 0.02
