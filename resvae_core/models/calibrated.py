"""What every learned model shares once it has scores: calibration, threshold, sets, intervals."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit

from resvae_core.data.cancer_types import is_blood
from resvae_core.errors import ConfigError
from resvae_core.features.genes import arrange
from resvae_core.features.scaling import Moments
from resvae_core.models.base import Arrays, Document, Prediction, ResponseModel, Samples
from resvae_core.models.calibration import (
    INTERVAL_REACH,
    Calibration,
    choose_threshold,
    fit_calibration,
)
from resvae_core.models.conformal import (
    Conformal,
    fit_conformal,
    in_words,
    lineage_codes,
)
from resvae_core.tables import Expression, Screen

Matrix = NDArray[np.float32]
Array = NDArray[np.float64]


class Calibrated(NamedTuple):
    """What a model's scores mean, every array (n_samples, n_drugs); see `Prediction`."""

    score: Array
    log_odds: Array
    probability: Array
    lower: Array
    upper: Array
    sets: NDArray[np.int8]
    """Codes of conformal sets."""


class CalibratedModel(ResponseModel):
    """Base of the models that learn from expression: several scores of a pair, calibrated.

    Parameters
    ----------
    n_members
        Number of folds, and so of scores of a pair; at least 2.
    seed
        Decides folds and everything random.
    """

    reads = ("expression",)

    moments_: dict[str, Moments]
    calibration_: Calibration
    conformal_: Conformal
    held_out_: Array
    """(n_lines, n_drugs) scores of the training lines by members that had not seen them; not saved.
    """
    target_mean_: Array
    target_sd_: Array

    def __init__(self, *, n_members: int = 5, seed: int = 0) -> None:
        self.n_members = n_members
        self.seed = seed

    @abstractmethod
    def score_members(self, samples: Samples) -> Array:
        """Return (n_members, n_samples, n_drugs) scores, higher = more resistant."""

    def add_reference(self, name: str, cohorts: Sequence[Expression]) -> None:
        """Learn the moments of another reference, for samples that are not cell lines.

        Parameters
        ----------
        name
            As in `Samples.reference`.
        cohorts
            Expression of the reference's cohorts; each weighs the same, whatever its size.
        """
        self.moments_[name] = Moments.of(*(arrange(cohort, self.genes_) for cohort in cohorts))

    def predict(self, samples: Samples) -> Prediction:
        """Predict every drug for every sample; see `ResponseModel.predict`."""
        self.check_fitted()
        return self.predict_from(self.score_members(samples), samples)

    def calibrate(self, members: Array, samples: Samples) -> Calibrated:
        """Turn the scores that `score_members` gave for samples into calibrated arrays."""
        score = members.mean(axis=0)
        log_odds = self.calibration_.log_odds(score)
        reach = INTERVAL_REACH * self.calibration_.standard_error(score, members)
        probability = expit(log_odds)
        sets = self.conformal_.sets(probability, lineage_codes(samples.tissues()))
        lower, upper = expit(log_odds - reach), expit(log_odds + reach)
        return Calibrated(score, log_odds, probability, lower, upper, sets)

    def predict_from(self, members: Array, samples: Samples) -> Prediction:
        """Turn the scores that `score_members` gave for samples into their prediction."""
        found = self.calibrate(members, samples)
        index, columns = samples.expression.values.index, list(self.drugs_)
        frames = (
            pd.DataFrame(values, index=index, columns=columns)
            for values in (
                found.log_odds,
                found.probability,
                found.lower,
                found.upper,
                self._ln_ic50(found.score),
                in_words(found.sets),
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

    def learned(self) -> tuple[Arrays, Document]:
        """Return moments and calibration; see `ResponseModel.learned`."""
        arrays: Arrays = {
            "calibration.slope": self.calibration_.slope,
            "calibration.intercept": self.calibration_.intercept,
            "calibration.covariance": self.calibration_.covariance,
            "conformal.lowest_resistant": self.conformal_.lowest_resistant,
            "conformal.highest_sensitive": self.conformal_.highest_sensitive,
            "target.mean": self.target_mean_,
            "target.sd": self.target_sd_,
        }
        for name, moments in self.moments_.items():
            arrays[f"moments.{name}.mean"] = moments.mean
            arrays[f"moments.{name}.sd"] = moments.sd
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
        self.conformal_ = Conformal(
            arrays["conformal.lowest_resistant"], arrays["conformal.highest_sensitive"]
        )
        self.target_mean_, self.target_sd_ = arrays["target.mean"], arrays["target.sd"]

    def _calibrate(self, held_out: Array, screen: Screen) -> None:
        """Learn from scores of lines that the scoring member had not seen what scores mean."""
        labels = screen.resistant.to_numpy(float)
        self.held_out_ = held_out
        self.calibration_ = fit_calibration(held_out, labels)
        probability = expit(self.calibration_.log_odds(held_out))
        self.threshold_ = choose_threshold(probability, labels)
        self.conformal_ = fit_conformal(probability, labels, is_blood(screen.tissue))

    def _ln_ic50(self, score: Array) -> Array:
        """Return the expected ln IC50 (ln µM) that scores stand for."""
        ln_ic50: Array = self.target_mean_ + self.target_sd_ * score
        return ln_ic50

    def _standardise_target(self, screen: Screen) -> Array:
        ln_ic50 = screen.ln_ic50.to_numpy(float)
        self.target_mean_ = np.nanmean(ln_ic50, axis=0)
        self.target_sd_ = np.maximum(np.nanstd(ln_ic50, axis=0), 1e-6)
        target: Array = (ln_ic50 - self.target_mean_) / self.target_sd_
        return target
