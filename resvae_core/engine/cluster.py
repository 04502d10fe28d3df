"""Dask: workers of this machine, started on demand, or a cluster that runs elsewhere.

A worker that dies costs the items that it had under way: they are computed again elsewhere. What is
shared travels as a task of the graph, so that it can be made again too. Workers write nothing that
counts: results come back as values.
"""

from __future__ import annotations

import logging
import os
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from itertools import islice
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any, Protocol

import psutil

from resvae_core.compute import DEVICE_VARIABLE
from resvae_core.config import state_folder
from resvae_core.engine.events import Event
from resvae_core.engine.remote import Call, Identity, Packet, hold, identity, refuse_others, run
from resvae_core.engine.work import DONE, ONE_THREAD, environment
from resvae_core.errors import EngineError

if TYPE_CHECKING:
    from distributed import Client, Future, LocalCluster

CONNECT_SECONDS = 10.0
"""What a scheduler is given to answer, and a cluster to show its first worker."""
CHECK_SECONDS = 2.0
"""Between two looks whether cluster and workers are there."""
PATIENCE_SECONDS = 60.0
"""Without any worker before a computation is given up."""
IN_FLIGHT = 2
"""Items under way for each worker: it need not wait for the next, and results do not pile up."""
GIGABYTE = 10**9
MINIMAL_GB = 1.0
"""Memory that a worker needs at least: where there is less, there are fewer workers."""

CONFIGURATION = {
    "distributed.admin.large-graph-warning-threshold": "100GB",  # what is shared travels in it
    "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS:g}s",
    "distributed.scheduler.allowed-failures": 5,
    "distributed.deploy.lost-worker-timeout": f"{PATIENCE_SECONDS:g}s",  # for its restart
    # one item at a time and nothing on disk: of the limits, the last alone counts
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": 0.95,
    # web pages about the workers: none
    "distributed.scheduler.http.routes": [],
    "distributed.worker.http.routes": [],
    "distributed.nanny.http.routes": [],
}
TELL, FINISHED = "tell", "finished"


class Workers(Protocol):
    """Where a client comes from."""

    def connect(self, n_items: int) -> Client:
        """Return a client with workers for so many items."""
        ...

    def revive(self) -> None:
        """See that lost workers are started anew, where that is this program's business."""
        ...

    def close(self) -> None:
        """End what `connect` started."""
        ...


