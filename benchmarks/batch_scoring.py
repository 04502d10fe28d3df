"""Throughput, parallel efficiency and memory of batch scoring, from Parquet to Parquet.

    PYTHONPATH=. python benchmarks/batch_scoring.py [--samples N] [--compare N] [--engine KIND]

Scores synthetic samples (drawn around the reference's groups, along its directions: nobody's) with
two models and all drugs: ``--compare`` samples by one worker and by two, then ``--samples`` by two.
Each run is a process of its own with workers of its own; memory is looked at ten times a second,
over all of them. Read the figures beside the load of the machine, which is printed too.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq

from resvae_core.compute import peak_memory
from resvae_core.engine.engine import open_engine
from resvae_core.registry.batch_scoring import ScoringRequest, score_cohort
from resvae_core.registry.description import active_set_folder
from resvae_core.registry.score_folder import verify_scores
from resvae_core.registry.store import load_model_set

MODELS = ("vae_ld", "xgboost")
N_DRUGS = 72
GROUP = 8_192
"""Samples in a row group of the input."""
RESIDUAL = 0.6
"""Spread that the reference's directions leave, in standard deviations of a gene."""
MB = 1e6
TARGET = 10_000_000


def main() -> None:
    """Print a table of figures."""
    options = read_options()
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        folder = Path(name)
        print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}\n")
        write_synthetic(folder / "compare.parquet", options.compare)
        runs = [run(folder, "compare", workers, options.engine) for workers in (1, 2)]
        for found in runs:
            describe(found)
        one, two = (found["samples"] / found["scoring_seconds"] for found in runs)
        print(f"| parallel efficiency of 2 workers | {two / one:.2f} / 2 = {two / one / 2:.0%} |")
        write_synthetic(folder / "many.parquet", options.samples)
        many = run(folder, "many", 2, options.engine)
        describe(many)
        extrapolate(many)


def read_options() -> argparse.Namespace:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=200_000)
    parser.add_argument("--compare", type=int, default=32_768)
    parser.add_argument("--engine", default="processes", choices=("processes", "dask"))
    parser.add_argument("--folder", type=Path, help="where temporary files go")
    return parser.parse_args()


def write_synthetic(path: Path, n: int) -> None:
    """Write n synthetic samples, a row group at a time."""
    reference = load_model_set(kinds=["drug_mean"]).references["tumours"]
    spread = np.linalg.cholesky(np.linalg.inv(reference.precision))
    rng = np.random.default_rng(0)
    genes = list(reference.genes)
    schema = pa.schema([("sample", pa.string()), *((gene, pa.float32()) for gene in genes)])
    with pq.ParquetWriter(path, schema, use_dictionary=["sample"]) as writer:
        for first in range(0, n, GROUP):
            size = min(GROUP, n - first)
            centres = reference.centres[rng.integers(0, len(reference.centres), size)]
            place = centres + rng.standard_normal((size, len(spread))) @ spread.T
            z = place @ reference.directions
            z += RESIDUAL * rng.standard_normal(z.shape)
            values = reference.moments.mean + reference.moments.sd * z
            columns = np.maximum(values, 0).astype(np.float32).T
            names = [f"SYN-{number:08d}" for number in range(first, first + size)]
            arrays = [pa.array(names), *(pa.array(column) for column in columns)]
            writer.write_table(pa.table(arrays, schema=schema))


def run(folder: Path, name: str, workers: int, engine: str) -> dict[str, float]:
    """Score in a process of its own and watch its memory, and that of its workers."""
    arguments = [str(folder / f"{name}.parquet"), str(folder / f"{name}-{workers}")]
    command = [sys.executable, __file__, "--run", *arguments, str(workers), engine]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    watch = Watch(process.pid)
    watch.start()
    printed, _ = process.communicate()
    if process.returncode:
        raise SystemExit(process.returncode)
    watch.join()
    found: dict[str, float] = json.loads(printed.splitlines()[-1])
    check = verify_scores(folder / f"{name}-{workers}")
    return {
        **found,
        "seconds": time.perf_counter() - start,
        "peak_sum": watch.peak,
        "load": os.getloadavg()[0],
        "input_bytes": (folder / f"{name}.parquet").stat().st_size,
        "bytes": check.bytes,
        "rows": check.rows,
    }


