"""A folder is replaced by one process at a time, and whoever reads finds a whole one."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resvae_core import durable_files
from resvae_core.data import files as files_module
from resvae_core.data.files import read_whole, replace_folder, replacing_folder, settled
from resvae_core.errors import BusyError

KILLS = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
NAMES = ("a", "b", "c")


def fill(folder: Path, content: str) -> Path:
    folder.mkdir(parents=True)
    for name in NAMES:
        (folder / name).write_text(content, encoding="utf-8")
    return folder


def contents(folder: Path) -> list[str]:
    return [(folder / name).read_text(encoding="utf-8") for name in NAMES]


def visible(folder: Path) -> list[str]:
    """Return the names in a folder, without those of locks."""
    return sorted(path.name for path in folder.iterdir() if not path.name.endswith(".lock"))


def stop_at_rename_of(
    part: str, monkeypatch: pytest.MonkeyPatch, stop: Callable[[], object]
) -> None:
    """Call `stop` instead of moving what has `part` in its name."""
    rename = Path.rename

    def guarded(path: Path, target: Path) -> Path:
        if part in path.name:
            stop()
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", guarded)


def kill_between_the_moves(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replace a folder in a process that ends between the two moves."""
    process = os.fork()
    if process == 0:
        stop_at_rename_of(".partial-", monkeypatch, lambda: os._exit(9))
        with replacing_folder(folder) as staged:
            fill(staged, "new")
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 9
    assert not folder.exists()


def test_new_folder_takes_the_place_of_the_old_one_and_leaves_nothing(tmp_path: Path) -> None:
    folder = fill(tmp_path / "below" / "set", "old")
    with replacing_folder(folder) as staged:
        assert not staged.exists()
        fill(staged, "new")
        assert contents(folder) == ["old"] * 3
    assert contents(folder) == ["new"] * 3
    replace_folder(fill(tmp_path / "other", "other"), folder)
    assert contents(folder) == ["other"] * 3
    assert visible(folder.parent) == ["set"]


def test_block_that_fails_or_makes_nothing_keeps_the_old_folder(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", "old")

    def fail() -> None:
        with replacing_folder(folder) as staged:
            fill(staged, "new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with replacing_folder(folder):
        pass
    assert contents(folder) == ["old"] * 3
    assert visible(tmp_path) == ["set"]


def test_two_that_replace_a_folder_at_a_time_publish_no_mixture(tmp_path: Path) -> None:
    folder, half_way = tmp_path / "set", threading.Event()

    def save(content: str) -> None:
        with replacing_folder(folder) as staged:
            staged.mkdir()
            for name in NAMES:
                (staged / name).write_text(content, encoding="utf-8")
                half_way.set()
                time.sleep(0.05)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(save, "first")
        assert half_way.wait(10)
        second = threads.submit(save, "second")
        first.result()
        second.result()
    assert contents(folder) == ["second"] * 3
    assert visible(tmp_path) == ["set"]


def test_whoever_waits_too_long_is_told_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files_module, "SAVE_SECONDS", 0.0)

    def save_twice() -> None:
        with replacing_folder(tmp_path / "set"), replacing_folder(tmp_path / "set"):
            pass

    with pytest.raises(BusyError, match="Somebody else is about to save set"):
        save_twice()


@KILLS
def test_leftovers_of_a_killed_process_are_removed_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "set", "old")
    kill_between_the_moves(folder, monkeypatch)
    assert len(visible(tmp_path)) == 2  # the old folder and the new one, neither in its place
    with replacing_folder(folder):
        assert contents(folder) == ["old"] * 3
    assert visible(tmp_path) == ["set"]


@KILLS
def test_reader_puts_back_what_a_killed_process_moved_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "set", "old")
    kill_between_the_moves(folder, monkeypatch)
    assert contents(settled(folder)) == ["old"] * 3


def test_error_between_the_moves_puts_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "set", "old")

    def fail() -> None:
        raise OSError("no room")

    stop_at_rename_of("staged", monkeypatch, fail)
    with pytest.raises(OSError, match="no room"):
        replace_folder(fill(tmp_path / "staged", "new"), folder)
    assert contents(folder) == ["old"] * 3


def test_reader_between_the_moves_waits_for_the_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = fill(tmp_path / "set", "old")
    with ThreadPoolExecutor(1) as threads:
        reads = []

        def read_now() -> None:
            reads.append(threads.submit(lambda: contents(settled(folder))))
            time.sleep(0.1)

        stop_at_rename_of("staged", monkeypatch, read_now)
        replace_folder(fill(tmp_path / "staged", "new"), folder)
        assert [read.result() for read in reads] == [["new"] * 3]


def test_reader_of_several_files_gets_all_of_one_folder(tmp_path: Path) -> None:
    folder = fill(tmp_path / "set", "old")
    calls: list[Path] = []

    def read(whole: Path) -> list[str]:
        first = (whole / "a").read_text(encoding="utf-8")
        if not calls:
            replace_folder(fill(tmp_path / "staged", "new"), folder)
        calls.append(whole)
        return [first, *contents(whole)[1:]]

    assert read_whole(folder, read) == ["new"] * 3
    assert calls == [folder, folder]


def test_error_is_raised_at_once_where_nothing_was_replaced(tmp_path: Path) -> None:
    calls: list[Path] = []

    def read(whole: Path) -> list[str]:
        calls.append(whole)
        return contents(whole)

    with pytest.raises(FileNotFoundError):
        read_whole(tmp_path / "set", read)
    assert calls == [tmp_path / "set"]


@pytest.mark.skipif(os.name != "posix", reason="folders cannot be synced elsewhere")
def test_every_file_is_on_the_disk_before_the_folder_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, synced = tmp_path / "set", []
    really = durable_files._sync

    def sync(path: Path) -> None:
        synced.append((path.name, folder.exists()))
        really(path)

    monkeypatch.setattr(durable_files, "_sync", sync)
    staged = fill(tmp_path / "staged", "new")
    fill(staged / "below", "new")
    replace_folder(staged, folder)
    before = sorted(name for name, in_place in synced if not in_place)
    assert before == sorted([*NAMES, *NAMES, "below", "staged"])
    assert synced[-1] == (tmp_path.name, True)
