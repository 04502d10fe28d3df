"""A job: a named task in a process of its own, with progress, cancellation and a table as result.

The process is a fresh interpreter, not a fork: a dashboard's threads and its script are no part of
it. Arguments are names alone (cohort, drug, model), never a patient's values; what it writes lies
in a folder of its own. Process and folder go away with the job: when it is forgotten, collected, or
the program that started it ends.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Self

import pandas as pd

from resvae_core.config import PROJECT_ROOT
from resvae_core.errors import JobError

State = Literal["running", "done", "failed", "cancelled"]

PROGRESS_FILE, RESULT_FILE, ERROR_FILE = "progress.json", "result.parquet", "error.json"
RESTART = "Start it again."


@dataclass
class Job:
    """One run of a task of `resvae_core.jobs.tasks`.

    Parameters
    ----------
    task
        Its name.
    process
        The interpreter that works on it.
    folder
        Where progress and result are written.
    """

    task: str
    process: subprocess.Popen[bytes]
    folder: Path
    _cancelled: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self._end = weakref.finalize(self, _end, self.process, self.folder)

    @classmethod
    def start(cls, task: str, arguments: Mapping[str, str]) -> Self:
        """Start a task in a new process.

        Parameters
        ----------
        task
            Name of the task.
        arguments
            Its arguments by name.
        """
        folder = Path(tempfile.mkdtemp(prefix="resvae-job-"))
        command = [
            *(sys.executable, "-m", "resvae_core.jobs.worker"),
            *(task, json.dumps(dict(arguments)), str(folder)),
        ]
        process = subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return cls(task, process, folder)

    @property
    def state(self) -> State:
        """Whether it runs, is done, failed or was cancelled."""
        if self._cancelled:
            return "cancelled"
        code = self.process.poll()
        if code is None:
            return "running"
        return "done" if code == 0 and (self.folder / RESULT_FILE).is_file() else "failed"

    def progress(self) -> tuple[int, int]:
        """Return steps done and steps in total; (0, 0) before the first."""
        try:
            document = json.loads((self.folder / PROGRESS_FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return 0, 0
        return int(document["done"]), int(document["total"])

    def result(self) -> pd.DataFrame:
        """Return the table that the task made.

        Raises
        ------
        JobError
            If it is not done: still running, cancelled, stopped from outside, or failed, then with
            what the task said.
        """
        if self.state == "done":
            return pd.read_parquet(self.folder / RESULT_FILE)
        if self.state == "failed":
            raise self._failure()
        raise JobError(f"The job {self.task!r} is {self.state}; it has no result.", remedy=RESTART)

    def cancel(self) -> None:
        """Stop it, if it runs, and drop what it wrote."""
        self._cancelled = self.process.poll() is None
        self.forget()

    def forget(self) -> None:
        """Remove what it wrote; what still runs is stopped."""
        self._end()

    def _failure(self) -> JobError:
        try:
            document = json.loads((self.folder / ERROR_FILE).read_text(encoding="utf-8"))
            return JobError(document["message"], remedy=document["remedy"])
        except (OSError, ValueError, KeyError):
            code = self.process.returncode
            return JobError(
                f"The job {self.task!r} ended early (exit code {code}).", remedy=RESTART
            )


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    """Stop a process, if it runs, and remove its folder."""
    if process.poll() is None:
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)
