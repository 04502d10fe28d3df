"""Fetching from a server on this machine: resume, wrong digest, breaks, refusals."""

from __future__ import annotations

import email.utils
import errno
import http.client
import io
import json
import shutil
import socket
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from resvae_core.data import download as module
from resvae_core.data.download import Patience, download
from resvae_core.errors import ArtifactError, DownloadError, JobCancelledError
from tests.core.data.local_host import CONTENT, DIGEST, Host, serving


@pytest.fixture
def host() -> Iterator[Host]:
    with serving() as running:
        yield running


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_is_fetched_and_progress_told(host: Host, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []
    path = tmp_path / "new" / "file.bin"
    found = download(
        f"{host.url}/file",
        path,
        sha256=DIGEST,
        progress=lambda done, total: told.append((done, total)),
    )
    assert path.read_bytes() == CONTENT
    assert (found.path, found.sha256, found.stated_sha256) == (path, DIGEST, None)
    assert files(path.parent) == ["file.bin"]
    assert told[0] == (0, len(CONTENT))
    assert told[-1] == (len(CONTENT), len(CONTENT))


def test_broken_transfer_goes_on_where_it_stopped(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    host.sent_at_most = 1_000_000
    with pytest.raises(DownloadError, match=r"closed after 1,000,000 of 3,072,000 bytes"):
        download(f"{host.url}/file", path, sha256=DIGEST)
    assert not path.exists()
    host.sent_at_most = None
    download(f"{host.url}/file", path, sha256=DIGEST)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in host.requests] == [None, "bytes=1000000-"]
    assert files(tmp_path) == ["file.bin"]


@pytest.mark.parametrize("tag", ['"two"', "", 'W/"one"'])
def test_file_that_changed_or_cannot_be_told_apart_is_fetched_anew(
    tag: str, host: Host, tmp_path: Path
) -> None:
    path = tmp_path / "file.bin"
    host.sent_at_most = 1000
    if tag != '"two"':
        host.tag = tag
    with pytest.raises(DownloadError):
        download(f"{host.url}/file", path)
    host.tag, host.sent_at_most, host.content = tag, None, CONTENT[::-1]
    download(f"{host.url}/file", path)
    assert path.read_bytes() == CONTENT[::-1]


def test_changed_file_of_a_host_that_ignores_the_condition_is_fetched_anew(
    host: Host, tmp_path: Path
) -> None:
    path = tmp_path / "file.bin"
    host.sent_at_most, host.knows_conditions = 1000, False
    with pytest.raises(DownloadError):
        download(f"{host.url}/file", path)
    host.tag, host.sent_at_most, host.content = '"two"', None, CONTENT[::-1]
    download(f"{host.url}/file", path)
    assert path.read_bytes() == CONTENT[::-1]


def test_changed_file_of_which_nothing_came_is_not_mixed_with_the_earlier_one(
    host: Host, tmp_path: Path
) -> None:
    path = tmp_path / "file.bin"
    host.sent_at_most = 1000
    with pytest.raises(DownloadError):
        download(f"{host.url}/file", path)
    host.tag, host.sent_at_most, host.content = '"two"', None, CONTENT[::-1]
    answered = iter([False, True])  # told before the host is asked, and when it has answered

    def trying(name: str, number: int, tries: int) -> None:
        if next(answered):
            raise JobCancelledError("Cancelled.", remedy="Start it again.")

    with pytest.raises(JobCancelledError):
        download(f"{host.url}/file", path, patience=Patience(trying=trying))
    download(f"{host.url}/file", path)
    assert path.read_bytes() == CONTENT[::-1]


def test_part_of_another_address_is_not_used(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    (tmp_path / "file.bin.part").write_bytes(b"of another file")
    notes = {"url": "https://example.org/other", "tag": '"one"'}
    (tmp_path / "file.bin.part.json").write_text(json.dumps(notes))
    download(f"{host.url}/file", path, sha256=DIGEST)
    assert host.requests == [("/file", None)]


def test_part_that_is_too_long_is_thrown_away(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"more")
    notes = {"url": f"{host.url}/file", "tag": '"one"'}
    (tmp_path / "file.bin.part.json").write_text(json.dumps(notes))
    download(f"{host.url}/file", path, sha256=DIGEST)
    assert path.read_bytes() == CONTENT


def test_wrong_digest_is_refused_and_nothing_stays(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    with pytest.raises(ArtifactError, match=f"has SHA-256 {DIGEST}, expected {'0' * 64}"):
        download(f"{host.url}/file", path, sha256="0" * 64)
    assert files(tmp_path) == []


def test_wrong_digest_leaves_the_earlier_file(host: Host, tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"earlier")
    with pytest.raises(ArtifactError):
        download(f"{host.url}/file", path, sha256="0" * 64)
    assert path.read_bytes() == b"earlier"


def test_digest_that_the_host_states_is_compared(host: Host, tmp_path: Path) -> None:
    host.states_digest = True
    found = download(f"{host.url}/redirect", tmp_path / "file.bin")
    assert found.stated_sha256 == found.sha256 == DIGEST
    host.content = CONTENT[:-1]
    with pytest.raises(ArtifactError, match=f"expected {DIGEST}"):
        download(f"{host.url}/redirect", tmp_path / "other.bin")


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (404, "has no file at"),
        (410, "has no file at"),
        (401, "without a permission"),
        (403, "without a permission"),
        (503, "answered HTTP 503"),
    ],
)
def test_refusals_are_explained(answer: int, message: str, host: Host, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=message) as refused:
        download(f"{host.url}/{answer}", tmp_path / "file.bin")
    assert refused.value.remedy


def test_host_that_is_not_there_is_named(tmp_path: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    tries: list[tuple[str, int, int]] = []
    patience = Patience(3, 0.01, 0.02, 5.0, trying=lambda *told: tries.append(told))
    words = r"127\.0\.0\.1 could not be reached, or broke off: it refused the connection\."
    with pytest.raises(DownloadError, match=words):
        download(f"http://127.0.0.1:{port}/file", tmp_path / "file.bin", patience=patience)
    assert tries == [("127.0.0.1", number, 3) for number in (1, 2, 3)]


def test_a_name_that_is_not_found_is_said_without_a_number_of_the_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    look_up = socket.getaddrinfo
    # as on a machine without a name server: only numbers are addresses
    only_numbers = partial(look_up, flags=socket.AI_NUMERICHOST)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *args, **_: only_numbers(*args[:2]))
    monkeypatch.setenv("no_proxy", "*")
    with pytest.raises(DownloadError, match="no connection, or no such host") as failed:
        download("https://data.invalid/file", tmp_path / "file.bin")
    assert "Errno" not in failed.value.message


def test_a_try_that_brings_something_is_the_first_again(host: Host, tmp_path: Path) -> None:
    host.answers = [(503, {})]
    tries: list[int] = []
    patience = Patience(3, 0.01, 0.02, 5.0, trying=lambda host, number, of: tries.append(number))
    download(f"{host.url}/file", tmp_path / "file.bin", patience=patience)
    assert tries == [1, 2, 1]


@pytest.mark.parametrize(
    "url", ["http://example.org/f", "ftp://example.org/f", "file:///etc/hosts"]
)
def test_unsafe_addresses_are_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match="is no https address"):
        download(url, tmp_path / "file.bin")


