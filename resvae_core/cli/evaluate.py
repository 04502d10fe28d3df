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
from resvae_core.data.screens import TrainingSet, load_training_set, read_sites
from resvae_core.data.splits import LEAVE_CELL_LINE_OUT
from resvae_core.evaluation import benchmark
from resvae_core.evaluation.external import external_tables
from resvae_core.evaluation.report import benchmark_report
from resvae_core.evaluation.summary import base_of, evaluation_tables
from resvae_core.models.ablations import ABLATIONS
from resvae_core.models.catalog import learned_names
from resvae_core.registry.training_run import plan_folds

SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="Repetitions of the 5 folds.")]
JobsOption = Annotated[int, typer.Option("--jobs", min=1, help="Folds that run at a time.")]


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
) -> None:
    """Judge every model beside the floors. Finished folds are kept: a stopped run goes on."""
    folder = require_data(data)
    training_set = load_training_set(folder)
    table = judge(training_set, folder, seeds, jobs, kind)
    text = benchmark_report(table, tables_of(table, training_set, folder, seeds, kind))
    typer.echo(text)
    if report:
        report.write_text(text, encoding="utf-8")


def judge(
    training_set: TrainingSet,
    folder: Path,
    seeds: int,
    jobs: int,
    kinds: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Run the benchmark with a progress bar, for every learned model where none is named.

    Ablations of those models are judged on the first folds with lines left out, and their rows
    stand behind the models'.
    """
    names = list(kinds or learned_names())
    removed = ablations_of(names)
    folds = plan_folds(training_set, read_sites(folder, training_set), seeds)
    first = [fold for fold in folds if (fold.split, fold.seed) == (LEAVE_CELL_LINE_OUT, 0)]
    data = (training_set.expression, training_set.screen)
    cache = artifacts_folder() / "evaluation"
    with tqdm(total=len(folds), desc="folds", unit="fold") as bar:

        def show(done: int, total: int) -> None:
            bar.update(done - bar.n)
            bar.refresh()  # a resumed run starts far along: say so at once

        # models and ablations of a fold in one go: they share the teachers
        for some, where in (([*names, *removed], first), (names, folds)):
            benchmark.fit_missing(some, where, *data, cache=cache, n_processes=jobs, progress=show)
    table = benchmark.run(names, folds, *data, cache=cache)
    if not removed:
        return table
    without = benchmark.run(removed, first, *data, cache=cache)
    return pd.concat([table, without[without["model"].isin(removed)]], ignore_index=True)


def ablations_of(kinds: Sequence[str]) -> list[str]:
    """Return the names of the ablations of some models."""
    return [name for name in ABLATIONS if base_of(name) in kinds]


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
    held_out = benchmark.read_held_out(
        kinds or learned_names(),
        plan_folds(training_set, read_sites(folder, training_set), seeds),
        training_set.expression,
        training_set.screen,
        cache=artifacts_folder() / "evaluation",
    )
    screen = training_set.screen
    return {
        **evaluation_tables(table, held_out, screen),
        **external_tables(held_out, screen, folder),
    }
