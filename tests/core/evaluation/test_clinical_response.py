"""Predictions against recorded responses, within one cancer and drug."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.drug_response import read_drug_response
from resvae_core.data.screens import TrainingSet
from resvae_core.evaluation import clinical_response
from resvae_core.evaluation.clinical_response import (
    COLUMNS,
    PLAIN_RIDGE,
    TESTS,
    bootstrap_interval,
    find_pairs,
    response_table,
    ridge_scores,
    summarise_response,
)
from resvae_core.evaluation.metrics import roc_auc
from resvae_core.models.model_set import ModelSet
from resvae_core.models.patients import Patients, load_patients
from resvae_core.tables import Expression


def drawn(n: int = 80, effect: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return scores with an effect, and which are positive."""
    rng = np.random.default_rng(5)
    positive = rng.random(n) < 0.4
    return rng.normal(effect * positive, 1), positive


def test_area_is_that_of_the_metrics_and_lies_in_its_interval() -> None:
    score, positive = drawn()
    area, lower, upper = bootstrap_interval(score.round(1), positive, seed=1)
    assert area == pytest.approx(roc_auc(score.round(1), positive))
    assert lower < area < upper
    assert bootstrap_interval(score.round(1), positive, seed=1) == (area, lower, upper)


def test_a_turned_score_has_the_turned_interval() -> None:
    score, positive = drawn()
    area, lower, upper = bootstrap_interval(score, positive, seed=1)
    turned = bootstrap_interval(-score, positive, seed=1)
    assert turned == pytest.approx((1 - area, 1 - upper, 1 - lower))


def test_interval_is_near_that_of_hanley_and_mcneil() -> None:
    score, positive = drawn(400)
    area, lower, upper = bootstrap_interval(score, positive, seed=2)
    n_positive, n_negative = positive.sum(), (~positive).sum()
    first, second = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (n_positive - 1) * (first - area**2)
    variance += (n_negative - 1) * (second - area**2)
    error = np.sqrt(variance / (n_positive * n_negative))
    assert upper - lower == pytest.approx(2 * 1.96 * error, rel=0.1)


def test_scores_that_hold_nothing_exclude_a_half_about_as_often_as_they_should() -> None:
    rng = np.random.default_rng(9)
    outside = 0
    for repeat in range(100):
        positive = np.arange(60) < 25
        _, lower, upper = bootstrap_interval(rng.normal(size=60), positive, seed=repeat)
        outside += not lower <= 0.5 <= upper
    assert outside <= 12


def test_without_anything_to_resample_there_is_no_interval() -> None:
    positive = np.array([True] * 5 + [False] * 5)
    area, lower, upper = bootstrap_interval(np.full(10, 0.8), positive, seed=1)
    assert area == 0.5
    assert np.isnan([lower, upper]).all()
    single = np.arange(10) == 3
    assert np.isnan(bootstrap_interval(np.arange(10.0), single, seed=1)).all()


def test_pairs_need_twenty_patients_and_both_classes(installed: Path, shipped: ModelSet) -> None:
    patients = load_patients(installed, "LUAD", shipped)
    recorded = read_drug_response(installed)
    (pair,) = find_pairs(patients, recorded, shipped.drugs)
    assert pair.drug == "Cisplatin"  # Gemcitabine has 12
    assert len(pair.patients) == len(pair.responder) == 30
    known = recorded[recorded["drug"] == "Cisplatin"].set_index("patient")["responder"]
    assert pair.responder.tolist() == known[list(pair.patients)].tolist()
    all_respond = recorded.assign(responder=True)
    assert find_pairs(patients, all_respond, shipped.drugs) == []


@pytest.fixture(scope="module")
def table(installed: Path, shipped: ModelSet, lines: TrainingSet) -> pd.DataFrame:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clinical_response, "load_training_set", lambda folder: lines)
        return response_table(installed, shipped)


def test_every_model_stands_on_every_pair(table: pd.DataFrame, shipped: ModelSet) -> None:
    assert list(table.columns) == [*COLUMNS, *TESTS]
    wanted = {*shipped.models, PLAIN_RIDGE}
    for _, rows in table.groupby(["cohort", "drug"]):
        assert set(rows["model"]) == wanted
        assert len(rows) == len(wanted)
    assert set(table["cohort"]) == {"LUAD", "STAD"}
    assert set(table["n"]) == {30}


