"""A server on this machine that serves files, and can be told to misbehave."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 12_000  # 3 MB
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Host(ThreadingHTTPServer):
    """A server on this machine that keeps what it was asked, and can be told to misbehave.

    ``/file`` is `content`; other paths are `files`, then ``/redirect`` (to ``/file``, or with a
    path behind it, to that), ``/unsafe``, and status codes.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.files: dict[str, bytes] = {}
        self.tag = '"one"'
        self.sent_at_most: int | None = None
        self.cuts: list[int] = []
        """Bytes after which the next answers break off, one an answer."""
        self.answers: list[tuple[int, dict[str, str]]] = []
        """Status and headers of the next answers, before any file is sent."""
        self.stated_length: int | None = None
        self.states_length = True
        self.chunked = False
        self.knows_ranges = True
        self.wrong_range = False
        self.knows_conditions = True
        self.content_type = "application/octet-stream"
        self.states_digest = False
        self.stall_after: int | None = None
        """Bytes after which nothing more comes, while the connection stays open."""
        self.pause_seconds = 0.0
        """Between two pieces of 64 KiB."""
        self.requests: list[tuple[str, str | None]] = []
        self.ended = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Host

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        if self.server.answers:
            self.send_status(*self.server.answers.pop(0))
        elif self.path == "/file" or self.path in self.server.files:
            self.send_content(self.server.files.get(self.path, self.server.content), asked)
        elif self.path.startswith("/redirect"):
            self.send_elsewhere(self.server.url + (self.path.removeprefix("/redirect") or "/file"))
        elif self.path == "/unsafe":
            self.send_elsewhere("http://example.org/file")
        else:
            code = self.path[1:]
            self.send_error(int(code) if code.isdigit() else 404)

    def send_status(self, status: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def send_elsewhere(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        if self.server.states_digest:
            self.send_header("X-Linked-ETag", f'"{DIGEST}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_content(self, content: bytes, asked: str | None) -> None:
        start = 0
        same = self.headers.get("If-Range") == self.server.tag or not self.server.knows_conditions
        if asked and same and self.server.knows_ranges:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        body = content[start:]
        if not body:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            first = start - 7 if self.server.wrong_range else start
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_length(len(body))
        self.send_header("Content-Type", self.server.content_type)
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        self.end_headers()
        self.send_body(body)
        self.close_connection = True

    def send_length(self, length: int) -> None:
        stated = self.server.stated_length if self.server.stated_length is not None else length
        if self.server.chunked:
            self.send_header("Transfer-Encoding", "chunked")
        elif self.server.states_length:
            self.send_header("Content-Length", str(stated))

    def send_body(self, body: bytes) -> None:
        cut = self.server.cuts.pop(0) if self.server.cuts else self.server.sent_at_most
        body = body[:cut]
        try:
            for begin in range(0, len(body), 1 << 16):
                if self.server.stall_after is not None and begin >= self.server.stall_after:
                    self.server.ended.wait(30)
                    return
                self.send_piece(body[begin : begin + (1 << 16)])
                if self.server.pause_seconds:
                    time.sleep(self.server.pause_seconds)
            if self.server.chunked and cut is None:
                self.wfile.write(b"0\r\n\r\n")
        except OSError:
            pass  # whoever asked went away

    def send_piece(self, piece: bytes) -> None:
        if self.server.chunked:
            piece = f"{len(piece):x}\r\n".encode() + piece + b"\r\n"
        self.wfile.write(piece)
        self.wfile.flush()


@contextmanager
def serving() -> Iterator[Host]:
    """Serve in a thread until the end of the block."""
    with Host() as host:
        thread = threading.Thread(target=host.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield host
        host.ended.set()
        host.shutdown()
        thread.join()
