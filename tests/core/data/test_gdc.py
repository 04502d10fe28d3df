"""GDC STAR counts: one synthetic file a sample, in the layout of the portal."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resvae_core.data.gdc import find_star_counts, read_star_counts
from resvae_core.errors import ExpressionUnitsError, InputDataError

HEADER = (
    "# gene-model: GENCODE v36\n"
    "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second\ttpm_unstranded\t"
    "fpkm_unstranded\tfpkm_uq_unstranded\n"
    "N_unmapped\t\t\t1000\t1000\t1000\t\t\t\n"
    "N_multimapping\t\t\t2000\t2000\t2000\t\t\t\n"
    "N_noFeature\t\t\t10\t10\t10\t\t\t\n"
    "N_ambiguous\t\t\t10\t10\t10\t\t\t\n"
)


def star(path: Path, tpm: dict[tuple[str, str], float]) -> Path:
    """Write a synthetic STAR count file with the given TPM."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = (f"{i}\t{n}\tprotein_coding\t9\t4\t5\t{v}\t1\t1\n" for (i, n), v in tpm.items())
    path.write_text(HEADER + "".join(rows))
    return path


TPM = {
    ("ENSG00000141510.18", "TP53"): 400_000.0,
    ("ENSG00000110619.18", "CARS1"): 500_000.0,
    ("ENSG99999999999.1", "AC000000.1"): 100_000.0,
}


def test_tpm_are_read_by_current_symbol_and_summary_rows_are_no_genes(tmp_path: Path) -> None:
    path = star(tmp_path / "a.rna_seq.augmented_star_gene_counts.tsv", TPM)
    expression = read_star_counts({"TCGA-AA-0001": path})
    assert expression.samples == ["TCGA-AA-0001"]
    assert expression.genes == ["TP53", "CARS1", "AC000000.1"]
    np.testing.assert_allclose(
        expression.values.to_numpy()[0], np.log2([400_001, 500_001, 100_001]), rtol=1e-6
    )


def test_genes_that_share_a_symbol_are_summed_as_tpm(tmp_path: Path) -> None:
    tpm = TPM | {("ENSG00000110619.18_PAR_Y", "CARS1"): 24.0}
    values = read_star_counts({"A": star(tmp_path / "a.tsv", tpm)}).values
    assert values.loc["A", "CARS1"] == pytest.approx(np.log2(500_025), rel=1e-6)


def test_predicting_one_sample_or_several_reads_the_same_values(tmp_path: Path) -> None:
    a, b = star(tmp_path / "a.tsv", TPM), star(tmp_path / "b.tsv", dict(reversed(TPM.items())))
    both = read_star_counts({"A": a, "B": b}).values
    alone = read_star_counts({"A": a}).values
    np.testing.assert_array_equal(both.loc["A"], alone.loc["A", both.columns])
    np.testing.assert_array_equal(both.loc["A"], both.loc["B"])


def test_a_file_cut_short_is_refused(tmp_path: Path) -> None:
    path = star(tmp_path / "a.tsv", {("ENSG00000141510.18", "TP53"): 400_000.0})
    with pytest.raises(ExpressionUnitsError, match=r"a\.tsv sum to 400,000; expected a million"):
        read_star_counts({"A": path})


def test_a_file_of_the_older_pipeline_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.htseq.counts"
    path.write_text("ENSG00000141510.18\t12\nENSG00000110619.18\t9\n")
    with pytest.raises(InputDataError, match="lacks the column gene_id, gene_name, tpm_unstranded"):
        read_star_counts({"A": path})


def test_no_file_at_all_is_refused() -> None:
    with pytest.raises(InputDataError, match="No STAR count file"):
        read_star_counts({})


def test_the_sample_sheet_leads_to_one_primary_tumour_a_patient(tmp_path: Path) -> None:
    rows = [
        ("id1", "a.tsv", "TCGA-AA-0001-01B"),
        ("id2", "b.tsv", "TCGA-AA-0001-01A"),
        ("id3", "c.tsv", "TCGA-AA-0002-11A"),
        ("id4", "absent.tsv", "TCGA-AA-0003-01A"),
    ]
    for file_id, name, _ in rows[:3]:
        star(tmp_path / file_id / name, TPM)
    sheet = tmp_path / "gdc_sample_sheet.2025-12-04.tsv"
    lines = [f"{i}\t{n}\tTranscriptome Profiling\tTCGA-XX\tcase\t{s}\tTumor\n" for i, n, s in rows]
    header = "File ID\tFile Name\tData Category\tProject ID\tCase ID\tSample ID\tTissue Type\n"
    sheet.write_text(header + "".join(lines))
    assert find_star_counts(tmp_path, sheet) == {"TCGA-AA-0001": tmp_path / "id2/b.tsv"}