def test_a_floor_is_one_half_without_an_interval(table: pd.DataFrame, shipped: ModelSet) -> None:
    floors = table[~table["model"].isin([*shipped.learned, PLAIN_RIDGE])]
    assert (floors["roc_auc"] == 0.5).all()
    assert floors[["lower", "upper"]].isna().all(axis=None)
    others = table.drop(index=floors.index)
    assert others[["lower", "upper"]].notna().all(axis=None)


def test_q_values_count_every_pair_and_model(table: pd.DataFrame) -> None:
    tested = table.dropna(subset=["p_value"]).sort_values("p_value")
    assert len(tested) == table["lower"].notna().sum()
    ratio = tested["p_value"] * len(tested) / np.arange(1, len(tested) + 1)
    expected = np.minimum.accumulate(ratio.to_numpy()[::-1])[::-1]
    assert tested["q_value"].to_numpy() == pytest.approx(np.minimum(expected, 1))
    assert table.loc[table["lower"].isna(), TESTS].isna().all(axis=None)


def test_higher_predicted_resistance_of_non_responders_is_above_one_half(
    installed: Path, shipped: ModelSet, lines: TrainingSet, table: pd.DataFrame
) -> None:
    patients = load_patients(installed, "LUAD", shipped)
    (pair,) = find_pairs(patients, read_drug_response(installed), shipped.drugs)
    forecast = shipped.predict(
        patients.expression.select(pair.patients), drugs=["Cisplatin"], models=["vae_ll"]
    )
    score = forecast.table.set_index("sample")["probability"][list(pair.patients)].to_numpy()
    found = table.set_index(["cohort", "drug", "model"])["roc_auc"]["LUAD", "Cisplatin", "vae_ll"]
    assert found == pytest.approx(roc_auc(score, ~pair.responder))


def cohort(values: pd.DataFrame) -> Patients:
    return Patients("LUAD", Expression(values), values, pd.DataFrame(), False, "")


def test_ridge_finds_the_gene_that_the_lines_follow(lines: TrainingSet) -> None:
    values = lines.expression.values
    scores = ridge_scores(cohort(values), "Cisplatin", lines)
    assert scores.corr(values.iloc[:, 0]) > 0.7


def test_ridge_reads_each_side_by_its_own_moments(lines: TrainingSet) -> None:
    values = lines.expression.values
    scores = ridge_scores(cohort(values), "Cisplatin", lines)
    moved = ridge_scores(cohort(values * 2 + 3), "Cisplatin", lines)
    np.testing.assert_allclose(moved, scores, atol=1e-4)
    fewer = ridge_scores(cohort(values.iloc[:, :50]), "Cisplatin", lines)
    assert fewer.corr(scores) > 0.5


def test_summary_counts_pairs_and_sets_those_with_few_of_a_class_apart() -> None:
    rows = [
        ("LUAD", "Cisplatin", "vae_ll", 0.70, 0.55, 0.85, 51, 40, "log2tpm"),
        ("BRCA", "Doxorubicin", "vae_ll", 0.90, 0.60, 0.99, 78, 74, "zscore, aligned"),
        ("LGG", "Temozolomide", "vae_ll", 0.40, 0.30, 0.49, 126, 18, "zscore, aligned"),
    ]
    summary = summarise_response(pd.DataFrame(rows, columns=COLUMNS)).set_index("model")
    row = summary.loc["vae_ll"]
    assert row[["n_pairs", "n_above", "n_excluding_above", "n_excluding_below"]].tolist() == [
        *(3, 2, 2, 1)
    ]
    assert row[["n_pairs_10", "n_above_10", "n_excluding_above_10"]].tolist() == [2, 1, 1]
    assert row["median"] == 0.70


@pytest.mark.data
def test_real_pairs_are_at_least_eight_and_cover_all_installed_cohorts(
    data: Path, shipped: ModelSet
) -> None:
    recorded = read_drug_response(data)
    found = {}
    for code in ("BLCA", "LGG", "LUAD", "PAAD", "STAD"):
        patients = load_patients(data, code, shipped)
        for pair in find_pairs(patients, recorded, shipped.drugs):
            found[code, pair.drug] = len(pair.patients)
    assert found["LUAD", "Cisplatin"] == 51
    assert found["LGG", "Temozolomide"] == 126
    assert len(found) >= 8
