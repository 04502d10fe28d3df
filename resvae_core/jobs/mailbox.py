"""What a task reports, collected until the worker writes it down."""

from __future__ import annotations

import json
import threading
import time
from typing import IO, Any

from resvae_core.jobs.lines import one_line
from resvae_core.jobs.store import News

STEP_CHARACTERS = 200
SERIES_CHARACTERS, NAME_CHARACTERS = 200, 64
"""Of a point of a curve, as the columns of the table are."""
MAX_WAITING = 20_000
"""Log lines, and points of curves, that are kept while the database is away."""


class Mailbox:
    """Reads the lines that a child writes, in a thread, until it closes its end.

    Parameters
    ----------
    stream
        Lines of JSON; see `JobContext`.
    """

    def __init__(self, stream: IO[bytes]) -> None:
        self.outcome: dict[str, Any] | None = None
        self._stream = stream
        self._news = News()
        self._lock = threading.Lock()
        self._pace: tuple[int, int] | None = None  # total, and how much of it was done
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def take(self) -> News:
        """Return what came since the last time."""
        with self._lock:
            news, self._news = self._news, News()
        return news

    def put_back(self, news: News) -> None:
        """Keep what could not be written; what came since then wins."""
        with self._lock:
            news.add(self._news)
            del news.log[:-MAX_WAITING]
            for key in list(news.points)[:-MAX_WAITING]:
                del news.points[key]
            self._news = news

    def close(self, seconds: float) -> None:
        """Wait until everything was read, but not longer than that."""
        self._thread.join(seconds)

    def _read(self) -> None:
        with self._stream:
            for line in self._stream:
                try:
                    document = json.loads(line)
                except ValueError:
                    continue  # cut short when the child was killed
                with self._lock:
                    self._take_in(document)

    def _take_in(self, document: dict[str, Any]) -> None:
        if "progress" in document:
            self._news.progress |= self._progress(document["progress"])
        elif "points" in document:
            for series, epoch, name, value in document["points"]:
                key = one_line(series, SERIES_CHARACTERS), epoch, one_line(name, NAME_CHARACTERS)
                self._news.points[key] = value
        elif "log" in document:
            self._news.log.append((time.time(), one_line(document["log"])))
        elif "describe" in document:
            self._news.progress |= _columns(document["describe"])
        elif "outcome" in document:
            self.outcome = document["outcome"]

    def _progress(self, told: dict[str, Any]) -> dict[str, Any]:
        """Return columns; pace is measured from this attempt's first report of a total on."""
        now = time.time()
        columns = _columns(told) | {"told_at": now}
        total, done = told["total"], told["done"]
        before, self._pace = self._pace, (total, done)
        if before is None or before[0] != total or done < before[1]:
            columns |= {"pace_done": done, "pace_at": now}
        return columns


def _columns(told: dict[str, Any]) -> dict[str, Any]:
    """Return values as the columns hold them."""
    columns = dict(told)
    if "step" in columns:
        columns["step"] = one_line(columns["step"], STEP_CHARACTERS)
    for name in {"metrics", "data_digests"} & set(columns):
        columns[name] = json.dumps(columns[name])
    return columns
