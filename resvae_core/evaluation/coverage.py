"""Whether conformal sets and probabilities hold for each cancer type and each drug.

A promise that holds on average can fail for one tissue. Both tables count pairs of a line and a
drug; pairs of one line go wrong together, so intervals treat lines as the unit. Repetitions
predict the same lines again and are averaged, never counted as more lines.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import t as student_t

from resvae_core.data.cancer_types import is_blood
from resvae_core.evaluation.held_out import HeldOut
from resvae_core.evaluation.metrics import expected_calibration_error, reliability_bins
from resvae_core.models.conformal import RESISTANT, SENSITIVE
from resvae_core.tables import Screen

INTERVAL = 0.95
ALL = "(all)"
BLOOD, SOLID = "(blood)", "(solid)"
MINIMAL_LINES = 10
"""Lines that a tissue needs for a reliability curve of its own."""
N_BINS = 5
CLASSES = (("resistant", 1, RESISTANT), ("sensitive", 0, SENSITIVE))

Array = NDArray[np.float64]


def coverage_by_tissue(held_out: Iterable[HeldOut], screen: Screen) -> pd.DataFrame:
    """Count how often conformal sets contain the true class, by cancer type.

    Returns
    -------
    DataFrame
        Columns split, model, tissue (``(all)``, ``(blood)`` and ``(solid)`` for all
        and for the two kinds together), true_class, coverage, lower,
        upper (95 %, lines as the unit; NaN for a single line), n_lines, n_pairs (of one
        repetition). Models without sets have no rows.
    """
    tissue = screen.tissue.to_numpy(str)
    blood = is_blood(tissue)
    groups = [(ALL, np.ones(len(tissue), bool)), (BLOOD, blood), (SOLID, ~blood)]
    groups += [(name, tissue == name) for name in sorted(set(tissue))]
    rows = []
    for split, model, word, hits, counts in _counted(held_out, screen):
        for name, inside in groups:
            row = {"split": split, "model": model, "tissue": name, "true_class": word}
            rows.append(row | clustered_share(hits[inside].sum(axis=1), counts[inside].sum(axis=1)))
    return _present(rows)


def coverage_by_drug(held_out: Iterable[HeldOut], screen: Screen) -> pd.DataFrame:
    """Count how often conformal sets contain the true class, by drug.

    Returns
    -------
    DataFrame
        As `coverage_by_tissue`, with a column drug instead of tissue.
    """
    rows = []
    for split, model, word, hits, counts in _counted(held_out, screen):
        for d, drug in enumerate(screen.drugs):
            row = {"split": split, "model": model, "drug": drug, "true_class": word}
            rows.append(row | clustered_share(hits[:, d], counts[:, d]))
    return _present(rows)


def reliability_by_tissue(held_out: Iterable[HeldOut], screen: Screen) -> pd.DataFrame:
    """Compare predicted with observed resistance within each cancer type.

    Returns
    -------
    DataFrame
        Columns split, model, tissue, bin, predicted (mean probability), observed (share
        resistant), n (pairs of one repetition), n_lines, ece (expected calibration error of that
        model in that tissue). Five equal-count bins; tissues with at least 10 lines.
    """
    tissue = screen.tissue
    sizes = tissue.value_counts()
    names = sorted(sizes.index[sizes >= MINIMAL_LINES])
    rows = []
    for (split, model), parts in _grouped(held_out).items():
        n_seeds = len({one.fold.seed for one in parts})
        probability, truth, of_pair = _pairs(parts, screen)
        for name in names:
            inside = of_pair == name
            ece = expected_calibration_error(probability[inside], truth[inside], N_BINS)
            bins = reliability_bins(probability[inside], truth[inside], N_BINS)
            fixed = {"split": split, "model": model, "tissue": name}
            rows += [
                {
                    **fixed,
                    "bin": number,
                    "predicted": predicted,
                    "observed": observed,
                    "n": n // n_seeds,
                    "n_lines": int(sizes[name]),
                    "ece": ece,
                }
                for number, (predicted, observed, n) in enumerate(bins)
            ]
    return pd.DataFrame(rows)


def clustered_share(hits: Array, counts: Array) -> dict[str, float]:
    """Return a share of pairs, with an interval that treats lines as the unit.

    Parameters
    ----------
    hits, counts
        (n_lines,) pairs of each line that are right, and all its pairs; fractions where
        repetitions are averaged.

    Returns
    -------
    dict
        coverage, lower, upper, n_lines, n_pairs. Wilson's interval at the number of independent
        pairs that would have the share's variance over lines (at the number of lines where all
        pairs agree), with Student's t for few lines.
    """
    present = counts > 0
    hits, counts = hits[present], counts[present]
    n_lines, n_pairs = len(counts), float(counts.sum())
    found = {"n_lines": n_lines, "n_pairs": round(n_pairs)}
    if n_lines < 2:
        share = float(hits.sum() / n_pairs) if n_lines else float("nan")
        return {"coverage": share, "lower": float("nan"), "upper": float("nan"), **found}
    share = float(hits.sum() / n_pairs)
    residual = hits - share * counts
    variance = n_lines / (n_lines - 1) * float(residual @ residual) / n_pairs**2
    independent = min(share * (1 - share) / variance, n_pairs) if variance > 0 else float(n_lines)
    lower, upper = _wilson(
        share, independent, float(student_t.ppf(0.5 + INTERVAL / 2, n_lines - 1))
    )
    return {"coverage": share, "lower": lower, "upper": upper, **found}


def _wilson(share: float, n: float, reach: float) -> tuple[float, float]:
    scale = 1 + reach**2 / n
    centre = (share + reach**2 / (2 * n)) / scale
    half = reach / scale * np.sqrt(share * (1 - share) / n + reach**2 / (4 * n**2))
    return max(float(centre - half), 0.0), min(float(centre + half), 1.0)


def _grouped(held_out: Iterable[HeldOut]) -> dict[tuple[str, str], list[HeldOut]]:
    groups: dict[tuple[str, str], list[HeldOut]] = {}
    for one in held_out:
        groups.setdefault((one.fold.split, one.kind), []).append(one)
    return groups


def _counted(
    held_out: Iterable[HeldOut], screen: Screen
) -> Iterator[tuple[str, str, str, Array, Array]]:
    """Yield split, model, class, and (n_lines, n_drugs) hits and counts, averaged over seeds."""
    labels = screen.resistant.to_numpy(float)
    for (split, model), parts in _grouped(held_out).items():
        if any(one.sets is None for one in parts):
            continue
        n_seeds = len({one.fold.seed for one in parts})
        for word, label, bit in CLASSES:
            hits, counts = np.zeros(labels.shape), np.zeros(labels.shape)
            for one in parts:
                rows = screen.tissue.index.get_indexer(pd.Index(one.fold.test))
                of_class = labels[rows] == label
                counts[rows] += of_class / n_seeds
                hits[rows] += (of_class & ((one.sets & bit) > 0)) / n_seeds  # type: ignore[operator]
            yield split, model, word, hits, counts


def _pairs(parts: Sequence[HeldOut], screen: Screen) -> tuple[Array, Array, NDArray[np.str_]]:
    """Return probability, label and tissue of every measured pair of several folds."""
    probability, truth, tissue = [], [], []
    for one in parts:
        test = screen.select(one.fold.test)
        labels = test.resistant.to_numpy(float)
        measured = ~np.isnan(labels)
        probability.append(one.probability[measured].astype(float))
        truth.append(labels[measured])
        tissue.append(np.repeat(test.tissue.to_numpy(str), measured.sum(axis=1)))
    return np.concatenate(probability), np.concatenate(truth), np.concatenate(tissue)


def _present(rows: list[dict[str, str | float]]) -> pd.DataFrame:
    """Return rows as a table, without groups that hold no line of the class."""
    table = pd.DataFrame(rows)
    return table[table["n_lines"] > 0].reset_index(drop=True) if len(table) else table
