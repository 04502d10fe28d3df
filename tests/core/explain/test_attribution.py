from __future__ import annotations

import numpy as np
import pytest

from resvae_core.errors import ConfigError, InputDataError, UnknownDrugError
from resvae_core.explain import attribution
from resvae_core.explain.attribution import (
    TOLERANCE,
    UNIT,
    Background,
    attribute,
    attribute_set,
    attribution_matrix,
    matrices_of_set,
    member_matrices,
    member_matrices_of_set,
)
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.gradient_boosting import GradientBoosting
from resvae_core.models.model_set import ModelSet
from resvae_core.models.resvae import ResVAE
from resvae_core.tables import Expression, Screen
from tests.core.conftest import DRUGS, GENES, LEARNED

Fitted = dict[str, ResponseModel]
Data = tuple[Samples, Screen]


@pytest.fixture(scope="module")
def model_set(fitted: Fitted) -> ModelSet:
    return ModelSet("tiny", fitted, {}, "ensemble")


@pytest.fixture(scope="module")
def few(screen: Data) -> Samples:
    return screen[0].select(tuple(screen[1].lines[120:123]))


@pytest.fixture(scope="module")
def background(screen: Data) -> Background:
    lines = tuple(screen[1].lines[:20])
    return Background.mean_of("twenty lines", screen[0].expression.select(lines))


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
    samples = screen[0].select(tuple(screen[1].lines[120:140]))
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


@pytest.mark.parametrize("name", LEARNED)
def test_against_a_background_they_add_up_from_its_score(
    name: str, fitted: Fitted, few: Samples, background: Background
) -> None:
    parts = attribution_matrix(fitted[name], few, "Erlotinib", background=background)
    assert parts.completeness_error <= TOLERANCE
    own = fitted[name].predict(Samples(background.profile)).log_odds["Erlotinib"].iloc[0]
    assert parts.base == pytest.approx(np.full(3, own), abs=1e-5)
    assert not np.allclose(parts.base, attribution_matrix(fitted[name], few, "Erlotinib").base)


@pytest.mark.parametrize("name", LEARNED)
def test_a_sample_that_is_its_own_background_has_nothing_to_explain(
    name: str, fitted: Fitted, background: Background
) -> None:
    parts = attribution_matrix(
        fitted[name], Samples(background.profile), "Cisplatin", background=background
    )
    assert np.abs(parts.values).max() < 1e-9
    assert parts.score == pytest.approx(parts.base, abs=1e-5)


def test_the_elastic_net_weighs_the_way_from_the_background(
    fitted: Fitted, few: Samples, background: Background
) -> None:
    model = fitted["elastic_net"]
    assert isinstance(model, ElasticNet)
    way = model.standardise(few) - model.standardise(Samples(background.profile))
    weight = model.calibration_.slope[0] * model.weights_[:, :, 0].mean(axis=0)
    found = attribution_matrix(model, few, DRUGS[0], background=background)
    assert found.values == pytest.approx(way * weight, abs=1e-6)


@pytest.mark.parametrize("name", LEARNED)
def test_a_gene_that_the_background_lacks_is_at_the_mean_of_the_reference(
    name: str, fitted: Fitted, few: Samples, background: Background
) -> None:
    without = Background(
        "part", "a profile in part", Expression(background.profile.values[list(GENES[1:])])
    )
    reasons = attribute(fitted[name], few, "Cisplatin", background=without)
    assert reasons.completeness_error <= TOLERANCE
    assert reasons.background == (
        "a profile in part; 1 genes that it lacks are at the reference's mean"
    )


def test_a_background_is_one_profile(screen: Data) -> None:
    with pytest.raises(InputDataError, match="has 160 profiles; one was expected"):
        Background("all", "every line", screen[0].expression)


def test_the_set_says_what_each_model_says_alone(
    model_set: ModelSet, fitted: Fitted, few: Samples, background: Background
) -> None:
    together = attribute_set(model_set, few, "Cisplatin", background=background)
    assert list(together) == LEARNED
    for name, reasons in together.items():
        alone = attribute(fitted[name], few, "Cisplatin", background=background)
        assert reasons.table.equals(alone.table)
        assert (reasons.model, reasons.background) == (name, background.words)


