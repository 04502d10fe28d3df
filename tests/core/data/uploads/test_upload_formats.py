from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.uploads import UploadOverrides, read_expression
from resvae_core.errors import InputDataError

NAMES = ["TP53", "EGFR", "KRAS", "MYC", "ERBB2", "BRAF", "PTEN", "RB1"]
RNG = np.random.default_rng(5)
TABLE = pd.DataFrame(
    RNG.uniform(0, 12, (2, 8)).round(3), index=["P1", "P2"], columns=NAMES, dtype=np.float32
)
EXPECTED = TABLE[sorted(NAMES)]


def check(upload, expected: pd.DataFrame = EXPECTED) -> None:
    pd.testing.assert_frame_equal(
        upload.expression.values, expected, atol=1e-5, check_names=False, check_dtype=False
    )


def xlsx(table: pd.DataFrame, **options: object) -> bytes:
    stream = io.BytesIO()
    table.to_excel(stream, **options)
    return stream.getvalue()


def parquet(table: pd.DataFrame, **options: object) -> bytes:
    stream = io.BytesIO()
    table.to_parquet(stream, **options)
    return stream.getvalue()


def gct(version: str) -> bytes:
    body = "".join(
        f"{name}\tdescription of {name}\t{a}\t{b}\n"
        for name, a, b in zip(NAMES, TABLE.loc["P1"], TABLE.loc["P2"], strict=True)
    )
    if version == "1.2":
        return f"#1.2\n8\t2\nName\tDescription\tP1\tP2\n{body}".encode()
    return f"#1.3\n8\t2\t1\t2\nid\tabout\tP1\tP2\nage\tna\t70\t51\nsex\tna\tf\tm\n{body}".encode()


def h5ad(folder: Path, table: pd.DataFrame, sparse: bool) -> bytes:
    import anndata
    from scipy.sparse import csr_matrix

    values = csr_matrix(table.to_numpy()) if sparse else table.to_numpy()
    path = folder / "table.h5ad"
    anndata.AnnData(
        values, obs=pd.DataFrame(index=table.index), var=pd.DataFrame(index=table.columns)
    ).write_h5ad(path)
    return path.read_bytes()


@pytest.mark.parametrize("transposed", [False, True])
def test_workbooks_are_read(transposed: bool) -> None:
    upload = read_expression(xlsx(TABLE.T if transposed else TABLE))
    check(upload)
    assert upload.qc.file_format == "xlsx"


def test_workbook_titles_sheets_and_dates(tmp_path: Path) -> None:
    from openpyxl import Workbook

    book = Workbook()
    book.active.title = "Notes"
    sheet = book.create_sheet("Values")
    sheet.append(["Supplementary table 1"])
    sheet.append([])
    sheet.append(["gene", "P1", "P2"])
    for name in NAMES:
        sheet.append([name, *map(float, TABLE[name])])
    sheet.append([pd.Timestamp("2024-09-02").to_pydatetime(), 1.5, 2.5])
    book.save(tmp_path / "book.xlsx")
    upload = read_expression(tmp_path / "book.xlsx")
    check(upload, EXPECTED.assign(SEPTIN2=[1.5, 2.5])[sorted([*NAMES, "SEPTIN2"])])
    with pytest.raises(InputDataError, match=r"no sheet 'X'; it has 'Notes', 'Values'"):
        read_expression(tmp_path / "book.xlsx", overrides=UploadOverrides(sheet="X"))


def test_dates_among_the_values_of_a_workbook_are_refused() -> None:
    table = TABLE.T.astype(object)
    table.iloc[2, 1] = pd.Timestamp("2024-03-01")
    with pytest.raises(InputDataError, match=r"row 4 \(KRAS\), column 3 \(P2\) holds '2024-03-01"):
        read_expression(xlsx(table))


def test_text_in_a_workbook_is_located() -> None:
    table = TABLE.T.astype(object)
    table.iloc[2, 1] = "n.d."
    with pytest.raises(InputDataError, match=r"row 4 \(KRAS\), column 3 \(P2\) holds 'n.d.'"):
        read_expression(xlsx(table))


@pytest.mark.parametrize("transposed", [False, True])
def test_parquet_is_read(transposed: bool) -> None:
    table = TABLE.T if transposed else TABLE
    check(read_expression(parquet(table)))
    check(read_expression(parquet(table.reset_index(names="name"), index=False)))


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_gct_is_read(version: str) -> None:
    upload = read_expression(gct(version))
    check(upload)
    assert upload.qc.file_format == "gct"


