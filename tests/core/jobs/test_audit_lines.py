"""Lines that jobs add to the audit trail: who asked, by which set, on which files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.access import audit
from resvae_core.access.audit import Line, find_lines
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.main import main
from resvae_core.config import PROJECT_ROOT, models_folder
from resvae_core.data.inbox import entry_id
from resvae_core.data.sources import SOURCES_VARIABLE
from resvae_core.database import DATABASE_VARIABLE, close_databases
from resvae_core.engine.engine import open_engine
from resvae_core.errors import AuditError, JobCancelledError
from resvae_core.jobs import audit_lines
from resvae_core.jobs.audit_lines import asker, input_digest, record_in_job
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.task_scoring import to_arguments
from resvae_core.jobs.tasks import TASKS
from resvae_core.registry.store import read_contents, set_digest
from tests.core.data.local_host import serving
from tests.core.data.official_files import file_row, write_table

AWAY = "postgresql+psycopg://x@127.0.0.1:1/x"
SPOOFED = ("command line", "single user")


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    yield tmp_path / "state"
    close_databases()


def asked_by(name: str, folder: Path, arguments: dict[str, object] | None = None) -> JobContext:
    context = JobContext("0" * 12, arguments or {}, folder, actor_name=name, send=lambda _: None)
    context.engine = lambda: open_engine("serial")  # type: ignore[method-assign]
    return context


def lines(action: str) -> list[Line]:
    return find_lines(actor=COMMAND_LINE, action=action)


def write_cohort(path: Path) -> str:
    """Write two synthetic samples; return the file's digest."""
    genes = sorted(read_contents(models_folder()).genes)
    values = np.random.default_rng(0).gamma(4, 1, (2, len(genes))).astype(np.float32)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(values, ["SYN-0", "SYN-1"], genes).to_parquet(path)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def one_drug(entry: str) -> dict[str, object]:
    return to_arguments(entry, models=["drug_mean"], drugs=["Cisplatin"])


@pytest.mark.parametrize("name", [*SPOOFED, "anna", ""])
def test_account_with_the_name_of_another_way_in_is_known_by_its_job(
    name: str, tmp_path: Path
) -> None:
    record_in_job(asked_by(name, tmp_path), "cohort.explained", subject="cohort:LUAD")
    [line] = lines("cohort.explained")
    assert (line.actor, line.role, line.source) == (name or "job", "none", "job")


@pytest.mark.parametrize("name", SPOOFED)
def test_fetch_by_an_account_named_like_the_command_line_is_not_the_command_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path / "data"))
    with serving() as host:
        row = {"key": "open", "files": [file_row(host, "x/open.csv", b"id,value\n1,2\n")]}
        monkeypatch.setenv(SOURCES_VARIABLE, str(write_table(tmp_path / "t.json", [row])))
        arguments = {"key": "open", "accept_licence": False}
        TASKS["fetch"].run(asked_by(name, tmp_path, arguments))
    [line] = lines("data.fetched")
    assert (line.actor, line.source, line.subject) == (name, "job", "data:open")


def test_scoring_job_is_recorded_with_set_and_file(state: Path, tmp_path: Path) -> None:
    digest = write_cohort(state / "inbox" / "c.parquet")
    context = asked_by("anna", tmp_path, one_drug(entry_id("c.parquet")))
    TASKS["score"].run(context)
    [line] = lines("cohort.scored")
    assert (line.actor, line.source, line.file_digest) == ("anna", "job", digest)
    contents = read_contents(models_folder())
    assert line.model_set == f"{contents.name}:{contents.digest}"


def test_scoring_from_the_command_line_is_recorded_with_set_and_files(tmp_path: Path) -> None:
    digests = [write_cohort(tmp_path / "in" / "a.parquet")]
    table = pd.read_parquet(tmp_path / "in" / "a.parquet").rename(lambda name: f"{name}-b")
    table.to_parquet(tmp_path / "in" / "b.parquet")
    digests.append(hashlib.sha256((tmp_path / "in" / "b.parquet").read_bytes()).hexdigest())
    options = ("--model", "drug_mean", "--drug", "Cisplatin", "--engine", "serial")
    with pytest.raises(SystemExit) as ended:
        main(["score", str(tmp_path / "in"), "--out", str(tmp_path / "out"), *options])
    assert ended.value.code == 0
    [line] = lines("cohort.scored")
    assert (line.actor, line.source) == ("command line", "command line")
    assert line.file_digest == input_digest(digests) != input_digest(digests[::-1])
    assert line.model_set.endswith(read_contents(models_folder()).digest)


def test_nothing_is_scored_that_cannot_be_recorded(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_cohort(state / "inbox" / "c.parquet")
    context = asked_by("anna", tmp_path, one_drug(entry_id("c.parquet")))
    audit.record("sign_in", actor=asker(context))
    [head] = state.glob("audit-head-*.json")
    head.write_text("{", encoding="utf-8")
    with pytest.raises(AuditError, match="holds the head of the audit trail"):
        TASKS["score"].run(context)
    assert not list((tmp_path / "scores").rglob("*.parquet"))


def test_explaining_a_cohort_is_recorded_with_set_cohort_drug_and_model(
    tmp_path: Path,
) -> None:
    arguments = {"cohort": "DEMO", "drug": "Nutlin-3a (-)", "model": "elastic_net"}
    given = arguments | {"set_digest": set_digest()}
    TASKS["attribute_cohort"].run(asked_by("anna", tmp_path, given))
    [line] = lines("cohort.explained")
    assert (line.actor, line.source, line.model_set) == ("anna", "job", set_digest())
    assert line.subject == "cohort:DEMO/Nutlin-3a-(-)/elastic_net"


def test_line_waits_while_the_database_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit_lines, "RETRY_SECONDS", 0.01)
    monkeypatch.setenv(DATABASE_VARIABLE, AWAY)
    context, asked = asked_by("anna", tmp_path), []

    def back_at_the_third() -> None:
        asked.append(1)
        if len(asked) == 3:
            monkeypatch.delenv(DATABASE_VARIABLE)

    context.check = back_at_the_third  # type: ignore[method-assign]
    record_in_job(context, "cohort.explained", subject="cohort:LUAD")
    assert (len(asked), len(lines("cohort.explained"))) == (3, 1)


def test_job_that_waits_for_the_database_can_be_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(DATABASE_VARIABLE, AWAY)
    context = asked_by("anna", tmp_path)
    monkeypatch.setattr(audit_lines.time, "sleep", lambda _: context.stop())
    with pytest.raises(JobCancelledError):
        record_in_job(context, "cohort.explained", subject="cohort:LUAD")


def test_every_action_of_the_vocabulary_is_recorded_somewhere() -> None:
    vocabulary = PROJECT_ROOT / "resvae_core" / "access" / "audit.py"
    files = [*(PROJECT_ROOT / "resvae_core").rglob("*.py"), *(PROJECT_ROOT / "pages").rglob("*.py")]
    sources = "".join(file.read_text("utf-8") for file in files if file != vocabulary)

    def named(action: str) -> bool:
        return f'"{action.removesuffix("_with_reason")}"' in sources

    assert [action for action in audit.ACTIONS if not named(action)] == []
