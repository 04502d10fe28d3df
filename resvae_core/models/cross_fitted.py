"""The frame that every learned model shares: members on folds, calibration, intervals.

Fitting deals the training lines into folds and fits one *member* without each fold. The member
scores the fold it has not seen: those scores calibrate the probabilities and choose the
threshold. A prediction is the mean over members, and how much they differ gives the interval. So
the model that is judged is the model that is shipped. A training line that is uploaded again is
scored by members that saw it: its prediction looks better than a new line's.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from resvae_core.data.splits import leave_cell_line_out
from resvae_core.errors import ConfigError
from resvae_core.features.genes import arrange, order_genes
from resvae_core.features.scaling import Moments
from resvae_core.models.base import CELL_LINES, Arrays, Document, Prediction, ResponseModel, Samples
from resvae_core.models.calibration import (
    INTERVAL_REACH,
    Calibration,
    choose_threshold,
    fit_calibration,
)
from resvae_core.tables import Screen

Matrix = NDArray[np.float32]
Array = NDArray[np.float64]


class CrossFittedModel(ResponseModel):
    """Base of the models that learn from expression.

    Parameters
    ----------
    n_members
        Number of folds, and so of members; at least 2.
    seed
        Decides folds and everything random in the members.
    """

    reads = ("expression",)

    moments_: dict[str, Moments]
    calibration_: Calibration
    target_mean_: Array
    target_sd_: Array

    def __init__(self, *, n_members: int = 5, seed: int = 0) -> None:
        self.n_members = n_members
        self.seed = seed

    @abstractmethod
    def _fit_member(self, member: int, z: Matrix, target: Array) -> None:
        """Fit member number `member` on standardised genes and targets (NaN = not measured)."""

    @abstractmethod
    def _score_member(self, member: int, z: Matrix) -> Array:
        """Return (n_samples, n_drugs) predicted standardised ln IC50 of one member."""

    @abstractmethod
    def _member_arrays(self) -> Arrays:
        """Return the members' weights."""

    @abstractmethod
    def _restore_members(self, arrays: Arrays) -> None:
        """Take the members' weights back."""

    def fit(self, samples: Samples, screen: Screen) -> Self:
        """Fit members, calibration and threshold; see `ResponseModel.fit`."""
        if samples.expression.samples != screen.lines:
            raise ConfigError(
                "Expression and screen list different cell lines.",
                remedy="Select the same lines, in the same order, from both.",
            )
        self.genes_ = order_genes(samples.expression.genes)
        self.drugs_ = tuple(screen.drugs)
        values = arrange(samples.expression, self.genes_)
        self.moments_ = {CELL_LINES: Moments.of(values)}
        z = self.moments_[CELL_LINES].standardise(values)
        target = self._standardise_target(screen)
        held_out = self._fit_members(z, target, screen)
        labels = screen.resistant.to_numpy(float)
        self.calibration_ = fit_calibration(held_out, labels)
        self.threshold_ = choose_threshold(expit(self.calibration_.log_odds(held_out)), labels)
        return self

    def add_reference(self, name: str, moments: Moments) -> None:
        """Store the moments of another reference, for samples that are not cell lines."""
        self.moments_[name] = moments

    def predict(self, samples: Samples) -> Prediction:
        """Predict every drug for every sample; see `ResponseModel.predict`."""
        members = self.member_scores(self.standardise(samples))
        score = members.mean(axis=0)
        log_odds = self.calibration_.log_odds(score)
        reach = INTERVAL_REACH * self.calibration_.standard_error(score, members)
        index, columns = samples.expression.values.index, list(self.drugs_)
        frames = (
            pd.DataFrame(values, index=index, columns=columns)
            for values in (
                log_odds,
                expit(log_odds),
                expit(log_odds - reach),
                expit(log_odds + reach),
                self.target_mean_ + self.target_sd_ * score,
            )
        )
        return Prediction(*frames)

    def standardise(self, samples: Samples) -> Matrix:
        """Return (n_samples, n_genes) z-scores in the model's gene order."""
        self.check_fitted()
        if samples.reference not in self.moments_:
            raise ConfigError(
                f"The model {self.kind!r} has no reference {samples.reference!r}, "
                f"only {sorted(self.moments_)}.",
                remedy="Name one of those, or train the model with that reference.",
            )
        return self.moments_[samples.reference].standardise(
            arrange(samples.expression, self.genes_)
        )

    def member_scores(self, z: Matrix) -> Array:
        """Return (n_members, n_samples, n_drugs) predicted standardised ln IC50."""
        return np.stack([self._score_member(k, z) for k in range(self.n_members)])

    def learned(self) -> tuple[Arrays, Document]:
        """Return members, moments and calibration; see `ResponseModel.learned`."""
        arrays: Arrays = dict(self._member_arrays())
        for name, moments in self.moments_.items():
            arrays[f"moments.{name}.mean"] = moments.mean
            arrays[f"moments.{name}.sd"] = moments.sd
        arrays["calibration.slope"] = self.calibration_.slope
        arrays["calibration.intercept"] = self.calibration_.intercept
        arrays["calibration.covariance"] = self.calibration_.covariance
        arrays["target.mean"] = self.target_mean_
        arrays["target.sd"] = self.target_sd_
        return arrays, {"references": sorted(self.moments_)}

    def restore(self, arrays: Arrays, document: Document) -> None:
        """Take over what `learned` returned."""
        self.moments_ = {
            name: Moments(arrays[f"moments.{name}.mean"], arrays[f"moments.{name}.sd"])
            for name in document["references"]
        }
        self.calibration_ = Calibration(
            arrays["calibration.slope"],
            arrays["calibration.intercept"],
            arrays["calibration.covariance"],
        )
        self.target_mean_, self.target_sd_ = arrays["target.mean"], arrays["target.sd"]
        self._restore_members(arrays)

    def _standardise_target(self, screen: Screen) -> Array:
        ln_ic50 = screen.ln_ic50.to_numpy(float)
        self.target_mean_ = np.nanmean(ln_ic50, axis=0)
        self.target_sd_ = np.maximum(np.nanstd(ln_ic50, axis=0), 1e-6)
        target: Array = (ln_ic50 - self.target_mean_) / self.target_sd_
        return target

    def _fit_members(self, z: Matrix, target: Array, screen: Screen) -> Array:
        """Fit every member; return (n_lines, n_drugs) scores of lines it had not seen."""
        folds = leave_cell_line_out(screen.tissue, n_folds=self.n_members, seed=self.seed)
        row = {line: position for position, line in enumerate(screen.lines)}
        held_out = np.full(target.shape, np.nan)
        for fold in folds:
            train = [row[line] for line in fold.train]
            test = [row[line] for line in fold.test]
            self._fit_member(fold.number, z[train], target[train])
            held_out[test] = self._score_member(fold.number, z[test])
        return held_out
