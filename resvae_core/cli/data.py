"""``data``: which files are installed, and whether they are intact."""

from __future__ import annotations

import typer

from resvae_core.cli.options import DataOption, require_data
from resvae_core.config import data_folder
from resvae_core.data.inventory import list_files, verify_files
from resvae_core.errors import InputDataError

program = typer.Typer(help="Installed data.", no_args_is_help=True)


@program.command("list")
def list_data(data: DataOption = None) -> None:
    """List the known files, and whether each is installed."""
    for status in list_files(data or data_folder()):
        typer.echo(f"{status.state:9} {status.file.size / 1e6:8.1f} MB  {status.file.path}")


@program.command("verify")
def verify(data: DataOption = None) -> None:
    """Compare every installed file with its known digest; exit code 2 if one differs."""
    broken = []
    for status in verify_files(require_data(data)):
        typer.echo(f"{status.state:9} {status.file.path}")
        if status.state in {"partial", "altered"}:
            broken.append(status.file.path)
    if broken:
        raise InputDataError(
            f"{len(broken)} file(s) are incomplete or altered, the first is {broken[0]}.",
            remedy="Fetch them again from their source.",
        )