@pytest.mark.parametrize("sparse", [False, True])
def test_h5ad_is_read(tmp_path: Path, sparse: bool) -> None:
    upload = read_expression(h5ad(tmp_path, TABLE, sparse))
    check(upload)
    assert upload.qc.file_format == "h5ad"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "latin-1"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_encodings_and_line_ends(encoding: str, line_end: str) -> None:
    text = TABLE.rename(index={"P1": "Müller"}).T.to_csv(lineterminator=line_end)
    check(read_expression(text.encode(encoding)), EXPECTED.rename(index={"P1": "Müller"}))


def test_streams_paths_and_names(tmp_path: Path) -> None:
    content = TABLE.iloc[:1].T.to_csv(header=False).encode()
    path = tmp_path / "patient.tsv"  # a CSV by content
    path.write_bytes(content)
    for upload in (read_expression(path), read_expression(str(path))):
        assert upload.expression.samples == ["patient"]
    stream = io.BytesIO(content)
    stream.name = "uploaded.csv"
    assert read_expression(stream).expression.samples == ["uploaded"]
    assert read_expression(content, name="x/y.csv.gz").expression.samples == ["y"]


@pytest.mark.parametrize(
    "text",
    [
        "# a comment\n\ngene,P1,P2\n{rows}",
        "#gene,P1,P2\n{rows}",
        "sep=,\ngene,P1,P2\n{rows}",
        "Supplementary table 1\n\ngene,P1,P2\n{rows}",
        "Supplementary table 1,,\n,,\ngene,P1,P2\n{rows}",
        "P1,P2\n{rows}",
        "gene,P1,P2\n{rows}\n\n,,\n",
        '"gene","P1","P2"\n{rows}',
        "gene,P1,P2,,\n{rows}",
    ],
)
def test_comments_headers_and_blank_rows(text: str) -> None:
    rows = "\n".join(f"{name},{a},{b}" for name, (a, b) in TABLE.T.iterrows())
    check(read_expression(text.format(rows=rows).encode()))


def test_annotation_columns_are_left_out() -> None:
    table = TABLE.T.copy()
    table.insert(0, "gene_type", "protein_coding")
    table.insert(0, "length", 1000)
    upload = read_expression(table.to_csv(index_label="gene").encode())
    check(upload)
    assert upload.qc.dropped["columns that describe genes"] == 2
    assert any("gene_type" in issue.found for issue in upload.qc.issues)


def test_genes_may_stand_in_the_second_column() -> None:
    table = TABLE.T.reset_index(names="symbol")
    table.insert(0, "probe", [f"p{i}" for i in range(8)])
    check(read_expression(table.to_csv(index=False).encode()))
    check(read_expression(TABLE.T.reset_index(names="symbol").to_csv().encode()))


def test_clinical_columns_beside_genes_are_left_out() -> None:
    table = TABLE.reset_index(names="sample").assign(cancer="LUAD", age=[71, 54])
    upload = read_expression(table.to_csv(index=False).encode())
    check(upload)
    assert upload.qc.dropped == {"columns that describe samples": 1, "names not known": 1}


def test_a_profile_without_sample_names_takes_the_name_of_the_file() -> None:
    content = TABLE.iloc[:1].to_csv(index=False).encode()
    check(read_expression(content, name="P1.csv"), EXPECTED.iloc[:1])


def test_star_htseq_and_featurecounts_files(tumours) -> None:
    counts = tumours.counts.loc["T1"].astype(int)
    expected = read_expression(counts.to_frame().to_csv().encode()).expression.values
    star = "N_unmapped\t5\t5\t5\nN_ambiguous\t5\t5\t5\n" + "".join(
        f"{gene}\t{n}\t{n // 2}\t{n // 2}\n" for gene, n in counts.items()
    )
    htseq = "".join(f"{gene}\t{n}\n" for gene, n in counts.items()) + "__no_feature\t77\n"
    feature = "# Program:featureCounts\nGeneid\tChr\tStart\tEnd\tStrand\tLength\tT1\n" + "".join(
        f"{gene}\t1;1\t5;9\t6;9\t+;+\t1000\t{n}\n" for gene, n in counts.items()
    )
    for text in (star, htseq, feature):
        upload = read_expression(text.encode(), name="T1.tab")
        assert upload.qc.unit.value == "counts"
        pd.testing.assert_frame_equal(upload.expression.values, expected, check_names=False)


def test_gdc_files_give_their_tpm_column(tumours) -> None:
    tpm = tumours.tpm.loc["T1"]
    rows = "".join(f"{gene}\t{gene}\tx\t7\t3\t4\t{v}\t{v / 3}\n" for gene, v in tpm.items())
    head = "gene_id\tgene_name\tgene_type\tunstranded\tstranded_first\tstranded_second"
    text = f"# gene-model: GENCODE v36\n{head}\ttpm_unstranded\tfpkm_unstranded\n{rows}"
    upload = read_expression(text.encode(), name="case.tsv")
    assert upload.expression.samples == ["case"]
    assert upload.qc.unit.reason == "Column 'tpm_unstranded' of a GDC STAR counts file."
    np.testing.assert_allclose(
        upload.expression.values.loc["case", tpm.index], np.log2(tpm + 1), atol=1e-5
    )


