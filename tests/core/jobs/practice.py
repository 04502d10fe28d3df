"""Tasks for tests: small real work in parts, and every way to go wrong."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from resvae_core.errors import EngineError, InputDataError, JobInterruptedError
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.tasks import Task

NAMES = ("PARTS", "TRAIN_PARTS", "MISBEHAVE", "CRASH", "LOSE_ENGINE", "GIVE_UP")
VARIABLE = ",".join(f"tests.core.jobs.practice:{name}" for name in NAMES)
"""What RESVAE_TASKS must be."""


def write_parts(context: JobContext) -> dict[str, Any]:
    """Write numbered parts, one after the other, each once; then join them."""
    parts, seconds = int(context.arguments["parts"]), float(context.arguments["seconds"])
    context.describe(seed=7, data_digests={"numbers": "ab" * 32})
    for number in range(parts):
        path = context.folder / f"part-{number:04d}.txt"
        if not path.is_file():
            time.sleep(seconds)
            staged = path.with_suffix(".partial")
            staged.write_text(f"{number}\n")
            staged.replace(path)
            context.log(f"Part {number} by attempt {context.attempt}.")
        context.report(
            step="Writing",
            done=number + 1,
            total=parts,
            epoch=number,
            metrics={"loss": 1 / (number + 1)},
        )
    text = "".join(path.read_text() for path in sorted(context.folder.glob("part-*.txt")))
    (context.folder / "all.txt").write_text(text)
    return {"file": "all.txt", "rows": parts}


def misbehave(context: JobContext) -> dict[str, Any]:
    """Do what the argument says."""
    how = str(context.arguments["how"])
    if how == "user error":
        raise InputDataError("There is nothing to read.", remedy="Bring something.")
    if how == "odd text":
        odd = "nothing\x00 to\ud800 read\x1b"
        context.log(odd)
        context.report(step=odd, epoch=1, metrics={odd: 1.0}, series=odd * 30)
        raise InputDataError(odd, remedy=odd)
    if how == "value error":
        raise ValueError("TP53 of patient Smith is 3.14159")
    if how == "exit":
        os._exit(3)
    if how == "segfault":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "memory":
        held = bytearray(300_000_000)
        time.sleep(30)
        return {"held": len(held)}
    if how == "disk":
        (context.folder / "large.bin").write_bytes(bytes(3_000_000))
        time.sleep(30)
    if how == "chatter":
        os.write(1, b"to a standard output that nobody reads\n" * 10_000)
        return {}
    if how == "deaf":
        _start_relatives(context)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(60)
    raise AssertionError(how)


def _start_relatives(context: JobContext) -> None:
    """Start a child with a child of its own that left the session."""
    sleeper = "import time; time.sleep(60)"
    start = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {sleeper!r}], start_new_session=True)\n"
        "time.sleep(60)"
    )
    subprocess.Popen([sys.executable, "-c", start])
    time.sleep(0.3)
    context.report(step="Deaf")


def _parts_title(arguments: dict[str, Any]) -> str:
    return f"Write {arguments['parts']} parts"


def crash(context: JobContext) -> dict[str, Any]:
    """Die without a word."""
    os._exit(1)


def lose_engine(context: JobContext) -> dict[str, Any]:
    """Find that nobody is there to compute."""
    raise EngineError("The workers are gone.", remedy="Start them.")


def give_up(context: JobContext) -> dict[str, Any]:
    """Stop for a reason of its own."""
    raise JobInterruptedError("The budget is spent.", remedy="Give it more.")


PARTS = Task("parts", _parts_title, write_parts, "score", "scoring")
TRAIN_PARTS = Task("train_parts", _parts_title, write_parts, "train", "training")
MISBEHAVE = Task("misbehave", "Go wrong", misbehave, "score", "scoring", resumable=False)
CRASH = Task("crash", "Crash", crash, "score", "scoring")
LOSE_ENGINE = Task("lose_engine", "Lose the engine", lose_engine, "score", "scoring")
GIVE_UP = Task("give_up", "Give up", give_up, "score", "scoring")
