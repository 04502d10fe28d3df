"""Gene symbols that a spreadsheet has turned into dates, such as ``1-Mar`` for ``MARCHF1``."""

from __future__ import annotations

import re
from datetime import date, timedelta

_MONTHS = {
    "MARCHF": ("mar", "march", "mrz", "mär", "märz", "mars", "marzo"),
    "SEPTIN": ("sep", "sept", "september", "septembre", "settembre"),
    "DELEC": ("dec", "december", "dez", "dezember", "déc", "décembre", "dic"),
}
_FAMILY = {month: family for family, months in _MONTHS.items() for month in months}
_FAMILY_OF_NUMBER = {3: "MARCHF", 9: "SEPTIN", 12: "DELEC"}
_SEPARATOR = r"[-\s./]+"
_DAY_MONTH = re.compile(rf"^(\d{{1,2}}){_SEPARATOR}([^\W\d_]+)\.?(?:{_SEPARATOR}\d{{2,4}})?$")
_MONTH_DAY = re.compile(rf"^([^\W\d_]+){_SEPARATOR}(\d{{1,2}})$")
_ISO = re.compile(r"^(?:19|20)\d{2}-(\d{2})-(\d{2})(?:[ T]00:00:00(?:\.0+)?)?$")
_SERIAL = re.compile(r"^[345]\d{4}(?:\.0)?$")
_SERIAL_ZERO = date(1899, 12, 30)

AMBIGUOUS = {"MARCHF1": "MTARC1", "MARCHF2": "MTARC2"}
"""Symbols whose date could also be another gene: ``MARCH1`` and ``MARC1`` both became ``1-Mar``."""


def gene_of_date(text: str) -> str | None:
    """Return the current symbol that a spreadsheet turned into this date, or None.

    Parameters
    ----------
    text
        ``1-Mar``, ``Mar-01``, ``02. Sep``, ``1-Dec``, ``2024-03-01 00:00:00`` and the like; also in
        German, French, Spanish and Italian. Day and month are read, the year is that of the typing.

    Notes
    -----
    ``15-Sep`` was ``SEP15``, now ``SELENOF``. ``1-Mar`` and ``2-Mar`` may have been ``MARCH1`` or
    ``MARC1`` (``MARCH2`` or ``MARC2``); the membrane-associated RING finger is returned, and
    `AMBIGUOUS` names the other gene.
    """
    family, day = _family_and_day(text.strip().casefold())
    if family is None:
        return None
    if (family, day) == ("SEPTIN", 15):
        return "SELENOF"
    highest = {"MARCHF": 11, "SEPTIN": 14, "DELEC": 1}[family]
    return f"{family}{day}" if 1 <= day <= highest else None


def gene_of_serial(text: str) -> str | None:
    """Return the symbol behind a spreadsheet's day number, such as ``44621`` (1 March 2022).

    Only for files whose other genes are symbols: in a file of Entrez ids it is an Entrez id.
    """
    if not _SERIAL.match(text):
        return None
    return gene_of_date((_SERIAL_ZERO + timedelta(days=int(float(text)))).isoformat())


def _family_and_day(text: str) -> tuple[str | None, int]:
    if match := _ISO.match(text):
        return _FAMILY_OF_NUMBER.get(int(match[1])), int(match[2])
    if match := _DAY_MONTH.match(text):
        return _FAMILY.get(match[2]), int(match[1])
    if match := _MONTH_DAY.match(text):
        return _FAMILY.get(match[1]), int(match[2])
    return None, 0
