"""A lock between processes that dies with the one that holds it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from resvae_core.errors import DownloadError

if sys.platform == "win32":
    import msvcrt

    def _take(stream: IO[bytes]) -> None:
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
else:
    import fcntl

    def _take(stream: IO[bytes]) -> None:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)


@contextmanager
def only_one(path: Path, *, what: str, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold a lock file until the end of the ``with`` block.

    Parameters
    ----------
    path
        The lock file; it stays, empty.
    what
        What one process at a time may do, for the message: ``"fetch gdsc"``.
    wait_seconds
        How long to wait for another process.

    Raises
    ------
    DownloadError
        If another process holds it.
    """
    deadline = time.monotonic() + wait_seconds
    with path.open("ab") as stream:
        while True:
            try:
                _take(stream)
                break
            except OSError as error:
                if time.monotonic() >= deadline:
                    raise DownloadError(
                        f"Somebody else is about to {what} at this moment.",
                        remedy="Wait until that is done, or cancel it.",
                    ) from error
                time.sleep(0.05)
        yield
