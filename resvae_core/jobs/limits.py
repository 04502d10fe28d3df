"""What a job may use, and a clear word when it uses more."""

from __future__ import annotations

import os
import shutil
import threading
import time
from pathlib import Path

from resvae_core.errors import JobError
from resvae_core.jobs.processes import memory_of
from resvae_core.jobs.record import Limits

GB = 1e9
FREE_GB = 0.2
"""Space that a job must leave on the disk."""
LOOK_SECONDS = 1.0
DISK_SECONDS = 5.0


class Watch:
    """Compares what a running job uses with its limits.

    Parameters
    ----------
    limits
        What it may use.
    pid
        The process that started all others of the job.
    folder
        Where it writes.
    """

    def __init__(self, limits: Limits, pid: int, folder: Path) -> None:
        self._limits, self._pid, self._folder = limits, pid, folder
        self._start = time.monotonic()
        self._look = self._start
        self._disk = self._start + LOOK_SECONDS
        self._measuring: threading.Thread | None = None
        self._measured: tuple[float, float] | None = None  # GB written, GB free

    def look(self) -> JobError | None:
        """Return what was exceeded; None if nothing was, or if the last look was just now."""
        now = time.monotonic()
        if now < self._look:
            return None
        self._look = now + LOOK_SECONDS
        if now >= self._disk:
            self._disk = now + DISK_SECONDS
            self._measure()
        return self._time(now) or self._memory() or self._space()

    def _measure(self) -> None:
        """Measure in a thread: a large folder takes long, and a disk may not answer at all."""
        if self._measuring is None or not self._measuring.is_alive():
            self._measuring = threading.Thread(target=self._walk, name="disk", daemon=True)
            self._measuring.start()

    def _walk(self) -> None:
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:
            return  # its own reading and writing fails then, and says why
        self._measured = folder_size(self._folder) / GB, free / GB

    def _time(self, now: float) -> JobError | None:
        if now - self._start <= self._limits.hours * 3600:
            return None
        return JobError(
            f"The job ran longer than its limit of {self._limits.hours:g} hours.",
            remedy="Raise the time limit of jobs in the settings, or give it less to do; then "
            "resume it: it goes on from where it was.",
        )

    def _memory(self) -> JobError | None:
        used = memory_of(self._pid) / GB
        if used <= self._limits.memory_gb:
            return None
        return JobError(
            f"The job used {used:.1f} GB of memory; its limit is {self._limits.memory_gb:g} GB.",
            remedy="Raise the memory limit of jobs in the settings, or use fewer worker "
            "processes; then resume it: it goes on from where it was.",
        )

    def _space(self) -> JobError | None:
        if self._measured is None:
            return None
        used, free = self._measured
        if used > self._limits.disk_gb:
            return JobError(
                f"The job wrote {used:.1f} GB; its limit is {self._limits.disk_gb:g} GB.",
                remedy="Raise the disk limit of jobs in the settings, or give it less to do; then "
                "resume it: it goes on from where it was.",
            )
        if free >= FREE_GB:
            return None
        return JobError(
            f"Only {free:.2f} GB are free on the disk of the state folder.",
            remedy="Remove jobs or data that are not needed any more, then resume the job.",
        )


def folder_size(folder: Path) -> int:
    """Return the size of the files below a folder, in bytes."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += (Path(place) / name).lstat().st_size
            except OSError:
                continue  # renamed or removed meanwhile
    return total
