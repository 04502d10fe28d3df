from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.genes import load_gene_table
from resvae_core.data.uploads import read_expression

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def panel(data: Path) -> list[str]:
    names = pd.read_parquet(data / "gdsc/expression_panel.parquet").columns
    return load_gene_table().canonical(list(names))


@pytest.mark.parametrize("cohort", ["gbm", "luad"])
def test_counts_and_tpm_of_one_patient_agree(data: Path, panel: list[str], cohort: str) -> None:
    tpm = read_expression(data / f"uploads/{cohort}_1_patient_tpm_symbols.csv")
    counts = read_expression(data / f"uploads/{cohort}_3_patients_counts_ensembl.tsv.gz")
    assert (tpm.qc.unit.value, tpm.qc.id_type.value) == ("tpm", "symbol")
    assert (counts.qc.unit.value, counts.qc.id_type.value) == ("counts", "ensembl")
    assert min(tpm.qc.unit.confidence, counts.qc.unit.confidence) > 0.9
    assert tpm.qc.missing(panel) == counts.qc.missing(panel) == []
    patient = tpm.expression.samples[0]
    a = tpm.expression.values.loc[patient, panel]
    b = counts.expression.values.loc[patient, panel]
    assert np.corrcoef(a, b)[0, 1] > 0.9999
    assert (a - b).abs().median() < 0.03


def test_one_patient_alone_equals_it_among_others(data: Path) -> None:
    path = data / "uploads/luad_3_patients_counts_ensembl.tsv.gz"
    together = read_expression(path).expression.values
    table = pd.read_csv(path, sep="\t", index_col=0)
    for patient in table.columns:
        alone = read_expression(table[[patient]].to_csv().encode()).expression.values
        pd.testing.assert_frame_equal(alone, together.loc[[patient]], check_exact=True)


def test_cohort_matrices_are_recognised_as_they_are(data: Path) -> None:
    cohort = pd.read_parquet(data / "tcga/LUAD_expression.parquet").iloc[::40]
    upload = read_expression(cohort.to_csv().encode())
    assert upload.qc.unit.value == "log2"
    assert upload.qc.orientation.value == "genes_in_columns"
    np.testing.assert_allclose(
        upload.expression.values["TFF1"], cohort["TFF1"].astype(float), atol=1e-5
    )


def test_an_outlying_patient_is_the_same_alone_and_in_its_cohort(data: Path) -> None:
    cohort = pd.read_parquet(data / "tcga/LUAD_expression.parquet")
    totals = (np.exp2(cohort.astype(float)) - 1).sum(axis=1)
    outlier = totals.idxmin()
    some = cohort.loc[[*cohort.index[:4], outlier]]
    together = read_expression(some.to_csv().encode())
    alone = read_expression(cohort.loc[[outlier]].to_csv().encode())
    assert any(str(outlier) in issue.found for issue in together.qc.issues)
    pd.testing.assert_frame_equal(
        alone.expression.values, together.expression.values.loc[[outlier]], check_exact=True
    )


def test_a_panel_of_cell_lines_is_taken_as_it_is(data: Path, panel: list[str]) -> None:
    lines = pd.read_parquet(data / "gdsc/expression_panel.parquet").iloc[:5]
    upload = read_expression(lines.to_csv().encode())
    assert upload.qc.unit.value == "log2"
    np.testing.assert_allclose(upload.expression.values[panel], lines.to_numpy(float), atol=1e-5)


def test_z_scores_are_refused(data: Path) -> None:
    from resvae_core.errors import ExpressionUnitsError

    scores = pd.read_parquet(data / "tcga/BRCA_expression_zscore.parquet").iloc[:3]
    with pytest.raises(ExpressionUnitsError, match="look like z-scores"):
        read_expression(scores.to_csv().encode())
