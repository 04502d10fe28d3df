"""``train``: judge, fit and save the model set."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from tqdm import tqdm

from resvae_core.cli.evaluate import JobsOption, SeedsOption, judge, tables_of
from resvae_core.cli.options import DataOption, ModelsOption, require_data
from resvae_core.compute import prefer_device
from resvae_core.config import artifacts_folder, models_folder
from resvae_core.data.screens import TrainingSet, load_training_set
from resvae_core.errors import ConfigError, InputDataError
from resvae_core.explain.positive_controls import positive_controls
from resvae_core.models.catalog import floor_names, learned_names
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.checkpoints import Checkpoints
from resvae_core.registry.training_run import (
    Plan,
    fit_set,
    fitting_order,
    load_tumours,
    publish,
)
from resvae_core.tables import Expression

DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="cpu, cuda, cuda:N, or auto: RESVAE_DEVICE if it is set, else a GPU if there is one.",
    ),
]


def train(
    data: DataOption = None,
    seeds: SeedsOption = 3,
    jobs: JobsOption = 2,
    name: Annotated[str, typer.Option("--name", help="Id of the set.")] = "gdsc-panel-1",
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Learned model; repeat it. All where not given."),
    ] = None,
    device: DeviceOption = "auto",
    models: ModelsOption = None,
) -> None:
    """Train the model set on cell lines: judge every model, fit on all lines, write cards, save.

    Finished folds and models are kept: a stopped run goes on where it was, with the same result.
    The set in the folder is replaced only when the new one is complete.
    """
    folder = require_data(data)
    kinds = tuple(kind or learned_names())
    fitting_order((*kinds, *floor_names()))  # refuses a plan that cannot be fitted, before hours
    typer.echo(f"Computing on: {prefer_device(device)}.", err=True)
    training_set = load_training_set(folder)
    table = judge(training_set, folder, seeds, jobs, kinds)
    evaluation = tables_of(table, training_set, folder, seeds, kinds)
    tumours = load_tumours(folder)
    kept = Checkpoints.of_run(
        artifacts_folder() / "training", (*kinds, *floor_names()), training_set
    )
    plan = Plan(name, kinds, kept.started(datetime.now(UTC).date().isoformat()))
    model_set = fit(plan, training_set, tumours, kept)
    evaluation |= look_for_controls(model_set, training_set, folder)
    target = models or models_folder()
    publish(plan, model_set, training_set, tumours, evaluation, target)
    typer.echo(
        f"Model set {name} saved in {target}. Findings in cohorts belong to the set before it: "
        "compute them again with `evidence`."
    )


def fit(
    plan: Plan,
    training_set: TrainingSet,
    tumours: Mapping[str, Expression],
    checkpoints: Checkpoints,
) -> ModelSet:
    """Fit the set with a progress bar that says what is fitted and how long it will take."""
    with tqdm(desc="models", unit="model") as bar:

        def show(step: str, done: int, total: int) -> None:
            bar.total = total
            bar.set_postfix_str(step)
            bar.update(done - bar.n)

        return fit_set(plan, training_set, tumours, checkpoints=checkpoints, progress=show)


def look_for_controls(
    model_set: ModelSet, training_set: TrainingSet, folder: Path
) -> dict[str, pd.DataFrame]:
    """Return the positive controls as a table of the evaluation; none where they cannot be had."""
    typer.echo("Looking for the genes that are known to matter.", err=True)
    try:
        return {"positive_controls": positive_controls(model_set, training_set, folder)}
    except (ConfigError, InputDataError) as error:
        typer.echo(f"Positive controls are left out: {error.message} {error.remedy}", err=True)
        return {}
