"""Which format a file has, judged by its content and never by its name alone."""

from __future__ import annotations

import io
import zipfile

from resvae_core.data.uploads.cells import read_h5ad, read_parquet, read_workbook
from resvae_core.data.uploads.gct import is_gct, read_gct
from resvae_core.data.uploads.record import UploadOverrides
from resvae_core.data.uploads.table import RawTable
from resvae_core.data.uploads.text import read_text
from resvae_core.errors import InputDataError

_READABLE = "a table (CSV, TSV, TXT, XLSX, Parquet, GCT or h5ad) was expected"
_EXPORT = "Export the expression values as CSV, TSV or XLSX and upload that file."

_FOREIGN: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"II*\x00", "a TIFF image"),
    (b"MM\x00*", "a TIFF image"),
    (b"{\\rtf", "an RTF document"),
    (b"BAM\x01", "a BAM file of alignments"),
    (b"CRAM", "a CRAM file of alignments"),
    (b"@HD\t", "a SAM file of alignments"),
    (b"##fileformat=VCF", "a VCF file of variants"),
    (b"\x1f\x8b", "a gzip file inside a gzip file"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"(\xb5/\xfd", "a Zstandard archive"),
    (b"7z\xbc\xaf", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"RDX", "an R data file"),
    (b"\x80\x04\x95", "a Python pickle"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook (.xls) or an encrypted one"),
)
_MARKUP = (b"<!doctype html", b"<html", b"<?xml", b"<svg", b"<head", b"<body")


def read_table(content: bytes, overrides: UploadOverrides) -> RawTable:
    """Read a file of any of the accepted formats.

    Parameters
    ----------
    content
        The file's bytes, unpacked.
    overrides
        What the user knows better than the detection.

    Raises
    ------
    InputDataError
        If it is something else, saying what it looks like; or if its reader refuses it.
    """
    _refuse_foreign(content)
    if content.startswith(b"PK"):
        _check_workbook(content)
        return read_workbook(content, overrides)
    if content.startswith(b"PAR1"):
        return read_parquet(content)
    if content.startswith(b"\x89HDF\r\n\x1a\n"):
        return read_h5ad(content)
    if is_gct(content):
        return read_gct(content, overrides)
    return read_text(content, overrides)


def _refuse_foreign(content: bytes) -> None:
    start = content[:512].lstrip(b"\xef\xbb\xbf").lstrip().lower()
    if start.startswith(_MARKUP):
        raise _foreign("a web page or an XML file")
    if start.startswith((b"{", b"[")) and start[1:].lstrip()[:1] in (b'"', b"{", b"[", b"}", b"]"):
        raise _foreign("a JSON file")
    if start.startswith((b">", b"@")) and b"\t" not in content[:200] and b"," not in content[:200]:
        raise _foreign("a file of sequences (FASTA or FASTQ)")
    if content[257:262] == b"ustar":
        raise _foreign("a tar archive")
    for magic, what in _FOREIGN:
        if content.startswith(magic):
            raise _foreign(what)


def _check_workbook(content: bytes) -> None:
    """Refuse zip files that are no XLSX workbook."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile as error:
        raise _foreign("a damaged workbook or zip archive") from error
    if any(name.endswith("xl/workbook.xml") for name in names):
        return
    if "xl/workbook.bin" in names:
        raise _foreign("a binary Excel workbook (.xlsb)")
    if "content.xml" in names:
        raise _foreign("an OpenDocument file")
    if any(name.startswith("word/") for name in names):
        raise _foreign("a Word document")
    raise _foreign(f"a zip archive of {len(names)} files")


def _foreign(what: str) -> InputDataError:
    return InputDataError(f"The file is {what}; {_READABLE}.", remedy=_EXPORT)
