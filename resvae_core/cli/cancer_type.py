"""``cancer-type``: train, judge and save the suggestion of the cancer type."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from resvae_core.cli.options import DataOption, require_data
from resvae_core.config import RESEARCH_USE, models_folder
from resvae_core.registry.cancer_type import release_cancer_type
from resvae_core.registry.store import CANCER_TYPE

TargetOption = Annotated[
    Path | None,
    typer.Option("--out", help="Folder to write; models/cancer_type/ by default."),
]


def cancer_type(data: DataOption = None, out: TargetOption = None) -> None:
    """Train the suggestion of the cancer type, judge it and save it with its card.

    Learns from cohorts installed as log2(TPM + 1). Prints how often held-out tumours are answered
    rightly, and how often tumours of types that it never saw get no suggestion.
    """
    folder = require_data(data)
    target = out or models_folder() / CANCER_TYPE
    model, figures = release_cancer_type(folder, target, show)
    for name, table in figures.tables().items():
        typer.echo(f"{name}\n{table.round(3).to_string(index=False)}\n")
    types = ", ".join(model.types)
    typer.echo(
        f"{types}; {len(model.genes):,} genes; saved in {target}.\n{RESEARCH_USE}.", err=True
    )


def show(step: str) -> None:
    """Say on stderr what comes next."""
    typer.echo(step, err=True)
