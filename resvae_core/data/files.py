"""What readers and writers of files share: checks, digests, and writing whole or not at all."""

from __future__ import annotations

import contextlib
import glob
import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from resvae_core.durable_files import PARTIAL, sync_folder, sync_tree
from resvae_core.errors import InputDataError, ResVAEError
from resvae_core.process_locks import POLL_SECONDS, only_one, try_lock

T = TypeVar("T")

SAVE_SECONDS = 600.0
"""How long to wait for another process that saves the same folder."""
READ_SECONDS = 10.0
"""How long a reader waits while a folder is away; the two moves of a swap take milliseconds."""


def require_files(folder: Path, names: Iterable[str]) -> None:
    """Check that files exist below a folder.

    Raises
    ------
    InputDataError
        Naming the files that are missing.
    """
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        raise InputDataError(
            f"The data folder lacks {', '.join(missing)}.",
            remedy="Set RESVAE_DATA to a folder that has them; `data list` shows what is known.",
        )


def require_columns(found: Iterable[object], expected: Iterable[str], *, name: str) -> None:
    """Check that a table has the columns of its format.

    Parameters
    ----------
    found
        Columns of the table.
    expected
        Columns that it must have.
    name
        What the table is, for the message, for example ``"GDSC response file x.csv"``.

    Raises
    ------
    InputDataError
        Naming the columns that are missing and the first that were found.
    """
    present = [str(column) for column in found]
    missing = [column for column in expected if column not in present]
    if missing:
        raise InputDataError(
            f"{name} lacks the column {', '.join(missing)}; found {', '.join(present[:8])}.",
            remedy="Check that this is the official file, unchanged.",
        )


def file_digest(path: Path) -> str:
    """Return the SHA-256 (hex) of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def write_json(path: Path, document: Any) -> None:
    """Write a JSON-ready value as UTF-8 text; its folder is made if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


@contextlib.contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """Fill a new folder that takes the place of another one when the ``with`` block ends well.

    One process at a time: another one that replaces the same folder waits, so that nobody publishes
    a mixture. Whoever stops half way keeps the old folder; what a killed process left is removed by
    the next one.

    Parameters
    ----------
    folder
        Replaced as a whole; the folder that it lies in is made if needed.

    Yields
    ------
    Path
        A name of its own beside `folder`, to make a folder under; where the block makes none,
        `folder` stays as it is.

    Raises
    ------
    BusyError
        If another process did not finish within `SAVE_SECONDS`.
    """
    with _alone(folder):
        staged = folder.with_name(f".{folder.name}{PARTIAL}{uuid.uuid4().hex[:12]}")
        try:
            yield staged
            if staged.exists():
                _swap(staged, folder)
        finally:
            shutil.rmtree(staged, ignore_errors=True)


def replace_folder(staged: Path, folder: Path) -> None:
    """Move a complete folder into the place of another one, which is then removed.

    Raises
    ------
    BusyError
        As `replacing_folder`.
    """
    with _alone(folder):
        _swap(staged, folder)


def settled(folder: Path) -> Path:
    """Return a folder, which is put back first if whoever replaced it was killed half way.

    While another process replaces it there is no folder for a moment: that is waited for.
    """
    deadline = time.monotonic() + READ_SECONDS
    with contextlib.suppress(OSError):  # who may only read here finds what is there
        while not folder.exists() and _old(folder).exists() and time.monotonic() < deadline:
            with try_lock(_lock(folder)) as alone:
                if alone:
                    _put_back(folder)
            time.sleep(POLL_SECONDS)
    return folder


def read_whole(folder: Path, read: Callable[[Path], T]) -> T:
    """Read several files of a folder that another process may replace meanwhile.

    Parameters
    ----------
    read
        Called with `folder`; once more for each time that the folder was replaced while it read,
        so that what it returns, or raises, is of one folder.
    """
    while True:
        before = _identity(settled(folder))
        try:
            found = read(folder)
        except (OSError, ResVAEError):
            if _identity(settled(folder)) == before:
                raise
        else:
            if _identity(folder) == before:
                return found


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, and tidy up behind whoever was killed while holding it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with only_one(_lock(folder), what=f"save {folder.name}", wait_seconds=SAVE_SECONDS):
        _put_back(folder)
        for left in folder.parent.glob(f".{glob.escape(folder.name)}{PARTIAL}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield


def _swap(staged: Path, folder: Path) -> None:
    sync_tree(staged)
    shutil.rmtree(_old(folder), ignore_errors=True)
    if folder.exists():
        folder.rename(_old(folder))
    try:
        staged.rename(folder)
    finally:
        _put_back(folder)
    sync_folder(folder.parent)
    shutil.rmtree(_old(folder), ignore_errors=True)


def _put_back(folder: Path) -> None:
    """Put the old folder back where a swap stopped between its two moves; the lock is held."""
    if not folder.exists() and _old(folder).exists():
        _old(folder).rename(folder)


def _lock(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.lock")


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        known = folder.stat()
    except OSError:
        return None
    return known.st_dev, known.st_ino
