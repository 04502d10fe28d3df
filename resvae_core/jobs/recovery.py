"""Jobs whose worker is gone: found, taken from it, and queued again.

A worker of this host is gone when its process does not run, and one that shares a SQLite file with
us when the machine was started anew since. Any other worker is gone when its heartbeat does not
change for `LEASE_SECONDS` on the clock of whoever watches, so clocks that differ and a database
that was away do no harm.
"""

from __future__ import annotations

import time

from resvae_core.errors import ConfigError
from resvae_core.jobs import processes, store
from resvae_core.jobs.launch import start_missing_workers
from resvae_core.settings import load_settings

LEASE_SECONDS = 30.0
RECOVER_SECONDS = 2.0
"""A process looks for lost jobs at most this often."""
WATCH_SECONDS = 0.5
"""How often `watch` looks."""

_seen: dict[str, tuple[float, float]] = {}
_last = [-RECOVER_SECONDS]


def recover_if_due() -> None:
    """Do what `recover` does, unless this process did so a moment ago."""
    now = time.monotonic()
    if now - _last[0] >= RECOVER_SECONDS:
        _last[0] = now
        recover()


def recover() -> None:
    """Take jobs from dead workers, queue again what may go on, and start workers for the queue."""
    take_from_the_dead()
    start_missing_workers()


def take_from_the_dead() -> None:
    """Mark the jobs of dead workers as interrupted, and queue again what may go on by itself."""
    for job in store.running():
        # looked at a while ago: somebody else may have taken it meanwhile, and the next have begun
        if not _is_lost(job) or not store.is_current(job.id, job.token):
            continue
        # nothing of the lost attempt may still write when the next one starts
        here = job.worker.host == processes.host()
        if here and not processes.end_all_of(job.id, job.attempt):
            continue
        _seen.pop(job.id, None)
        store.interrupt(job.id, job.token, "Its worker ended.", resume=may_resume())


def is_elsewhere(job_id: str) -> bool:
    """Tell whether a job runs by a worker whose process cannot be looked at from here."""
    return any(job.id == job_id and job.worker.host != processes.host() for job in store.running())


def watch(job_id: str) -> None:
    """Wait until it is known whether a running job's worker lives; recover what is lost.

    It lives when its heartbeat changes. `LEASE_SECONDS` at most, and a moment.
    """
    first: float | None = None
    end = time.monotonic() + LEASE_SECONDS + RECOVER_SECONDS
    while time.monotonic() < end:
        recover()
        beats = [job.heartbeat_at for job in store.running() if job.id == job_id]
        first = beats[0] if beats and first is None else first
        if beats != [first]:
            return
        time.sleep(WATCH_SECONDS)


def may_resume() -> bool:
    """Tell whether interrupted jobs go on by themselves; not where settings cannot be read."""
    try:
        return load_settings().resume_automatically
    except ConfigError:
        return False


def _is_lost(job: store.Running) -> bool:
    if job.worker.host == processes.host():
        return processes.mark_of(job.worker.pid) != job.worker.mark
    # The write-ahead log of SQLite is shared memory: whoever uses the file runs under this kernel,
    # so a worker of another boot can only be one of an earlier boot. PostgreSQL may be used from
    # anywhere, also by a copy of this machine that has its id.
    if store.is_local() and processes.is_before_boot(job.worker.host):
        return True
    now = time.monotonic()
    heartbeat, since = _seen.get(job.id, (None, now))
    if heartbeat != job.heartbeat_at:
        _seen[job.id] = (job.heartbeat_at, now)
        return False
    return now - since >= LEASE_SECONDS
