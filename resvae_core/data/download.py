"""Fetch a file: resumed where it stopped, checked against its digest, put in place at once."""

from __future__ import annotations

import email.message
import email.utils
import errno
import hashlib
import http.client
import json
import os
import queue
import re
import shutil
import socket
import ssl
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from resvae_core.data.files import file_digest
from resvae_core.errors import ArtifactError, DownloadError, JobCancelledError, ResVAEError

Progress = Callable[[int, int | None], None]
"""Called with the bytes that are there and the bytes in all (None if the host does not say)."""
Trying = Callable[[str, int, int], None]
"""Called with the host, the number of the try and the tries in all, before each of them."""
Cancelled = Callable[[], bool]
"""Asked several times a second whether to stop."""

CHUNK = 1 << 20
STALL_BYTES = 16 << 10
"""A transfer that brings less than this in `Patience.stall_seconds` stands still."""
ASK_SECONDS = 0.1
LOCAL_HOSTS = frozenset({"127.0.0.1", "::1", "localhost"})
NETWORK_ERRORS = (
    http.client.HTTPException,
    urllib.error.URLError,
    ConnectionError,
    TimeoutError,
    ssl.SSLError,
)
BUSY = frozenset({408, 429, 500, 502, 503, 504})
"""Answers of a host that may have the file a little later."""
SHA256 = re.compile(r"^[0-9a-f]{64}$")
CONTENT_RANGE = re.compile(r"^bytes (\d+)-\d+/(\d+|\*)$")


@dataclass(frozen=True)
class Patience:
    """How long a host that breaks off, is busy or stands still is tried again.

    Parameters
    ----------
    attempts
        Tries in a row that bring nothing new, after which it is given up.
    first_wait_seconds, longest_wait_seconds
        Waiting time before the second try; it doubles up to the longest. A host that asks for more
        (``Retry-After``) than the longest is given up.
    stall_seconds
        Time without news after which a connection counts as broken.
    trying
        Told which host is tried, and again when a try has failed; 1 while it brings something.
    """

    attempts: int = 1
    first_wait_seconds: float = 1.0
    longest_wait_seconds: float = 60.0
    stall_seconds: float = 60.0
    trying: Trying = lambda host, number, tries: None


ONCE = Patience()
PATIENT = Patience(attempts=6)
MAX_ATTEMPTS = 100
"""Tries in all, however much each brings."""


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


@dataclass(frozen=True)
class Expected:
    """What is known of a file before it comes; None for what is not.

    Parameters
    ----------
    size
        Bytes.
    sha256, md5
        Digests (hex).
    """

    size: int | None = None
    sha256: str | None = None
    md5: str | None = None

    @property
    def anything(self) -> bool:
        """Whether a cut file would be told from a whole one."""
        return any((self.size, self.sha256, self.md5))


class _CutError(DownloadError):
    """A transfer broke off, and may be taken up again."""


