"""The contract of every model, floors included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.encoders.catalog import load_encoder
from resvae_core.errors import ArtifactError, ConfigError, GeneCoverageError, NotFittedError
from resvae_core.evaluation.metrics import roc_auc
from resvae_core.models.base import MODEL_FILE, WEIGHTS_FILE, ResponseModel, Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.catalog import KINDS, build_model, floor_names, learned_names, load_model
from resvae_core.models.conformal import BOTH, to_codes
from resvae_core.models.cross_fitted import CrossFittedModel
from resvae_core.tables import Expression, Screen
from tests.core.conftest import DRUGS, GENES, LEARNED, SMALL_MODELS, fit_small, synthetic_screen

READ_GENES = ["elastic_net", "random_forest", "xgboost"]
"""Kinds that read each gene on its own; the others see which genes are missing."""

Fitted = dict[str, ResponseModel]
Data = tuple[Samples, Screen]

every_model = pytest.mark.parametrize("name", SMALL_MODELS)
learned_model = pytest.mark.parametrize("name", LEARNED)


def held_out(screen: Data) -> Samples:
    samples, response = screen
    return samples.select(tuple(response.lines[120:]))


def test_the_suite_covers_every_kind() -> None:
    assert set(SMALL_MODELS) == set(KINDS) == {*learned_names(), *floor_names()}


@every_model
def test_shapes_bounds_and_sample_order(name: str, fitted: Fitted, screen: Data) -> None:
    samples = held_out(screen)
    prediction = fitted[name].predict(samples)
    for frame in (prediction.probability, prediction.lower, prediction.upper):
        assert list(frame.index) == samples.expression.samples
        assert list(frame.columns) == DRUGS
        assert frame.to_numpy().min() >= 0
        assert frame.to_numpy().max() <= 1
    assert (prediction.lower <= prediction.probability).to_numpy().all()
    assert (prediction.probability <= prediction.upper).to_numpy().all()


@every_model
def test_shuffled_gene_columns_change_nothing(name: str, fitted: Fitted, screen: Data) -> None:
    samples = held_out(screen)
    shuffled = samples.expression.values.sample(frac=1, axis="columns", random_state=1)
    again = fitted[name].predict(Samples(Expression(shuffled), samples.tissue))
    pd.testing.assert_frame_equal(again.log_odds, fitted[name].predict(samples).log_odds)


@every_model
def test_alone_equals_among_others(name: str, fitted: Fitted, screen: Data) -> None:
    samples = held_out(screen)
    together = fitted[name].predict(samples)
    for sample in samples.expression.samples[:5]:
        alone = fitted[name].predict(samples.select((sample,)))
        pd.testing.assert_frame_equal(
            alone.probability, together.probability.loc[[sample]], rtol=0, atol=1e-6
        )
        if together.conformal is not None and alone.conformal is not None:
            pd.testing.assert_frame_equal(alone.conformal, together.conformal.loc[[sample]])


@learned_model
def test_tissue_chooses_the_sets_and_changes_no_probability(
    name: str, fitted: Fitted, screen: Data
) -> None:
    samples = held_out(screen)
    index = samples.expression.values.index
    told = {
        label: fitted[name].predict(
            Samples(samples.expression, pd.Series(label, index=index, dtype=object))
        )
        for label in ("LUAD", "LAML", "unknown")
    }
    sets = {}
    for label, prediction in told.items():
        pd.testing.assert_frame_equal(prediction.probability, told["LUAD"].probability)
        assert prediction.conformal is not None
        sets[label] = to_codes(prediction.conformal.to_numpy(str))
    # the synthetic screen has no blood line: nothing is excluded for blood, nor without a tissue
    assert (sets["LAML"] == BOTH).all()
    assert not (sets["LUAD"] == BOTH).all()
    np.testing.assert_array_equal(sets["unknown"], sets["LUAD"] | sets["LAML"])
    without = fitted[name].predict(Samples(samples.expression)).conformal
    assert without is not None
    pd.testing.assert_frame_equal(without, told["unknown"].conformal)


@every_model
def test_saved_model_predicts_identically(
    name: str, fitted: Fitted, screen: Data, tmp_path: Path
) -> None:
    samples = held_out(screen)
    fitted[name].save(tmp_path)
    loaded = load_model(tmp_path)
    loaded.build_from(fitted)
    assert type(loaded) is type(fitted[name])
    before, after = fitted[name].predict(samples), loaded.predict(samples)
    for frame in ("log_odds", "probability", "lower", "upper", "ln_ic50"):
        pd.testing.assert_frame_equal(getattr(after, frame), getattr(before, frame), rtol=0, atol=0)
    assert (after.conformal is None) == (before.conformal is None) == loaded.is_floor
    if after.conformal is not None and before.conformal is not None:
        pd.testing.assert_frame_equal(after.conformal, before.conformal)
    assert loaded.threshold_ == fitted[name].threshold_


@every_model
def test_unfitted_model_refuses(name: str, screen: Data, tmp_path: Path) -> None:
    with pytest.raises(NotFittedError, match="has not been fitted"):
        SMALL_MODELS[name]().predict(screen[0])
    with pytest.raises(NotFittedError, match="has not been fitted"):
        SMALL_MODELS[name]().save(tmp_path)


@learned_model
def test_no_known_gene_is_refused(name: str, fitted: Fitted) -> None:
    strange = Expression(pd.DataFrame({"NOT_A_GENE": [1.0]}, index=["A"]))
    with pytest.raises(GeneCoverageError, match="None of the 40 genes"):
        fitted[name].predict(Samples(strange))


@pytest.mark.parametrize("name", READ_GENES)
def test_missing_gene_is_read_as_the_reference_mean(
    name: str, fitted: Fitted, screen: Data
) -> None:
    model = fitted[name]
    assert isinstance(model, CalibratedModel)
    samples = held_out(screen)
    gene = model.genes_[0]
    mean = float(model.moments_["cell_lines"].mean[0])
    without = Samples(Expression(samples.expression.values.drop(columns=gene)))
    filled = Samples(Expression(samples.expression.values.assign(**{gene: np.float32(mean)})))
    pd.testing.assert_frame_equal(
        model.predict(without).log_odds, model.predict(filled).log_odds, atol=1e-5, rtol=0
    )


@learned_model
def test_an_absent_gene_is_a_gene_without_values(name: str, fitted: Fitted, screen: Data) -> None:
    samples = held_out(screen)
    gene = fitted[name].genes_[0]
    without = Samples(Expression(samples.expression.values.drop(columns=gene)))
    empty = Samples(Expression(samples.expression.values.assign(**{gene: np.float32(np.nan)})))
    log_odds = fitted[name].predict(without).log_odds
    assert np.isfinite(log_odds.to_numpy()).all()
    pd.testing.assert_frame_equal(log_odds, fitted[name].predict(empty).log_odds, atol=0, rtol=0)


@learned_model
def test_genes_that_a_model_does_not_know_change_nothing(
    name: str, fitted: Fitted, screen: Data
) -> None:
    samples = held_out(screen)
    more = [gene for gene in load_encoder("small").genes if gene not in GENES][:50]
    values = samples.expression.values
    others = pd.DataFrame(np.float32(3.0), index=values.index, columns=more)
    richer = Samples(Expression(pd.concat([others, values], axis=1)))
    pd.testing.assert_frame_equal(
        fitted[name].predict(richer).log_odds, fitted[name].predict(samples).log_odds
    )


@learned_model
def test_fit_is_deterministic(name: str, fitted: Fitted, screen: Data) -> None:
    samples, response = screen
    train = tuple(response.lines[:120])
    again = fit_small(name, samples.select(train), response.select(train))
    pd.testing.assert_frame_equal(
        again.predict(held_out(screen)).log_odds, fitted[name].predict(held_out(screen)).log_odds
    )


@learned_model
def test_finds_planted_genes_on_unseen_lines(name: str, fitted: Fitted, screen: Data) -> None:
    assert mean_roc_auc(fitted[name], screen) > 0.75


@learned_model
def test_permuted_labels_fall_to_chance(name: str) -> None:
    samples, response = synthetic_screen(seed=3)
    train, rng = tuple(response.lines[:120]), np.random.default_rng(5)
    order = rng.permutation(120)
    shuffled = response.select(train)
    shuffled = Screen(
        shuffled.ln_ic50.iloc[order].set_axis(list(train)),
        shuffled.resistant.iloc[order].set_axis(list(train)),
        shuffled.tissue,
    )
    model = fit_small(name, samples.select(train), shuffled)
    # three drugs × about 34 unseen lines: the mean ROC AUC of chance has a spread of about 0.07
    assert abs(mean_roc_auc(model, (samples, response)) - 0.5) < 0.2


@learned_model
def test_nothing_of_the_test_lines_reaches_the_fit(name: str, fitted: Fitted, screen: Data) -> None:
    """Lines that are left out may hold anything: the fitted model is the same."""
    samples, response = screen
    train = tuple(response.lines[:120])
    spoilt = samples.expression.values.copy()
    spoilt.iloc[120:] = 15.0
    labels = response.resistant.copy()
    labels.iloc[120:] = 1 - labels.iloc[120:]
    changed = Screen(response.ln_ic50, labels, response.tissue)
    again = fit_small(
        name, Samples(Expression(spoilt), samples.tissue).select(train), changed.select(train)
    )
    pd.testing.assert_frame_equal(
        again.predict(held_out(screen)).log_odds, fitted[name].predict(held_out(screen)).log_odds
    )


@pytest.mark.parametrize("name", ["elastic_net", "random_forest"])
def test_an_unmeasured_line_is_as_if_it_were_not_there(name: str) -> None:
    """The member that is fitted on masked rows equals the one that never saw those rows."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=(80, 10)).astype(np.float32)
    target = rng.normal(size=(80, 1))
    target[60:] = np.nan
    scores = []
    for rows in (80, 60):
        model = SMALL_MODELS[name]()
        assert isinstance(model, CrossFittedModel)
        model.drugs_ = ("Cisplatin",)
        model._fit_member(0, z[:rows], target[:rows], list(range(rows)))
        scores.append(model._score_member(0, z))
    assert np.array_equal(scores[0], scores[1])


