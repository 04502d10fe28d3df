"""The oncologist's, the scientist's and the demonstration's journey, each in one test.

Pictures of every step are kept in ``artifacts/journeys/``.
"""

from __future__ import annotations

from pathlib import Path

from pypdf import PdfReader

from resvae_core.config import RESEARCH_USE, artifacts_folder
from tests.browser.journeys import (
    DRUG,
    SAMPLE,
    Diary,
    demonstration,
    oncologist,
    scientist,
    write_upload,
)

PICTURES = artifacts_folder() / "journeys"


def test_oncologist_from_a_file_to_the_two_page_report(visitor, server, tmp_path: Path) -> None:
    file = write_upload(tmp_path / "resected_specimen.csv")
    report = oncologist(visitor, Diary(PICTURES / "oncologist"), file)
    pages = [page.extract_text() for page in PdfReader(report).pages]
    assert len(pages) == 2
    assert all(RESEARCH_USE in page for page in pages)
    assert DRUG in pages[0]
    assert "resected" not in "".join(pages)
    for told in (SAMPLE, "resected"):
        assert told not in server.log()


def test_scientist_from_a_link_to_survival_with_an_honest_cut(visitor, chromium) -> None:
    scientist(visitor, Diary(PICTURES / "scientist"), chromium)


def test_demonstration_fills_every_page_and_shows_honesty(visitor, tmp_path: Path) -> None:
    report = demonstration(visitor, Diary(PICTURES / "demonstration"), tmp_path)
    pages = [page.extract_text() for page in PdfReader(report).pages]
    assert len(pages) == 2
    assert all("synthetic" in page.lower() for page in pages)
