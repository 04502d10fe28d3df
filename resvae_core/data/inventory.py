"""Which data files are known, which of them are installed, and whether they are intact.

The manifest ``assets/catalog/data_manifest.json`` holds size and SHA-256 of every file of the
development data, and the terms under which its source allows its use. It is built by
``scripts/build_data_manifest.py``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

from resvae_core.config import CATALOG
from resvae_core.data.files import file_digest
from resvae_core.errors import CatalogError

FileState = Literal["present", "verified", "missing", "partial", "altered"]


@dataclass(frozen=True)
class DataSource:
    """Where files come from, and what their owner allows.

    Parameters
    ----------
    key
        Short name, as in :class:`KnownFile`.
    name
        Full name.
    licence
        Licence or terms in one sentence; repeat it wherever the data are used.
    citation
        What to cite.
    homepage
        Official page.
    """

    key: str
    name: str
    licence: str
    citation: str
    homepage: str


@dataclass(frozen=True)
class KnownFile:
    """A file that the manifest knows.

    Parameters
    ----------
    path
        Relative to the data folder, with forward slashes.
    size
        Bytes.
    sha256
        Digest of the intact file (hex).
    sources
        Keys of the sources that it is made from.
    content
        What is in it.
    """

    path: str
    size: int
    sha256: str
    sources: tuple[str, ...]
    content: str


@dataclass(frozen=True)
class FileStatus:
    """A known file and what there is of it.

    Parameters
    ----------
    file
        What the manifest says.
    state
        ``present`` (right size, digest not computed), ``verified`` (right digest), ``missing``,
        ``partial`` (shorter than it should be) or ``altered`` (other contents).
    found_size
        Bytes on disk; 0 where it is missing.
    """

    file: KnownFile
    state: FileState
    found_size: int

    @property
    def intact(self) -> bool:
        """Whether nothing speaks against the file."""
        return self.state in {"present", "verified"}


@dataclass(frozen=True)
class Manifest:
    """All known files and their sources.

    Parameters
    ----------
    files
        Ordered by path.
    sources
        Key to source.
    """

    files: tuple[KnownFile, ...]
    sources: dict[str, DataSource]

    def terms(self, file: KnownFile) -> str:
        """Say in one text under which terms a file may be used."""
        used = [self.sources[key] for key in file.sources]
        return "; ".join(f"{source.name}: {source.licence}" for source in used)


@lru_cache(maxsize=4)
def load_manifest(path: Path = CATALOG / "data_manifest.json") -> Manifest:
    """Load the manifest of known data files.

    Raises
    ------
    CatalogError
        If the manifest is missing or cannot be read.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        sources = {row["key"]: DataSource(**row) for row in content["sources"]}
        files = [KnownFile(**row | {"sources": tuple(row["sources"])}) for row in content["files"]]
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CatalogError(
            f"The data manifest {path.name} cannot be read: {error!r}.",
            remedy="Restore it from the repository.",
        ) from error
    return Manifest(tuple(files), sources)


def list_files(folder: Path | None, manifest: Manifest | None = None) -> list[FileStatus]:
    """Say which known files are installed, by their size.

    Parameters
    ----------
    folder
        Folder of installed data; None for no folder, where every file is missing.
    manifest
        The shipped one by default.

    Returns
    -------
    list[FileStatus]
        One entry a known file: ``present``, ``missing``, ``partial`` or ``altered``.
    """
    known = (manifest or load_manifest()).files
    return [_status(folder, file) for file in known]


def verify_files(folder: Path, manifest: Manifest | None = None) -> Iterator[FileStatus]:
    """Check installed files against their digests, one after the other.

    Parameters
    ----------
    folder
        Folder of installed data.
    manifest
        The shipped one by default.

    Yields
    ------
    FileStatus
        One entry a known file, as soon as it is read: ``verified``, ``missing``, ``partial`` or
        ``altered``.
    """
    for status in list_files(folder, manifest):
        if status.state != "present":
            yield status
            continue
        file = status.file
        intact = file_digest(folder / file.path) == file.sha256
        yield FileStatus(file, "verified" if intact else "altered", status.found_size)


def _status(folder: Path | None, file: KnownFile) -> FileStatus:
    path = None if folder is None else folder / file.path
    if path is None or not path.is_file():
        return FileStatus(file, "missing", 0)
    size = path.stat().st_size
    if size == file.size:
        return FileStatus(file, "present", size)
    return FileStatus(file, "partial" if size < file.size else "altered", size)
