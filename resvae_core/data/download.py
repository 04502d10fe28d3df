"""Fetch a file: resumed where it stopped, checked against its digest, put in place at once."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from resvae_core.data.files import file_digest
from resvae_core.errors import ArtifactError, DownloadError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes in all (None if the host does not say)."""

CHUNK = 1 << 20
TIMEOUT_SECONDS = 60
LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
NETWORK_ERRORS = (
    http.client.HTTPException,
    urllib.error.URLError,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)
SHA256 = re.compile(r"^[0-9a-f]{64}$")


@dataclass(frozen=True)
class Fetched:
    """A file that was fetched.

    Parameters
    ----------
    path
        Where it lies.
    sha256
        Digest of its bytes (hex).
    stated_sha256
        Digest that the host itself stated in a header, None where it stated none.
    """

    path: Path
    sha256: str
    stated_sha256: str | None


def download(
    url: str, path: Path, *, sha256: str | None = None, progress: Progress | None = None
) -> Fetched:
    """Fetch a file over HTTPS.

    What arrives is kept beside the target as ``<name>.part`` until it is complete and its digest
    is right; then it is renamed. Called again after a break, the transfer goes on where it stopped
    if the host still has the same file.

    Parameters
    ----------
    url
        ``https://…``; plain ``http`` only on this machine.
    path
        The file to make. Its folder is made too.
    sha256
        Digest that the file must have. Where None, the digest that the host states, if it does.
    progress
        Told of the bytes as they arrive.

    Raises
    ------
    DownloadError
        If the host cannot be reached, has no such file, breaks off, or the disk is full.
    ArtifactError
        If the digest is wrong; what arrived is removed.
    """
    if not _is_safe(url):
        raise _unsafe(url)
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        stated = _transfer(url, part, progress or _ignore)
        found = file_digest(part)
        _require_digest(path.name, found, sha256 or stated, [part, _notes(part)])
        part.replace(path)
        _notes(part).unlink(missing_ok=True)
    except urllib.error.HTTPError as error:
        error.close()
        raise _refused(url, error.code) from error
    except NETWORK_ERRORS as error:
        raise _broken(url, error) from error
    except OSError as error:
        raise DownloadError(
            f"{path.name} could not be written to {path.parent} ({error.strerror}).",
            remedy="Make room or choose another folder, then run it again.",
        ) from error
    return Fetched(path, found, stated)


def _transfer(url: str, part: Path, progress: Progress) -> str | None:
    """Bring the part to its full length and return the digest that the host states."""
    start, tag = _resume_point(url, part)
    redirects = _Redirects()
    opener = urllib.request.build_opener(redirects)
    headers = {"User-Agent": "resvae", "Accept-Encoding": "identity"}
    if start:
        headers |= {"Range": f"bytes={start}-", "If-Range": tag}
    try:
        response = opener.open(
            urllib.request.Request(url, headers=headers), timeout=TIMEOUT_SECONDS
        )
    except urllib.error.HTTPError as error:
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and start:
            error.close()
            # the part is at least as long as the file, so something in it is wrong: start anew
            part.unlink()
            return _transfer(url, part, progress)
        raise
    with response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        start = start if resumed else 0
        _note(part, url, response.headers)
        _copy(response, part, start, progress)
    return redirects.stated_sha256 or _stated(response.headers)


def _copy(response: Any, part: Path, start: int, progress: Progress) -> None:
    """Append the body to the first `start` bytes of the part, and check its length."""
    length = response.headers.get("Content-Length")
    total = None if length is None else start + int(length)
    _require_room(part, 0 if length is None else int(length))
    done = start
    with part.open("ab" if start else "wb") as stream:
        progress(done, total)
        while chunk := response.read(CHUNK):
            stream.write(chunk)
            done += len(chunk)
            progress(done, total)
        stream.flush()
        os.fsync(stream.fileno())
    if total is not None and done < total:
        raise DownloadError(
            f"The connection closed after {done:,} of {total:,} bytes of {part.stem}.",
            remedy="Run the same command again: it goes on where it stopped.",
        )


def _resume_point(url: str, part: Path) -> tuple[int, str]:
    """Return how many bytes can be kept, and the tag of the file that they are of."""
    try:
        notes = json.loads(_notes(part).read_text(encoding="utf-8"))
        if notes["url"] == url and notes["tag"]:
            return part.stat().st_size, str(notes["tag"])
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, ""


def _notes(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _note(part: Path, url: str, headers: http.client.HTTPMessage) -> None:
    """Remember what the part is of; a weak tag does not promise the same bytes."""
    tag = headers.get("ETag", "")
    kept = "" if tag.startswith("W/") else tag
    _notes(part).write_text(json.dumps({"url": url, "tag": kept}), encoding="utf-8")


def _stated(headers: http.client.HTTPMessage) -> str | None:
    """Return the SHA-256 that a host states: Hugging Face does for large files."""
    tag = (headers.get("X-Linked-ETag") or "").strip('"')
    return tag if SHA256.match(tag) else None


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follow redirects, never to an unsafe address, and keep a digest stated on the way."""

    stated_sha256: str | None = None

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not _is_safe(newurl):
            fp.close()
            raise _unsafe(newurl)
        self.stated_sha256 = self.stated_sha256 or _stated(headers)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _is_safe(url: str) -> bool:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOCAL_HOSTS)


def _unsafe(url: str) -> DownloadError:
    return DownloadError(
        f"{url} is no https address; only these are fetched.",
        remedy="Use the official https address.",
    )


def _require_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise DownloadError(
            f"{part.stem} needs {needed / 1e6:,.0f} MB; {part.parent} has {free / 1e6:,.0f} MB.",
            remedy="Make room or choose another folder, then run it again.",
        )


def _require_digest(name: str, found: str, expected: str | None, spoilt: list[Path]) -> None:
    if expected is None or found == expected:
        return
    for path in spoilt:
        path.unlink(missing_ok=True)
    raise ArtifactError(
        f"{name} was fetched but has SHA-256 {found}, expected {expected}; it was removed.",
        remedy="Run the command again; if it stays so, the file at the source has changed.",
    )


def _refused(url: str, code: int) -> DownloadError:
    if code in (http.client.NOT_FOUND, http.client.GONE):
        return DownloadError(
            f"The host has no file at {url} (HTTP {code}).",
            remedy="Look the file up on the project's page and place it by hand.",
        )
    if code in (http.client.UNAUTHORIZED, http.client.FORBIDDEN):
        return DownloadError(
            f"The host does not give out {url} without a permission (HTTP {code}).",
            remedy="Ask for it on the project's page, and place the file by hand.",
        )
    return DownloadError(f"The host answered HTTP {code} for {url}.", remedy="Try again later.")


def _broken(url: str, error: Exception) -> DownloadError:
    host = urllib.parse.urlsplit(url).hostname
    reason = getattr(error, "reason", None) or error
    return DownloadError(
        f"{host} could not be reached, or broke off: {reason}.",
        remedy="Check the connection and run the same command again: it goes on where it stopped.",
    )


def _ignore(done: int, total: int | None) -> None:
    """Show no progress."""
