"""Frozen moments: how expression becomes comparable, one sample at a time.

A sample is standardised with the mean and spread of a *reference* that was fixed when the model was
made (the training cell lines, or reference tumours), never with those of the samples it arrives
with. So a patient's score cannot depend on who else is in the file.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MINIMAL_SD = 0.1
"""Smallest spread (log2 units) that a gene is divided by: a silent gene stays silent."""


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of each gene in a reference.

    Parameters
    ----------
    mean, sd
        (n_genes,) float32, in log2(TPM + 1).
    """

    mean: NDArray[np.float32]
    sd: NDArray[np.float32]

    @classmethod
    def of(cls, *groups: NDArray[np.float32]) -> Moments:
        """Measure the moments of reference samples.

        Parameters
        ----------
        groups
            Each (n_samples, n_genes), NaN where not measured. Several groups (cohorts) weigh the
            same, whatever their sizes.
        """
        counts = np.stack([np.isfinite(group).sum(axis=0) for group in groups])
        sums = np.stack([np.nansum(group, axis=0, dtype=float) for group in groups])
        squares = np.stack([np.nansum(np.square(group, dtype=float), axis=0) for group in groups])
        n_groups = (counts > 0).sum(axis=0)
        with np.errstate(invalid="ignore"):  # a gene that no group measured has no moments
            mean = (sums / np.maximum(counts, 1)).sum(axis=0) / n_groups
            square = (squares / np.maximum(counts, 1)).sum(axis=0) / n_groups
        sd = np.sqrt(np.maximum(square - np.square(mean), MINIMAL_SD**2))
        return cls(mean.astype(np.float32), sd.astype(np.float32))

    def standardise(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return (n_samples, n_genes) z-scores; a missing gene is read as the mean, 0."""
        scaled = (values - self.mean) / self.sd
        filled: NDArray[np.float32] = np.nan_to_num(scaled, nan=0.0).astype(np.float32)
        return filled