def test_a_floor_in_a_set_is_refused(model_set: ModelSet, few: Samples) -> None:
    with pytest.raises(ConfigError, match="reads no genes"):
        attribute_set(model_set, few, "Cisplatin", kinds=["drug_mean"])


def test_chunks_and_several_drugs_say_what_one_call_says(
    model_set: ModelSet, few: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(attribution, "CHUNK", 2)
    told: list[tuple[int, int]] = []
    found = matrices_of_set(
        model_set,
        few,
        ["Cisplatin", "Erlotinib"],
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(0, 3), (2, 3), (3, 3)]
    assert set(found) == {(name, drug) for name in LEARNED for drug in ("Cisplatin", "Erlotinib")}
    for (name, drug), parts in found.items():
        alone = attribution_matrix(model_set.model(name), few, drug)
        assert parts.values == pytest.approx(alone.values, abs=2e-5)
        assert parts.base == pytest.approx(alone.base, abs=1e-5)
        assert parts.score == pytest.approx(alone.score, abs=1e-5)


@pytest.mark.parametrize("name", LEARNED)
def test_a_sample_alone_is_explained_as_among_others(
    name: str, fitted: Fitted, few: Samples
) -> None:
    together = attribution_matrix(fitted[name], few, "Cisplatin")
    alone = attribution_matrix(fitted[name], few.select((few.expression.samples[2],)), "Cisplatin")
    assert alone.values[0] == pytest.approx(together.values[2], abs=2e-5)


@pytest.mark.parametrize("with_background", [False, True])
@pytest.mark.parametrize("name", LEARNED)
def test_the_mean_over_members_is_the_models_attribution(
    name: str, with_background: bool, fitted: Fitted, few: Samples, background: Background
) -> None:
    chosen = background if with_background else None
    members = member_matrices(fitted[name], few, "Gemcitabine", background=chosen)
    whole = attribution_matrix(fitted[name], few, "Gemcitabine", background=chosen)
    assert members.shape == (3, 3, len(GENES))
    # one gene's integral may be off by more than their sum where a function bends (ReLU head)
    assert members.mean(axis=0) == pytest.approx(whole.values, abs=5 * TOLERANCE)


def test_the_ensembles_members_are_the_means_of_its_parts_members(
    model_set: ModelSet, fitted: Fitted, few: Samples
) -> None:
    found = member_matrices_of_set(model_set, few, "Cisplatin")
    number = DRUGS.index("Cisplatin")
    slope = {name: fitted[name].calibration_.slope[number] for name in found}
    parts = [found[kind] / slope[kind] for kind in fitted["ensemble"].needs]
    assert found["ensemble"] == pytest.approx(slope["ensemble"] * np.mean(parts, axis=0), abs=1e-9)


def test_shapley_values_match_xgboosts_own(fitted: Fitted, few: Samples) -> None:
    model = fitted["xgboost"]
    assert isinstance(model, GradientBoosting)
    z = model.standardise(few)
    own = np.mean([model.contributions(k, z)[:, 1] for k in range(3)], axis=0)
    slope, intercept = model.calibration_.slope[1], model.calibration_.intercept[1]
    found = attribution_matrix(model, few, DRUGS[1])
    assert found.values == pytest.approx(slope * own[:, :-1], abs=1e-6)
    assert found.base == pytest.approx(slope * own[:, -1] + intercept, abs=1e-6)


@pytest.mark.parametrize("name", ["vae_ll", "vae_ls", "vae_ld"])
def test_integrated_gradients_match_captum(name: str, fitted: Fitted, few: Samples) -> None:
    import torch
    from captum.attr import IntegratedGradients

    model = fitted[name]
    assert isinstance(model, ResVAE)
    function = model.gene_function(few.reference)
    features = torch.from_numpy(model.gene_features(few))
    measured = torch.ones(len(features), len(GENES))
    own = IntegratedGradients(lambda z, seen: function(z, seen).mean(dim=0)).attribute(
        features,
        target=0,
        additional_forward_args=(measured,),
        n_steps=128,
        method="gausslegendre",
    )
    by_gene = own.numpy().reshape(3, -1, len(GENES)).sum(axis=1)
    found = attribution_matrix(model, few, DRUGS[0]).values
    assert found == pytest.approx(model.calibration_.slope[0] * by_gene, abs=TOLERANCE)
