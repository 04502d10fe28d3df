"""From a training request to a complete model set, the one way in which sets are trained.

Each step leaves its result behind: folds' predictions, fitted models, the day on which the run was
first started. A run that is killed, cancelled or out of time goes on after the last of them, and
ends with the same bytes as one that was not, whatever engine computed it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from resvae_core.data.screens import (
    TrainingSet,
    is_genome_wide,
    load_training_set,
    read_sites,
    relabel,
    restrict,
)
from resvae_core.data.splits import LEAVE_CELL_LINE_OUT, Fold
from resvae_core.engine.engine import Engine, Event
from resvae_core.errors import ConfigError, InputDataError, JobInterruptedError
from resvae_core.evaluation import benchmark
from resvae_core.evaluation.external import external_tables
from resvae_core.evaluation.held_out import HeldOut, read
from resvae_core.evaluation.summary import base_of, evaluation_tables, fold_means
from resvae_core.explain.positive_controls import positive_controls
from resvae_core.models.ablations import ABLATIONS
from resvae_core.models.catalog import Effort, floor_names
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.checkpoints import Checkpoints, code_digest
from resvae_core.registry.training_request import TrainingRequest, panel_genes
from resvae_core.registry.training_run import (
    Plan,
    fit_set,
    fitting_order,
    load_tumours,
    plan_folds,
    publish,
)
from resvae_core.tables import Screen

Tables = dict[str, pd.DataFrame]
Log = Callable[[str], None]

EVALUATION, TRAINING, STAGED = "evaluation", "training", "set"
"""Folders of a run: predictions of folds, fitted models, the set that it makes."""
LIVE_METRICS = ("roc_auc", "within_tissue_roc_auc")
"""What is told of each finished fold."""
FINAL = "final"
"""Stands for the fold's number where a model is fitted on all lines."""
FOLD_COLUMNS = ["model", "split", "seed", "fold", "metric", "value", "n", "lines"]


class Report(Protocol):
    """Takes how far a run is, as `jobs.context.JobContext.report` does."""

    def __call__(
        self,
        *,
        step: str | None = None,
        done: int | None = None,
        total: int | None = None,
        epoch: int | None = None,
        metrics: dict[str, float] | None = None,
        series: str = "",
    ) -> None:
        """Take what is known; what is not given stays as it was."""


class Describe(Protocol):
    """Takes what makes a run reproducible, as `jobs.context.JobContext.describe` does."""

    def __call__(
        self, *, seed: int | None, data_digests: dict[str, str] | None, code_digest: str | None
    ) -> None:
        """Take seed, digests of the data files, digest of the code."""


@dataclass(frozen=True)
class Folders:
    """Where a run keeps what it has done.

    Parameters
    ----------
    evaluation
        Predictions of folds; runs may share it.
    training
        Fitted models, a folder a run; runs may share it.
    target
        Where the set goes, in place of one that is there.
    """

    evaluation: Path
    training: Path
    target: Path

    @classmethod
    def below(cls, work: Path) -> Folders:
        """Return the folders of a run that keeps everything below one of its own."""
        return cls(work / EVALUATION, work / TRAINING, work / STAGED)


@dataclass(frozen=True)
class TrainingTask:
    """A training that is about to run: what is judged and fitted, on which data.

    Parameters
    ----------
    kinds
        Learned models; floors are added.
    training_set
        As the request asks for it.
    folds
        As `training_run.plan_folds` gives them.
    effort
        As in the request.
    """

    kinds: tuple[str, ...]
    training_set: TrainingSet
    folds: tuple[Fold, ...]
    effort: Effort = "full"

    @property
    def first_folds(self) -> list[Fold]:
        """The folds on which ablations are judged."""
        return [f for f in self.folds if (f.split, f.seed) == (LEAVE_CELL_LINE_OUT, 0)]

    @property
    def ablations(self) -> list[str]:
        """Models without a part, which full runs judge as well."""
        return ablations_of(self.kinds) if self.effort == "full" else []


