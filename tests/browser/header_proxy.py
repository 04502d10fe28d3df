"""A small reverse proxy for tests: it puts headers on every request, and drops their like."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from urllib.parse import urlsplit


@contextmanager
def running_proxy(target: str, headers: Mapping[str, str]) -> Iterator[str]:
    """Serve `target` on a free port of this machine; yield the address."""
    # Playwright has a loop of its own in the thread of the tests
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    starting = asyncio.start_server(_Proxy(target, headers).serve, "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(starting, loop).result(timeout=10)
    port = server.sockets[0].getsockname()[1]
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(_close(server), loop).result(timeout=10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    mine = asyncio.current_task()
    others = [task for task in asyncio.all_tasks() if task is not mine]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


class _Proxy:
    def __init__(self, target: str, headers: Mapping[str, str]) -> None:
        self.host, self.port = urlsplit(target).hostname, urlsplit(target).port
        self.headers = headers

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Pass one request on, with one answer or, after an upgrade, all that follows."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            up_reader, up_writer = await asyncio.open_connection(self.host, self.port)
            up_writer.write(self.rewritten(head.decode("latin-1")).encode("latin-1"))
            await asyncio.gather(_pump(reader, up_writer), _pump(up_reader, writer))
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def rewritten(self, head: str) -> str:
        """Return a request's head with our headers in the place of the sender's."""
        first, *lines = head.rstrip("\r\n").split("\r\n")
        ours = {name.lower() for name in self.headers}
        kept = [line for line in lines if line.split(":")[0].lower() not in ours]
        if not any(line.lower().startswith("upgrade:") for line in kept):
            # one request a connection: the next one needs our headers, too
            kept = [line for line in kept if not line.lower().startswith("connection:")]
            kept.append("Connection: close")
        kept += [f"{name}: {value}" for name, value in self.headers.items()]
        return "\r\n".join([first, *kept, "", ""])


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    finally:
        writer.close()
