"""Out-of-fold predictions against measurements that no model was trained on.

Against CTRPv2, another laboratory's screen of the same lines, the ranking of lines by predicted
resistance is compared with the ranking by measured ln IC50; against Table S5C, with the published
calls. Every prediction comes from a model that never saw the line, and lines are compared within a
fold only: another fold's model has another base rate, which the lines left out of it decided, so a
ranking across folds would hold that against them. Three sets of lines, a drug at a time: ``all``;
``in_training``, those whose response to the drug is in the training screen; and
``not_in_training``, those that were never measured for it there, so that nothing but expression
links the line with the drug. The training screen's own measurement is judged the same way, where
it exists: two screens agree only so far, and no model can be asked for more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.compute import derive_seed
from resvae_core.data.drugs import load_drugs
from resvae_core.data.external import CTRPV2_FILE, TABLE_S5C_FILE, read_ctrpv2, read_table_s5c
from resvae_core.data.screens import LINES_FILE, read_lines
from resvae_core.data.splits import LEAVE_CELL_LINE_OUT
from resvae_core.evaluation.held_out import HeldOut, out_of_fold
from resvae_core.evaluation.metrics import spearman, within_tissue_roc_auc
from resvae_core.tables import Screen

FIRST = (LEAVE_CELL_LINE_OUT, 0)
"""Split and seed of the predictions that are compared."""
ALL_LINES, IN_TRAINING, NOT_IN_TRAINING = "all", "in_training", "not_in_training"
MEASUREMENT = "training_screen"
"""Stands among the models for the training screen's own ln IC50."""
DETAIL_COLUMNS = ["model", "lines", "drug", "metric", "value", "n"]
MINIMAL_LINES = 10
MINIMAL_CLASS = 3
"""Sensitive and resistant lines that a drug needs for a ROC AUC."""
N_RESAMPLES = 2000
INTERVAL = 0.95

Array = NDArray[np.float64]
Codes = NDArray[np.int_]
Statistics = Callable[[Array, Array, Codes, Codes], dict[str, float]]
"""From score, truth, fold and tissue of lines to metric and value."""


SOURCES = {
    "ctrpv2": "CTRPv2, ln IC50",
    "table_s5c": "Table S5C, drugs trained on GDSC2 measurements",
    "table_s5c_gdsc1": "Table S5C, drugs trained on the same GDSC1 measurements",
}
"""What predictions are compared with, in words."""
SUMMARY_COLUMNS = ["source", "model", "lines", "metric", "mean", "lower", "upper"]
COUNTS = ["n_drugs", "n_pairs", "n_lines"]


def external_tables(
    held_out: Iterable[HeldOut], screen: Screen, folder: Path
) -> dict[str, pd.DataFrame]:
    """Compare out-of-fold predictions with every external measurement that is installed.

    Parameters
    ----------
    held_out
        As `benchmark.read_held_out` gives it.
    screen
        What the models were trained on.
    folder
        Folder of installed data.

    Returns
    -------
    dict
        ``external``: columns source (a key of `SOURCES`) and those of `summarise_external`, with
        n_lines, the lines that the pairs are of; ``external_by_drug``: source and the columns of
        `against_screen`. Both are empty where nothing is installed.
    """
    found = list(held_out)
    summaries, by_drug = [], []
    for source, truth in _installed(folder).items():
        judge = against_screen if source == "ctrpv2" else against_calls
        rows = judge(found, truth, screen)
        if rows.empty:
            continue
        summary = summarise_external(rows)
        summary["n_lines"] = summary["lines"].map(_count_lines(rows, truth, screen))
        summaries.append(summary.assign(source=source))
        by_drug.append(rows.assign(source=source))
    detail = ["source", *DETAIL_COLUMNS]
    return {
        "external": _joined(summaries, [*SUMMARY_COLUMNS, *COUNTS]),
        "external_by_drug": _joined(by_drug, detail),
    }


def against_screen(
    held_out: Iterable[HeldOut], ln_ic50: pd.DataFrame, screen: Screen
) -> pd.DataFrame:
    """Compare out-of-fold predictions of the first repetition with another screen, drug by drug.

    Parameters
    ----------
    held_out
        As `benchmark.read_held_out` gives it.
    ln_ic50
        (n_lines, n_drugs) as `data.external.read_ctrpv2` gives it.
    screen
        What the models were trained on.

    Returns
    -------
    DataFrame
        Columns model (``training_screen`` for the training screen's own ln IC50), lines (``all``,
        ``in_training``, ``not_in_training``), drug, metric (``spearman``), value, n (lines, at
        least 10). Spearman's correlation within each fold, averaged. Higher: what is predicted
        more resistant is measured more resistant.
    """

    def statistics(score: Array, truth: Array, fold: Codes, tissue: Codes) -> dict[str, float]:
        return {"spearman": spearman_within(score, truth, fold)}

    return _by_drug(held_out, ln_ic50, screen, statistics)


def against_calls(held_out: Iterable[HeldOut], calls: pd.DataFrame, screen: Screen) -> pd.DataFrame:
    """Compare out-of-fold predictions of the first repetition with binary calls, drug by drug.

    Parameters
    ----------
    calls
        (n_lines, n_drugs) 1 resistant, 0 sensitive, NaN, as `data.external.read_table_s5c` gives
        it.

    Returns
    -------
    DataFrame
        As `against_screen`, with metrics ``roc_auc`` (over pairs of lines of the same fold) and
        ``within_tissue_roc_auc`` (of the same fold and tissue); drugs with at least 3 lines of
        each class.
    """

    def statistics(score: Array, truth: Array, fold: Codes, tissue: Codes) -> dict[str, float]:
        resistant = truth == 1
        if min(resistant.sum(), (~resistant).sum()) < MINIMAL_CLASS:
            return {}
        overall, _ = within_tissue_roc_auc(score, resistant, fold)
        within, _ = within_tissue_roc_auc(score, resistant, fold + (fold.max() + 1) * tissue)
        return {"roc_auc": overall, "within_tissue_roc_auc": within}

    return _by_drug(held_out, calls, screen, statistics)


