"""What readers and writers of files share: checks, digests, and writing whole or not at all."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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


def write_json(path: Path, document: Any) -> None:
    """Write a JSON-ready value as UTF-8 text; its folder is made if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def replace_folder(staged: Path, folder: Path) -> None:
    """Move a complete folder into the place of another one, which is then removed.

    A stop between the two moves leaves the old one under its name with ``.old`` at the end.
    """
    old = folder.with_name(folder.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    staged.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