def train_candidate(
    request: TrainingRequest,
    data: Path,
    *,
    engine: Engine,
    work: Path,
    report: Report,
    log: Log,
    describe: Describe | None = None,
) -> Path:
    """Train a set in a folder of its own, ready for `library.add_candidate`.

    Parameters
    ----------
    data
        Folder of installed data.
    engine
        Where folds and models are fitted; the result does not depend on it.
    work
        Kept between attempts: a run goes on from what is there.
    report, log, describe
        Told how far it is, in words what happens, and what makes it reproducible. An error that
        they raise ends the run.

    Returns
    -------
    Path
        The complete set: the same bytes for the same request, data and program.

    Raises
    ------
    JobInterruptedError
        If the budget is used up: it can be run again.
    ConfigError, InputDataError
        If the request does not fit the data.
    """
    return train_set(
        request,
        data,
        engine=engine,
        folders=Folders.below(work),
        report=report,
        log=log,
        describe=describe,
    )


def train_set(
    request: TrainingRequest,
    data: Path,
    *,
    engine: Engine,
    folders: Folders,
    report: Report,
    log: Log,
    describe: Describe | None = None,
) -> Path:
    """Judge, fit, describe and save a set; parameters and errors as `train_candidate`."""
    report(step="Reading the data")
    request = request.resolved()
    training_set = training_set_of(request, data)
    if describe is not None:
        describe(seed=0, data_digests=training_set.digests, code_digest=code_digest())
    log(in_words(request, training_set))
    task = plan_task(request, training_set, data)
    plan, kept = _plan(request, task, folders.training)
    watch = Progress(task, report, folders.evaluation, request.budget_hours)
    table = judge(task, folders.evaluation, engine, progress=watch.judging, on_event=watch.epoch)
    evaluation = tables_of(table, task, data, folders.evaluation)
    tumours = load_tumours(data)
    log(f"{len(task.folds)} folds judged; tumour references: {', '.join(tumours) or 'none'}.")
    model_set = fit_set(
        plan,
        training_set,
        tumours,
        checkpoints=kept,
        engine=engine,
        progress=watch.fitting,
        on_event=watch.epoch,
        effort=task.effort,
    )
    watch.stage("Looking for the genes that are known to matter")
    evaluation |= look_for_controls(model_set, training_set, data, log)
    watch.stage("Saving the set")
    folders.target.parent.mkdir(parents=True, exist_ok=True)
    publish(plan, model_set, training_set, tumours, evaluation, folders.target)
    watch.finished()
    return folders.target


def _plan(request: TrainingRequest, task: TrainingTask, root: Path) -> tuple[Plan, Checkpoints]:
    """Return what the run is called and dated, and where its fitted models are kept."""
    kinds = (*task.kinds, *floor_names())
    kept = Checkpoints.of_run(root, kinds, task.training_set, task.effort)
    started = kept.started(datetime.now(UTC).date().isoformat())
    return Plan(request.set_name, task.kinds, started, request.decisive()), kept


def training_set_of(request: TrainingRequest, data: Path) -> TrainingSet:
    """Load the lines, drugs, genes and labels that a request asks for.

    Raises
    ------
    InputDataError
        If a drug was not measured, or genome-wide models are asked for without such data.
    """
    genome_wide = is_genome_wide(data)
    if request.genes == "genome" and not genome_wide:
        raise InputDataError(
            "Genome-wide models were asked for, but the installed expression is a panel.",
            remedy="Install the official files (data fetch gdsc, data fetch depmap).",
        )
    genes = panel_genes() if genome_wide and request.genes == "panel" else None
    chosen = restrict(load_training_set(data), request.drugs, genes)
    if request.label_rule == "lowest_share":
        return relabel(chosen, request.label_share)
    return chosen


def in_words(request: TrainingRequest, training_set: TrainingSet) -> str:
    """Say in a sentence what will be trained."""
    return (
        f"Training {', '.join(request.chosen_kinds)} on {len(training_set.screen.lines)} lines, "
        f"{len(training_set.screen.drugs)} drugs and {len(training_set.expression.genes):,} genes"
        f"{'' if request.effort == 'full' else ', as a short run'}."
    )


