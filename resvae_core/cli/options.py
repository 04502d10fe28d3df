"""What several commands share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from resvae_core.config import data_folder
from resvae_core.errors import ConfigError, InputDataError
from resvae_core.spreadsheets import MARKED, without_formulas

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of installed data; found by itself where not given."),
]
ModelsOption = Annotated[
    Path | None,
    typer.Option("--models", help="Folder of the model set; the active set by default."),
]
OutOption = Annotated[
    Path | None, typer.Option("--out", help="CSV to write; printed where not given.")
]


def require_data(folder: Path | None) -> Path:
    """Return the data folder that was named, or the installed one.

    Raises
    ------
    InputDataError
        If there is none.
    """
    found = folder or data_folder()
    if found is None or not found.is_dir():
        raise InputDataError(
            f"There is no data folder{f' at {folder}' if folder else ''}.",
            remedy="Name one with --data, or set RESVAE_DATA.",
        )
    return found


def write_table(table: pd.DataFrame, out: Path | None) -> None:
    """Write a table as CSV, to a file or to standard output; see `write_tables`."""
    write_tables([table], out)


def write_tables(tables: Iterable[pd.DataFrame], out: Path | None) -> None:
    """Write tables of the same columns as one CSV, each as it comes: none is held.

    The file appears when it is complete; one that is there already stays until then. Text that a
    spreadsheet would take for a formula is marked (`spreadsheets`), and a line on stderr says so.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    if out is None:
        for text, _ in _as_csv(tables):
            typer.echo(text, nl=False)
        return
    plain = not out.is_symlink() and (out.is_file() or not out.exists())
    target = out.with_name(out.name + ".partial") if plain else out  # a pipe is written to as it is
    try:
        n_rows = _write_parts(_as_csv(tables), target)
        if plain:
            target.replace(out)
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written ({error.strerror}).", remedy="Choose another --out."
        ) from error
    finally:
        if plain:
            target.unlink(missing_ok=True)
    typer.echo(f"{n_rows:,} rows written to {out}.", err=True)


def _as_csv(tables: Iterable[pd.DataFrame]) -> Iterator[tuple[str, int]]:
    """Yield each table's text, the first with a header, and its number of rows."""
    marked = False
    for number, table in enumerate(tables):
        safe = without_formulas(table)
        marked = marked or safe is not table
        yield safe.to_csv(index=False, header=number == 0, float_format="%.6g"), len(table)
    if marked:
        typer.echo(MARKED, err=True)


def _write_parts(parts: Iterable[tuple[str, int]], path: Path) -> int:
    """Write texts one after the other; return the number of rows in them."""
    n_rows = 0
    with path.open("w", encoding="utf-8") as stream:
        for text, n in parts:
            stream.write(text)
            n_rows += n
    return n_rows
