"""What a part of a computation tells while it runs, and how seldom it is sent.

A function that an engine runs calls `emit`; the event reaches whoever asked for the work, in
whatever process that is. Events are small and hold numbers and names of models, drugs and folds:
never a value or a name of a patient, because a cluster's scheduler keeps the last ones until an
hour after whoever asked has left.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from resvae_core.errors import ConfigError

Event = dict[str, Any]
"""Names to JSON values."""

INTERVAL_SECONDS = 0.2
"""Between two events of a series."""
MAX_CHARACTERS = 2000
"""Of one event as JSON."""


class Throttle:
    """Passes on few events of many: the last one of every series always.

    Parameters
    ----------
    send
        Takes what is passed on.
    interval
        Seconds, at least, between two events of one series.
    """

    def __init__(self, send: Callable[[Event], None], interval: float = INTERVAL_SECONDS) -> None:
        self._send = send
        self._interval = interval
        self._series = ""
        self._held: Event | None = None
        self._sent_at = -float("inf")

    def take(self, event: Event, series: str) -> None:
        """Send an event, or hold it until a newer one of its series takes its place."""
        if series != self._series:
            self.flush()
            self._series = series
        self._held = event
        if time.monotonic() - self._sent_at >= self._interval:
            self.flush()

    def flush(self) -> None:
        """Send what is held."""
        held, self._held = self._held, None
        if held is not None:
            self._sent_at = time.monotonic()
            self._send(held)


_sink: ContextVar[Throttle | None] = ContextVar("sink", default=None)


def emit(event: Event, *, series: str = "") -> None:
    """Tell whoever asked for this work what it has come to; nothing where nobody listens.

    Parameters
    ----------
    event
        Names to JSON values, at most `MAX_CHARACTERS` as JSON; nothing of a patient.
    series
        What the event is the newest of, for example a model and fold: events that come faster than
        every `INTERVAL_SECONDS` are dropped, except the last of their series.

    Raises
    ------
    ConfigError
        If the event is too long, or no JSON.
    """
    sink = _sink.get()
    if sink is not None:
        sink.take(_checked(event), series)


@contextmanager
def sending(send: Callable[[Event], None]) -> Iterator[None]:
    """Send what is emitted in a ``with`` block; what is held back is sent at its end."""
    throttle = Throttle(send)
    token = _sink.set(throttle)
    try:
        yield
        throttle.flush()
    finally:
        _sink.reset(token)


def _checked(event: Event) -> Event:
    """Return an event as it arrives elsewhere."""
    try:
        text = json.dumps(event)
    except (TypeError, ValueError) as error:
        raise ConfigError(
            f"An event holds something that is no JSON ({error}).",
            remedy="Emit plain numbers, texts, lists and dictionaries.",
        ) from error
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"An event has {len(text)} characters; at most {MAX_CHARACTERS} were expected.",
            remedy="Emit a summary; results are returned, not emitted.",
        )
    known: Event = json.loads(text)
    return known
