"""A worker: ``python -m resvae_core.jobs.worker LANE [DEVICE]``.

It takes the jobs of one lane one after the other, runs each in a process of its own, and ends when
there was nothing to do for a while. It goes after other programs: pages stay quick beside it.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError

from resvae_core.compute import choose_device
from resvae_core.config import state_folder
from resvae_core.database import is_unreachable
from resvae_core.errors import ConfigError, DeviceError
from resvae_core.jobs import processes, recovery, store
from resvae_core.jobs.launch import lock_name
from resvae_core.jobs.locks import try_lock
from resvae_core.jobs.record import LANES, Lane
from resvae_core.jobs.supervisor import Supervisor

IDLE_SECONDS = 20.0
POLL_SECONDS = 0.25
RETRY_SECONDS = 1.0
AUTO = "auto"


class Worker:
    """Works on the jobs of a lane, until there are none for a while or it is told to end.

    Parameters
    ----------
    lane
        The queue.
    device
        For trainings: what they compute on; ``auto`` is the best device of this machine.
    idle_seconds
        It ends after so long without a job; None: never.
    """

    def __init__(self, lane: Lane, device: str = "", *, idle_seconds: float | None) -> None:
        self.lane = lane
        self._asked = (device or AUTO) if lane == "training" else ""
        self._idle_seconds = idle_seconds
        pid = os.getpid()
        self._self = store.Worker(processes.host(), pid, processes.mark_of(pid) or "")
        self._leaving = False

    def leave(self) -> None:
        """End soon; a job that runs is interrupted and goes on with the next worker."""
        self._leaving = True

    def run(self) -> bool:
        """Work. Return False at once if another worker of this machine has the lane."""
        while True:
            with try_lock(lock_name(self.lane, self._asked)) as free:
                if not free:
                    return False
                self._work()
            # somebody may have submitted a job just before the lock was let go
            if self._leaving or not self._is_waited_for():
                return True

    def _work(self) -> None:
        try:
            device, devices = self._devices()
        except DeviceError as error:
            store.fail_waiting(self.lane, self._asked, (error.message, error.remedy))
            return
        last = time.monotonic()
        while not self.is_leaving():
            with _patience():
                recovery.recover_if_due()
                if self._work_once(device, devices):
                    last = time.monotonic()
                    continue
            if self._idle_seconds is not None and time.monotonic() - last > self._idle_seconds:
                return
            time.sleep(POLL_SECONDS)

    def _work_once(self, device: str, devices: tuple[str, ...]) -> bool:
        """Run the next job, if there is one and its device is free."""
        with _device_lock(device) as free:
            if not free:
                return False
            held = store.claim(self.lane, self._self, devices=devices, device=device)
            if held is None:
                return False
            Supervisor(held, self.is_leaving).run()
            return True

    def is_leaving(self) -> bool:
        """Tell whether it was told to end, or its state folder is gone."""
        return self._leaving or not (state_folder() / "jobs" / "locks").is_dir()

    def _devices(self) -> tuple[str, tuple[str, ...]]:
        """Return the device of this worker, and which ones jobs may have asked for."""
        if not self._asked:
            return "", ()
        device = str(choose_device(self._asked))
        device = "cuda:0" if device == "cuda" else device
        return device, tuple({device, AUTO})

    def _is_waited_for(self) -> bool:
        return (self.lane, self._asked) in store.waiting()


@contextmanager
def _device_lock(device: str) -> Iterator[bool]:
    """Hold a device for one training; nothing to hold for other work."""
    if not device:
        yield True
        return
    with try_lock(f"device-{device.replace(':', '')}") as free:
        yield free


@contextmanager
def _patience() -> Iterator[None]:
    """Wait a moment where the database is away, rather than end; for nothing else."""
    try:
        yield
    except DBAPIError as error:
        if not is_unreachable(error):
            raise
        time.sleep(RETRY_SECONDS)
    except ConfigError as error:
        if not isinstance(error.__cause__, DBAPIError):  # not what `saying_when_away` raises
            raise
        time.sleep(RETRY_SECONDS)


def main(lane: str, device: str = "", *, idle_seconds: float | None = IDLE_SECONDS) -> bool:
    """Work on a lane in this process; see `Worker`.

    Raises
    ------
    ConfigError
        If there is no such lane.
    """
    if lane not in LANES:
        raise ConfigError(f"There is no lane {lane!r}.", remedy=f"Use one of: {', '.join(LANES)}.")
    worker = Worker(lane, device, idle_seconds=idle_seconds)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, frame: worker.leave())
    if hasattr(os, "nice"):
        os.nice(processes.NICENESS)
    processes.let_others_go_first()
    return worker.run()


if __name__ == "__main__":
    main(*sys.argv[1:3])
