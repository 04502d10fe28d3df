"""How often a model that is trained again falls into the interval of the first.

    PYTHONPATH=. python benchmarks/interval_coverage.py --data ../shared/data

Each cell line is predicted by two models that have not seen it and were trained on different folds
with different seeds. Printed: the share of (line, drug) pairs where the second probability lies in
the first one's 90 % interval. The two share most of their training lines, so a wholly new screen
would cover less.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from resvae_core.data.screens import TrainingSet, load_training_set
from resvae_core.data.splits import leave_cell_line_out
from resvae_core.models.base import Samples
from resvae_core.models.catalog import build_model, learned_names


def main() -> None:
    """Print coverage and width of each learned model's intervals."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=learned_names())
    options = parser.parse_args()
    training_set = load_training_set(options.data)
    measured = training_set.screen.resistant.notna().to_numpy()
    print("| model | coverage of the 90 % interval | median width |\n|---|---|---|")
    for kind in options.models:
        lower, upper, _ = unseen_predictions(kind, training_set, seed=0)
        _, _, again = unseen_predictions(kind, training_set, seed=1)
        inside = ((lower <= again) & (again <= upper))[measured].mean()
        width = np.median((upper - lower)[measured])
        print(f"| {kind} | {inside:.3f} | {width:.3f} |", flush=True)


def unseen_predictions(
    kind: str, training_set: TrainingSet, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return lower, upper and probability (n_lines, n_drugs) of lines each model had not seen."""
    screen = training_set.screen
    samples = Samples(training_set.expression, screen.tissue)
    frames = [screen.resistant * np.nan for _ in range(3)]
    for fold in leave_cell_line_out(screen.tissue, seed=seed):
        model = build_model(kind, seed=seed)
        model.fit(samples.select(fold.train), screen.select(fold.train))
        prediction = model.predict(samples.select(fold.test))
        for frame, part in zip(
            frames, (prediction.lower, prediction.upper, prediction.probability), strict=True
        ):
            frame.loc[list(fold.test)] = part
    lower, upper, probability = (frame.to_numpy(float) for frame in frames)
    return lower, upper, probability


if __name__ == "__main__":
    main()
