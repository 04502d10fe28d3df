from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from resvae_core.errors import ConfigError, InputDataError
from resvae_core.explain.sanity import (
    COLUMNS,
    compare_models,
    comparison_table,
    likeness,
    randomise,
)
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.tables import Expression, Screen
from tests.core.conftest import DRUGS, GENES, LEARNED, fit_small

Fitted = dict[str, ResponseModel]
Data = tuple[Samples, Screen]
FEW_GENES = 0.5
"""Of 40 genes two explain most: a rank correlation of unrelated models spreads by 0.16."""


@pytest.fixture(scope="module")
def few(screen: Data) -> Samples:
    return screen[0].select(tuple(screen[1].lines[120:125]))


def test_likeness_matches_scipys_spearman() -> None:
    one, other = np.random.default_rng(0).normal(size=(2, 3, 50)).round(1)
    found = likeness(one, other)
    for row in range(3):
        assert found.signed[row] == pytest.approx(spearmanr(one[row], other[row]).statistic)
        sizes = spearmanr(np.abs(one[row]), np.abs(other[row])).statistic
        assert found.of_sizes[row] == pytest.approx(sizes)


@pytest.mark.parametrize("name", LEARNED)
def test_randomised_models_predict_something_else_and_leave_the_model_alone(
    name: str, fitted: Fitted, few: Samples
) -> None:
    before = fitted[name].predict(few).log_odds
    random = randomise(fitted[name])
    assert not np.allclose(random.predict(few).log_odds, before)
    pd.testing.assert_frame_equal(fitted[name].predict(few).log_odds, before)


@pytest.mark.parametrize("name", LEARNED)
def test_attributions_do_not_survive_randomised_weights(
    name: str, fitted: Fitted, few: Samples
) -> None:
    table = comparison_table({name: fitted[name]}, {name: randomise(fitted[name])}, few, DRUGS)
    assert list(table.columns) == COLUMNS
    assert table["drug"].tolist() == DRUGS
    assert abs(table["spearman"].mean()) < FEW_GENES
    assert (table["largest"].abs() >= table["spearman"].abs()).all()


@pytest.mark.parametrize("name", LEARNED)
def test_a_model_is_like_itself(name: str, fitted: Fitted, few: Samples) -> None:
    same = compare_models(fitted[name], fitted[name], few, "Cisplatin")
    assert same.signed == pytest.approx(np.ones(5))
    assert same.of_sizes == pytest.approx(np.ones(5))


def test_randomising_depends_on_the_seed_alone(fitted: Fitted, few: Samples) -> None:
    first, again, other = (
        randomise(fitted["ensemble"], seed).predict(few).log_odds for seed in (0, 0, 1)
    )
    pd.testing.assert_frame_equal(first, again)
    assert not np.allclose(first, other)


def test_a_model_without_slope_is_compared_by_its_score(fitted: Fitted, few: Samples) -> None:
    model = fitted["elastic_net"]
    assert isinstance(model, ElasticNet)
    silent = ElasticNet(n_members=model.n_members)
    vars(silent).update(vars(model))
    silent.calibration_ = replace(model.calibration_, slope=0 * model.calibration_.slope)
    assert compare_models(model, silent, few, "Cisplatin").signed == pytest.approx(np.ones(5))


def test_a_floor_cannot_be_randomised(fitted: Fitted) -> None:
    with pytest.raises(ConfigError, match="how to randomise models of kind 'drug_mean'"):
        randomise(fitted["drug_mean"])


def test_models_of_other_genes_are_not_compared(fitted: Fitted, screen: Data) -> None:
    samples = Samples(Expression(screen[0].expression.values[list(GENES[:20])]), screen[0].tissue)
    other = fit_small("elastic_net", samples, screen[1])
    with pytest.raises(InputDataError, match="read different genes"):
        compare_models(fitted["elastic_net"], other, samples, "Cisplatin")
