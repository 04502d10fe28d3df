"""A table as it stands in a file, before anything is known of genes and samples."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from resvae_core.data.privacy import KINDS, Described
from resvae_core.data.uploads.record import Detection
from resvae_core.errors import InputDataError

_STATEMENT = re.compile(r"[:=\t]")

MISSING = frozenset(
    {"", "na", "n/a", "#n/a", "nan", "null", "none", "-nan", "<na>", "#na", "1.#qnan", "-1.#ind"}
)
"""Cells that mean "not measured", in lower case."""


@dataclass(frozen=True)
class RawTable:
    """Cells of a file, text apart from numbers.

    Parameters
    ----------
    header
        (n_columns,) names of all columns as in the file, the first included; may be empty strings.
    text
        Column position → its n_rows cells, for the columns that hold text. Position 0 is always
        here: ids are read as text.
    numbers
        (n_rows, n_numeric) float32, NaN where a cell is empty.
    numeric
        (n_numeric,) positions of the columns of `numbers`.
    row_numbers
        (n_rows,) row of the file, counted from 1, in which each row of cells stands.
    file_format
        ``text``, ``xlsx``, ``parquet``, ``gct`` or ``h5ad``.
    delimiter, decimal, encoding
        Of a text file; empty for the others.
    annotation
        Positions of columns that the format itself says are descriptions.
    notes
        What the reader of this format wants to say, as found.
    has_header
        False if the file has none, so that samples have no names.
    notation
        What was found out about how the file is written (delimiter, decimal mark), by name.
    sheet, sheets
        Of a workbook: the worksheet that was read, and the names of all.
    described
        What the file says of its samples outside of `text`, for the scan for identifiers alone.
    """

    header: list[str]
    text: dict[int, list[str]]
    numbers: npt.NDArray[np.float32]
    numeric: list[int]
    row_numbers: npt.NDArray[np.int64]
    file_format: str
    delimiter: str = ""
    decimal: str = ""
    encoding: str = ""
    annotation: frozenset[int] = frozenset()
    notes: list[str] = field(default_factory=list)
    has_header: bool = True
    notation: Mapping[str, Detection] = field(default_factory=dict)
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    described: tuple[Described, ...] = ()

    @property
    def n_rows(self) -> int:
        """Rows below the header."""
        return len(self.numbers)

    def row_name(self, row: int) -> str:
        """Name of a row (counted from 0) as a message should give it."""
        name = self.text[0][row] if self.text.get(0) else ""
        return f"row {self.row_numbers[row]}" + (f" ({shorten(name)})" if name else "")

    def column_name(self, column: int) -> str:
        """Name of a column (counted from 0) as a message should give it."""
        name = self.header[column]
        return f"column {column + 1}" + (f" ({shorten(name)})" if name else "")

    def without_empty_rows(self) -> RawTable:
        """Leave out rows in which nothing stands."""
        blank = [row for row, cell in enumerate(self.text[0]) if not cell]
        empty = [
            row
            for row in blank
            if not any(cells[row] for cells in self.text.values())
            and np.isnan(self.numbers[row]).all()
        ]
        if not empty:
            return self
        kept = np.setdiff1d(np.arange(self.n_rows), empty)
        text = {column: [cells[row] for row in kept] for column, cells in self.text.items()}
        return replace(
            self, text=text, numbers=self.numbers[kept], row_numbers=self.row_numbers[kept]
        )


def describe_line(line: str) -> Described:
    """Take a line above the table, such as ``# Patient: Jane Doe``, apart for the scan."""
    label, value = (*_STATEMENT.split(line.strip("#!\"'; \t,"), maxsplit=1), "")[:2]
    # a bare date above a table is when it was written
    cells = [part.strip() for part in (label, value) if not KINDS["a date"].search(part)]
    return Described("a line above the table", label if value else "", cells)


def shorten(text: str, length: int = 40) -> str:
    """Cut a cell for a message."""
    return text if len(text) <= length else text[: length - 1] + "…"


def is_missing(cell: str) -> bool:
    """Tell whether a cell means "not measured"."""
    return cell.strip().lower() in MISSING


def text_in_cell(place: str, found: str, decimal: str) -> InputDataError:
    """Return the error for a cell that should be a number."""
    return InputDataError(
        f"Text in a cell: {place} holds {shorten(found)!r}; a number with the decimal mark "
        f"{decimal!r} (or an empty cell for “not measured”) was expected.",
        remedy=(
            "Correct or empty this cell; if all numbers look like it, choose the "
            "other decimal mark."
        ),
    )
