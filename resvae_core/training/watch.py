"""How a fit tells what it has come to, without knowing who listens.

Reports change nothing: no number, no random stream. A model reports where `watching` is open around
its fit, in the same thread; elsewhere a report costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

Record = Mapping[str, float]
Watcher = Callable[[str, Record], None]

_watcher: ContextVar[Watcher | None] = ContextVar("watcher", default=None)


@contextmanager
def watching(callback: Watcher) -> Iterator[None]:
    """Hand every report inside a ``with`` block to a callback.

    Parameters
    ----------
    callback
        Takes the kind of model and its record, see `report_epoch`. An error that it raises ends the
        fit.
    """
    token = _watcher.set(callback)
    try:
        yield
    finally:
        _watcher.reset(token)


def is_watched() -> bool:
    """Return whether somebody listens: what only a report needs, need not be computed."""
    return _watcher.get() is not None


def report_epoch(kind: str, record: Record) -> None:
    """Tell how far a fit is.

    Parameters
    ----------
    kind
        Of the model.
    record
        ``epoch``: steps done (epochs, rounds, drugs), of ``n_epochs``, of the ``member`` and, for
        networks, the ``network`` that is fitted; ``loss`` and its parts where there are some.
    """
    watcher = _watcher.get()
    if watcher is not None:
        watcher(kind, record)