class DaskEngine:
    """Items computed by Dask; see `engine.Engine`.

    Parameters
    ----------
    workers
        Of this machine, or of a cluster.
    n_workers
        Items at a time.
    expected
        What workers must have in common with this program; not asked where None.
    """

    name = "dask"

    def __init__(
        self, workers: Workers, n_workers: int, *, expected: Identity | None = None
    ) -> None:
        self.n_workers = n_workers
        self._workers = workers
        self._expected = expected
        self._inboxes: dict[str, Inbox] = {}

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
            If the scheduler is lost, all workers are, or an item ended several.
        """
        if not items:
            return
        client = self._workers.connect(len(items))
        watch = _Watch(self._workers, client)
        topic = str(client.id) if on_event else None
        work = _Run(client, function, enumerate(items), shared, topic, self._expected)
        try:
            if topic:
                self._inboxes[work.id] = work.inbox
                client.subscribe_topic(topic, self._hear)
            work.fill(IN_FLIGHT * self.n_workers)
            while work.futures:
                kind, index, value = watch.next(work.inbox)
                if kind == FINISHED:
                    result = _result(work.futures.pop(index), watch)
                    # before it is handed on: nobody idles; a cluster's workers come and go
                    work.fill(IN_FLIGHT * max(self.n_workers, watch.n_workers))
                    yield index, result
                elif on_event:
                    on_event(index, value)
        finally:
            work.end()
            self._inboxes.pop(work.id, None)

    def _hear(self, event: tuple[float, Any]) -> None:
        """Put what an item emitted into the inbox of its computation.

        The topic is the client's own, which the scheduler uses itself, and empties when the client
        has gone: one of another name would stay for as long as the scheduler runs.
        """
        match event[1]:
            case [computation, index, told] if computation in self._inboxes:
                self._inboxes[computation].put((TELL, index, told))

    def close(self) -> None:
        """Leave the cluster, or end the workers of this machine."""
        self._workers.close()


class LocalWorkers:
    """Worker processes of this machine, which listen to nobody but this program.

    They talk over loopback, encrypted with a key that lives in this process alone: nobody else on
    the machine can hand them code. They end with this process, even when it is killed.

    Parameters
    ----------
    n_workers
        At most.
    folder
        For temporary files.
    memory_gb
        Of all together; a worker that exceeds its share is started anew.
    """

    def __init__(self, n_workers: int, folder: Path, memory_gb: float) -> None:
        self.n_workers = n_workers
        self._folder = folder
        self._memory = int(memory_gb * GIGABYTE / n_workers)
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None

    def connect(self, n_items: int) -> Client:
        """Return a client; starts as many workers as there are items, if they may be so many."""
        from distributed import Client

        wanted = min(self.n_workers, n_items)
        if self._cluster is None:
            self._cluster = self._start(wanted)
            self._client = Client(self._cluster, set_as_default=False)
        elif wanted > len(self._cluster.worker_spec):
            self._cluster.scale(wanted)
        return self._client

    def revive(self) -> None:
        """Start workers in the place of those that even their nannies gave up.

        A nanny whose worker is killed before it has said that it runs ends with it.
        """
        from distributed import Status

        cluster = self._cluster
        if cluster is None:
            return
        ended = (Status.closed, Status.failed)
        for name, nanny in list(cluster.workers.items()):
            if nanny.status in ended:
                cluster.workers.pop(name, None)
        cluster.scale(len(cluster.worker_spec))

    def close(self) -> None:
        """End the workers, by force where they do not end when asked."""
        client, cluster = self._client, self._cluster
        self._client = self._cluster = None
        if client is not None:
            client.close()
        if cluster is None:
            return
        processes = [nanny.pid for nanny in cluster.workers.values() if nanny.pid]
        try:
            cluster.close()
        except (OSError, RuntimeError):  # not within its time
            for process in processes:
                with suppress(psutil.NoSuchProcess):
                    psutil.Process(process).kill()

    def _start(self, n_workers: int) -> LocalCluster:
        from distributed import LocalCluster

        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with environment(ONE_THREAD):
                return LocalCluster(
                    n_workers=n_workers,
                    threads_per_worker=1,
                    processes=True,
                    host="127.0.0.1",
                    security=True,
                    dashboard_address="127.0.0.1:0",  # none would be port 8787
                    scheduler_kwargs={"dashboard": False},
                    local_directory=str(self._folder),
                    memory_limit=self._memory,
                    silence_logs=logging.CRITICAL,
                    env=ONE_THREAD,
                )
        except (OSError, RuntimeError) as error:
            raise EngineError(
                f"Dask's workers could not be started ({type(error).__name__}: {error}).",
                remedy="Choose the engine 'processes', or fewer workers.",
            ) from error


class RemoteWorkers:
    """The workers of a cluster that is there already.

    Parameters
    ----------
    address
        Of its scheduler.
    """

    def __init__(self, address: str) -> None:
        from distributed import Client

        self._address = address
        try:
            self._client: Client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise EngineError(
                f"The Dask scheduler {address} did not answer within {CONNECT_SECONDS:g} seconds.",
                remedy="Start it (`dask scheduler`), correct RESVAE_SCHEDULER or the setting, or "
                "remove it: workers of this machine are used then.",
            ) from error

    def connect(self, n_items: int) -> Client:
        """Return the client."""
        if self._client.status != "running":
            raise _lost(self._address)
        return self._client

    def revive(self) -> None:
        """Do nothing: whoever runs the cluster looks after its workers."""

    def check(self, expected: Identity) -> int:
        """Return how many workers there are.

        Raises
        ------
        EngineError
            If there is none, or one has something else than what is expected.
        """
        try:
            self._client.wait_for_workers(1, timeout=CONNECT_SECONDS)
        except TimeoutError as error:
            raise EngineError(
                f"The Dask scheduler {self._address} has no workers.",
                remedy=f"Start some: `dask worker {self._address} --nthreads 1`.",
            ) from error
        answers = self._client.run(identity, on_error="return")
        for address, found in answers.items():
            refuse_others(str(address), found, expected)
        return len(answers)

    def close(self) -> None:
        """Leave the cluster as it is."""
        self._client.close()


def open_local(n_workers: int, folder: Path | None, memory_gb: float | None) -> DaskEngine:
    """Return an engine with workers of this machine, started when there is work.

    Parameters are those of `engine.open_engine`.
    """
    _configure()
    memory = memory_gb or 0.9 * psutil.virtual_memory().total / GIGABYTE
    count = max(1, min(n_workers, int(memory / MINIMAL_GB)))
    where = (folder or state_folder()) / "workers"
    return DaskEngine(LocalWorkers(count, where, memory), count)


def open_cluster(address: str) -> DaskEngine:
    """Return an engine on a cluster that is there already.

    Raises
    ------
    EngineError
        If it cannot be reached, has no workers, or workers with another program.
    """
    _configure()
    expected = identity()
    workers = RemoteWorkers(address)
    try:
        return DaskEngine(workers, workers.check(expected), expected=expected)
    except BaseException:
        workers.close()
        raise


Inbox = SimpleQueue[tuple[str, int, Any]]


def _configure() -> None:
    """Say to Dask what it does not find in its own configuration; its words are no user's."""
    import dask

    dask.config.set(CONFIGURATION)
    for name in ("distributed", "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _finished(inbox: Inbox, index: int, future: Future) -> None:
    inbox.put((FINISHED, index, None))


class _Run:
    """The items of one computation, and what is under way of them.

    Parameters
    ----------
    client, function, expected
        As everywhere here.
    items
        With their indices; taken when there is room.
    topic
        Where events go; nobody listens where None.
    """

    def __init__(
        self,
        client: Client,
        function: Callable[..., Any],
        items: Iterator[tuple[int, Any]],
        shared: object,
        topic: str | None,
        expected: Identity | None,
    ) -> None:
        self.inbox: Inbox = SimpleQueue()
        self.futures: dict[int, Future] = {}
        self._client = client
        self._function = function
        self._items = items
        self._expected = expected
        self.id = uuid.uuid4().hex[:12]
        self._topic = topic
        self._device = os.environ.get(DEVICE_VARIABLE)
        self._shared = self._submit(hold, Packet(shared), name="shared")

    def fill(self, room: int) -> None:
        """Hand over items until so many are under way."""
        for index, item in islice(self._items, max(0, room - len(self.futures))):
            call = Call(
                function=self._function,
                item=Packet(item),
                index=index,
                computation=self.id,
                topic=self._topic,
                device=self._device,
                expected=self._expected,
            )
            future = self._submit(run, call, self._shared, name=f"item-{index}")
            self.futures[index] = future
            future.add_done_callback(partial(_finished, self.inbox, index))

    def end(self) -> None:
        """Give up what is under way."""
        with suppress(CancelledError, OSError, RuntimeError):  # the cluster may be gone
            self._client.cancel([self._shared, *self.futures.values()], force=True)

    def _submit(self, function: Callable[..., Any], *arguments: Any, name: str) -> Future:
        key = f"{name}-{self.id}"
        return self._client.submit(function, *arguments, key=key, pure=False)


class _Watch:
    """Waits for events and results, and looks from time to time whether they can still come."""

    n_workers = 0
    """How many there were at the last look: a cluster's come and go."""

    def __init__(self, workers: Workers, client: Client) -> None:
        self._workers = workers
        self._client = client
        self._looked = self._alive = time.monotonic()

    def next(self, inbox: Inbox) -> tuple[str, int, Any]:
        """Wait for the next event or result.

        Raises
        ------
        EngineError
            If the scheduler is gone, or there has been no worker for long.
        """
        while True:
            if time.monotonic() - self._looked > CHECK_SECONDS:
                self.look()
            with suppress(Empty):
                return inbox.get(timeout=CHECK_SECONDS)

    def look(self) -> None:
        """See that there are workers."""
        self._workers.revive()
        self.n_workers = _n_workers(self._client)
        self._looked = time.monotonic()
        if self.n_workers:
            self._alive = self._looked
        elif self._looked - self._alive > PATIENCE_SECONDS:
            raise EngineError(
                f"The Dask cluster has had no worker for {PATIENCE_SECONDS:g} seconds.",
                remedy="Start workers, then start it again: what was finished is kept.",
            )


def _n_workers(client: Client) -> int:
    address = str(client.scheduler.address) if client.scheduler else "of this run"
    if client.status != "running":
        raise _lost(address)
    try:
        return len(client.sync(client.scheduler.ncores, callback_timeout=CONNECT_SECONDS))
    except (OSError, TimeoutError) as error:
        raise _lost(address) from error


def _result(future: Future, watch: _Watch) -> Any:
    """Return an item's result, or raise its error."""
    from distributed import KilledWorker

    try:
        while True:
            try:
                kind, value = future.result(timeout=CHECK_SECONDS)
                break
            except TimeoutError:  # its worker was lost with it: it is computed again
                watch.look()
    except KilledWorker as error:
        raise EngineError(
            "The workers that computed an item were lost again and again.",
            remedy="They may be out of memory: use fewer workers, or machines with more.",
        ) from error
    except (CancelledError, OSError) as error:
        raise _lost("of this run") from error
    if kind == DONE:
        return value
    raise value


def _lost(address: str) -> EngineError:
    return EngineError(
        f"The connection to the Dask scheduler {address} was lost.",
        remedy="See that it runs, then start it again: what was finished is kept.",
    )
