"""The process that runs a task: ``python -m resvae_core.jobs.child``, started by a worker.

It reads what to do from its standard input and writes what the task reports, as lines of JSON, to
what was its standard output. It ends, with everything that it started, when its worker does: its
standard input then ends.
"""

from __future__ import annotations

import json
import os
import secrets
import signal
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from resvae_core.errors import EngineError, JobCancelledError, JobInterruptedError, ResVAEError
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.processes import end_all_of, let_others_go_first
from resvae_core.jobs.sources import code_digest
from resvae_core.jobs.tasks import TASKS

REPORT = "Resume it; if it fails again, report the reference and the lines of the log."


def main() -> int:
    """Run the task that the standard input names; return the exit code."""
    let_others_go_first()
    work = json.loads(sys.stdin.readline())
    send = _sender(_private_output())
    this = work["id"], work["attempt"]
    threading.Thread(target=_end_with_worker, args=this, daemon=True).start()
    context = JobContext(
        work["id"],
        work["arguments"],
        Path(work["folder"]),
        actor_name=work["actor_name"],
        attempt=work["attempt"],
        memory_gb=work["memory_gb"],
        send=send,
    )
    signal.signal(signal.SIGTERM, lambda number, frame: context.stop())
    context.describe(code_digest=code_digest())
    try:
        send({"outcome": {"result": TASKS[work["task"]].run(context)}})
    except JobCancelledError:
        send({"outcome": {"cancelled": True}})
    except EngineError as error:
        send({"outcome": {"lost": error.message}})
    except JobInterruptedError as error:
        send({"outcome": {"interrupted": [error.message, error.remedy]}})
    except ResVAEError as error:
        send({"outcome": {"error": [error.message, error.remedy]}})
    except Exception as error:  # noqa: BLE001 - whatever a task raises becomes the job's error
        _tell_failure(send, error)
    return 0


def _tell_failure(send: Callable[[dict[str, Any]], None], error: Exception) -> None:
    """Say what kind of error it was and where, not its text: that may hold a patient's values."""
    reference, kind = secrets.token_hex(4), type(error).__name__
    send({"log": f"{kind}, reference {reference}:"})
    for frame in traceback.extract_tb(error.__traceback__):
        send({"log": f"at {Path(frame.filename).name}:{frame.lineno} in {frame.name}"})
    message = f"The job failed ({kind}, reference {reference})."
    send({"outcome": {"error": [message, REPORT]}})


def _private_output() -> IO[bytes]:
    """Keep the way to the worker for this process alone; what others print goes nowhere."""
    private = os.dup(sys.stdout.fileno())
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
    return os.fdopen(private, "wb")


def _sender(stream: IO[bytes]) -> Callable[[dict[str, Any]], None]:
    lock = threading.Lock()

    def send(document: dict[str, Any]) -> None:
        line = json.dumps(document).encode() + b"\n"
        with lock:
            stream.write(line)
            stream.flush()

    return send


def _end_with_worker(job: str, attempt: int) -> None:
    """Wait until the worker is gone, then end this process and all that it started."""
    # the descriptor, not the stream: a thread that holds its lock would hang the interpreter's end
    while os.read(0, 1):
        pass
    end_all_of(job, attempt)
    if hasattr(os, "killpg"):
        os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)


if __name__ == "__main__":
    # all is written and told: taking libraries down would only take seconds
    os._exit(main())
