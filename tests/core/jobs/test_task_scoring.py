"""The job ``score``: only from the inbox, with the set it was asked for, and no names anywhere."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.config import models_folder
from resvae_core.data.inbox import entry_id, find_by_name, find_path, list_inbox
from resvae_core.engine.engine import open_engine
from resvae_core.errors import (
    CatalogError,
    ConfigError,
    ExpressionUnitsError,
    InputDataError,
    ResVAEError,
    UnknownDrugError,
)
from resvae_core.jobs import service
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.task_scoring import to_arguments
from resvae_core.jobs.tasks import TASKS
from resvae_core.registry import description, library
from resvae_core.registry.score_folder import verify_scores
from resvae_core.registry.store import read_contents
from tests.core.jobs.conftest import run_task, texts

PLANTED = "SMITH_JOHN_19700101"
NAME = f"{PLANTED}.parquet"
N = 6
SCORE = TASKS["score"]


@pytest.fixture(autouse=True)
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An inbox with one cohort, whose name is a patient's."""
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    folder = tmp_path / "state" / "inbox"
    folder.mkdir(parents=True)
    write(folder / NAME)
    return folder


def write(path: Path, change: Callable[[pd.DataFrame], pd.DataFrame] = lambda table: table) -> None:
    """Write a synthetic cohort; its samples bear a patient's name."""
    genes = sorted(read_contents(models_folder()).genes)
    values = np.random.default_rng(0).gamma(4, 1, (N, len(genes))).astype(np.float32)
    table = pd.DataFrame(values, [f"{PLANTED}-{k}" for k in range(N)], genes)
    change(table).to_parquet(path)


def arguments(**changes: Any) -> dict[str, Any]:
    return {**to_arguments(entry_id(NAME), models=["drug_mean"], drugs=["cisplatin"]), **changes}


def alone(folder: Path, given: dict[str, Any]) -> JobContext:
    context = JobContext.alone(folder, given)
    context.engine = lambda: open_engine("serial")  # type: ignore[method-assign]
    return context


def test_the_job_scores_below_its_folder_and_goes_on_in_it(tmp_path: Path) -> None:
    SCORE.check(arguments())
    assert (SCORE.permission, SCORE.lane, SCORE.resumable) == ("score", "scoring", True)
    context = alone(tmp_path, arguments())
    result = SCORE.run(context)
    contents = read_contents(models_folder())
    assert result == {
        "folder": "scores",
        "samples": N,
        "rows": N,
        "parts": 1,
        "parts_written": 1,
        "set": contents.name,
        "set_digest": contents.digest,
    }
    assert verify_scores(tmp_path / "scores").rows == N
    assert PLANTED not in json.dumps(context.sent)
    assert PLANTED not in (tmp_path / "scores" / "manifest.json").read_text(encoding="utf-8")
    assert SCORE.run(context)["parts_written"] == 0


def test_parts_that_another_program_or_input_made_are_removed_and_scored_anew(
    inbox: Path, tmp_path: Path
) -> None:
    given = arguments(chunk=2)
    SCORE.run(alone(tmp_path, given))
    manifest = tmp_path / "scores" / "manifest.json"
    document = json.loads(manifest.read_text(encoding="utf-8"))
    manifest.write_text(json.dumps(document | {"program": "0" * 64}), encoding="utf-8")
    assert (again := run_and_read(alone(tmp_path, given)))[0] == 3
    assert again[1] == "The folder 'scores' holds scores of another run: not the same program."
    manifest.write_text(json.dumps(document | {"schema_version": 0}), encoding="utf-8")
    assert (again := run_and_read(alone(tmp_path, given)))[0] == 3
    assert again[1] == "The scores have schema version 0; this program reads 1."
    write(inbox / NAME, lambda table: table + 1)
    assert (again := run_and_read(alone(tmp_path, given)))[0] == 3
    assert again[1] == "The folder 'scores' holds scores of another run: not the same input."
    assert run_and_read(alone(tmp_path, given)) == (0, "")
    assert verify_scores(tmp_path / "scores").samples == N


