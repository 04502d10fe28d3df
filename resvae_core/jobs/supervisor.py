"""One attempt of a job: its process is started, watched, stopped when it must be, and judged."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar

from sqlalchemy.exc import DBAPIError

from resvae_core.access.audit import as_subject, record
from resvae_core.access.roles import Actor
from resvae_core.compute import DEVICE_VARIABLE
from resvae_core.config import PROJECT_ROOT, state_folder
from resvae_core.database import is_unreachable
from resvae_core.errors import AuditError, JobError
from resvae_core.jobs import launch, processes, store
from resvae_core.jobs.lease import Lease
from resvae_core.jobs.limits import Watch
from resvae_core.jobs.lines import one_line
from resvae_core.jobs.mailbox import Mailbox
from resvae_core.jobs.record import State
from resvae_core.jobs.recovery import may_resume

TICK_SECONDS = 0.05
POLL_SECONDS = 0.25
"""How often the database is asked whether the job is to be cancelled."""
WRITE_SECONDS = 0.5
HEARTBEAT_SECONDS = 1.0
GRACE_SECONDS = 0.7
"""Time for a task to stop by itself before it is killed."""
LEAVE_SECONDS = 10.0
"""Time for a process to end after its task did."""
RETRY_SECONDS = 0.5
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)

Result = TypeVar("Result")
Reason = Literal["cancel", "leave", "lost"]


class Supervisor:
    """Runs one attempt.

    Parameters
    ----------
    held
        The right to work on the job.
    is_leaving
        Tells whether the worker was asked to end.
    """

    def __init__(self, held: store.Claim, is_leaving: Callable[[], bool]) -> None:
        self._held, self._is_leaving = held, is_leaving
        self._folder = state_folder().absolute() / "jobs" / held.id
        self._last = store.News()  # what the task told and was not written while it ran
        self._reason: Reason | JobError | None = None
        self._poll = self._written = time.monotonic()

    def run(self) -> None:
        """Run the task to its end, and write down how it ended."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._child = _start(self._held, self._folder)
        except OSError as error:
            with contextlib.suppress(store.LostJobError):
                self._fail(*_refusal(error))
            return
        assert self._child.stdout is not None
        self._mailbox = Mailbox(self._child.stdout)
        self._watch = Watch(self._held.record.limits, self._child.pid, self._folder)
        try:
            with Lease(self._child.pid) as self._lease:
                self._wait()
        finally:
            self._end()
        with contextlib.suppress(store.LostJobError):
            self._conclude()

    def _wait(self) -> None:
        """Wait until the process ends, or until there is a reason to end it."""
        told: float | None = None
        while self._child.poll() is None and self._reason is None:
            time.sleep(TICK_SECONDS)
            now = time.monotonic()
            if self._is_leaving():
                self._reason = "leave"
            elif now >= self._poll:
                self._poll = now + POLL_SECONDS
                self._reason = self._ask(now) or self._watch.look()
            if self._mailbox.outcome is not None:
                told = told or now
                if now - told > LEAVE_SECONDS:
                    return

    def _ask(self, now: float) -> Reason | None:
        """Write what is new and a heartbeat, where due; return why the job must stop."""
        try:
            stop = self._write(now) if now - self._written >= WRITE_SECONDS else None
            stop = store.is_to_stop(self._held) if stop is None else stop
        except store.LostJobError:
            return "lost"
        except DBAPIError as error:
            if not is_unreachable(error):
                raise
            return None  # for how long, the lease knows
        return "cancel" if stop else None

    def _write(self, now: float) -> bool | None:
        news = self._mailbox.take()
        if not news and now - self._written < HEARTBEAT_SECONDS:
            return None
        began = time.monotonic()
        try:
            stop = store.keep(self._held, news)
        except DBAPIError:
            self._mailbox.put_back(news)
            raise
        self._written = now
        self._lease.renew(began)
        return stop

    def _end(self) -> None:
        """End every process of the job: politely first, if there is a reason to stop."""
        if self._child.poll() is None and self._reason is not None:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(GRACE_SECONDS)
        if hasattr(os, "killpg") and self._child.poll() is None:
            os.killpg(self._child.pid, signal.SIGKILL)
        processes.end_all_of(self._held.id, self._held.attempt)
        self._child.wait()
        self._mailbox.close(GRACE_SECONDS)
        self._last = self._mailbox.take()
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it ended before it had read all of it
            self._child.stdin.close()

    def _conclude(self) -> None:
        outcome = self._mailbox.outcome or {}
        if self._reason == "lost":
            return
        if "result" in outcome:
            self._finish("done", "Done.", result=outcome["result"])
        elif self._reason == "cancel":
            self._finish("cancelled", "Cancelled.")
        elif isinstance(self._reason, JobError):
            self._fail(self._reason.message, self._reason.remedy)
        elif "error" in outcome:
            self._fail(*outcome["error"])
        elif "interrupted" in outcome:
            # the task's own decision, for example because its budget is spent: not by itself again
            message, remedy = map(one_line, outcome["interrupted"])
            self._finish("interrupted", f"Interrupted: {message}", error=(message, remedy))
        else:
            self._interrupted(outcome.get("lost"))

    def _fail(self, message: str, remedy: str) -> None:
        error = one_line(message), one_line(remedy)
        self._finish("failed", f"Failed: {error[0]}", error=error)

    def _finish(
        self,
        state: State,
        line: str,
        *,
        result: Mapping[str, Any] | None = None,
        error: tuple[str, str] | None = None,
    ) -> None:
        news = self._last
        try:
            self._insist(lambda: self._record(state))
        except AuditError as refused:
            # the work is done all the same
            news.log.append((time.time(), refused.message))
        finish = partial(store.finish, self._held, state, line=one_line(line), news=news)
        self._insist(partial(finish, result=result, error=error))

    def _interrupted(self, lost: str | None) -> None:
        """Write that the task did not come to its end, and why; it may go on by itself."""
        if self._reason == "leave":
            why = "Its worker was stopped."
        elif lost is not None:
            why = one_line(lost)  # the workers of its engine
        else:
            why = f"Its process ended early ({_words(self._child.returncode)})."
        self._insist(lambda: store.keep(self._held, self._last))
        resume = may_resume()
        self._insist(lambda: store.interrupt(self._held.id, self._held.token, why, resume=resume))

    def _record(self, state: str) -> None:
        """Add to the audit trail how the job ended, in the name of whoever asked for it."""
        actor = Actor(self._held.record.submitted_by, "none", "job")
        subject = as_subject("job", f"{self._held.record.task}/{self._held.id}:{state}")
        try:
            record("job.finished", actor=actor, subject=subject)
        except AuditError as error:
            if isinstance(error.__cause__, DBAPIError):
                raise error.__cause__ from error
            raise

    def _insist(self, action: Callable[[], Result]) -> Result:
        """Do it, again and again while the database is away; not when the worker is to end."""
        while True:
            try:
                return action()
            except DBAPIError as error:
                if not is_unreachable(error) or self._is_leaving():
                    raise
            time.sleep(RETRY_SECONDS)