def download(
    url: str,
    path: Path,
    *,
    sha256: str | None = None,
    progress: Progress | None = None,
    md5: str | None = None,
    size: int | None = None,
    cancelled: Cancelled | None = None,
    patience: Patience = ONCE,
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
    sha256, md5
        Digests that the file must have. Where `sha256` is None, the digest that the host states,
        if it does.
    progress
        Told of the bytes as they arrive.
    size
        Bytes that the file must have.
    cancelled
        Asked between chunks, and while nothing comes; what has arrived stays.
    patience
        How often to try again; once by default.

    Raises
    ------
    DownloadError
        If the host cannot be reached, has no such file, breaks off, stands still, sends a web
        page, or the disk is full.
    ArtifactError
        If the size or a digest is wrong; what arrived is removed.
    JobCancelledError
        If `cancelled` said so.
    """
    if not _is_safe(url):
        raise _unsafe(url)
    part = path.with_name(path.name + ".part")
    expected = Expected(size, sha256, md5)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        asking = _Transfer(url, part, expected, progress or _ignore, cancelled or _never, patience)
        stated = asking.run()
        found = _require_intact(path.name, part, expected, stated)
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


@dataclass(frozen=True)
class _Transfer:
    """Bring a part to its full length, in as many tries as patience allows."""

    url: str
    part: Path
    expected: Expected
    progress: Progress
    cancelled: Cancelled
    patience: Patience

    def run(self) -> str | None:
        """Return the digest that the host states."""
        fruitless = 0
        self._tell_try(1)
        for _ in range(MAX_ATTEMPTS):
            before = self._length()
            try:
                return self._once()
            except (*NETWORK_ERRORS, _CutError) as error:
                fruitless = 0 if self._length() >= before + STALL_BYTES else fruitless + 1
                self._wait(error, fruitless)
        raise DownloadError(
            f"{self.part.stem} broke off {MAX_ATTEMPTS} times.",
            remedy="Start it again later: it goes on where it stopped.",
        )

    def _length(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _wait(self, error: Exception, fruitless: int) -> None:
        """Wait before the next try, or raise the error where there is to be none."""
        asked = 0.0
        if isinstance(error, urllib.error.HTTPError):
            asked = _retry_after(error.headers)
            if error.code not in BUSY or asked > self.patience.longest_wait_seconds:
                raise error
        if self.patience.attempts == 1 or fruitless >= self.patience.attempts:
            raise error
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        self._tell_try(fruitless + 1)
        doubled = self.patience.first_wait_seconds * 2 ** max(fruitless - 1, 0)
        until = time.monotonic() + max(asked, min(doubled, self.patience.longest_wait_seconds))
        while (left := until - time.monotonic()) > 0:
            self._ask()
            time.sleep(min(ASK_SECONDS, left))

    def _tell_try(self, number: int) -> None:
        host = urllib.parse.urlsplit(self.url).hostname or ""
        self.patience.trying(host, number, self.patience.attempts)

    def _ask(self) -> None:
        if self.cancelled():
            raise JobCancelledError(
                f"The transfer of {self.part.stem} was cancelled.",
                remedy="Start it again: it goes on where it stopped.",
            )

    def _once(self) -> str | None:
        """Try once: go on behind what is there, if the host still has the same file."""
        self._ask()
        notes = _Notes.read(self.part, self.url)
        start = self._length() if notes.tag else 0
        if start and start == notes.size:
            return notes.stated  # complete, and stopped before it was checked
        headers = {"User-Agent": "resvae", "Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": notes.tag}
        redirects = _Redirects()
        request = urllib.request.Request(self.url, headers=headers)
        reader = _Reader(request, redirects, self.patience.stall_seconds)
        try:
            response = reader.response(self._ask)
            resumed = response.status == http.client.PARTIAL_CONTENT
            if resumed and not _continues(response, start, notes.tag):
                return self._anew()
            return self._copy(response, reader, redirects, start)
        except urllib.error.HTTPError as error:
            if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE and start:
                error.close()
                # the part is at least as long as the file, so something in it is wrong
                return self._anew()
            raise
        finally:
            reader.give_up()

    def _anew(self) -> str | None:
        self.part.unlink()
        return self._once()

    def _copy(
        self,
        response: http.client.HTTPResponse,
        reader: _Reader,
        redirects: _Redirects,
        start: int,
    ) -> str | None:
        """Append the body to the first `start` bytes of the part, and check its length."""
        _require_file(response, self.url)
        start = start if response.status == http.client.PARTIAL_CONTENT else 0
        length = _body_length(response)
        total = None if length is None else start + length
        self._require_size(total, response.chunked)
        _require_room(self.part, length or 0)
        stated = redirects.stated_sha256 or _stated(response.headers)
        if not start:  # before the notes: they would take a part of another file for one of this
            self.part.unlink(missing_ok=True)
        _Notes(self.url, _strong_tag(response.headers), total, stated).write(self.part)
        done = start
        self._tell_try(1)
        with self.part.open("ab" if start else "wb") as stream:
            self.progress(done, total)
            for chunk in reader.chunks(self._ask):
                stream.write(chunk)
                done += len(chunk)
                self.progress(done, total)
            stream.flush()
            os.fsync(stream.fileno())
        if total is not None and done < total:
            raise _CutError(
                f"The connection closed after {done:,} of {total:,} bytes of {self.part.stem}.",
                remedy="Start it again: it goes on where it stopped.",
            )
        return stated

    def _require_size(self, total: int | None, chunked: bool) -> None:
        """Refuse a file that has another size, or of which nobody could say that it is whole."""
        if total is None and not chunked and not self.expected.anything:
            raise DownloadError(
                f"The host does not say how long {self.part.stem} is: a cut file could not be told "
                "from a whole one.",
                remedy="Download it in a browser, and place it by hand.",
            )
        if None not in (total, self.expected.size) and total != self.expected.size:
            _remove_part(self.part)
            raise ArtifactError(
                f"{self.part.stem} has {total:,} bytes at its source; expected "
                f"{self.expected.size:,}. Nothing of it was kept.",
                remedy="Try again later; if it stays so, the file at the source has changed.",
            )


class _Reader:
    """Reads an answer in a thread of its own, so that waiting for it can be given up any time."""

    def __init__(
        self, request: urllib.request.Request, redirects: _Redirects, stall_seconds: float
    ) -> None:
        self._items: queue.Queue[http.client.HTTPResponse | bytes | Exception | None]
        self._items = queue.Queue(maxsize=8)
        self._over = threading.Event()
        self._stall_seconds = stall_seconds
        arguments = (urllib.request.build_opener(redirects), request)
        threading.Thread(target=self._read, args=arguments, daemon=True).start()

    def response(self, ask: Callable[[], None]) -> http.client.HTTPResponse:
        """Return status and headers, as soon as they are there."""
        deadline = time.monotonic() + self._stall_seconds
        found = self._next(ask, deadline)
        if isinstance(found, http.client.HTTPResponse):
            return found
        raise http.client.RemoteDisconnected("no answer came")

    def chunks(self, ask: Callable[[], None]) -> Iterator[bytes]:
        """Yield the body as it arrives."""
        deadline, new = time.monotonic() + self._stall_seconds, 0
        while isinstance(found := self._next(ask, deadline), bytes):
            yield found
            new += len(found)
            if new >= STALL_BYTES:
                deadline, new = time.monotonic() + self._stall_seconds, 0

    def give_up(self) -> None:
        """Read no more; the thread ends with what it waits for."""
        self._over.set()

    def _next(
        self, ask: Callable[[], None], deadline: float
    ) -> http.client.HTTPResponse | bytes | None:
        while True:
            ask()
            if time.monotonic() > deadline:
                raise _CutError(
                    f"Next to nothing came for {self._stall_seconds:g} seconds.",
                    remedy="Check the connection and start it again: it goes on where it stopped.",
                )
            try:
                found = self._items.get(timeout=ASK_SECONDS)
            except queue.Empty:
                continue
            if isinstance(found, Exception):
                raise found
            return found

    def _read(self, opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> None:
        try:
            # longer than the caller waits: it says better what happened
            with opener.open(request, timeout=1.5 * self._stall_seconds) as response:
                self._put(response)
                left = _body_length(response)
                while chunk := response.read1(CHUNK if left is None else min(CHUNK, left)):
                    self._put(chunk)
                    left = None if left is None else left - len(chunk)
                    if self._over.is_set():
                        return
        except (OSError, http.client.HTTPException, ValueError, ResVAEError) as error:
            self._put(error)
        finally:
            self._put(None)

    def _put(self, item: http.client.HTTPResponse | bytes | Exception | None) -> None:
        while not self._over.is_set():
            try:
                return self._items.put(item, timeout=ASK_SECONDS)
            except queue.Full:
                continue


@dataclass(frozen=True)
class _Notes:
    """What a part is of: enough to go on with it another day."""

    url: str
    tag: str
    size: int | None
    stated: str | None

    @classmethod
    def read(cls, part: Path, url: str) -> _Notes:
        """Return what was noted of a part; notes without a tag where it is of no use."""
        try:
            document = json.loads(_notes(part).read_text(encoding="utf-8"))
            if document["url"] == url:
                size, stated = document.get("size"), document.get("stated")
                return cls(url, str(document["tag"]), size, stated)
        except (OSError, ValueError, KeyError, TypeError):
            pass
        return cls(url, "", None, None)

    def write(self, part: Path) -> None:
        """Remember it beside the part."""
        _notes(part).write_text(json.dumps(vars(self)), encoding="utf-8")


def _notes(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _remove_part(part: Path) -> None:
    for path in (part, _notes(part)):
        path.unlink(missing_ok=True)


def _strong_tag(headers: http.client.HTTPMessage) -> str:
    """Return the entity tag; a weak one does not promise the same bytes."""
    tag: str = headers.get("ETag", "")
    return "" if tag.startswith("W/") else tag


def _stated(headers: http.client.HTTPMessage) -> str | None:
    """Return the SHA-256 that a host states: Hugging Face does for large files."""
    tag = (headers.get("X-Linked-ETag") or "").strip('"')
    return tag if SHA256.match(tag) else None


def _body_length(response: http.client.HTTPResponse) -> int | None:
    length = response.headers.get("Content-Length", "")
    return int(length) if length.isdigit() and not response.chunked else None


def _continues(response: http.client.HTTPResponse, start: int, tag: str) -> bool:
    """Tell whether what came is of the same file, and begins where it was asked for.

    Some hosts know ranges, but not the condition that the file must be the same.
    """
    found = CONTENT_RANGE.match(response.headers.get("Content-Range", ""))
    same = _strong_tag(response.headers) in ("", tag)
    return same and found is not None and int(found[1]) == start


def _retry_after(headers: email.message.Message) -> float:
    """Return the seconds that a host asks to wait: it states seconds or a date."""
    stated = (headers.get("Retry-After") or "").strip()
    if stated.isdigit():
        return float(stated)
    try:
        when = email.utils.parsedate_to_datetime(stated)
    except (TypeError, ValueError):
        return 0.0
    when = when if when.tzinfo else when.replace(tzinfo=UTC)
    return max(0.0, (when - datetime.now(UTC)).total_seconds())


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
        downgraded = req.full_url.startswith("https:") and not newurl.startswith("https:")
        if downgraded or not _is_safe(newurl):
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


def _require_file(response: http.client.HTTPResponse, url: str) -> None:
    """Refuse an answer that is no file: a page that asks for a person, or a sign-in."""
    sent = (http.client.OK, http.client.PARTIAL_CONTENT)
    is_page = response.headers.get_content_type() == "text/html"
    if response.status in sent and not is_page:
        return
    what = "a web page" if is_page else f"HTTP {response.status}"
    raise DownloadError(
        f"{urllib.parse.urlsplit(url).hostname} sent {what} instead of the file: it may ask for a "
        "person or a sign-in, or a proxy stands between.",
        remedy="Download the file in a browser, and place it by hand.",
    )


def _require_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        raise DownloadError(
            f"{part.stem} needs {needed / 1e6:,.0f} MB; {part.parent} has {free / 1e6:,.0f} MB.",
            remedy="Make room or choose another folder, then run it again.",
        )


def _require_intact(name: str, part: Path, expected: Expected, stated: str | None) -> str:
    """Compare size and digests; return the SHA-256."""
    found = file_digest(part)
    wrong = wrong_in(part, found, expected) or _differs("SHA-256", found, expected.sha256 or stated)
    if wrong:
        _remove_part(part)
        raise ArtifactError(
            f"{name} was fetched but {wrong}; it was removed.",
            remedy="Run the command again; if it stays so, the file at the source has changed.",
        )
    return found


def wrong_in(path: Path, sha256: str, expected: Expected) -> str:
    """Say what is wrong with a file of that SHA-256, ``has … expected …``; "" for nothing."""
    size = path.stat().st_size
    if expected.size is not None and size != expected.size:
        return f"has {size:,} bytes, expected {expected.size:,}"
    if wrong := _differs("SHA-256", sha256, expected.sha256):
        return wrong
    return "" if expected.md5 is None else _differs("MD5", _md5(path), expected.md5)


def _differs(kind: str, found: str, expected: str | None) -> str:
    if expected is None or found == expected:
        return ""
    return f"has {kind} {found}, expected {expected}"


def _md5(path: Path) -> str:
    """Return the MD5 (hex), with which some owners vouch for their files; it guards no secret."""
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, lambda: hashlib.md5(usedforsecurity=False))
        return digest.hexdigest()


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
    return DownloadError(
        f"{host} could not be reached, or broke off: {_in_words(error)}.",
        remedy="Check the connection and start it again: it goes on where it stopped.",
    )


def _in_words(error: Exception) -> str:
    """Say why a connection failed; what has no words here says it itself."""
    reason = getattr(error, "reason", None) or error
    words: dict[type | tuple[type, ...], str] = {
        socket.gaierror: "its address was not found; there is no connection, or no such host",
        ConnectionRefusedError: "it refused the connection",
        (ConnectionResetError, ConnectionAbortedError, BrokenPipeError): "the connection was cut",
        TimeoutError: "it did not answer in time",
    }
    for kind, said in words.items():
        if isinstance(reason, kind):
            return said
    unreachable = (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN)
    if isinstance(reason, OSError) and reason.errno in unreachable:
        return "there is no connection to it"
    return str(reason)


def _ignore(done: int, total: int | None) -> None:
    """Show no progress."""


def _never() -> bool:
    """Go on."""
    return False