def spearman_within(x: Array, y: Array, group: Codes) -> float:
    """Return Spearman's correlation within each group, averaged by size less one.

    Groups of fewer than 3 count for nothing; NaN where there is no other.
    """
    parts = [group == code for code in np.unique(group)]
    parts = [inside for inside in parts if inside.sum() >= 3]
    if not parts:
        return float("nan")
    values = [spearman(x[inside], y[inside]) for inside in parts]
    return float(np.average(values, weights=[inside.sum() - 1 for inside in parts]))


def summarise_external(by_drug: pd.DataFrame) -> pd.DataFrame:
    """Average over drugs.

    Parameters
    ----------
    by_drug
        As `against_screen` or `against_calls` gives it.

    Returns
    -------
    DataFrame
        Columns model, lines, metric, mean, lower, upper (95 %, bootstrap over drugs; it does not
        say what other lines would have given), n_drugs, n_pairs.
    """
    rows = []
    keys = ["model", "lines", "metric"]
    for key, part in by_drug.dropna(subset=["value"]).groupby(keys, sort=False):
        values = np.asarray(part["value"], float)
        lower, upper = bootstrap_mean(values)
        rows.append(
            {
                **dict(zip(keys, key, strict=True)),
                "mean": float(values.mean()),
                "lower": lower,
                "upper": upper,
                "n_drugs": len(part),
                "n_pairs": int(part["n"].sum()),
            }
        )
    return pd.DataFrame(rows)


def bootstrap_mean(values: Array) -> tuple[float, float]:
    """Return the 95 % percentile interval of a mean; NaN for a single value."""
    if len(values) < 2:
        return float("nan"), float("nan")
    rng = np.random.default_rng(derive_seed("bootstrap", len(values)))
    means = values[rng.integers(len(values), size=(N_RESAMPLES, len(values)))].mean(axis=1)
    lower, upper = np.quantile(means, [0.5 - INTERVAL / 2, 0.5 + INTERVAL / 2])
    return float(lower), float(upper)


def _installed(folder: Path) -> dict[str, pd.DataFrame]:
    """Read what is installed; calls are parted by the screen that the drug was trained on."""
    if not (folder / LINES_FILE).is_file():
        return {}
    lines, found = read_lines(folder), {}
    if (folder / CTRPV2_FILE).is_file():
        found["ctrpv2"] = read_ctrpv2(folder / CTRPV2_FILE, lines)
    if (folder / TABLE_S5C_FILE).is_file():
        calls = read_table_s5c(folder / TABLE_S5C_FILE, lines)
        same = [drug for drug in calls.columns if load_drugs()[drug].screen == "GDSC1"]
        found["table_s5c"] = calls.drop(columns=same)
        found["table_s5c_gdsc1"] = calls[same]
    return found


def _count_lines(by_drug: pd.DataFrame, truth: pd.DataFrame, screen: Screen) -> dict[str, int]:
    """Return how many lines the judged pairs of each set of lines are of."""
    lines: dict[str, set[str]] = {}
    for name, drug in set(zip(by_drug["lines"], by_drug["drug"], strict=True)):
        chosen = _sets_of_lines(truth[drug].dropna(), screen.ln_ic50[drug])[name]
        lines.setdefault(name, set()).update(map(str, chosen.index))
    return {name: len(members) for name, members in lines.items()}


def _joined(parts: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def _by_drug(
    held_out: Iterable[HeldOut], truth: pd.DataFrame, screen: Screen, statistics: Statistics
) -> pd.DataFrame:
    found = [one for one in held_out if (one.fold.split, one.fold.seed) == FIRST]
    scores = out_of_fold(found, *FIRST)
    scores[MEASUREMENT] = screen.ln_ic50
    groups = _groups(found, screen)
    rows = []
    for drug in truth.columns.intersection(screen.ln_ic50.columns):
        sets = _sets_of_lines(truth[drug].dropna(), screen.ln_ic50[drug])
        for (lines, chosen), (model, table) in product(sets.items(), scores.items()):
            if len(chosen) < MINIMAL_LINES or (model == MEASUREMENT and lines != IN_TRAINING):
                continue
            score = np.asarray(table[drug].loc[chosen.index], float)
            fold, tissue = groups.loc[chosen.index].to_numpy(int).T
            values = statistics(score, np.asarray(chosen, float), fold, tissue)
            rows += [
                (model, lines, drug, name, value, len(chosen)) for name, value in values.items()
            ]
    return pd.DataFrame(rows, columns=DETAIL_COLUMNS)


def _groups(held_out: Iterable[HeldOut], screen: Screen) -> pd.DataFrame:
    """Return fold and tissue of each line, as numbers."""
    fold = {line: one.fold.number for one in held_out for line in one.fold.test}
    tissue = pd.factorize(screen.tissue)[0]
    lines = screen.tissue.index
    return pd.DataFrame({"fold": lines.map(fold), "tissue": tissue}, index=lines)


def _sets_of_lines(
    truth: pd.Series[float], trained: pd.Series[float]
) -> dict[str, pd.Series[float]]:
    truth = truth[truth.index.isin(trained.index)]
    known = trained.loc[truth.index].notna()
    return {ALL_LINES: truth, IN_TRAINING: truth[known], NOT_IN_TRAINING: truth[~known]}
