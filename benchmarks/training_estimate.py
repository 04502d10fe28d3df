"""CPU time, memory and disk of fitting each kind of model: what training estimates rest on.

    python benchmarks/training_estimate.py --data ../shared/data

Each fit runs in a process of its own with one thread. A full fit is measured at the size of the
shipped training set; how time grows with lines, drugs and genes is measured on short fits. The
printed table goes into `resvae_core.registry.training_estimate`.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from resvae_core.compute import one_thread
from resvae_core.data.screens import load_training_set, restrict
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.catalog import Effort, build_model, learned_names
from resvae_core.tables import Expression

SIZES = {"whole": (1.0, 1.0, 1.0), "lines": (0.5, 1.0, 1.0), "drugs": (1.0, 0.25, 1.0)}
SIZES |= {"genes": (1.0, 1.0, 0.25)}
"""Shares of lines, drugs and genes."""


def fit(data: Path, kind: str, effort: Effort, shares: tuple[float, float, float]) -> dict:
    """Fit one kind (what it needs first, not counted) and return what it took."""
    whole = restrict(load_training_set(data))
    lines, drugs, genes = (
        names[: max(1, round(len(names) * share))]
        for names, share in zip(
            (whole.screen.lines, whole.screen.drugs, whole.expression.genes), shares, strict=True
        )
    )
    chosen = restrict(whole, drugs, set(genes))
    screen = chosen.screen.select(tuple(lines))
    expression = Expression(chosen.expression.values.loc[list(lines)])
    samples = Samples(expression, screen.tissue)
    fitted: dict[str, ResponseModel] = {}
    with one_thread():
        for name in [*build_model(kind).needs, kind]:
            model = build_model(name, effort=effort)
            model.build_from({part: fitted[part] for part in model.needs})
            start = time.process_time()
            fitted[name] = model.fit(samples, screen)
            seconds = time.process_time() - start
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).rglob("*"))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": seconds, "peak_gb": peak, "mb": size / 1e6}


def measure(data: Path, kind: str, effort: Effort, size: str) -> dict[str, float]:
    """Run `fit` in a process of its own."""
    command = [sys.executable, __file__, "--data", str(data), "--one", kind, effort, size]
    threads = {"OMP_NUM_THREADS": "1", "RESVAE_DEVICE": "cpu"}
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=os.environ | threads
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def exponent(whole: float, part: float, share: float) -> float:
    """Return by which power of its size a fit's time grows."""
    return float(np.log(part / whole) / np.log(share))


def main() -> None:
    """Measure every kind and print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--one", nargs=3)
    arguments = parser.parse_args()
    if arguments.one:
        kind, effort, size = arguments.one
        print(json.dumps(fit(arguments.data, kind, effort, SIZES[size])))
        return
    print("| kind | full, s | short, s | lines^ | drugs^ | genes^ | peak GB | weights MB |")
    print("|---|---|---|---|---|---|---|---|")
    for kind in learned_names():
        full = measure(arguments.data, kind, "full", "whole")
        short = {size: measure(arguments.data, kind, "short", size)["seconds"] for size in SIZES}
        powers = [
            exponent(short["whole"], short[size], SIZES[size][place])
            for place, size in enumerate(("lines", "drugs", "genes"))
        ]
        cells = [f"{full['seconds']:.1f}", f"{short['whole']:.1f}", *(f"{p:.2f}" for p in powers)]
        cells += [f"{full['peak_gb']:.2f}", f"{full['mb']:.1f}"]
        print(f"| {kind} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
