"""What a worker is told of where things lie: it works in another folder than whoever starts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from resvae_core.database import absolute_url
from resvae_core.jobs import launch, processes
from resvae_core.jobs.supervisor import _start
from tests.core.jobs.conftest import wait_until
from tests.core.jobs.test_store import ME, add, store

PLACES = ("RESVAE_STATE", *launch.PLACES)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder in which all places are named without their full path."""
    monkeypatch.chdir(tmp_path)
    for name in PLACES:
        monkeypatch.setenv(name, name.lower())
    return tmp_path


def test_places_that_are_named_in_a_working_folder_are_told_with_their_full_path(
    elsewhere, monkeypatch
) -> None:
    monkeypatch.setenv("RESVAE_DATABASE_URL", "sqlite:///jobs.sqlite")
    told = launch.environment()
    assert {name: told[name] for name in PLACES} == {
        name: str(elsewhere / name.lower()) for name in PLACES
    }
    assert told["RESVAE_DATABASE_URL"] == f"sqlite:///{elsewhere / 'jobs.sqlite'}"


def test_what_is_not_set_stays_so(elsewhere, monkeypatch) -> None:
    unset = {*launch.PLACES, "RESVAE_DATABASE_URL"} - {"RESVAE_DATA"}
    for name in unset:
        monkeypatch.delenv(name, raising=False)
    assert not unset & set(launch.environment())


def test_data_that_were_found_without_being_named_are_told(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("RESVAE_DATA", raising=False)
    monkeypatch.setattr(launch, "data_folder", lambda: tmp_path)
    assert launch.environment()["RESVAE_DATA"] == str(tmp_path)
    monkeypatch.setattr(launch, "data_folder", lambda: None)
    assert "RESVAE_DATA" not in launch.environment()


@pytest.mark.parametrize(
    "url",
    [
        "sqlite:////var/jobs.sqlite",
        "sqlite://",
        "sqlite:///:memory:",
        "postgresql+psycopg://me:secret@somewhere/base",
        "no url at all",
    ],
)
def test_a_url_that_names_no_file_of_the_working_folder_stays_as_it_is(url) -> None:
    assert absolute_url(url) == url


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_the_process_of_a_job_is_told_the_same_and_its_attempt(
    database, elsewhere, no_workers
) -> None:
    name = add()
    held = store.claim("scoring", ME)
    child = _start(held, elsewhere)
    try:
        process = processes.psutil.Process(child.pid)
        wait_until(lambda: bool(processes._environment(process)))
        found = processes._environment(process)
        assert found["RESVAE_STATE"] == str(elsewhere / "resvae_state")
        assert found["RESVAE_MODELS"] == str(elsewhere / "resvae_models")
        assert found[processes.JOB_VARIABLE] == f"{name}.1"
    finally:
        child.kill()
        child.communicate()
