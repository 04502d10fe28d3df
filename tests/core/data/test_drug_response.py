"""Recorded responses: which course of a drug counts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.cohorts import load_cohort
from resvae_core.data.drug_response import COLUMNS, RESPONSE_FILE, read_drug_response
from resvae_core.errors import InputDataError

RECORDS = [
    ("P1", "LUAD", "cisplatin", 0.0, 50.0),
    ("P1", "LUAD", "cisplatin", 1.0, 200.0),  # a later course
    ("P2", "LUAD", "CDDP", 1.0, np.nan),  # no day: after the course that has one
    ("P2", "LUAD", "cisplatin", 0.0, 10.0),
    ("P3", "LUAD", "Cisplatin", 1.0, 10.0),  # two that began together: the worse
    ("P3", "LUAD", "cisplatin", 0.0, 10.0),
    ("P4", "LUAD", "cisplatin", np.nan, 10.0),  # nobody wrote down a response
    ("P4", "LUAD", "vitamin c", 1.0, 10.0),
    ("P5", "STAD", "fluorouracil", 1.0, 10.0),
]


def install(folder: Path, table: pd.DataFrame) -> Path:
    (folder / "tcga").mkdir(exist_ok=True)
    table.to_parquet(folder / RESPONSE_FILE)
    return folder


def records() -> pd.DataFrame:
    """Make synthetic treatment records, one for each rule."""
    columns = ["patient", "cohort", "drug_name", "responder", "start_day"]
    return pd.DataFrame(RECORDS, columns=columns)


def test_the_first_course_counts_and_ties_are_read_as_the_worse(tmp_path: Path) -> None:
    table = read_drug_response(install(tmp_path, records()))
    assert list(table.columns) == COLUMNS
    found = table.set_index(["patient", "drug"])
    assert found["responder"].to_dict() == {
        ("P1", "Cisplatin"): False,
        ("P2", "Cisplatin"): False,
        ("P3", "Cisplatin"): False,
        ("P5", "5-Fluorouracil"): True,
    }
    assert found["n_courses"].to_list() == [2, 2, 2, 1]


def test_the_order_of_the_records_changes_nothing(tmp_path: Path) -> None:
    table = read_drug_response(install(tmp_path, records()))
    again = read_drug_response(install(tmp_path, records().iloc[::-1]))
    pd.testing.assert_frame_equal(again, table)


def test_a_missing_or_odd_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match=r"lacks tcga/drug_response\.parquet"):
        read_drug_response(tmp_path)
    install(tmp_path, records().drop(columns="start_day"))
    with pytest.raises(InputDataError, match="lacks the column start_day"):
        read_drug_response(tmp_path)
    install(tmp_path, records().assign(responder=0.5))
    with pytest.raises(InputDataError, match=r"neither 1 .* nor 0.*unchanged"):
        read_drug_response(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("code", "drug", "n"),
    [
        ("LGG", "Temozolomide", 126),
        ("STAD", "5-Fluorouracil", 72),
        ("BLCA", "Gemcitabine", 62),
        ("PAAD", "Gemcitabine", 62),
        ("LUAD", "Cisplatin", 51),
    ],
)
def test_patients_with_expression_and_response_are_as_many_as_stated(
    data: Path, code: str, drug: str, n: int
) -> None:
    table = read_drug_response(data)
    patients = load_cohort(data, code).values.index
    chosen = table[(table["drug"] == drug) & table["patient"].isin(patients)]
    assert len(chosen) == n
    assert set(chosen["cohort"]) == {code}


@pytest.mark.data
def test_the_rule_matters_for_few_patients(data: Path) -> None:
    table = read_drug_response(data)
    assert len(table) == 2231
    assert (table["n_courses"] > 1).sum() == 111
    raw = pd.read_parquet(data / RESPONSE_FILE)
    raw = raw[raw["responder"].notna()]
    lgg = raw[(raw["cohort"] == "LGG") & (raw["drug_name"] == "temozolomide")]
    any_response = lgg.groupby("patient")["responder"].max()
    first = table[(table["cohort"] == "LGG") & (table["drug"] == "Temozolomide")]
    first = first.set_index("patient")["responder"].astype(float)
    assert (any_response - first.reindex(any_response.index)).sum() == 2
