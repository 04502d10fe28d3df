from __future__ import annotations

import numpy as np
import pytest

from resvae_core.errors import ConfigError, UnknownDrugError
from resvae_core.explain.attribution import TOLERANCE, UNIT, attribute
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.tables import Expression, Screen
from tests.core.conftest import GENES, LEARNED

Fitted = dict[str, ResponseModel]
Data = tuple[Samples, Screen]


@pytest.mark.parametrize("name", LEARNED)
def test_attributions_sum_to_the_score_and_probability(
    name: str, fitted: Fitted, screen: Data
) -> None:
    samples = screen[0].select(tuple(screen[1].lines[120:130]))
    reasons = attribute(fitted[name], samples, "Erlotinib")
    table = reasons.table
    sums = table.groupby("sample", sort=False)["attribution"].sum()
    scores = table.groupby("sample", sort=False)["score"].first()
    bases = table.groupby("sample", sort=False)["base"].first()
    assert np.abs(bases + sums - scores).max() <= TOLERANCE
    assert reasons.completeness_error <= TOLERANCE
    prediction = fitted[name].predict(samples)
    for sample in samples.expression.samples:
        shown = prediction.probability.loc[sample, "Erlotinib"]
        assert reasons.probability(sample) == pytest.approx(shown, abs=1e-6)
    assert set(table["unit"]) == {UNIT}


@pytest.mark.parametrize("name", LEARNED)
def test_planted_genes_come_first(name: str, fitted: Fitted, screen: Data) -> None:
    samples = screen[0].select(tuple(screen[1].lines[100:]))
    table = attribute(fitted[name], samples, "Cisplatin").table
    size = table["attribution"].abs().groupby(table["gene"]).mean()
    assert set(size.nlargest(2).index) == set(GENES[:2])


@pytest.mark.parametrize("name", LEARNED)
def test_attributions_are_the_same_on_every_run(name: str, fitted: Fitted, screen: Data) -> None:
    samples = screen[0].select(tuple(screen[1].lines[120:123]))
    first = attribute(fitted[name], samples, "Gemcitabine").table
    again = attribute(fitted[name], samples, "Gemcitabine").table
    assert first.equals(again)


@pytest.mark.parametrize("name", LEARNED)
def test_gene_order_changes_nothing(name: str, fitted: Fitted, screen: Data) -> None:
    samples = screen[0].select(tuple(screen[1].lines[120:122]))
    shuffled = samples.expression.values.sample(frac=1, axis="columns", random_state=4)
    first = attribute(fitted[name], samples, "Cisplatin").table
    again = attribute(fitted[name], Samples(Expression(shuffled)), "Cisplatin").table
    assert first.equals(again)


def test_a_floor_has_nothing_to_explain(fitted: Fitted, screen: Data) -> None:
    with pytest.raises(ConfigError, match="reads no genes"):
        attribute(fitted["drug_tissue_mean"], screen[0], "Cisplatin")


def test_an_unknown_drug_is_refused(fitted: Fitted, screen: Data) -> None:
    with pytest.raises(UnknownDrugError, match="Erlotinab"):
        attribute(fitted["elastic_net"], screen[0], "Erlotinab")
