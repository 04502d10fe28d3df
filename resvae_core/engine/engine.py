"""Where independent parts of a computation run: here, in processes, or on a Dask cluster.

What comes out does not depend on it. Every part is computed with one thread, from nothing but its
item and what is shared; whoever asks puts results in the order of the items.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from resvae_core.engine.events import Event, emit
from resvae_core.engine.processes import ProcessEngine
from resvae_core.engine.serial import SerialEngine
from resvae_core.errors import ConfigError
from resvae_core.settings import ENGINES, load_settings

__all__ = ["Engine", "Event", "emit", "open_engine"]


class Engine(Protocol):
    """Something that computes the items of a list independently of each other."""

    @property
    def name(self) -> str:
        """``serial``, ``processes`` or ``dask``."""

    @property
    def n_workers(self) -> int:
        """How many items it computes at a time."""

    def map(
        self,
        function: Callable[..., Any],
        items: Sequence[Any],
        *,
        shared: object = None,
        on_event: Callable[[int, Event], None] | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """Compute every item.

        Nothing is computed until the result is iterated; a few items more than there are workers
        are under way at a time, so results do not pile up. Leaving the iteration early, or an error
        of an item, ends what is under way.

        Parameters
        ----------
        function
            Of a module, so that workers can import it: takes an item, and `shared` if given.
        items
            What to compute, each small.
        shared
            What every item needs: handed to each worker once.
        on_event
            Called in the thread that iterates, with the index of an item and what it emitted; an
            error that it raises ends the computation.

        Yields
        ------
        int, object
            Index and result of each item, as they finish.

        Raises
        ------
        EngineError
            If workers are lost for good. Errors of an item are raised as they are.
        """
        ...

    def close(self) -> None:
        """End what was started."""
        ...


@contextmanager
def open_engine(
    kind: str | None = None,
    n_workers: int | None = None,
    *,
    folder: Path | None = None,
    memory_gb: float | None = None,
) -> Iterator[Engine]:
    """Open an engine; it is closed, with every process that it started, behind the ``with`` block.

    Parameters
    ----------
    kind
        ``serial``, ``processes``, ``dask``; None: as the settings say. Dask with a scheduler in the
        settings, or in ``RESVAE_SCHEDULER``, is that cluster; else workers of this machine.
    n_workers
        Worker processes of this machine; None: as the settings say; 0: as many as cores.
    folder
        Where Dask's workers keep temporary files; below the state folder where None.
    memory_gb
        Memory of all workers of this machine together, for Dask; None: nine tenths of it.

    Raises
    ------
    ConfigError
        If the kind is none.
    EngineError
        If the cluster cannot be reached, has no workers, or other code than this program.
    """
    engine = _open(kind, n_workers, folder, memory_gb)
    try:
        yield engine
    finally:
        engine.close()


def _open(
    kind: str | None, n_workers: int | None, folder: Path | None, memory_gb: float | None
) -> Engine:
    settings = load_settings()
    chosen = kind or settings.engine
    count = (settings.n_workers if n_workers is None else n_workers) or n_cores()
    if chosen == "serial":
        return SerialEngine()
    if chosen == "processes":
        return ProcessEngine(count)
    if chosen != "dask":
        raise ConfigError(f"{chosen!r} is no engine.", remedy=f"Use one of: {', '.join(ENGINES)}.")
    from resvae_core.engine.cluster import open_cluster, open_local

    if settings.scheduler:
        return open_cluster(settings.scheduler)
    return open_local(count, folder, memory_gb)


def n_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
