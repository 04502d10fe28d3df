"""``data``: what can be fetched, what is installed, and whether it is intact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.options import DataOption, require_data
from resvae_core.config import data_folder
from resvae_core.data.download import Progress
from resvae_core.data.fetch import install_folder
from resvae_core.data.inventory import list_files, verify_files
from resvae_core.errors import ArtifactError, InputDataError
from resvae_core.jobs import data_sets
from resvae_core.jobs.data_sets import Entry, FileFact, Request

program = typer.Typer(help="Data: fetch, verify and remove them.", no_args_is_help=True)

KeyArgument = Annotated[str, typer.Argument(help="As listed, for example gdsc or tcga-luad.")]
TargetOption = Annotated[
    Path | None,
    typer.Option("--data", help="Folder to put data in; RESVAE_DATA, else data/, by default."),
]
AcceptOption = Annotated[
    bool, typer.Option("--accept-licence", help="You read the licences and accept them.")
]


@program.command("list")
def list_data(
    data: DataOption = None,
    files: Annotated[
        bool, typer.Option("--files", help="List the files of the development data, too.")
    ] = False,
) -> None:
    """List what can be fetched and whether it is installed, then the files of development data."""
    target = data or install_folder()
    for entry in data_sets.list_entries(target):
        typer.echo(f"{entry.key:24} {entry.state:9} {size_words(entry):>12}  {entry.title}")
    typer.echo(f"Data are fetched to (RESVAE_DATA): {target}")
    read_from = data or data_folder()
    typer.echo(f"Data are read from: {read_from or 'nowhere, as none are installed'}")
    known = list_files(read_from)
    if not files and all(status.state == "missing" for status in known):
        typer.echo(f"Files of the development data: none of {len(known)}; --files lists them.")
        return
    typer.echo("Files of the development data:")
    for status in known:
        typer.echo(f"{status.state:9} {status.file.size / 1e6:8.1f} MB  {status.file.path}")


@program.command("fetch")
def fetch(
    keys: Annotated[list[str], typer.Argument(help="As listed, for example gdsc tcga-luad.")],
    accept_licence: AcceptOption = False,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A folder with the files, placed instead of fetched."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Fetch it even where it is installed and intact.")
    ] = False,
    data: TargetOption = None,
) -> None:
    """Fetch data sets and what they need, or place files that you have.

    Licences are shown first. A transfer that broke off goes on where it stopped; nothing is used
    before it is complete and its checksum is right. Where no checksum is published, it is recorded
    and compared from then on.
    """
    target = data or install_folder()
    _warn_of_another_folder(target)
    for key in keys:
        for entry in data_sets.licences_of(key, target):
            _show_terms(entry)
        request = Request(accept_licence, source, again, progress=show_progress())
        facts = data_sets.fetch(key, request, actor=COMMAND_LINE, folder=target)
        for fact in facts:
            _show(fact)
        state = "installed" if facts else "already installed, and intact"
        typer.echo(f"{key}: {state} in {data_sets.find_entry(key, target).folder}")


@program.command("verify")
def verify(
    key: Annotated[
        str | None, typer.Argument(help="A data set; all that is installed where not given.")
    ] = None,
    data: DataOption = None,
) -> None:
    """Read installed files and compare their digests; exit code 2 if one differs."""
    target = data or install_folder()
    if key is not None:
        _refuse_broken(_verify_set(key, target))
        return
    broken = [] if data is None else _verify_known(require_data(data))
    if data is None and data_folder() is not None:
        broken = _verify_known(require_data(None))
    for entry in data_sets.list_entries(target):
        # of an altered one with no date, the receipt cannot be read: verifying says so
        if entry.installed_at or entry.state == "altered":
            broken += _verify_set(entry.key, target)
    _refuse_broken(broken)


@program.command("remove")
def remove(key: KeyArgument, data: TargetOption = None) -> None:
    """Remove a data set that was fetched or placed with `data fetch`."""
    data_sets.remove(key, actor=COMMAND_LINE, folder=data or install_folder())
    typer.echo(f"{key}: removed.")


def size_words(entry: Entry) -> str:
    """Say how large something is, as far as that is known."""
    if entry.size is None:
        return "size unknown"
    return f"{'' if entry.size_is_published else 'about '}{entry.size / 1e6:,.1f} MB"


def show_progress() -> Progress:
    """Return what prints a line for every twentieth of what is fetched."""
    shown: list[int] = []

    def show(done: int, total: int | None) -> None:
        step = 20 * done // total if total else done // 50_000_000
        if not shown or step != shown[-1]:
            shown.append(step)
            of_all = f" of {total / 1e6:,.1f}" if total else ""
            typer.echo(f"{done / 1e6:10,.1f}{of_all} MB", err=True)

    return show


def _warn_of_another_folder(target: Path) -> None:
    """Say it where what is fetched will take the place of the data that are read now."""
    read_from = data_folder()
    if read_from is not None and read_from.resolve() != target.resolve():
        typer.echo(
            f"Data are read from {read_from} now. What is fetched goes to {target}: from then on "
            "only that is read, unless RESVAE_DATA names another folder.",
            err=True,
        )


def _show_terms(entry: Entry) -> None:
    typer.echo(f"{entry.title}, {entry.release} ({size_words(entry)})")
    typer.echo(f"  Licence: {entry.licence}\n           {entry.licence_url}")
    typer.echo(f"  Cite: {entry.citation}\n  Checksum: {entry.checksum}")


def _show(fact: FileFact) -> None:
    typer.echo(f"{fact.state:9} {fact.path}\n          SHA-256 {fact.sha256}, {fact.vouched}")


def _verify_set(key: str, target: Path) -> list[str]:
    try:
        facts = data_sets.verify(key, actor=COMMAND_LINE, folder=target)
    except ArtifactError as error:
        typer.echo(f"altered   {key}: {error.message}")
        return [key]
    for fact in facts:
        _show(fact)
    return [fact.path for fact in facts if not fact.intact]


def _verify_known(folder: Path) -> list[str]:
    """Compare the files of the development data with the manifest."""
    broken = []
    for status in verify_files(folder):
        if status.state != "missing":
            typer.echo(f"{status.state:9} {status.file.path}")
        if status.state in {"partial", "altered"}:
            broken.append(status.file.path)
    return broken


def _refuse_broken(broken: list[str]) -> None:
    if broken:
        raise InputDataError(
            f"{len(broken)} file(s) are incomplete or altered, the first is {broken[0]}.",
            remedy="Fetch them again from their source.",
        )
