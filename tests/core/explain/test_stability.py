from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from resvae_core.errors import InputDataError
from resvae_core.explain.attribution import Background
from resvae_core.explain.stability import (
    COLUMNS,
    jaccard,
    leading,
    over_backgrounds,
    over_seeds,
    overlap_table,
    stability_table,
)
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.model_set import ModelSet
from resvae_core.tables import Expression, Screen
from tests.core.conftest import GENES, LEARNED, fit_small

Data = tuple[Samples, Screen]
FAST = ["random_forest", "xgboost", "elastic_net"]


@pytest.fixture(scope="module")
def model_set(fitted: dict[str, ResponseModel]) -> ModelSet:
    return ModelSet("tiny", fitted, {}, "ensemble")


@pytest.fixture(scope="module")
def few(screen: Data) -> Samples:
    return screen[0].select(tuple(screen[1].lines[120:124]))


def test_leading_genes_are_the_largest_whatever_their_sign() -> None:
    assert leading(np.array([0.1, -3.0, 2.0, 0.0]), 2) == {1, 2}
    assert leading(np.array([0.0, -3.0, 0.0, 0.0]), 2) == {1}


def test_overlap_is_shared_over_either() -> None:
    assert jaccard(frozenset({1, 2, 3}), frozenset({2, 3, 4})) == 0.5
    assert np.isnan(jaccard(frozenset(), frozenset()))


def test_every_pair_and_sample_is_compared() -> None:
    first = np.array([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])
    table = overlap_table({"m": [first, first, first[::-1]]}, "folds", n_top=(1, 2))
    assert list(table.columns) == COLUMNS
    assert table["k"].tolist() == [1, 2]
    assert table["n_pairs"].tolist() == [6, 6]
    assert table["jaccard"].tolist() == pytest.approx([1 / 3, (1 + 1 + 4 / 3) / 6])


def test_random_genes_overlap_as_little_as_stated() -> None:
    draws = np.random.default_rng(0).normal(size=(2, 2000, 682))
    assert overlap_table({"m": draws}, "folds")["jaccard"][0] == pytest.approx(0.015, abs=0.002)


def test_members_and_backgrounds_of_every_model(
    model_set: ModelSet, few: Samples, screen: Data
) -> None:
    background = Background.mean_of("lines", screen[0].expression)
    table = stability_table(model_set, few, "Cisplatin", background=background, n_top=(5,))
    assert table["model"].tolist() == LEARNED * 2
    assert table["n_pairs"].tolist() == [12] * len(LEARNED) + [4] * len(LEARNED)
    assert table["jaccard"].between(0.2, 1).all()


def test_without_a_background_folds_alone_are_compared(model_set: ModelSet, few: Samples) -> None:
    table = stability_table(model_set, few, "Cisplatin", kinds=FAST)
    assert table["over"].unique().tolist() == ["folds"]


def test_the_same_background_twice_changes_nothing(model_set: ModelSet, few: Samples) -> None:
    table = over_backgrounds(model_set, few, "Cisplatin", [None, None], kinds=FAST)
    assert table["jaccard"].tolist() == [1.0] * len(FAST)


def test_planted_genes_lead_whatever_the_seed(
    model_set: ModelSet, few: Samples, screen: Data
) -> None:
    lines = tuple(screen[1].lines[:120])
    other = ElasticNet(alpha=0.2, n_members=3, seed=1).fit(
        screen[0].select(lines), screen[1].select(lines)
    )
    second = replace(model_set, models={"elastic_net": other}, default_model="elastic_net")
    sets = [model_set, second]
    table = over_seeds(sets, few, "Cisplatin", kinds=["elastic_net"], n_top=(1,))
    assert table["over"].tolist() == ["seeds"]
    assert table["jaccard"][0] >= 0.5


def test_sets_of_other_genes_are_not_compared(
    model_set: ModelSet, few: Samples, screen: Data
) -> None:
    samples = Samples(Expression(screen[0].expression.values[list(GENES[:20])]), screen[0].tissue)
    other = fit_small("elastic_net", samples, screen[1])
    second = replace(model_set, models={"elastic_net": other}, default_model="elastic_net")
    with pytest.raises(InputDataError, match="read different genes"):
        over_seeds([model_set, second], few, "Cisplatin", kinds=["elastic_net"])
