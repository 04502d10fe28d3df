"""The time that an attempt may go on without a word to the database."""

from __future__ import annotations

import signal
import threading
import time
from typing import Self

from resvae_core.jobs import processes
from resvae_core.jobs.recovery import LEASE_SECONDS

LOOK_SECONDS = 0.2
PAUSE_SECONDS = LEASE_SECONDS * 2 / 3
"""A job whose heartbeat was not written for so long is halted: it may soon be somebody else's."""


class Lease:
    """Halts the processes of a job in time, and lets them go on when its heartbeat is written.

    A thread of its own does so: whoever writes the heartbeat may be held up for any time, by a
    statement of the database, by a lock, or by a disk.

    Parameters
    ----------
    pid
        The process that started all others of the job.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._beat = time.monotonic()
        self._halted = False
        self._lock = threading.Lock()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._guard, name="lease", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join()

    def renew(self, began: float) -> None:
        """Count from a heartbeat that was written.

        Parameters
        ----------
        began
            When writing began, on the monotonic clock: when it was in the database is not known.
        """
        with self._lock:
            self._beat = began
            self._halt(self._is_old())

    def _guard(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            with self._lock:
                if self._is_old():
                    self._halt(True)

    def _is_old(self) -> bool:
        return time.monotonic() - self._beat > PAUSE_SECONDS

    def _halt(self, wanted: bool) -> None:
        if wanted == self._halted or not hasattr(signal, "SIGSTOP"):
            return
        self._halted = wanted
        processes.signal_tree(self._pid, signal.SIGSTOP if wanted else signal.SIGCONT)
