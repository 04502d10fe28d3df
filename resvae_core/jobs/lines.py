"""Text that a task reports, as a database and a page can take it."""

from __future__ import annotations

LINE_CHARACTERS = 2_000
"""Of one line of a log, a step, a message or a remedy."""


def one_line(text: str, most: int = LINE_CHARACTERS) -> str:
    """Return a text without line breaks and control characters, at most so many characters long.

    PostgreSQL refuses a zero byte and half a surrogate pair; others would reach a terminal. They
    become spaces, and several spaces one.
    """
    printable = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(printable.split())[:most]
