from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from resvae_core.models.calibration import (
    RIDGE,
    choose_threshold,
    fit_calibration,
)


def screen(n: int = 400, slope: float = 2.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    score = rng.normal(size=(n, 1))
    resistant = (rng.uniform(size=(n, 1)) < expit(1.5 + slope * score)).astype(float)
    return score, resistant


def test_curve_recovers_the_probability_that_made_the_labels() -> None:
    score, resistant = screen(n=20_000)
    curve = fit_calibration(score, resistant)
    assert curve.slope[0] == pytest.approx(2.0, abs=0.1)
    assert curve.intercept[0] == pytest.approx(1.5, abs=0.1)


def test_covariance_matches_the_inverse_of_a_numerical_hessian() -> None:
    score, resistant = screen()
    curve = fit_calibration(score, resistant)
    x, y = score[:, 0], resistant[:, 0]

    def loss(intercept: float, slope: float) -> float:
        p = expit(intercept + slope * x)
        return float(-(y * np.log(p) + (1 - y) * np.log1p(-p)).sum() + RIDGE * slope**2 / 2)

    a, b, h = float(curve.intercept[0]), float(curve.slope[0]), 1e-3
    centre = loss(a, b)
    second_a = (loss(a + h, b) - 2 * centre + loss(a - h, b)) / h**2
    second_b = (loss(a, b + h) - 2 * centre + loss(a, b - h)) / h**2
    mixed = (loss(a + h, b + h) - loss(a + h, b - h) - loss(a - h, b + h) + loss(a - h, b - h)) / (
        4 * h**2
    )
    inverse = np.linalg.inv([[second_a, mixed], [mixed, second_b]])
    expected = [inverse[0, 0], inverse[1, 1], inverse[0, 1]]
    assert np.allclose(curve.covariance[0], expected, rtol=1e-3)
    assert curve.covariance[0][2] > 0  # both rise together where most lines are resistant


def test_a_score_that_tells_nothing_gives_the_share_of_resistant_lines() -> None:
    rng = np.random.default_rng(4)
    resistant = (rng.uniform(size=(500, 20)) < 0.85).astype(float)
    curve = fit_calibration(rng.normal(size=(500, 20)), resistant)
    flat = curve.slope == 0
    assert flat.mean() >= 0.8  # one side of 5 %: about one in twenty may pass by chance
    share = expit(curve.intercept[flat])
    assert np.allclose(share, resistant.mean(axis=0)[flat], atol=0.01)


def test_a_score_that_points_the_wrong_way_is_not_turned_round() -> None:
    score, resistant = screen()
    assert fit_calibration(-score, resistant).slope[0] == 0


def test_unmeasured_lines_change_nothing() -> None:
    score, resistant = screen()
    more = np.vstack([score, np.full((50, 1), 9.0)])
    unknown = np.vstack([resistant, np.full((50, 1), np.nan)])
    assert fit_calibration(more, unknown).slope[0] == fit_calibration(score, resistant).slope[0]


def test_standard_error_is_jackknife_plus_curve() -> None:
    score, resistant = screen()
    curve = fit_calibration(score, resistant)
    members = np.array([0.9, 1.0, 1.1, 1.2, 0.8]).reshape(5, 1, 1)
    mean = members.mean(axis=0)
    jackknife = 4 / 5 * np.sum((members - mean) ** 2)  # Efron and Tibshirani 1993, eq. 11.5
    a, b, ab = curve.covariance[0]
    expected = np.sqrt(curve.slope[0] ** 2 * jackknife + a + b + 2 * ab)
    assert curve.standard_error(mean, members)[0, 0] == pytest.approx(expected)


def test_threshold_separates_where_labels_change() -> None:
    probability = np.repeat([[0.45], [0.55], [0.85], [0.95]], 50, axis=0)
    resistant = np.repeat([[0.0], [0.0], [1.0], [1.0]], 50, axis=0)
    assert 0.55 < choose_threshold(probability, resistant) <= 0.85
