from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resvae_core.data.splits import leave_cell_line_out, leave_tissue_out
from resvae_core.errors import ConfigError

TISSUES = st.lists(st.sampled_from("ABCDEF"), min_size=12, max_size=80)


def series(labels: list[str]) -> pd.Series[str]:
    return pd.Series(labels, index=[f"L{number}" for number in range(len(labels))])


@settings(deadline=None)
@given(labels=TISSUES, seed=st.integers(0, 5))
def test_no_line_is_on_both_sides_and_each_is_tested_once(labels: list[str], seed: int) -> None:
    tissue = series(labels)
    folds = leave_cell_line_out(tissue, seed=seed)
    tested = [line for fold in folds for line in fold.test]
    assert sorted(tested) == sorted(tissue.index)
    for fold in folds:
        assert not set(fold.train) & set(fold.test)
        assert len(fold.train) + len(fold.test) == len(tissue)


@settings(deadline=None)
@given(labels=TISSUES)
def test_folds_hold_the_same_share_of_every_tissue(labels: list[str]) -> None:
    tissue = series(labels)
    counts = pd.DataFrame(
        [tissue[list(fold.test)].value_counts() for fold in leave_cell_line_out(tissue)]
    ).fillna(0)
    assert (counts.max() - counts.min()).max() <= 1


@settings(deadline=None)
@given(labels=TISSUES)
def test_order_of_lines_does_not_change_the_folds(labels: list[str]) -> None:
    tissue = series(labels)
    first = {fold.number: set(fold.test) for fold in leave_cell_line_out(tissue)}
    again = {fold.number: set(fold.test) for fold in leave_cell_line_out(tissue.iloc[::-1])}
    assert first == again


def test_leave_tissue_out_never_splits_a_tissue() -> None:
    tissue = series(list("AAAAAABBBBBCCCCDDDEEFFG" * 3))
    folds = leave_tissue_out(tissue, seed=1)
    for fold in folds:
        assert not set(tissue[list(fold.train)]) & set(tissue[list(fold.test)])
    assert sorted(line for fold in folds for line in fold.test) == sorted(tissue.index)


def test_too_few_lines_or_tissues_are_refused() -> None:
    with pytest.raises(ConfigError, match="5 folds were asked for with 3 cell lines"):
        leave_cell_line_out(series(list("ABC")))
    with pytest.raises(ConfigError, match="5 folds were asked for with 2 tissues"):
        leave_tissue_out(series(list("AABB")))
