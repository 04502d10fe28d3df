"""The four files of a report: what each must hold, and what none may."""

from __future__ import annotations

import csv
import getpass
import io
import itertools
import json
import re
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from pypdf import PdfReader

from resvae_core.config import PROJECT_ROOT, RESEARCH_USE
from resvae_core.reporting import Report, write_bundle, write_html, write_json, write_pdf
from resvae_core.reporting.report import SCHEMA_VERSION
from resvae_core.reporting.wording import NO_CALL, SYNTHETIC
from tests.core.reporting.conftest import FILE_DIGEST, MakeReport

GREEK = "TNF-α ≥ 3 – ▲▼◆⊘ µ Ω"


def pages(report: Report) -> list[str]:
    """Return the text of each page, its lines joined."""
    reader = PdfReader(io.BytesIO(write_pdf(report)))
    return [" ".join(page.extract_text().split()) for page in reader.pages]


def tables(report: Report) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(write_bundle(report))) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def rows(text: str) -> list[dict[str, str]]:
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


def visible(html: str) -> str:
    """Return the text of a page without its tags and style."""
    body = html[html.index("<body>") :]
    return " ".join(re.sub(r"<[^>]+>", " ", body).split())


def all_files(report: Report) -> dict[str, str]:
    return {
        "pdf": " ".join(pages(report)),
        "html": write_html(report),
        "json": write_json(report).decode(),
        **tables(report),
    }


# --- PDF ------------------------------------------------------------------------------------


def test_each_page_says_research_use_versions_file_and_its_number(report: Report) -> None:
    found = pages(report)
    assert len(found) == 2
    for number, text in enumerate(found, start=1):
        assert RESEARCH_USE in text
        assert f"page {number} of 2" in text
        assert report.provenance.set_digest[:12] in text
        assert FILE_DIGEST[:12] in text


def test_the_pdf_names_the_whole_digests(report: Report) -> None:
    text = pages(report)[1]
    assert f"SHA-256 {report.provenance.set_digest}" in text
    assert f"SHA-256 {FILE_DIGEST}" in text


def test_special_characters_can_be_selected_as_they_are_shown(make_report: MakeReport) -> None:
    found = [text.replace(" ", "") for text in pages(make_report(sample=GREEK))]
    assert all(GREEK.replace(" ", "") in text for text in found)


LONG = {
    "as it is": {},
    "long sample": {"sample": "S" * 80},
    "many words": {"sample": "naïve donor – «replicate» " * 4},
    "sixty genes missing": {"n_missing": 60},
    "no cancer type": {"cancer_type": None},
    "not explained": {"explained": False},
    "nothing but the head": {"sections": ()},
    "borderline": {"verdict": "borderline"},
    "out of range": {"verdict": "out of range"},
}


@pytest.mark.parametrize("changes", LONG.values(), ids=LONG)
def test_there_are_always_two_pages(make_report: MakeReport, changes: dict[str, object]) -> None:
    assert len(pages(make_report(synthetic=True, **changes))) == 2


def test_two_pages_hold_the_longest_words(make_report: MakeReport) -> None:
    report = make_report(sample="X" * 80, n_missing=60, synthetic=True)
    assert report.call
    drugs = tuple(
        replace(row, drug="D" * 33, first_line=True, low_confidence=True) for row in report.drugs
    )
    crowded = replace(
        report,
        drug="D" * 33,
        drugs=drugs,
        verdict=replace(report.verdict, word="borderline", reasons=("a long reason",) * 12),
        call=replace(report.call, note="what to be careful about; " * 20, models_disagree=True),
        validation=("A sentence on how well this holds here. " * 6,) * 4,
        limits=("A limit that takes a line or two of the page. " * 3,) * 12,
    )
    found = pages(crowded)
    assert len(found) == 2
    assert "page 2 of 2" in found[1]


def test_the_pdf_is_the_same_bytes_each_time_and_has_no_author(report: Report) -> None:
    first = write_pdf(report)
    assert first == write_pdf(report)
    about = PdfReader(io.BytesIO(first)).metadata
    assert about is not None
    assert about.title == "ResVAE tumour-board report"
    assert not about.author
    assert report.sample not in str(dict(about))


def test_fonts_are_embedded(report: Report) -> None:
    for page in PdfReader(io.BytesIO(write_pdf(report))).pages:
        for font in page["/Resources"]["/Font"].values():
            described = font.get_object()
            if described["/Subtype"] != "/Type1":  # Helvetica is named by default, never used
                assert "/FontFile2" in described["/FontDescriptor"]


