"""Names of hosts: computer, boot, and what is seen of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resvae_core.jobs import processes


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test a folder with the ids of a machine and of its boot."""
    (tmp_path / "machine-id").write_text("machine\n")
    (tmp_path / "boot_id").write_text("boot\n")
    monkeypatch.setattr(processes, "MACHINE_IDS", (tmp_path / "none", tmp_path / "machine-id"))
    monkeypatch.setattr(processes, "BOOT_ID", tmp_path / "boot_id")
    monkeypatch.setattr(processes.socket, "gethostname", lambda: "name")
    monkeypatch.setattr(processes, "host", processes.host.__wrapped__)
    return tmp_path


def test_a_reboot_changes_the_boot_and_nothing_else_of_a_host_s_name(computer) -> None:
    before = processes.host()
    assert len(before) == 32
    assert not processes.is_before_boot(before)
    (computer / "boot_id").write_text("another\n")
    after = processes.host()
    assert processes.is_before_boot(before)
    assert [old == new for old, new in zip(before.split("-"), after.split("-"), strict=True)] == [
        True,
        False,
        True,
    ]


def test_a_computer_with_an_id_stays_the_same_under_another_name(computer, monkeypatch) -> None:
    before = processes.host()
    monkeypatch.setattr(processes.socket, "gethostname", lambda: "renamed")
    (computer / "boot_id").write_text("another\n")
    assert processes.is_before_boot(before)


@pytest.mark.parametrize("found", [None, "\n"])
def test_a_computer_without_an_id_is_known_by_its_name(computer, monkeypatch, found) -> None:
    (computer / "machine-id").unlink()
    if found is not None:
        (computer / "machine-id").write_text(found)
    before = processes.host()
    (computer / "boot_id").write_text("another\n")
    assert processes.is_before_boot(before)
    monkeypatch.setattr(processes.socket, "gethostname", lambda: "another")
    assert not processes.is_before_boot(before)


def test_where_boots_have_no_id_none_is_an_earlier_one(computer) -> None:
    before = processes.host()
    (computer / "boot_id").unlink()
    assert not processes.is_before_boot(before)
    without = processes.host()
    (computer / "boot_id").write_text("another\n")
    assert not processes.is_before_boot(without)


@pytest.mark.skipif(
    not processes.AUTOGROUP.exists() or not processes.AUTOGROUP.read_text().strip(),
    reason="this system has no autogroups",
)
@pytest.mark.parametrize(("leads", "nice"), [(True, processes.NICENESS), (False, 0)])
def test_a_session_of_jobs_goes_after_others_and_a_terminal_stays(leads: bool, nice: int) -> None:
    words = (
        "from resvae_core.jobs import processes; processes.let_others_go_first(); "
        "print(processes.AUTOGROUP.read_text())"
    )
    inner = [sys.executable, "-c", words]
    if not leads:
        inner = [sys.executable, "-c", f"import subprocess; subprocess.run({inner})"]
    found = subprocess.run(
        inner, start_new_session=True, capture_output=True, text=True, check=True
    )
    assert found.stdout.split()[-1] == str(nice)
