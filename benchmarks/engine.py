"""Whether a training run gives the same bytes on every engine, and what it takes.

    PYTHONPATH=. python benchmarks/engine.py --data ../shared/data

Models are judged on the five folds of left-out cell lines of the real panel: by one and two
processes, by one and two local Dask workers, and by a cluster of a scheduler and two workers on
loopback. What is kept of each run is compared byte by byte with the first one's.

Wall time says little on a machine that does other work at the time, so the CPU time of the busiest
worker is printed too: what the run would take if every worker had a core of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil

from resvae_core.data.screens import TrainingSet, load_training_set, restrict
from resvae_core.data.splits import leave_cell_line_out
from resvae_core.engine.engine import Engine, open_engine
from resvae_core.evaluation.benchmark import fit_missing
from tests.core.engine.clusters import cluster

RUNS = ("processes:1", "processes:2", "dask:1", "dask:2", "cluster:2")


@dataclass(frozen=True)
class Measured:
    """What one run took, in seconds, and the digest of what it kept."""

    wall: float
    cpu: float
    busiest: float
    digest: str


def main() -> None:
    """Print a row a run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--kinds", nargs="+", default=["vae_ls", "xgboost"])
    parser.add_argument("--effort", choices=("full", "short"), default="full")
    parser.add_argument("--folds", type=int, default=5)
    parser.add_argument("--runs", nargs="+", default=RUNS, help="ENGINE:WORKERS")
    options = parser.parse_args()
    training_set = restrict(load_training_set(options.data))
    print(
        f"{', '.join(options.kinds)} ({options.effort}) and the floors, {options.folds} folds, "
        f"{len(training_set.screen.lines)} lines, {len(training_set.expression.genes)} genes, "
        f"{len(training_set.screen.drugs)} drugs; load of the machine {os.getloadavg()[0]:.1f}.\n"
    )
    print(
        "| engine | workers | wall s | CPU s of all workers | CPU s of the busiest | same bytes |"
        "\n|---|---|---|---|---|---|",
        flush=True,
    )
    first = ""
    for each in options.runs:
        kind, n_workers = each.split(":")
        found = measure(kind, int(n_workers), options, training_set)
        first = first or found.digest
        print(
            f"| {kind} | {n_workers} | {found.wall:.0f} | {found.cpu:.0f} | {found.busiest:.0f} | "
            f"{'yes' if found.digest == first else 'NO'} |",
            flush=True,
        )


def measure(
    kind: str, n_workers: int, options: argparse.Namespace, training_set: TrainingSet
) -> Measured:
    """Run the folds once on an engine."""
    folds = leave_cell_line_out(training_set.screen.tissue, seed=0)[: options.folds]
    with TemporaryDirectory() as folder, engine_of(kind, n_workers, Path(folder)) as engine:
        cache = Path(folder) / "evaluation"
        started = time.monotonic()
        fit_missing(
            options.kinds,
            folds,
            training_set.expression,
            training_set.screen,
            cache=cache,
            engine=engine,
            effort=options.effort,
        )
        wall = time.monotonic() - started
        times = [sum(child.cpu_times()[:2]) for child in psutil.Process().children(recursive=True)]
        return Measured(wall, sum(times), max(times), digest_of(cache))


@contextmanager
def engine_of(kind: str, n_workers: int, folder: Path) -> Iterator[Engine]:
    """Open an engine, with a cluster of its own where it asks for one."""
    if kind != "cluster":
        with open_engine(kind, n_workers, folder=folder) as engine:
            yield engine
        return
    with cluster(folder, n_workers) as running:
        running.wait_for_workers(n_workers)
        os.environ["RESVAE_SCHEDULER"] = running.address
        try:
            with open_engine("dask") as engine:
                yield engine
        finally:
            del os.environ["RESVAE_SCHEDULER"]


def digest_of(folder: Path) -> str:
    """Return a digest of every file's name and content."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            digest.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()


if __name__ == "__main__":
    main()