# --- HTML -----------------------------------------------------------------------------------


@pytest.mark.parametrize("verdict", ["in range", "out of range"])
def test_the_page_asks_for_nothing_from_elsewhere(make_report: MakeReport, verdict: str) -> None:
    html = write_html(make_report(verdict=verdict))
    for reference in ("http:", "https:", "//", "src=", "href=", "url(", "@import", "<script"):
        assert reference not in html, reference
    assert "default-src 'none'" in html


def test_a_name_that_is_markup_stays_a_name(make_report: MakeReport) -> None:
    name = '<script>alert("1")</script>&<b>'
    html = write_html(make_report(sample=name))
    assert "<script" not in html
    assert "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&lt;b&gt;" in html
    assert name in " ".join(pages(make_report(sample=name)))


def test_headings_go_down_step_by_step_and_tables_name_their_cells(report: Report) -> None:
    html = write_html(report)
    levels = [int(level) for level in re.findall(r"<h(\d)", html)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in itertools.pairwise(levels))
    assert html.count("<table>") == html.count("<caption>")
    assert html.count("<svg") == html.count('role="img" aria-label="')


def test_colours_can_be_fixed_and_paper_is_light(report: Report) -> None:
    assert "prefers-color-scheme:dark" in write_html(report)
    for scheme in ("light", "dark"):
        html = write_html(report, scheme=scheme)
        assert "prefers-color-scheme" not in html
        assert f":root{{color-scheme:{scheme}" in html
        assert "@media print{:root{color-scheme:light" in html


# --- all four -------------------------------------------------------------------------------


def test_the_four_files_carry_the_same_numbers(report: Report) -> None:
    document = json.loads(write_json(report))
    call = document["call"]
    shown = f"{call['probability']:.2f} (90 % interval {call['lower']:.2f}–{call['upper']:.2f})"
    pdf, html = " ".join(pages(report)), visible(write_html(report))
    assert shown in pdf
    assert shown in html
    unpacked = tables(report)
    assert unpacked["report.json"] == write_json(report).decode()
    for name, key in (("models.csv", "models"), ("drugs.csv", "drugs"), ("genes.csv", "genes")):
        written = rows(unpacked[name])
        assert len(written) == len(document[key])
        for row, same in zip(written, document[key], strict=True):
            assert row == {k: "" if v is None else str(v) for k, v in same.items()}
    for row in document["models"]:
        both = f"{row['probability']:.2f} ({row['lower']:.2f}–{row['upper']:.2f})"
        assert both in re.sub(r"\s+", " ", pdf)
        assert both in html


def test_first_treatments_are_flagged_in_every_file(report: Report) -> None:
    names = [row.drug for row in report.first_line]
    assert "Cisplatin" in names
    pdf = pages(report)[0]
    assert all(name in pdf for name in names)
    flagged = [
        row["drug"] for row in rows(tables(report)["drugs.csv"]) if row["first_line"] == "True"
    ]
    assert flagged == names


def test_no_file_names_a_path_a_user_or_the_machine(report: Report) -> None:
    machine = {str(PROJECT_ROOT), str(Path.home()), getpass.getuser() + "@", "/tmp/"}
    for name, text in all_files(report).items():
        for word in machine - {"/"}:
            assert word not in text, name


def test_a_synthetic_patient_is_marked_in_every_file(make_report: MakeReport) -> None:
    report = make_report(synthetic=True)
    assert all(SYNTHETIC in text for text in pages(report))
    assert SYNTHETIC in write_html(report)
    for name, text in tables(report).items():
        assert SYNTHETIC in text or name == "report.json"
    assert json.loads(write_json(report))["synthetic"] is True


def test_out_of_range_is_said_before_any_number(refused: Report) -> None:
    for text in (pages(refused)[0], visible(write_html(refused))):
        said = text.index("Out of range")
        first = re.search(r"\b0\.\d", text)
        assert first is None or said < first.start()
        assert NO_CALL in text


def test_out_of_range_holds_no_call_and_no_ranking(refused: Report) -> None:
    document = json.loads(write_json(refused))
    assert document["call"] is None
    assert document["place"] is None
    for part in ("models", "drugs", "genes", "shared", "pathways"):
        assert document[part] == []
    files = all_files(refused)
    for name, text in files.items():
        for mark in ("▲", "▼", "Probability of resistance"):
            assert mark not in text, name
    assert "Not assessable" in files["pdf"]
    assert NO_CALL in files["README.txt"]


