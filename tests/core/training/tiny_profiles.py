"""Synthetic profiles that a small encoder learns in seconds."""

from __future__ import annotations

import numpy as np
import pandas as pd

from resvae_core.data.pretraining_profiles import PretrainingProfiles, ProfileGroup
from resvae_core.encoders.shipped import Architecture
from resvae_core.training.pretraining import PretrainingConfig

GENES = tuple(f"GENE{number:02d}" for number in range(24))
CONFIG = PretrainingConfig(
    Architecture(n_dimensions=8, width=16, hidden=24, n_blocks=1, n_values=2),
    n_epochs=4,
    batch_size=32,
    cell_line_repeats=2,
)


def tiny_profiles() -> PretrainingProfiles:
    """Return lines, two cohorts in log2(TPM + 1), and one in z-scores that lacks a gene."""
    rng = np.random.default_rng(5)
    loadings = rng.normal(0, 0.7, (3, len(GENES)))

    def draw(name: str, n: int) -> pd.DataFrame:
        values = 4 + rng.normal(size=(n, 3)) @ loadings + rng.normal(0, 0.3, (n, len(GENES)))
        index = [f"{name}-{number}" for number in range(n)]
        return pd.DataFrame(values.clip(0), index, list(GENES)).astype(np.float32)

    scores = draw("BRCA", 40)
    scores = (np.exp(scores) - 50).astype(np.float32)  # a long tail, as within-study z-scores have
    scores["GENE00"] = np.float32(np.nan)
    return PretrainingProfiles(
        GENES,
        (
            ProfileGroup("cell_lines", "log2tpm", draw("ACH", 60)),
            ProfileGroup("GBM", "log2tpm", draw("GBM", 40)),
            ProfileGroup("LUAD", "log2tpm", draw("LUAD", 40) + 1),
            ProfileGroup("BRCA", "zscore", scores),
        ),
    )
