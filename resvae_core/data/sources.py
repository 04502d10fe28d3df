"""Data sets that can be fetched from their official hosts: addresses, sizes, licences, checksums.

The table ``assets/catalog/data_sources.json`` has one row a data set; the row ``tcga-{code}``
stands for one a cancer type of ``cohorts.csv``. ``RESVAE_DATA_SOURCES`` names another table of the
same form, for example with the addresses of a mirror.

Where the owner publishes a checksum it is in the table. Where not, a file is trusted on first use:
its SHA-256 is recorded when it comes, and compared from then on.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal, get_args

from resvae_core.config import CATALOG
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.errors import CatalogError

Form = Literal["xlsx", "csv", "tsv", "tsv.gz", "zip", "other"]

SOURCES_FILE = CATALOG / "data_sources.json"
SOURCES_VARIABLE = "RESVAE_DATA_SOURCES"
COHORT_KEY = "tcga-{code}"


@dataclass(frozen=True)
class RemoteFile:
    """One file of a data set.

    Parameters
    ----------
    path
        Where it lies in the data folder, with forward slashes.
    url
        Where it is fetched; None where it must be placed by hand.
    size
        Bytes, as published; None where not. A file of another size is refused.
    about
        Bytes, roughly, where no size is published: for the estimate alone.
    sha256, md5
        Published digest (hex); None where there is none.
    form
        What it is; what arrives must be readable as that.
    columns
        Columns that its header must have.
    """

    path: str
    url: str | None
    size: int | None = None
    about: int | None = None
    sha256: str | None = None
    md5: str | None = None
    form: Form = "other"
    columns: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The last part of the path."""
        return PurePosixPath(self.path).name

    @property
    def expected_size(self) -> int | None:
        """Bytes to reckon with: as published, else roughly, else None."""
        return self.size or self.about


@dataclass(frozen=True)
class DataSet:
    """Files that belong together, and what their owner allows.

    Parameters
    ----------
    key
        Short name, for example ``gdsc`` or ``tcga-luad``.
    title, content
        Name for people, and what is in it, in a sentence.
    release
        Which version it is.
    licence, licence_url
        Terms in one sentence, and where they are written.
    citation, homepage
        What to cite, and the owner's page.
    files
        What it consists of.
    needs
        Keys of the data sets without which it is of no use.
    requires_acceptance
        Whether nothing is fetched before somebody accepted the licence.
    """

    key: str
    title: str
    content: str
    release: str
    licence: str
    licence_url: str
    citation: str
    homepage: str
    files: tuple[RemoteFile, ...]
    needs: tuple[str, ...] = ()
    requires_acceptance: bool = False

    @property
    def size(self) -> int | None:
        """Bytes to reckon with in all; None where a file's size is not known."""
        sizes = [file.expected_size for file in self.files]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def size_is_published(self) -> bool:
        """Whether `size` is what the owner publishes, not an estimate."""
        return all(file.size is not None for file in self.files)


def load_data_sets() -> dict[str, DataSet]:
    """Return the data sets of the table, key to data set, in its order.

    Raises
    ------
    CatalogError
        If the table cannot be read, a path leaves the data folder, or a need is not known.
    """
    return _load(Path(os.environ.get(SOURCES_VARIABLE) or SOURCES_FILE))


def find_data_set(key: str) -> DataSet:
    """Return the data set of that key.

    Raises
    ------
    CatalogError
        If there is none; the message lists those that there are.
    """
    known = load_data_sets()
    if key.lower() not in known:
        raise unknown_key(key, known)
    return known[key.lower()]


def unknown_key(key: str, known: Iterable[str]) -> CatalogError:
    """Say that there is no data set of that key, and which there are."""
    return CatalogError(
        f"{key!r} is no data set that can be fetched.",
        remedy=f"Use one of: {', '.join(known)}.",
    )


def with_needs(key: str) -> list[DataSet]:
    """Return a data set behind those that it needs, each once."""
    found: dict[str, DataSet] = {}

    def add(one: str) -> None:
        data_set = find_data_set(one)
        for need in data_set.needs:
            if need not in found:
                add(need)
        found[data_set.key] = data_set

    add(key)
    return list(found.values())


def find_by_path(path: str) -> DataSet | None:
    """Return the data set that a file of the data folder belongs to; None for a file of none."""
    known = load_data_sets().values()
    return next((one for one in known if any(file.path == path for file in one.files)), None)


@lru_cache(maxsize=8)
def _load(path: Path) -> dict[str, DataSet]:
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
        sets = {one.key: one for row in rows for one in _expand(row)}
    except (OSError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise CatalogError(
            f"The table of data sets {path.name} cannot be read: {error!r}.",
            remedy=f"Restore it from the repository, or mend what {SOURCES_VARIABLE} names.",
        ) from error
    for one in sets.values():
        _check(one, sets)
    return sets


def _expand(row: dict[str, Any]) -> list[DataSet]:
    """Return the data set of a row, or one a cancer type where the row stands for all."""
    if row["key"] != COHORT_KEY:
        return [_data_set(row)]
    return [
        _data_set(_filled(row, {"code": code.lower(), "CODE": code, "name": kind.name}))
        for code, kind in load_cancer_types().items()
    ]


def _filled(value: Any, names: dict[str, str]) -> Any:
    """Put names into every text of a row."""
    if isinstance(value, str):
        return value.format(**names)
    if isinstance(value, list):
        return [_filled(one, names) for one in value]
    if isinstance(value, dict):
        return {key: _filled(one, names) for key, one in value.items()}
    return value


def _data_set(row: dict[str, Any]) -> DataSet:
    files = [
        RemoteFile(**file | {"columns": tuple(file.get("columns", ()))}) for file in row["files"]
    ]
    return DataSet(**row | {"files": tuple(files), "needs": tuple(row.get("needs", ()))})


def _check(one: DataSet, known: dict[str, DataSet]) -> None:
    """Refuse rows that would write elsewhere, or that cannot be followed."""
    for file in one.files:
        parts = PurePosixPath(file.path)
        if parts.is_absolute() or ".." in parts.parts or file.form not in get_args(Form):
            raise CatalogError(
                f"The file {file.path!r} of the data set {one.key!r} has no proper path or form.",
                remedy="Use a path within the data folder and one of the known forms.",
            )
    missing = [need for need in one.needs if need not in known]
    if missing:
        raise CatalogError(
            f"The data set {one.key!r} needs {missing[0]!r}, which the table does not have.",
            remedy="Add it, or leave the need out.",
        )
