"""Whether intervals are as wide as models that share no training line differ.

    PYTHONPATH=. python benchmarks/interval_coverage.py --data ../shared/data

A fifth of the lines is set aside; two models are trained on the two halves of the rest, so they
share no line. If each one's 90 % interval is right, their log-odds for the lines set aside differ
by less than the two half-widths joined (root of the sum of squares) in 90 % of (line, drug) pairs.
More than that is cautious, less is overconfident. The halves are smaller than a real training set:
widths here are larger than those shown to users.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from scipy.special import logit

from resvae_core.data.screens import TrainingSet, load_training_set
from resvae_core.data.splits import leave_cell_line_out
from resvae_core.models.base import Prediction, ResponseModel, Samples
from resvae_core.models.catalog import build_model, learned_names, with_needs


def main() -> None:
    """Print coverage and width of each learned model's intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=learned_names())
    parser.add_argument("--repeats", type=int, default=2)
    options = parser.parse_args()
    training_set = load_training_set(options.data)
    found = [judge(options.models, training_set, seed) for seed in range(options.repeats)]
    print("| model | coverage, nominal 0.90 | median width of an interval |\n|---|---|---|")
    for kind in options.models:
        inside, width = np.mean([one[kind] for one in found], axis=0)
        print(f"| {kind} | {inside:.3f} | {width:.3f} |")


def judge(
    kinds: Sequence[str], training_set: TrainingSet, seed: int
) -> dict[str, tuple[float, float]]:
    """Return coverage and median width of one repetition, by kind."""
    folds = leave_cell_line_out(training_set.screen.tissue, seed=seed)
    test = folds[0].test
    halves = (folds[1].test + folds[2].test, folds[3].test + folds[4].test)
    one, other = (train_and_predict(kinds, training_set, half, test, seed) for half in halves)
    return {kind: compare(one[kind], other[kind]) for kind in kinds}


def compare(one: Prediction, other: Prediction) -> tuple[float, float]:
    """Return the share of pairs within the joined intervals, and the median width of one's."""
    joined = np.hypot(half_width(one), half_width(other))
    gap = np.abs(one.log_odds.to_numpy() - other.log_odds.to_numpy())
    return float(np.mean(gap <= joined)), float(np.median(one.upper - one.lower))


def train_and_predict(
    kinds: Sequence[str],
    training_set: TrainingSet,
    train: tuple[str, ...],
    test: tuple[str, ...],
    seed: int,
) -> dict[str, Prediction]:
    """Fit models on some lines and predict others."""
    samples = Samples(training_set.expression, training_set.screen.tissue)
    fitted: dict[str, ResponseModel] = {}
    for kind in with_needs(kinds):
        fitted[kind] = build_model(kind, seed=seed)
        fitted[kind].build_from(fitted)
        fitted[kind].fit(samples.select(train), training_set.screen.select(train))
    return {kind: fitted[kind].predict(samples.select(test)) for kind in kinds}


def half_width(prediction: Prediction) -> np.ndarray:
    """Return half the interval's width on the log-odds scale."""
    return (logit(prediction.upper.to_numpy()) - logit(prediction.lower.to_numpy())) / 2


if __name__ == "__main__":
    main()
