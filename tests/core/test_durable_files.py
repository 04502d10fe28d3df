"""A file is there whole or as it was before."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from resvae_core.durable_files import write_bytes, write_text, writing


class _Stopped(Exception):
    """Stands for whatever ends a writer."""


def test_what_is_written_takes_the_place_of_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "µ\r\nold")
    assert path.read_bytes() == "µ\r\nold".encode()
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_a_writer_that_is_stopped_leaves_the_old_content_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "file"
    write_text(path, "old")

    def stopped() -> None:
        with writing(path) as stream:
            stream.write(b"half")
            raise _Stopped

    with pytest.raises(_Stopped):
        stopped()
    assert path.read_text(encoding="utf-8") == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["file"]


def test_content_is_on_the_disk_before_it_has_its_name_and_the_name_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    really = os.fsync

    def fsync(descriptor: int) -> None:
        seen.append((tmp_path / "file").exists())
        really(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write_text(tmp_path / "file", "content")
    assert seen == [False, True]
