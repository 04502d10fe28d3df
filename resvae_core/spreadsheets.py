"""CSV that a spreadsheet may open: no text in it is run as a formula.

CSV has no types: a spreadsheet takes a cell that begins with one of `MARKS` for a formula. Names of
samples and accounts are chosen elsewhere, so such a cell gets an apostrophe in front, and is text.
Source: OWASP, "CSV Injection".
"""

from __future__ import annotations

import re
from typing import TypeVar

import pandas as pd

Cell = TypeVar("Cell")

MARKS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a formula begins with; the last four are the full-width forms of the first four."""
MARKED = "Text that a spreadsheet would take for a formula has an apostrophe (') in front."
_NEXT_CELL = re.compile(rf"([,;\t]\"?)(?=[{re.escape(''.join(MARKS))}])")


def without_formulas(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose text and column names are no formulas; the table itself where none is.

    Numbers stay, text that is a number (``-0.5``) as well. The index is left as it is.

    Parameters
    ----------
    table
        As it is to be written; it is not changed.
    """
    names = [as_text(name) for name in table.columns]
    texts = {
        position: column.map(as_text).array
        for position, (_, column) in enumerate(table.items())
        if _holds_formula(column)
    }
    if not texts and names == list(table.columns):
        return table
    safe = table.copy(deep=False)
    for position, cells in texts.items():
        safe.isetitem(position, cells)
    safe.columns = pd.Index(names)
    return safe


def as_text(cell: Cell) -> Cell | str:
    """Return a cell, with an apostrophe in front where it is text that begins like a formula."""
    if not isinstance(cell, str) or not cell.startswith(MARKS) or _is_number(cell):
        return cell
    return f"'{cell}"


def comment(line: str) -> str:
    """Return a line that stands above a table: ``# line``, with no formula behind a comma in it."""
    one = " ".join(re.split(r"[\r\n]+", line))
    return "# " + _NEXT_CELL.sub(r"\1'", one) + "\n"


def _holds_formula(column: pd.Series) -> bool:
    numeric = pd.api.types.is_numeric_dtype(column) or pd.api.types.is_datetime64_any_dtype(column)
    return not numeric and any(as_text(cell) is not cell for cell in column.unique())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
