"""``explain``: which genes carry a prediction."""

from __future__ import annotations

from typing import Annotated

import pandas as pd
import typer

from resvae_core.cli.options import DataOption, ModelsOption, OutOption, write_table
from resvae_core.cli.predict import FileArgument, ReferenceOption, UnitOption, read
from resvae_core.config import data_folder
from resvae_core.data.cohorts import load_cohort
from resvae_core.explain.attribution import Background, attribute_set
from resvae_core.registry.store import load_model_set

ALL_MODELS = "all"


def explain(
    file: FileArgument,
    drug: Annotated[str, typer.Option("--drug", help="Drug whose prediction is explained.")],
    model: Annotated[
        str | None,
        typer.Option(
            "--model", help="A model, or 'all' that learn; the set's default where not given."
        ),
    ] = None,
    background: Annotated[
        str | None,
        typer.Option(
            "--background",
            help="Genome-wide cohort (TCGA code, or DEMO) whose mean profile is the base; "
            "each model's own base where not given.",
        ),
    ] = None,
    unit: UnitOption = None,
    reference: ReferenceOption = "tumours",
    data: DataOption = None,
    models: ModelsOption = None,
    out: OutOption = None,
) -> None:
    """Attribute a prediction to genes.

    Columns: sample, gene, value, attribution, base, score, unit; with --model all a column model
    before them. For each sample and model, base plus all attributions is the score; the
    probability of resistance is 1 / (1 + exp(-score)).
    """
    upload = read(file, unit)
    model_set = load_model_set(models)
    kinds = model_set.learned if model == ALL_MODELS else [model or model_set.default_model]
    profile = None
    if background is not None:
        cohort = load_cohort(data or data_folder(), background, form="log2tpm")
        profile = Background.mean_of(cohort.name, cohort.expression)
    samples = model_set.samples(upload.expression, reference=reference)
    reasons = attribute_set(model_set, samples, drug, kinds=kinds, background=profile)
    tables = {kind: found.table for kind, found in reasons.items()}
    if model == ALL_MODELS:
        for kind, table in tables.items():
            table.insert(0, "model", kind)
    write_table(pd.concat(tables.values()), out)
    typer.echo(f"Model set: {model_set.made_by}.", err=True)
    for base, named in _bases({kind: found.background for kind, found in reasons.items()}):
        typer.echo(f"Base: {base} ({', '.join(named)}).", err=True)


def _bases(words: dict[str, str]) -> list[tuple[str, list[str]]]:
    """Return what each base is, and the models that have it."""
    return [
        (base, [kind for kind in words if words[kind] == base])
        for base in dict.fromkeys(words.values())
    ]