def plan_task(request: TrainingRequest, training_set: TrainingSet, data: Path) -> TrainingTask:
    """Say what will be judged and fitted.

    Raises
    ------
    ConfigError
        If a kind is not known, or lacks one that it is built from.
    """
    kinds = request.chosen_kinds
    fitting_order((*kinds, *floor_names()))
    folds = plan_folds(training_set, read_sites(data, training_set), request.n_seeds)
    return TrainingTask(kinds, training_set, tuple(folds), request.effort)


def ablations_of(kinds: Sequence[str]) -> list[str]:
    """Return the names of the ablations of some models."""
    return [name for name in ABLATIONS if base_of(name) in kinds]


def judge(
    task: TrainingTask,
    cache: Path,
    engine: Engine | None,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
    on_event: Callable[[Event], None] | None = None,
) -> pd.DataFrame:
    """Judge models and floors on the folds, and ablations on the first ones.

    Parameters
    ----------
    cache
        Where predictions are kept.
    engine, progress, on_event
        As `benchmark.fit_missing` takes them.

    Returns
    -------
    DataFrame
        As `benchmark.run`; ablations' rows stand behind the models'.
    """
    names, removed, folds = list(task.kinds), task.ablations, list(task.folds)
    data = (task.training_set.expression, task.training_set.screen)
    # models and ablations of a fold in one go: they share the teachers
    first = [([*names, *removed], task.first_folds)] if removed else []
    for some, where in (*first, (names, folds)):
        benchmark.fit_missing(
            some,
            where,
            *data,
            cache=cache,
            engine=engine,
            progress=progress,
            on_event=on_event,
            effort=task.effort,
        )
    table = benchmark.run(names, folds, *data, cache=cache, effort=task.effort)
    if not removed:
        return table
    without = benchmark.run(removed, task.first_folds, *data, cache=cache, effort=task.effort)
    return pd.concat([table, without[without["model"].isin(removed)]], ignore_index=True)


def tables_of(table: pd.DataFrame, task: TrainingTask, data: Path, cache: Path) -> Tables:
    """Return what a model set keeps of its evaluation, by name.

    Parameters
    ----------
    table
        As `judge` gives it for the same arguments, which has kept the predictions.

    Returns
    -------
    dict
        As `summary.evaluation_tables` and `external.external_tables`, and ``folds``.
    """
    screen = task.training_set.screen
    held_out = benchmark.read_held_out(
        task.kinds,
        list(task.folds),
        task.training_set.expression,
        screen,
        cache=cache,
        effort=task.effort,
    )
    return {
        **evaluation_tables(table, held_out, screen),
        **external_tables(held_out, screen, data),
        "folds": fold_table(table, task),
    }


def fold_table(table: pd.DataFrame, task: TrainingTask) -> pd.DataFrame:
    """Return the mean of every metric over drugs, fold by fold: what paired tests need.

    Returns
    -------
    DataFrame
        Columns `FOLD_COLUMNS`. ``n``: lines left out. ``lines``: digest of which lines were left
        out and which were trained on; two sets are paired where it is the same.
    """
    means = fold_means(table)
    about = pd.DataFrame(
        [(f.split, f.seed, f.number, len(f.test), lines_digest(f)) for f in task.folds],
        columns=["split", "seed", "fold", "n", "lines"],
    )
    return means.merge(about, on=["split", "seed", "fold"], how="left")[FOLD_COLUMNS]


def lines_digest(fold: Fold) -> str:
    """Return a digest (16 hex digits) of the lines on either side of a fold."""
    text = "\n".join(sorted(fold.test)) + "\n--\n" + "\n".join(sorted(fold.train))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def look_for_controls(
    model_set: ModelSet, training_set: TrainingSet, data: Path, log: Log
) -> Tables:
    """Return the positive controls as a table of the evaluation; none where they cannot be had."""
    try:
        return {"positive_controls": positive_controls(model_set, training_set, data)}
    except (ConfigError, InputDataError) as error:
        log(f"Positive controls are left out: {error.message} {error.remedy}")
        return {}