@learned_model
def test_unknown_reference_is_refused(name: str, fitted: Fitted, screen: Data) -> None:
    with pytest.raises(ConfigError, match="has no reference 'mars'"):
        fitted[name].predict(Samples(screen[0].expression, None, "mars"))


@every_model
def test_damaged_files_are_refused(name: str, fitted: Fitted, tmp_path: Path) -> None:
    fitted[name].save(tmp_path)
    (tmp_path / WEIGHTS_FILE).write_bytes(b"not safetensors")
    with pytest.raises(ArtifactError, match="missing or do not fit"):
        load_model(tmp_path)
    (tmp_path / MODEL_FILE).write_text("{", encoding="utf-8")
    with pytest.raises(ArtifactError, match="is missing or is no JSON"):
        load_model(tmp_path)


def test_wrong_kind_and_schema_are_refused(fitted: Fitted, tmp_path: Path) -> None:
    fitted["drug_mean"].save(tmp_path)
    with pytest.raises(ArtifactError, match="holds a 'drug_mean', not a 'xgboost'"):
        KINDS["xgboost"].load(tmp_path)
    text = (tmp_path / MODEL_FILE).read_text(encoding="utf-8")
    (tmp_path / MODEL_FILE).write_text(
        text.replace('"schema_version": 1', '"schema_version": 9'), encoding="utf-8"
    )
    with pytest.raises(ArtifactError, match="has schema version 9"):
        load_model(tmp_path)


def test_unknown_kind_lists_the_known() -> None:
    with pytest.raises(ConfigError, match=r"'oracle' is no kind of model.*vae_ld"):
        build_model("oracle")


def mean_roc_auc(model: ResponseModel, screen: Data) -> float:
    samples, response = screen
    lines = tuple(response.lines[120:])
    truth = response.select(lines).resistant
    score = model.predict(samples.select(lines)).log_odds
    values = []
    for drug in DRUGS:
        known = truth[drug].notna().to_numpy()
        values.append(roc_auc(score[drug].to_numpy()[known], truth[drug].to_numpy()[known] == 1))
    return float(np.mean(values))