def test_redirect_to_an_unsafe_address_is_refused(host: Host, tmp_path: Path) -> None:
    with pytest.raises(DownloadError, match=r"http://example\.org/file is no https address"):
        download(f"{host.url}/unsafe", tmp_path / "file.bin")


def test_full_disk_is_noticed_before_and_during_the_transfer(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(module.shutil, "disk_usage", lambda path: usage._replace(free=1_000_000))
        with pytest.raises(DownloadError, match=r"needs 3 MB; .* has 1 MB"):
            download(f"{host.url}/file", tmp_path / "file.bin")

    def fail(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", fail)
    with pytest.raises(DownloadError, match=r"could not be written .*No space left") as refused:
        download(f"{host.url}/file", tmp_path / "file.bin")
    assert "Make room" in refused.value.remedy


def test_redirect_from_https_to_plain_http_is_refused_even_to_this_machine(host: Host) -> None:
    request = urllib.request.Request("https://example.org/file")
    headers = http.client.HTTPMessage()
    with pytest.raises(DownloadError, match="is no https address"):
        module._Redirects().redirect_request(
            request, io.BytesIO(), 302, "Found", headers, f"{host.url}/file"
        )


@pytest.mark.parametrize(
    ("stated", "seconds"),
    [("7", 7.0), ("", 0.0), ("soon", 0.0), ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0)],
)
def test_waiting_time_is_read_as_seconds_or_date(stated: str, seconds: float) -> None:
    headers = http.client.HTTPMessage()
    headers["Retry-After"] = stated
    assert module._retry_after(headers) == seconds


def test_waiting_time_until_a_date_is_the_time_that_is_left() -> None:
    headers = http.client.HTTPMessage()
    when = datetime.now(UTC) + timedelta(seconds=30)
    headers["Retry-After"] = email.utils.format_datetime(when, usegmt=True)
    assert 28 < module._retry_after(headers) <= 30


def test_transfer_that_was_complete_is_checked_without_asking_again(
    host: Host, tmp_path: Path
) -> None:
    path = tmp_path / "file.bin"
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    notes = {"url": f"{host.url}/file", "tag": '"one"', "size": len(CONTENT), "stated": None}
    (tmp_path / "file.bin.part.json").write_text(json.dumps(notes))
    download(f"{host.url}/file", path, sha256=DIGEST)
    assert host.requests == []
    assert path.read_bytes() == CONTENT


def test_wrong_md5_and_wrong_size_are_refused(host: Host, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"has MD5 [0-9a-f]{32}, expected 0{32}"):
        download(f"{host.url}/file", tmp_path / "file.bin", md5="0" * 32)
    with pytest.raises(ArtifactError, match=r"has 3,072,000 bytes at its source; expected 5"):
        download(f"{host.url}/file", tmp_path / "file.bin", size=5)
    assert files(tmp_path) == []


def test_busy_host_is_given_up_after_the_tries_that_patience_allows(
    host: Host, tmp_path: Path
) -> None:
    with pytest.raises(DownloadError, match="answered HTTP 503"):
        download(f"{host.url}/503", tmp_path / "f", patience=Patience(3, 0.01, 0.02, 5.0))
    assert len(host.requests) == 3
    with pytest.raises(DownloadError, match="has no file at"):
        download(f"{host.url}/404", tmp_path / "f", patience=Patience(3, 0.01, 0.02, 5.0))
    assert len(host.requests) == 4, "what is not there is not asked for again"
