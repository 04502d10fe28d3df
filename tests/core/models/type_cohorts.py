"""Tumours of made-up types that differ in some genes, for tests of the cancer-type suggestion."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd

from resvae_core.data.type_tumours import TypeTumours
from resvae_core.tables import Expression

GENES = tuple(f"GENE{number:03d}" for number in range(120))
CODES = ("BLCA", "GBM", "LUAD", "STAD")
N_TUMOURS = 40


def draw_type(
    number: int, n: int = N_TUMOURS, seed: int = 0, prefix: str | None = None
) -> Expression:
    """Draw tumours whose genes ``20 * number`` to ``20 * number + 19`` are 4 log2 units higher."""
    rng = np.random.default_rng([seed, number])
    level = np.random.default_rng(7).uniform(1, 8, len(GENES))
    level[20 * number : 20 * number + 20] += 4
    purity = rng.normal(0, 1, (n, 1)) * np.random.default_rng(8).normal(0, 0.4, len(GENES))
    values = np.clip(level + purity + rng.normal(0, 0.6, (n, len(GENES))), 0, None)
    names = [f"{prefix or f'T{number}'}-{i:03d}" for i in range(n)]
    return Expression(pd.DataFrame(values.astype(np.float32), names, list(GENES)))


def draw_tumours(n_types: int = len(CODES), n: int = N_TUMOURS) -> dict[str, TypeTumours]:
    """Draw types of two pipelines."""
    return {
        code: TypeTumours(code, draw_type(number, n), "one" if number < 2 else "two")
        for number, code in enumerate(CODES[:n_types])
    }


def shift_gene(group: TypeTumours, gene: str, amount: float) -> TypeTumours:
    """Return the tumours with one gene higher, as a pipeline would have it."""
    values = group.expression.values.copy()
    values[gene] = values[gene] + np.float32(amount)
    return replace(group, expression=Expression(values))
