"""``models``: what is installed, whether it is intact, its cards, and which set is active."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.cli.options import DataOption, ModelsOption
from resvae_core.config import data_folder
from resvae_core.errors import ArtifactError
from resvae_core.registry import library
from resvae_core.registry.store import list_cards, load_card, verify_model_set

program = typer.Typer(
    help="Installed models, and which set of them is active.", no_args_is_help=True
)

SetArgument = Annotated[str, typer.Argument(help="Id of a set, as `models list` shows it.")]
AgainstOption = Annotated[
    str | None, typer.Option("--against", help="Id of another set; the active one by default.")
]


@program.command("list")
def list_models(models: ModelsOption = None) -> None:
    """List the model sets, and the models of the active one with what they were judged at."""
    if models is None:
        for entry in library.list_sets():
            typer.echo(_line(entry))
        typer.echo("")
    _list_cards(models)


def _list_cards(models: Path | None) -> None:
    for card in list_cards(models):
        metrics = card.metrics().set_index("metric")["mean"]
        auc, within = metrics.get("roc_auc"), metrics.get("within_tissue_roc_auc")
        typer.echo(
            f"{card.kind:18} {card.id:28} ROC AUC {auc:.3f}, within tissue {within:.3f}"
            if auc is not None and within is not None
            else f"{card.kind:18} {card.id:28} not judged"
        )


@program.command("verify")
def verify(models: ModelsOption = None) -> None:
    """Compare every file with its recorded digest; exit code 2 if one differs."""
    found = verify_model_set(models)
    for item in found:
        typer.echo(f"{item.state:8} {item.file}")
    broken = [item.file for item in found if item.state != "intact"]
    if broken:
        raise ArtifactError(
            f"{len(broken)} of {len(found)} files are missing or altered.",
            remedy="Restore models/ from the repository, roll back, or train the set again.",
        )


@program.command("card")
def card(
    kind: Annotated[str, typer.Argument(help="A model, for example xgboost.")],
    models: ModelsOption = None,
) -> None:
    """Print a model's card as JSON."""
    document = dict(load_card(kind, models).document)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))


@program.command("show")
def show(identifier: SetArgument) -> None:
    """Show a set: where it came from, its models, and how it stands at the gates."""
    from resvae_core.registry.gates import check_gates

    entry = library.find_set(identifier)
    typer.echo(_line(entry))
    if entry.note:
        typer.echo(f"Note: {entry.note}")
    _list_cards(entry.folder)
    if entry.state != "active":
        typer.echo("")
        for gate in check_gates(entry, library.active_set()):
            typer.echo(f"{gate.state:14} {gate.name}: {gate.found}. Expected: {gate.expected}.")


@program.command("compare")
def compare(identifier: SetArgument, against: AgainstOption = None) -> None:
    """Compare a set with the active one: paired tests, controls, and what cannot be compared.

    Prints CSV: split, model, metric, difference (the set minus the other), lower, upper (95 %), n,
    p_value, p_holm, test. Where drugs are paired, not folds, only difference and n are given.
    """
    from resvae_core.registry.comparison import compare_sets

    other = library.find_set(against) if against else library.active_set()
    found = compare_sets(library.find_set(identifier), other)
    typer.echo(found.tests.to_csv(index=False, float_format="%.5g"), nl=False)
    for sentence in found.not_assessable:
        typer.echo(f"Not assessable: {sentence}", err=True)
    for name, lost in (("models", found.lost_models), ("drugs", found.lost_drugs)):
        if lost:
            typer.echo(f"Only in {other.id}: {name} {', '.join(lost)}", err=True)


@program.command("drift")
def drift(identifier: SetArgument, data: DataOption = None) -> None:
    """Compute how far a set's predictions move from those of the active one, and keep it."""
    from resvae_core.registry.drift import write_drift

    entry, active = library.find_set(identifier), library.active_set()
    table = write_drift(entry, active, data or data_folder())
    typer.echo(table.to_csv(index=False, float_format="%.5g"), nl=False)


@program.command("promote")
def promote(
    identifier: SetArgument,
    reason: Annotated[
        str, typer.Option("--reason", help="Why, where a gate does not pass; kept in the history.")
    ] = "",
) -> None:
    """Make a set the active one, if it passes every gate or a reason is given."""
    entry = library.promote(identifier, actor=COMMAND_LINE, reason=reason)
    typer.echo(f"Active: {_line(entry)}")


@program.command("rollback")
def rollback(
    expected: Annotated[
        str | None,
        typer.Option("--from", help="Id of the set that is active; refused if another one is."),
    ] = None,
) -> None:
    """Make the set active that was so before; works where the active one is broken as well."""
    before = library.active_id() if expected is None else expected
    typer.echo(f"Was active: {before or 'not known'}", err=True)
    typer.echo(f"Active: {_line(library.roll_back(actor=COMMAND_LINE, expected=before))}")


@program.command("archive")
def archive(identifier: SetArgument) -> None:
    """Put a set aside: it stays on disk and is offered no more."""
    typer.echo(_line(library.archive(identifier, actor=COMMAND_LINE)))


@program.command("restore")
def restore(identifier: SetArgument) -> None:
    """Take a set out of the archive."""
    typer.echo(_line(library.restore(identifier, actor=COMMAND_LINE)))


def _line(entry: library.SetEntry) -> str:
    origin = "shipped" if entry.origin == library.SHIPPED_ORIGIN else f"from {entry.origin or '?'}"
    return f"{entry.state:10} {entry.id:32} {entry.created:10} {entry.digest[:8]:8} {origin}"
