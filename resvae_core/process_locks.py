"""Locks between the processes of a machine that end with the process that holds them."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from resvae_core.errors import BusyError

POLL_SECONDS = 0.05


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
    BusyError
        If another process holds it.
    OSError
        If the file cannot be opened for writing; what to do about that, the caller knows.
    """
    deadline = time.monotonic() + wait_seconds
    with _opened(path) as descriptor:
        while not _take(descriptor):
            if time.monotonic() >= deadline:
                raise BusyError(
                    f"Somebody else is about to {what} at this moment.",
                    remedy="Wait until that is done, or cancel it.",
                )
            time.sleep(POLL_SECONDS)
        yield


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Hold a lock file inside a ``with`` block, if nobody else does.

    Yields
    ------
    bool
        Whether this process holds it now.
    """
    with _opened(path) as descriptor:
        yield _take(descriptor)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    # file descriptors are not inherited by programs that are started, so children do not hold it
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _take(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _take(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
