"""What a job can do, by name. Each task has a module of its own, imported when it is asked for."""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from resvae_core.access.roles import Permission
from resvae_core.errors import CatalogError, ConfigError
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.record import Lane

TASKS_VARIABLE = "RESVAE_TASKS"
"""Environment variable with further tasks: ``package.module:NAME``, separated by commas."""
MODULES = {
    "attribute_cohort": "resvae_core.jobs.task_attribution:ATTRIBUTE",
    "train": "resvae_core.jobs.task_training:TRAIN",
    "evidence": "resvae_core.jobs.task_evidence:EVIDENCE",
    "drift": "resvae_core.jobs.task_drift:DRIFT",
    "score": "resvae_core.jobs.task_scoring:SCORE",
    "fetch": "resvae_core.jobs.task_fetch:FETCH",
    "verify-data": "resvae_core.jobs.task_fetch:VERIFY",
    "remove-data": "resvae_core.jobs.task_fetch:REMOVE",
}


def accept_all(arguments: Mapping[str, Any]) -> None:
    """Check nothing: for tasks whose arguments cannot be wrong."""


@dataclass(frozen=True)
class Task:
    """A kind of work.

    Parameters
    ----------
    name
        Key in `TASKS`.
    title
        For people, or a function that makes it from the arguments. It is shown to everybody: no
        patients, no file names.
    run
        Does it, in a process of its own, and returns a small JSON document. It may be killed at
        any moment and is then called again with the same folder. A `JobInterruptedError` that it
        raises leaves the job interrupted until somebody resumes it.
    permission
        What somebody must be allowed to do to start, cancel, resume or forget it.
    lane
        The queue it waits in; each machine works on one job of a lane at a time, and on one
        training a device.
    resumable
        Whether a run goes on from what an earlier one left in the folder, rather than from the
        start.
    check
        Raises a `ResVAEError` where the arguments are wrong, before anything is queued.
    """

    name: str
    title: Callable[[dict[str, Any]], str] | str
    run: Callable[[JobContext], dict[str, Any]]
    permission: Permission
    lane: Lane
    resumable: bool = True
    check: Callable[[dict[str, Any]], None] = accept_all

    def title_of(self, arguments: Mapping[str, Any]) -> str:
        """Return what a job with these arguments is called."""
        return self.title if isinstance(self.title, str) else self.title(dict(arguments))


class _Tasks(Mapping[str, Task]):
    """Tasks by name; a module is imported when one of its tasks is read."""

    def __getitem__(self, name: str) -> Task:
        place = _places().get(name)
        if place is None:
            raise CatalogError(
                f"There is no task {name!r}.", remedy=f"Known: {', '.join(sorted(_places()))}."
            )
        module, _, attribute = place.partition(":")
        task = getattr(importlib.import_module(module), attribute)
        if not isinstance(task, Task):
            raise ConfigError(
                f"{place} is no task.", remedy=f"Correct {TASKS_VARIABLE}: package.module:NAME."
            )
        return task

    def __iter__(self) -> Iterator[str]:
        return iter(_places())

    def __len__(self) -> int:
        return len(_places())


def _places() -> dict[str, str]:
    """Return where each task is defined: ``module:NAME`` by name."""
    further = filter(None, os.environ.get(TASKS_VARIABLE, "").split(","))
    return MODULES | {place.partition(":")[2].lower(): place for place in further}


TASKS: Mapping[str, Task] = _Tasks()
"""Every task. An unknown name raises a `CatalogError` that lists those there are."""