@dataclass
class Progress:
    """Tells how far a run is, and ends it where its time is over.

    Parameters
    ----------
    task
        What is done.
    report
        Told after every step.
    cache
        Where predictions of finished folds are found.
    budget_hours
        From now on.
    """

    task: TrainingTask
    report: Report
    cache: Path
    budget_hours: float
    _end: float = field(init=False)
    _told: set[Path] = field(init=False, default_factory=set)

    def __post_init__(self) -> None:
        self._end = time.monotonic() + 3600 * self.budget_hours

        self._n_folds = len(self.task.folds)
        self._n_done = 0
        data = (self.task.training_set.expression, self.task.training_set.screen)
        self._paths = benchmark.kept_paths(
            self.task.kinds, self.task.folds, *data, cache=self.cache, effort=self.task.effort
        )

    @property
    def total(self) -> int:
        """Steps of the whole run: folds, models, metrics and controls, the set itself."""
        return self._n_folds + len(self.task.kinds) + 2

    def judging(self, done: int, total: int) -> None:
        """Take how many folds are done, of those that are judged now."""
        self._n_done = max(self._n_done, done)
        for metrics in self._news():
            self.report(epoch=0, **metrics)
        self._tell_fold("")
        if done < total:
            self._stop_at_the_budget(f"{self._n_done} of {self._n_folds} folds are judged")

    def epoch(self, event: Event) -> None:
        """Take what a fit reports while it runs."""
        kind, fold = str(event["kind"]), event["fold"]
        if fold != FINAL:
            self._tell_fold(kind)
        if "loss" in event:
            network = f"{event.get('member', 0)}"
            series = f"{kind}/{event.get('seed', 0)}/{fold}/{network}"
            self.report(
                epoch=int(event["epoch"]), metrics={"loss": float(event["loss"])}, series=series
            )

    def fitting(self, step: str, done: int, total: int) -> None:
        """Take which models are fitted on all lines, and how many are."""
        share = round(len(self.task.kinds) * done / total)
        words = f"Fitting on all lines: {step}" if step else "Models are fitted"
        self.report(step=words, done=self._n_folds + share, total=self.total)
        if done < total:
            self._stop_at_the_budget(f"{done} of {total} models are fitted")

    def stage(self, words: str) -> None:
        """Take what is done between or behind the fits."""
        self.report(step=words, done=self.total - 1, total=self.total)

    def finished(self) -> None:
        """Take that the set is complete."""
        self.report(step="Saved", done=self.total, total=self.total)

    def _tell_fold(self, kind: str) -> None:
        words = f"Fold {self._n_done + 1} of {self._n_folds}" + (f": {kind}" if kind else "")
        if self._n_done == self._n_folds:
            words = "Computing metrics"
        self.report(step=words, done=self._n_done, total=self.total)

    def _stop_at_the_budget(self, reached: str) -> None:
        if time.monotonic() > self._end:
            raise JobInterruptedError(
                f"The budget of {self.budget_hours:g} hours is used up; {reached}.",
                remedy=f"Resume the run: it goes on from there for {self.budget_hours:g} hours "
                "more, with the same result.",
            )

    def _news(self) -> Iterator[dict[str, Any]]:
        """Yield metrics of what was predicted since the last look: series and values."""
        for fold, paths in zip(self.task.folds, self._paths, strict=True):
            if fold.split != LEAVE_CELL_LINE_OUT:
                continue
            for kind, path in paths.items():
                if path in self._told or not path.is_file():
                    continue
                self._told.add(path)
                one = read(path, kind, fold, self.task.training_set.screen.drugs)
                values = live_metrics(one, self.task.training_set.screen)
                yield {"series": f"{kind}/{fold.seed}/{fold.number}", "metrics": values}


def live_metrics(one: HeldOut, screen: Screen) -> dict[str, float]:
    """Return the means over drugs that are told of a finished fold; none that is not a number."""
    means = fold_means(benchmark.tabulate([one], screen))
    found = means[means["metric"].isin(LIVE_METRICS)].dropna(subset=["value"])
    return dict(zip(found["metric"].astype(str), found["value"].astype(float), strict=True))
