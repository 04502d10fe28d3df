"""The user guide: what it points at exists, and every page says what it is not for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from resvae_core.config import PROJECT_ROOT, RESEARCH_USE

DOCS = PROJECT_ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
TARGET = re.compile(r"\]\(([^)]+)\)")
LARGEST_PICTURE = 150_000


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's headings, as they are made from the words."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_page_says_research_use_first_and_its_links_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.split("\n\n")[1] == f"**{RESEARCH_USE}.**"
    for target in TARGET.findall(text):
        path, _, anchor = target.partition("#")
        place = (page.parent / path).resolve() if path else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


def test_every_picture_is_shown_small_and_made_by_the_script() -> None:
    shown = {
        (page.parent / target).resolve()
        for page in (*PAGES, PROJECT_ROOT / "README.md")
        for target in TARGET.findall(page.read_text(encoding="utf-8"))
        if target.endswith(".png")
    }
    pictures = set(DOCS.rglob("*.png"))
    assert pictures == {path for path in shown if path.is_relative_to(DOCS)}
    assert max(path.stat().st_size for path in pictures) <= LARGEST_PICTURE
    script = (PROJECT_ROOT / "scripts" / "build_user_guide.py").read_text(encoding="utf-8")
    assert all(f'"{path.stem}"' in script or path.name in script for path in pictures)
