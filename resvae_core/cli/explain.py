"""``explain``: which genes carry a prediction."""

from __future__ import annotations

from typing import Annotated

import typer

from resvae_core.cli.options import ModelsOption, OutOption, write_table
from resvae_core.cli.predict import FileArgument, ReferenceOption, UnitOption, read
from resvae_core.explain.attribution import attribute
from resvae_core.registry.store import load_model_set


def explain(
    file: FileArgument,
    drug: Annotated[str, typer.Option("--drug", help="Drug whose prediction is explained.")],
    model: Annotated[
        str | None, typer.Option("--model", help="A model; the set's default where not given.")
    ] = None,
    unit: UnitOption = None,
    reference: ReferenceOption = "tumours",
    models: ModelsOption = None,
    out: OutOption = None,
) -> None:
    """Attribute a prediction to genes.

    Columns: sample, gene, value, attribution, base, score, unit. For each sample, base plus all
    attributions is the score; the probability of resistance is 1 / (1 + exp(-score)).
    """
    upload = read(file, unit)
    model_set = load_model_set(models)
    samples = model_set.samples(upload.expression, reference=reference)
    reasons = attribute(model_set.model(model or model_set.default_model), samples, drug)
    write_table(reasons.table, out)
    typer.echo(f"Base: {reasons.background}.", err=True)
