"""From a raw score to a calibrated probability of resistance with an interval.

Each drug gets a logistic curve, fitted on scores of lines that the scoring member had not seen. The
interval is a confidence interval of that probability for having seen a limited sample of cell
lines: the delete-a-group jackknife variance of the score (each member leaves one fold out) and the
standard error of the curve, added on the log-odds scale. It does not say what else may decide a
patient's response. ``benchmarks/interval_coverage.md`` holds it against models that share no
training line.

Sources: Platt 1999; Efron and Tibshirani, An Introduction to the Bootstrap (1993), ch. 11; Kott,
Journal of Official Statistics 17 (2001) for the delete-a-group jackknife.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit
from scipy.stats import norm

Array = NDArray[np.float64]

INTERVAL = 0.90
INTERVAL_REACH = float(norm.ppf(0.5 + INTERVAL / 2))
"""Standard errors to either side of the log-odds."""
RIDGE = 0.1
"""Inverse of scikit-learn's C: pulls a slope that few sensitive lines support towards zero."""


MINIMAL_EVIDENCE = float(norm.ppf(0.95))
"""Standard errors by which a slope must exceed 0; else the score is held to tell nothing."""


@dataclass(frozen=True)
class Calibration:
    """One logistic curve a drug: log-odds = intercept + slope · score.

    Parameters
    ----------
    slope, intercept
        (n_drugs,); a slope of 0 means that the score tells nothing about the drug, and the
        probability is the share of resistant training lines.
    covariance
        (n_drugs, 3): variance of the intercept, of the slope, and their covariance.
    """

    slope: Array
    intercept: Array
    covariance: Array

    def log_odds(self, score: Array) -> Array:
        """Return calibrated log-odds for scores (..., n_drugs)."""
        log_odds: Array = self.intercept + self.slope * score
        return log_odds

    def standard_error(self, score: Array, members: Array) -> Array:
        """Return the standard error of the log-odds.

        Parameters
        ----------
        score
            (n_samples, n_drugs) mean over members.
        members
            (n_members, n_samples, n_drugs); member k was fitted without fold k.
        """
        n_members = len(members)
        jackknife = (n_members - 1) * np.var(members, axis=0)
        var_intercept, var_slope, cov = self.covariance.T
        curve = var_intercept + np.square(score) * var_slope + 2 * score * cov
        error: Array = np.sqrt(np.square(self.slope) * jackknife + np.maximum(curve, 0.0))
        return error


def fit_calibration(score: Array, resistant: Array) -> Calibration:
    """Fit a logistic curve per drug.

    Parameters
    ----------
    score
        (n_lines, n_drugs) scores of lines that the scoring member had not seen.
    resistant
        (n_lines, n_drugs) 1 resistant, 0 sensitive, NaN not measured.
    """
    curves = [_fit_curve(score[:, d], resistant[:, d]) for d in range(score.shape[1])]
    intercept, slope, covariance = zip(*curves, strict=True)
    return Calibration(np.array(slope), np.array(intercept), np.array(covariance))


def _fit_curve(score: Array, resistant: Array) -> tuple[float, float, Array]:
    from sklearn.linear_model import LogisticRegression

    measured = ~np.isnan(resistant) & np.isfinite(score)
    x, y = score[measured], resistant[measured]
    n_sensitive = int((y == 0).sum())
    share = (len(y) - n_sensitive + 0.5) / (len(y) + 1)
    flat = (float(logit(share)), 0.0, np.array([1 / (len(y) * share * (1 - share) + 1e-9), 0, 0]))
    if min(n_sensitive, len(y) - n_sensitive) < 2 or np.ptp(x) == 0:
        return flat
    curve = LogisticRegression(C=1 / RIDGE).fit(x[:, None], y)
    intercept, slope = float(curve.intercept_[0]), float(curve.coef_[0, 0])
    weight = expit(intercept + slope * x)
    weight = weight * (1 - weight)
    design = np.column_stack([np.ones_like(x), x])
    hessian = design.T @ (design * weight[:, None]) + np.diag([1e-9, RIDGE])
    inverse = np.linalg.inv(hessian)
    if slope <= MINIMAL_EVIDENCE * float(np.sqrt(inverse[1, 1])):
        return flat
    return intercept, slope, np.array([inverse[0, 0], inverse[1, 1], inverse[0, 1]])


def choose_threshold(probability: Array, resistant: Array) -> float:
    """Choose the probability below which a pair is called sensitive.

    The threshold with the highest Matthews correlation, averaged over drugs, on lines that the
    scoring member had not seen. One threshold for all drugs: a reader can remember it.

    Parameters
    ----------
    probability, resistant
        (n_lines, n_drugs); NaN in `resistant` where not measured.
    """
    grid = np.round(np.arange(0.30, 0.96, 0.01), 2)
    measured = ~np.isnan(resistant)
    positive = np.where(measured, resistant, 0.0)
    negative = np.where(measured, 1 - resistant, 0.0)
    quality = [np.nanmean(_matthews(probability >= cut, positive, negative)) for cut in grid]
    return float(grid[int(np.argmax(quality))])


def _matthews(called: NDArray[np.bool_], positive: Array, negative: Array) -> Array:
    tp, fp = (called * positive).sum(axis=0), (called * negative).sum(axis=0)
    fn, tn = positive.sum(axis=0) - tp, negative.sum(axis=0) - fp
    scale = np.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))
    quality: Array = np.where(scale > 0, (tp * tn - fp * fn) / np.maximum(scale, 1e-12), 0.0)
    return quality
