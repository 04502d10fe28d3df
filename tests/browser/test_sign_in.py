"""Signing in for real: an OpenID provider, a proxy, and what nobody may see without them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote

import pytest
import tomli_w
from playwright.sync_api import Browser, expect

from resvae_core.access.audit import entries, verify
from resvae_core.access.roles import COMMAND_LINE
from resvae_core.access.sign_in import SECRET_VARIABLE
from resvae_core.database import close_databases
from tests.browser.dashboard import Server, Visitor, running_server, visit
from tests.browser.header_proxy import running_proxy
from tests.browser.journeys import SAMPLE, pick, save_pdf, take_upload, write_upload
from tests.browser.openid_provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider

SECRET = "0123456789abcdef0123456789abcdef"
VIEWER = {"sub": "1", "email": "vera@example.org", "email_verified": True}
STEWARD = {"sub": "2", "email": "stefan@example.org", "email_verified": True}
IMPOSTOR = {"sub": "3", "email": "stefan@example.org", "email_verified": False}
PLANTED = ("Doe_Jane_MRN48291733.csv", "DOE-JANE", "1957-03-12")
ROLES = {"default": "viewer", "emails": {"stefan@example.org": "steward"}}


@pytest.fixture(scope="module")
def provider() -> Iterator[Provider]:
    with running_provider() as provider:
        yield provider


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sign-in") / "state"
    folder.mkdir()
    (folder / "roles.toml").write_text(tomli_w.dumps(ROLES), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def server(state: Path, provider: Provider) -> Iterator[Server]:
    secrets = {
        "auth": {
            "redirect_uri": "http://127.0.0.1:{port}/oauth2callback",
            "cookie_secret": SECRET,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "server_metadata_url": f"{provider.address}/.well-known/openid-configuration",
        }
    }
    file = state.parent / "secrets.toml"
    file.write_text(tomli_w.dumps(secrets), encoding="utf-8")
    settings = {
        "RESVAE_STATE": str(state),
        "RESVAE_ACCESS": "sign-in",
        "STREAMLIT_SECRETS_FILES": str(file),
    }
    with running_server(state.parent, settings) as server:
        yield server


@pytest.fixture
def trail(state: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Let the test read the server's audit trail."""
    monkeypatch.setenv("RESVAE_STATE", str(state))
    yield state
    close_databases()


def at_the_door(visitor: Visitor) -> None:
    expect(visitor.page.get_by_role("button", name="Sign in")).to_be_visible()
    expect(visitor.menu).to_have_count(0)


@contextmanager
def signed_in(
    chromium: Browser, server: Server, provider: Provider, person: dict[str, object]
) -> Iterator[Visitor]:
    """Sign somebody in; on the way the browser visits the provider, and nobody else."""
    with visit(chromium, server.address) as visitor:
        provider.next_person = person
        visitor.open("/")
        at_the_door(visitor)
        visitor.page.get_by_role("button", name="Sign in").click()
        visitor.menu.get_by_role("link", name="Overview").wait_for()
        visitor.settle()
        assert all(url.startswith(provider.address) for url in visitor.strangers)
        visitor.strangers.clear()
        yield visitor


def test_nobody_sees_a_page_before_signing_in(visitor: Visitor) -> None:
    visitor.open("/drug?drug=Gefitinib")
    at_the_door(visitor)
    words = visitor.words()
    assert "Sign in with your account" in words
    assert "Gefitinib" not in words


def test_unverified_address_of_a_steward_makes_a_viewer_who_may_change_nothing(
    chromium: Browser, server: Server, provider: Provider, trail: Path
) -> None:
    with signed_in(chromium, server, provider, IMPOSTOR) as visitor:
        expect(visitor.menu.get_by_text("3 · viewer")).to_be_visible()
        visitor.open("/settings?part=preferences")
        expect(visitor.page.get_by_role("button", name="Save")).to_be_disabled()
        visitor.open("/settings?part=audit")
        assert "Only the role steward may read the audit trail; yours is viewer" in visitor.words()
        expect(visitor.page.get_by_test_id("stDataFrame")).to_have_count(0)
        visitor.menu.get_by_role("button", name="Sign out").click()
        at_the_door(visitor)
    lines = entries(actor=COMMAND_LINE, who="3")
    assert set(lines["action"]) == {"sign_in"}
    assert set(lines["role"]) == {"viewer"}
    assert set(lines["source"]) == {"sign-in"}


