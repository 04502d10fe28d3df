"""Tiny model sets on synthetic data with real gene and drug names, for the registry's tests.

    python -m tests.core.registry.tiny_sets FOLDER

Trained in seconds; nothing in them means anything.
"""

from __future__ import annotations

import atexit
import json
import shutil
import sys
import tempfile
from functools import cache
from pathlib import Path

import pandas as pd

from resvae_core.data.files import file_digest
from resvae_core.data.screens import TrainingSet, load_training_set, restrict
from resvae_core.data.splits import leave_cell_line_out
from resvae_core.engine.engine import open_engine
from resvae_core.evaluation.benchmark import permuted, read_held_out, run
from resvae_core.evaluation.summary import evaluation_tables
from resvae_core.registry.training_run import Plan, fit_set, load_tumours, publish
from tests.tiny_data import install_tiny_data

KINDS = ("elastic_net",)
Tables = dict[str, pd.DataFrame]


@cache
def tiny_set() -> Path:
    """Return a set that is trained once a process; copy it, never change it."""
    root = Path(tempfile.mkdtemp(prefix="resvae-tiny-set-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return train_tiny_set(root)


def wide_set(target: Path, **changes: object) -> Path:
    """Copy the tiny set with a reference that takes every sample for one in range."""
    return _widen(staged_copy(tiny_set(), target, **changes))


def _widen(target: Path) -> Path:
    path = target / "references" / "tumours.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["thresholds"] = dict.fromkeys(document["thresholds"], 1e9)
    replace_in_set(target, "references/tumours.json", json.dumps(document).encode())
    return target


@cache
def _one_drug_set() -> Path:
    root = Path(tempfile.mkdtemp(prefix="resvae-one-drug-"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    return train_tiny_set(root, "one-drug", drugs=("Erlotinib",))


def one_drug_set(target: Path) -> Path:
    """Train a set of Erlotinib alone, once a process, and copy it with a wide reference."""
    return _widen(staged_copy(_one_drug_set(), target))


def train_tiny_set(
    root: Path, name: str = "tiny", kinds: tuple[str, ...] = KINDS, drugs: tuple[str, ...] = ()
) -> Path:
    """Judge, fit and save a set of some drugs below a folder; return the set's folder."""
    data = root / "data"
    if not data.is_dir():
        install_tiny_data(data)
    training_set, tumours = restrict(load_training_set(data), drugs), load_tumours(data)
    plan = Plan(name, kinds, "2026-01-01")
    evaluation = judge(training_set, kinds, root / "cache")
    model_set = fit_set(plan, training_set, tumours)
    target = root / name
    publish(plan, model_set, training_set, tumours, evaluation, target)
    return target


def judge(training_set: TrainingSet, kinds: tuple[str, ...], cache: Path) -> Tables:
    """Judge models and floors on five folds and, as the negative control, with permuted labels."""
    screen = training_set.screen
    folds = list(leave_cell_line_out(screen.tissue, n_folds=5))
    folds += [permuted(fold) for fold in folds]
    judged = (kinds, folds, training_set.expression, screen)
    with open_engine("serial") as engine:
        table = run(*judged, cache=cache, engine=engine)
    held_out = read_held_out(*judged, cache=cache)
    return evaluation_tables(table, held_out, screen)


def staged_copy(source: Path, target: Path, **changes: object) -> Path:
    """Copy a set and change keys of its description: another set, with another digest."""
    shutil.copytree(source, target)
    path = target / "model_set.json"
    document = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(document), encoding="utf-8")
    return target


def replace_in_set(folder: Path, file: str, content: bytes) -> None:
    """Change a file of a set together with its digest, as if it had been trained like that."""
    (folder / file).write_bytes(content)
    path = folder / "model_set.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["digests"][file] = file_digest(folder / file)
    path.write_text(json.dumps(document), encoding="utf-8")


if __name__ == "__main__":
    sys.stdout.write(f"{train_tiny_set(Path(sys.argv[1]))}\n")
