"""How one item is computed, the same in every engine: with one thread, telling what it emits."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from resvae_core.compute import one_thread
from resvae_core.engine.events import Event, sending

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "NUMEXPR_NUM_THREADS": "1",
    "VECLIB_MAXIMUM_THREADS": "1",
    "OMP_WAIT_POLICY": "passive",
}
"""Environment of a worker: set before libraries load, so that they start no threads at all."""
DONE, FAILED = "done", "failed"


def compute(
    function: Callable[..., Any],
    item: object,
    shared: object,
    send: Callable[[Event], None] | None,
) -> Any:
    """Return ``function(item)``, or ``function(item, shared)`` where something is shared.

    Parameters
    ----------
    send
        Takes the events that the function emits; nobody listens where None.
    """
    arguments = (item,) if shared is None else (item, shared)
    with one_thread(), sending(send or _nowhere):
        return function(*arguments)


def answer(
    function: Callable[..., Any],
    item: object,
    shared: object,
    send: Callable[[Event], None] | None,
) -> tuple[str, Any]:
    """Return `DONE` and the result, or `FAILED` and the error; parameters as in `compute`."""
    try:
        return DONE, compute(function, item, shared, send)
    except Exception as error:  # noqa: BLE001 - raised where somebody waits for the result
        return FAILED, error


@contextmanager
def environment(values: dict[str, str]) -> Iterator[None]:
    """Set environment variables for the processes that are started in a ``with`` block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _nowhere(event: Event) -> None:
    """Drop an event."""
