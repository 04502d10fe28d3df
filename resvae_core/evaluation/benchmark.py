"""Every model and every floor on the same folds, as one tidy table.

What each model predicts on a fold is written when it is known (see `held_out`) and read back when
the same model meets the same data and fold again: an interrupted run goes on where it was, and a
changed model alone is fitted again. A model that is built from others has them fitted beside it in
the fold, also where their own predictions are kept already: fitted models are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.compute import derive_seed, one_thread
from resvae_core.data.splits import Fold
from resvae_core.engine.engine import Engine, Event, emit
from resvae_core.engine.serial import SerialEngine
from resvae_core.evaluation.held_out import (
    HeldOut,
    keep,
    paths_of,
    predict_held_out,
    read,
)
from resvae_core.evaluation.metrics import (
    drug_metrics,
    expected_calibration_error,
    reliability_bins,
    set_metrics,
)
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.catalog import Effort, build_model, floor_names, with_needs
from resvae_core.models.floors import DrugTissueMean
from resvae_core.tables import Expression, Screen
from resvae_core.training.watch import Record, watching

ALL_DRUGS = "(all)"
PERMUTED = "_permuted"
"""Ending of a split's name when training labels were permuted: the negative control."""

Row = tuple[str, str, str, float, int]


@dataclass(frozen=True)
class FoldTask:
    """What one worker does at a time: models on a fold.

    Parameters
    ----------
    fold
        Lines on either side.
    kinds
        Whose predictions are missing. What they are built from is fitted first, and once.
    effort
        As `models.catalog.build_model` takes it.
    """

    fold: Fold
    kinds: tuple[str, ...]
    effort: Effort = "full"


def permuted(fold: Fold) -> Fold:
    """Return the same fold as a negative control: training lines get each other's responses."""
    return Fold(fold.split + PERMUTED, fold.seed, fold.number, fold.train, fold.test)


def run(
    kinds: Sequence[str],
    folds: Iterable[Fold],
    expression: Expression,
    screen: Screen,
    *,
    cache: Path,
    engine: Engine | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    effort: Effort = "full",
) -> pd.DataFrame:
    """Judge models, floors added, on folds.

    Parameters
    ----------
    kinds
        Names of learned models; every floor is added.
    folds
        Splits of the lines in `screen`.
    cache
        Folder for predictions.
    engine
        Where the folds are computed, in this process where None; the result does not depend on it.
    progress
        Called with (folds done, folds in total).
    effort
        As `models.catalog.build_model` takes it.

    Returns
    -------
    DataFrame
        Columns split, seed, fold, model, drug, metric, value, n (lines, or pairs of lines for
        ``within_tissue_roc_auc``). Rows with drug ``(all)`` hold metrics over all drugs; metrics
        named ``reliability_*`` hold a calibration curve's bins.
    """
    folds = list(folds)
    data = (expression, screen)
    fit_missing(kinds, folds, *data, cache=cache, engine=engine, progress=progress, effort=effort)
    held_out = read_held_out(kinds, folds, *data, cache=cache, effort=effort)
    return tabulate(held_out, screen)


def fit_missing(
    kinds: Sequence[str],
    folds: Sequence[Fold],
    expression: Expression,
    screen: Screen,
    *,
    cache: Path,
    engine: Engine | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    on_event: Callable[[Event], None] | None = None,
    effort: Effort = "full",
) -> None:
    """Fit what is not kept yet and keep it, fold by fold; parameters as in `run`.

    Workers write nothing: what they return is kept here, each file whole or not at all.

    Parameters
    ----------
    on_event
        Told what the fits have come to: ``split``, ``seed``, ``fold``, ``kind``, and the record of
        `training.watch.report_epoch`. An error that it raises ends the run.
    """
    samples = Samples(expression, screen.tissue)
    all_paths = paths_of(cache, _with_floors(kinds), folds, samples, screen, effort)
    tasks, targets = [], []
    for fold, paths in zip(folds, all_paths, strict=True):
        missing = {kind: path for kind, path in paths.items() if not path.is_file()}
        if missing:
            tasks.append(FoldTask(fold, tuple(missing), effort))
            targets.append(missing)
    done = len(folds) - len(tasks)
    progress(done, len(folds))
    listen = (lambda index, event: on_event(event)) if on_event else None
    results = (engine or SerialEngine()).map(
        fit_fold, tasks, shared=(samples, screen), on_event=listen
    )
    for finished, (index, held_out) in enumerate(results, start=done + 1):
        for one in held_out:
            keep(one, targets[index][one.kind])
        progress(finished, len(folds))


def kept_paths(
    kinds: Sequence[str],
    folds: Sequence[Fold],
    expression: Expression,
    screen: Screen,
    *,
    cache: Path,
    effort: Effort = "full",
) -> list[dict[str, Path]]:
    """Return where `fit_missing` keeps predictions: model to file, fold by fold; see `run`."""
    samples = Samples(expression, screen.tissue)
    return paths_of(cache, _with_floors(kinds), folds, samples, screen, effort)


