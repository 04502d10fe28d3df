"""How long a 166 MB table takes to be read and checked, and how much memory.

Run ``python benchmarks/upload_166mb.py``; each figure comes from a process of its own. The tables
are synthetic: log-normal TPM for the genes of the catalogue, no patient behind them.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from resvae_core.data.genes import load_gene_table
from resvae_core.data.uploads import read_expression

TARGET_BYTES = 166_000_000
LIMIT_SECONDS = 10.0
LIMIT_BYTES = 1.5e9


def main() -> None:
    """Write both tables, read each in a fresh process, and print the figures."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    missed = False
    with tempfile.TemporaryDirectory() as folder:
        for orientation in ("genes_in_rows", "genes_in_columns"):
            path = Path(folder) / f"{orientation}.csv"
            write_table(path, orientation)
            command = [sys.executable, __file__, str(path)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            seconds, cpu, peak, samples, genes = json.loads(output)
            print(
                f"synthetic CSV, {path.stat().st_size / 1e6:.0f} MB, {orientation}: "
                f"{samples} samples × {genes:,} genes, {seconds:.1f} s "
                f"({cpu:.1f} s of CPU), peak {peak / 1e9:.2f} GB"
            )
            missed |= seconds > LIMIT_SECONDS or peak > LIMIT_BYTES
    sys.exit(int(missed))


def write_table(path: Path, orientation: str) -> None:
    """Write a synthetic table of TPM with two decimals, of the target size."""
    table = load_gene_table()
    coding = table.primary & (table.biotypes == "protein_coding") & (table.lengths > 0)
    names = table.symbols[coding].astype(str)
    lengths = table.lengths[coding]
    rng = np.random.default_rng(0)
    level = rng.normal(1.0, 1.3, len(names)) - np.log(lengths / np.median(lengths))
    n_samples = round(TARGET_BYTES / (5.62 * len(names)))
    tpm = np.exp(level + rng.normal(0, 0.7, (n_samples, len(names))))
    tpm[rng.random(tpm.shape) < 0.1] = 0
    tpm *= 0.93e6 / tpm.sum(axis=1, keepdims=True)
    samples = [f"synthetic_{i:04d}" for i in range(n_samples)]
    rows, columns, cells = (
        (names, samples, tpm.T) if orientation == "genes_in_rows" else (samples, names, tpm)
    )
    with path.open("w") as stream:
        stream.write("," + ",".join(columns) + "\n")
        for name, row in zip(rows, cells, strict=True):
            stream.write(name + "," + ",".join(f"{value:.2f}" for value in row) + "\n")


def measure(path: str) -> tuple[float, float, float, int, int]:
    """Return seconds, CPU seconds, peak memory in bytes, and the size of what was read."""
    started, cpu = time.perf_counter(), time.process_time()
    upload = read_expression(path)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    values = upload.expression.values
    return seconds, cpu, kilobytes * 1024.0, values.shape[0], values.shape[1]


if __name__ == "__main__":
    main()
