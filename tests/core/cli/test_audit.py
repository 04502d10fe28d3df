from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import text

from resvae_core.access.audit import record, verify
from resvae_core.access.roles import COMMAND_LINE, Actor
from resvae_core.database import close_databases, open_database
from tests.core.cli.test_cli import run


@pytest.fixture(autouse=True)
def trail(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    vera = Actor("vera", "viewer", "proxy")
    record("sign_in", actor=vera)
    record("sample.read", actor=vera, file_digest="ab" * 32)
    record("settings.changed", actor=Actor("stefan", "steward", "proxy"), subject="settings:theme")
    yield tmp_path
    close_databases()


def test_list_shows_who_did_what_oldest_first(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "audit", "list")
    first, second, third = out.splitlines()
    assert code == 0
    assert first.split()[0] == "1"
    assert "vera (viewer)  read a file of samples  abababababab" in second
    assert "stefan (steward)  changed settings  settings:theme" in third


def test_list_filters(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(run(capsys, "audit", "list", "--who", "VERA")[1].splitlines()) == 2
    assert len(run(capsys, "audit", "list", "--action", "settings")[1].splitlines()) == 1
    assert run(capsys, "audit", "list", "--since", "2999-01-01")[1] == ""
    assert run(capsys, "audit", "list", "--until", "2000-01-01T00:00+02:00")[1] == ""


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--since", "yesterday"), "'yesterday' is no moment"),
        (("--action", "theft"), "'theft' is no action of the audit trail"),
    ],
)
def test_filters_that_are_not_understood_are_errors(
    capsys: pytest.CaptureFixture[str], option: tuple[str, str], message: str
) -> None:
    code, _, err = run(capsys, "audit", "list", *option)
    assert code == 2
    assert message in err


def test_csv_has_every_line_with_its_digests_and_is_itself_recorded(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "audit.csv"
    assert run(capsys, "audit", "list", "--csv", str(file))[0] == 0
    table = pd.read_csv(file)
    assert table["action"].tolist()[0] == "export.audit"
    assert len(table) == 4
    assert table["digest"].tolist()[0] == verify(actor=COMMAND_LINE).head


def test_verify_says_that_the_trail_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "audit", "verify")
    assert code == 0
    assert "The trail is whole: 3 lines" in out
    assert f"3 {verify(actor=COMMAND_LINE).head}" in out


def test_verify_ends_with_two_and_names_the_first_broken_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with open_database().begin() as connection:
        connection.execute(text("DROP TRIGGER audit_line_no_delete"))
        connection.execute(text("DELETE FROM audit_line WHERE sequence = 2"))
    code, out, err = run(capsys, "audit", "verify")
    assert (code, out) == (2, "")
    assert "Error: Line 2: it is missing." in err


def test_continue_goes_on_with_a_cut_trail_and_with_no_other(
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, _, err = run(capsys, "audit", "continue")
    assert code == 2
    assert "goes on from its noted head" in err
    with open_database().begin() as connection:
        connection.execute(text("DROP TRIGGER audit_line_no_delete"))
        connection.execute(text("DELETE FROM audit_line WHERE sequence = 3"))
    assert "is not the one that was written" in run(capsys, "settings", "reset")[2]
    code, out, _ = run(capsys, "audit", "continue")
    assert code == 0
    assert "The trail goes on: line 3 says" in out
    assert run(capsys, "settings", "reset")[0] == 0
    assert "a steward went on at line 3" in run(capsys, "audit", "verify")[1]
