"""Every model and every floor on the same folds, as one tidy table.

A fold's result is written when the fold is done, and read back instead of computed when the same
models meet the same data and fold again: an interrupted run goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.compute import derive_seed
from resvae_core.data.splits import Fold
from resvae_core.evaluation.metrics import (
    drug_metrics,
    expected_calibration_error,
    reliability_bins,
)
from resvae_core.models.base import Prediction, ResponseModel, Samples
from resvae_core.models.catalog import build_model, floor_names
from resvae_core.models.floors import DrugTissueMean
from resvae_core.tables import Expression, Screen

SCHEMA_VERSION = 2
"""Raised with every change of models or metrics that a configuration does not show."""
ALL_DRUGS = "(all)"
COLUMNS = ["split", "seed", "fold", "model", "drug", "metric", "value", "n"]
PERMUTED = "_permuted"
"""Ending of a split's name when training labels were permuted: the negative control."""


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
    n_processes: int = 1,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> pd.DataFrame:
    """Judge models, floors added, on folds.

    Parameters
    ----------
    kinds
        Names of learned models; every floor is added.
    folds
        Splits of the lines in `screen`.
    cache
        Folder for finished folds.
    n_processes
        Folds that run at the same time; the result does not depend on it.
    progress
        Called with (folds done, folds in total).

    Returns
    -------
    DataFrame
        Columns split, seed, fold, model, drug, metric, value, n (lines, or pairs of lines for
        ``within_tissue_roc_auc``). Rows with drug ``(all)`` hold metrics over all drugs; metrics
        named ``reliability_*`` hold a calibration curve's bins.
    """
    names = [*kinds, *floor_names()]
    samples = Samples(expression, screen.tissue)
    key = _digest(names, samples, screen)
    tasks = [(fold, _path(cache, key, fold)) for fold in folds]
    waiting = [(fold, path) for fold, path in tasks if not path.is_file()]
    progress(len(tasks) - len(waiting), len(tasks))
    with ProcessPoolExecutor(n_processes, mp_context=get_context("spawn")) as pool:
        futures = [
            pool.submit(_judge_and_keep, names, fold, samples, screen, path)
            for fold, path in waiting
        ]
        for done, future in enumerate(as_completed(futures), start=len(tasks) - len(waiting) + 1):
            future.result()
            progress(done, len(tasks))
    return pd.concat([pd.read_parquet(path) for _, path in tasks], ignore_index=True)


def judge_fold(names: Sequence[str], fold: Fold, samples: Samples, screen: Screen) -> pd.DataFrame:
    """Fit every model on a fold's training lines and judge it on the others; see `run`."""
    train, test = screen.select(fold.train), screen.select(fold.test)
    if fold.split.endswith(PERMUTED):
        train = _permute(train, derive_seed("permuted", fold.seed, fold.number))
    rows = []
    for name in names:
        model = build_model(name, seed=fold.seed).fit(samples.select(fold.train), train)
        prediction = model.predict(samples.select(fold.test))
        rows += _rows(model, prediction, test)
    table = pd.DataFrame(rows, columns=["model", "drug", "metric", "value", "n"])
    table = pd.concat([table, _lift(table)], ignore_index=True)
    table.insert(0, "fold", fold.number)
    table.insert(0, "seed", fold.seed)
    table.insert(0, "split", fold.split)
    return table


def _judge_and_keep(
    names: Sequence[str], fold: Fold, samples: Samples, screen: Screen, path: Path
) -> None:
    table = judge_fold(names, fold, samples, screen)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    table.to_parquet(partial)
    partial.replace(path)


def _permute(screen: Screen, seed: int) -> Screen:
    order = np.random.default_rng(seed).permutation(len(screen.lines))
    ln_ic50 = screen.ln_ic50.iloc[order].set_axis(screen.ln_ic50.index)
    resistant = screen.resistant.iloc[order].set_axis(screen.resistant.index)
    return Screen(ln_ic50, resistant, screen.tissue)


def _rows(
    model: ResponseModel, prediction: Prediction, test: Screen
) -> list[tuple[str, str, str, float, int]]:
    tissue = test.tissue.to_numpy(str)
    rows = []
    for drug in test.drugs:
        labels = test.resistant[drug].to_numpy(float)
        m = ~np.isnan(labels)
        values = drug_metrics(
            prediction.log_odds[drug].to_numpy()[m],
            prediction.probability[drug].to_numpy()[m],
            model.threshold_,
            labels[m],
            test.ln_ic50[drug].to_numpy()[m],
            tissue[m],
        )
        rows += [(model.kind, drug, metric, value, n) for metric, value, n in values]
    pairs = test.resistant.notna().to_numpy()
    truth = test.resistant.to_numpy(float)[pairs]
    probability = prediction.probability.to_numpy(float)[pairs]
    ece = expected_calibration_error(probability, truth)
    rows.append((model.kind, ALL_DRUGS, "ece", ece, len(truth)))
    for number, (mean, share, n) in enumerate(reliability_bins(probability, truth)):
        rows.append((model.kind, ALL_DRUGS, f"reliability_predicted_{number}", mean, n))
        rows.append((model.kind, ALL_DRUGS, f"reliability_observed_{number}", share, n))
    return rows


def _lift(table: pd.DataFrame) -> pd.DataFrame:
    ranking = table[table["metric"] == "roc_auc"]
    floor = ranking[ranking["model"] == DrugTissueMean.kind].set_index("drug")["value"]
    lift = ranking.assign(metric="lift_over_tissue_floor")
    lift["value"] = ranking["value"] - ranking["drug"].map(floor)
    return lift


def _digest(names: Sequence[str], samples: Samples, screen: Screen) -> str:
    configurations = {name: build_model(name).configuration() for name in names}
    text = json.dumps([SCHEMA_VERSION, configurations], sort_keys=True)
    digest = hashlib.sha256(text.encode())
    digest.update(samples.expression.digest().encode())
    digest.update(screen.ln_ic50.to_numpy().tobytes() + screen.resistant.to_numpy().tobytes())
    digest.update("\x1f".join([*screen.drugs, *screen.tissue]).encode())
    return digest.hexdigest()[:16]


def _path(cache: Path, key: str, fold: Fold) -> Path:
    members = "\x1f".join([*fold.train, "", *fold.test])
    digest = hashlib.sha256(members.encode()).hexdigest()[:8]
    return cache / key / f"{fold.split}-{fold.seed}-{fold.number}-{digest}.parquet"
