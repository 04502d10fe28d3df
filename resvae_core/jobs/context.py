"""What a task sees of its job: arguments, a folder, and somebody to tell how far it is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from resvae_core.errors import JobCancelledError
from resvae_core.jobs.lines import one_line

if TYPE_CHECKING:
    from resvae_core.engine.engine import Engine

REPORT_SECONDS = 0.2
"""Progress is told at most this often, unless the step changes or ends."""
MAIN_GB = 1.0
"""Memory that a task's own process keeps where it shares a job's with worker processes."""


class JobContext:
    """The task's side of a job.

    Parameters
    ----------
    id
        Of the job.
    arguments
        What the task was given.
    folder
        Kept from attempt to attempt; results go here.
    actor_name
        Who asked for it.
    attempt
        1 for the first run, more after an interruption.
    memory_gb
        What its processes may use together; None where nobody watches.
    send
        Takes what is reported, as small JSON documents.
    """

    def __init__(
        self,
        id: str,
        arguments: Mapping[str, Any],
        folder: Path,
        *,
        actor_name: str = "",
        attempt: int = 1,
        memory_gb: float | None = None,
        send: Callable[[dict[str, Any]], None],
    ) -> None:
        self.id = id
        self.arguments = dict(arguments)
        self.folder = folder
        self.actor_name = actor_name
        self.attempt = attempt
        self.memory_gb = memory_gb
        self.sent: list[dict[str, Any]] = []
        self._send = send
        self._stop = threading.Event()
        self._step, self._done, self._total = "", 0, 0
        self._told = -REPORT_SECONDS

    @classmethod
    def alone(cls, folder: Path, arguments: Mapping[str, Any], *, id: str = "0" * 12) -> Self:
        """Return a context without a job: what is reported is kept in `sent`."""
        sent: list[dict[str, Any]] = []
        context = cls(id, arguments, folder, send=sent.append)
        context.sent = sent
        return context

    def report(
        self,
        *,
        step: str | None = None,
        done: int | None = None,
        total: int | None = None,
        epoch: int | None = None,
        metrics: Mapping[str, float] | None = None,
        series: str = "",
    ) -> None:
        """Tell how far the task is; what is not given stays as it was.

        Parameters
        ----------
        step
            What it does now.
        done, total
            How much is done, of the step or of the whole: the expected time follows from it for as
            long as `total` stays the same.
        epoch, metrics
            The last ones; given together they are points of the job's curves, which are thinned
            when they are read (`store.CURVE_POINTS`).
        series
            Which curve the points belong to, for example ``vae_ld/0/3``.

        Raises
        ------
        JobCancelledError
            If the job is to stop.
        """
        self.check()
        before = self._step
        self._step = self._step if step is None else one_line(step)
        self._done = self._done if done is None else int(done)
        self._total = self._total if total is None else int(total)
        values = {name: float(value) for name, value in (metrics or {}).items()}
        if epoch is not None and values:
            self._send({"points": [[series, int(epoch), *item] for item in values.items()]})
        if self._step != before or self._done == self._total or values or self._is_due():
            self._tell(epoch, values)

    def log(self, text: str) -> None:
        """Add a line to the job's log. Never values or names of patients."""
        self._send({"log": one_line(text)})

    def describe(
        self,
        *,
        seed: int | None = None,
        data_digests: Mapping[str, str] | None = None,
        code_digest: str | None = None,
    ) -> None:
        """Record what makes the result reproducible."""
        given = {"seed": seed, "data_digests": data_digests, "code_digest": code_digest}
        known = {name: value for name, value in given.items() if value is not None}
        if data_digests is not None:
            known["data_digests"] = dict(data_digests)
        self._send({"describe": known})

    def check(self) -> None:
        """Stop here if the job is to stop.

        Raises
        ------
        JobCancelledError
            If it is.
        """
        if self._stop.is_set():
            raise JobCancelledError("The job was cancelled.", remedy="Start it again.")

    def stop(self) -> None:
        """Ask the task to stop at its next `check` or `report`."""
        self._stop.set()

    def engine(self, n_workers: int | None = None) -> AbstractContextManager[Engine]:
        """Open the engine of this installation's settings, in the job's folder and memory.

        Parameters
        ----------
        n_workers
            Worker processes of this machine; None: as the settings say.
        """
        from resvae_core.engine.engine import open_engine

        return open_engine(n_workers=n_workers, folder=self.folder, memory_gb=self._for_workers())

    def _for_workers(self) -> float | None:
        """Return the memory of all workers, in GB: what this process leaves, at least half."""
        if self.memory_gb is None:
            return None
        return max(self.memory_gb - MAIN_GB, self.memory_gb / 2)

    def _is_due(self) -> bool:
        return time.monotonic() - self._told >= REPORT_SECONDS

    def _tell(self, epoch: int | None, metrics: Mapping[str, float]) -> None:
        self._told = time.monotonic()
        progress: dict[str, Any] = {"step": self._step, "done": self._done, "total": self._total}
        if epoch is not None:
            progress["epoch"] = int(epoch)
        if metrics:
            progress["metrics"] = dict(metrics)
        self._send({"progress": progress})
