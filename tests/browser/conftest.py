"""A real server and a real Chromium; both are started for these tests and ended with them."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request, sync_playwright

from resvae_core.config import PROJECT_ROOT

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
# On a page other than Home, Streamlit first looks for its server under the page's own path.
PROBES = re.compile(r"/[a-z]+/_stcore/(health|host-config)$")


def find_chromium() -> str | None:
    """Return the path of the system's Chromium or Chrome, None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder as a browser test."""
    for item in items:
        if item.path.parent == PROJECT_ROOT / "tests" / "browser":
            item.add_marker(pytest.mark.browser)


@dataclass
class Server:
    """A dashboard that runs; `log` gives what it has written so far."""

    address: str
    log_file: Path

    def log(self) -> str:
        return self.log_file.read_text(encoding="utf-8")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _wait_until_healthy(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert process.poll() is None, "the server ended"
        try:
            urllib.request.urlopen(f"{address}/_stcore/health", timeout=5).close()
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
        else:
            return
    raise AssertionError("the server did not answer within a minute")


@contextmanager
def _running_server(folder: Path) -> Iterator[Server]:
    """Start a fresh server, and end it afterwards."""
    port = _free_port()
    log_file = folder / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    environment = {**os.environ, "OMP_WAIT_POLICY": "passive"}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        server = Server(f"http://127.0.0.1:{port}", log_file)
        _wait_until_healthy(server.address, process)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return one server for all journeys of a file."""
    with _running_server(tmp_path_factory.mktemp("server")) as server:
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


@dataclass
class Visitor:
    """A person at the dashboard, and all that their browser noticed.

    Parameters
    ----------
    page, address
        The browser's page, and where the server is.
    complaints
        Errors of the console and uncaught exceptions.
    strangers
        Requests that went to any other machine.
    """

    page: Page
    address: str
    complaints: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._hear)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", self._watch)

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not PROBES.search(message.location.get("url", "")):
            self.complaints.append(f"{message.text} {message.location.get('url')}")

    def _watch(self, request: Request) -> None:
        local = (self.address, self.address.replace("http", "ws"), "data:", "blob:")
        if not request.url.startswith(local):
            self.strangers.append(request.url)

    def open(self, path: str) -> None:
        """Visit an address."""
        self.page.goto(self.address + path)
        self.settle()

    def settle(self) -> None:
        """Wait until the page's script has run."""
        self.page.wait_for_timeout(300)
        self.page.wait_for_selector(READY, timeout=90_000)

    def follow(self, label: str, heading: str | None = None) -> None:
        """Choose an entry of the menu."""
        self.menu.get_by_role("link", name=label, exact=True).click()
        self.at(heading or label)

    def at(self, heading: str) -> None:
        """Wait until a page is there, by its heading."""
        self.page.get_by_role("heading", name=heading, exact=True, level=1).wait_for()
        self.settle()

    @property
    def menu(self) -> Locator:
        return self.page.get_by_test_id("stSidebar")

    def box(self, label: str) -> Locator:
        """Return the box of the context bar with a label."""
        return self.page.get_by_role("combobox", name=label)

    def words(self) -> str:
        """Return what can be read on the page."""
        return self.page.get_by_test_id("stMain").inner_text()


@contextmanager
def _visit(chromium: Browser, address: str) -> Iterator[Visitor]:
    """Open a new browser window; afterwards nothing may have gone wrong or gone out."""
    context = chromium.new_context(viewport={"width": 1400, "height": 900})
    visitor = Visitor(context.new_page(), address)
    yield visitor
    context.close()
    assert visitor.complaints == []
    assert visitor.strangers == []


@pytest.fixture
def visitor(chromium: Browser, server: Server) -> Iterator[Visitor]:
    """Return a new visitor."""
    with _visit(chromium, server.address) as visitor:
        yield visitor


@pytest.fixture
def first_visitor(chromium: Browser, tmp_path: Path) -> Iterator[Visitor]:
    """Return the first visitor of a server that nobody has visited."""
    with _running_server(tmp_path) as server, _visit(chromium, server.address) as visitor:
        yield visitor
