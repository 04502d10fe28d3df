from __future__ import annotations

import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.performance import (
    differences,
    differences_takeaway,
    external,
    external_takeaway,
    leaderboard,
    leaderboard_takeaway,
)


def test_models_are_ordered_by_the_first_metric_with_the_floors_among_them(performance) -> None:
    figure = leaderboard(performance)
    rows = list(figure.layout.yaxis.categoryarray)[::-1]
    assert rows == ["VAE_LD", "Elastic net", "Drug × tissue mean"]


def test_floors_have_another_shape_and_a_line(performance) -> None:
    figure = leaderboard(performance)
    floors = [trace for trace in figure.data if trace.name.startswith("Floor")]
    assert [trace.marker.symbol for trace in floors] == ["square-open", "square-open"]
    assert list(floors[0].y) == ["Drug × tissue mean"]
    assert len(floors[1].y) == 0
    assert {shape.x0 for shape in figure.layout.shapes} == {0.5, 0.75}


def test_other_splits_do_not_leak_in(performance) -> None:
    figure = leaderboard(performance, split="leave_tissue_out")
    assert [list(trace.x) for trace in figure.data if len(trace.x)] == [[0.70]]


def test_takeaway_puts_the_best_floor_beside_the_best_model(performance) -> None:
    assert leaderboard_takeaway(performance) == (
        "ROC AUC: VAE_LD 0.800 against Elastic net 0.790 and a floor of Drug × tissue mean 0.750; "
        "ROC AUC within tissue: Elastic net 0.630."
    )


def test_a_split_that_is_not_there_is_refused_with_those_that_are(performance) -> None:
    with pytest.raises(InputDataError, match="it has splits leave_cell_line_out, leave_tissue_out"):
        leaderboard(performance, split="external")


def test_of_equal_floors_the_strongest_is_named(performance) -> None:
    floors = performance[performance["model"] == "drug_tissue_mean"]
    equal = pd.concat([floors.assign(model="always_resistant"), performance])
    assert "a floor of Drug × tissue mean 0.750" in leaderboard_takeaway(equal)


def test_differences_are_filled_where_clear_and_open_where_not(tests) -> None:
    filled, hollow = differences(tests, metric="roc_auc", against="elastic net").data
    assert list(filled.y) == ["Ensemble of five", "XGBoost"]
    assert list(hollow.y) == ["VAE_LD"]
    assert hollow.marker.symbol.endswith("open")


def test_takeaway_of_differences_names_better_worse_and_unclear(tests) -> None:
    assert differences_takeaway(tests, metric="roc_auc", against="elastic net") == (
        "ROC AUC against elastic net: clearly better: Ensemble of five (+0.020); clearly worse: "
        "XGBoost (-0.020); no clear difference: VAE_LD (+0.005)."
    )


def test_a_lower_brier_score_is_better(tests) -> None:
    said = differences_takeaway(tests, metric="brier", against="elastic net")
    assert "clearly better: Ensemble of five (-0.010); clearly worse: VAE_LD (+0.010)" in said


def test_a_difference_without_a_test_is_never_clear(tests) -> None:
    said = differences_takeaway(
        tests.assign(p_holm=float("nan")), metric="roc_auc", against="elastic net"
    )
    assert "clearly" not in said


def test_differences_of_a_metric_that_is_not_there_are_refused(tests) -> None:
    with pytest.raises(InputDataError, match="paired tests of pearson has no rows"):
        differences(tests, metric="pearson", against="elastic net")


def test_the_training_screen_s_own_measurement_stands_first(measured) -> None:
    figure = external(measured, metric="spearman", truth="CTRPv2")
    rows = list(figure.layout.yaxis.categoryarray)[::-1]
    assert rows[0] == "<i>Training screen itself</i>"
    assert rows[1:] == ["Ensemble of five", "VAE_LD", "Drug × tissue mean"]
    assert "40 drugs, 300 lines" in figure.data[0].name


def test_takeaway_of_other_measurements_names_no_floor_and_no_measurement_as_best(
    measured,
) -> None:
    assert external_takeaway(measured, metric="spearman", truth="CTRPv2") == (
        "CTRPv2, Spearman ρ: never measured for the drug in training, best Ensemble of five 0.25 "
        "(0.20–0.30); measured for the drug in training, best VAE_LD 0.31 (0.26–0.36); the "
        "training screen's own measurement 0.40."
    )


def test_two_sources_in_one_figure_are_refused(measured) -> None:
    other = measured.assign(source="table_s5c")
    with pytest.raises(InputDataError, match="holds 2 values of 'source'"):
        external(pd.concat([measured, other]), metric="spearman", truth="CTRPv2")
