"""Text tables: CSV, TSV and their relatives."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
import pandas as pd

from resvae_core.data.uploads.dialect import Dialect, as_number, decode, is_number, sniff
from resvae_core.data.uploads.record import UploadOverrides
from resvae_core.data.uploads.table import RawTable, describe_line, is_missing, text_in_cell
from resvae_core.errors import InputDataError

_TOO_MANY_CELLS = re.compile(r"Expected (\d+) fields in line (\d+), saw (\d+)")
_CELLS_PER_CHUNK = 2_000_000
_NA = ["NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None", "na", "n/a", "Na", "<NA>", "NAN"]


def read_text(content: bytes, overrides: UploadOverrides) -> RawTable:
    """Read a text table.

    Parameters
    ----------
    content
        The file, in UTF-8, UTF-16 or Latin-1.
    overrides
        Delimiter and decimal mark, where the user knows them.

    Raises
    ------
    InputDataError
        If it is not a table, a row has too many cells, or a cell holds text instead of a number.
    """
    utf8, encoding = decode(content)
    return parse(utf8, sniff(utf8, overrides), encoding)


def parse(content: bytes, dialect: Dialect, encoding: str, file_format: str = "text") -> RawTable:
    """Read the cells of a UTF-8 table whose notation is known.

    Raises
    ------
    InputDataError
        As `read_text`.
    """
    numeric = [i for i in range(len(dialect.header)) if i not in dialect.text_columns]
    types: dict[int, type] = dict.fromkeys(numeric, np.float32)
    types.update(dict.fromkeys(dialect.text_columns, str))
    try:
        frame = _read(
            content, dialect, types if dialect.thousands is None else dict.fromkeys(types, str)
        )
    except ValueError as error:
        _explain_ragged(error)
        raise _find_text(content, dialect, numeric) from error
    if dialect.thousands is None:
        numbers = frame[numeric].to_numpy(np.float32)
    else:
        numbers = _ungroup(frame[numeric], numeric, content, dialect)
    _check_finite(numbers, numeric, dialect)
    return RawTable(
        header=dialect.header,
        text={i: _clean(frame[i]) for i in sorted(dialect.text_columns)},
        numbers=numbers,
        numeric=numeric,
        row_numbers=np.arange(len(frame)) + dialect.skip + 1,
        file_format=file_format,
        delimiter=dialect.delimiter,
        decimal=dialect.decimal,
        encoding=encoding,
        has_header=dialect.has_header,
        notation=dialect.notation,
        described=tuple(map(describe_line, dialect.preamble)),
    ).without_empty_rows()


def _options(dialect: Dialect) -> dict[str, object]:
    return {
        "sep": r"\s+" if dialect.delimiter == " " else dialect.delimiter,
        "decimal": dialect.decimal,
        "header": None,
        "names": range(len(dialect.header)),
        "index_col": False,
        "skiprows": dialect.skip,
        "skip_blank_lines": False,
        "na_values": _NA,
        "low_memory": False,
        "engine": "c",
    }


def _read(content: bytes, dialect: Dialect, types: dict[int, type]) -> pd.DataFrame:
    with warnings.catch_warnings():
        # pandas only warns where it cuts cells off
        warnings.simplefilter("error", pd.errors.ParserWarning)
        try:
            return pd.read_csv(io.BytesIO(content), dtype=types, **_options(dialect))  # type: ignore[call-overload,no-any-return]
        except pd.errors.ParserWarning as warning:
            raise ValueError(str(warning)) from warning


def _ungroup(
    cells: pd.DataFrame, numeric: list[int], content: bytes, dialect: Dialect
) -> npt.NDArray[np.float32]:
    """Read numbers with marks between thousands; a mark in a wrong place is an error."""
    decimal, thousands = dialect.decimal, dialect.thousands
    texts = cells.fillna("").to_numpy(object)
    numbers = np.full(texts.shape, np.nan, dtype=np.float32)
    for place, text in np.ndenumerate(texts):
        cell = str(text).strip()
        if is_number(cell, decimal, thousands):
            numbers[place] = as_number(cell, decimal, thousands)
        elif not is_missing(cell):
            raise _find_text(content, dialect, numeric)
    return numbers


def _clean(cells: pd.Series[str]) -> list[str]:
    return [str(cell).strip() for cell in cells.fillna("").tolist()]


def _explain_ragged(error: ValueError) -> None:
    """Raise if a row has more cells than the header has names."""
    if match := _TOO_MANY_CELLS.search(str(error)):
        expected, row, found = match.groups()
        raise InputDataError(
            f"Row {row} has {found} cells; {expected} were expected, as many as the header names.",
            remedy="Look for an extra delimiter or a missing quote in this row.",
        ) from error
    if isinstance(error, pd.errors.ParserError) or "Length of header" in str(error):
        raise InputDataError(
            f"The table cannot be split into cells ({str(error).rstrip('.')}); "
            "rows of equal length "
            "were expected.",
            remedy="Look for a missing quote, or export the table again.",
        ) from error


def _chunks(content: bytes, dialect: Dialect) -> Iterator[pd.DataFrame]:
    rows = max(1, _CELLS_PER_CHUNK // len(dialect.header))
    options = {**_options(dialect), "decimal": "."}
    yield from pd.read_csv(
        io.BytesIO(content), dtype=str, chunksize=rows, keep_default_na=False, **options
    )  # type: ignore[call-overload]


def _find_text(content: bytes, dialect: Dialect, numeric: list[int]) -> InputDataError:
    """Return the error for the first cell that is no number."""
    for chunk in _chunks(content, dialect):
        for row, column, cell in _suspects(chunk, numeric, dialect):
            if not is_missing(cell) and not is_number(
                cell.strip(), dialect.decimal, dialect.thousands
            ):
                return text_in_cell(_place(chunk, row, column, dialect), cell, dialect.decimal)
    return InputDataError(
        "A cell cannot be read as a number; numbers were expected right of the gene names.",
        remedy="Export the table again with plain numbers.",
    )


def _suspects(
    chunk: pd.DataFrame, numeric: list[int], dialect: Dialect
) -> Iterator[tuple[int, int, str]]:
    """Yield (row, column, cell) where pandas sees no plain number, row by row."""
    cells = chunk[numeric].fillna("").to_numpy(object)
    texts = pd.Series(cells.ravel())
    if dialect.decimal != ".":
        texts = texts.str.replace(".", "x").str.replace(dialect.decimal, ".")
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy(float)
    for position in np.flatnonzero(~np.isfinite(numbers)):
        row, column = divmod(int(position), len(numeric))
        yield row, numeric[column], str(cells[row, column])


def _place(chunk: pd.DataFrame, row: int, column: int, dialect: Dialect) -> str:
    name = str(chunk.iat[row, 0])
    header = dialect.header[column]
    return (
        f"row {dialect.skip + 1 + int(chunk.index[row])}"
        + (f" ({name})" if name else "")
        + f", column {column + 1}"
        + (f" ({header})" if header else "")
    )


def _check_finite(numbers: npt.NDArray[np.float32], numeric: list[int], dialect: Dialect) -> None:
    """Refuse infinite values, which no measurement gives."""
    if not np.isinf(numbers).any():
        return
    row, column = (int(i[0]) for i in np.nonzero(np.isinf(numbers)))
    place = f"row {dialect.skip + 1 + row}, column {numeric[column] + 1}"
    raise text_in_cell(place, "an infinite value", dialect.decimal)
