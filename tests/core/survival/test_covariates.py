from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.survival import covariates_of


def clinical(**columns: object) -> pd.DataFrame:
    n = 40
    table = {
        "age": np.linspace(40, 79, n),
        "sex": ["female", "male"] * (n // 2),
        "stage": ["Stage IA", "Stage IIB", "Stage IIIC", "Stage IV"] * (n // 4),
        "purity_CPE": np.linspace(0.3, 0.9, n),
    }
    return pd.DataFrame(table | columns, index=[f"P{number:02d}" for number in range(n)])


def test_covariates_are_named_with_their_unit_and_have_it() -> None:
    found = covariates_of(clinical())
    assert found.table.columns.tolist() == ["age per 10 years", "sex", "stage", "purity per 0.1"]
    assert found.names == ("age", "sex", "stage", "purity")
    assert found.table["age per 10 years"].iloc[0] == pytest.approx(4.0)
    assert found.table["purity per 0.1"].iloc[-1] == pytest.approx(9.0)
    assert found.note == ""
    assert found.select(["stage", "age"]).columns.tolist() == ["age per 10 years", "stage"]


def test_stages_are_ordered_without_their_substages() -> None:
    stage = covariates_of(clinical()).table["stage"]
    assert stage.cat.categories.tolist() == ["I", "II", "III", "IV"]
    assert stage.iloc[:4].tolist() == ["I", "II", "III", "IV"]


@pytest.mark.parametrize("text", ["Stage X", "Stage 0", "I/II NOS", None, "not available"])
def test_what_is_no_stage_is_not_known(text) -> None:
    stages = ["Stage I", "Stage II"] * 19 + [text, text]
    stage = covariates_of(clinical(stage=stages)).table["stage"]
    assert stage.isna().tolist() == [False] * 38 + [True, True]


def test_joined_stages_of_the_table_come_before_its_substages() -> None:
    stages = ["III", "IV"] * 20
    stage = covariates_of(clinical(stage_simple=stages)).table["stage"]
    assert stage.tolist() == stages


def test_what_is_not_recorded_is_said_with_the_reason() -> None:
    few = [60.0] * 20 + [np.nan] * 20
    found = covariates_of(clinical(age=few, sex="female").drop(columns="purity_CPE"))
    assert found.names == ("stage",)
    assert found.note == (
        "Not adjusted for: age (recorded for 20 of 40 patients); sex (the same for all: female); "
        "purity (not recorded)."
    )


def test_a_handful_of_the_other_sex_is_no_covariate() -> None:
    found = covariates_of(clinical(sex=["Female"] * 37 + ["Male"] * 3))
    assert found.not_recorded == {"sex": "female for all but 3"}


def test_a_record_without_any_covariate_gives_an_empty_table() -> None:
    found = covariates_of(pd.DataFrame(index=["A", "B"]))
    assert found.table.shape == (2, 0)
    assert set(found.not_recorded) == {"age", "sex", "stage", "purity"}
