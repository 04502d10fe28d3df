"""A real server and a real Chromium; both are started for these tests and ended with them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, sync_playwright

from resvae_core.config import PROJECT_ROOT
from tests.browser.dashboard import FLAGS, Server, Visitor, find_chromium, running_server, visit


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder as a browser test."""
    for item in items:
        if item.path.parent == PROJECT_ROOT / "tests" / "browser":
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return one server for all journeys of a file."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Return the system's Chromium; tests skip where there is none."""
    path = find_chromium()
    if path is None:
        pytest.skip("needs Chromium (apt-get install chromium), which is not here")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visitor(chromium: Browser, server: Server) -> Iterator[Visitor]:
    """Return a new visitor."""
    with visit(chromium, server.address) as visitor:
        yield visitor


@pytest.fixture
def first_visitor(chromium: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """Return the first visitor of a server that nobody has visited."""
    with running_server(tmp_path) as server, visit(chromium, server.address) as visitor:
        yield visitor
