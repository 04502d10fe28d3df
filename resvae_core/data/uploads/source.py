"""Bytes from wherever they come: a path, a file object or bytes; unpacked within bounds."""

from __future__ import annotations

import gzip
import hashlib
import io
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import BinaryIO

from resvae_core.errors import InputDataError, UploadTooLargeError

MAX_BYTES = 512 * 1024**2
"""Largest file that is read, and largest content of a compressed one."""

_GZIP = b"\x1f\x8b"
_BLOCK = 1024**2


@dataclass(frozen=True)
class Source:
    """Content of a file.

    Parameters
    ----------
    name
        Name of the file without folders; empty if unknown.
    content
        Its bytes, unpacked.
    digest
        SHA-256 (hex) of the bytes as they came.
    size
        Number of bytes as they came.
    compression
        ``gzip`` or ``none``.
    """

    name: str
    content: bytes
    digest: str
    size: int
    compression: str

    @property
    def stem(self) -> str:
        """Name without endings such as ``.tsv.gz``; ``sample`` if there is none."""
        stem = PurePath(self.name).name
        for ending in (".gz", ".csv", ".tsv", ".txt", ".xlsx", ".parquet", ".gct", ".h5ad", ".tab"):
            stem = stem.removesuffix(ending)
        return stem or "sample"


def open_source(source: Path | str | bytes | BinaryIO, name: str | None = None) -> Source:
    """Read a file into memory; the patient's data go nowhere else.

    Parameters
    ----------
    source
        Path, bytes, or an open binary file (as Streamlit's uploader returns).
    name
        Name of the file, where `source` does not know it.

    Raises
    ------
    InputDataError
        If the file is missing, empty, or a broken gzip file.
    UploadTooLargeError
        If it is larger than `MAX_BYTES`, packed or unpacked.
    """
    raw = _read(source)
    if not raw:
        raise InputDataError(
            "The file is empty (0 bytes); a table of expression values was expected.",
            remedy="Export it again and check its size before you upload it.",
        )
    digest = hashlib.sha256(raw).hexdigest()
    packed = raw[:2] == _GZIP
    return Source(
        name=_name_of(source) if name is None else PurePath(name).name,
        content=_gunzip(raw) if packed else raw,
        digest=digest,
        size=len(raw),
        compression="gzip" if packed else "none",
    )


def _name_of(source: Path | str | bytes | BinaryIO) -> str:
    if isinstance(source, str | Path):
        return Path(source).name
    name = getattr(source, "name", "")
    return PurePath(name).name if isinstance(name, str) else ""


def _read(source: Path | str | bytes | BinaryIO) -> bytes:
    """Return the bytes, after a look at their number."""
    if isinstance(source, str | Path):
        path = Path(source)
        if not path.is_file():
            raise InputDataError(
                f"There is no file {path.name!r} at the path given; an expression "
                "table was expected.",
                remedy="Check the path and the spelling.",
            )
        _check_size(path.stat().st_size)
        return path.read_bytes()
    if isinstance(source, bytes | bytearray | memoryview):
        _check_size(len(source))
        return bytes(source)
    if source.seekable():
        source.seek(0)
    content = source.read(MAX_BYTES + 1)
    if not isinstance(content, bytes):
        raise InputDataError(
            "The file was opened as text; bytes were expected.",
            remedy="Open it in binary mode ('rb').",
        )
    _check_size(len(content))
    return content


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise UploadTooLargeError(
            f"The file has {size / 1024**2:,.0f} MB or more; at most "
            f"{MAX_BYTES // 1024**2} MB are read.",
            remedy="Split it by samples, or save it as Parquet or with fewer decimals.",
        )


def _gunzip(raw: bytes) -> bytes:
    """Unpack a gzip file, and stop before its content grows past the limit."""
    unpacked = io.BytesIO()
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as stream:
            while block := stream.read(_BLOCK):
                unpacked.write(block)
                if unpacked.tell() > MAX_BYTES:
                    raise UploadTooLargeError(
                        f"The file unpacks to more than {MAX_BYTES // 1024**2} MB, the most that "
                        "is read.",
                        remedy="Split it by samples.",
                    )
    except EOFError as error:
        raise _broken_gzip("ends before its content does") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise _broken_gzip("cannot be unpacked") from error
    if not unpacked.tell():
        raise InputDataError(
            "The gzip file is empty inside; a table of expression values was expected.",
            remedy="Compress the table again.",
        )
    return unpacked.getvalue()


def _broken_gzip(what: str) -> InputDataError:
    return InputDataError(
        f"The file says it is gzip, but it {what}; a complete .gz file was expected.",
        remedy="It was probably cut off on its way: copy or compress it again.",
    )
