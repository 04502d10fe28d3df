"""``settings``: show, change, export, import and reset what this installation is set to."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from resvae_core.access.preferences import import_settings, reset_settings, save_settings
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.durable_files import write_text
from resvae_core.errors import ConfigError
from resvae_core.settings import (
    load_settings,
    overrides,
    parse_value,
    saved_settings,
    to_toml,
    with_values,
)

program = typer.Typer(help="Settings of this installation.", no_args_is_help=True)


@program.command("show")
def show() -> None:
    """Show the settings that hold, and which of them an environment variable decides."""
    decided = overrides()
    for name, value in asdict(load_settings()).items():
        source = f"  ({decided[name][0]} decides)" if name in decided else ""
        typer.echo(f"{name:22} {_word(value)}{source}")


@program.command("set")
def set_value(
    key: Annotated[str, typer.Argument(help="Name of a setting, as `settings show` lists them.")],
    value: Annotated[str, typer.Argument(help="Its new value; '' for none.")],
) -> None:
    """Change one setting."""
    settings = with_values(saved_settings(), {key: parse_value(key, value)})
    save_settings(settings, actor=COMMAND_LINE)
    typer.echo(f"{key} is now {_word(asdict(settings)[key])}.")
    if key in (decided := overrides()):
        typer.echo(f"The environment variable {decided[key][0]} still decides it here.", err=True)


@program.command("export")
def export(file: Annotated[Path, typer.Argument(help="TOML file to write.")]) -> None:
    """Write the saved settings to a file, with what each means."""
    settings = saved_settings()
    try:
        write_text(file, to_toml(settings))
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be written ({error.strerror}).", remedy="Choose another file."
        ) from error
    typer.echo(f"The settings were written to {file}.")


@program.command("import")
def import_file(file: Annotated[Path, typer.Argument(help="TOML file to read.")]) -> None:
    """Take over the settings of a file; what it does not name goes back to its default."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"{file} cannot be read ({type(error).__name__}).", remedy="Name another file."
        ) from error
    import_settings(text, actor=COMMAND_LINE)
    typer.echo("The settings were imported.")


@program.command("reset")
def reset() -> None:
    """Go back to the defaults; also the way out of a broken settings file."""
    reset_settings(actor=COMMAND_LINE)
    typer.echo("The settings were reset.")


def _word(value: object) -> str:
    """Return a value as `settings set` takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value) or "''"
