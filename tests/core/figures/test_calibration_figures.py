from __future__ import annotations

import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.figures import calibration
from resvae_core.figures.calibration import (
    coverage,
    coverage_takeaway,
    reliability,
    reliability_takeaway,
)
from resvae_core.models import conformal


def test_nominal_coverage_and_smallest_group_are_those_of_the_core() -> None:
    from resvae_core.evaluation import coverage as counted

    assert calibration.NOMINAL == conformal.NOMINAL
    assert calibration.MINIMAL_LINES == counted.MINIMAL_LINES
    assert set(calibration.GROUP_WORDS) == {counted.ALL, counted.BLOOD, counted.SOLID}


def test_reliability_gap_is_the_count_weighted_mean(bins) -> None:
    # xgboost: (10 * 0.1 + 20 * 0 + 10 * 0.1) / 40
    assert reliability_takeaway(bins) == (
        "Mean gap between predicted and observed resistance: VAE_LD 0.000, XGBoost 0.050 "
        "(40 pairs)."
    )


def test_reliability_says_where_and_on_how_many_lines(bins) -> None:
    one = bins[bins["model"] == "xgboost"].assign(n_lines=12, tissue="LUAD")
    assert reliability_takeaway(one, where="Lung adenocarcinoma") == (
        "Lung adenocarcinoma: mean gap between predicted and observed resistance: XGBoost 0.050 "
        "(40 pairs, 12 lines)."
    )


def test_reliability_draws_the_diagonal_and_a_line_a_model(bins) -> None:
    names = [trace.name for trace in reliability(bins).data]
    assert names == ["Calibrated", "VAE_LD", "XGBoost"]


def test_counts_are_written_at_the_points_of_a_single_model(bins) -> None:
    curve = reliability(bins[bins["model"] == "xgboost"]).data[1]
    assert list(curve.text) == ["10", "20", "10"]
    assert reliability(bins).data[1].text is None


def test_axes_begin_where_the_lowest_point_is_and_keep_it_in_sight(bins) -> None:
    high = bins.assign(predicted=bins["predicted"] / 5 + 0.8, observed=bins["observed"] / 5 + 0.8)
    low, top = reliability(high).layout.xaxis.range
    assert 0.7 < low < 0.84
    assert top > 1
    assert reliability(bins).layout.xaxis.range[0] < 0.2


def test_intervals_are_drawn_where_they_are_known(bins) -> None:
    known = bins.assign(lower=bins["observed"] - 0.1, upper=bins["observed"] + 0.1)
    assert reliability(known).data[1].error_y.array is not None
    assert reliability(bins).data[1].error_y.array is None


@pytest.mark.parametrize("column", ["split", "tissue"])
def test_two_splits_or_cancer_types_in_one_reliability_figure_are_refused(bins, column) -> None:
    both = pd.concat([bins.assign(**{column: "a"}), bins.assign(**{column: "b"})])
    with pytest.raises(InputDataError, match=f"holds 2 values of '{column}'"):
        reliability(both)


def test_groups_come_first_then_cancer_types_by_size(covered) -> None:
    rows = list(coverage(covered).layout.yaxis.categoryarray)[::-1]
    assert rows == ["All cell lines", "SCLC", "LUAD"]


def test_a_class_of_few_lines_is_not_drawn_and_counted_in_the_note(covered) -> None:
    figure = coverage(covered)
    sensitive = next(trace for trace in figure.data if "Sensitive" in trace.name)
    assert list(sensitive.y) == ["All cell lines", "LUAD"]
    assert "1 cancer types" in " ".join(note.text for note in figure.layout.annotations)


def test_nominal_line_stands_at_nine_in_ten(covered) -> None:
    assert [line.x0 for line in coverage(covered).layout.shapes] == [0.9]


def test_takeaway_of_coverage_gives_all_lines_and_the_spread(covered) -> None:
    assert coverage_takeaway(covered) == (
        "VAE_LD: the set contains the true class for 90.0% of resistant lines (80% to 92% by "
        "cancer type) and 88.0% of sensitive lines (70% to 70% by cancer type); built for 90%."
    )


def test_coverage_of_two_models_in_one_figure_is_refused(covered) -> None:
    with pytest.raises(InputDataError, match="holds 2 values of 'model'"):
        coverage(pd.concat([covered, covered.assign(model="xgboost")]))
