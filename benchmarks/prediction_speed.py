"""Time, memory and size of predictions with all shipped models.

    PYTHONPATH=. python benchmarks/prediction_speed.py

Samples are drawn at random around the reference (synthetic): speed does not depend on their values.
Memory is the peak of a process that does nothing else, so each figure has a process of its own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.cli.options import write_table, write_tables
from resvae_core.config import models_folder
from resvae_core.models.base import WEIGHTS_FILE, ResponseModel
from resvae_core.models.model_set import CHUNK, ModelSet
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression

FEW, MANY = 1_000, 10_000
TEACHER, STUDENT = "vae_ll", "vae_ld"


def main() -> None:
    """Print a table of times, memory and sizes."""
    start = time.perf_counter()
    model_set = load_model_set()
    print(f"| load and verify the model set | {time.perf_counter() - start:.2f} s |")
    one, many = synthetic(model_set, 1), synthetic(model_set, 1000)
    once = timed(lambda: model_set.predict(one, cancer_type="LUAD"), repeats=20)
    print(f"| 1 sample × 72 drugs × all models, warm (median of 20) | {once:.3f} s |")
    batch = timed(lambda: model_set.predict(many, cancer_type="LUAD"), repeats=3)
    print(f"| 1,000 samples × 72 drugs × all models (median of 3) | {batch:.2f} s |")
    report_memory()
    if {TEACHER, STUDENT} <= set(model_set.models):
        report_distillation(model_set)


def synthetic(model_set: ModelSet, n: int) -> Expression:
    """Return n samples that have every gene that a model of the set reads."""
    genes = sorted({gene for model in model_set.models.values() for gene in genes_read(model)})
    values = np.random.default_rng(0).gamma(4, 1, (n, len(genes))).astype(np.float32)
    return Expression(pd.DataFrame(values, [f"SYN-{number}" for number in range(n)], genes))


def genes_read(model: ResponseModel) -> set[str]:
    """Return the genes of a model and of the encoder under it."""
    return {*model.genes_, *getattr(getattr(model, "encoder_", None), "genes", ())}


def timed(call: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of a call, after one to warm up."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def report_memory() -> None:
    """Print peak memory and time of processes that predict many samples or one."""
    for what, n in (("at once", FEW), ("in chunks", FEW), ("in chunks", MANY)):
        command = [sys.executable, __file__, what, str(n)]
        printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peak, loaded, seconds = map(float, printed.split())
        how = f" of {CHUNK}" if what == "in chunks" else ""
        print(
            f"| {n:,} samples × 72 drugs × all models {what}{how}, to CSV | {seconds:.1f} s, peak "
            f"{peak:,.0f} MB ({loaded:,.0f} MB with models and samples loaded) |"
        )


def measure_memory(what: str, n: int) -> None:
    """Predict in this process; print its peak memory, that before predicting (MB), and seconds."""
    model_set = load_model_set()
    samples = synthetic(model_set, n)
    loaded = memory_mb("VmRSS")
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forgets the peak of loading
    start = time.perf_counter()
    if what == "at once":
        write_table(model_set.predict(samples).table, Path(os.devnull))
    else:
        forecasts = model_set.predict_in_chunks(samples)
        write_tables((forecast.table for forecast in forecasts), Path(os.devnull))
    print(memory_mb("VmHWM"), loaded, time.perf_counter() - start)


def memory_mb(line: str) -> float:
    """Return a line of this process's status (Linux) in MB: ``VmRSS`` now, ``VmHWM`` the peak."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split(f"{line}:")[1].split()[0]) / 1024


def report_distillation(model_set: ModelSet) -> None:
    """Print speed and size of the student beside its teacher with the encoder it reads."""
    teacher, student = model_set.model(TEACHER), model_set.model(STUDENT)
    for n in (1, 256):
        samples = model_set.samples(synthetic(model_set, n))
        slow, fast = (
            timed(lambda m=model, s=samples: m.predict(s), repeats=5) / n
            for model in (teacher, student)
        )
        print(
            f"| {n} sample(s) × 72 drugs: {TEACHER} with its encoder / {STUDENT}, a sample "
            f"| {slow * 1e3:.2f} ms / {fast * 1e3:.2f} ms: {slow / fast:.1f} times |"
        )
    for model in (teacher, student):
        own, under = n_parameters(model), n_encoder_parameters(model)
        print(
            f"| {model.kind}: parameters of all members + encoder, size of both on disk "
            f"| {own:,} + {under:,} = {own + under:,}, {size_mb(model):.1f} MB |"
        )


def n_parameters(model: ResponseModel) -> int:
    """Return how many numbers a model has learned, calibration and moments included."""
    return sum(array.size for array in model.learned()[0].values())


def n_encoder_parameters(model: ResponseModel) -> int:
    """Return how many numbers the encoder that a model reads has learned; 0 without one."""
    return getattr(getattr(model, "encoder_", None), "n_parameters", 0)


def size_mb(model: ResponseModel) -> float:
    """Return the size of the weights of a model and of the encoder it reads, in MB."""
    encoder = getattr(model, "encoder_", None)
    folders = [model.kind] + ([] if encoder is None else [f"encoders/{encoder.name}"])
    weights = (models_folder() / folder / WEIGHTS_FILE for folder in folders)
    return sum(path.stat().st_size for path in weights) / 1e6


if __name__ == "__main__":
    if len(sys.argv) == 3:
        measure_memory(sys.argv[1], int(sys.argv[2]))
    else:
        main()
