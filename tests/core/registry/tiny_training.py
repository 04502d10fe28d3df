"""A training run of seconds, as a program that can be killed.

    python -m tests.core.registry.tiny_training ROOT KIND,KIND [every-step]

every-step: starts run after run on the same folder. Each kills itself (SIGKILL: nothing is cleaned
up) before its first, third, fifth … change of a file below ROOT, until one comes to its end. The
number of runs is printed.
"""

from __future__ import annotations

import os
import signal
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.data.screens import TrainingSet
from resvae_core.data.splits import leave_cell_line_out
from resvae_core.evaluation.benchmark import read_held_out, run
from resvae_core.evaluation.summary import evaluation_tables
from resvae_core.registry.checkpoints import Checkpoints
from resvae_core.registry.training_run import Plan, fit_set, publish
from resvae_core.tables import Expression
from tests.core.conftest import synthetic_screen
from tests.core.registry.executioner import Executioner


def tiny_training_set() -> TrainingSet:
    samples, screen = synthetic_screen()
    return TrainingSet(samples.expression, screen, {"source": "0" * 64}, pd.DataFrame())


def tiny_tumours() -> dict[str, Expression]:
    """Return the lines drawn once more with other noise, as tumours of two cancer types."""
    values = tiny_training_set().expression.values
    rng = np.random.default_rng(3)
    return {
        code: Expression(
            (values + rng.normal(shift, 0.2, values.shape)).clip(lower=0).astype(np.float32)
        )
        for code, shift in (("LUAD", 0.0), ("GBM", 0.4))
    }


def train(root: Path, kinds: tuple[str, ...], today: str = "2026-01-01") -> list[str]:
    """Judge, fit and publish; return the steps that were announced."""
    training_set, tumours = tiny_training_set(), tiny_tumours()
    screen = training_set.screen
    folds = leave_cell_line_out(screen.tissue, n_folds=3)[:2]
    judged = (kinds[:1], folds, training_set.expression, screen)
    table = run(*judged, cache=root / "evaluation")
    held_out = read_held_out(*judged, cache=root / "evaluation")
    evaluation = evaluation_tables(table, held_out, screen)
    checkpoints = Checkpoints.of_run(root / "training", kinds, training_set)
    plan = Plan("tiny", kinds, checkpoints.started(today))
    steps: list[str] = []
    model_set = fit_set(
        plan,
        training_set,
        tumours,
        checkpoints=checkpoints,
        progress=lambda step, done, total: steps.append(step),
    )
    publish(plan, model_set, training_set, tumours, evaluation, root / "models")
    return steps


def train_killed_at_every_step(root: Path, kinds: tuple[str, ...]) -> int:
    """Return how many runs it took until one came to its end."""
    for n_runs in count(1):
        process = os.fork()
        if process == 0:
            sys.addaudithook(Executioner(root, 2 * n_runs - 1))
            train(root, kinds)
            os._exit(0)
        _, status = os.waitpid(process, 0)
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            return n_runs
        assert os.WTERMSIG(status) == signal.SIGKILL
    raise AssertionError


def main() -> None:
    root, kinds = Path(sys.argv[1]), tuple(sys.argv[2].split(","))
    if sys.argv[3:] == ["every-step"]:
        sys.stdout.write(str(train_killed_at_every_step(root, kinds)))
    else:
        train(root, kinds)


if __name__ == "__main__":
    main()
