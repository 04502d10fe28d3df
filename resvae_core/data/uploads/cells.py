"""Tables that come as cells or typed columns: workbooks, Parquet, AnnData."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from resvae_core.data.privacy import Described
from resvae_core.data.uploads.record import UploadOverrides
from resvae_core.data.uploads.source import MAX_BYTES
from resvae_core.data.uploads.table import RawTable, describe_line, is_missing, text_in_cell
from resvae_core.errors import InputDataError, UploadTooLargeError

if TYPE_CHECKING:
    import h5py

_LINES_ABOVE = 50  # rows of a sheet in which titles may stand
MAX_VALUES = 150_000_000
"""Most values (samples × genes) that are read; 600 MB in memory."""


def read_workbook(content: bytes, overrides: UploadOverrides) -> RawTable:
    """Read a worksheet of an XLSX workbook: the first with a table, or the one named.

    Raises
    ------
    InputDataError
        If there is no such sheet, or it holds no table.
    UploadTooLargeError
        If the workbook unpacks to more than the reader accepts.
    """
    from openpyxl import load_workbook
    from openpyxl.utils.exceptions import InvalidFileException

    _check_unpacked(content)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns about styles, which we do not read
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            sheet, rows = _read_sheet(book, overrides.sheet)
            names = tuple(map(str, book.sheetnames))
            book.close()
    except (InvalidFileException, zipfile.BadZipFile, KeyError, ValueError) as error:
        if isinstance(error, InputDataError):
            raise
        raise InputDataError(
            "The workbook is damaged or not a real XLSX file; a workbook of expression values was "
            "expected.",
            remedy="Open it in a spreadsheet program and save it again, or export it as CSV.",
        ) from error
    above = [_as_text(row[0]) for row in rows[:_LINES_ABOVE] if row and _is_title(row)]
    return replace(
        table_of_cells(rows, "xlsx"),
        sheet=sheet,
        sheets=names,
        described=tuple(map(describe_line, above)),
    )


def list_sheets(content: bytes) -> tuple[str, ...]:
    """Return the names of a workbook's sheets, in their order; empty where it is no workbook.

    Only the list is read, not the sheets: it is there for a workbook whose first sheet is refused.

    Parameters
    ----------
    content
        The file's bytes as they came.

    Raises
    ------
    UploadTooLargeError
        If the workbook unpacks to more than the reader accepts.
    """
    from openpyxl.packaging.workbook import WorkbookPackage
    from openpyxl.xml.functions import fromstring

    if not content.startswith(b"PK"):
        return ()
    try:
        _check_unpacked(content)
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            part = next(name for name in archive.namelist() if name.endswith("xl/workbook.xml"))
            book = WorkbookPackage.from_tree(fromstring(archive.read(part)))
    except (zipfile.BadZipFile, StopIteration, SyntaxError, TypeError, ValueError) as error:
        if isinstance(error, UploadTooLargeError):
            raise
        return ()
    return tuple(str(sheet.name) for sheet in book.sheets)


def _is_title(row: Sequence[object]) -> bool:
    """Tell whether a row holds one cell only, the first: a line above the table."""
    return row[0] is not None and all(cell is None for cell in row[1:])


def _check_unpacked(content: bytes) -> None:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        size = sum(entry.file_size for entry in archive.infolist())
    if size > MAX_BYTES:
        raise UploadTooLargeError(
            f"The workbook unpacks to {size / 1024**2:,.0f} MB; at most "
            f"{MAX_BYTES // 1024**2} MB are "
            "read.",
            remedy="Save the table as CSV, Parquet or .csv.gz.",
        )


def _read_sheet(book: object, name: str | None) -> tuple[str, list[Sequence[object]]]:
    """Return name and rows of the sheet named, or of the first that has any."""
    names: list[str] = book.sheetnames  # type: ignore[attr-defined]
    if name is not None and name not in names:
        raise InputDataError(
            f"The workbook has no sheet {name!r}; it has {', '.join(map(repr, names))}.",
            remedy="Choose one of its sheets.",
        )
    for candidate in [name] if name else names:
        sheet = book[candidate]  # type: ignore[index]
        if not hasattr(sheet, "iter_rows"):
            continue  # a sheet of charts
        sheet.reset_dimensions()
        rows = list(sheet.iter_rows(values_only=True))
        if sum(any(cell is not None for cell in row) for row in rows) > 1:
            return candidate, rows
    raise InputDataError(
        "The workbook holds no table: no sheet has a header and a row below it.",
        remedy="Put gene names and values on the first sheet.",
    )


def table_of_cells(rows: Sequence[Sequence[object]], file_format: str) -> RawTable:
    """Bring rows of cells into a table; the first row that is filled is the header.

    Raises
    ------
    InputDataError
        If there is nothing below the header, or a cell among numbers holds text.
    """
    widest = max((len(row) for row in rows), default=0)
    filled = [i for i, row in enumerate(rows) if sum(cell is not None for cell in row) > 1]
    if len(filled) < 2:
        raise InputDataError(
            "The sheet has no row of values below its header; gene names and values were expected.",
            remedy="Put the header in one row and the genes below it.",
        )
    padded = [list(row) + [None] * (widest - len(row)) for row in (rows[i] for i in filled)]
    header = [_as_text(cell) for cell in padded[0]]
    cells = np.array(padded[1:], dtype=object)
    return table_of_columns(
        header,
        [cells[:, i] for i in range(widest)],
        np.array(filled[1:], dtype=np.int64) + 1,
        file_format,
    )


def table_of_columns(
    header: list[str],
    columns: Sequence[npt.NDArray[np.object_]],
    row_numbers: npt.NDArray[np.int64],
    file_format: str,
) -> RawTable:
    """Sort columns of cells into text and numbers.

    Raises
    ------
    InputDataError
        If a cell in a column of numbers holds text or an infinite value.
    """
    text: dict[int, list[str]] = {0: [_as_text(cell) for cell in columns[0]]}
    numbers: list[npt.NDArray[np.float32]] = []
    numeric: list[int] = []
    for position, column in enumerate(columns[1:], start=1):
        values = pd.to_numeric(pd.Series(_plain(column)), errors="coerce").to_numpy(float)
        unread = [
            row
            for row in np.flatnonzero(~np.isfinite(values))
            if not is_missing(_as_text(column[row]))
        ]
        n_filled = int(np.isfinite(values).sum()) + len(unread)
        if len(unread) > n_filled / 2:
            text[position] = [_as_text(cell) for cell in column]
            continue
        if unread:
            name = text[0][unread[0]]
            place = (
                f"row {row_numbers[unread[0]]} ({name}), column {position + 1} ({header[position]})"
            )
            raise text_in_cell(place, _as_text(column[unread[0]]), ".")
        numbers.append(values.astype(np.float32))
        numeric.append(position)
    matrix = np.column_stack(numbers) if numbers else np.empty((len(row_numbers), 0), np.float32)
    return RawTable(header, text, matrix, numeric, row_numbers, file_format).without_empty_rows()


def _plain(column: npt.NDArray[np.object_]) -> list[object]:
    """Return numbers and text as they are; dates, which would become numbers, as text."""
    return [
        cell
        if isinstance(cell, int | float | np.number) and not isinstance(cell, bool)
        else _as_text(cell)
        for cell in column
    ]


def _as_text(cell: object) -> str:
    if cell is None or (isinstance(cell, float) and np.isnan(cell)):
        return ""
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell).strip()


def read_parquet(content: bytes) -> RawTable:
    """Read a Parquet table; a named index counts as its first column.

    Raises
    ------
    InputDataError
        If it is damaged or has no rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(content))
        _check_size(file.metadata.num_rows, file.metadata.num_columns)
        frame = file.read().to_pandas()
    except (pa.ArrowException, OSError) as error:
        raise InputDataError(
            "The Parquet file is damaged or cut off; a table of expression values was expected.",
            remedy="Copy or write it again.",
        ) from error
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    if frame.empty or frame.shape[1] < 2:
        raise InputDataError(
            f"The Parquet file has {len(frame)} rows and {frame.shape[1]} columns; gene names and "
            "values were expected.",
            remedy="Write genes and samples as a table with names.",
        )
    return _table_of_frame(frame, "parquet")


