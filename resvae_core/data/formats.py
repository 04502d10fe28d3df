"""Whether a file is what its name says: a table, an Excel file, an archive, and not a web page."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from pathlib import Path

from resvae_core.data.sources import RemoteFile
from resvae_core.errors import ArtifactError

CHUNK = 1 << 20
MAX_HEADER = 8 << 20
"""Bytes of the longest first line that is read; 19,000 gene names have 0.3 MB."""


def require_form(path: Path, file: RemoteFile) -> None:
    """Check that a file can be read as what it should be, and has the columns it should have.

    Compressed files are read to their end, which compares their checksums.

    Parameters
    ----------
    path
        What arrived.
    file
        What it should be.

    Raises
    ------
    ArtifactError
        Saying what it is instead.
    """
    try:
        columns = _columns(path, file)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile, KeyError, ValueError) as error:
        raise ArtifactError(
            f"{file.name} cannot be read as {file.form} ({_what(path)}).",
            remedy="Try again later, or download the file in a browser and place it by hand.",
        ) from error
    missing = [name for name in file.columns if name not in columns]
    if missing:
        raise ArtifactError(
            f"{file.name} lacks the column {', '.join(missing)}; it begins with "
            f"{', '.join(columns[:4])[:80]!r}.",
            remedy="Its owner has changed the file: it cannot be used with this version.",
        )


def _columns(path: Path, file: RemoteFile) -> list[str]:
    """Read as much as says that the file is whole; return the names of its columns."""
    if file.form == "xlsx":
        return _sheet_columns(path, wanted=bool(file.columns))
    if file.form == "zip":
        _require_archive(path)
        return list(file.columns)
    if file.form == "tsv.gz":
        return _cells(_first_line_of_gzip(path), "\t")
    if file.form in ("csv", "tsv"):
        with path.open("rb") as stream:
            return _cells(stream.readline(MAX_HEADER), "," if file.form == "csv" else "\t")
    return list(file.columns)


def _cells(line: bytes, delimiter: str) -> list[str]:
    text = line.decode("utf-8-sig").rstrip("\r\n")
    if text.lstrip().startswith("<") or delimiter not in text:
        raise ValueError("no table")
    return next(csv.reader(io.StringIO(text), delimiter=delimiter))


def _first_line_of_gzip(path: Path) -> bytes:
    """Read to the end, so that length and checksum are compared; return the first line."""
    with gzip.open(path) as stream:
        line = stream.readline(MAX_HEADER)
        while stream.read(CHUNK):
            pass
    return line


def _require_archive(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        if archive.testzip() is not None:
            raise ValueError("a damaged member")


def _sheet_columns(path: Path, *, wanted: bool) -> list[str]:
    """Return the first row of the first sheet; nothing where it is not wanted."""
    _require_archive(path)
    with zipfile.ZipFile(path) as archive:
        archive.getinfo("xl/workbook.xml")
    if not wanted:
        return []
    from openpyxl import load_workbook

    with path.open("rb") as stream:
        book = load_workbook(stream, read_only=True)
        first = next(book.worksheets[0].iter_rows(max_row=1, values_only=True))
        book.close()
    return [str(cell) for cell in first if cell is not None]


def _what(path: Path) -> str:
    """Say what a file seems to be."""
    with path.open("rb") as stream:
        begin = stream.read(512).lstrip().lower()
    if begin.startswith((b"<!doctype", b"<html", b"<?xml", b"<")):
        return "it is a web page or a message of the host"
    return "it is cut short, damaged or of another form" if begin else "it is empty"
