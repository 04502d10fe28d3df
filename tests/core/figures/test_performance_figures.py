from __future__ import annotations

import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures.performance import (
    leaderboard,
    leaderboard_takeaway,
    reliability,
    reliability_takeaway,
)


def test_models_are_ordered_by_the_first_metric_with_the_floors_among_them(performance) -> None:
    figure = leaderboard(performance)
    rows = list(figure.layout.yaxis.categoryarray)[::-1]
    assert rows == ["Res VAE", "Elastic net", "Drug × tissue mean"]


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
        "ROC AUC: Res VAE 0.800 against a floor of Drug × tissue mean 0.750; ROC AUC within "
        "tissue: Elastic net 0.630."
    )


def test_a_split_that_is_not_there_is_refused_with_those_that_are(performance) -> None:
    with pytest.raises(InputDataError, match="it has splits leave_cell_line_out, leave_tissue_out"):
        leaderboard(performance, split="external")


def test_reliability_gap_is_the_count_weighted_mean(bins) -> None:
    # xgboost: (10 * 0.1 + 20 * 0 + 10 * 0.1) / 40
    assert reliability_takeaway(bins) == (
        "Mean gap between predicted and observed resistance: Res VAE 0.000, XGBoost 0.050."
    )


def test_reliability_draws_the_diagonal_and_a_line_a_model(bins) -> None:
    names = [trace.name for trace in reliability(bins).data]
    assert names == ["Calibrated", "Res VAE", "XGBoost"]


def test_intervals_are_drawn_where_they_are_known(bins) -> None:
    known = bins.assign(lower=bins["observed"] - 0.1, upper=bins["observed"] + 0.1)
    assert reliability(known).data[1].error_y.array is not None
    assert reliability(bins).data[1].error_y.array is None


def test_two_splits_in_one_reliability_figure_are_refused(bins) -> None:
    both = pd.concat([bins.assign(split="a"), bins.assign(split="b")])
    with pytest.raises(InputDataError, match="holds 2 values of 'split'"):
        reliability(both)
