"""Where a score lies in a cohort: quantiles of a synthetic cohort, and positions among them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.cohorts import load_cohort
from resvae_core.evaluation.cohort_scores import (
    KEYS,
    LEVEL_COLUMNS,
    LEVELS,
    CohortPosition,
    position_in_cohort,
    score_quantiles,
)
from resvae_core.models.model_set import ModelSet
from resvae_core.tables import Expression


@pytest.fixture
def rows() -> pd.DataFrame:
    values = np.linspace(0.50, 0.95, len(LEVELS))
    row = {"cohort": "LUAD", "drug": "Cisplatin", "model": "xgboost", "n_patients": 513}
    return pd.DataFrame([row | dict(zip(LEVEL_COLUMNS, values, strict=True))])


@pytest.fixture
def demo_cohort() -> Expression:
    """Return a few synthetic patients."""
    return Expression(load_cohort(None, "DEMO").values.iloc[:12])


def test_quantiles_match_numpy_on_the_forecast(shipped: ModelSet, demo_cohort) -> None:
    table = score_quantiles({"LUAD": demo_cohort}, shipped)
    assert list(table.columns) == [*KEYS, "n_patients", *LEVEL_COLUMNS]
    assert len(table) == len(shipped.drugs) * len(shipped.learned)
    kind = "elastic_net"
    forecast = shipped.predict(
        demo_cohort, cancer_type="LUAD", drugs=["Cisplatin"], models=[kind]
    ).table
    row = table[(table["drug"] == "Cisplatin") & (table["model"] == kind)].iloc[0]
    expected = np.quantile(forecast["probability"], LEVELS)
    np.testing.assert_allclose(row[LEVEL_COLUMNS].to_numpy(float), expected, atol=1e-4)
    assert row["n_patients"] == len(demo_cohort.samples)


def test_a_quantile_is_its_own_percentile_and_order_is_kept(rows) -> None:
    found = [position_in_cohort(rows, "Cisplatin", rows[name].item()) for name in LEVEL_COLUMNS]
    np.testing.assert_allclose([one.percentile for one in found], [100 * x for x in LEVELS])


def test_beyond_the_outer_quantiles_only_that_much_is_said(rows) -> None:
    lowest = position_in_cohort(rows, "Cisplatin", 0.01)
    highest = position_in_cohort(rows, "Cisplatin", 0.999)
    assert lowest.words == "among the lowest 5 of 100 LUAD patients"
    assert highest.words == "among the highest 5 of 100 LUAD patients"
    assert (lowest.percentile, highest.percentile) == (5, 95)
    middle = CohortPosition("LUAD", 71.4, 513)
    assert middle.words == "higher than that of 71 of 100 LUAD patients"


def test_equal_quantiles_give_the_middle_of_their_range(rows) -> None:
    rows[LEVEL_COLUMNS] = 0.8
    assert position_in_cohort(rows, "Cisplatin", 0.8).percentile == pytest.approx(50)


def test_unknown_drug_or_probability_has_no_position(rows) -> None:
    assert position_in_cohort(rows, "Docetaxel", 0.5) is None
    assert position_in_cohort(rows, "Cisplatin", float("nan")) is None
