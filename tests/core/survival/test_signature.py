"""Scores from several genes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import InputDataError, SurvivalDataError
from resvae_core.survival import signature_score


@pytest.fixture
def values() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    genes = ["TFF1", "EGFR", "KRAS", "TP53"]
    table = pd.DataFrame(rng.normal(5, 2, (20, 4)), [f"P{n}" for n in range(20)], genes)
    return table.assign(XIST=0.0)


def test_score_is_the_mean_of_z_scores(values: pd.DataFrame) -> None:
    found = signature_score(values, ["TFF1", "KRAS"])
    expected = ((values - values.mean()) / values.std())[["TFF1", "KRAS"]].mean(axis=1)
    np.testing.assert_allclose(found.scores, expected)
    assert found.scores.index.equals(values.index)
    assert found.used == ("TFF1", "KRAS")
    assert (found.missing, found.unusable) == ((), {})
    assert found.description == "Mean z-score of TFF1, KRAS."


def test_weights_are_signed_and_divided_by_their_absolute_sum(values: pd.DataFrame) -> None:
    z = (values - values.mean()) / values.std()
    found = signature_score(values, ["TFF1", "EGFR"], [3, -1])
    np.testing.assert_allclose(found.scores, (3 * z["TFF1"] - z["EGFR"]) / 4)
    assert found.description.startswith("Weighted mean of z-scores of TFF1, −EGFR (− counts low")


@pytest.mark.parametrize("minus", ["-", "−", "– "])
def test_a_minus_before_a_gene_turns_its_sign(values: pd.DataFrame, minus: str) -> None:
    typed = signature_score(values, ["TFF1", f"{minus}EGFR"])
    pd.testing.assert_series_equal(
        typed.scores, signature_score(values, ["TFF1", "EGFR"], [1, -1]).scores
    )
    assert typed.used == ("TFF1", "EGFR")


def test_units_and_the_order_of_genes_and_patients_change_nothing(values: pd.DataFrame) -> None:
    expected = signature_score(values, ["TFF1", "EGFR", "TP53"]).scores
    changed = (10 * values - 3).iloc[::-1]
    found = signature_score(changed, ["TP53", "TFF1", "EGFR"]).scores
    pd.testing.assert_series_equal(found.loc[expected.index], expected)


def test_genes_that_cannot_be_used_are_left_out_and_named(values: pd.DataFrame) -> None:
    values.loc["P3", "TP53"] = np.nan
    found = signature_score(values, ["TFF1", "NOSUCH", "XIST", "TP53"])
    pd.testing.assert_series_equal(found.scores, signature_score(values, ["TFF1"]).scores)
    assert found.missing == ("NOSUCH",)
    assert found.unusable == {
        "XIST": "the same value in all patients",
        "TP53": "no value in 1 of 20 patients",
    }
    assert found.description.endswith(
        "Not measured: NOSUCH. Not usable: XIST (the same value in all patients), TP53 (no value "
        "in 1 of 20 patients)."
    )


def test_older_symbols_count_as_the_current_one(values: pd.DataFrame) -> None:
    renamed = values.rename(columns={"TFF1": "H3-3A"})
    assert signature_score(renamed, ["H3F3A"]).used == ("H3-3A",)
    with pytest.raises(InputDataError, match="names H3-3A more than once"):
        signature_score(renamed, ["H3F3A", "H3-3A"])


@pytest.mark.parametrize(
    ("genes", "weights", "error", "text"),
    [
        ([" "], None, InputDataError, "The signature has no gene"),
        (["TFF1"], [1, 2], InputDataError, "The 1 genes of a signature need 1 weights"),
        (["TFF1"], [0], InputDataError, "finite and not 0"),
        (["XIST", "NO"], None, SurvivalDataError, r"None of 2 genes .* NO \(not measured\), XIST"),
    ],
)
def test_signatures_that_cannot_be_scored_are_refused(values, genes, weights, error, text) -> None:
    with pytest.raises(error, match=text):
        signature_score(values, genes, weights)


def test_a_patient_that_occurs_twice_is_refused(values: pd.DataFrame) -> None:
    with pytest.raises(SurvivalDataError, match="A patient occurs more than once"):
        signature_score(pd.concat([values, values]), ["TFF1"])
