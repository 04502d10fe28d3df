"""Locks between processes of a machine that end with the process that holds them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from resvae_core.config import state_folder
from resvae_core.jobs.processes import machine


@contextmanager
def try_lock(name: str) -> Iterator[bool]:
    """Hold a lock inside a ``with`` block, if nobody else does.

    Parameters
    ----------
    name
        Letters, digits and ``-``. The lock is of this machine and this state folder.

    Yields
    ------
    bool
        Whether this process holds it now.
    """
    folder = state_folder() / "jobs" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    # file descriptors are not inherited by programs that are started, so children do not hold it
    descriptor = os.open(folder / f"{name}-{machine()}.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        yield _lock(descriptor)
    finally:
        os.close(descriptor)


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> bool:
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
