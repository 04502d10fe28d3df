"""Fetching from a server on this machine: resume, wrong digest, breaks, refusals."""

from __future__ import annotations

import errno
import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from resvae_core.data import download as module
from resvae_core.data.download import download
from resvae_core.errors import ArtifactError, DownloadError
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
    with pytest.raises(DownloadError, match=r"127\.0\.0\.1 could not be reached, or broke off"):
        download(f"http://127.0.0.1:{port}/file", tmp_path / "file.bin")


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
