"""GDSC files: the development form and the official ones give the same table."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data import gdsc
from resvae_core.data.gdsc import (
    RESPONSE_DTYPES,
    MicroarrayExpression,
    read_basal_expression,
    read_response,
    read_tissues,
)
from resvae_core.errors import InputDataError

OFFICIAL = [
    "DATASET", "NLME_RESULT_ID", "NLME_CURVE_ID", "COSMIC_ID", "CELL_LINE_NAME", "SANGER_MODEL_ID",
    "TCGA_DESC", "DRUG_ID", "DRUG_NAME", "PUTATIVE_TARGET", "PATHWAY_NAME", "COMPANY_ID",
    "WEBRELEASE", "MIN_CONC", "MAX_CONC", "LN_IC50", "AUC", "RMSE", "Z_SCORE",
]  # fmt: skip


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keep copies of what is read apart from the installation's own."""
    monkeypatch.setenv("RESVAE_ARTIFACTS", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


def synthetic_official() -> pd.DataFrame:
    """Make a synthetic table in the columns of GDSC release 8.5."""
    first = ["GDSC2", 343, 15946310, 683667, "PFSK-1", "SIDM01132", "MB", 1003, "Camptothecin"]
    second = ["GDSC2", 343, 15946548, 684052, "A673", "SIDM00848", "UNCLASSIFIED", 1003]
    rest = ["TOP1", "DNA replication", 1046, "Y", 0.0001, 0.1]
    rows = [
        [*first, *rest, -1.463887, 0.93022, 0.089052, 0.433123],
        [*second, "Camptothecin", *rest, -4.869455, 0.61497, 0.111351, -1.4211],
    ]
    return pd.DataFrame(rows, columns=OFFICIAL)


@pytest.mark.parametrize("name", ["GDSC2_fitted_dose_response_27Oct23.xlsx", "x.csv", "x.csv.gz"])
def test_official_responses_become_the_same_table_in_every_format(
    tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    table = synthetic_official()
    if name.endswith(".xlsx"):
        table.to_excel(path, index=False)
    else:
        table.to_csv(path, index=False)
    response = read_response(path)
    assert response.dtypes.astype(str).to_dict() == RESPONSE_DTYPES
    assert response["cosmic_id"].to_list() == [683667, 684052]
    assert response["ln_ic50"].to_list() == [-1.463887, -4.869455]
    assert response["max_conc"].to_list() == [0.1, 0.1]


def test_lines_that_gdsc_could_not_classify_have_no_tissue(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    synthetic_official().to_csv(path, index=False)
    assert read_tissues(path) == {683667: "MB"}


def test_a_table_without_ln_ic50_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    synthetic_official().drop(columns="LN_IC50").to_csv(path, index=False)
    with pytest.raises(InputDataError, match=r"x\.csv lacks the column LN_IC50; found DATASET"):
        read_response(path)


def test_text_in_place_of_a_number_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    synthetic_official().assign(LN_IC50="high").to_csv(path, index=False)
    with pytest.raises(InputDataError, match=r"value that is no number.*'high'"):
        read_response(path)


def test_a_pair_that_occurs_twice_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    pd.concat([synthetic_official()] * 2).to_csv(path, index=False)
    with pytest.raises(InputDataError, match=r"2 pairs of line and drug twice.*PFSK-1 with Campto"):
        read_response(path)


BASAL = (
    "GENE_SYMBOLS\tGENE_title\tDATA.906826\tDATA.1503362\tDATA.1503362.1\n"
    "TSPAN6\ttetraspanin 6\t7.6\t7.5\t3.0\n"
    "\tunnamed probe\t3.1\t3.2\t3.0\n"
    "CARS\tcysteinyl-tRNA synthetase\t4.0\t5.0\t3.0\n"
    "CARS1\tcysteinyl-tRNA synthetase 1\t6.0\t7.0\t3.0\n"
)


def test_basal_expression_is_a_type_of_its_own_with_lines_in_rows(tmp_path: Path) -> None:
    path = tmp_path / "Cell_line_RMA_proc_basalExp.txt"
    path.write_text(BASAL)
    basal = read_basal_expression(path)
    assert basal.unit == "RMA log2 intensity"
    assert basal.values.index.to_list() == [906826, 1503362]
    assert basal.values.columns.to_list() == ["TSPAN6", "CARS1"]
    np.testing.assert_allclose(basal.values.to_numpy(), [[7.6, 5.0], [7.5, 6.0]], rtol=1e-6)
    assert (basal.n_unnamed, basal.n_repeated) == (1, 1)


def test_a_file_without_lines_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.txt"
    path.write_text("GENE_SYMBOLS\tGENE_title\nTSPAN6\ttetraspanin 6\n")
    with pytest.raises(InputDataError, match=r"no column DATA\.<COSMIC id>"):
        read_basal_expression(path)


@pytest.mark.parametrize("value", [-0.1, 21.0, np.nan])
def test_values_that_are_no_rma_intensities_are_refused(value: float) -> None:
    with pytest.raises(InputDataError, match="outside 0 to 20, where RMA"):
        MicroarrayExpression(pd.DataFrame({"TP53": [value]}), 0, 0)


@pytest.fixture(scope="module")
def response(data: Path) -> pd.DataFrame:
    return read_response(data / "gdsc/response.parquet")


@pytest.mark.data
def test_development_responses_have_the_documented_rows(response: pd.DataFrame) -> None:
    counts = response["dataset"].value_counts().to_dict()
    assert counts == {"GDSC1": 216247, "GDSC2": 195277, "GDSC2_r8.2": 134728}
    assert response.dtypes.astype(str).to_dict() == RESPONSE_DTYPES


def mean_ln_ic50(
    response: pd.DataFrame, data: Path, drug: str, gene: str, tissue: str | None = None
) -> dict[bool, float]:
    """Give mean ln IC50 in GDSC2 of the lines with (True) and without a mutation of the gene."""
    lines = pd.read_parquet(data / "gdsc/cell_lines.parquet").set_index("cosmic_id")["tcga"]
    mutant = pd.read_parquet(data / "gdsc/mutation.parquet", columns=[gene])[gene].abs() >= 0.5
    chosen = response[(response["dataset"] == "GDSC2") & (response["drug_name"] == drug)]
    ln_ic50 = chosen.set_index("cosmic_id")["ln_ic50"]
    if tissue is not None:
        ln_ic50 = ln_ic50[lines.reindex(ln_ic50.index) == tissue]
    means = ln_ic50.groupby(mutant.reindex(ln_ic50.index)).mean()
    return {bool(key): float(value) for key, value in means.items()}


@pytest.mark.data
def test_dabrafenib_in_melanoma_by_braf_matches_checked_means(
    response: pd.DataFrame, data: Path
) -> None:
    means = mean_ln_ic50(response, data, "Dabrafenib", "BRAF", "SKCM")
    assert means[True] == pytest.approx(-0.46, abs=0.005)
    assert means[False] == pytest.approx(4.28, abs=0.005)


@pytest.mark.data
def test_nutlin_3a_by_tp53_matches_checked_means(response: pd.DataFrame, data: Path) -> None:
    means = mean_ln_ic50(response, data, "Nutlin-3a (-)", "TP53")
    assert means[False] == pytest.approx(3.04, abs=0.005)
    assert means[True] == pytest.approx(5.25, abs=0.005)


def test_excel_file_is_parsed_once_and_a_changed_copy_of_it_is_not_read(
    tmp_path: Path, artifacts: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "GDSC2_fitted_dose_response_27Oct23.xlsx"
    synthetic_official().to_excel(path, index=False)
    first = gdsc.read_response(path)
    with monkeypatch.context() as patch:
        patch.setattr(gdsc.pd, "read_excel", None)
        pd.testing.assert_frame_equal(gdsc.read_response(path), first)
    (copy,) = (artifacts / "read").glob("*.parquet")
    pd.read_parquet(copy).assign(LN_IC50=0.0).to_parquet(copy)
    pd.testing.assert_frame_equal(gdsc.read_response(path), first)
    synthetic_official().assign(LN_IC50=1.5).to_excel(path, index=False)
    assert set(gdsc.read_response(path)["ln_ic50"]) == {1.5}
