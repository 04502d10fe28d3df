"""UCSC Xena matrices: every unit of the hubs, one primary tumour a patient."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.genes import load_gene_table
from resvae_core.data.xena import read_expression, read_survival, recognise_unit
from resvae_core.errors import ExpressionUnitsError, InputDataError

GENES = ["ENSG00000141510.18", "ENSG00000110619.18", "ENSG00000146648.18"]
SYMBOLS = ["TP53", "CARS1", "EGFR"]
SAMPLES = ["TCGA-AA-0001-01A", "TCGA-AA-0002-01A"]
TPM = pd.DataFrame([[3.0, 0.0], [999.0, 7.0], [999_000 - 2, 999_993.0]], GENES, SAMPLES)


def matrix(path: Path, values: pd.DataFrame, column: str = "Ensembl_ID") -> Path:
    """Write a synthetic Xena matrix, genes × samples."""
    values.rename_axis(column).to_csv(path, sep="\t")
    return path


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("TCGA-LUAD.star_tpm.tsv.gz", "log2(tpm + 1)"),
        ("TCGA-LUAD.star_counts.tsv.gz", "log2(count + 1)"),
        ("TCGA-LUAD.star_fpkm-uq.tsv.gz", "log2(fpkm + 1)"),
        ("TCGA-LUAD.htseq_fpkm.tsv.gz", "log2(fpkm + 1)"),
        ("TCGA-LUAD.htseq_counts.tsv.gz", "log2(count + 1)"),
        ("tcga_RSEM_gene_tpm.gz", "log2(tpm + 0.001)"),
        ("TcgaTargetGtex_rsem_gene_tpm.gz", "log2(tpm + 0.001)"),
        ("tcga_gene_expected_count.gz", "log2(count + 1)"),
    ],
)
def test_the_names_of_the_hubs_say_the_unit(name: str, unit: str) -> None:
    assert str(recognise_unit(name)) == unit


def test_an_unknown_name_is_refused_rather_than_guessed(tmp_path: Path) -> None:
    path = matrix(tmp_path / "expression.tsv", np.log2(TPM + 1))
    with pytest.raises(ExpressionUnitsError, match=r"'expression\.tsv' does not say.*log2\(tpm\+1"):
        read_expression(path)
    assert read_expression(path, unit="log2(TPM + 1)").expression.genes == SYMBOLS


@pytest.mark.parametrize(
    ("name", "pseudocount"), [("TCGA-X.star_tpm.tsv.gz", 1.0), ("tcga_RSEM_gene_tpm.gz", 0.001)]
)
def test_tpm_come_back_as_log2_tpm_plus_1(tmp_path: Path, name: str, pseudocount: float) -> None:
    path = matrix(tmp_path / name, np.log2(TPM + pseudocount), "sample")
    values = read_expression(path).expression.values
    assert values.index.to_list() == ["TCGA-AA-0001", "TCGA-AA-0002"]
    assert values.columns.to_list() == SYMBOLS
    np.testing.assert_allclose(values, np.log2(TPM.T + 1), atol=2e-5)
    assert (values.to_numpy() >= 0).all()


def test_fpkm_are_scaled_to_a_million(tmp_path: Path) -> None:
    path = matrix(tmp_path / "TCGA-X.star_fpkm.tsv.gz", np.log2(TPM / 40 + 1))
    values = read_expression(path).expression.values
    np.testing.assert_allclose(values, np.log2(TPM.T + 1), atol=1e-3)


def test_counts_are_divided_by_exon_length(tmp_path: Path) -> None:
    lengths = load_gene_table().exon_lengths(SYMBOLS).to_numpy(float)
    counts = TPM.mul(lengths, axis=0) / 100
    path = matrix(tmp_path / "TCGA-X.star_counts.tsv.gz", np.log2(counts + 1))
    values = read_expression(path).expression.values
    np.testing.assert_allclose(values, np.log2(TPM.T + 1), atol=1e-2)


def test_only_primary_tumours_stay_and_the_rest_is_counted(tmp_path: Path) -> None:
    names = ["TCGA-AA-0001-01B", "TCGA-AA-0001-01A", "TCGA-AA-0001-11A", "GTEX-S4Q7-0003-SM"]
    values = pd.DataFrame(1.0, GENES, names)
    values["TCGA-AA-0001-01A"] = 2.0
    read = read_expression(matrix(tmp_path / "TCGA-X.star_tpm.tsv", values))
    assert read.expression.values.index.to_list() == ["TCGA-AA-0001"]
    np.testing.assert_allclose(read.expression.values, 2.0)
    assert read.dropped == {
        "another sample of the same patient": 1,
        "not a primary tumour": 1,
        "not a TCGA sample": 1,
    }


def test_unknown_ensembl_ids_are_left_out(tmp_path: Path) -> None:
    values = pd.DataFrame(1.0, [*GENES, "ENSG99999999999.1"], SAMPLES)
    path = matrix(tmp_path / "TCGA-X.star_tpm.tsv", values)
    assert read_expression(path).expression.genes == SYMBOLS


def test_negative_values_contradict_a_pseudocount_of_1(tmp_path: Path) -> None:
    path = matrix(tmp_path / "TCGA-X.star_tpm.tsv", np.log2(TPM + 0.001))
    with pytest.raises(ExpressionUnitsError, match=r"-9\.966, but log2\(tpm \+ 1\) is at least 0"):
        read_expression(path)


def test_values_without_a_negative_contradict_the_toil_unit(tmp_path: Path) -> None:
    path = matrix(tmp_path / "tcga_RSEM_gene_tpm.gz", np.log2(TPM + 1), "sample")
    with pytest.raises(ExpressionUnitsError, match=r"no negative value.*is -9\.966"):
        read_expression(path)


def test_counts_declared_as_tpm_are_refused(tmp_path: Path) -> None:
    path = matrix(tmp_path / "TCGA-X.star_tpm.tsv", np.log2(TPM * 30 + 1))
    with pytest.raises(ExpressionUnitsError, match=r"TPM in all; a million is the most"):
        read_expression(path)


def test_an_unknown_unit_is_refused(tmp_path: Path) -> None:
    path = matrix(tmp_path / "x.tsv", TPM)
    with pytest.raises(ExpressionUnitsError, match=r"'rpkm' is not known.*log2\(fpkm\+1\)"):
        read_expression(path, unit="rpkm")


def test_samples_in_rows_are_refused(tmp_path: Path) -> None:
    path = matrix(tmp_path / "TCGA-X.star_tpm.tsv", TPM.T, "patient")
    with pytest.raises(InputDataError, match="is 'patient'; expected Ensembl_ID or sample"):
        read_expression(path)


def test_a_matrix_of_normal_tissue_is_refused(tmp_path: Path) -> None:
    normal = TPM.set_axis(["TCGA-AA-0001-11A", "TCGA-AA-0002-11A"], axis=1)
    path = matrix(tmp_path / "TCGA-X.star_tpm.tsv", normal)
    with pytest.raises(InputDataError, match="no primary tumour sample among 2 columns"):
        read_expression(path)


def test_survival_of_the_gdc_hub_has_overall_survival_only(tmp_path: Path) -> None:
    path = tmp_path / "TCGA-LUAD.survival.tsv"
    path.write_text(
        "sample\tOS.time\tOS\t_PATIENT\n"
        "TCGA-AA-0001-01A\t120\t1\tTCGA-AA-0001\nTCGA-AA-0001-11A\t120\t1\tTCGA-AA-0001\n"
    )
    clinical = read_survival(path)
    assert clinical.index.to_list() == ["TCGA-AA-0001"]
    assert clinical.loc["TCGA-AA-0001"].to_dict() == {"os_event": 1, "os_time_days": 120}


def test_survival_of_the_pan_cancer_hub_has_all_endpoints(tmp_path: Path) -> None:
    path = tmp_path / "Survival_SupplementalTable_S1_20171025_xena_sp"
    path.write_text(
        "sample\t_PATIENT\tcancer type abbreviation\tage_at_initial_pathologic_diagnosis\tgender\t"
        "ajcc_pathologic_tumor_stage\tOS\tOS.time\tDSS\tDSS.time\tDFI\tDFI.time\tPFI\tPFI.time\t"
        "Redaction\n"
        "TCGA-OR-A5J1-01\tTCGA-OR-A5J1\tACC\t58\tMALE\tStage II\t"
        "1\t1355\t1\t1355\t1\t754\t1\t754\t\n"
    )
    patient = read_survival(path).loc["TCGA-OR-A5J1"]
    assert patient["pfi_time_days"] == 754
    assert patient["sex"] == "male"
    assert pd.isna(patient["Redaction"])


def test_a_table_without_patients_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "TCGA-LUAD.survival.tsv"
    path.write_text("sample\tOS\tOS.time\nTCGA-AA-0001-01A\t1\t120\n")
    with pytest.raises(InputDataError, match="lacks the column _PATIENT"):
        read_survival(path)
