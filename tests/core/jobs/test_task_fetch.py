"""Verifying and removing data as jobs; nothing is said to be removed that cannot be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from resvae_core.access.audit import entries
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.data import gene_sets
from resvae_core.data.sources import SOURCES_VARIABLE
from resvae_core.errors import (
    ArtifactError,
    BusyError,
    CatalogError,
    ConfigError,
    DownloadError,
    ResVAEError,
)
from resvae_core.jobs import data_sets
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.tasks import TASKS
from resvae_core.process_locks import only_one
from tests.core.data.local_host import Host, serving
from tests.core.data.official_files import file_row, write_table

KEY = "open"


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def installed(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder with one small data set in it; return its file."""
    row = {"key": KEY, "files": [file_row(host, "x/open.csv", b"id,value\n1,2\n")]}
    monkeypatch.setenv(SOURCES_VARIABLE, str(write_table(tmp_path / "t.json", [row])))
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RESVAE_GENE_SETS", str(tmp_path / "sets"))
    data_sets.fetch(KEY, data_sets.Request(), actor=COMMAND_LINE)
    return tmp_path / "data" / "x" / "open.csv"


def run(task: str, folder: Path, attempt: int = 1) -> dict[str, Any]:
    TASKS[task].check({"key": KEY})
    context = JobContext.alone(folder, {"key": KEY})
    context.attempt = attempt
    return TASKS[task].run(context)


def actions() -> list[str]:
    return list(entries(actor=COMMAND_LINE)["action"])


def test_verification_reports_each_file(installed: Path, tmp_path: Path) -> None:
    (found,) = run("verify-data", tmp_path)["found"]
    assert (found["path"], found["state"]) == ("x/open.csv", "intact")
    installed.write_bytes(b"id,value\n1,3\n")
    (found,) = run("verify-data", tmp_path)["found"]
    assert found["state"] == "altered"
    assert actions().count("data.verified") == 2


def test_fetch_names_the_host_and_which_try_it_is(
    host: Host, installed: Path, tmp_path: Path
) -> None:
    host.answers = [(503, {"Retry-After": "0"})]
    arguments = {"key": KEY, "accept_licence": True, "again": True}
    context = JobContext.alone(tmp_path, arguments)
    TASKS["fetch"].run(context)
    told = [one["progress"]["step"] for one in context.sent if "progress" in one]
    steps = [step for step, before in zip(told, ["", *told], strict=False) if step != before]
    assert steps == [
        "Looking what is needed",
        "Fetching from 127.0.0.1 (MB)",
        "Trying 127.0.0.1 again (2 of 6)",
        "Fetching from 127.0.0.1 (MB)",
        "Installed",
    ]


def test_removal_removes_and_an_attempt_after_a_kill_finds_it_done(
    installed: Path, tmp_path: Path
) -> None:
    assert run("remove-data", tmp_path) == {"key": KEY}
    assert not installed.exists()
    again = JobContext.alone(tmp_path, {"key": KEY})
    again.attempt = 2
    assert TASKS["remove-data"].run(again) == {"key": KEY}
    assert actions().count("data.removed") == 1


@pytest.mark.parametrize("task", ["verify-data", "remove-data"])
def test_both_are_for_stewards_in_the_lane_of_fetches(task: str) -> None:
    assert (TASKS[task].permission, TASKS[task].lane) == ("fetch", "fetch")
    assert TASKS[task].title_of({"key": KEY}).endswith("Synthetic")


WRONG: list[tuple[dict[str, Any], type[ResVAEError], str]] = [
    ({}, ConfigError, "named by nothing"),
    ({"key": 5}, ConfigError, "named by key"),
    ({"key": KEY, "folder": "/etc"}, ConfigError, "named by folder, key"),
    ({"key": "none"}, CatalogError, "'none'"),
    ({"key": "gene-sets"}, ArtifactError, "'gene-sets' is not installed"),
]


@pytest.mark.parametrize(("given", "error", "message"), WRONG)
def test_wrong_arguments_are_refused_at_once(
    given: dict[str, Any], error: type[ResVAEError], message: str
) -> None:
    for task in ("verify-data", "remove-data"):
        with pytest.raises(error, match=message):
            TASKS[task].check(given)


def refuse_the_lock(lock: Path) -> None:
    """Let a lock file be one that cannot be opened, even by an administrator."""
    lock.unlink(missing_ok=True)
    lock.mkdir(parents=True)


def test_a_folder_that_cannot_be_written_is_said_before_the_trail_says_removed(
    installed: Path, tmp_path: Path
) -> None:
    refuse_the_lock(tmp_path / "data" / "fetched" / KEY / "lock")
    with pytest.raises(DownloadError, match="cannot be written") as raised:
        run("remove-data", tmp_path)
    assert "RESVAE_DATA" in raised.value.remedy
    assert installed.is_file()
    assert "data.removed" not in actions()


def test_gene_sets_in_a_folder_that_cannot_be_written_stay_too(tmp_path: Path) -> None:
    path = gene_sets.gene_sets_folders()[0] / f"{gene_sets.REACTOME}.gmt"
    refuse_the_lock(path.parent / "lock")
    path.write_text("A\tx\tTP53\n", encoding="utf-8")
    with pytest.raises(DownloadError, match="cannot be written"):
        data_sets.remove("gene-sets", actor=COMMAND_LINE)
    assert path.is_file()
    assert "data.removed" not in actions()


def test_a_data_set_that_somebody_works_on_is_not_removed(installed: Path, tmp_path: Path) -> None:
    with (
        only_one(tmp_path / "data" / "fetched" / KEY / "lock", what="fetch"),
        pytest.raises(BusyError, match="about to fetch or remove open"),
    ):
        run("remove-data", tmp_path)
    assert installed.is_file()
    assert "data.removed" not in actions()
