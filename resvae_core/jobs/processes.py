"""Processes of this machine: which one is meant, whether it lives, and how to end all of a job's.

Numbers of processes are used again; a process is named by its number together with the moment it
started. What an attempt of a job starts, and whatever that starts, inherits an environment variable
that names both, so that all of it is found even where its parents are gone.
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

NICENESS = 10
AUTOGROUP = Path("/proc/self/autogroup")
JOB_VARIABLE = "RESVAE_JOB"
"""Names job and attempt, as ``0123456789ab.2``, in the environment of every process of theirs."""
GONE_SECONDS = 5.0
MACHINE_IDS = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
"""The first of them that is there and not empty outlives reboots."""
PART = 10
"""Hexadecimal digits of each part of a host's name; the column of the table holds 32 characters."""
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
PROCESS_NAMESPACE = Path("/proc/self/ns/pid")


@lru_cache(maxsize=1)
def host() -> str:
    """Return a name for what this process can see of processes: a machine, or a container.

    It has three parts: the computer, its boot (empty where the system gives boots no id), and what
    is seen of it.
    """
    try:
        namespace = str(PROCESS_NAMESPACE.readlink())
    except OSError:
        namespace = ""
    name, boot = socket.gethostname(), _boot()
    parts = _short(_machine_id() or name), boot and _short(boot), _short(name, namespace)
    return "-".join(part[:PART] for part in parts)


def is_before_boot(name: str) -> bool:
    """Tell whether a host's name is of this computer, but of another boot than the present one.

    That alone does not say that its processes are gone. The id of a machine is no proof of one:
    images of containers and of virtual machines are copied with it, so two machines that run at
    the same time may have the same. Ask only where nobody outside this kernel can be meant.
    Containers of one machine share its boot, so one is never taken for an earlier boot of another.
    """
    ours, theirs = host().split("-"), name.split("-")
    if len(theirs) != len(ours) or not (ours[1] and theirs[1]):
        return False  # written by an earlier version, or a system without ids of boots
    return theirs[0] == ours[0] and theirs[1] != ours[1]


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


def label(job: str, attempt: int) -> dict[str, str]:
    """Return what the environment of a process must hold that belongs to an attempt of a job."""
    return {JOB_VARIABLE: f"{job}.{attempt}"}


def processes_of(job: str, up_to: int | None = None) -> list[psutil.Process]:
    """Return the processes that belong to a job, this one left out.

    Parameters
    ----------
    job
        Its id.
    up_to
        Only those of this attempt and of earlier ones; None: of all.
    """
    found = []
    for process in psutil.process_iter():
        named, _, attempt = _environment(process).get(JOB_VARIABLE, "").partition(".")
        if named != job or process.pid == os.getpid():
            continue
        if up_to is None or not attempt.isdecimal() or int(attempt) <= up_to:
            found.append(process)
    return found


def end_all_of(job: str, up_to: int | None = None) -> bool:
    """Kill the processes that `processes_of` returns; return whether none is left."""
    end = time.monotonic() + GONE_SECONDS
    while running := [found for found in processes_of(job, up_to) if mark_of(found.pid)]:
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


def _machine_id() -> str:
    for path in MACHINE_IDS:
        with contextlib.suppress(OSError):
            if named := path.read_text().strip():
                return named
    return ""


def _boot() -> str:
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""


def _short(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:16]


def let_others_go_first() -> None:
    """Have the session that this process leads wait for other programs of the machine.

    Linux shares the processor between sessions first (sched(7), "The autogroup feature"), so that
    niceness of its own says nothing beside a web server in another session. Where this process
    leads no session, it is somebody's terminal: left as it is.
    """
    if not hasattr(os, "getsid") or os.getsid(0) != os.getpid():
        return
    with contextlib.suppress(OSError):  # another system, or a kernel without it
        AUTOGROUP.write_text(str(NICENESS))
