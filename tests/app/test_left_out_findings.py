"""Pages of findings that were computed without what cannot be fetched."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Generator
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import resources
from resvae_core.config import models_folder
from resvae_core.registry.evidence import EVIDENCE, EVIDENCE_FILE, OPTIONAL, TABLES

REASONS = dict.fromkeys(OPTIONAL, "tcga/some_file.parquet is not installed")


def forget() -> None:
    """Empty the caches: the findings here are those of the shipped set, less two tables."""
    resources._evidence.clear()
    resources._evidence_about.clear()


@pytest.fixture
def left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[None]:
    """Put findings without the optional tables beside the shipped models."""
    target = tmp_path / "models"
    shutil.copytree(models_folder(), target, copy_function=os.symlink)
    path = target / EVIDENCE / EVIDENCE_FILE
    document = json.loads(path.read_text(encoding="utf-8")) | {"left_out": REASONS}
    for name in OPTIONAL:
        file = f"{name}.{TABLES[name]}"
        (target / EVIDENCE / file).unlink()
        del document["digests"][file]
    path.unlink()
    path.write_text(json.dumps(document), encoding="utf-8")
    monkeypatch.setenv("RESVAE_MODELS", str(target))
    forget()
    yield
    forget()


def words(app: AppTest) -> str:
    return "\n".join(str(one.value) for one in [*app.markdown, *app.caption]).replace("\\", "")


@pytest.mark.usefixtures("left_out")
@pytest.mark.parametrize(
    ("view", "what"),
    [
        ("response", "how scores compare with recorded responses"),
        ("alignment", "what the models lose where a cohort is known as z-scores"),
    ],
)
def test_page_says_in_the_place_of_a_table_why_it_is_not_assessable(
    open_page, view: str, what: str
) -> None:
    app = open_page("cohort", view=view)
    assert not app.exception
    assert [error.value for error in app.error] == []
    said = f"**Not assessable**: {what}, because tcga/some_file.parquet is not installed."
    assert said in words(app)


@pytest.mark.usefixtures("left_out")
@pytest.mark.parametrize("page", ["biomarkers", "similar", "cohort", "survival"])
def test_every_other_page_of_findings_shows_what_was_computed(open_page, page: str) -> None:
    app = open_page(page)
    assert not app.exception
    assert [error.value for error in app.error] == []
    assert "Not assessable" not in words(app)
