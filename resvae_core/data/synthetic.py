"""Synthetic expression profiles: a low-rank factor model of real ones.

Real patients give the model a mean, a few directions in which they vary together, and a spread per
gene. What is drawn from it has those moments and belongs to nobody: no profile is a copy, a mixture
or a perturbation of one patient's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.errors import InputDataError
from resvae_core.tables import Expression


@dataclass(frozen=True)
class FactorModel:
    """Mean, loadings and residual spread of expression in log2(TPM + 1).

    A sample is ``mean + factors @ loadings + residual_sd * noise``, clipped at 0, with factors and
    noise standard normal (probabilistic PCA with a spread per gene).

    Parameters
    ----------
    mean
        (n_genes,) mean of each gene. Index: gene symbols.
    loadings
        (n_factors, n_genes) effect of one standard deviation of each factor.
    residual_sd
        (n_genes,) standard deviation that the factors leave, at least 0.
    """

    mean: pd.Series[float]
    loadings: np.ndarray
    residual_sd: np.ndarray

    @classmethod
    def fit(cls, values: pd.DataFrame, n_factors: int) -> FactorModel:
        """Estimate the model from real profiles by a singular value decomposition.

        Parameters
        ----------
        values
            (n_samples, n_genes) log2(TPM + 1), without missing values.
        n_factors
            How many directions to keep, well below the number of samples: with few, a sample
            cannot lie near one patient's own profile.

        Returns
        -------
        FactorModel
            It reproduces each gene's variance exactly before the clipping at 0.

        Raises
        ------
        InputDataError
            If a value is missing, or there are not more than `n_factors` + 1 samples.
        """
        matrix = values.to_numpy(float)
        if np.isnan(matrix).any():
            raise InputDataError(
                f"{int(np.isnan(matrix).any(axis=0).sum())} genes have a missing value; complete "
                "profiles were expected.",
                remedy="Leave those genes out first.",
            )
        n_samples = len(matrix)
        if n_samples <= n_factors + 1:
            raise InputDataError(
                f"{n_samples} samples cannot give {n_factors} factors; more than {n_factors + 1} "
                "samples are needed.",
                remedy="Use fewer factors or more samples.",
            )
        mean = matrix.mean(axis=0)
        centred = matrix - mean
        _, singular, directions = np.linalg.svd(centred, full_matrices=False)
        scale = singular[:n_factors, None] / np.sqrt(n_samples - 1)
        loadings = scale * _fixed_signs(directions[:n_factors])
        residual = centred.var(axis=0, ddof=1) - (loadings**2).sum(axis=0)
        return cls(
            mean=pd.Series(mean, index=values.columns),
            loadings=loadings,
            residual_sd=np.sqrt(np.clip(residual, 0.0, None)),
        )

    def sample(self, n: int, seed: int, *, prefix: str = "SYN") -> Expression:
        """Draw synthetic profiles.

        Parameters
        ----------
        n
            How many.
        seed
            The same seed gives the same profiles.
        prefix
            Samples are named ``SYN-0001`` and so on.

        Returns
        -------
        Expression
            (n, n_genes) log2(TPM + 1), at least 0.
        """
        generator = np.random.default_rng(seed)
        factors = generator.standard_normal((n, len(self.loadings)))
        noise = generator.standard_normal((n, len(self.mean)))
        values = self.mean.to_numpy() + factors @ self.loadings + self.residual_sd * noise
        names = pd.Index([f"{prefix}-{number:04d}" for number in range(1, n + 1)], name="patient")
        table = pd.DataFrame(np.clip(values, 0.0, None), index=names, columns=self.mean.index)
        return Expression(table.astype(np.float32))


def _fixed_signs(directions: np.ndarray) -> np.ndarray:
    """Turn each direction so that its largest part is positive: libraries differ in the sign."""
    largest = np.abs(directions).argmax(axis=1)
    signs = np.sign(directions[np.arange(len(directions)), largest])
    return np.asarray(signs[:, None] * directions)