def _table_of_frame(frame: pd.DataFrame, file_format: str) -> RawTable:
    """Take typed columns as they are: much faster than cell by cell."""
    header = ["" if str(name) == "index" else str(name) for name in frame.columns]
    rows = np.arange(len(frame), dtype=np.int64) + 2
    typed = [pd.api.types.is_numeric_dtype(dtype) for dtype in frame.dtypes]
    if all(typed[1:]):
        numbers = frame.iloc[:, 1:].to_numpy(np.float32, na_value=np.nan)
        if not np.isinf(numbers).any():
            first = [_as_text(cell) for cell in frame.iloc[:, 0].tolist()]
            numeric = list(range(1, len(header)))
            return RawTable(header, {0: first}, numbers, numeric, rows, file_format)
    columns = [frame.iloc[:, i].astype(object).to_numpy() for i in range(len(header))]
    return table_of_columns(header, columns, rows, file_format)


def _check_size(n_rows: int, n_columns: int) -> None:
    if n_rows * n_columns > MAX_VALUES:
        raise UploadTooLargeError(
            f"The table has {n_rows:,} × {n_columns:,} cells; at most {MAX_VALUES:,} are read.",
            remedy="Split it by samples.",
        )


def read_h5ad(content: bytes) -> RawTable:
    """Read the matrix ``X`` of an AnnData file, samples × genes.

    Gene names come from the index of ``var``; where that holds no gene, from its other columns.

    Raises
    ------
    InputDataError
        If it is not an AnnData file, or has no ``X``.
    UploadTooLargeError
        If it holds more values than are read, as single-cell data do.
    """
    import h5py

    try:
        with h5py.File(io.BytesIO(content), "r") as file:
            return _read_anndata(file)
    except OSError as error:
        raise InputDataError(
            "The HDF5 file is damaged or cut off; an h5ad file was expected.",
            remedy="Copy or write it again.",
        ) from error


