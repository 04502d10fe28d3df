"""``train``: judge, fit and save the model set."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from resvae_core.cli.evaluate import JobsOption, SeedsOption, judge
from resvae_core.cli.options import DataOption, ModelsOption, require_data
from resvae_core.config import models_folder
from resvae_core.data.screens import load_training_set
from resvae_core.models.catalog import learned_names
from resvae_core.registry.training_run import Plan, fit_set, load_tumours, publish


def train(
    data: DataOption = None,
    seeds: SeedsOption = 3,
    jobs: JobsOption = 2,
    name: Annotated[str, typer.Option("--name", help="Id of the set.")] = "gdsc-panel-1",
    models: ModelsOption = None,
) -> None:
    """Train the model set on cell lines: judge every model, fit on all lines, write cards, save.

    The set in the folder is replaced only when the new one is complete.
    """
    folder = require_data(data)
    training_set = load_training_set(folder)
    table = judge(training_set, folder, seeds, jobs)
    tumours = load_tumours(folder)
    plan = Plan(name, tuple(learned_names()), datetime.now(UTC).date().isoformat())
    model_set = fit_set(
        plan, training_set, tumours, lambda step: typer.echo(f"Fitting {step} …", err=True)
    )
    target = models or models_folder()
    publish(plan, model_set, training_set, tumours, table, target)
    typer.echo(f"Model set {name} saved in {target}.")