def read_held_out(
    kinds: Sequence[str],
    folds: Sequence[Fold],
    expression: Expression,
    screen: Screen,
    *,
    cache: Path,
    effort: Effort = "full",
) -> list[HeldOut]:
    """Read the predictions that `fit_missing` kept, fold by fold; parameters as in `run`.

    Raises
    ------
    ArtifactError
        If a model was not judged on a fold, or its file cannot be read.
    """
    samples = Samples(expression, screen.tissue)
    all_paths = paths_of(cache, _with_floors(kinds), folds, samples, screen, effort)
    return [
        read(path, kind, fold, screen.drugs)
        for fold, paths in zip(folds, all_paths, strict=True)
        for kind, path in paths.items()
    ]


def fit_fold(task: FoldTask, shared: tuple[Samples, Screen]) -> list[HeldOut]:
    """Fit models on a fold's training lines and return what they predict for the others.

    Parameters
    ----------
    shared
        All samples and their responses, of which the fold names the lines on either side.

    Returns
    -------
    list of HeldOut
        One for each of the task's kinds.
    """
    fold, (samples, screen) = task.fold, shared
    train = screen.select(fold.train)
    if fold.split.endswith(PERMUTED):
        train = _permute(train, derive_seed("permuted", fold.seed, fold.number))
    inputs = samples.select(fold.train)
    fitted: dict[str, ResponseModel] = {}
    found = []
    # one thread, as `fit_set` takes: sums round otherwise with another number of threads
    with one_thread(), watching(partial(_tell, fold)):
        for kind in with_needs(list(task.kinds)):
            model = build_model(kind, seed=fold.seed, effort=task.effort)
            model.build_from({part: fitted[part] for part in model.needs})
            fitted[kind] = model.fit(inputs, train)
            if kind in task.kinds:
                found.append(predict_held_out(model, samples, fold))
    return found


def _tell(fold: Fold, kind: str, record: Record) -> None:
    """Pass on what a fit reports, with the fold that it belongs to."""
    where = {"split": fold.split, "seed": fold.seed, "fold": fold.number}
    emit({**where, "kind": kind, **record}, series=kind)


def tabulate(held_out: Iterable[HeldOut], screen: Screen) -> pd.DataFrame:
    """Compute every metric of kept predictions; returns the table of `run`."""
    tissue = pd.Series(pd.factorize(screen.tissue)[0], index=screen.tissue.index)
    parts = []
    for one in held_out:
        rows = _rows(one, screen.select(one.fold.test), tissue.loc[list(one.fold.test)])
        part = pd.DataFrame(rows, columns=["model", "drug", "metric", "value", "n"])
        part.insert(0, "fold", one.fold.number)
        part.insert(0, "seed", one.fold.seed)
        part.insert(0, "split", one.fold.split)
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    return pd.concat([table, _lift(table)], ignore_index=True)


def _with_floors(kinds: Sequence[str]) -> list[str]:
    return list(dict.fromkeys([*kinds, *floor_names()]))


def _permute(screen: Screen, seed: int) -> Screen:
    order = np.random.default_rng(seed).permutation(len(screen.lines))
    ln_ic50 = screen.ln_ic50.iloc[order].set_axis(screen.ln_ic50.index)
    resistant = screen.resistant.iloc[order].set_axis(screen.resistant.index)
    return Screen(ln_ic50, resistant, screen.tissue)


def _rows(one: HeldOut, test: Screen, tissue: pd.Series[int]) -> list[Row]:
    """Return model, drug, metric, value, n of one model on one fold."""
    labels, ln_ic50 = test.resistant.to_numpy(float), test.ln_ic50.to_numpy(float)
    codes = tissue.to_numpy()
    rows = []
    for d, drug in enumerate(test.drugs):
        m = ~np.isnan(labels[:, d])
        values = drug_metrics(
            one.log_odds[m, d].astype(float),
            one.probability[m, d].astype(float),
            one.threshold,
            labels[m, d],
            ln_ic50[m, d],
            codes[m],
        )
        rows += [(one.kind, drug, metric, value, n) for metric, value, n in values]
        if one.sets is not None:
            shares = set_metrics(one.sets[m, d], labels[m, d])
            rows += [(one.kind, drug, metric, value, n) for metric, value, n in shares]
    return rows + _calibration_rows(one, labels)


def _calibration_rows(one: HeldOut, labels: np.ndarray) -> list[Row]:
    measured = ~np.isnan(labels)
    truth, probability = labels[measured], one.probability[measured].astype(float)
    ece = expected_calibration_error(probability, truth)
    rows: list[Row] = [(one.kind, ALL_DRUGS, "ece", ece, len(truth))]
    for number, (mean, share, n) in enumerate(reliability_bins(probability, truth)):
        rows.append((one.kind, ALL_DRUGS, f"reliability_predicted_{number}", mean, n))
        rows.append((one.kind, ALL_DRUGS, f"reliability_observed_{number}", share, n))
    return rows


def _lift(table: pd.DataFrame) -> pd.DataFrame:
    keys = ["split", "seed", "fold", "drug"]
    ranking = table[table["metric"] == "roc_auc"]
    floor = ranking[ranking["model"] == DrugTissueMean.kind]
    floor = floor[[*keys, "value"]].rename(columns={"value": "floor"})
    lift = ranking.merge(floor, on=keys, how="left").assign(metric="lift_over_tissue_floor")
    lift["value"] = lift["value"] - lift["floor"]
    return lift.drop(columns="floor")