def _read_anndata(file: h5py.File) -> RawTable:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # anndata warns about its own old formats
        from anndata.io import read_elem

        if not {"X", "obs", "var"} <= set(file):
            raise InputDataError(
                "The HDF5 file has no X, obs and var; an AnnData file (h5ad) was expected.",
                remedy="Write it with anndata, or export the matrix as CSV.",
            )
        obs, var = read_elem(file["obs"]), read_elem(file["var"])
        _check_size(len(obs), len(var))
        matrix = read_elem(file["X"])
    dense = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    text: dict[int, list[str]] = {0: [_as_text(name) for name in var.index]}
    header = [""]
    for column in var.columns:
        if not pd.api.types.is_numeric_dtype(var[column]):
            text[len(header)] = [_as_text(cell) for cell in var[column].tolist()]
            header.append(str(column))
    numeric = list(range(len(header), len(header) + len(obs)))
    header += [str(name) for name in obs.index]
    return RawTable(
        header=header,
        text=text,
        numbers=np.ascontiguousarray(dense.T, dtype=np.float32),
        numeric=numeric,
        row_numbers=np.arange(len(var), dtype=np.int64) + 1,
        file_format="h5ad",
        annotation=frozenset(range(1, numeric[0] if numeric else 1)),
        described=tuple(
            Described(f"column {i} of obs", str(name), [_as_text(cell) for cell in obs[name]])
            for i, name in enumerate(obs.columns, start=1)
        ),
    )
