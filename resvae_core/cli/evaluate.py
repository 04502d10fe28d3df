"""``evaluate``: every model and floor on the same folds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer
from tqdm import tqdm

from resvae_core.cli.options import DataOption, require_data
from resvae_core.config import PROJECT_ROOT
from resvae_core.data.screens import TrainingSet, load_training_set, read_sites
from resvae_core.evaluation import benchmark
from resvae_core.evaluation.report import benchmark_report
from resvae_core.models.catalog import learned_names
from resvae_core.registry.training_run import plan_folds

CACHE = PROJECT_ROOT / "artifacts" / "evaluation"

SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="Repetitions of the 5 folds.")]
JobsOption = Annotated[int, typer.Option("--jobs", min=1, help="Folds that run at a time.")]


def evaluate(
    data: DataOption = None,
    seeds: SeedsOption = 3,
    jobs: JobsOption = 2,
    report: Annotated[
        Path | None, typer.Option("--report", help="Markdown file for the tables.")
    ] = None,
) -> None:
    """Judge every model beside the floors. Finished folds are kept: a stopped run goes on."""
    folder = require_data(data)
    table = judge(load_training_set(folder), folder, seeds, jobs)
    text = benchmark_report(table)
    typer.echo(text)
    if report:
        report.write_text(text, encoding="utf-8")


def judge(training_set: TrainingSet, folder: Path, seeds: int, jobs: int) -> pd.DataFrame:
    """Run the benchmark with a progress bar."""
    folds = plan_folds(training_set, read_sites(folder, training_set), seeds)
    with tqdm(total=len(folds), desc="folds", unit="fold") as bar:

        def show(done: int, total: int) -> None:
            bar.update(done - bar.n)
            bar.refresh()  # a resumed run starts far along: say so at once

        return benchmark.run(
            learned_names(),
            folds,
            training_set.expression,
            training_set.screen,
            cache=CACHE,
            n_processes=jobs,
            progress=show,
        )
