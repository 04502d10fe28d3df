"""Sample names that may tell who somebody is, and names to put in their place."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from resvae_core.tables import Expression

_YEAR = r"(?:19|20)\d{2}"
_MONTH = r"(?:0?[1-9]|1[0-2])"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
KINDS: dict[str, re.Pattern[str]] = {
    "an e-mail address": re.compile(r"[^\s@]+@[^\s@]+\.[A-Za-z]{2,}"),
    "a date": re.compile(
        rf"(?<!\d)(?:{_YEAR}([-/._]){_MONTH}\1{_DAY}"
        rf"|(?:{_DAY}([-/._]){_MONTH}\2|{_MONTH}([-/._]){_DAY}\3)(?:{_YEAR}|\d{{2}})"
        rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]))(?!\d)"
    ),
    "a record number": re.compile(
        r"^\d{6,}$|\b(?:mrn|pid|patient|pat|case|fall|nhs|ssn)[-_ #:]*\d{4,}", re.IGNORECASE
    ),
    "a person's name": re.compile(r"^[A-ZÀ-Þ][a-zà-ÿ'’-]+(?:,\s*|\s+|_)[A-ZÀ-Þ][a-zà-ÿ'’-]+$"),
}
"""What a name may give away, and the pattern that tells."""


@dataclass(frozen=True)
class Identifier:
    """A sample name that looks as if it could tell who somebody is.

    Parameters
    ----------
    position
        Of the sample, from 1.
    kind
        One of `KINDS`.
    """

    position: int
    kind: str


def find_identifiers(names: Sequence[str]) -> list[Identifier]:
    """Find names that look like dates, record numbers, e-mail addresses or names of people.

    Study codes such as ``TCGA-05-4389``, ``GSM1234567`` or ``P12`` are let pass. A name that passes
    may still identify somebody: this finds the obvious, it proves nothing.

    Parameters
    ----------
    names
        Sample names, in the order of the file.
    """
    found = []
    for position, name in enumerate(names, start=1):
        kind = next((kind for kind, pattern in KINDS.items() if pattern.search(name)), None)
        if kind is not None:
            found.append(Identifier(position, kind))
    return found


def pseudonyms(expression: Expression) -> Expression:
    """Return the same samples in the same order, named S1, S2 and so on.

    No table leads back from the new names to the old ones.
    """
    values = expression.values.copy(deep=False)
    values.index = pd.Index([f"S{n}" for n in range(1, len(values) + 1)])
    return Expression(values)
