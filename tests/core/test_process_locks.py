"""Locks exclude other processes, and die with the one that holds them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from resvae_core.errors import BusyError
from resvae_core.process_locks import only_one, try_lock

HOLD = (
    "import sys, pathlib\n"
    "from resvae_core.process_locks import only_one\n"
    "with only_one(pathlib.Path(sys.argv[1]), what='hold'):\n"
    "    print('held', flush=True)\n"
    "    sys.stdin.read()\n"
)


def test_a_lock_excludes_others_and_is_free_when_its_process_was_killed(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    command = [sys.executable, "-c", HOLD, str(lock)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with try_lock(lock) as free:
            assert not free
        second = only_one(lock, what="score", wait_seconds=0.1)
        with pytest.raises(BusyError, match="Somebody else is about to score") as raised:
            second.__enter__()
        assert "Wait until" in raised.value.remedy
        holder.kill()
        holder.wait()
    with only_one(lock, what="score", wait_seconds=5), try_lock(lock) as free:
        assert not free


def test_a_lock_that_cannot_be_opened_is_the_callers_to_explain(tmp_path: Path) -> None:
    lock = only_one(tmp_path, what="score")
    with pytest.raises(IsADirectoryError):
        lock.__enter__()
