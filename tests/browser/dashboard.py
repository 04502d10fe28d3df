"""A real server and a real Chromium, and a person at them.

The tests of this folder use it, and so do `benchmarks/journeys.py` and
`scripts/build_user_guide.py`, which need the same server and the same watch over the browser.
"""

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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, Request

from resvae_core.config import PROJECT_ROOT

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
Scheme = Literal["light", "dark"]
# Asked in the browser at every frame: Playwright asks for a selector at most twice a second.
FINISHED = """
heading => {
  const app = document.querySelector('[data-testid="stApp"]');
  const titles = [...document.querySelectorAll("h1")].map(title => title.textContent.trim());
  return app?.dataset.testScriptState === "notRunning" && (!heading || titles.includes(heading));
}
"""
TWO_FRAMES = "new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
# On a page other than Home, Streamlit first looks for its server under the page's own path.
PROBES = re.compile(r"/[a-z]+/_stcore/(health|host-config)$")


def find_chromium() -> str | None:
    """Return the path of the system's Chromium or Chrome, None if there is none."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((path for path in map(shutil.which, names) if path), None)


@dataclass
class Server:
    """A dashboard that runs; `log` gives what it has written so far."""

    address: str
    log_file: Path
    process: subprocess.Popen[bytes]

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
def running_server(folder: Path, settings: Mapping[str, str] | None = None) -> Iterator[Server]:
    """Start a fresh server, and end it afterwards.

    Parameters
    ----------
    folder
        Where its log is written.
    settings
        Environment variables that it gets besides; without them it has a state folder of its own.
    """
    port = _free_port()
    log_file = folder / "log.txt"
    command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(port)]
    own = {"OMP_WAIT_POLICY": "passive", "RESVAE_STATE": str(folder / "state")}
    environment = {**os.environ, **own, **(settings or {})}
    with log_file.open("wb") as log:
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, env=environment, stdout=log, stderr=subprocess.STDOUT
        )
    try:
        server = Server(f"http://127.0.0.1:{port}", log_file, process)
        _wait_until_healthy(server.address, process)
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


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
        self.finish()

    def finish(self, heading: str | None = None) -> None:
        """Wait until no script runs and what it drew, below a heading if given, is painted."""
        self.ended(heading)
        self.page.evaluate(TWO_FRAMES)

    def ended(self, heading: str | None = None) -> None:
        """Wait until no script runs, below a heading if one is given."""
        self.page.wait_for_function(FINISHED, arg=heading, polling="raf", timeout=90_000)

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
        return self.page.get_by_role("combobox", name=label, exact=True)

    def words(self) -> str:
        """Return what can be read on the page."""
        return self.page.get_by_test_id("stMain").inner_text()


@contextmanager
def visit(chromium: Browser, address: str, scheme: Scheme = "light") -> Iterator[Visitor]:
    """Open a new browser window; afterwards nothing may have gone wrong or gone out."""
    context = chromium.new_context(
        viewport={"width": 1400, "height": 900}, color_scheme=scheme, accept_downloads=True
    )
    visitor = Visitor(context.new_page(), address)
    yield visitor
    context.close()
    assert not visitor.complaints, visitor.complaints
    assert not visitor.strangers, visitor.strangers
