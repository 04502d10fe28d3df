from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError
from resvae_core.features.distribution import quantile_table
from resvae_core.figures.quality import (
    expression_over_reference,
    expression_over_reference_takeaway,
)


@pytest.fixture
def reference() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    return quantile_table(pd.DataFrame(generator.gamma(2, 2, size=(60, 200))))


def test_quantile_table_matches_numpy_and_is_ordered(reference) -> None:
    assert reference["quantile"].tolist() == pytest.approx(np.linspace(0, 1, 101).tolist())
    assert (reference["lower"] <= reference["median"]).all()
    assert (reference["median"] <= reference["upper"]).all()
    one = quantile_table(pd.DataFrame([[0.0, 1.0, 2.0, np.nan]]))
    assert one["median"].iloc[[0, 50, 100]].tolist() == [0.0, 1.0, 2.0]


def test_a_sample_like_the_reference_lies_in_it_and_a_shifted_one_does_not(reference) -> None:
    generator = np.random.default_rng(2)
    like = pd.Series(generator.gamma(2, 2, size=200))
    inside = expression_over_reference_takeaway(like, reference)
    outside = expression_over_reference_takeaway(like + 6, reference)
    share = [int(text.split("%")[0].removeprefix("Across ")) for text in (inside, outside)]
    assert share[0] > 60
    assert share[1] < 10


def test_missing_genes_are_left_out(reference) -> None:
    values = pd.Series([1.0, 2.0, 3.0])
    with_gaps = pd.concat([values, pd.Series([np.nan] * 5)])
    one, other = (expression_over_reference(v, reference).data[-1].y for v in (values, with_gaps))
    np.testing.assert_allclose(one, other)


def test_a_sample_without_a_value_is_refused(reference) -> None:
    with pytest.raises(InputDataError, match="no expression value"):
        expression_over_reference(pd.Series([np.nan]), reference)
