"""Cohorts: the catalogue, what is installed, and who can be followed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.config import PROJECT_ROOT
from resvae_core.data import cohorts
from resvae_core.data.cohorts import (
    CohortData,
    installation_stamp,
    level_cohorts,
    level_files,
    list_cohorts,
    load_cancer_types,
    load_cohort,
)
from resvae_core.data.receipts import FileReceipt, note_altered
from resvae_core.errors import (
    ExpressionUnitsError,
    InputDataError,
    SurvivalDataError,
)


def synthetic_clinical() -> pd.DataFrame:
    """Make a synthetic clinical record: one patient for each reason to leave one out."""
    return pd.DataFrame(
        {
            "patient": [f"TCGA-AA-000{i}" for i in range(6)],
            "cohort": "LUAD",
            "os_time_days": [10.0, 20.0, np.nan, 40.0, -1.0, 60.0],
            "os_event": [1.0, 0.0, 1.0, np.nan, 1.0, 0.0],
            "Redaction": [None, None, None, None, None, "Redacted"],
        }
    )


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """Install a synthetic cohort in the form of the development data."""
    (tmp_path / "tcga").mkdir()
    clinical = synthetic_clinical()
    clinical.to_parquet(tmp_path / "tcga/clinical.parquet")
    patients = pd.Index([*clinical["patient"][::-1], "TCGA-ZZ-9999"], name="patient")
    values = pd.DataFrame({"TP53": 1.0, "CARS": 2.0}, index=patients, dtype="float32")
    values.to_parquet(tmp_path / "tcga/LUAD_expression.parquet")
    (values - 3).to_parquet(tmp_path / "tcga/LUAD_expression_zscore.parquet")
    return tmp_path


def test_without_data_only_the_synthetic_cohort_is_listed(tmp_path: Path) -> None:
    assert list_cohorts(None) == ["DEMO"]
    assert list_cohorts(tmp_path) == ["DEMO"]


def test_an_installed_cohort_is_listed_and_loaded_in_genome_wide_form(installed: Path) -> None:
    assert list_cohorts(installed) == ["DEMO", "LUAD"]
    cohort = load_cohort(installed, "luad")
    assert cohort.expression_form == "log2tpm"
    assert not cohort.synthetic
    assert cohort.expression.genes == ["TP53", "CARS1"]
    assert cohort.values.index.equals(cohort.clinical.index)
    assert "TCGA-ZZ-9999" not in cohort.values.index


def test_z_scores_are_never_an_expression(installed: Path) -> None:
    cohort = load_cohort(installed, "LUAD", form="zscore")
    assert cohort.values["TP53"].to_list() == [-2.0] * 6
    assert "z-scores" in cohort.note
    with pytest.raises(ExpressionUnitsError, match=r"LUAD has within-study z-scores, not log2"):
        _ = cohort.expression


def test_patients_without_follow_up_are_left_out_and_counted_by_reason(installed: Path) -> None:
    cohort = load_cohort(installed, "LUAD")
    outcome = cohort.outcome("OS")
    assert sorted(outcome.patients) == ["TCGA-AA-0000", "TCGA-AA-0001"]
    assert outcome.time_days["TCGA-AA-0000"] == 10
    assert outcome.event.to_dict() == {"TCGA-AA-0001": False, "TCGA-AA-0000": True}
    assert cohort.exclusions("OS") == {
        "no follow-up time": 1,
        "no event status": 1,
        "negative time": 1,
        "record withdrawn": 1,
    }


def test_an_endpoint_that_the_table_lacks_is_refused(installed: Path) -> None:
    with pytest.raises(SurvivalDataError, match="LUAD has no endpoint 'PFI'; known are OS, DSS"):
        load_cohort(installed, "LUAD").outcome("PFI")


def test_an_endpoint_that_nobody_has_is_refused(installed: Path) -> None:
    cohort = load_cohort(installed, "LUAD")
    nobody = cohort.clinical.assign(pfi_time_days=np.nan, pfi_event=np.nan)
    empty = CohortData("LUAD", "", "log2tpm", cohort.values, nobody, False, "")
    with pytest.raises(SurvivalDataError, match="No patient of cohort LUAD has a time"):
        empty.outcome("PFI")
    assert empty.exclusions("PFI") == {"no follow-up time": 5, "record withdrawn": 1}


@pytest.mark.parametrize(
    ("code", "form", "text"),
    [
        ("OV", None, r"Cohort OV is not installed \(none of its forms is there\)"),
        ("LUAD", "log2tpm_subset", r"as log2tpm_subset is not installed \(installed as log2tpm"),
    ],
)
def test_what_is_not_installed_is_refused(
    installed: Path, code: str, form: cohorts.ExpressionForm | None, text: str
) -> None:
    with pytest.raises(InputDataError, match=text):
        load_cohort(installed, code, form=form)


def test_a_xena_matrix_with_its_survival_table_is_a_cohort(tmp_path: Path) -> None:
    (tmp_path / "tcga").mkdir()
    (tmp_path / "tcga/TCGA-OV.star_tpm.tsv").write_text(
        "Ensembl_ID\tTCGA-AA-0001-01A\tTCGA-AA-0002-01A\nENSG00000141510.18\t3\t4\n"
    )
    (tmp_path / "tcga/TCGA-OV.survival.tsv").write_text(
        "sample\tOS\tOS.time\t_PATIENT\nTCGA-AA-0001-01A\t1\t9\tTCGA-AA-0001\n"
    )
    assert list_cohorts(tmp_path) == ["DEMO", "OV"]
    cohort = load_cohort(tmp_path, "OV")
    assert cohort.values.loc["TCGA-AA-0001", "TP53"] == 3
    assert cohort.outcome().patients == ["TCGA-AA-0001"]


def test_files_of_the_gdc_with_their_sample_sheet_are_a_cohort(tmp_path: Path) -> None:
    folder = tmp_path / "tcga/TCGA-LUAD"
    (folder / "id1").mkdir(parents=True)
    (folder / "id1/a.tsv").write_text(
        "# gene-model: GENCODE v36\ngene_id\tgene_name\ttpm_unstranded\n"
        "ENSG00000141510.18\tTP53\t400000\nENSG00000110619.18\tCARS1\t600000\n"
    )
    (folder / "gdc_sample_sheet.2025-12-04.tsv").write_text(
        "File ID\tFile Name\tSample ID\nid1\ta.tsv\tTCGA-AA-0000-01A\n"
    )
    synthetic_clinical().to_parquet(tmp_path / "tcga/clinical.parquet")
    cohort = load_cohort(tmp_path, "LUAD")
    assert cohort.outcome().patients == ["TCGA-AA-0000"]
    assert cohort.values.loc["TCGA-AA-0000", "CARS1"] == pytest.approx(np.log2(600_001), rel=1e-6)


def test_the_shipped_cohort_says_that_it_is_synthetic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cohorts, "DEMO_FOLDER", tmp_path)
    with pytest.raises(InputDataError, match=r"lacks assets/demo/cohort_expression\.parquet and"):
        load_cohort(None, "DEMO")
    values = pd.DataFrame({"TP53": [1.0, 2.0]}, index=["P1", "P2"], dtype="float32")
    values.to_parquet(tmp_path / "cohort_expression.parquet")
    (tmp_path / "cohort_clinical.csv").write_text(
        "patient,os_time_days,os_event\nP2,30,0\nP1,10,1\n"
    )
    cohort = load_cohort(None, "demo")
    assert cohort.synthetic
    assert "synthetic" in cohort.name
    assert "Synthetic" in cohort.note
    assert cohort.outcome().event.to_dict() == {"P1": True, "P2": False}


def test_cohort_counts_as_genome_wide_by_what_is_installed_of_it(installed: Path) -> None:
    """The catalogue's forms are those of the development data: BLCA as z-scores there."""
    tcga = installed / "tcga"
    assert level_cohorts(installed) == ["LUAD"]
    assert level_cohorts(None) == []
    (tcga / "TCGA-BLCA.star_tpm.tsv.gz").write_bytes(b"four")
    (tcga / "LUAD_expression.parquet").unlink()
    (tcga / "STAD_expression_log2tpm_1577.parquet").touch()
    assert list_cohorts(installed) == ["DEMO", "BLCA", "LUAD", "STAD"]
    assert level_cohorts(installed) == ["BLCA"]
    assert level_files(installed, "BLCA") == {"tcga/TCGA-BLCA.star_tpm.tsv.gz": 4}
    assert level_files(installed, "LUAD") == {}


