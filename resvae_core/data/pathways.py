"""The shipped pathways: which genes the pathway bars add up.

The rows are in ``assets/catalog/pathways.csv``, described in ``assets/catalog/pathways.md``.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from pathlib import Path

from resvae_core.config import CATALOG
from resvae_core.data.files import file_digest
from resvae_core.data.gene_sets import GeneSets
from resvae_core.errors import CatalogError

PATHWAYS = "pathways"
"""Name of the shipped collection."""
SOURCE = (
    "Ten signalling pathways of Sanchez-Vega et al. (Cell 173, 2018) and five hand-made groups, of "
    "genes that the models read or the cell-line matrix measures."
)


@lru_cache(maxsize=4)
def load_pathways(path: Path = CATALOG / "pathways.csv") -> GeneSets:
    """Load the shipped pathways.

    Parameters
    ----------
    path
        CSV with the columns ``gene``, ``pathway`` and ``source``.

    Returns
    -------
    GeneSets
        Pathways in the order of the file. One shared object: do not change it.

    Raises
    ------
    CatalogError
        If the file is missing, lacks a column, or has no rows.
    """
    sets: dict[str, tuple[str, ...]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            for row in csv.DictReader(stream):
                sets[row["pathway"]] = (*sets.get(row["pathway"], ()), row["gene"])
        if not sets:
            raise ValueError("no rows")
    except (OSError, KeyError, ValueError) as error:
        raise CatalogError(
            f"The table of pathways {path.name} cannot be read: {error!r}.",
            remedy="Restore it from the repository.",
        ) from error
    return GeneSets(PATHWAYS, sets, SOURCE, file_digest(path))


def source_of_pathway(path: Path = CATALOG / "pathways.csv") -> dict[str, str]:
    """Return each shipped pathway's source, as in the table.

    Raises
    ------
    CatalogError
        As `load_pathways`.
    """
    load_pathways(path)
    with path.open(encoding="utf-8", newline="") as stream:
        return {row["pathway"]: row["source"] for row in csv.DictReader(stream)}
