"""The registry by commands: list, show, compare, drift, promote, roll back, archive, restore."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from resvae_core.cli.main import main
from resvae_core.registry.library import add_candidate, find_set
from tests.core.registry.tiny_sets import staged_copy, tiny_set

REASON = "A test of the command line, nothing else."


@pytest.fixture
def candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the id of a candidate beside the tiny set, which stands for the shipped one."""
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESVAE_MODELS", str(tiny_set()))
    staged = staged_copy(tiny_set(), tmp_path / "set", name="new")
    return add_candidate(staged, origin="job").id


def run(*arguments: str) -> None:
    with pytest.raises(SystemExit) as done:
        main(["models", *arguments])
    assert done.value.code == 0


def refused(*arguments: str) -> None:
    with pytest.raises(SystemExit) as done:
        main(["models", *arguments])
    assert done.value.code == 2


def test_list_names_sets_with_their_state(candidate: str, capsys) -> None:
    run("list")
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["active", "shipped"]
    assert lines[1].split()[:2] == ["candidate", candidate]
    assert any(line.startswith("elastic_net") for line in lines)


def test_show_asks_the_gates(candidate: str, capsys) -> None:
    run("show", candidate)
    shown = capsys.readouterr().out
    assert "passed         Files intact, models load: 5 models load, 6 drugs." in shown
    assert "at most 2 % turn between resistant and sensitive, and 20 % become uncertain." in shown


def test_compare_prints_tests_and_says_what_cannot_be_compared(candidate: str, capsys) -> None:
    run("compare", candidate)
    captured = capsys.readouterr()
    table = pd.read_csv(io.StringIO(captured.out))
    assert set(table["test"]) == {"mean over drugs, not tested"}
    assert table["difference"].eq(0).all()
    assert table[["lower", "upper", "p_value"]].isna().all(None)
    assert "Not assessable: Not tested fold by fold" in captured.err


def test_promotion_needs_a_reason_and_roll_back_none(candidate: str, capsys) -> None:
    refused("promote", candidate)
    assert "What to do: Give a reason of 20 characters or more" in capsys.readouterr().err
    run("promote", candidate, "--reason", REASON)
    assert find_set(candidate).state == "active"
    run("verify")
    refused("rollback", "--from", "shipped")
    assert f"changed in the meantime; it is {candidate} now" in capsys.readouterr().err
    run("rollback")
    assert capsys.readouterr().out.splitlines()[-1].startswith("Active: active     shipped")
    refused("rollback")


def test_archive_and_restore(candidate: str, capsys) -> None:
    run("archive", candidate)
    assert find_set(candidate).state == "archived"
    refused("promote", candidate, "--reason", REASON)
    assert "is archived" in capsys.readouterr().err
    run("restore", candidate)
    assert find_set(candidate).state == "candidate"
    refused("archive", "nowhere")
    assert "There is no model set 'nowhere'" in capsys.readouterr().err
