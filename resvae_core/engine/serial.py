"""One part after the other, in this process."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from resvae_core.engine.events import Event
from resvae_core.engine.work import compute


class SerialEngine:
    """Runs every item in the calling process, in order; see `engine.Engine`."""

    name = "serial"
    n_workers = 1

    def map(
        self,
        function: Callable[..., Any],
        items: Sequence[Any],
        *,
        shared: object = None,
        on_event: Callable[[int, Event], None] | None = None,
    ) -> Iterator[tuple[int, Any]]:
        """Yield index and result of each item, in order."""
        for index, item in enumerate(items):
            send = partial(on_event, index) if on_event else None
            yield index, compute(function, item, shared, send)

    def close(self) -> None:
        """Nothing is held."""
