from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.external import (
    CTRPV2_FILE,
    TABLE_S5C_FILE,
    read_ctrpv2,
    read_table_s5c,
)
from resvae_core.data.screens import load_training_set, read_lines
from resvae_core.errors import InputDataError

LINES = pd.DataFrame({"cosmic_id": [11, 12, 13]}, index=["ACH-000001", "ACH-000002", "ACH-000003"])


def ctrpv2(path: Path, rows: list[tuple[float, str, float]]) -> Path:
    pd.DataFrame(rows, columns=["cosmic_id", "drug_name", "ln_ic50"]).to_parquet(path)
    return path


def table_s5c(path: Path, rows: list[tuple[int, int, str, str]]) -> Path:
    pd.DataFrame(rows, columns=["cosmic_id", "drug_id", "drug_name", "label"]).to_parquet(path)
    return path


def test_ctrpv2_is_read_on_the_names_of_the_catalogue(tmp_path: Path) -> None:
    rows = [
        (12.0, "Sirolimus", -2.0),
        (11.0, "PLX4720", 1.5),
        (13.0, "narciclasine", -3.0),  # not in the catalogue
        (99.0, "Sirolimus", 0.0),  # a line without expression
        (np.nan, "Sirolimus", 0.0),  # a line that COSMIC does not know
    ]
    found = read_ctrpv2(ctrpv2(tmp_path / "x.parquet", rows), LINES)
    assert list(found.index) == ["ACH-000001", "ACH-000002"]
    assert list(found.columns) == ["PLX-4720", "Rapamycin"]
    assert found.loc["ACH-000002", "Rapamycin"] == -2.0
    assert found.isna().to_numpy().tolist() == [[False, True], [True, False]]


def test_a_pair_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    rows = [(11.0, "Sirolimus", 1.0), (11.0, "Rapamycin", 2.0)]
    with pytest.raises(InputDataError, match=r"1 pairs of line and drug twice.*Rapamycin"):
        read_ctrpv2(ctrpv2(tmp_path / "x.parquet", rows), LINES)


def test_a_file_without_ln_ic50_is_refused(tmp_path: Path) -> None:
    pd.DataFrame({"cosmic_id": [1.0], "drug_name": ["x"]}).to_parquet(tmp_path / "x.parquet")
    with pytest.raises(InputDataError, match=r"x\.parquet lacks the column ln_ic50"):
        read_ctrpv2(tmp_path / "x.parquet", LINES)


def test_calls_of_a_drug_with_two_ids_come_from_the_catalogues_own(tmp_path: Path) -> None:
    rows = [
        (11, 1017, "Olaparib", "S"),
        (11, 1495, "Olaparib", "R"),
        (12, 1495, "Olaparib", "R"),
        (12, 1371, "PLX-4720", "S"),
    ]
    found = read_table_s5c(table_s5c(tmp_path / "x.parquet", rows), LINES)
    assert found["Olaparib"].dropna().to_dict() == {"ACH-000001": 0.0}
    assert found["PLX-4720"].dropna().to_dict() == {"ACH-000002": 0.0}


def test_a_call_that_is_neither_s_nor_r_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match="the call 'I'; expected S"):
        read_table_s5c(table_s5c(tmp_path / "x.parquet", [(11, 1017, "Olaparib", "I")]), LINES)


@pytest.mark.data
def test_development_files_have_the_documented_overlap(data: Path) -> None:
    lines = read_lines(data)
    screen = read_ctrpv2(data / CTRPV2_FILE, lines)
    assert screen.shape == (542, 51)
    assert int(screen.notna().sum().sum()) == 15_185
    calls = read_table_s5c(data / TABLE_S5C_FILE, lines)
    assert calls.shape == (667, 52)
    assert set(np.unique(calls.to_numpy()[~calls.isna().to_numpy()])) == {0.0, 1.0}


@pytest.mark.data
def test_calls_agree_with_the_labels_of_a_gdsc1_drug(data: Path) -> None:
    # Doxorubicin's label is the Table S5C threshold on the same screen, a later release of it
    labels = load_training_set(data).screen.resistant["Doxorubicin"]
    calls = read_table_s5c(data / TABLE_S5C_FILE, read_lines(data))["Doxorubicin"]
    both = pd.concat([labels, calls], axis=1).dropna()
    assert len(both) > 500
    assert (both.iloc[:, 0] == both.iloc[:, 1]).mean() > 0.99
