"""What several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from resvae_core.config import data_folder
from resvae_core.errors import ConfigError, InputDataError

DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder of installed data; found by itself where not given."),
]
ModelsOption = Annotated[
    Path | None, typer.Option("--models", help="Folder of the model set; models/ by default.")
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
    """Write a table as CSV, to a file or to standard output.

    Raises
    ------
    ConfigError
        If the file cannot be written.
    """
    text = table.to_csv(index=False, float_format="%.6g")
    if out is None:
        typer.echo(text, nl=False)
        return
    try:
        out.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{out} cannot be written ({error.strerror}).", remedy="Choose another --out."
        ) from error
    typer.echo(f"{len(table):,} rows written to {out}.", err=True)
