"""A real Dask cluster on loopback: a scheduler and workers, each a process of the command line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from resvae_core.config import PROJECT_ROOT
from resvae_core.engine.cluster import RemoteWorkers


@dataclass
class Cluster:
    """Processes on loopback."""

    address: str
    folder: Path
    scheduler: subprocess.Popen[bytes]
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(self, *options: str, root: Path = PROJECT_ROOT) -> subprocess.Popen[bytes]:
        """Start a worker that finds the program in a folder."""
        process = _dask(
            *("worker", self.address, "--no-nanny", "--no-dashboard", "--host", "127.0.0.1"),
            *("--local-directory", str(self.folder / "scratch")),
            *("--death-timeout", "10"),
            *(options or ("--nthreads", "1")),
            root=root,
        )
        self.workers.append(process)
        return process

    def wait_for_workers(self, n_workers: int) -> None:
        """Wait until there are so many workers."""
        workers = RemoteWorkers(self.address)
        try:
            workers.connect(1).wait_for_workers(n_workers, timeout=60)
        finally:
            workers.close()


@contextmanager
def cluster(folder: Path, n_workers: int = 2) -> Iterator[Cluster]:
    """Run a scheduler and workers as long as a ``with`` block."""
    port = _free_port()
    scheduler = _dask(
        *("scheduler", "--host", "127.0.0.1", "--port", str(port), "--no-dashboard"),
        root=PROJECT_ROOT,
    )
    started = Cluster(f"tcp://127.0.0.1:{port}", folder, scheduler)
    try:
        _wait_for(port)
        for _ in range(n_workers):
            started.add_worker()
        yield started
    finally:
        for process in (*started.workers, scheduler):
            end(process)


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and wait for its end."""
    if process.poll() is None:
        process.send_signal(signal.SIGKILL)
    process.wait()


def _dask(*arguments: str, root: Path) -> subprocess.Popen[bytes]:
    environment: dict[str, str] = {
        **os.environ,
        "PYTHONPATH": f"{root}{os.pathsep}{PROJECT_ROOT}",
        "OMP_NUM_THREADS": "1",
        "DASK_DISTRIBUTED__SCHEDULER__EVENTS_CLEANUP_DELAY": "100ms",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "dask", *arguments],
        cwd=root,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_for(port: int, seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError("the scheduler did not start")


def wait_until_gone(processes: Sequence[int], seconds: float = 10) -> list[int]:
    """Return which processes are still there after some time at most."""
    deadline = time.monotonic() + seconds
    left = list(processes)
    while left and time.monotonic() < deadline:
        left = [process for process in left if _is_running(process)]
        time.sleep(0.05)
    return left


def _is_running(process: int) -> bool:
    import psutil

    try:
        return bool(psutil.Process(process).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
