"""Files that appear under their name whole and for good, or not at all."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

PARTIAL = ".partial-"
"""In the name of what is being written; left behind only by a process that was killed."""


@contextlib.contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """Open a file that takes its name, on the disk, when the ``with`` block ends well.

    Parameters
    ----------
    path
        Replaced at once: who reads finds the old content or the new one. Its folder must exist.

    Yields
    ------
    IO[bytes]
        To write to, from its start.
    """
    # a name of its own: several may write at a time, and the last one to finish counts
    partial = path.with_name(f"{path.name}{PARTIAL}{uuid.uuid4().hex[:12]}")
    try:
        with partial.open("xb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Put bytes in the place of a file; see `writing`."""
    with writing(path) as stream:
        stream.write(content)


def write_text(path: Path, text: str) -> None:
    """Put a text, as UTF-8 with its line ends as they are, in the place of a file."""
    write_bytes(path, text.encode())


def write_json(path: Path, document: Any) -> None:
    """Put a JSON-ready value, as indented UTF-8 text, in the place of a file."""
    write_text(path, json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut, where the system can."""
    if os.name != "posix":
        return
    _sync(folder)


def sync_tree(folder: Path) -> None:
    """Put every file of a folder, and every name in it, on the disk, where the system can."""
    if os.name != "posix":
        return
    for path in folder.rglob("*"):
        _sync(path)
    _sync(folder)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
