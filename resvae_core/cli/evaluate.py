"""``evaluate``: every model and floor on the same folds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from tqdm import tqdm

from resvae_core.cli.options import DataOption, require_data
from resvae_core.config import artifacts_folder
from resvae_core.data.screens import TrainingSet, load_training_set, read_sites, restrict
from resvae_core.engine.engine import Engine, open_engine
from resvae_core.evaluation.report import benchmark_report
from resvae_core.models.catalog import learned_names
from resvae_core.registry import candidate_run
from resvae_core.registry.candidate_run import ablations_of
from resvae_core.registry.training_run import plan_folds

__all__ = ["ablations_of", "evaluate", "judge", "tables_of"]

SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="Repetitions of the 5 folds.")]
JobsOption = Annotated[int, typer.Option("--jobs", min=1, help="Folds that run at a time here.")]
EngineOption = Annotated[
    str | None,
    typer.Option(
        "--engine",
        help="Where folds run: serial, processes or dask; as the settings say where not given. "
        "The result is the same.",
    ),
]


def evaluate(
    data: DataOption = None,
    seeds: SeedsOption = 3,
    jobs: JobsOption = 2,
    kind: Annotated[
        list[str] | None,
        typer.Option("--kind", help="Learned model; repeat it. All where not given."),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="Markdown file for the tables.")
    ] = None,
    engine: EngineOption = None,
) -> None:
    """Judge every model beside the floors. Finished folds are kept: a stopped run goes on."""
    folder = require_data(data)
    training_set = restrict(load_training_set(folder))
    with open_engine(engine, jobs) as workers:
        table = judge(training_set, folder, seeds, workers, kind)
    text = benchmark_report(table, tables_of(table, training_set, folder, seeds, kind))
    typer.echo(text)
    if report:
        report.write_text(text, encoding="utf-8")


def judge(
    training_set: TrainingSet,
    folder: Path,
    seeds: int,
    engine: Engine,
    kinds: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Run the benchmark with a progress bar, for every learned model where none is named.

    Ablations of those models are judged on the first folds with lines left out, and their rows
    stand behind the models'.
    """
    task = _task(training_set, folder, seeds, kinds)
    with tqdm(total=len(task.folds), desc="folds", unit="fold") as bar:

        def show(done: int, total: int) -> None:
            bar.update(done - bar.n)
            bar.refresh()  # a resumed run starts far along: say so at once

        return candidate_run.judge(task, _cache(), engine, progress=show)


def tables_of(
    table: pd.DataFrame,
    training_set: TrainingSet,
    folder: Path,
    seeds: int,
    kinds: Sequence[str] | None = None,
) -> dict[str, pd.DataFrame]:
    """Return what a model set keeps of its evaluation, by name.

    Parameters
    ----------
    table
        As `judge` gives it for the same arguments, which has kept the predictions.

    Returns
    -------
    dict
        As `summary.evaluation_tables` and `external.external_tables`.
    """
    task = _task(training_set, folder, seeds, kinds)
    return candidate_run.tables_of(table, task, folder, _cache())


def _task(
    training_set: TrainingSet, folder: Path, seeds: int, kinds: Sequence[str] | None
) -> candidate_run.TrainingTask:
    folds = plan_folds(training_set, read_sites(folder, training_set), seeds)
    return candidate_run.TrainingTask(tuple(kinds or learned_names()), training_set, tuple(folds))


def _cache() -> Path:
    return artifacts_folder() / candidate_run.EVALUATION
