from __future__ import annotations

import inspect

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resvae_core.errors import SurvivalDataError
from resvae_core.survival import group_by_category, group_by_expression


def numbered(values: list[float]) -> pd.Series:
    return pd.Series(values, index=[f"P{n}" for n in range(len(values))], dtype=float)


def test_median_split_puts_ties_at_the_cut_into_low() -> None:
    groups = group_by_expression(numbered([1, 2, 2, 2, 3, 4]))
    assert groups.cuts == (2.0,)
    assert groups.sizes == {"low": 4, "high": 2}
    assert list(groups.labels) == ["low"] * 4 + ["high"] * 2
    assert "2; a value equal to the cut counts as lower): low 4, high 2" in groups.description


@pytest.mark.parametrize(
    ("rule", "names", "sizes"),
    [
        ("median", ("low", "high"), [6, 6]),
        ("tertile", ("low", "middle", "high"), [4, 4, 4]),
        ("quartile", ("low", "lower middle", "upper middle", "high"), [3, 3, 3, 3]),
        (("fixed", 10.0), ("low", "high"), [10, 2]),
    ],
)
def test_rules_give_named_groups_of_the_expected_sizes(rule, names, sizes) -> None:
    groups = group_by_expression(numbered(list(range(1, 13))), rule)
    assert groups.names == names
    assert list(groups.sizes.values()) == sizes


def test_grouping_takes_no_outcome() -> None:
    assert set(inspect.signature(group_by_expression).parameters) == {"values", "rule"}


@given(st.lists(st.floats(0, 20), min_size=8, max_size=60, unique=True), st.randoms())
def test_groups_are_ordered_by_value_and_do_not_depend_on_row_order(values, random) -> None:
    series = numbered(values)
    groups = group_by_expression(series, "quartile")
    position = groups.labels.map({name: place for place, name in enumerate(groups.names)})
    assert position.loc[series.sort_values().index].is_monotonic_increasing
    shuffled = random.sample(list(series.index), len(series))
    again = group_by_expression(series.loc[shuffled], "quartile")
    assert again.labels.loc[series.index].equals(groups.labels)


def test_categories_keep_their_names_in_sorted_order() -> None:
    stage = pd.Series(["II", "I", "I", "II"], index=list("abcd"), name="stage")
    groups = group_by_category(stage)
    assert groups.names == ("I", "II")
    assert groups.description == "Groups by stage: I 2, II 2."


@pytest.mark.parametrize(
    ("values", "rule", "text"),
    [
        ([1, 2, np.nan, 3], "median", "1 of 4 patients have no value"),
        ([0, 0, 0, 0, 0, 1], "median", "'high' would have 1 of 6"),
        ([1, 2, 3, 4], ("fixed", 9.0), "'high' would have 0 of 4"),
        ([1, 2, 3, np.inf], "median", "infinite"),
        ([1, 2, 3, 4], "optimal", "Rule 'optimal' is unknown; known are median"),
    ],
)
def test_values_that_cannot_be_divided_are_refused(values, rule, text) -> None:
    with pytest.raises(SurvivalDataError, match=text):
        group_by_expression(numbered(values), rule)


def test_a_patient_that_occurs_twice_is_refused() -> None:
    with pytest.raises(SurvivalDataError, match="occurs more than once"):
        group_by_expression(pd.Series([1.0, 2.0, 3.0, 4.0], index=list("aabc")))


def test_one_category_alone_is_refused() -> None:
    with pytest.raises(SurvivalDataError, match="All 3 patients are in one group"):
        group_by_category(pd.Series("I", index=list("abc")))


def test_cuts_are_told_with_commas_and_a_real_minus_sign() -> None:
    values = numbered([-0.8, -0.7, -0.6, -0.5, 0.1, 0.3, 1.5, 2.5])
    assert group_by_expression(values, "quartile").description == (
        "Cut at the quartiles (−0.625, −0.2 and 0.6; a value equal to a cut counts as lower): "
        "low 2, lower middle 2, upper middle 2, high 2."
    )
    assert group_by_expression(values, ("fixed", -0.55)).description == (
        "Cut at the fixed value (−0.55; a value equal to the cut counts as lower): low 3, high 5."
    )
