"""The task ``evidence`` on files in the official formats: what `data fetch` installs is enough."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resvae_core.config import data_folder
from resvae_core.data.drug_response import RESPONSE_FILE
from resvae_core.data.drugs import load_drugs
from resvae_core.data.screens import load_training_set, read_line_names, restrict
from resvae_core.data.transfer_drugs import TRANSFER_COHORTS, TransferDrug, load_transfer_drugs
from resvae_core.errors import ArtifactError, ConfigError, InputDataError, JobCancelledError
from resvae_core.evaluation import transfer
from resvae_core.explain import attribution, network_attribution
from resvae_core.explain.named_panel import CLAIMS
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.task_evidence import EVIDENCE, KEPT
from resvae_core.models.base import Samples
from resvae_core.models.model_set import ModelSet
from resvae_core.registry import evidence_needs, evidence_run
from resvae_core.registry.card import write_card
from resvae_core.registry.evidence import (
    ALIGNMENT,
    OPTIONAL,
    RESPONSE,
    TABLES,
    describe_evidence,
    load_evidence,
)
from resvae_core.registry.evidence_needs import require_needs, tables_left_out
from resvae_core.registry.evidence_run import build_evidence
from resvae_core.registry.evidence_steps import KeptSteps, Tables, run_key
from resvae_core.registry.library import SetEntry, add_candidate
from resvae_core.registry.store import load_model_set, read_contents, save_model_set
from resvae_core.registry.training_run import _fit_references, load_tumours
from tests.core.conftest import GENES, SMALL_MODELS, fit_small
from tests.core.data.official_files import write_official_release, xena_matrix

N_PATIENTS = 24
DRUGS = ("Cisplatin", "Gefitinib", "Temozolomide")
ASKED = {"LUAD": "Gefitinib", "GBM": "Temozolomide"}
"""One drug a cohort: those of the paper's genes, Cisplatin elsewhere."""
SURVIVAL_FILE = "tcga/Survival_SupplementalTable_S1_20171025_xena_sp"
EXPRESSION_FILE = "tcga/TCGA-{code}.star_tpm.tsv.gz"
RESPONDERS = "drug_response.parquet is not installed"


def few_drugs() -> dict[str, tuple[TransferDrug, ...]]:
    return {
        code: tuple(one for one in drugs if one.drug == ASKED.get(code, "Cisplatin"))
        for code, drugs in load_transfer_drugs().items()
    }


def install_official_files(folder: Path) -> None:
    """Write a synthetic installation as fetching leaves it: no response, no z-scores."""
    genes = list(dict.fromkeys([*GENES, *(claim.gene for claim in CLAIMS)]))
    catalogue = load_drugs()
    write_official_release(folder, [catalogue[name] for name in DRUGS], 60, genes)
    (folder / "tcga").mkdir()
    rng, followed = np.random.default_rng(5), []
    for code in TRANSFER_COHORTS:
        patients = [f"TCGA-{code[:2]}-{number:04d}" for number in range(N_PATIENTS)]
        (folder / EXPRESSION_FILE.format(code=code)).write_bytes(xena_matrix(patients, genes))
        followed += [
            (f"{name}-01", name, code, int(rng.random() < 0.6), int(rng.integers(30, 900)))
            for name in patients
        ]
    columns = ["sample", "_PATIENT", "cancer type abbreviation", "OS", "OS.time"]
    table = pd.DataFrame(followed, columns=columns)
    table.to_csv(folder / SURVIVAL_FILE, sep="\t", index=False)


