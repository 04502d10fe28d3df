"""Gene names become current symbols, each once, and no expression is lost or counted twice."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from resvae_core.data.symbols import (
    average_by_symbol,
    current_symbols,
    sum_by_symbol,
    to_log2,
    to_tpm,
)

# three names of one gene, an unknown Ensembl id, and another gene
NAMES = ["CARS", "CARS1", "ENSG00000110619.18", "ENSG99999999999", "TP53"]


def test_three_names_of_one_gene_are_summed() -> None:
    summed = sum_by_symbol(pd.DataFrame([[1.0, 2.0, 4.0, 8.0, 16.0]], columns=NAMES))
    assert summed.iloc[0].to_dict() == {"CARS1": 7.0, "TP53": 16.0}


def test_what_was_not_measured_stays_missing_unless_another_part_was() -> None:
    values = pd.DataFrame([[np.nan, np.nan], [np.nan, 3.0]], columns=["CARS", "CARS1"])
    np.testing.assert_array_equal(sum_by_symbol(values)["CARS1"], [np.nan, 3.0])


def test_scores_are_averaged() -> None:
    averaged = average_by_symbol(pd.DataFrame([[-1.0, 2.0]], columns=["CARS", "CARS1"]))
    assert averaged.iloc[0].to_dict() == {"CARS1": 0.5}


@given(st.lists(st.floats(0, 1e5), min_size=5, max_size=5))
def test_merging_in_log2_equals_merging_in_tpm(tpm: list[float]) -> None:
    linear = pd.DataFrame([tpm], columns=NAMES)
    merged = current_symbols(to_log2(linear))
    expected = to_log2(sum_by_symbol(linear))
    np.testing.assert_allclose(merged[expected.columns], expected, rtol=1e-5, atol=1e-5)


def test_genes_that_need_no_merging_keep_their_values_exactly() -> None:
    values = pd.DataFrame([[0.1, 2.3]], columns=["TP53", "EGFR"], dtype="float32")
    pd.testing.assert_frame_equal(current_symbols(values), values)


def test_each_sample_is_scaled_to_a_million_by_itself() -> None:
    rates = pd.DataFrame([[1.0, 3.0], [10.0, 30.0]])
    np.testing.assert_allclose(to_tpm(rates), [[250_000, 750_000]] * 2)
