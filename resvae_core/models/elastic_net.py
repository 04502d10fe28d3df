"""Elastic net on ln IC50: the strong simple model that is always reported."""

from __future__ import annotations

import warnings

import numpy as np

from resvae_core.models.base import Arrays, Document
from resvae_core.models.calibrated import Array, Matrix
from resvae_core.models.cross_fitted import CrossFittedModel, Rows


class ElasticNet(CrossFittedModel):
    """Linear in standardised genes, one regression a drug.

    Parameters
    ----------
    alpha, l1_ratio
        Strength and share of the L1 penalty, as in scikit-learn; the target has variance 1.
    n_members, seed
        See `CrossFittedModel`.
    """

    kind = "elastic_net"
    title = "Elastic net"

    weights_: Matrix
    """(n_members, n_genes, n_drugs)"""
    intercept_: Matrix
    """(n_members, n_drugs)"""

    def __init__(
        self, *, alpha: float = 2.0, l1_ratio: float = 0.01, n_members: int = 5, seed: int = 0
    ) -> None:
        super().__init__(n_members=n_members, seed=seed)
        self.alpha = alpha
        self.l1_ratio = l1_ratio

    def configuration(self) -> Document:
        """Return the constructor's arguments."""
        return {
            "alpha": self.alpha,
            "l1_ratio": self.l1_ratio,
            "n_members": self.n_members,
            "seed": self.seed,
        }

    def _fit_member(self, member: int, z: Matrix, target: Array, rows: Rows) -> None:
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import ElasticNet as Regression

        if member == 0:
            self.weights_ = np.zeros((self.n_members, z.shape[1], target.shape[1]), np.float32)
            self.intercept_ = np.zeros((self.n_members, target.shape[1]), np.float32)
        with warnings.catch_warnings():
            # 200 sweeps at this tolerance leave the score unchanged to the fourth digit
            warnings.simplefilter("ignore", ConvergenceWarning)
            for drug in range(target.shape[1]):
                measured = ~np.isnan(target[:, drug])
                net = Regression(
                    alpha=self.alpha, l1_ratio=self.l1_ratio, max_iter=200, tol=1e-3
                ).fit(z[measured].astype(float), target[measured, drug])
                self.weights_[member, :, drug] = net.coef_
                self.intercept_[member, drug] = net.intercept_

    def _score_member(self, member: int, z: Matrix) -> Array:
        score: Array = z.astype(float) @ self.weights_[member] + self.intercept_[member]
        return score

    def _member_arrays(self) -> Arrays:
        return {"weights": self.weights_, "intercept": self.intercept_}

    def _restore_members(self, arrays: Arrays) -> None:
        self.weights_, self.intercept_ = arrays["weights"], arrays["intercept"]