@pytest.mark.data
def test_genome_wide_cohorts_of_the_development_data_are_those_of_the_shipped_reference(
    data: Path,
) -> None:
    card = json.loads((PROJECT_ROOT / "models/drug_mean/card.json").read_text(encoding="utf-8"))
    described = card["training"]["references"]["tumours"]
    codes = re.findall(r"([A-Z]+) \(\d+\)", described)
    assert level_cohorts(data) == codes == ["GBM", "LUAD", "READ"]


@pytest.mark.data
def test_catalogue_counts_match_the_installed_cohorts(data: Path) -> None:
    types = load_cancer_types()
    with_expression = {code for code, kind in types.items() if kind.expression_form != "none"}
    assert set(list_cohorts(data)) == {"DEMO", *with_expression}
    for code in sorted(with_expression - {"LUAD", "READ"}):
        cohort = load_cohort(data, code)
        assert cohort.expression_form == types[code].expression_form
        assert len(cohort.values) == types[code].n_expression
        assert cohort.outcome().patients


@pytest.mark.data
def test_luad_excludes_patients_without_follow_up_and_median_survival_is_49_months(
    data: Path,
) -> None:
    cohort = load_cohort(data, "LUAD")
    assert cohort.exclusions("OS") == {
        "no follow-up time": 9,
        "no follow-up after day 0": 4,
    }
    outcome = cohort.outcome("OS")
    assert len(outcome.patients) == 500
    assert kaplan_meier_median(outcome.time_days, outcome.event) / 30.4375 == pytest.approx(
        49.2, abs=0.2
    )