def save_small_set(data: Path, folder: Path) -> Path:
    """Fit every kind of model, small, on the installed lines, and save them as a set."""
    training_set, tumours = restrict(load_training_set(data), DRUGS), load_tumours(data)
    samples = Samples(training_set.expression, training_set.screen.tissue)
    models: dict[str, Any] = {}
    for kind in SMALL_MODELS:
        if kind not in models:
            models[kind] = fit_small(kind, samples, training_set.screen, models)
    references = _fit_references(models, "elastic_net", training_set, tumours)
    judged = pd.DataFrame(columns=["model", "split", "metric", "drug", "lower"])
    nothing = {"summary": judged, "per_drug": judged}
    cards = {
        kind: write_card(model, training_set, nothing, created="2026-01-01", references={})
        for kind, model in models.items()
    }
    save_model_set(ModelSet("small", models, references, "ensemble"), cards, nothing, folder)
    return folder


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Generator[Path]:
    """Official files of 60 lines and five cohorts; attributions are integrated coarsely."""
    root = tmp_path_factory.mktemp("installation")
    install_official_files(root / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESVAE_DATA", str(root / "data"))
        patch.setenv("RESVAE_STATE", str(root / "state"))
        for module in (evidence_needs, evidence_run, transfer):
            patch.setattr(module, "load_transfer_drugs", few_drugs)
        patch.setattr(network_attribution, "MAX_HALVINGS", 0)
        patch.setattr(attribution, "TOLERANCE", np.inf)
        yield root


@pytest.fixture(scope="module")
def entry(installation: Path) -> SetEntry:
    staged = save_small_set(installation / "data", installation / "staged")
    return add_candidate(staged, origin="0a1b2c3d4e5f")


def stopping_at(step: str, folder: Path, arguments: dict[str, Any]) -> JobContext:
    """Return a context of a job that is cancelled when it comes to a step."""

    def send(message: dict[str, Any]) -> None:
        context.sent.append(message)
        if message.get("log", "").startswith(step):
            context.stop()

    context = JobContext("0" * 12, arguments, folder, send=send)
    return context


@pytest.fixture(scope="module")
def stopped(entry: SetEntry, installation: Path) -> tuple[JobContext, dict[str, Tables]]:
    """Compute everything but the maps; return the job, and the tables of each step as computed."""
    folder = installation / "job"
    folder.mkdir()
    context, computed = stopping_at("maps", folder, {"set": entry.id}), {}

    class Recorded(KeptSteps):
        def __call__(self, step: str, compute: Callable[[], Tables]) -> Tables:
            computed[step] = super().__call__(step, compute)
            return computed[step]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("resvae_core.registry.evidence_steps.KeptSteps", Recorded)
        EVIDENCE.check(context.arguments)
        with pytest.raises(JobCancelledError):
            EVIDENCE.run(context)
    (steps,) = (folder / KEPT).iterdir()
    shutil.copytree(steps, installation / "kept")
    return context, computed


@pytest.fixture
def kept(stopped: tuple[JobContext, dict[str, Tables]], installation: Path, tmp_path: Path) -> Path:
    """Return a copy of the steps that the job had finished when it was stopped."""
    return Path(shutil.copytree(installation / "kept", tmp_path / "steps"))


def entry_data() -> Path:
    folder = data_folder()
    assert folder is not None
    return folder


def test_finished_steps_are_kept_to_the_last_digit(
    stopped: tuple[JobContext, dict[str, Tables]], kept: Path
) -> None:
    _, computed = stopped
    attributions = [f"attributions-{code}" for code in TRANSFER_COHORTS]
    assert list(computed) == ["transfer", *attributions, "biomarkers", "survival", "scores"]
    keep = KeptSteps(kept)
    for step, tables in computed.items():
        again = keep(step, lambda: pytest.fail("it was computed again"))
        assert set(again) == set(tables)
        for name, table in tables.items():
            pd.testing.assert_frame_equal(again[name], table, check_exact=True)


def test_with_responses_and_z_scores_their_tables_are_computed(
    kept: Path, entry: SetEntry, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    shutil.copytree(entry_data(), data)
    install_what_cannot_be_fetched(data)
    assert tables_left_out(data) == {}
    told: list[str] = []
    found = build_evidence(
        data, load_model_set(entry.folder), report=told.append, keep=KeptSteps(kept)
    )
    assert found.left_out == {}
    assert set(found.tables) == set(TABLES)
    assert set(found.tables[ALIGNMENT]["cohort"]) == {"LUAD", "GBM"}
    assert set(found.tables[RESPONSE]["cohort"]) == {"BLCA"}
    assert not [line for line in told if "left out" in line]


def install_what_cannot_be_fetched(data: Path) -> None:
    names = [f"TCGA-BL-{number:04d}" for number in range(N_PATIENTS)]
    response = [number % 2 for number in range(N_PATIENTS)]
    columns = {"patient": names, "responder": response}
    table = pd.DataFrame({**columns, "cohort": "BLCA", "drug_name": "cisplatin", "start_day": 1.0})
    table.to_parquet(data / RESPONSE_FILE)
    rng = np.random.default_rng(2)
    for code in ("LUAD", "GBM"):
        index = pd.Index([f"TCGA-{code[:2]}-{number:04d}" for number in range(N_PATIENTS)])
        z = pd.DataFrame(rng.normal(size=(N_PATIENTS, 20)), index, GENES[:20])
        z.astype("float32").to_parquet(data / f"tcga/{code}_expression_zscore.parquet")


def test_stopped_job_goes_on_and_computes_all_that_fetched_data_suffice_for(
    stopped: tuple[JobContext, dict[str, Tables]],
    entry: SetEntry,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("transfer_table", "_explain", "biomarker_table", "survival_tables"):
        monkeypatch.setattr(evidence_run, name, lambda *given: pytest.fail("computed again"))
    context = JobContext.alone(stopped[0].folder, {"set": entry.id})
    assert EVIDENCE.run(context) == {"set": entry.id, "tables": len(TABLES) - len(OPTIONAL)}
    assert list(context.folder.iterdir()) == []
    about = describe_evidence(entry.folder)
    assert set(about.left_out) == set(OPTIONAL)
    assert about.cohorts == dict.fromkeys(TRANSFER_COHORTS, N_PATIENTS)
    for name in set(TABLES) - set(OPTIONAL):
        assert len(load_evidence(name, entry.folder)) > 0
    with pytest.raises(ArtifactError, match=f"{RESPONSE} .* was not computed, because .*not inst"):
        load_evidence(RESPONSE, entry.folder)
    log = [sent["log"] for sent in context.sent if "log" in sent]
    assert any(RESPONDERS in line and "left out" in line for line in log)
    assert context.sent[-1]["progress"]["total"] == len(log)
    names = set(load_evidence("line_map", entry.folder)["name"])
    assert names == set(read_line_names(entry_data()).values())


def test_findings_that_are_there_are_not_computed_again(
    stopped: tuple[JobContext, dict[str, Tables]], entry: SetEntry, tmp_path: Path
) -> None:
    if not (entry.folder / "evidence").is_dir():
        EVIDENCE.run(JobContext.alone(stopped[0].folder, {"set": entry.id}))
    before = describe_evidence(entry.folder)
    context = JobContext.alone(tmp_path, {"set": entry.id})
    EVIDENCE.run(context)
    assert context.sent == []
    assert describe_evidence(entry.folder) == before


def test_steps_of_another_set_program_or_data_are_not_taken(installation: Path) -> None:
    data = installation / "data"
    keys = {run_key("a", data, "x"), run_key("b", data, "x"), run_key("a", data, "y")}
    assert len(keys) == 3
    assert run_key("a", data, "x") in keys
    copy = installation / "copy"
    shutil.copytree(data, copy)
    (copy / "depmap/Model.csv").write_text("changed")
    assert run_key("a", copy, "x") not in keys


def test_step_that_failed_is_computed_again(tmp_path: Path) -> None:
    keep = KeptSteps(tmp_path / "run")

    def fail() -> Tables:
        raise InputDataError("Nothing.", remedy="Nothing.")

    with pytest.raises(InputDataError):
        keep("first", fail)
    table = pd.DataFrame({"gene": ["TP53"], "effect": [0.1 + 0.2]})
    assert keep("first", lambda: {"one": table})["one"] is table
    pd.testing.assert_frame_equal(keep("first", fail)["one"], table, check_exact=True)


def without(*files: str) -> Callable[[Path], None]:
    def remove(folder: Path) -> None:
        for name in files:
            (folder / name).unlink()

    return remove


def with_z_scores_alone(folder: Path) -> None:
    for code in TRANSFER_COHORTS:
        (folder / EXPRESSION_FILE.format(code=code)).unlink()
        values = pd.DataFrame({"TP53": [0.0]}, index=[f"TCGA-{code[:2]}-0000"])
        values.to_parquet(folder / f"tcga/{code}_expression_zscore.parquet")


MISSING = {
    "cell lines": (
        without("depmap/Model.csv"),
        r"of depmap/Model\.csv it has none; expected one file",
        "data fetch gdsc",
    ),
    "two cohorts": (
        without(EXPRESSION_FILE.format(code="STAD"), EXPRESSION_FILE.format(code="PAAD")),
        "STAD, PAAD are not installed; the findings are about LUAD, GBM, BLCA, STAD, PAAD",
        "Fetch tcga-stad, tcga-paad.",
    ),
    "survival": (
        without(SURVIVAL_FILE),
        "Of LUAD, GBM, BLCA, STAD, PAAD expression is installed, but no survival",
        "Fetch clinical.",
    ),
    "genome-wide expression": (
        with_z_scores_alone,
        "none of them genome-wide in log2",
        "Fetch tcga-luad.",
    ),
}


@pytest.mark.parametrize("what", MISSING)
def test_check_asks_for_what_is_needed_and_says_how_to_get_it(
    what: str, entry: SetEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove, message, remedy = MISSING[what]
    data = tmp_path / "data"
    shutil.copytree(entry_data(), data)
    remove(data)
    monkeypatch.setenv("RESVAE_DATA", str(data))
    with pytest.raises(InputDataError, match=message) as caught:
        EVIDENCE.check({"set": entry.id})
    assert remedy in caught.value.remedy


def test_check_names_everything_that_is_missing_at_once(
    entry: SetEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    poor = replace(read_contents(entry.folder), models=("elastic_net",))
    monkeypatch.setattr(evidence_needs, "read_contents", lambda folder: poor)
    data = tmp_path / "data"
    shutil.copytree(entry_data(), data)
    without("depmap/Model.csv", SURVIVAL_FILE, EXPRESSION_FILE.format(code="GBM"))(data)
    with pytest.raises(InputDataError) as caught:
        require_needs(data, entry.folder)
    for words in ("Model.csv", "no survival", "GBM is not installed", "no ensemble and no vae_ld"):
        assert words in caught.value.message
    for words in ("Fetch clinical.", "Fetch tcga-gbm.", "Train a set with all models."):
        assert words in caught.value.remedy
    with pytest.raises(InputDataError, match="There is no data folder"):
        require_needs(None, entry.folder)


def test_check_asks_the_set_for_models_drugs_and_reference_tumours(
    entry: SetEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    EVIDENCE.check({"set": entry.id})
    poor = replace(
        read_contents(entry.folder), models=("elastic_net",), drugs=("Cisplatin",), references=()
    )
    monkeypatch.setattr(evidence_needs, "read_contents", lambda folder: poor)
    with pytest.raises(ConfigError, match="no ensemble and no vae_ld") as caught:
        EVIDENCE.check({"set": entry.id})
    assert "was not trained on Gefitinib, Temozolomide" in caught.value.message
    assert "has no reference tumours" in caught.value.message


def test_only_the_form_that_is_missing_is_named(installation: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(installation / "data", data)
    install_what_cannot_be_fetched(data)
    (data / "tcga/GBM_expression_zscore.parquet").unlink()
    reason = "tcga/GBM_expression_zscore.parquet is not installed"
    assert tables_left_out(data) == {ALIGNMENT: reason}
