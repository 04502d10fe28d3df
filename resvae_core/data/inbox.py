"""The inbox: the one folder that jobs take cohorts from, and only by an id.

Names of files may be names of patients, and a job's arguments lie in the database, where everybody
who may read jobs sees them. So a job names an entry by digits that follow from its name, and the
name is shown to nobody but the person who chooses at the page or the command line.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from resvae_core.config import inbox_folder
from resvae_core.data.expression_parquet import list_parquet
from resvae_core.errors import CatalogError, ConfigError, InputDataError

_ID = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True)
class InboxEntry:
    """A Parquet file of the inbox, or a folder of them.

    Parameters
    ----------
    id
        What jobs call it: the first 12 hex digits of the SHA-256 of its name.
    name
        For the person who chooses; never to be stored.
    path
        Where it lies, links followed.
    size
        In bytes.
    n_samples
        Rows, as the files say of themselves; None where one cannot be read.
    """

    id: str
    name: str
    path: Path
    size: int
    n_samples: int | None


def list_inbox() -> list[InboxEntry]:
    """Return what jobs may score, by name; nothing where there is no inbox.

    What leads out of the inbox, by a link, is left out.
    """
    return [_entry(path) for path in _candidates() if _files(path)]


def find_path(identifier: object) -> Path:
    """Return where the entry with this id lies.

    Raises
    ------
    ConfigError
        If this is no id.
    InputDataError
        If no entry has it.
    """
    if not isinstance(identifier, str) or not _ID.fullmatch(identifier):
        # what was given may be a path with a patient's name: it is not repeated
        raise ConfigError(
            "The input of a job was not named by the id of an entry of the inbox (12 hex digits).",
            remedy="Put the file into the inbox; `score --inbox` shows its id.",
        )
    for path in _candidates():
        if entry_id(path.name) == identifier and _files(path):
            return path.resolve()
    raise InputDataError(
        f"The inbox has no entry with the id {identifier}.",
        remedy="Put the file back, or choose another one; `score --inbox` shows what is there.",
    )


def find_by_name(name: str) -> InboxEntry:
    """Return the entry with this name or id: for the person who asks, not for jobs.

    Raises
    ------
    CatalogError
        If there is none.
    """
    for entry in list_inbox():
        if name in (entry.name, entry.id):
            return entry
    raise CatalogError(
        f"The inbox has no entry {name!r}.",
        remedy=f"Put the file into {inbox_folder()}, without links; `score --inbox` shows what "
        "is there.",
    )


def entry_id(name: str) -> str:
    """Return the id of an entry with this name."""
    return hashlib.sha256(name.encode()).hexdigest()[:12]


def _candidates() -> list[Path]:
    """Return what lies in the inbox itself and may be an entry."""
    folder = inbox_folder()
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))


def _files(path: Path) -> list[Path]:
    """Return an entry's files; none where it is no entry, or one leads out of the inbox."""
    inside = inbox_folder().resolve()
    if not path.resolve().is_relative_to(inside):
        return []
    if path.is_dir():
        found = [path / name for name in list_parquet(path)]
    else:
        found = [path] if path.is_file() and path.suffix == ".parquet" else []
    return found if all(file.resolve().is_relative_to(inside) for file in found) else []


def _entry(path: Path) -> InboxEntry:
    files = _files(path)
    rows = [_rows(file) for file in files]
    known = [n for n in rows if n is not None]
    return InboxEntry(
        id=entry_id(path.name),
        name=path.name,
        path=path.resolve(),
        size=sum(file.stat().st_size for file in files),
        n_samples=sum(known) if len(known) == len(rows) else None,
    )


def _rows(file: Path) -> int | None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return int(pq.read_metadata(file).num_rows)
    except (pa.ArrowException, OSError):
        return None
