"""What a file may tell of who somebody is, and names to put in the place of samples'."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
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

# a hyphen joins: HLA-DOB is a gene
_WORD, _GAP, _END = r"(?<![a-z0-9-])", r"[\s_.-]*", r"(?![a-z0-9-])"
LABELS: dict[str, re.Pattern[str]] = {
    "a date of birth": re.compile(
        rf"birth|{_WORD}dob{_END}|geburt|{_WORD}geb{_GAP}dat|naissance|nacimiento"
    ),
    "a record number": re.compile(
        rf"{_WORD}(?:mrn|ssn|pid){_END}|medical{_GAP}record|social{_GAP}security"
        rf"|insurance{_GAP}(?:no|nr|num|id)|versicherten|{_WORD}fall{_GAP}(?:nr|nummer)"
        rf"|{_WORD}(?:patient|case|record|chart|hospital|nhs){_GAP}(?:no|nr|num(?:ber)?){_END}"
    ),
    "a person's name": re.compile(
        rf"{_WORD}(?:first|last|given|family|sur|full|maiden|patient|subject|person|doctor"
        rf"|physician){_GAP}s?{_GAP}name|(?:vor|nach|familien){_GAP}name"
    ),
    "an e-mail address": re.compile(rf"{_WORD}e{_GAP}mail"),
    "a telephone number": re.compile(
        rf"{_WORD}(?:tele)?phone|{_WORD}telefon|{_WORD}mobile{_GAP}(?:no|nr|num)|{_WORD}fax{_END}"
    ),
    "an address": re.compile(
        rf"{_WORD}(?:home|postal|street|mailing|patient){_GAP}address|{_WORD}address{_END}"
        rf"|{_WORD}(?:zip|post(?:al)?){_GAP}code|{_WORD}street{_END}|anschrift|postleitzahl"
    ),
}
"""What a column is about, by its name in lower case: what stands below need not look like it."""

MAX_CELLS = 10_000
"""Different cells of a column that are looked at."""


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


@dataclass(frozen=True)
class Described:
    """Something that a file says beside expression; read for the scan alone and never kept.

    Parameters
    ----------
    place
        Where it stands, without a name: ``column 3``.
    label
        Name of the column or row; empty if it has none.
    cells
        What stands there.
    """

    place: str
    label: str
    cells: Sequence[str] = ()


@dataclass(frozen=True)
class Disclosure:
    """A place of a file that seems to tell who somebody is; it holds no value of that place.

    Parameters
    ----------
    place
        Where: ``column 3``.
    kind
        One of `KINDS` or `LABELS`.
    n_cells
        How many different cells look like it; 0 where the name of the column tells.
    """

    place: str
    kind: str
    n_cells: int = 0


def label_kind(label: str) -> str | None:
    """Return what a column of this name tells of a person, None if nothing that is known."""
    lower = label.casefold()
    return next((kind for kind, pattern in LABELS.items() if pattern.search(lower)), None)


def find_disclosures(described: Iterable[Described]) -> tuple[Disclosure, ...]:
    """Find columns and rows that tell names, birth dates, record numbers, addresses or the like.

    By what they are called, and by what stands in them. As with `find_identifiers`, a file that
    passes may still identify somebody.

    Parameters
    ----------
    described
        What the file says beside expression.
    """
    found = []
    for part in described:
        named = label_kind(part.label)
        if named is not None:
            found.append(Disclosure(part.place, named))
        cells = list(dict.fromkeys(cell for cell in part.cells if cell))[:MAX_CELLS]
        kinds = Counter(identifier.kind for identifier in find_identifiers(cells))
        found += [
            Disclosure(part.place, kind, n) for kind, n in kinds.most_common() if kind != named
        ]
    return tuple(found)


def pseudonyms(expression: Expression) -> Expression:
    """Return the same samples in the same order, named S1, S2 and so on.

    No table leads back from the new names to the old ones.
    """
    values = expression.values.copy(deep=False)
    values.index = pd.Index([f"S{n}" for n in range(1, len(values) + 1)])
    return Expression(values)
