"""Time and memory of genome-wide association: every gene with the scores of nine drugs.

    PYTHONPATH=. python benchmarks/association_speed.py

On random numbers of the size of the largest cohort, so that no data are needed: 19,498 genes, 513
patients, nine drugs; plain, given purity (one covariate), given general resistance (one covariate
a drug), and q-values.
"""

from __future__ import annotations

import resource
import time

import numpy as np
from scipy.stats import pearsonr

from resvae_core.compute import one_thread
from resvae_core.explain.associations import correlate, correlate_given, false_discovery

N_PATIENTS, N_GENES, N_DRUGS = 513, 19_498, 9
LOOP_GENES = 500
"""Genes that the loop for comparison is timed on; its whole time is extrapolated."""


def main() -> None:
    """Print one line a step."""
    rng = np.random.default_rng(0)
    values = rng.normal(5, 2, (N_PATIENTS, N_GENES)).astype(np.float32)
    scores = rng.normal(size=(N_PATIENTS, N_DRUGS))
    purity = rng.uniform(0.2, 1, N_PATIENTS)
    general = rng.normal(size=(N_PATIENTS, N_DRUGS))
    before = peak_mib()
    with one_thread():
        start = time.perf_counter()
        plain = correlate(values, scores)
        report("plain", start)
        given = time.perf_counter()
        correlate_given(values, scores, purity)
        report("given purity", given)
        given = time.perf_counter()
        correlate_given(values, scores, general)
        report("given general resistance", given)
        given = time.perf_counter()
        false_discovery(plain.p_value)
        report("q-values", given)
        report("all of it", start)
        given = time.perf_counter()
        for gene in range(LOOP_GENES):
            pearsonr(values[:, gene], scores[:, 0])
        seconds = (time.perf_counter() - given) * N_GENES * N_DRUGS / LOOP_GENES
    print(f"scipy.stats.pearsonr gene by gene, plain only, extrapolated: {seconds:.0f} s")
    print(f"memory on top of the data: {peak_mib() - before:.0f} MiB")


def report(step: str, start: float) -> None:
    """Print how long a step took."""
    print(f"{step}: {time.perf_counter() - start:.2f} s", flush=True)


def peak_mib() -> float:
    """Return the process's peak memory in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
