"""A state folder and a database of one's own, on both databases."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from resvae_core.database import close_databases


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Generator[Path]:
    """Return this test's state folder."""
    folder = tmp_path / "state"
    monkeypatch.setenv("RESVAE_STATE", str(folder))
    yield folder
    close_databases()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def database(
    request: pytest.FixtureRequest, state: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[str]:
    """Let the test run on SQLite and on PostgreSQL; return the dialect."""
    if request.param == "postgresql":
        monkeypatch.setenv("RESVAE_DATABASE_URL", request.getfixturevalue("postgres"))
    yield request.param
    close_databases()
