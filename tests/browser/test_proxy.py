"""Two dashboards behind the shipped Caddyfile: the cookie keeps a visitor with one of them."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from resvae_core.config import PROJECT_ROOT
from tests.browser.dashboard import Server, Visitor, running_server, visit

CADDYFILE = PROJECT_ROOT / "deploy/Caddyfile"
COOKIE = "resvae_replica"
SECRET = "made-for-the-test"


@contextmanager
def running_proxy(replicas: list[Server], folder: Path) -> Iterator[str]:
    """Run Caddy with the shipped Caddyfile before the replicas; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "RESVAE_SITE": f"http://127.0.0.1:{port}",
        "RESVAE_REPLICAS": " ".join(one.address.removeprefix("http://") for one in replicas),
        "RESVAE_COOKIE_SECRET": SECRET,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
    }
    # the administration endpoint would take a fixed port
    config = folder / "Caddyfile"
    text = CADDYFILE.read_text(encoding="utf-8")
    config.write_text("{\n\tadmin off\n\tauto_https off\n}\n" + text, encoding="utf-8")
    command = ["caddy", "run", "--config", str(config), "--adapter", "caddyfile"]
    with (folder / "caddy.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/_stcore/health"))
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait()


def answers(address: str) -> bool:
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except (urllib.error.URLError, OSError):
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


@pytest.mark.skipif(shutil.which("caddy") is None, reason="needs Caddy, the proxy")
def test_a_visitor_stays_with_one_dashboard_and_is_taken_to_the_other_when_it_ends(
    tmp_path: Path, chromium: Browser
) -> None:
    folders = [tmp_path / name for name in ("one", "two", "proxy")]
    for folder in folders:
        folder.mkdir()
    with ExitStack() as first, ExitStack() as second:
        servers = [
            stack.enter_context(running_server(f))
            for stack, f in zip((first, second), folders, strict=False)
        ]
        with running_proxy(servers, folders[2]) as address, visit(chromium, address) as visitor:
            visitor.open("/")
            mine = replica(visitor.page)
            for _ in range(3):  # a new connection each time
                visitor.page.reload()
                visitor.settle()
                assert replica(visitor.page) == mine
            read_a_file(visitor)
            (first if holds(servers[0], mine) else second).close()
            visitor.open("/")
            assert visitor.page.get_by_text("Research use only").first.is_visible()
            assert holds(servers[1 if holds(servers[0], mine) else 0], replica(visitor.page))
            visitor.complaints.clear()  # the browser saw its connection end


def read_a_file(visitor: Visitor) -> None:
    """Upload: the file must reach the dashboard that holds the visitor's session."""
    visitor.follow("Upload & QC")
    file = next((PROJECT_ROOT / "assets/demo").glob("*.csv*"))
    visitor.page.locator('input[type="file"]').set_input_files(file)
    visitor.page.get_by_text(re.compile("genes")).first.wait_for(timeout=60_000)
    visitor.settle()


def replica(page: Page) -> str:
    return next(c["value"] for c in page.context.cookies() if c["name"] == COOKIE)


def holds(server: Server, cookie: str) -> bool:
    """Tell whether a cookie names a dashboard: Caddy signs its address."""
    dial = server.address.removeprefix("http://")
    return hmac.new(SECRET.encode(), dial.encode(), hashlib.sha256).hexdigest() == cookie
