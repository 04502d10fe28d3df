"""Settings, Data: what is there, its terms, and fetch, verify and remove by those who may."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import permissions, resources, settings_data
from pages.components.state import Session
from resvae_core.access.audit import entries
from resvae_core.access.roles import COMMAND_LINE, Actor
from resvae_core.data.sources import SOURCES_VARIABLE
from resvae_core.errors import AccessError
from resvae_core.jobs import data_sets, processes, service, store
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.data_sets import Request
from resvae_core.jobs.tasks import TASKS
from tests.app import job_states
from tests.core.data.local_host import Host, serving
from tests.core.data.official_files import file_row, write_table
from tests.tiny_data import install_tiny_data

VIEWER = Actor("a viewer", "viewer", "sign-in")
STEWARD = Actor("a steward", "steward", "sign-in")
CONTENT = b"id,value\n1,2\n"
OPEN, STRICT = "open", "strict"


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def installation(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty installation and two small data sets: one is free, one asks for its licence."""
    rows = [
        {"key": OPEN, "title": "Free data", "files": [file_row(host, "x/open.csv", CONTENT)]},
        {
            "key": STRICT,
            "title": "Strict data",
            "requires_acceptance": True,
            "needs": [OPEN],
            "files": [file_row(host, "x/strict.csv", CONTENT)],
        },
    ]
    monkeypatch.setenv(SOURCES_VARIABLE, str(write_table(tmp_path / "t.json", rows)))
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("RESVAE_GENE_SETS", str(tmp_path / "sets"))
    monkeypatch.setenv("RESVAE_ENCODERS", str(tmp_path / "encoders"))
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    resources.forget_active_jobs()
    return tmp_path / "data"


@pytest.fixture
def as_actor(monkeypatch: pytest.MonkeyPatch) -> Callable[[Actor], None]:
    """Return a function that says who is at the page."""

    def be(actor: Actor) -> None:
        monkeypatch.setattr(permissions, "current_actor", lambda: actor)

    return be


@pytest.fixture
def open_data(open_page: Callable[..., AppTest]) -> Callable[..., AppTest]:
    """Return a function that opens the part, with a data set chosen."""

    def visit(chosen: str = "") -> AppTest:
        app = open_page("settings", Session(settings_part="data"))
        app.session_state[settings_data.CHOSEN] = chosen
        app.run()
        assert not app.exception
        return app

    return visit


def work(task: str) -> None:
    """Do what waits in the lane of fetches, as its worker does."""
    (job,) = service.list_jobs(task=task, states=["queued"])
    worker = store.Worker(processes.host(), os.getpid(), processes.mark_of(os.getpid()) or "")
    held = store.claim(job.lane, worker, device="")
    assert held is not None
    assert held.id == job.id
    folder = service.job_folder(job.id)
    result = TASKS[task].run(JobContext.alone(folder, job.arguments, id=job.id))
    store.finish(held, "done", line="It is done.", result=result)


def words(app: AppTest) -> str:
    return "\n".join(str(part.value) for part in [*app.markdown, *app.caption, *app.error])


def keys(app: AppTest) -> set[str]:
    return {str(button.key) for button in app.button}


def test_table_says_of_each_data_set_whether_it_is_there_and_its_terms(
    open_data: Callable[..., AppTest],
) -> None:
    table = open_data().dataframe[0].value.set_index("key")
    assert list(table.index[:3]) == [OPEN, STRICT, "gene-sets"]
    assert set(table["state"]) == {"Not installed"}
    assert table.loc[OPEN, "licence"] == "free"
    assert table.loc[OPEN, "size"] == "", "the caption says that hosts state it"
    assert list(table.columns[:2]) == ["state", "title"], "seen on a telephone"
    assert "1,432.6 MB" in set(table["size"])


