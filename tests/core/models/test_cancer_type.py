"""The suggestion of a cancer type, on types that were made up."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import multivariate_normal

from resvae_core.errors import InputDataError
from resvae_core.models.cancer_type import (
    COLUMNS,
    KEPT,
    UNCLEAR,
    CancerTypeModel,
    another_pipeline,
    assign_folds,
    fit_cancer_type_model,
    select,
)
from resvae_core.models.type_profiles import (
    PIPELINE_SD,
    TypeProfiles,
    _Scale,
    fit_type_profiles,
    genes_to_read,
    give_distribution,
)
from resvae_core.tables import Expression
from tests.core.models.type_cohorts import (
    CODES,
    GENES,
    draw_tumours,
    draw_type,
    shift_gene,
)


@pytest.fixture(scope="module")
def model() -> CancerTypeModel:
    return fit_cancer_type_model(draw_tumours())


def test_tumours_of_known_types_are_named(model: CancerTypeModel) -> None:
    for number, code in enumerate(CODES):
        answers = model.suggest(draw_type(number, n=25, seed=3))
        assert tuple(answers.columns) == COLUMNS
        named = answers[answers["suggestion"] != UNCLEAR]
        assert set(named["suggestion"]) == {code}
        assert len(named) >= 20
        assert (named["note"] == "").all()
        assert (named["probability"] > named["runner_up_probability"]).all()
        assert (named["probability"] + named["runner_up_probability"] <= 1 + 1e-9).all()


def test_a_type_that_nobody_taught_is_unclear(model: CancerTypeModel) -> None:
    answers = model.suggest(draw_type(5, n=25))
    assert (answers["suggestion"] == UNCLEAR).mean() >= 0.9
    note = answers.loc[answers["suggestion"] == UNCLEAR, "note"].iloc[0]
    assert note.startswith("Nearest is ")
    assert "It may be of a type other than BLCA, GBM, LUAD, STAD, normal tissue" in note


def test_noise_and_a_constant_are_unclear(model: CancerTypeModel) -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(0, 8, (5, len(GENES)))
    table = pd.DataFrame(np.vstack([noise, np.full(len(GENES), 3.0), np.zeros(len(GENES))]))
    answers = model.suggest(Expression(table.set_axis(list(GENES), axis=1).astype(np.float32)))
    assert set(answers["suggestion"]) == {UNCLEAR}
    assert answers["probability"].between(0, 1).all()


def test_a_sample_alone_gets_the_answer_it_gets_among_others(model: CancerTypeModel) -> None:
    mixed = pd.concat([draw_type(number, n=3, prefix=f"S{number}").values for number in range(6)])
    mixed.iloc[1, 5:40] = np.nan
    together = model.suggest(Expression(mixed))
    alone = [model.suggest(Expression(mixed.loc[[name]])) for name in mixed.index]
    pd.testing.assert_frame_equal(together, pd.concat(alone, ignore_index=True), check_exact=True)


def test_shuffled_genes_and_genes_it_does_not_read_change_nothing(model: CancerTypeModel) -> None:
    expression = draw_type(1, n=4)
    shuffled = expression.values[list(np.random.default_rng(1).permutation(GENES))]
    more = Expression(shuffled.assign(OTHER=np.float32(9)))
    pd.testing.assert_frame_equal(model.suggest(expression), model.suggest(more), check_exact=True)


def test_any_rising_change_of_scale_changes_nothing(model: CancerTypeModel) -> None:
    expression = draw_type(2, n=4)
    rescaled = Expression((expression.values.astype(float) * 1.7 + 0.3).astype(np.float32))
    pd.testing.assert_frame_equal(model.suggest(expression), model.suggest(rescaled))


def test_with_fewer_than_half_of_the_genes_nothing_is_suggested(model: CancerTypeModel) -> None:
    expression = draw_type(0, n=2)
    enough = model.suggest(Expression(expression.values[list(model.genes)[: model.minimal_genes]]))
    assert enough["probability"].notna().all()
    assert (enough["nearest"] == "BLCA").all()
    kept = list(model.genes)[: model.minimal_genes - 1]
    for few in (expression.values[kept], pd.DataFrame({"OTHER": [1.0]}, index=["S"])):
        answers = model.suggest(Expression(few.astype(np.float32)))
        assert (answers["suggestion"] == UNCLEAR).all()
        assert answers["probability"].isna().all()
        assert (answers["nearest"] == "").all()
        note = f"{answers['n_genes'].iloc[0]} of the {len(model.genes)} genes that the suggestion"
        assert answers["note"].iloc[0].startswith(note)
        assert f"at least {model.minimal_genes} are needed" in answers["note"].iloc[0]


def test_no_sample_gives_no_row(model: CancerTypeModel) -> None:
    empty = Expression(draw_type(0, n=1).values.iloc[:0])
    assert list(model.suggest(empty).columns) == list(COLUMNS)
    assert model.suggest(empty).empty


def test_evidence_matches_scipys_multivariate_normal(model: CancerTypeModel) -> None:
    profiles = model.profiles
    sample = draw_type(1, n=1, seed=9)
    found = profiles.weigh(sample)
    factors, variance = profiles.factors.astype(float), profiles.variance.astype(float)
    values = sample.values[list(profiles.genes)].to_numpy(float)[0]
    placed = give_distribution(values, np.sort(profiles.reference.astype(float)))
    within = factors.T @ factors + np.diag(variance)
    unknown = within + np.eye(len(variance)) * float(profiles.type_variance[0])
    means = profiles.means.astype(float)
    null = multivariate_normal(means.mean(axis=0), unknown).logpdf(placed)
    expected = [
        2 * (multivariate_normal(mean, within).logpdf(placed) - null) / len(variance)
        for mean in means
    ]
    np.testing.assert_allclose(found.evidence[0], expected, rtol=1e-8)


def test_a_missing_gene_leaves_the_normal_distribution_exactly(model: CancerTypeModel) -> None:
    there = np.ones(len(model.genes), bool)
    there[::3] = False
    part = _Scale.of(model.profiles, there).within
    factors, variance = model.profiles.factors.astype(float), model.profiles.variance.astype(float)
    whole = factors.T @ factors + np.diag(variance)
    offset = np.random.default_rng(2).normal(size=int(there.sum()))
    marginal = multivariate_normal(np.zeros(len(offset)), whole[np.ix_(there, there)])
    expected = -2 * marginal.logpdf(offset) - len(offset) * np.log(2 * np.pi)
    assert part.deviance(offset) == pytest.approx(expected)


def test_a_gene_that_follows_the_pipeline_is_not_read() -> None:
    tumours = draw_tumours()
    moved = {
        code: shift_gene(group, "GENE110", 3.0) if group.pipeline == "two" else group
        for code, group in tumours.items()
    }
    assert "GENE110" in genes_to_read(tumours)
    assert set(genes_to_read(tumours)) - set(genes_to_read(moved)) == {"GENE110"}
    three = {code: moved[code] for code in CODES[:3]}  # a pipeline with one type is no pipeline
    assert "GENE110" in genes_to_read(three)


def test_types_weigh_the_same_whatever_their_number_of_tumours() -> None:
    tumours = draw_tumours(3)
    group = tumours["LUAD"]
    copies = [group.expression.values.set_axis([f"{c}{i}" for i in range(40)]) for c in "abc"]
    tripled = tumours | {"LUAD": type(group)("LUAD", Expression(pd.concat(copies)), group.pipeline)}
    once, thrice = fit_type_profiles(tumours), fit_type_profiles(tripled)
    for name in ("reference", "means", "variance", "type_variance"):
        np.testing.assert_allclose(getattr(once, name), getattr(thrice, name), rtol=1e-4)


def test_folds_hold_each_tumour_once_and_keep_the_types() -> None:
    tumours = draw_tumours()
    folds = assign_folds(tumours)
    held = [select(tumours, folds, fold, inside=True) for fold in range(5)]
    for code, group in tumours.items():
        names = [name for part in held for name in part[code].expression.samples]
        assert sorted(names) == sorted(group.expression.samples)
        assert {len(part[code].expression.samples) for part in held} == {8}
        rest = select(tumours, folds, 0, inside=False)[code].expression.samples
        assert not set(rest) & set(held[0][code].expression.samples)


def test_the_limit_keeps_the_stated_share_of_held_out_tumours(model: CancerTypeModel) -> None:
    answers = [model.suggest(draw_type(number, n=60, seed=5)) for number in range(4)]
    unclear = np.mean([(a["suggestion"] == UNCLEAR).mean() for a in answers])
    assert unclear <= 3 * (1 - KEPT)


def test_a_made_up_pipeline_moves_genes_by_its_spread_and_keeps_zeros() -> None:
    values = np.full((3, 4000), 20, np.float32)
    values[:, ::2] = 0
    table = pd.DataFrame(values, columns=[f"G{i}" for i in range(4000)])
    moved = another_pipeline(Expression(table), "a").values
    shift = (moved - table).to_numpy()
    assert (shift[:, ::2] == 0).all()
    np.testing.assert_allclose(shift[0], shift[2])
    assert np.std(shift[0, 1::2]) == pytest.approx(PIPELINE_SD, rel=0.15)
    assert not np.allclose(shift, (another_pipeline(Expression(table), "b").values - table))


def test_permuted_types_are_hardly_ever_suggested_rightly() -> None:
    tumours = draw_tumours()
    pool = pd.concat([group.expression.values for group in tumours.values()])
    order = np.random.default_rng(4).permutation(len(pool))
    mixed = {
        code: type(group)(code, Expression(pool.iloc[order[i::4]]), "one")
        for i, (code, group) in enumerate(tumours.items())
    }
    shuffled = fit_cancer_type_model(mixed)
    rights = [
        (shuffled.suggest(draw_type(n, n=25, seed=6))["suggestion"] == code).mean()
        for n, code in enumerate(CODES)
    ]
    assert np.mean(rights) < 0.5


def test_one_type_cannot_be_told_apart() -> None:
    with pytest.raises(InputDataError, match=r"1 cancer type\(s\) to tell apart; at least 2"):
        fit_type_profiles(draw_tumours(1))


def test_profiles_are_in_single_precision_so_that_saving_loses_nothing(
    model: CancerTypeModel,
) -> None:
    assert isinstance(model.profiles, TypeProfiles)
    for name in ("reference", "means", "factors", "variance", "type_variance"):
        assert getattr(model.profiles, name).dtype == np.float32