def test_planted_identifiers_reach_no_trail_table_log_or_link(
    chromium: Browser, server: Server, provider: Provider, trail: Path, tmp_path: Path
) -> None:
    plain = write_upload(tmp_path / "plain.csv").read_text(encoding="utf-8")
    file = tmp_path / PLANTED[0]
    file.write_text(plain.replace(SAMPLE, f"{PLANTED[1]} {PLANTED[2]}", 1), encoding="utf-8")
    with signed_in(chromium, server, provider, VIEWER) as visitor:
        visitor.follow("Upload & QC")
        take_upload(visitor, file)
        expect(visitor.box("Sample")).to_have_value(f"{PLANTED[1]} {PLANTED[2]}")
        visitor.follow("Overview")
        pick(visitor, "Drug", "Gefitinib")
        with visitor.page.expect_download(timeout=30_000) as table:
            visitor.page.get_by_role("button", name="Download table (CSV)").first.click()
        assert PLANTED[1] not in table.value.suggested_filename
        visitor.follow("Report")
        save_pdf(visitor, tmp_path)
        assert not any(planted in unquote(visitor.page.url) for planted in PLANTED)
    close_databases()
    for path in (*trail.rglob("*"), server.log_file):
        content = path.read_bytes() if path.is_file() else b""
        assert not any(planted.encode() in content for planted in PLANTED), path
    lines = entries(actor=COMMAND_LINE, who="vera")
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    about_the_file = lines[lines["file_digest"] == digest]
    assert set(about_the_file["action"]) == {
        "sample.read",
        "prediction.made",
        "explanation.made",
        "export.table",
        "export.report",
    }
    assert verify(actor=COMMAND_LINE).whole


def test_steward_changes_a_setting_and_reads_that_they_did(
    chromium: Browser, server: Server, provider: Provider, trail: Path
) -> None:
    with signed_in(chromium, server, provider, STEWARD) as visitor:
        expect(visitor.menu.get_by_text("stefan@example.org · steward")).to_be_visible()
        visitor.open("/settings?part=preferences")
        cluster = visitor.page.get_by_role("textbox", name="Dask cluster")
        cluster.fill("http://127.0.0.1")
        visitor.page.get_by_role("button", name="Save").click()
        visitor.page.get_by_text("'http://127.0.0.1'; expected").wait_for()
        cluster.fill("tcp://127.0.0.1:8786")
        visitor.page.get_by_role("button", name="Save").click()
        visitor.page.get_by_text("Saved: 1 setting changed.").wait_for()
        visitor.open("/settings?part=audit")
        visitor.page.get_by_role("button", name="Verify the trail").click()
        visitor.page.get_by_text(re.compile(r"The trail is whole: \d+ lines")).wait_for()
    assert 'scheduler = "tcp://127.0.0.1:8786"' in (trail / "settings.toml").read_text(
        encoding="utf-8"
    )
    [line] = entries(actor=COMMAND_LINE, action="settings").to_dict("records")
    assert (line["actor"], line["subject"]) == ("stefan@example.org", "settings:scheduler")
    assert verify(actor=COMMAND_LINE).whole


def test_role_that_was_taken_away_is_gone_on_the_next_click(
    chromium: Browser, server: Server, provider: Provider, trail: Path
) -> None:
    file = trail / "roles.toml"
    with signed_in(chromium, server, provider, STEWARD) as visitor:
        visitor.open("/settings?part=preferences")
        visitor.page.get_by_role("textbox", name="Dask cluster").fill("tcp://127.0.0.1:1")
        before = file.read_text(encoding="utf-8")
        file.write_text(tomli_w.dumps({"default": "viewer"}), encoding="utf-8")
        try:
            visitor.page.get_by_role("button", name="Save").click()
            visitor.menu.get_by_text("stefan@example.org · viewer").wait_for()
            saved = (trail / "settings.toml").read_text(encoding="utf-8")
            assert "tcp://127.0.0.1:1" not in saved
        finally:
            file.write_text(before, encoding="utf-8")


def test_proxy_s_headers_count_with_the_secret_alone(chromium: Browser, tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    (state / "roles.toml").write_text('[groups]\nstewards = "steward"\n', encoding="utf-8")
    environment = {"RESVAE_STATE": str(state), SECRET_VARIABLE: SECRET}
    named = {"X-Forwarded-User": "petra", "X-Forwarded-Groups": "staff, stewards"}
    with running_server(tmp_path, environment) as server:
        with visit(chromium, server.address) as visitor:
            visitor.open("/")
            assert "can only be reached through its proxy" in visitor.words()
            expect(visitor.menu).to_have_count(0)
        wrong = {**named, "X-Resvae-Proxy-Secret": SECRET[::-1]}
        with running_proxy(server.address, wrong) as address, visit(chromium, address) as visitor:
            visitor.open("/settings?part=audit")
            assert "can only be reached through its proxy" in visitor.words()
        right = {**named, "X-Resvae-Proxy-Secret": SECRET}
        with running_proxy(server.address, right) as address, visit(chromium, address) as visitor:
            visitor.open("/settings?part=audit")
            expect(visitor.menu.get_by_text("petra · steward")).to_be_visible()
            expect(visitor.page.get_by_role("button", name="Verify the trail")).to_be_visible()