class Watch(threading.Thread):
    """Follows the memory of a process and of all below it, until it ends."""

    def __init__(self, process: int) -> None:
        super().__init__(daemon=True)
        self.process = psutil.Process(process)
        self.peak = 0

    def run(self) -> None:
        """Keep the highest sum of resident memory; pages that processes share count in each."""
        while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
            total = 0
            try:
                for each in (self.process, *self.process.children(recursive=True)):
                    total += each.memory_info().rss
            except psutil.NoSuchProcess:
                continue
            self.peak = max(self.peak, total)
            time.sleep(0.1)


def score(source: str, out: str, workers: int, engine: str) -> None:
    """Score in this process; print figures as JSON."""
    seen: list[tuple[float, int]] = []

    def note(step: str, done: int, total: int) -> None:
        if total:
            seen.append((time.perf_counter(), done))

    request = ScoringRequest(Path(source), Path(out), MODELS, set_folder=active_set_folder())
    with open_engine(engine, workers) as opened:
        scored = score_cohort(request, opened, report=note)
    cpu = os.times()
    # from the first batch that was done: models are loaded by then
    (begin, before), (end, after) = seen[1], seen[-1]
    print(
        json.dumps(
            {
                "workers": workers,
                "samples": scored.samples,
                "scoring_seconds": (end - begin) * scored.samples / (after - before),
                "cpu_seconds": cpu.user + cpu.system + cpu.children_user + cpu.children_system,
                "program_peak": peak_memory(),
                "worker_peak": max(scored.peak_memory.values()),
            }
        )
    )


def describe(found: dict[str, float]) -> None:
    """Print what a run took."""
    n, memory = found["samples"], [found[f"{name}_peak"] / MB for name in ("program", "worker")]
    cells = (
        f"{n:,} samples × {N_DRUGS} drugs × {len(MODELS)} models, {found['workers']} worker(s)",
        f"{found['seconds']:.0f} s in all, {n / found['scoring_seconds']:,.0f} samples a second "
        f"while scoring, {1e3 * found['cpu_seconds'] / n:.2f} ms of CPU a sample, load "
        f"{found['load']:.1f}",
        f"peak memory {memory[0]:,.0f} MB (program), {memory[1]:,.0f} MB (each worker), "
        f"{found['peak_sum'] / MB:,.0f} MB (all together, shared pages counted in each)",
        f"{found['rows']:,} rows, each there once, {found['bytes'] / MB:,.0f} MB from "
        f"{found['input_bytes'] / MB:,.0f} MB",
    )
    print(f"| {' | '.join(cells)} |", flush=True)


def extrapolate(found: dict[str, float]) -> None:
    """Print what ten million samples would take, by proportion."""
    n, rate = found["samples"], found["samples"] / found["scoring_seconds"]
    hours = TARGET / rate / 3600
    ideal = found["cpu_seconds"] / n * TARGET / 2 / 3600
    scale = TARGET / n
    gigabytes = (found["bytes"] * scale / 1e9, found["input_bytes"] * scale / 1e9)
    print(
        f"\n{TARGET:,} samples, by proportion: {TARGET:,} / {rate:,.0f} a second = "
        f"{TARGET / rate:,.0f} s = {hours:.1f} h with 2 workers, and {2 * hours:.1f} / W h with W "
        f"cores like these, as long as files can be read so fast. With two cores to itself: "
        f"{found['cpu_seconds'] / n * 1e3:.2f} ms × {TARGET:,} / 2 = {ideal:.1f} h. "
        f"{found['bytes'] / n:,.0f} bytes a sample × {TARGET:,} = {gigabytes[0]:,.1f} GB out, from "
        f"{gigabytes[1]:,.1f} GB in; {TARGET * N_DRUGS * len(MODELS):,} rows. Names: 8 bytes × "
        f"{TARGET:,} = {8 * TARGET / MB:,.0f} MB in the program, twice that while they are sorted; "
        "a worker's memory does not depend on the number of samples."
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--run"]:
        score(sys.argv[2], sys.argv[3], int(sys.argv[4]), sys.argv[5])
    else:
        main()