def run_and_read(context: JobContext) -> tuple[int, str]:
    """Run the job; return how many parts it wrote and why it began anew, if it did."""
    written = SCORE.run(context)["parts_written"]
    assert PLANTED not in json.dumps(context.sent)
    lines = [sent["log"] for sent in context.sent if "log" in sent]
    reasons = [line.removeprefix("Scores anew: ") for line in lines if "anew" in line]
    return written, " ".join(reasons)


def everything_kept(state: Path) -> bytes:
    """Return the bytes of the database, logs and whatever else lies in the state folder."""
    kept = [
        path
        for path in state.rglob("*")
        # what was handed in, and what was asked for: a table of these samples
        if path.is_file() and path.suffix != ".parquet"
    ]
    assert any(path.stat().st_size for path in kept if path.suffix == ".sqlite")
    return b"".join(path.read_bytes() for path in kept)


BROKEN: dict[str, Callable[[Path], object]] = {
    "done": lambda path: None,
    "cannot be read as Parquet": lambda path: path.write_bytes(b"PAR1"),
    "a negative value": lambda path: write(path, lambda table: -table),
    "are of type double": lambda path: write(path, lambda table: table.set_axis(np.arange(N) / 2)),
    "no names of samples": lambda path: write(path, lambda table: table.reset_index(drop=True)),
    "no entry with the id": lambda path: path.unlink(),
}


