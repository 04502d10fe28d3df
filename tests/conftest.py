"""What several test folders share."""

from __future__ import annotations

import atexit
import os
import secrets
import shutil
import tempfile
from collections.abc import Generator
from pathlib import Path

import pytest

from resvae_core.config import data_folder

REQUIRED = frozenset(filter(None, os.environ.get("RESVAE_REQUIRE", "").split(",")))


# nothing of this installation's own jobs, settings and model sets reaches a test, nor the reverse
STATE = tempfile.mkdtemp(prefix="resvae-test-state-")
os.environ["RESVAE_STATE"] = STATE
atexit.register(shutil.rmtree, STATE, ignore_errors=True)
DEVICE = os.environ.get("RESVAE_DEVICE")
for name in ("RESVAE_DATABASE_URL", "RESVAE_SCHEDULER"):
    os.environ.pop(name, None)


@pytest.fixture(autouse=True)
def _same_device() -> None:
    """Take back what a command that ran in this process, in any fixture, made ``auto`` mean."""
    os.environ.pop("RESVAE_DEVICE", None)
    if DEVICE is not None:
        os.environ["RESVAE_DEVICE"] = DEVICE


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real data; tests that take it skip where it is absent."""
    folder = data_folder()
    if folder is None:
        pytest.skip("needs the real data of ../shared/data, which is not here")
    return folder


@pytest.fixture
def postgres() -> Generator[str]:
    """Return the URL of an empty database of the PostgreSQL server for tests, which goes again."""
    server = os.environ.get("RESVAE_TEST_POSTGRES_URL")
    if not server:
        pytest.skip("needs a PostgreSQL server: RESVAE_TEST_POSTGRES_URL, see CONTRIBUTING.md")
    from sqlalchemy import create_engine, make_url, text
    from sqlalchemy.pool import NullPool

    from resvae_core.database import close_databases

    name = f"resvae_test_{secrets.token_hex(6)}"
    engine = create_engine(server, poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(server).set(database=name).render_as_string(hide_password=False)
    close_databases()
    with engine.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn skips into failures where RESVAE_REQUIRE ("browser,data") says the test can run."""
    report = yield
    kinds = REQUIRED & {*(mark.name for mark in item.iter_markers()), *item.fixturenames}
    if report.skipped and kinds:
        report.outcome = "failed"
        report.longrepr = (
            f"Skipped, but it can run here ({', '.join(sorted(kinds))}): {call.excinfo}"
        )
    return report
