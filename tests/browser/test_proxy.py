"""The shipped Caddyfile: a visitor stays with one dashboard, and is who they signed in as."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from playwright.sync_api import Browser, Page

from resvae_core.access.roles import Actor
from resvae_core.access.sign_in import (
    SECRET_VARIABLE,
    WAY_VARIABLE,
    AccessRules,
    actor_from_headers,
    read_rules,
)
from resvae_core.config import PROJECT_ROOT
from resvae_core.errors import AccessError
from tests.browser.dashboard import Server, Visitor, running_server, visit

CADDYFILE = PROJECT_ROOT / "deploy/Caddyfile"
COOKIE = "resvae_replica"
SECRET = "made-for-the-test"
PROXY_SECRET = "0123456789abcdef0123456789abcdef"
FORGED = {
    "X-Forwarded-User": "mallory",
    "X-Forwarded-Groups": "stewards",
    "X-ResVAE-Proxy-Secret": PROXY_SECRET,
}
SIGNED_IN = {"Cookie": "session=of-petra"}
UPGRADE = {"Connection": "Upgrade", "Upgrade": "websocket"}
"""A dashboard reads who somebody is from the request that opens the WebSocket."""

needs_caddy = pytest.mark.skipif(shutil.which("caddy") is None, reason="needs Caddy, the proxy")


@contextmanager
def running_proxy(
    replicas: list[str],
    folder: Path,
    text: str | None = None,
    settings: Mapping[str, str] | None = None,
) -> Iterator[str]:
    """Run Caddy with the shipped Caddyfile, or another text, before replicas; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    environment = {
        **os.environ,
        "RESVAE_SITE": f"http://127.0.0.1:{port}",
        "RESVAE_REPLICAS": " ".join(one.removeprefix("http://") for one in replicas),
        "RESVAE_COOKIE_SECRET": SECRET,
        "XDG_DATA_HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        **(settings or {}),
    }
    # the administration endpoint would take a fixed port
    config = folder / "Caddyfile"
    text = text or CADDYFILE.read_text(encoding="utf-8")
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
    """Tell whether a server gives an answer, be it that nobody is let in."""
    try:
        urllib.request.urlopen(address, timeout=5).close()
    except urllib.error.HTTPError as refusal:
        return refusal.code < 500
    except (urllib.error.URLError, OSError):
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.2)


@needs_caddy
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
        addresses = [server.address for server in servers]
        with running_proxy(addresses, folders[2]) as address, visit(chromium, address) as visitor:
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


@contextmanager
def serving(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[str]:
    """Run a server that gives every request the same kind of answer; yield host and port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            answer(self)

        def log_message(self, *_: object) -> None:
            """Print nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def repeat_headers(request: BaseHTTPRequestHandler) -> None:
    """Stand for a dashboard: answer with what arrived."""
    request.send_response(200)
    request.end_headers()
    request.wfile.write(json.dumps(request.headers.items()).encode())


def know_petra(request: BaseHTTPRequestHandler) -> None:
    """Stand for an identity provider: name who has its cookie, refuse everybody else."""
    asked = request.path.startswith("/api/authz/forward-auth")
    known = asked and SIGNED_IN["Cookie"] in request.headers.get("Cookie", "")
    request.send_response(200 if known else 401)
    if known:
        request.send_header("Remote-User", "petra")
        request.send_header("Remote-Groups", "staff,stewards")
    request.end_headers()


def with_sign_in(text: str) -> str:
    """Uncomment what the Caddyfile has ready for RESVAE_ACCESS=proxy, as its comment says."""
    return re.sub(r"^(\t+)#(?! )", r"\1", text, flags=re.MULTILINE)


def ask(address: str, headers: Mapping[str, str]) -> tuple[int, str]:
    """Open a WebSocket as far as its first request; return status and text of the answer."""
    connection = HTTPConnection(address.removeprefix("http://"), timeout=10)
    try:
        connection.request("GET", "/_stcore/stream", headers={**UPGRADE, **headers})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def proxy_rules(folder: Path) -> AccessRules:
    """Return the rules of a dashboard with RESVAE_ACCESS=proxy, whose stewards are a group."""
    return read_rules(
        {WAY_VARIABLE: "proxy", SECRET_VARIABLE: PROXY_SECRET},
        auth=None,
        roles={"groups": {"stewards": "steward"}},
        roles_file=folder / "roles.toml",
    )


def whom_it_names(arrived: str, rules: AccessRules) -> Actor:
    """Return whom a dashboard takes the sender of a request for."""
    pairs = json.loads(arrived)
    return actor_from_headers(
        lambda name: [value for key, value in pairs if key.lower() == name.lower()], rules
    )


@needs_caddy
def test_who_signs_in_at_the_proxy_is_named_to_the_dashboard_whatever_else_they_send(
    tmp_path: Path,
) -> None:
    text = CADDYFILE.read_text(encoding="utf-8")
    with serving(repeat_headers) as dashboard, serving(know_petra) as provider:
        settings = {"RESVAE_AUTHENTICATOR": provider, "RESVAE_PROXY_SECRET": PROXY_SECRET}
        with running_proxy([dashboard], tmp_path, with_sign_in(text), settings) as address:
            for headers in (SIGNED_IN, {**SIGNED_IN, **FORGED}):
                status, arrived = ask(address, headers)
                assert status == 200
                actor = whom_it_names(arrived, proxy_rules(tmp_path))
                assert actor == Actor("petra", "steward", "proxy")
            status, arrived = ask(address, FORGED)
            assert (status, arrived) == (401, "")


@needs_caddy
def test_shipped_caddyfile_lets_nobody_name_themselves(tmp_path: Path) -> None:
    with serving(repeat_headers) as dashboard, running_proxy([dashboard], tmp_path) as address:
        status, arrived = ask(address, FORGED)
        assert status == 200
        assert "mallory" not in arrived
        with pytest.raises(AccessError, match="only be reached through its proxy"):
            whom_it_names(arrived, proxy_rules(tmp_path))
