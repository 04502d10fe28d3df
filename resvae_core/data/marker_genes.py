"""Genes that mark normal tissue, immune cells or stroma within a tumour sample.

The rows are in ``assets/catalog/marker_genes.csv``, described in ``marker_genes.md`` beside it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

from resvae_core.config import CATALOG
from resvae_core.errors import CatalogError

MarkerKind = Literal["normal tissue", "immune", "stroma"]
MARKER_KINDS: dict[str, MarkerKind] = {kind: kind for kind in get_args(MarkerKind)}


@dataclass(frozen=True)
class MarkerGene:
    """A gene whose expression in a tumour sample may come from other cells than the tumour's.

    Parameters
    ----------
    gene
        Current symbol.
    kind
        ``normal tissue``, ``immune`` or ``stroma``.
    tissue_or_cell
        What it marks, in words.
    source
        Where that is shown.
    """

    gene: str
    kind: MarkerKind
    tissue_or_cell: str
    source: str


@lru_cache(maxsize=2)
def load_marker_genes(path: Path = CATALOG / "marker_genes.csv") -> dict[str, MarkerGene]:
    """Load the marker genes.

    Returns
    -------
    dict[str, MarkerGene]
        Symbol to marker, in the order of the file. One shared object: do not change it.

    Raises
    ------
    CatalogError
        If the file is missing, lacks a column, or has a kind that is not known.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            markers = [_marker(row) for row in csv.DictReader(stream)]
    except (OSError, KeyError) as error:
        raise CatalogError(
            f"The catalogue of marker genes {path.name} cannot be read: {error!r}.",
            remedy="Restore it from the repository.",
        ) from error
    return {marker.gene: marker for marker in markers}


def _marker(row: dict[str, str]) -> MarkerGene:
    kind = MARKER_KINDS[row["kind"]]
    return MarkerGene(row["gene"], kind, row["tissue_or_cell"], row["source"])
