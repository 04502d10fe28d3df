"""Checks that every reader of installed data shares: the files and columns are there."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path

from resvae_core.errors import InputDataError


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
