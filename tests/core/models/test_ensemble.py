from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.special import expit

from resvae_core.errors import ConfigError, NotFittedError
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.catalog import load_model
from resvae_core.models.ensemble import Ensemble
from resvae_core.tables import Screen

Fitted = dict[str, ResponseModel]
Data = tuple[Samples, Screen]


def test_its_score_is_the_mean_of_its_parts(fitted: Fitted, screen: Data) -> None:
    ensemble = fitted["ensemble"]
    assert isinstance(ensemble, Ensemble)
    samples = screen[0]
    scores = [part.score_members(samples) for part in ensemble.parts_.values()]
    assert len(scores) == 5
    expected = ensemble.calibration_.log_odds(np.mean(scores, axis=(0, 1)))
    prediction = ensemble.predict(samples)
    assert np.allclose(prediction.log_odds.to_numpy(), expected)
    assert np.allclose(prediction.probability.to_numpy(), expit(expected))


def test_its_calibration_comes_from_lines_that_no_part_had_seen(fitted: Fitted) -> None:
    ensemble = fitted["ensemble"]
    assert isinstance(ensemble, Ensemble)
    held_out = [part.held_out_ for part in ensemble.parts_.values()]
    assert np.array_equal(ensemble.held_out_, np.mean(held_out, axis=0))


def test_missing_and_foreign_parts_are_refused(fitted: Fitted) -> None:
    with pytest.raises(ConfigError, match="'xgboost' is missing"):
        Ensemble(n_members=3).build_from({k: m for k, m in fitted.items() if k != "xgboost"})
    with pytest.raises(ConfigError, match="fitted on other folds"):
        Ensemble(n_members=3, seed=1).build_from(fitted)


def test_parts_of_other_lines_are_refused(fitted: Fitted, screen: Data) -> None:
    ensemble = Ensemble(n_members=3)
    ensemble.build_from(fitted)
    with pytest.raises(ConfigError, match="fitted on 120 lines and 3 drugs, not on these 160"):
        ensemble.fit(*screen)


def test_without_its_parts_it_cannot_predict(fitted: Fitted, screen: Data, tmp_path: Path) -> None:
    fitted["ensemble"].save(tmp_path)
    with pytest.raises(NotFittedError, match="has not been given its parts"):
        load_model(tmp_path).predict(screen[0])
