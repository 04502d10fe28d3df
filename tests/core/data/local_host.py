"""A server on this machine that serves one file, and can be told to misbehave."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CONTENT = bytes(range(256)) * 12_000  # 3 MB
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Host(ThreadingHTTPServer):
    """A server on this machine that keeps what it was asked, and can be told to misbehave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.content = CONTENT
        self.tag = '"one"'
        self.sent_at_most: int | None = None
        self.states_digest = False
        self.requests: list[tuple[str, str | None]] = []
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Host

    def log_message(self, *arguments: object) -> None:
        """Keep quiet."""

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.requests.append((self.path, asked))
        if self.path == "/file":
            self.send_content(asked)
        elif self.path == "/redirect":
            self.send_elsewhere(f"{self.server.url}/file")
        elif self.path == "/unsafe":
            self.send_elsewhere("http://example.org/file")
        else:
            self.send_error(int(self.path[1:]))

    def send_elsewhere(self, target: str) -> None:
        self.send_response(302)
        self.send_header("Location", target)
        if self.server.states_digest:
            self.send_header("X-Linked-ETag", f'"{DIGEST}"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def send_content(self, asked: str | None) -> None:
        start = 0
        if asked and self.headers.get("If-Range") == self.server.tag:
            start = int(asked.removeprefix("bytes=").removesuffix("-"))
        body = self.server.content[start:]
        if not body:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        if self.server.tag:
            self.send_header("ETag", self.server.tag)
        self.end_headers()
        self.wfile.write(body[: self.server.sent_at_most])
        self.close_connection = True


@contextmanager
def serving() -> Iterator[Host]:
    """Serve in a thread until the end of the block."""
    with Host() as host:
        thread = threading.Thread(target=host.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield host
        host.shutdown()
        thread.join()