def test_data_without_a_receipt_are_said_to_be_present(
    installation: Path, open_data: Callable[..., AppTest], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(SOURCES_VARIABLE)
    install_tiny_data(installation)
    app = open_data("gdsc")
    state = app.dataframe[0].value.set_index("key")["state"]
    present = state.index[state == "Present, not fetched here"]
    assert {"gdsc", "depmap", "clinical"} <= set(present)
    assert [key for key in present if key.startswith("tcga-")]
    assert state["gene-sets"] == "Not installed"
    assert "**State:** Present, not fetched here" in words(app)
    assert "**Release:** unknown; a fetch brings" in words(app)
    assert "data_verify" not in keys(app)


def test_terms_must_be_accepted_before_the_button_works(
    open_data: Callable[..., AppTest],
) -> None:
    app = open_data(STRICT)
    assert "https://example.org/licence" in words(app)
    assert "Free data" in words(app), "what comes with it has terms, too"
    assert app.button(key="data_fetch").disabled
    app.checkbox(key=f"accept_{STRICT}").check().run()
    assert not app.button(key="data_fetch").disabled
    app.button(key="data_fetch").click().run()
    (job,) = service.list_jobs(task="fetch")
    assert job.arguments == {"key": STRICT, "accept_licence": True, "again": False}
    assert "Waits" in words(app)
    assert app.button(key="data_fetch").disabled, "one fetch of it at a time"
    app.button(key=f"cancel_{job.id}").click().run()
    assert service.get_job(job.id).state == "cancelled"


def test_installed_data_are_verified_and_removed_after_a_second_question(
    installation: Path, open_data: Callable[..., AppTest]
) -> None:
    data_sets.fetch(OPEN, Request(), actor=STEWARD)
    app = open_data(OPEN)
    app.button(key="data_verify").click().run()
    assert app.button(key="data_verify").disabled, "one job on it at a time"
    assert "data_remove_confirmed" not in keys(app)
    work("verify-data")
    app.run()
    assert "All intact" in words(app)
    (installation / "x/open.csv").write_bytes(b"id,value\n1,3\n")
    app.button(key="data_verify").click().run()
    work("verify-data")
    app.run()
    assert "1 of 1 files are altered or missing" in words(app)
    assert "Altered, not used" in words(app)
    app.button(key="data_remove_confirmed").click().run()
    assert (installation / "x/open.csv").exists(), "the page itself writes no data"
    work("remove-data")
    app.run()
    assert not (installation / "x/open.csv").exists()
    assert "Not installed" in words(app)
    assert "data_verify" not in keys(app)
    assert {"data.fetched", "data.verified", "data.removed"} <= set(
        entries(actor=COMMAND_LINE)["action"]
    )


def test_failed_fetch_says_why_and_what_to_do(open_data: Callable[..., AppTest]) -> None:
    held = job_states.run("Fetch Free data", "fetch", key=OPEN, accept_licence=True)
    error = ("example.org could not be reached.", "Check the connection.")
    job_states.end(held, "failed", error=error)
    shown = words(open_data(OPEN))
    assert "example.org could not be reached" in shown
    assert "Check the connection" in shown


def test_what_has_no_address_is_placed_by_a_command(open_data: Callable[..., AppTest]) -> None:
    app = open_data("encoder-scfoundation-01b")
    assert "data fetch encoder-scfoundation-01b --from FOLDER" in words(app)
    assert "data_fetch" not in keys(app)


def test_viewer_sees_but_cannot_act_even_behind_the_page(
    as_actor: Callable[[Actor], None], open_data: Callable[..., AppTest], tmp_path: Path
) -> None:
    data_sets.fetch(OPEN, Request(), actor=STEWARD)
    as_actor(VIEWER)
    app = open_data(OPEN)
    assert words(app).count("Only the role steward may fetch and remove data") == 1
    assert not {"data_fetch", "data_verify", "data_remove_confirmed"} & keys(app)
    arguments = {"key": STRICT, "accept_licence": True}
    for action in (
        lambda: service.submit("fetch", arguments, actor=VIEWER),
        lambda: data_sets.fetch(STRICT, Request(accept_licence=True), actor=VIEWER),
        lambda: data_sets.verify(OPEN, actor=VIEWER),
        lambda: data_sets.remove(OPEN, actor=VIEWER),
        lambda: service.submit("verify-data", {"key": OPEN}, actor=VIEWER),
        lambda: service.submit("remove-data", {"key": OPEN}, actor=VIEWER),
    ):
        with pytest.raises(AccessError, match="'viewer' may not fetch and remove data"):
            action()
    assert data_sets.find_entry(OPEN).state == "installed"
    assert service.list_jobs(task="fetch") == []
    assert TASKS["fetch"].permission == "fetch"
    assert JobContext.alone(tmp_path, arguments).actor_name == ""
