"""``train`` as a command, on a data folder of 100 made-up lines in the layout of the real one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from resvae_core.access.audit import Line, find_lines
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.main import main
from resvae_core.config import PROJECT_ROOT
from resvae_core.data.drugs import load_drugs
from resvae_core.database import DATABASE_VARIABLE, close_databases
from resvae_core.models.catalog import floor_names
from resvae_core.process_locks import only_one
from resvae_core.registry.candidate_run import Folders
from resvae_core.registry.library import list_sets
from resvae_core.registry.store import list_cards, set_digest
from resvae_core.settings import Settings, write_settings
from tests.core.conftest import GENES
from tests.core.registry.tiny_sets import one_drug_set, train_tiny_set
from tests.tiny_data import install_tiny_data

N_LINES = 100
AWAY = "postgresql+psycopg://resvae@127.0.0.1:1/resvae"


def write_data(folder: Path) -> None:
    """Write expression, lines and responses; a gene each decides two drugs' responses."""
    rng = np.random.default_rng(0)
    lines = [f"ACH-9{number:05d}" for number in range(N_LINES)]
    cosmic = np.arange(N_LINES, dtype=np.int64) + 1
    values = np.abs(rng.normal(4, 1.5, (N_LINES, len(GENES)))).astype(np.float32)
    tissue = np.resize(["LUAD", "BRCA", "SKCM", "GBM", "OV"], N_LINES)
    (folder / "gdsc").mkdir(parents=True)
    expression = pd.DataFrame(values, pd.Index(lines, name="depmap_id"), list(GENES))
    expression.to_parquet(folder / "gdsc" / "expression_panel.parquet")
    pd.DataFrame(
        {
            "depmap_id": lines,
            "cosmic_id": cosmic,
            "cell_line_name": lines,
            "expr_source": "rnaseq",
            "tcga": tissue,
        }
    ).to_parquet(folder / "gdsc" / "expression_lines.parquet")
    pd.DataFrame({"cosmic_id": cosmic, "tissue1": np.char.lower(tissue)}).to_parquet(
        folder / "gdsc" / "cell_lines.parquet"
    )
    pd.concat(
        pd.DataFrame(
            {
                "cosmic_id": cosmic,
                "cell_line_name": lines,
                "drug_id": drug.drug_id,
                "drug_name": drug.name,
                "dataset": drug.screen,
                "ln_ic50": drug.threshold_ln_ic50 + 0.8 * (values[:, number % 36] - 3.0),
                "auc": 0.5,
                "z_score": 0.0,
                "max_conc": 10.0,
            }
        )
        for number, drug in enumerate(load_drugs().values())
    ).to_parquet(folder / "gdsc" / "response.parquet")


def train(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "resvae_core", "train", "--data", str(root / "data")]
    return subprocess.run(
        [*command, "--seeds", "1", "--jobs", "1", *options],
        cwd=PROJECT_ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={
            **os.environ,
            "OMP_NUM_THREADS": "1",
            "RESVAE_ARTIFACTS": str(root / "artifacts"),
        },
    )