@pytest.mark.parametrize("outcome", BROKEN)
def test_no_name_of_a_patient_is_kept_whatever_becomes_of_the_job(
    outcome: str,
    inbox: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    caplog.set_level(logging.DEBUG)
    job = service.submit("score", arguments(), actor=COMMAND_LINE)
    BROKEN[outcome](inbox / NAME)
    context = alone(service.job_folder(job.id), job.arguments)
    context.folder.mkdir(parents=True)
    if outcome == "done":
        SCORE.run(context)
    else:
        with pytest.raises(ResVAEError, match=outcome) as raised:
            SCORE.run(context)
        assert PLANTED not in f"{raised.value} {raised.value.remedy}"
    shown = [repr(service.get_job(job.id)), json.dumps(context.sent), caplog.text]
    assert PLANTED not in " ".join(shown)
    assert PLANTED.encode() not in everything_kept(tmp_path / "state")


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_worker_leaves_no_name_of_a_patient_in_database_log_and_record(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_ENGINE", "serial")
    write(inbox / NAME, lambda table: -table)
    job = run_task("score", **arguments())
    assert job.state == "failed", job.error
    assert job.error is not None
    assert "Row 1 of file 1 of 1 has a negative value" in job.error[0]
    assert PLANTED not in f"{job!r} {texts(job.id)}"
    assert PLANTED.encode() not in everything_kept(tmp_path / "state")


WRONG: dict[str, tuple[dict[str, Any], type[ResVAEError], str]] = {
    "a path": ({"input": f"/tmp/{NAME}"}, ConfigError, "was not named by the id"),
    "a path that is there": ({"input": "/etc/passwd"}, ConfigError, "was not named by the id"),
    "a way out": ({"input": "../../secret"}, ConfigError, "was not named by the id"),
    "no entry": ({"input": "0" * 12}, InputDataError, "no entry with the id 000000000000"),
    "input is a list": ({"input": [NAME]}, ConfigError, "'input' of scoring is list; a text"),
    "chunk is a text": ({"chunk": "abc"}, ConfigError, "'chunk' of scoring is str; a whole number"),
    "chunk is true": ({"chunk": True}, ConfigError, "'chunk' of scoring is bool"),
    "chunk is none": ({"chunk": 0}, ConfigError, "Parts of 0 samples"),
    "models hold a list": ({"models": [["x"]]}, ConfigError, "a list of texts was expected"),
    "drugs are a number": ({"drugs": 5}, ConfigError, "'drugs' of scoring is int; a list of texts"),
    "type is a number": ({"cancer_type": 5}, ConfigError, "'cancer_type' of scoring is int"),
    "reference is a list": ({"reference": []}, ConfigError, "'reference' of scoring is list"),
    "another argument": ({PLANTED: 11}, ConfigError, "arguments that it does not know"),
    "another set": ({"set_digest": "0" * 64}, CatalogError, "no model set with the digest"),
    "another drug": ({"drugs": ["Aspirin"]}, UnknownDrugError, "Aspirin"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_arguments_are_refused_at_once_and_paths_not_repeated(what: str) -> None:
    change, error, message = WRONG[what]
    with pytest.raises(error, match=message) as raised:
        service.submit("score", arguments(**change), actor=COMMAND_LINE)
    assert PLANTED not in str(raised.value)
    assert service.list_jobs(task="score") == []


@pytest.mark.parametrize("name", ["input", "set_digest"])
def test_a_job_without_input_or_model_set_is_refused(name: str) -> None:
    given = arguments()
    del given[name]
    with pytest.raises(ConfigError, match=f"has to be told '{name}'"):
        SCORE.check(given)


def test_the_inbox_lists_files_and_folders_and_nothing_that_leads_out(
    inbox: Path, tmp_path: Path
) -> None:
    (inbox / "two").mkdir()
    write(inbox / "two" / "a.parquet")
    write(inbox / "two" / "b.parquet")
    (inbox / "bad.parquet").write_bytes(b"PAR1")
    (inbox / "notes.txt").write_text("none", encoding="utf-8")
    (inbox / ".hidden.parquet").write_bytes(b"")
    write(tmp_path / "outside.parquet")
    (inbox / "link.parquet").symlink_to(tmp_path / "outside.parquet")
    (inbox / "folder").symlink_to(tmp_path)
    (inbox / "mixed").mkdir()
    write(inbox / "mixed" / "a.parquet")
    (inbox / "mixed" / "b.parquet").symlink_to(tmp_path / "outside.parquet")
    assert {entry.name: entry.n_samples for entry in list_inbox()} == {
        NAME: N,
        "two": 2 * N,
        "bad.parquet": None,
    }
    two = find_by_name("two")
    assert (two.id, two.path) == (entry_id("two"), find_path(entry_id("two")))
    assert two.size == sum(path.stat().st_size for path in (inbox / "two").iterdir())
    for name in ("link.parquet", "folder", "mixed", "notes.txt", ".hidden.parquet"):
        with pytest.raises(InputDataError, match="no entry with the id"):
            find_path(entry_id(name))
    with pytest.raises(CatalogError, match=r"no entry 'link\.parquet'"):
        find_by_name("link.parquet")


def test_an_inbox_of_its_own_place_or_none_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_INBOX", str(tmp_path / "elsewhere"))
    assert list_inbox() == []
    (tmp_path / "elsewhere").mkdir()
    write(tmp_path / "elsewhere" / "one.parquet")
    assert [entry.name for entry in list_inbox()] == ["one.parquet"]


def test_messages_number_the_files_of_a_cohort(inbox: Path, tmp_path: Path) -> None:
    (inbox / "two").mkdir()
    write(inbox / "two" / f"{PLANTED}-a.parquet", lambda table: table.iloc[:3])
    write(inbox / "two" / f"{PLANTED}-b.parquet", lambda table: -table.iloc[3:])
    with pytest.raises(ExpressionUnitsError, match="Row 1 of file 2 of 2 has a negative value"):
        SCORE.run(alone(tmp_path, arguments(input=entry_id("two"))))


def test_a_promotion_meanwhile_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = arguments()
    shipped = read_contents(models_folder())
    # another set is active from now on, one that does not even exist here
    monkeypatch.setattr(description, "active_set_folder", lambda: tmp_path / "another")
    monkeypatch.setattr(
        "resvae_core.registry.batch_scoring.active_set_folder", lambda: tmp_path / "another"
    )
    assert library.find_digest(given["set_digest"]).folder == models_folder()
    assert SCORE.run(alone(tmp_path, given))["set_digest"] == shipped.digest
    again = alone(tmp_path, given)
    assert SCORE.run(again)["parts_written"] == 0, "a resumed job finishes with its own set"
