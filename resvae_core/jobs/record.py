"""A job as it stands in the database: what was asked, how far it is, what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

State = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
Lane = Literal["training", "scoring", "fetch"]

STATES: tuple[State, ...] = get_args(State)
LANES: tuple[Lane, ...] = get_args(Lane)
FINISHED: frozenset[State] = frozenset({"done", "failed", "cancelled", "interrupted"})
"""States in which no process works on a job and none will without being asked."""


@dataclass(frozen=True)
class Limits:
    """What one attempt of a job may use; each is above 0.

    Parameters
    ----------
    hours
        Time on the clock.
    memory_gb
        Resident memory of its processes together, in GB (10⁹ bytes).
    disk_gb
        Size of its folder, in GB.
    """

    hours: float
    memory_gb: float
    disk_gb: float

    @property
    def words(self) -> str:
        """The limits for people."""
        return f"{self.hours:g} h, {self.memory_gb:g} GB of memory, {self.disk_gb:g} GB of disk"


@dataclass(frozen=True)
class LogLine:
    """One line of a job's log.

    Parameters
    ----------
    n
        Its number; later lines have larger ones.
    time
        When it was written (UTC).
    text
        One line, without values or names of patients.
    """

    n: int
    time: datetime
    text: str


@dataclass(frozen=True)
class JobRecord:
    """One job.

    Parameters
    ----------
    id
        12 hexadecimal digits.
    task, arguments
        Name of a task in `resvae_core.jobs.tasks.TASKS` and what it was given.
    title
        The same for people.
    state, lane
        Where it stands, and in which queue.
    device
        What a training computes on; ``auto`` until a worker has it, empty for other work.
    step, done, total
        What it does now, and how much of that is done; `total` is 0 where that is not known.
    epoch, metrics
        The last ones that were reported.
    eta_seconds
        Expected time until the current step is done; None where there is nothing to go by.
    seed, code_digest, data_digests
        What makes the result reproducible: SHA-256 of the program's sources and of each data set.
    submitted_by
        Name of the account.
    submitted_at, started_at, finished_at, heartbeat_at
        UTC; `started_at` of the current attempt.
    attempt
        How many times it was started.
    error
        Message and remedy of a job that failed or was interrupted.
    result
        Small JSON document of a job that is done; tables lie in its folder.
    limits
        What an attempt may use.
    position
        Place in the queue, 1 is next; None unless queued.
    """

    id: str
    task: str
    title: str
    arguments: dict[str, Any]
    state: State
    lane: Lane
    device: str
    step: str
    done: int
    total: int
    epoch: int | None
    metrics: dict[str, float]
    eta_seconds: float | None
    seed: int | None
    code_digest: str
    data_digests: dict[str, str]
    submitted_by: str
    submitted_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    heartbeat_at: datetime | None
    attempt: int
    error: tuple[str, str] | None
    result: dict[str, Any]
    limits: Limits
    position: int | None

    @property
    def fraction(self) -> float | None:
        """Share of the current step that is done, 0 to 1; None where the total is not known."""
        return min(self.done / self.total, 1.0) if self.total else None
