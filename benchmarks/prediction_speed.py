"""Time to predict with all shipped models.

    PYTHONPATH=. python benchmarks/prediction_speed.py

Samples are drawn at random around the reference (synthetic): speed does not depend on their values.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np
import pandas as pd

from resvae_core.explain.attribution import attribute
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression


def main() -> None:
    """Print a table of times."""
    start = time.perf_counter()
    model_set = load_model_set()
    print(f"| load and verify the model set | {time.perf_counter() - start:.2f} s |")
    values = np.random.default_rng(0).gamma(4, 1, (1000, len(model_set.genes)))
    names = [f"SYN-{number}" for number in range(1000)]
    many = Expression(pd.DataFrame(values.astype(np.float32), names, list(model_set.genes)))
    one = many.select(names[:1])
    once = timed(lambda: model_set.predict(one, cancer_type="LUAD"), repeats=20)
    print(f"| 1 sample × 72 drugs × all models, warm (median of 20) | {once:.3f} s |")
    batch = timed(lambda: model_set.predict(many, cancer_type="LUAD"), repeats=3)
    print(f"| 1,000 samples × 72 drugs × all models (median of 3) | {batch:.2f} s |")
    for kind in model_set.learned:
        model, samples = model_set.model(kind), model_set.samples(one)
        reasons = timed(lambda m=model, s=samples: attribute(m, s, "Cisplatin"), repeats=5)
        print(f"| explain 1 sample, 1 drug, {kind}, warm (median of 5) | {reasons:.3f} s |")


def timed(call: Callable[[], object], repeats: int) -> float:
    """Return the median seconds of a call, after one to warm up."""
    call()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


if __name__ == "__main__":
    main()
