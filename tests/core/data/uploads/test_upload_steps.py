"""What the upload page shows of a file: sheets, notation, names, identifiers, template."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from openpyxl import Workbook

from resvae_core.config import RESEARCH_USE
from resvae_core.data.uploads import Issue, UploadOverrides, list_sheets, read_expression
from resvae_core.data.uploads.coverage import gene_coverage
from resvae_core.data.uploads.template import (
    EXAMPLE,
    EXAMPLE_SHEET,
    SAMPLE,
    template_csv,
    template_workbook,
)
from resvae_core.errors import InputDataError, UploadTooLargeError
from resvae_core.tables import Expression

GENES = ["TP53", "EGFR", "KRAS", "MYC", "ALK", "MET", "ROS1", "RET", "BRAF", "PTEN"]
PLANTED = ("Jane Doe", "1961-04-23", "48291733", "jane.doe@clinic.org")


def workbook(**sheets: list[list[object]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for name, rows in sheets.items():
        sheet = book.create_sheet(name)
        for row in rows:
            sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def profile(sample: str, factor: float = 1.0) -> list[list[object]]:
    return [
        ["gene", sample],
        *([gene, factor * (i + 0.5)] for i, gene in enumerate(GENES)),
    ]


def table(**columns: list[object]) -> bytes:
    """Write samples in rows, with columns that are not expression before the genes."""
    expression = {gene: [i + 0.5, i + 0.7] for i, gene in enumerate(GENES)}
    return (
        pd.DataFrame({"sample": ["P1", "P2"], **columns, **expression}).to_csv(index=False).encode()
    )


def test_sheets_are_listed_in_order_and_the_one_read_is_named() -> None:
    content = workbook(Notes=[["Made in June"]], First=profile("P1"), Second=profile("P2", 1.1))
    assert list_sheets(content) == ("Notes", "First", "Second")
    read = read_expression(content)
    assert (read.qc.sheet, read.qc.sheets) == ("First", ("Notes", "First", "Second"))
    chosen = read_expression(content, overrides=UploadOverrides(sheet="Second"))
    assert chosen.expression.samples == ["P2"]
    assert chosen.qc.sheet == "Second"


@pytest.mark.parametrize("content", [b"gene,P1\nTP53,1\n", b"PK\x03\x04broken", b""])
def test_what_is_no_workbook_has_no_sheets(content: bytes) -> None:
    assert list_sheets(content) == ()


def test_sheets_of_a_workbook_that_unpacks_to_too_much_are_not_listed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from resvae_core.data.uploads import cells

    monkeypatch.setattr(cells, "MAX_BYTES", 1000)
    with pytest.raises(UploadTooLargeError, match="The workbook unpacks to"):
        list_sheets(workbook(First=profile("P1")))


def test_notation_counts_the_rows_that_speak_for_it() -> None:
    rows = "".join(f"{gene};{i},5\n" for i, gene in enumerate(GENES))
    notation = read_expression(f"gene;P1\n{rows}".encode()).qc.notation
    assert (notation["delimiter"].value, notation["decimal"].value) == (";", ",")
    assert notation["delimiter"].confidence == 1.0
    assert notation["delimiter"].reason == "11 of the first 11 rows have 2 cells with it."
    assert notation["decimal"].reason.startswith("10 of 10 numbers with a mark")
    told = UploadOverrides(delimiter=";", decimal=",")
    again = read_expression(f"gene;P1\n{rows}".encode(), overrides=told).qc.notation
    assert all(found.overridden for found in again.values())


def test_renamed_and_unknown_names_are_listed() -> None:
    rows = "".join(f"{gene},{i}.5\n" for i, gene in enumerate(GENES))
    qc = read_expression(f"gene,P1\n{rows}CARS,3.5\nNOSUCHGENE,2.5\n".encode()).qc
    assert qc.renamed == {"CARS": "CARS1"}
    assert qc.unknown == ("NOSUCHGENE",)
    assert "CARS1" in qc.genes


def test_quantity_says_what_a_logarithm_was_of() -> None:
    rows = "".join(f"{gene},{i}.5\n" for i, gene in enumerate(GENES))
    qc = read_expression(f"gene,P1\n{rows}".encode()).qc
    assert (qc.unit.value, qc.quantity) == ("log2", "tpm")


def test_coverage_tells_missing_genes_from_zeros() -> None:
    values = pd.DataFrame({"TP53": [0.0], "EGFR": [2.0], "KRAS": [np.nan]}, dtype="float32")
    found = gene_coverage(Expression(values), {"a model": ["TP53", "EGFR", "KRAS", "MYC"]})
    assert found.to_dict("records") == [
        {
            "reader": "a model",
            "n_genes": 4,
            "n_measured": 2,
            "share": 0.5,
            "n_missing": 2,
            "n_zero": 1,
            "missing": ["KRAS", "MYC"],
        }
    ]


def files_with_identifiers() -> dict[str, bytes]:
    """Return files of every form that hold the planted identifiers beside expression."""
    name, birth, record, mail = PLANTED
    rows = "".join(f"{gene}\tx\t{i}.5\t{i}.7\n" for i, gene in enumerate(GENES))
    gct = (
        f"#1.3\n{len(GENES)}\t2\t1\t2\nid\tdescription\tP1\tP2\n"
        f"patient_name\t\t{name}\tJohn Roe\ndob\t\t{birth}\t1970-02-03\n{rows}"
    )
    above = f"# Patient name: {name}\n# {mail}\n"
    plain_rows = "".join(f"{gene},{i}.5\n" for i, gene in enumerate(GENES))
    return {
        "dropped columns": table(
            patient_name=[name, "John Roe"], born=[birth, "1970-02-03"], contact=[mail, "none"]
        ),
        "a column of numbers": table(MRN=[int(record), 5523311]),
        "lines above the table": f"{above}gene,P1\n{plain_rows}".encode(),
        "rows of a GCT file": gct.encode(),
        "a title of a sheet": workbook(First=[[f"Patient name: {name}"], *profile("P1")]),
    }


@pytest.mark.parametrize("where", files_with_identifiers())
def test_planted_identifiers_are_found_and_never_kept(where: str) -> None:
    upload = read_expression(files_with_identifiers()[where])
    assert upload.qc.disclosures
    assert all(d.kind and d.place for d in upload.qc.disclosures)
    kept = json.dumps(upload.qc.to_dict(), default=str) + repr(upload) + repr(upload.expression)
    logged = json.dumps(upload.qc.to_log())
    for planted in PLANTED:
        assert planted not in kept
        assert planted not in logged


def test_identifiers_of_an_anndata_file_are_found_in_its_obs() -> None:
    anndata = pytest.importorskip("anndata")
    obs = pd.DataFrame({"email": ["jane.doe@clinic.org", "none"]}, index=["P1", "P2"])
    values = np.arange(2 * len(GENES), dtype=np.float32).reshape(2, -1) / 2
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cells.h5ad"
        anndata.AnnData(values, obs=obs, var=pd.DataFrame(index=GENES)).write_h5ad(path)
        upload = read_expression(path)
    assert [d.place for d in upload.qc.disclosures] == ["column 1 of obs"]
    assert "jane" not in repr(upload).lower()


def test_a_file_without_identifiers_discloses_nothing() -> None:
    content = table(stage=["II", "III"], sex=["female", "male"], age=[61, 70])
    assert read_expression(content).qc.disclosures == ()
    rows = "".join(f"{gene},7p11.2,Some gene,{i}.5\n" for i, gene in enumerate(GENES))
    described = f"#Created: 2021-03-04\ngene,location,description,P1\n{rows}"
    assert read_expression(described.encode()).qc.disclosures == ()


def test_record_without_names_keeps_the_counts() -> None:
    values = {"Jane Doe": 0, "P2": 1, "P3": 1.1}
    rows = "".join(
        f"{g}," + ",".join(str(v * (i + 0.5)) for v in values.values()) + "\n"
        for i, g in enumerate(GENES)
    )
    content = f"gene,{','.join(values)}\n{rows}Jane Doe,1,1,1\n".encode()
    qc = read_expression(content).qc
    assert "Jane Doe" in json.dumps(qc.to_dict(), default=str)
    bare = qc.without_names()
    assert "Jane Doe" not in json.dumps(bare.to_dict(), default=str)
    assert [issue.remedy for issue in bare.issues] == [issue.remedy for issue in qc.issues]
    assert bare.n_samples == qc.n_samples == 2


def test_record_without_names_forgets_sheets() -> None:
    qc = read_expression(workbook(**{"Jane Doe": profile("P1")})).qc
    assert qc.without_names().sheets == ()
    assert "Jane Doe" not in repr(qc.without_names())
    assert all(isinstance(issue, Issue) for issue in qc.without_names().issues)


@pytest.mark.parametrize("write", [template_csv, template_workbook])
def test_an_empty_template_is_refused_and_no_example_is_read_for_a_sample(write) -> None:
    content = write(GENES)
    raw = content.encode() if isinstance(content, str) else content
    with pytest.raises(
        InputDataError, match=r"no row of values below|All values of the known genes"
    ):
        read_expression(raw)


def test_a_template_that_was_filled_in_is_read_with_all_its_genes() -> None:
    lines = template_csv(GENES).splitlines()
    filled = [f"{line}{i}.5" if line.endswith(",") else line for i, line in enumerate(lines)]
    upload = read_expression("\n".join(filled).encode())
    assert upload.expression.samples == [SAMPLE]
    assert set(upload.expression.genes) == set(GENES)
    assert lines[0] == f"# {RESEARCH_USE}"


def test_example_of_the_template_is_called_synthetic() -> None:
    told = UploadOverrides(sheet=EXAMPLE_SHEET)
    upload = read_expression(template_workbook(GENES), overrides=told)
    assert upload.expression.samples == [EXAMPLE]
    assert "synthetic" in EXAMPLE.lower()
    assert "synthetic" in EXAMPLE_SHEET.lower()