def test_where_a_model_cannot_tell_no_probability_is_shown(report: Report) -> None:
    assert report.call
    silent = replace(report.call, call="not assessable", note="the model cannot tell")
    for text in (
        pages(replace(report, call=silent))[0],
        visible(write_html(replace(report, call=silent))),
    ):
        assert "makes no call here. The model cannot tell." in text
        assert "Probability of resistance 0" not in text


def test_a_borderline_sample_is_read_with_care_and_said_so_first(make_report: MakeReport) -> None:
    report = make_report(verdict="borderline")
    for text in (pages(report)[0], visible(write_html(report))):
        assert text.index("no firm call is made") < text.index("Probability of resistance")


def test_each_part_can_be_left_out_and_the_rest_stays(make_report: MakeReport) -> None:
    headings = {
        "models": "Five models on one axis",
        "first_line": "Standard first treatments",
        "genes": "Genes that carry the score",
        "pathways": "Pathways",
        "ranking": "Both ends of the ranking",
        "validation": "Validation in",
        "cohort": "Higher than that of 71 of 100",
    }
    whole = " ".join(pages(make_report()))
    for part, heading in headings.items():
        assert heading in whole
        report = make_report(sections=[name for name in headings if name != part])
        texts = [visible(write_html(report))]
        texts += [" ".join(pages(report))] if part in ("first_line", "genes") else []
        for text in texts:
            assert heading not in text
            assert "In range" in text
            assert "Probability of resistance" in text
            assert "Limits" in text
            assert FILE_DIGEST in text


def test_without_the_ranking_only_first_treatments_are_listed(make_report: MakeReport) -> None:
    report = make_report(sections=["first_line"])
    assert report.drugs
    assert all(row.first_line for row in report.drugs)
    assert make_report(sections=["genes"]).drugs == ()


# --- tables and JSON ------------------------------------------------------------------------


def test_tables_open_with_research_use_and_what_they_come_from(report: Report) -> None:
    unpacked = tables(report)
    for name, text in unpacked.items():
        if name.endswith(".csv"):
            lines = text.splitlines()
            assert lines[0] == f"# {RESEARCH_USE}"
            assert any(report.provenance.set_digest in line for line in lines[:8])
            assert any(FILE_DIGEST in line for line in lines[:8])
    assert RESEARCH_USE in unpacked["README.txt"]
    assert all(name in unpacked["README.txt"] for name in unpacked if name != "README.txt")


def test_tables_hold_no_formula_in_a_cell_or_a_comment(report: Report) -> None:
    planted = replace(report, sample="a,=1+1\n@b", models=(replace(report.models[0], title="=2"),))
    for name, text in tables(planted).items():
        if name.endswith(".csv"):
            cells = [cell for row in csv.reader(text.splitlines()) for cell in row]
            assert not [cell for cell in cells if cell.startswith(("=", "@"))]
            assert "# Sample: a,'=1+1 @b; cancer type" in text


def test_the_bundle_is_the_same_bytes_at_any_time(report: Report) -> None:
    first = write_bundle(report)
    time.sleep(0.01)
    assert first == write_bundle(report)
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert {entry.date_time[:3] for entry in archive.infolist()} == {(2026, 11, 21)}


def test_the_schema_of_the_document_is_version_one(report: Report) -> None:
    document = json.loads(write_json(report))
    assert document["schema_version"] == SCHEMA_VERSION == 1
    assert document["notice"] == RESEARCH_USE
    assert list(document) == [
        *("schema_version", "notice", "direction", "date", "sample", "synthetic"),
        *("cancer_type", "cancer_name", "drug", "model", "model_title", "sections"),
        *("type_check", "verdict", "call", "models", "drugs", "genes", "genes_base", "shared"),
        *("pathways", "pathway_source", "place", "place_words", "facts", "set_words"),
        *("validation", "not_for", "limits", "provenance"),
    ]


def test_what_is_not_known_is_null_and_empty_never_zero(make_report: MakeReport) -> None:
    refused = json.loads(write_json(make_report(verdict="out of range")))
    assert refused["verdict"]["distance"] is None
    gene = make_report().genes[0].gene
    report = make_report()
    unmeasured = replace(report, genes=(replace(report.genes[0], value=None),))
    assert json.loads(write_json(unmeasured))["genes"][0]["value"] is None
    assert rows(tables(unmeasured)["genes.csv"])[0] == {
        "gene": gene,
        "value": "",
        "attribution": str(report.genes[0].attribution),
    }
