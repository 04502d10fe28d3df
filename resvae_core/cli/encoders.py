"""``encoders``: which there are, how to get those of other authors, and whether they are intact."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.config import encoders_folder, models_folder
from resvae_core.data.download import Progress
from resvae_core.encoders.catalog import SHIPPED, load_encoder
from resvae_core.encoders.weights import EncoderWeights, find_weights, list_weights
from resvae_core.errors import ArtifactError
from resvae_core.jobs import data_sets
from resvae_core.jobs.data_sets import FileFact, Request, encoder_key

program = typer.Typer(help="Expression encoders.", no_args_is_help=True)

NameArgument = Annotated[
    str, typer.Argument(help="As listed, for example scfoundation or geneformer/v1-12l.")
]


@program.command("list")
def list_encoders() -> None:
    """List the encoders: whether they are installed, size, licence, and where they belong."""
    for name in SHIPPED:
        folder = models_folder() / "encoders" / name
        state = "installed" if folder.is_dir() else "missing"
        typer.echo(f"{name:20} {state:9} shipped with this program\n{'':20} in {folder}")
    for weights in list_weights():
        state = "installed" if weights.installed else "missing"
        typer.echo(f"{weights.name:20} {state:9} {weights.title}, {_size(weights)}")
        typer.echo(f"{'':20} licence: {weights.licence} ({weights.licence_url})")
        typer.echo(f"{'':20} from {weights.homepage}")
        typer.echo(f"{'':20} in {weights.folder}")
    typer.echo(f"Folder of fetched and placed encoders (RESVAE_ENCODERS): {encoders_folder()}")


@program.command("fetch")
def fetch(
    name: NameArgument,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="You read the licence and accept it.")
    ] = False,
    source: Annotated[
        Path | None,
        typer.Option("--from", help="A weights file on this machine, placed instead of fetched."),
    ] = None,
    sha256: Annotated[
        str | None, typer.Option("--sha256", help="Digest that the weights file must have.")
    ] = None,
) -> None:
    """Fetch the weights of an encoder, or place a file that you have.

    The licence is shown first. A transfer that broke off goes on where it stopped. Digests are
    compared; where none is published, the digest is recorded and compared from then on.
    """
    weights = find_weights(name)
    typer.echo(f"{weights.title}\nLicence: {weights.licence}\n         {weights.licence_url}")
    typer.echo(f"Cite: {weights.citation}")
    request = Request(
        accept_licence=accept_licence,
        source=source,
        again=True,
        progress=_progress(),
        sha256=None if sha256 is None else sha256.lower(),
    )
    _show(weights, data_sets.fetch(encoder_key(weights), request, actor=COMMAND_LINE))


@program.command("verify")
def verify(
    name: Annotated[
        str | None, typer.Argument(help="An encoder; all that are installed where not given.")
    ] = None,
) -> None:
    """Compare digests and load strictly; exit code 2 if an encoder does not pass."""
    chosen = _installed() if name is None else [name]
    if not chosen:
        typer.echo("No encoder is installed.")
    failures = []
    for one in chosen:
        try:
            _verify_one(one)
        except ArtifactError as error:
            if name is not None:
                raise
            typer.echo(f"{one}: {error}", err=True)
            failures.append(one)
    if failures:
        raise ArtifactError(
            f"{len(failures)} of {len(chosen)} encoders did not pass: {', '.join(failures)}.",
            remedy="See the lines above.",
        )


def _installed() -> list[str]:
    shipped = [name for name in SHIPPED if (models_folder() / "encoders" / name).is_dir()]
    return shipped + [weights.name for weights in list_weights() if weights.installed]


def _verify_one(name: str) -> None:
    if name not in SHIPPED:
        weights = find_weights(name)
        _show(weights, data_sets.verify(encoder_key(weights), actor=COMMAND_LINE))
    encoder = load_encoder(name, device="cpu")
    typer.echo(
        f"{name}: loads; {len(encoder.genes):,} genes → {encoder.n_dimensions:,} dimensions, "
        f"digest {encoder.digest[:12]}"
    )


def _show(weights: EncoderWeights, facts: list[FileFact]) -> None:
    for fact in facts:
        typer.echo(f"{weights.name}/{fact.path}: SHA-256 {fact.sha256}")
        typer.echo(f"    {fact.state}, {fact.vouched}")


def _size(weights: EncoderWeights) -> str:
    sizes = [file.size for file in weights.files]
    if None in sizes:
        return "size not published"
    return f"{sum(size for size in sizes if size) / 1e6:,.0f} MB"


def _progress() -> Progress:
    """Return what prints a line for every tenth of a file."""
    shown: list[int] = []

    def show(done: int, total: int | None) -> None:
        tenth = 10 * done // total if total else 0
        if not done or not shown or tenth != shown[-1]:
            shown.append(tenth)
            of_all = f" of {total / 1e6:,.1f}" if total else ""
            typer.echo(f"{done / 1e6:10,.1f}{of_all} MB", err=True)

    return show