def test_one_command_trains_and_a_second_one_finds_everything_done(tmp_path: Path) -> None:
    write_data(tmp_path / "data")
    options = ("--kind", "elastic_net", "--name", "tiny", "--device", "cpu")
    first = train(tmp_path, *options, "--models", str(tmp_path / "models"))
    assert first.returncode == 0, first.stderr
    assert "Computing on: CPU." in first.stderr
    assert "training: 100%" in first.stderr
    assert "Model set tiny saved in" in first.stdout
    kinds = ["elastic_net", *floor_names()]
    assert [card.kind for card in list_cards(tmp_path / "models")] == kinds
    found = {path.name for path in (tmp_path / "artifacts" / "training").glob("*/*")}
    kept = {name for name in found if not name.endswith(".lock")}
    assert kept == {*kinds, "started.json"}
    judged = {path.stem for path in (tmp_path / "models" / "evaluation").glob("*.csv")}
    assert {"summary", "per_drug", "comparisons", "coverage_by_tissue", "external"} <= judged
    second = train(tmp_path, *options, "--models", str(tmp_path / "again"))
    assert second.returncode == 0, second.stderr
    assert set_digest(tmp_path / "again") == set_digest(tmp_path / "models")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--device", "gpu"), "'gpu' is no device"),
        (("--kind", "oracle"), "'oracle' is no kind of model"),
        (("--kind", "ensemble"), "'ensemble' is built from 'vae_ll', which is not to be trained"),
    ],
)
def test_what_cannot_be_trained_is_refused_before_anything_is_read(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = refuse(tmp_path, options, capsys)
    assert message in refused
    assert "What to do:" in refused


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")
def test_absent_gpu_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "shows no CUDA device" in refuse(tmp_path, ("--device", "cuda"), capsys)


def test_automatic_device_is_that_of_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    write_settings(Settings(device="cuda:99"))
    assert "shows no CUDA device 99" in refuse(tmp_path, (), capsys)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--label-rule", "median"), "use catalogue or lowest_share"),
        (("--candidate", "--models", "x"), "names a folder to replace"),
        (("--drug", "Cisplatine"), "No drug named 'Cisplatine'"),
        (("--label-rule", "lowest_share", "--label-share", "0.9"), "0.9 of the lines"),
        (("--genes", "genome"), "the installed expression of cell lines is a panel"),
        (("--name", "Not a name"), "cannot be the name of a model set"),
    ],
)
def test_request_that_cannot_be_met_is_refused(
    options: tuple[str, ...], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install_tiny_data(tmp_path)
    assert message in refuse(tmp_path, ("--kind", "elastic_net", *options), capsys)


def test_a_second_training_waits_for_the_first_one_to_be_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("RESVAE_ARTIFACTS", str(tmp_path))
    install_tiny_data(tmp_path / "data")
    options = ("--kind", "elastic_net", "--models", str(tmp_path / "models"))
    with only_one(tmp_path / "train.lock", what="train"):
        assert "Somebody else is about to train" in refuse(tmp_path / "data", options, capsys)
    assert not (tmp_path / "models").exists()


def test_candidate_is_added_to_the_library_and_the_models_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("artifacts", "state"):
        monkeypatch.setenv(f"RESVAE_{name.upper()}", str(tmp_path / name))
    options = ["--data", str(install_tiny_data(tmp_path / "data")), "--name", "tiny"]
    options += ["--candidate", "--effort", "short", "--seeds", "1", "--engine", "serial"]
    options += ["--label-rule", "lowest_share", "--label-share", "0.25", "--kind", "elastic_net"]
    before = set_digest()
    with pytest.raises(SystemExit) as ended:
        main(["train", *options, "--drug", "Tarceva", "--drug", "Cisplatin"])
    assert ended.value.code == 0
    printed = capsys.readouterr()
    added = list_sets()[-1]
    assert f"Candidate {added.id} added to the library." in printed.out
    assert "failed: Trained in full" in printed.out
    assert "Expected from the start: 1 to 2 minutes. 15 folds × 1 kind" in printed.err
    assert (added.name, added.origin) == ("tiny-short", "command line")
    assert set_digest() == before
    document = list_cards(added.folder)[0].document
    assert document["drugs"] == ["Cisplatin", "Erlotinib"]
    assert document["training"]["label_rule"]["share"] == 0.25
    assert not list((tmp_path / "artifacts").glob("staged-*"))
    [line] = recorded("set.added")
    assert (line.actor, line.model_set) == ("command line", added.digest)
    assert line.subject == f"set:{added.id}"


@pytest.fixture(scope="module")
def cisplatin_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a set of Cisplatin alone."""
    root = tmp_path_factory.mktemp("cisplatin")
    return train_tiny_set(root, "cisplatin", drugs=("Cisplatin",))


@pytest.fixture
def installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cisplatin_set: Path
) -> Iterator[Path]:
    """Use an installation of its own, where a training is over at once: with that set."""
    for name in ("artifacts", "state", "models"):
        monkeypatch.setenv(f"RESVAE_{name.upper()}", str(tmp_path / name))
    one_drug_set(tmp_path / "models")  # Erlotinib
    install_tiny_data(tmp_path / "data")

    def train_at_once(*_: object, folders: Folders, **__: object) -> None:
        shutil.rmtree(folders.target, ignore_errors=True)
        shutil.copytree(cisplatin_set, folders.target)

    monkeypatch.setattr("resvae_core.cli.train.train_set", train_at_once)
    yield tmp_path
    close_databases()


def recorded(action: str) -> list[Line]:
    return find_lines(actor=COMMAND_LINE, action=action)


def train_here(installation: Path, *options: str) -> int:
    """Train what the tiny data allow; return the exit code."""
    usual = ("--data", str(installation / "data"), "--name", "tiny", "--seeds", "1")
    what = ("--kind", "elastic_net", "--drug", "Cisplatin", "--engine", "serial")
    with pytest.raises(SystemExit) as ended:
        main(["train", *usual, *what, *options])
    return int(ended.value.code or 0)


def test_candidate_that_shares_no_drug_with_the_active_set_is_named_and_judged(
    installation: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train_here(installation, "--candidate") == 0
    printed = capsys.readouterr()
    [_, added] = list_sets()
    assert f"Candidate {added.id} added to the library." in printed.out
    assert "failed: No model or drug is lost" in printed.out
    assert "shares no drug with the active set: no drift is computed" in printed.err


def test_candidate_that_cannot_be_recorded_is_not_added(
    installation: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, AWAY)
    assert train_here(installation, "--candidate") == 2
    assert "audit trail" in capsys.readouterr().err
    assert [entry.id for entry in list_sets()] == ["shipped"]


def test_training_in_the_place_of_the_shipped_set_is_recorded_one_elsewhere_is_not(
    installation: Path,
) -> None:
    assert train_here(installation, "--models", str(installation / "elsewhere")) == 0
    assert recorded("set") == []
    assert train_here(installation) == 0
    [line] = recorded("set")
    assert (line.actor, line.action, line.subject) == (
        "command line",
        "set.replaced",
        "set:tiny",
    )


def refuse(data: Path, options: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> str:
    """Return what a call that is refused says."""
    with pytest.raises(SystemExit) as stopped:
        main(["train", "--data", str(data), *options])
    assert stopped.value.code == 2
    return capsys.readouterr().err