@pytest.mark.parametrize(("decimal", "thousands"), [(".", ","), (",", ".")])
def test_marks_between_thousands_are_read(decimal: str, thousands: str) -> None:
    marks = str.maketrans({".": decimal, ",": thousands})
    rows = "\n".join(
        "\t".join([name, *(f"{1000 * v:,.1f}".translate(marks) for v in TABLE[name])])
        for name in NAMES
    )
    upload = read_expression(f"gene\tP1\tP2\n{rows}\n".encode())
    assert upload.qc.unit.value == "tpm"
    check(upload, np.log2(EXPECTED.astype(float) * 1000 + 1))


def test_names_of_every_kind_are_understood() -> None:
    table = TABLE.T
    for names in (
        [f"{name} (7157)" for name in NAMES],
        [f"{name}|99" for name in NAMES],
        [f"ENSG00000000000.1_{name}" for name in NAMES],
        [f'"{name}"' for name in NAMES],
    ):
        check(read_expression(table.set_axis(names).to_csv(sep="\t").encode()))


def test_renamed_repeated_and_mangled_genes_are_reported() -> None:
    names = ["CARS", "MARCHF2", "1-Mar", "2-Sep", "TP53", "TP53", "foo", "RB1"]
    qc = read_expression(TABLE.set_axis(names, axis=1).to_csv().encode()).qc
    found = " · ".join(issue.found for issue in qc.issues)
    assert "turned into dates by a spreadsheet: 2 (1-Mar → MARCHF1, 2-Sep → SEPTIN2)" in found
    assert "may also have been MTARC1" in found
    assert "more than one row or column: 1 (TP53" in found
    assert "names not known: 1 of 8 (foo" in found
    assert "previous symbols or aliases (such as CARS for CARS1): 1" in found
    assert qc.missing(["CARS1", "MARCHF1", "EGFR"]) == ["EGFR"]


def test_the_current_symbol_wins_over_an_old_name_of_the_same_gene() -> None:
    names = ["CARS", "CARS1", *NAMES[2:]]
    upload = read_expression(TABLE.set_axis(names, axis=1).to_csv().encode())
    np.testing.assert_allclose(upload.expression.values["CARS1"], TABLE["EGFR"], atol=1e-5)


def test_two_equal_dates_of_two_genes_are_left_out() -> None:
    names = ["1-Mar", "1-Mar", *NAMES[2:]]
    upload = read_expression(TABLE.set_axis(names, axis=1).to_csv().encode())
    assert "MARCHF1" not in upload.expression.genes
    assert any("both rows were left out" in issue.found for issue in upload.qc.issues)


def test_empty_cells_and_zero_samples_are_reported() -> None:
    table = TABLE.T.assign(empty=0.0)
    table.iloc[0, 0] = np.nan
    table.iloc[1, :] = np.nan
    upload = read_expression(table.to_csv().encode())
    assert upload.expression.samples == ["P1", "P2"]
    assert np.isnan(upload.expression.values.loc["P1", "TP53"])
    assert "EGFR" not in upload.expression.genes
    assert upload.qc.dropped["samples that are all zero"] == 1
    found = " · ".join(issue.found for issue in upload.qc.issues)
    assert "samples that are zero in every gene: 1 (empty)" in found
    assert "values missing: 1, in 1 of 2 samples" in found
    assert "genes without a value in any sample: 1 (EGFR" in found


def test_the_log_holds_no_name_and_no_value() -> None:
    secret = TABLE.rename(index={"P1": "Maria Muster", "P2": "1961-05-23"})
    qc = read_expression(secret.T.to_csv().encode(), name="Maria Muster.csv").qc
    log = json.dumps(qc.to_log())
    assert "Maria" not in log
    assert "1961" not in log
    assert not any(str(value) in log for value in TABLE.to_numpy().ravel())
    assert qc.to_log()["file_digest"] == qc.file_digest
    assert json.dumps(qc.to_dict(), default=str)


def test_the_digest_is_that_of_the_bytes_handed_in() -> None:
    import gzip
    import hashlib

    packed = gzip.compress(TABLE.to_csv().encode())
    qc = read_expression(packed).qc
    assert qc.file_digest == hashlib.sha256(packed).hexdigest()
    assert (qc.file_size, qc.compression) == (len(packed), "gzip")
