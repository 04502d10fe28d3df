"""Processes of this machine: which one is meant, whether it lives, and how to end all of a job's.

Numbers of processes are used again; a process is named by its number together with the moment it
started. What a job starts, and whatever that starts, inherits an environment variable with the
job's id, so that all of it is found even where its parents are gone.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import sys
import time
from functools import lru_cache
from pathlib import Path

import psutil

JOB_VARIABLE = "RESVAE_JOB"
"""Names the job in the environment of every process that belongs to it."""
GONE_SECONDS = 5.0
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROCESS_NAMESPACE = Path("/proc/self/ns/pid")


@lru_cache(maxsize=1)
def host() -> str:
    """Return a name for what this process can see of processes: a machine, or a container."""
    try:
        namespace = str(PROCESS_NAMESPACE.readlink())
    except OSError:
        namespace = ""
    return _short(socket.gethostname(), _boot(), namespace)


@lru_cache(maxsize=1)
def machine() -> str:
    """Return a name for this machine, the same in all its containers."""
    return _short(_boot() or socket.gethostname())


def mark_of(pid: int) -> str | None:
    """Return when a process started, as a text to compare; None if it does not run (any more)."""
    if sys.platform == "linux":
        try:
            # the name of the program, in brackets, may hold anything
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return None
        # a zombie has ended: only its parent has not asked for its exit code yet
        return None if fields[0] in "ZX" else fields[19]
    else:
        try:
            process = psutil.Process(pid)
            ended = process.status() == psutil.STATUS_ZOMBIE
            return None if ended else f"{process.create_time():.3f}"
        except psutil.Error:
            return None


def memory_of(pid: int) -> int:
    """Return the resident memory of a process and its descendants, in bytes."""
    total = 0
    for process in _tree(pid):
        with contextlib.suppress(psutil.Error):
            total += process.memory_info().rss
    return total


def signal_tree(pid: int, number: int) -> None:
    """Send a signal to a process and its descendants."""
    for process in _tree(pid):
        with contextlib.suppress(psutil.Error):
            process.send_signal(number)


def processes_of(job: str) -> list[psutil.Process]:
    """Return the processes that belong to a job, this one left out."""
    return [
        process
        for process in psutil.process_iter()
        if process.pid != os.getpid() and _environment(process).get(JOB_VARIABLE) == job
    ]


def end_all_of(job: str) -> bool:
    """Kill every process of a job; return whether none is left."""
    end = time.monotonic() + GONE_SECONDS
    while running := [process for process in processes_of(job) if mark_of(process.pid)]:
        for process in running:
            with contextlib.suppress(psutil.Error):
                process.kill()
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def _tree(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.Error:
        return []


def _environment(process: psutil.Process) -> dict[str, str]:
    try:
        found: dict[str, str] = process.environ()
    except (psutil.Error, OSError):
        return {}  # somebody else's, or gone
    return found


def _boot() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _short(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]
