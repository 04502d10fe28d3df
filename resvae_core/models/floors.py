"""Predictions without expression: what every score is measured against.

A model that is no better than its floor has learned the drug and the tissue, which the clinician
knows already. Floors go through the same contract and the same folds as the models.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import logit

from resvae_core.data.splits import leave_cell_line_out
from resvae_core.models.base import Arrays, Document, Prediction, ResponseModel, Samples
from resvae_core.models.calibration import choose_threshold
from resvae_core.tables import Screen

Array = NDArray[np.float64]

PRIOR_LINES = 5.0
"""A tissue's share is drawn towards the drug's share as if by this many more lines."""


class Floor(ResponseModel):
    """A table of shares: rows = tissues (the last one stands for every other), columns = drugs."""

    is_floor = True

    tissues_: tuple[str, ...]
    share_: Array
    error_: Array

    def fit(self, samples: Samples, screen: Screen) -> Self:
        """Count resistant lines; see `ResponseModel.fit`.

        The threshold is chosen as the learned models choose theirs, on lines that the shares were
        not counted on, so that metrics at a threshold compare like with like.
        """
        self.genes_ = ()
        self.drugs_ = tuple(screen.drugs)
        self.threshold_ = self._choose_threshold(screen)
        self._count(screen)
        return self

    def _count(self, screen: Screen) -> None:
        self.tissues_ = (*sorted(set(screen.tissue)), "any other")
        labels = screen.resistant.to_numpy(float)
        rows = [self._share(labels, (screen.tissue == t).to_numpy()) for t in self.tissues_]
        self.share_ = np.clip(np.stack([row[0] for row in rows]), 0.001, 0.999)
        self.error_ = np.stack([row[1] for row in rows])

    def _choose_threshold(self, screen: Screen) -> float:
        held_out = np.full(screen.resistant.shape, np.nan)
        for fold in leave_cell_line_out(screen.tissue):
            self._count(screen.select(fold.train))
            rows = screen.ln_ic50.index.get_indexer(pd.Index(fold.test))
            held_out[rows] = self.share_[
                self._rows(screen.tissue.loc[list(fold.test)].to_numpy(str))
            ]
        return choose_threshold(held_out, screen.resistant.to_numpy(float))

    def _rows(self, tissues: NDArray[np.str_]) -> list[int]:
        """Return the row of the table for each tissue; the last row for one never seen."""
        position = {tissue: row for row, tissue in enumerate(self.tissues_)}
        return [position.get(tissue, len(self.tissues_) - 1) for tissue in tissues]

    @abstractmethod
    def _share(self, labels: Array, of_tissue: NDArray[np.bool_]) -> tuple[Array, Array]:
        """Return the share resistant per drug and its standard error, for one tissue."""

    def predict(self, samples: Samples) -> Prediction:
        """Look the share up; see `ResponseModel.predict`. No ln IC50 is predicted."""
        self.check_fitted()
        rows = self._rows(samples.tissues())
        share, reach = self.share_[rows], 1.645 * self.error_[rows]
        index, columns = samples.expression.values.index, list(self.drugs_)
        frames = (
            pd.DataFrame(values, index=index, columns=columns)
            for values in (
                logit(share),
                share,
                np.clip(share - reach, 0, 1),
                np.clip(share + reach, 0, 1),
                np.full(share.shape, np.nan),
            )
        )
        return Prediction(*frames)

    def configuration(self) -> Document:
        """Return nothing: a floor has no settings."""
        return {}

    def learned(self) -> tuple[Arrays, Document]:
        """Return the table of shares."""
        return {"share": self.share_, "error": self.error_}, {"tissues": list(self.tissues_)}

    def restore(self, arrays: Arrays, document: Document) -> None:
        """Take over what `learned` returned."""
        self.share_, self.error_ = arrays["share"], arrays["error"]
        self.tissues_ = tuple(document["tissues"])


def _binomial_error(share: Array, n: Array) -> Array:
    error: Array = np.sqrt(share * (1 - share) / np.maximum(n, 1))
    return error


class AlwaysResistant(Floor):
    """Calls every pair resistant: what a good F1 of the majority class is worth."""

    kind = "always_resistant"
    title = "Always resistant"
    reads: ClassVar[tuple[str, ...]] = ()

    def _share(self, labels: Array, of_tissue: NDArray[np.bool_]) -> tuple[Array, Array]:
        certain = np.ones(labels.shape[1])
        return certain, np.zeros_like(certain)


class DrugMean(Floor):
    """The share of training lines that resist the drug."""

    kind = "drug_mean"
    title = "Drug mean"
    reads: ClassVar[tuple[str, ...]] = ()

    def _share(self, labels: Array, of_tissue: NDArray[np.bool_]) -> tuple[Array, Array]:
        share = np.nanmean(labels, axis=0)
        return share, _binomial_error(share, (~np.isnan(labels)).sum(axis=0))


class TissueMean(Floor):
    """How resistant a tissue is to drugs in general, added to the drug's mean."""

    kind = "tissue_mean"
    title = "Tissue mean"
    reads: ClassVar[tuple[str, ...]] = ("tissue",)

    def _share(self, labels: Array, of_tissue: NDArray[np.bool_]) -> tuple[Array, Array]:
        drug = np.nanmean(labels, axis=0)
        excess = (labels - drug)[of_tissue]
        n = np.count_nonzero(~np.isnan(excess)) / labels.shape[1]
        shift = np.nansum(excess) / labels.shape[1] / (n + PRIOR_LINES)
        share = np.clip(drug + shift, 0.001, 0.999)
        return share, _binomial_error(share, np.full(len(share), n + PRIOR_LINES))


class DrugTissueMean(Floor):
    """The share of training lines of the same tissue that resist the drug: the tissue floor."""

    kind = "drug_tissue_mean"
    title = "Drug × tissue mean"
    reads: ClassVar[tuple[str, ...]] = ("tissue",)

    def _share(self, labels: Array, of_tissue: NDArray[np.bool_]) -> tuple[Array, Array]:
        drug = np.nanmean(labels, axis=0)
        n = (~np.isnan(labels[of_tissue])).sum(axis=0)
        share = (np.nansum(labels[of_tissue], axis=0) + PRIOR_LINES * drug) / (n + PRIOR_LINES)
        return share, _binomial_error(share, n + PRIOR_LINES)
