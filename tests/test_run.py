"""The launcher's own decisions; making the environment is what CI does with every change."""

from __future__ import annotations

import socket
import tomllib
from pathlib import Path

import pytest

import run

REQUIREMENTS = "# pinned\nstreamlit==1.0.0\ntorch==2.0.0\nxgboost==3.2.0\n"


@pytest.mark.parametrize("version", [(3, 11), (3, 12)])
def test_supported_python_is_no_problem(version: tuple[int, int]) -> None:
    assert run.python_problem(version, has_ensurepip=True, alternative="") == ""


@pytest.mark.parametrize("version", [(3, 9), (3, 10), (3, 13)])
def test_unsupported_python_says_what_is_needed_and_what_is_here(version: tuple[int, int]) -> None:
    problem = run.python_problem(version, has_ensurepip=True, alternative="python3.12")
    assert "needs Python 3.11 or 3.12" in problem
    assert f"this is Python 3.{version[1]}" in problem
    assert "python3.12 run.py" in problem


def test_unsupported_python_without_alternative_says_where_to_get_one() -> None:
    assert "https://www.python.org" in run.python_problem((3, 9), True, "")


def test_python_without_ensurepip_names_the_package_to_install() -> None:
    assert "python3.11-venv" in run.python_problem((3, 11), has_ensurepip=False, alternative="")


@pytest.mark.parametrize(
    ("system", "has_gpu", "package"),
    [
        ("Linux", False, "xgboost-cpu"),
        ("Linux", True, "xgboost"),
        ("Windows", False, "xgboost-cpu"),
        ("Windows", True, "xgboost"),
        ("Darwin", False, "xgboost"),
    ],
)
def test_one_xgboost_for_each_machine(system: str, has_gpu: bool, package: str) -> None:
    assert run.xgboost_package(system, has_gpu) == package
    lines = run.substitute(REQUIREMENTS, package).splitlines()
    assert [line for line in lines if line.startswith("xgboost")] == [f"{package}==3.2.0"]


def test_substitution_in_the_real_requirements_changes_one_line() -> None:
    original = run.REQUIREMENTS.read_text(encoding="utf-8")
    changed = run.substitute(original, "xgboost-cpu")
    differing = set(changed.splitlines()) - set(original.splitlines())
    assert len(differing) == 1
    assert differing.pop().startswith("xgboost-cpu==")


def test_pinned_gives_the_whole_requirement() -> None:
    assert run.pinned(REQUIREMENTS, "torch") == "torch==2.0.0"


def test_unpinned_package_is_refused() -> None:
    with pytest.raises(run.SetUpError, match="torch is not pinned"):
        run.pinned("torch\n", "torch")


def test_stamp_changes_with_every_part_and_not_with_line_ends() -> None:
    stamp = run.make_stamp(REQUIREMENTS, "3.11.7", "Linux x86_64")
    assert stamp == run.make_stamp(REQUIREMENTS.replace("\n", "\r\n"), "3.11.7", "Linux x86_64")
    others = {
        run.make_stamp(REQUIREMENTS + "x==1\n", "3.11.7", "Linux x86_64"),
        run.make_stamp(REQUIREMENTS, "3.12.1", "Linux x86_64"),
        run.make_stamp(REQUIREMENTS, "3.11.7", "Linux aarch64"),
        run.make_stamp(run.substitute(REQUIREMENTS, "xgboost-cpu"), "3.11.7", "Linux x86_64"),
    }
    assert len(others) == 4
    assert stamp not in others


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Point the launcher at an empty folder; return the stamps of the environments it makes."""
    folder = tmp_path / ".venv"
    made: list[str] = []

    def make(requirements: str, stamp: str) -> None:
        made.append(stamp)
        run.venv_python().parent.mkdir(parents=True, exist_ok=True)
        run.venv_python().touch()
        run.STAMP.write_text(stamp, encoding="utf-8")

    monkeypatch.setattr(run, "STAMP", folder / "resvae-stamp")
    monkeypatch.setattr(run, "venv_python", lambda: folder / "bin" / "python")
    monkeypatch.setattr(run, "make_environment", make)
    monkeypatch.setattr(run, "has_nvidia_gpu", lambda: False)
    return made


def test_environment_is_made_once(sandbox: list[str]) -> None:
    first = run.ensure_environment()
    assert run.ensure_environment() == first
    assert sandbox == [first]


def test_interrupted_environment_is_made_again(sandbox: list[str]) -> None:
    run.ensure_environment()
    run.STAMP.unlink()
    run.ensure_environment()
    assert len(sandbox) == 2


def test_environment_without_its_python_is_made_again(sandbox: list[str]) -> None:
    run.ensure_environment()
    run.venv_python().unlink()
    run.ensure_environment()
    assert len(sandbox) == 2


def test_environment_is_made_again_when_a_gpu_appears(
    sandbox: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run.ensure_environment()
    monkeypatch.setattr(run, "has_nvidia_gpu", lambda: True)
    run.ensure_environment()
    assert len(set(sandbox)) == 2


def test_taken_port_is_refused_when_asked_for_and_passed_over_otherwise() -> None:
    with socket.create_server((run.HOST, 0)) as server:
        taken = server.getsockname()[1]
        with pytest.raises(run.SetUpError, match=f"Port {taken} is in use"):
            run.choose_port(taken)
    assert run.choose_port(None) >= run.FIRST_PORT


def test_children_do_not_spin_while_they_wait() -> None:
    assert run.child_environment()["OMP_WAIT_POLICY"] == "passive"


def test_what_follows_test_goes_to_pytest() -> None:
    options, rest = run.parse(["test", "-k", "survival", "--no-header"])
    assert options.command == "test"
    assert rest == ["-k", "survival", "--no-header"]


def test_start_is_the_default() -> None:
    options, rest = run.parse(["--port", "9000", "--no-browser"])
    assert (options.command, options.port, options.no_browser, rest) == ("start", 9000, True, [])


def test_summary_names_each_check_and_shows_failures() -> None:
    table = run.summarise([("lint", True, 0.5), ("tests", False, 61.0)])
    assert "lint" in table
    assert "passed" in table
    assert "FAILED" in table


def test_all_checks_run_after_a_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    class Done:
        returncode = 1

    commands: list[list[str]] = []

    def record(command: list[str], **_: object) -> Done:
        commands.append(command)
        return Done()

    monkeypatch.setattr(run.subprocess, "run", record)
    assert run.run_checks(["-q"]) == 1
    assert len(commands) == len(run.CHECKS) + 1
    assert commands[-1][1:] == [*run.PYTEST, "-q"]


def test_theme_of_the_settings_is_asked_for_and_broken_settings_ask_for_none(
    tmp_path: Path,
) -> None:
    assert run.saved_theme(tmp_path) == "system"
    file = tmp_path / "settings.toml"
    file.write_text('theme = "dark"', encoding="utf-8")
    assert run.saved_theme(tmp_path) == "dark"
    file.write_text("theme =", encoding="utf-8")
    assert run.saved_theme(tmp_path) == "system"


def test_one_theme_for_everybody_gives_its_colours_to_both() -> None:
    themes = tomllib.loads(run.CONFIG.read_text(encoding="utf-8"))["theme"]
    # what only one of them sets would stay beside the colours of the other
    assert set(themes["light"]) == set(themes["dark"])
    dark = run.theme_options("dark")
    assert "--theme.light.backgroundColor=#0E1117" in dark
    assert len(dark) == len(themes["dark"])
    assert "--theme.dark.backgroundColor=#FFFFFF" in run.theme_options("light")
    assert run.theme_options("system") == []
