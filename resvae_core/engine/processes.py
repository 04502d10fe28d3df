"""Workers that are processes of this machine, each on a pipe of its own.

Not `concurrent.futures`: its workers live on when the program that started them is killed, and a
worker that is killed while it hands over a result leaves the rest waiting for ever. Here both ends
notice: a pipe whose other end has gone says so.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any

from resvae_core.engine.events import Event
from resvae_core.engine.work import FAILED, ONE_THREAD, answer, environment
from resvae_core.errors import EngineError

TASK, ITEM = "task", "item"
TELL = "tell"
EXIT_SECONDS = 5.0
"""What a worker that has nothing to do is given to end by itself."""


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    index: int = -1
    """The item that it computes; -1 where it waits."""

    def send(self, message: object) -> None:
        try:
            self.pipe.send(message)
        except (BrokenPipeError, ConnectionResetError) as error:
            raise _lost(self.process) from error

    def receive(self) -> tuple[str, Any]:
        try:
            kind, value = self.pipe.recv()
        except (EOFError, OSError) as error:
            raise _lost(self.process) from error
        return kind, value

    def kill(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


class ProcessEngine:
    """A pool of processes, started when there is work; see `engine.Engine`.

    A worker that is lost ends the computation with `EngineError`: the Dask engine goes on.

    Parameters
    ----------
    n_workers
        Processes, at most; at least 1.
    """

    name = "processes"

    def __init__(self, n_workers: int) -> None:
        self.n_workers = n_workers
        self._workers: list[_Worker] = []

    def map(
        self,
        function: Callable[..., Any],
        items: Sequence[Any],
        *,
        shared: object = None,
        on_event: Callable[[int, Event], None] | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """Yield index and result of each item, as they finish.

        Raises
        ------
        EngineError
            If a worker is lost.
        """
        queue = iter(enumerate(items))
        complete = False
        try:
            workers = self._start(min(self.n_workers, len(items)))
            for worker in workers:
                worker.send((TASK, (function, shared, on_event is not None)))
            busy = [worker for worker in workers if _give(worker, queue)]
            while busy:
                for worker in _ready(busy):
                    kind, value = worker.receive()
                    if kind == TELL:
                        if on_event:
                            on_event(worker.index, value)
                        continue
                    if kind == FAILED:
                        raise value
                    index = worker.index
                    if not _give(worker, queue):  # before the result is handed on: nobody idles
                        busy.remove(worker)
                    yield index, value
            complete = True
        finally:
            if not complete:
                self._kill()

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.pipe.close()  # what a worker that waits reads as the end
        for worker in self._workers:
            worker.process.join(EXIT_SECONDS)
        self._kill()

    def _start(self, n_workers: int) -> list[_Worker]:
        context = get_context("spawn")
        while len(self._workers) < n_workers:
            ours, theirs = context.Pipe()
            process = context.Process(target=_work, args=(theirs,), daemon=False)
            with environment(ONE_THREAD):
                process.start()
            theirs.close()  # or the end of a killed worker would not be noticed
            self._workers.append(_Worker(process, ours))
        return self._workers[:n_workers]

    def _kill(self) -> None:
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            worker.kill()
        self._workers = []


def _give(worker: _Worker, queue: Iterator[tuple[int, Any]]) -> bool:
    """Hand the next item to a worker; returns whether there was one."""
    for index, item in queue:
        worker.index = index
        worker.send((ITEM, item))
        return True
    worker.index = -1
    return False


def _ready(busy: Sequence[_Worker]) -> list[_Worker]:
    """Return the workers that have something to say; waits until there is one."""
    pipes = wait([worker.pipe for worker in busy])
    return [worker for worker in busy if worker.pipe in pipes]


def _lost(process: BaseProcess) -> EngineError:
    process.join(EXIT_SECONDS)
    return EngineError(
        f"A worker process ended in the middle of its work (exit code {process.exitcode}).",
        remedy="Start it again: what was finished is kept. If it happens again, the machine may "
        "be out of memory: use fewer workers.",
    )


def _work(pipe: Connection) -> None:
    """Compute what comes through a pipe until it is closed: what a worker process does."""
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # Ctrl-C is for the program, which ends its workers
    threading.Thread(target=_end_with_parent, daemon=True).start()
    function, shared, listens = _nothing, None, False
    try:
        while True:
            kind, value = pipe.recv()
            if kind == TASK:
                function, shared, listens = value
                continue
            tell = partial(_tell, pipe) if listens else None
            _send(pipe, answer(function, value, shared, tell))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return


def _nothing(item: object) -> None:
    """Stand where no function was given yet."""


def _tell(pipe: Connection, event: Event) -> None:
    pipe.send((TELL, event))


def _send(pipe: Connection, message: tuple[str, Any]) -> None:
    """Send a result or an error; one that cannot be sent is described."""
    try:
        pipe.send(message)
    except OSError:  # the pipe is gone
        raise
    except Exception as error:  # noqa: BLE001 - each type says in its own way that it cannot
        described = RuntimeError(f"{type(message[1]).__name__} cannot leave its process: {error}")
        pipe.send((FAILED, described))


def _end_with_parent() -> None:
    """End this process at once when the one that started it is gone."""
    parent = parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
