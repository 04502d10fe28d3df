"""The Report page: what it shows of each demo patient, and what its files hold."""

from __future__ import annotations

import io
import json
import zipfile
from html import unescape

import pytest
from pypdf import PdfReader

from pages.components import reports, resources, verdicts
from pages.components.reports import unmarked
from pages.components.state import KEY, Session
from resvae_core.config import RESEARCH_USE
from resvae_core.reporting import (
    Report,
    Words,
    build_report,
    write_bundle,
    write_html,
    write_json,
    write_pdf,
)
from resvae_core.reporting.report import SECTIONS

STORIES = {story["story"]: story for story in resources.demo_stories()}


def demo(story: str) -> Session:
    session = Session()
    session.accept_demo(resources.demo_upload(), STORIES[story])
    return session


def report_of(story: str) -> Report:
    """Return a demo patient's report; without genes, which take seconds."""
    session = demo(story)
    expression = session.expression()
    forecast = resources.model_set().predict(expression, cancer_type=session.cancer_type)
    return build_report(
        forecast,
        sample=session.sample,
        drug=session.drug,
        model=session.model,
        installed=reports._installed(),
        qc=session.parsed().qc,
        date="2026-11-21",
        words=Words(),
        synthetic=True,
    )


def words(app) -> str:
    parts = [*app.markdown, *app.caption, *app.error, *app.warning, *app.code]
    return "\n".join(str(part.value) for part in parts)


@pytest.mark.parametrize("story", STORIES)
def test_every_demo_patient_has_two_marked_pages_and_one_set_of_numbers(story: str) -> None:
    report = report_of(story)
    pages = [page.extract_text() for page in PdfReader(io.BytesIO(write_pdf(report))).pages]
    assert len(pages) == 2
    for text in pages:
        assert RESEARCH_USE in text
        assert "SYNTHETIC PATIENT" in text
    document = json.loads(write_json(report))
    html = unescape(write_html(report))
    with zipfile.ZipFile(io.BytesIO(write_bundle(report))) as archive:
        drugs = archive.read("drugs.csv").decode()
    if story == "out of range":
        assert document["call"] is None
        assert "Out of range" in pages[0]
        assert drugs.splitlines()[-1].startswith("drug,")
        return
    call = document["call"]
    assert call["call"] == story
    assert f"{call['probability']:.2f}" in pages[0]
    assert f"Probability of resistance <strong>{call['probability']:.2f}" in html
    assert f",{call['probability']}," in drugs


def test_zeros_of_a_damaged_sample_are_counted_in_its_report(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # a suggestion is kept by visit, and here is none
    monkeypatch.setattr(resources, "cancer_type_digest", lambda: "")
    session = demo("out of range")
    n_zero = verdicts.count_zeros(session)
    expression = session.expression()
    forecast = resources.model_set().predict(expression, cancer_type=session.cancer_type)
    report = reports.gather(session, forecast)
    assert n_zero > 300
    assert json.loads(write_json(report))["verdict"]["n_zero"] == n_zero
    page = unescape(write_html(report))
    assert f"but {n_zero} are 0: lost rather than silent" in page
    assert "Genes that were not measured must be empty, not 0." in page


def test_the_page_shows_parts_files_and_preview(open_page) -> None:
    app = open_page("report", demo("resistant"))
    assert not app.exception
    assert not app.error
    parts = next(pills for pills in app.button_group if pills.key == "report_parts")
    assert parts.value == list(SECTIONS)
    labels = [button.proto.label for button in app.get("download_button")]
    assert labels == [
        "PDF for the tumour board",
        "Web page (HTML)",
        "Tables (CSV, zip)",
        "Data (JSON)",
    ]
    frame = app.get("iframe")[0].proto
    assert frame.src.startswith("data:text/html;charset=utf-8;base64,")


def test_a_part_that_is_left_out_stays_out_and_in_no_link(open_page) -> None:
    app = open_page("report", demo("uncertain"))
    parts = next(pills for pills in app.button_group if pills.key == "report_parts")
    parts.set_value([part for part in SECTIONS if part not in ("genes", "pathways")]).run()
    assert not app.exception
    session = app.session_state[KEY]
    assert session.report_without == ("genes", "pathways")
    assert "genes" not in str(session.link())


def test_an_out_of_range_patient_is_offered_no_parts(open_page) -> None:
    app = open_page("report", demo("out of range"))
    assert not app.exception
    assert not [pills for pills in app.button_group if pills.key == "report_parts"]
    assert "It holds no call, no probability and no ranking." in words(app)
    assert len(app.get("download_button")) == 4


def test_without_a_sample_the_page_says_where_to_get_one(open_page) -> None:
    app = open_page("report")
    assert "No sample yet." in words(app)
    assert not app.get("download_button")


def test_markdown_of_the_pages_becomes_plain_text() -> None:
    marked = r"90 % set: **resistant only**; in *LUAD* \(62 lines\_x\) :material/call_split: no"
    assert unmarked(marked) == r"90 % set: resistant only; in LUAD \(62 lines_x\) no"
