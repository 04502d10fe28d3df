"""The tasks ``train`` and ``evidence``: checked when asked for, and whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from resvae_core.access.audit import find_lines
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.config import data_folder
from resvae_core.errors import CatalogError, ConfigError, InputDataError
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.task_evidence import EVIDENCE
from resvae_core.jobs.task_training import ADDED_FILE, TRAIN
from resvae_core.jobs.tasks import TASKS
from resvae_core.registry.candidate_run import STAGED
from resvae_core.registry.drift import load_drift
from resvae_core.registry.library import active_set, find_set, list_sets
from resvae_core.registry.pointer import pointer_path, read_pointer, write_pointer
from resvae_core.registry.store import load_evaluation, require_intact
from resvae_core.registry.training_request import TrainingRequest
from tests.core.registry.test_training_run import files
from tests.tiny_data import install_tiny_data

ARGUMENTS = TrainingRequest(
    "tiny",
    drugs=("Erlotinib", "Cisplatin"),
    kinds=("elastic_net",),
    n_seeds=1,
    effort="short",
).to_arguments()


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Use an installation of its own: tiny data, an empty library, the serial engine."""
    root = tmp_path_factory.mktemp("installation")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESVAE_DATA", str(install_tiny_data(root / "data")))
        patch.setenv("RESVAE_STATE", str(root / "state"))
        patch.setenv("RESVAE_ENGINE", "serial")
        yield root


@pytest.fixture(scope="module")
def trained(installation: Path) -> tuple[JobContext, dict[str, Any]]:
    folder = installation / "job"
    folder.mkdir()
    context = JobContext.alone(folder, ARGUMENTS)
    return context, TRAIN.run(context)


def test_tasks_are_known_by_their_names() -> None:
    assert TASKS["train"] is TRAIN
    assert TASKS["evidence"] is EVIDENCE
    assert TRAIN.title_of(ARGUMENTS) == "Train tiny-short"
    assert EVIDENCE.title_of({"set": "tiny-1"}) == "Findings of tiny-1"


@pytest.mark.usefixtures("installation")
def test_request_is_checked_against_the_installed_data() -> None:
    TRAIN.check(ARGUMENTS)
    with pytest.raises(ConfigError, match="Sorafenib was measured on 0 lines"):
        TRAIN.check({**ARGUMENTS, "drugs": ["Sorafenib"]})
    with pytest.raises(ConfigError, match="unknown field 'colour'"):
        TRAIN.check({**ARGUMENTS, "colour": "red"})


@pytest.mark.usefixtures("installation")
def test_request_is_checked_against_the_limits_of_a_job_and_the_devices_of_its_workers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ConfigError, match="a job that runs for 24 hours is ended as failed"):
        TRAIN.check({**ARGUMENTS, "budget_hours": 336.0})
    elsewhere = {**ARGUMENTS, "device": "cuda:99"}
    with pytest.raises(ConfigError, match="this machine shows no CUDA device 99"):
        TRAIN.check(elsewhere)
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    TRAIN.check(elsewhere)


def test_training_adds_a_candidate_with_drift_and_gates(
    trained: tuple[JobContext, dict[str, Any]],
) -> None:
    context, result = trained
    added = find_set(result["set"])
    assert (added.state, added.origin) == ("candidate", context.id)
    require_intact(added.folder)
    assert len(load_evaluation("folds", added.folder)) > 0
    assert load_drift(added, active_set()) is not None
    assert result["gates"]["intact"] == "passed"
    assert result["gates"]["full_training"] == "failed"
    assert json.loads(json.dumps(result)) == result
    left = {path.name for path in context.folder.iterdir()}
    assert left == {ADDED_FILE, f".{STAGED}.lock"}
    [line] = find_lines(actor=COMMAND_LINE, action="set.added")
    assert (line.source, line.model_set, line.subject) == ("job", added.digest, f"set:{added.id}")


def test_attempt_behind_the_end_adds_nothing_again(
    trained: tuple[JobContext, dict[str, Any]],
) -> None:
    context, result = trained
    before = files(find_set(result["set"]).folder)
    again = JobContext.alone(context.folder, ARGUMENTS)
    assert TRAIN.run(again) == result
    assert not any("Training" in sent.get("log", "") for sent in again.sent)
    assert files(find_set(result["set"]).folder) == before
    assert [entry.id for entry in list_sets()] == ["shipped", result["set"]]


def test_damaged_active_set_makes_no_failure_of_a_finished_training(
    trained: tuple[JobContext, dict[str, Any]],
) -> None:
    done, result = trained
    write_pointer(replace(read_pointer(), active="gone-00000000", digest="0" * 64))
    try:
        context = JobContext.alone(done.folder, ARGUMENTS)
        assert TRAIN.run(context) == {"set": result["set"], "gates": {}}
    finally:
        pointer_path().unlink()
    told = json.dumps(context.sent)
    assert "It was not held against the active set" in told


def test_nothing_but_names_and_numbers_is_told(
    trained: tuple[JobContext, dict[str, Any]],
) -> None:
    text = json.dumps(trained[0].sent)
    assert "SYN-" not in text
    series = {point[0] for sent in trained[0].sent for point in sent.get("points", [])}
    assert "elastic_net/0/4" in series


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"set": "shipped"}, ConfigError, "came with the program"),
        ({"set": "nothing-00000000"}, CatalogError, "no model set 'nothing-00000000'"),
        ({}, ConfigError, "the id of a model set was expected"),
    ],
)
@pytest.mark.usefixtures("installation")
def test_evidence_of_what_is_not_in_the_library_is_refused(
    arguments: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        EVIDENCE.check(arguments)


def test_evidence_that_cannot_be_computed_leaves_the_set_as_it_was(
    trained: tuple[JobContext, dict[str, Any]], tmp_path: Path
) -> None:
    folder = find_set(trained[1]["set"]).folder
    before, arguments = files(folder), {"set": trained[1]["set"]}
    with pytest.raises(InputDataError, match=r"BLCA.* are not installed"):
        EVIDENCE.check(arguments)
    with pytest.raises(InputDataError, match=r"BLCA.* are not installed"):
        EVIDENCE.run(JobContext.alone(tmp_path, arguments))
    assert files(folder) == before


@pytest.mark.data
def test_evidence_needs_a_set_of_all_the_drugs_that_it_is_about(
    trained: tuple[JobContext, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RESVAE_DATA")
    if data_folder() is None:
        pytest.skip("needs the real data of ../shared/data, which is not here")
    with pytest.raises(ConfigError, match=r"was not trained on .*Gefitinib"):
        EVIDENCE.check({"set": trained[1]["set"]})
