from __future__ import annotations

from pathlib import Path

import pytest

from resvae_core.access.audit import entries
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.database import close_databases
from resvae_core.settings import Settings, load_settings, settings_file
from tests.core.cli.test_cli import run


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    yield tmp_path
    close_databases()


def test_show_lists_every_setting_and_what_a_variable_decides(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_DEVICE", "cpu")
    code, out, _ = run(capsys, "settings", "show")
    assert code == 0
    assert out.splitlines()[0].split(maxsplit=2) == ["device", "cpu", "(RESVAE_DEVICE decides)"]
    assert "scheduler              ''" in out
    assert "resume_automatically   true" in out
    assert len(out.splitlines()) == 11


def test_set_saves_one_and_records_it(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "settings", "set", "n_workers", "3")
    assert (code, out) == (0, "n_workers is now 3.\n")
    assert load_settings() == Settings(n_workers=3)
    [line] = entries(actor=COMMAND_LINE).to_dict("records")
    assert (line["actor"], line["subject"]) == ("command line", "settings:n_workers")


def test_set_says_that_a_variable_still_decides(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_ENGINE", "serial")
    _, _, err = run(capsys, "settings", "set", "engine", "processes")
    assert "RESVAE_ENGINE still decides it here" in err


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("devise", "cpu", "'devise' is no setting"),
        ("n_workers", "many", "n_workers is 'many'; expected a whole number"),
        ("theme", "blue", "theme is 'blue'; expected one of"),
    ],
)
def test_wrong_setting_is_an_error_with_what_to_do(
    capsys: pytest.CaptureFixture[str], key: str, value: str, message: str
) -> None:
    code, _, err = run(capsys, "settings", "set", key, value)
    assert code == 2
    assert f"Error: {message}" in err
    assert "What to do: " in err
    assert not settings_file().exists()


def test_export_reset_import_come_back_to_the_same(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = str(tmp_path / "mine.toml")
    run(capsys, "settings", "set", "theme", "dark")
    assert run(capsys, "settings", "export", file)[0] == 0
    assert run(capsys, "settings", "reset")[0] == 0
    assert load_settings() == Settings()
    assert run(capsys, "settings", "import", file)[0] == 0
    assert load_settings() == Settings(theme="dark")


def test_files_that_cannot_be_used_are_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = str(tmp_path / "no" / "settings.toml")
    code, _, err = run(capsys, "settings", "import", missing)
    assert code == 2
    assert "cannot be read (FileNotFoundError)" in err
    code, _, err = run(capsys, "settings", "export", missing)
    assert code == 2
    assert "cannot be written" in err
