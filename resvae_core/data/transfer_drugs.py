"""The nine drugs of each cohort that the models are transferred to.

The rows are in ``assets/catalog/transfer_drugs.csv``, described in ``assets/catalog/cohorts.md``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from resvae_core.config import CATALOG
from resvae_core.errors import CatalogError

TreatmentLine = Literal[
    "first line",
    "first line, subgroup",
    "part of a first-line regimen",
    "later line",
    "trial",
]
LINES: dict[str, TreatmentLine] = {line: line for line in get_args(TreatmentLine)}

TRANSFER_COHORTS = ("LUAD", "GBM", "BLCA", "STAD", "PAAD")
"""Cohorts in the order of every table: the two that are genome-wide, then the other three."""


@dataclass(frozen=True)
class TransferDrug:
    """A drug that is, or was, given for a cancer type.

    Parameters
    ----------
    code
        TCGA code.
    drug
        Name as in the drug catalogue.
    line
        ``first line``; ``first line, subgroup`` (of a molecular subgroup only); ``part of a
        first-line regimen`` (in a combination); ``later line``; ``trial`` (tested, not a standard).
    setting
        When it is given, and with what.
    source
        A US label, or a published trial.
    """

    code: str
    drug: str
    line: TreatmentLine
    setting: str
    source: str


@lru_cache(maxsize=2)
def load_transfer_drugs(
    path: Path = CATALOG / "transfer_drugs.csv",
) -> dict[str, tuple[TransferDrug, ...]]:
    """Load the drugs of each transfer cohort.

    Returns
    -------
    dict[str, tuple[TransferDrug, ...]]
        Code to drugs, in the orders of `TRANSFER_COHORTS` and of the file. One shared object: do
        not change it.

    Raises
    ------
    CatalogError
        If the file is missing, lacks a column, or names a line that is not known.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            drugs = [_transfer_drug(row) for row in csv.DictReader(stream)]
    except (OSError, KeyError) as error:
        raise CatalogError(
            f"The catalogue of transfer drugs {path.name} cannot be read: {error!r}.",
            remedy="Restore it from the repository.",
        ) from error
    return {code: tuple(drug for drug in drugs if drug.code == code) for code in TRANSFER_COHORTS}


def _transfer_drug(row: dict[str, str]) -> TransferDrug:
    return TransferDrug(row["code"], row["drug"], LINES[row["line"]], row["setting"], row["source"])