def _start(held: store.Claim, folder: Path) -> subprocess.Popen[bytes]:
    """Start the process of an attempt and tell it what to do."""
    environment = launch.environment() | processes.label(held.id, held.attempt)
    if held.record.device:
        environment[DEVICE_VARIABLE] = held.record.device
    child = subprocess.Popen(
        [sys.executable, "-m", "resvae_core.jobs.child"],
        cwd=PROJECT_ROOT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    work = {
        "id": held.id,
        "task": held.record.task,
        "arguments": held.record.arguments,
        "folder": str(folder),
        "actor_name": held.record.submitted_by,
        "attempt": held.attempt,
        "memory_gb": held.record.limits.memory_gb,
    }
    assert child.stdin is not None
    # it stays open: its end tells the child that this process is gone
    with contextlib.suppress(BrokenPipeError):  # it has ended already: seen by whoever waits for it
        child.stdin.write(json.dumps(work).encode() + b"\n")
        child.stdin.flush()
    return child


def _refusal(error: OSError) -> tuple[str, str]:
    """Return message and remedy for a job that could not even be started, without any path."""
    why = error.strerror or type(error).__name__
    remedy = (
        "Make room on the disk of the state folder, for example with `jobs forget`"
        if error.errno in NO_ROOM
        else "See that the worker may write to the state folder (RESVAE_STATE), and that its "
        "machine has memory and processes left"
    )
    return f"The job could not be started ({why}).", f"{remedy}; then resume it."


def _words(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    return signal.Signals(-code).name
