"""``models``: what is installed, whether it is intact, and its cards."""

from __future__ import annotations

import json
from typing import Annotated

import typer

from resvae_core.cli.options import ModelsOption
from resvae_core.errors import ArtifactError
from resvae_core.registry.store import list_cards, load_card, verify_model_set

program = typer.Typer(help="Installed models.", no_args_is_help=True)


@program.command("list")
def list_models(models: ModelsOption = None) -> None:
    """List the models with what they were judged at."""
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
            remedy="Restore models/ from the repository, or train the set again.",
        )


@program.command("card")
def card(
    kind: Annotated[str, typer.Argument(help="A model, for example xgboost.")],
    models: ModelsOption = None,
) -> None:
    """Print a model's card as JSON."""
    document = dict(load_card(kind, models).document)
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
