"""GCT tables of the Broad Institute, versions 1.2 and 1.3."""

from __future__ import annotations

import codecs
import itertools
import re
from dataclasses import replace
from typing import NamedTuple

from resvae_core.data.privacy import Described
from resvae_core.data.uploads.dialect import decode, sniff
from resvae_core.data.uploads.record import UploadOverrides
from resvae_core.data.uploads.table import RawTable
from resvae_core.data.uploads.text import parse
from resvae_core.errors import InputDataError


class _Shape(NamedTuple):
    """What the second line promises."""

    rows: int
    samples: int
    row_descriptions: int
    sample_descriptions: int


def is_gct(content: bytes) -> bool:
    """Tell whether a file starts with the version line of GCT."""
    first_line = content[:64].removeprefix(codecs.BOM_UTF8).splitlines()[:1]
    return bool(first_line) and first_line[0].strip(b" \t,") in (b"#1.2", b"#1.3")


def read_gct(content: bytes, overrides: UploadOverrides) -> RawTable:
    """Read a GCT table.

    Parameters
    ----------
    content
        The file. Version 1.2 has one column of descriptions, 1.3 tells how many columns and rows.
    overrides
        Decimal mark, where the user knows it.

    Raises
    ------
    InputDataError
        If the second line is no size, or the table is not of that size.
    """
    utf8, encoding = decode(content)
    lines = re.split(rb"\r\n|\n|\r", utf8[:4096])
    shape = _read_shape(lines)
    body = _drop_sample_descriptions(utf8, shape.sample_descriptions)
    dialect = sniff(body, replace(overrides, delimiter="\t"), skip=2)
    described = range(1, 1 + shape.row_descriptions)
    dialect = replace(
        dialect, text_columns=frozenset({0, *described, *(dialect.text_columns - {0})})
    )
    table = parse(body, dialect, encoding, file_format="gct")
    _check_shape(table, shape)
    return replace(
        table,
        annotation=frozenset(described),
        described=(*table.described, *_sample_descriptions(utf8, shape)),
        row_numbers=table.row_numbers + shape.sample_descriptions,
    )


def _read_shape(lines: list[bytes]) -> _Shape:
    sizes = [int(part) for part in lines[1].split() if part.isdigit()] if len(lines) > 1 else []
    expected = 2 if b"#1.2" in lines[0] else 4
    if len(sizes) != expected:
        raise InputDataError(
            f"Line 2 of a GCT file must hold its {expected} sizes (rows, samples"
            + (", descriptions)" if expected == 4 else ")")
            + f"; found {len(sizes)} numbers.",
            remedy="Export the GCT file again, or save the table as TSV.",
        )
    return _Shape(sizes[0], sizes[1], 1, 0) if expected == 2 else _Shape(*sizes)


def _drop_sample_descriptions(content: bytes, n: int) -> bytes:
    """Cut out the rows that describe samples: they stand below the header, above the genes."""
    if not n:
        return content
    ends = [match.end() for match in _first_line_ends(content, 3 + n)]
    if len(ends) < 3 + n:
        raise InputDataError(
            f"The GCT file promises {n} rows of sample descriptions and ends before them.",
            remedy="It was probably cut off: copy or export it again.",
        )
    return content[: ends[2]] + content[ends[2 + n] :]


def _sample_descriptions(content: bytes, shape: _Shape) -> list[Described]:
    """Return the rows that describe samples, for the scan for identifiers."""
    n = shape.sample_descriptions
    ends = [0, *(match.end() for match in _first_line_ends(content, 3 + n))]
    rows = [
        content[start:end].decode("utf-8", errors="replace").rstrip("\r\n").split("\t")
        for start, end in itertools.pairwise(ends[3:])
    ]
    first = 1 + shape.row_descriptions
    return [Described(f"row {i}", row[0], row[first:]) for i, row in enumerate(rows, start=4)]


def _first_line_ends(content: bytes, n: int) -> list[re.Match[bytes]]:
    matches = re.finditer(rb"\r\n|\n|\r", content)
    return [match for _, match in zip(range(n), matches, strict=False)]


def _check_shape(table: RawTable, shape: _Shape) -> None:
    n_columns = len(table.header) - 1 - shape.row_descriptions
    while n_columns > shape.samples and not table.header[shape.row_descriptions + n_columns]:
        n_columns -= 1
    if (table.n_rows, n_columns) != (shape.rows, shape.samples):
        raise InputDataError(
            f"The GCT file has {table.n_rows} genes × {n_columns} samples; its "
            "second line promises "
            f"{shape.rows} × {shape.samples}.",
            remedy="It was probably cut off: copy or export it again.",
        )