@pytest.mark.data
def test_gbm_median_survival_is_13_6_months(data: Path) -> None:
    outcome = load_cohort(data, "GBM").outcome("OS")
    assert kaplan_meier_median(outcome.time_days, outcome.event) / 30.4375 == pytest.approx(
        13.6, abs=0.1
    )


def kaplan_meier_median(time: pd.Series, event: pd.Series) -> float:
    """Give the first time at which half or fewer survive."""
    survival = 1.0
    for day in np.unique(time[event]):
        survival *= 1 - ((time == day) & event).sum() / (time >= day).sum()
        if survival <= 0.5:
            return float(day)
    return float("nan")


def test_the_cohort_in_the_repository_can_be_loaded_and_followed() -> None:
    cohort = load_cohort(None, "DEMO")
    assert cohort.expression.samples == cohort.outcome("OS").patients
    assert cohort.synthetic
    assert cohort.exclusions("OS") == {}


def test_the_stamp_changes_when_a_file_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "tcga").mkdir()
    before = installation_stamp(tmp_path)
    (tmp_path / "tcga" / "LUAD_expression.parquet").write_bytes(b"one")
    between = installation_stamp(tmp_path)
    (tmp_path / "tcga" / "LUAD_expression.parquet").write_bytes(b"another")
    assert len({before, between, installation_stamp(tmp_path)}) == 3
    after = installation_stamp(tmp_path)
    (tmp_path / "fetched" / "tcga-luad").mkdir(parents=True)
    note_altered(tmp_path, "tcga-luad", [FileReceipt("tcga/a.tsv", 1, "0", "", "host", 1)])
    assert installation_stamp(tmp_path) != after, "a check found a file of the same size altered"
    assert installation_stamp(tmp_path) == installation_stamp(tmp_path)
    assert installation_stamp(None) == ""
