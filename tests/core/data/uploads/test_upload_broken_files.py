from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from resvae_core.data.uploads import UploadOverrides, read_expression, source
from resvae_core.errors import (
    DuplicateSampleError,
    ExpressionUnitsError,
    GeneCoverageError,
    InputDataError,
    ResVAEError,
    UploadTooLargeError,
)
from tests.core.data.uploads.conftest import csv_of

NAMES = ["TP53", "EGFR", "KRAS", "MYC", "ERBB2", "BRAF"]
VALUES: list[float | str] = [1.5, 0.0, 3.25, 7.125, 2.5, 0.75]


def zip_of(*names: str) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name in names:
            archive.writestr(name, "x")
    return stream.getvalue()


def with_cell(cell: float | str) -> bytes:
    return csv_of({"A": VALUES, "B": [*VALUES[:2], cell, *VALUES[3:]]}, NAMES)


def with_names(names: list[str]) -> bytes:
    return csv_of({"A": VALUES[: len(names)]}, names)


BROKEN = {
    "empty": (b"", InputDataError, r"empty \(0 bytes\)"),
    "blank lines": (b" \n\n", InputDataError, "no line besides blank and comment"),
    "header only": (b"gene,A,B\n", InputDataError, "header line and nothing below"),
    "one column": (b"gene\nTP53\n", InputDataError, "one column only"),
    "no numbers": (b"gene,A\nTP53,high\nEGFR,low\n", InputDataError, "0 columns of numbers"),
    "one gene": (with_names(["TP53"]), GeneCoverageError, r"one known human gene \(TP53"),
    "no gene": (with_names(["foo", "bar", "baz"]), GeneCoverageError, "found foo, bar, baz"),
    "row numbers": (with_names(["1", "2", "3", "4"]), GeneCoverageError, "row numbers, not genes"),
    "mouse symbols": (
        with_names(["Trp53", "Egfr", "Kras", "Myc", "Erbb2", "Braf"]),
        GeneCoverageError,
        "mouse or rat genes .*Only human samples",
    ),
    "mouse ids": (
        with_names([f"ENSMUSG0000005955{i}.3" for i in range(6)]),
        GeneCoverageError,
        "mouse genes .ENSMUSG",
    ),
    "lower case": (
        with_names([name.lower() for name in NAMES]),
        GeneCoverageError,
        "lower case.*If the sample is human",
    ),
    "transcripts": (
        with_names([f"ENST0000026930{i}.8" for i in range(6)]),
        GeneCoverageError,
        "transcripts .*Sum transcripts to genes",
    ),
    "microarray": (
        with_names([f"20174{i}_at" for i in range(6)]),
        GeneCoverageError,
        "microarray probes .*Only RNA-seq",
    ),
    "text in a cell": (
        with_cell("n.d."),
        InputDataError,
        r"row 4 \(KRAS\), column 3 \(B\) holds 'n.d.'.*Correct or empty this cell",
    ),
    "spreadsheet error": (with_cell("#DIV/0!"), InputDataError, r"row 4 \(KRAS\).*'#DIV/0!'"),
    "below detection": (with_cell("<0.01"), InputDataError, r"column 3 \(B\) holds '<0.01'"),
    "infinite": (with_cell("inf"), InputDataError, "row 4, column 3 holds 'an infinite value'"),
    "negative": (
        with_cell(-2.5),
        ExpressionUnitsError,
        r"Negative values: 1 of 12.*row 4 \(KRAS\), column 3 \(B\)",
    ),
    "text below a gene": (
        b"sample,TP53,EGFR,KRAS\nA,1.5,high,2.5\nB,2.5,low,3.5\n",
        InputDataError,
        r"row 2 \(A\), column 3 \(EGFR\) holds 'high'",
    ),
    "duplicate columns": (
        b"gene,A,B,A\nTP53,1,2,3\nEGFR,1.5,2,3\n",
        DuplicateSampleError,
        r"'A' occurs more than once: column 2 \(A\) and column 4 \(A\)",
    ),
    "duplicate rows": (
        b"sample,TP53,EGFR\nA,1.5,2\nB,1,2\nA,1,3\n",
        DuplicateSampleError,
        r"'A' occurs more than once: row 2 \(A\) and row 4 \(A\)",
    ),
    "all zero": (
        csv_of({"A": [0] * 6, "B": [0] * 6}, NAMES),
        InputDataError,
        "zero or missing, in each of 2 samples",
    ),
    "extra cell": (b"gene,A,B\nTP53,1,2\nEGFR,1,2\nKRAS,1,2,3\n", InputDataError, "Row 4 has 4"),
    "extra cell everywhere": (
        b"gene,A\nTP53,1,2\nEGFR,1,2\n",
        InputDataError,
        "header names 2 columns, but the rows have 3",
    ),
    "open quote": (b'gene,A\n"TP53,1\nEGFR,2\n', InputDataError, "missing quote"),
    "mixed decimals": (
        b"gene;A;B\nTP53;1,5;2,25\nEGFR;3,25;4.5\nKRAS;0,5;1.75\n",
        InputDataError,
        r"row 3 \(EGFR\), column 3 \(B\) holds '4\.5'; a number with the decimal mark ','",
    ),
    "a point among grouped thousands": (
        b"gene;A\nTP53;1.234,5\nEGFR;3,25\nKRAS;2.5\n",
        InputDataError,
        r"holds '1\.234,5'; a number with the decimal mark ','",
    ),
    "line break in the header": (
        b'"gene\nname",A,B\nTP53,1,2\nEGFR,1,2\nKRAS,1,2\n',
        InputDataError,
        "A quote is opened in row",
    ),
    "thousands or decimals": (
        b"gene\tA\tB\nTP53\t1,234\t2,345\nEGFR\t3,456\t4,567\n",
        InputDataError,
        "may be a decimal mark or stand between thousands.*Choose the decimal mark",
    ),
    "PDF": (b"%PDF-1.7 ...", InputDataError, "a PDF document; a table"),
    "PNG": (b"\x89PNG\r\n\x1a\n0000", InputDataError, "a PNG image"),
    "JPEG": (b"\xff\xd8\xff\xe0", InputDataError, "a JPEG image"),
    "web page": (b"<!DOCTYPE html><html></html>", InputDataError, "a web page"),
    "JSON": (b'{"gene": 1}', InputDataError, "a JSON file"),
    "FASTQ": (b"@read1\nACGT\n+\nIIII\n", InputDataError, "FASTA or FASTQ"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", InputDataError, r"\.xls"),
    "zip": (zip_of("a.csv", "b.csv"), InputDataError, "a zip archive of 2 files"),
    "Word": (zip_of("word/document.xml"), InputDataError, "a Word document"),
    "OpenDocument": (zip_of("content.xml"), InputDataError, "an OpenDocument file"),
    "empty workbook": (zip_of("xl/workbook.xml"), InputDataError, "workbook is damaged"),
    "cut zip": (zip_of("a.csv")[:20], InputDataError, "a damaged workbook"),
    "binary": (bytes(range(256)) * 4, InputDataError, "not text: it holds zero bytes"),
    "cut gzip": (gzip.compress(with_cell(1.5))[:-9], InputDataError, "ends before its content"),
    "bad gzip": (b"\x1f\x8b not gzip", InputDataError, "cannot be unpacked"),
    "empty gzip": (gzip.compress(b""), InputDataError, "empty inside"),
    "twice gzip": (gzip.compress(gzip.compress(b"x")), InputDataError, "gzip file inside a gzip"),
    "cut parquet": (b"PAR1 cut off", InputDataError, "Parquet file is damaged"),
    "cut h5ad": (b"\x89HDF\r\n\x1a\n cut off", InputDataError, "HDF5 file is damaged"),
    "cut gct": (
        b"#1.2\n5\t1\nName\tDescription\tA\nTP53\tx\t1\nEGFR\ty\t2\n",
        InputDataError,
        "2 genes × 1 samples; its second line promises 5 × 1",
    ),
    "gct without sizes": (b"#1.2\nName\tDescription\tA\n", InputDataError, "Line 2 of a GCT file"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_files_say_what_was_found_expected_and_what_to_do(case: str) -> None:
    content, error, message = BROKEN[case]
    with pytest.raises(error, match=f"(?s){message}") as caught:
        read_expression(content)
    assert isinstance(caught.value, ResVAEError)
    assert caught.value.remedy.endswith(".")


def test_a_missing_path_is_named() -> None:
    with pytest.raises(InputDataError, match=r"no file 'nowhere\.csv'"):
        read_expression("/nonexistent/nowhere.csv")


def test_a_file_opened_as_text_is_refused() -> None:
    with pytest.raises(InputDataError, match="opened as text"):
        read_expression(io.StringIO("gene,A\nTP53,1\n"))  # type: ignore[arg-type]


def test_sizes_are_limited_packed_and_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "MAX_BYTES", 2**20)
    with pytest.raises(UploadTooLargeError, match=r"at most 1 MB are read.*Split it"):
        read_expression(b"0" * (2**20 + 1))
    with pytest.raises(UploadTooLargeError, match="unpacks to more than 1 MB"):
        read_expression(gzip.compress(b"0" * 2**22))


def test_a_choice_resolves_what_is_ambiguous() -> None:
    content = b"gene\tA\tB\nTP53\t1,234\t2,345\nEGFR\t3,456\t4,567\n"
    upload = read_expression(content, overrides=UploadOverrides(decimal=","))
    assert upload.expression.values.loc["A", "TP53"] == pytest.approx(1.234)
    upload = read_expression(content, overrides=UploadOverrides(decimal=".", unit="tpm"))
    assert upload.expression.values.loc["A", "TP53"] == pytest.approx(10.27, abs=0.01)
