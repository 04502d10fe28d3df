"""Locks of jobs and workers, each of this machine and this state folder."""

from __future__ import annotations

from contextlib import AbstractContextManager

from resvae_core import process_locks
from resvae_core.config import state_folder
from resvae_core.jobs.processes import machine


def try_lock(name: str) -> AbstractContextManager[bool]:
    """Return what holds a lock inside a ``with`` block, if nobody else does.

    Parameters
    ----------
    name
        Letters, digits and ``-``. The lock is of this machine and this state folder.

    Returns
    -------
    AbstractContextManager[bool]
        Gives whether this process holds it now.
    """
    folder = state_folder() / "jobs" / "locks"
    folder.mkdir(parents=True, exist_ok=True)
    return process_locks.try_lock(folder / f"{name}-{machine()}.lock")
