"""The gene table: what a gene is called, was called, and how long it is.

``CARS``, ``CARS1``, ``ENSG00000110619.18`` and ``833`` are one gene. A current symbol always wins
over a previous symbol, and that over an alias; a name that two genes share at the same level is
not in the table, so that it stays unknown rather than becoming the wrong gene.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from resvae_core.config import CATALOG
from resvae_core.data.excel_dates import gene_of_date
from resvae_core.errors import CatalogError

IdType = Literal["symbol", "previous_symbol", "alias", "ensembl", "entrez", "excel_date", "unknown"]
ID_TYPES: tuple[IdType, ...] = (
    "symbol",
    "previous_symbol",
    "alias",
    "ensembl",
    "entrez",
    "excel_date",
    "unknown",
)
_CODE: dict[str, int] = {name: code for code, name in enumerate(ID_TYPES)}
_UNKNOWN = (-1, _CODE["unknown"])

# ENSGR… is how early GENCODE releases named the copy of a gene on the Y chromosome
_ENSEMBL = re.compile(r"^ENSG[0R](\d{10})(?:\.\d+)?(?:_PAR_Y|_\d+)?$", re.IGNORECASE)
_ENTREZ = re.compile(r"^(\d+)(?:\.0)?$")


@dataclass(frozen=True)
class GeneRecord:
    """What the table says about one gene.

    Parameters
    ----------
    symbol
        Current symbol.
    ensembl
        Ensembl gene id without version.
    entrez
        NCBI Gene id, None if unknown.
    biotype, chromosome
        As in Ensembl; empty if unknown.
    exon_length
        Length of the union of its exons in GENCODE v22, in base pairs; None if unknown.
    previous, aliases
        Other names that mean this gene and no other.
    """

    symbol: str
    ensembl: str
    entrez: int | None
    biotype: str
    chromosome: str
    exon_length: int | None
    previous: tuple[str, ...]
    aliases: tuple[str, ...]


class GeneTable:
    """Names and lengths of the human genes.

    Parameters
    ----------
    frame
        (n_ensembl_genes, 10) as written by ``scripts/build_gene_catalog.py``.
    """

    def __init__(self, frame: pd.DataFrame) -> None:
        self.frame = frame
        self.symbols: npt.NDArray[np.object_] = frame["symbol"].to_numpy(object)
        """(n_ensembl_genes,) current symbols; empty where a gene has none."""
        self.primary: npt.NDArray[np.bool_] = frame["primary"].to_numpy(bool)
        """(n_ensembl_genes,) True for the one Ensembl gene that a symbol stands for."""
        lengths = frame["exon_length"]
        self.lengths: npt.NDArray[np.float64] = lengths.to_numpy(float, na_value=np.nan)
        """(n_ensembl_genes,) exon lengths in base pairs, NaN where unknown."""
        self.biotypes: npt.NDArray[np.object_] = frame["biotype"].astype(object).to_numpy(object)
        """(n_ensembl_genes,) biotypes; empty where unknown."""

    @cached_property
    def _names(self) -> dict[str, tuple[int, int]]:
        """Return name → (row, code of the id type); the first level that knows a name wins."""
        names: dict[str, tuple[int, int]] = {}
        rows = np.flatnonzero(self.primary).tolist()
        levels: list[tuple[str, list[tuple[str, int]]]] = [
            ("symbol", [(self.symbols[row], row) for row in rows]),
            ("previous_symbol", self._listed("previous")),
            ("alias", self._listed("aliases")),
        ]
        for level, entries in levels:
            for name, row in entries:
                names.setdefault(name, (row, _CODE[level]))
        # C15ORF65 for C15orf65; never the reverse, for Tp53 is a mouse gene
        for name, found in list(names.items()):
            names.setdefault(name.upper(), found)
        return names

    @cached_property
    def _ensembl(self) -> dict[str, int]:
        ids = {name: row for row, name in enumerate(self.frame["ensembl"])}
        for name, row in self._listed("former"):
            ids.setdefault(name, row)
        return ids

    @cached_property
    def _entrez(self) -> dict[int, int]:
        known = self.frame["entrez"].dropna()
        return dict(zip(known.astype(int).tolist(), known.index.tolist(), strict=True))

    @cached_property
    def _row_of_symbol(self) -> dict[str, int]:
        rows = np.flatnonzero(self.primary)
        return dict(zip(self.symbols[rows].tolist(), rows.tolist(), strict=True))

    def _listed(self, column: str) -> list[tuple[str, int]]:
        """Return (name, row) for a column of names that are joined by bars."""
        filled = self.frame[column]
        filled = filled[filled != ""]
        return [
            (name, row)
            for row, names in zip(filled.index.tolist(), filled.tolist(), strict=True)
            for name in names.split("|")
        ]

    def locate(self, names: Sequence[str]) -> pd.DataFrame:
        """Find the Ensembl gene behind each name.

        Parameters
        ----------
        names
            (n,) symbols, previous symbols, aliases, Ensembl ids (with or without version), Entrez
            ids, or dates that a spreadsheet made of symbols; mixed as they may be.

        Returns
        -------
        pandas.DataFrame
            (n, 2), index 0…n−1: ``row`` of the table (−1 if unknown) and ``id_type``.
        """
        found = [self._find(str(name).strip().strip("\"'")) for name in names]
        rows = np.fromiter((row for row, _ in found), dtype=np.int64, count=len(found))
        codes = np.fromiter((code for _, code in found), dtype=np.int64, count=len(found))
        return pd.DataFrame({"row": rows, "id_type": np.array(ID_TYPES, dtype=object)[codes]})

    def _find(self, name: str) -> tuple[int, int]:
        if found := self._names.get(name):
            return found
        if match := _ENSEMBL.match(name):
            row = self._ensembl.get(f"ENSG0{match[1]}", -1)
            return (row, _CODE["ensembl"]) if row >= 0 else _UNKNOWN
        if match := _ENTREZ.match(name):
            row = self._entrez.get(int(match[1]), -1)
            return (row, _CODE["entrez"]) if row >= 0 else _UNKNOWN
        if symbol := gene_of_date(name):
            return self._row_of_symbol[symbol], _CODE["excel_date"]
        return _UNKNOWN

    def resolve(self, names: Sequence[str]) -> pd.DataFrame:
        """Return the current symbol behind each name.

        Parameters
        ----------
        names
            (n,) names of any kind, as for `locate`.

        Returns
        -------
        pandas.DataFrame
            (n, 2), index 0…n−1: ``symbol`` (None if unknown, or if the gene never had one) and
            ``id_type``. The date ``1-Mar`` gives ``MARCHF1`` although it may have been ``MTARC1``.
        """
        found = self.locate(names)
        symbols = np.where(found["row"] >= 0, self.symbols[found["row"]], "")
        known = [symbol or None for symbol in symbols]
        return pd.DataFrame({"symbol": pd.Series(known, dtype=object), "id_type": found["id_type"]})

    def canonical(self, names: Sequence[str]) -> list[str]:
        """Return the current symbol where a name is known, and the name itself otherwise."""
        symbols = self.resolve(names)["symbol"]
        return [symbol or str(name) for symbol, name in zip(symbols, names, strict=True)]

    def exon_lengths(self, symbols: Sequence[str]) -> pd.Series[float]:
        """Return the exon length of each current symbol.

        Parameters
        ----------
        symbols
            (n,) current symbols.

        Returns
        -------
        pandas.Series
            (n,) base pairs of the union of exons in GENCODE v22, NaN where unknown. Index: symbols.
        """
        lengths = [
            self.lengths[row] if (row := self._row_of_symbol.get(str(s), -1)) >= 0 else np.nan
            for s in symbols
        ]
        return pd.Series(lengths, index=pd.Index(list(symbols)), dtype=float, name="exon_length")

    def record(self, name: str) -> GeneRecord:
        """Return what is known of one gene, by any of its names.

        Raises
        ------
        CatalogError
            If no gene has this name.
        """
        row, _ = self._find(str(name).strip())
        if row < 0:
            raise CatalogError(
                f"Gene {name!r} is not in the gene table; a symbol, an Ensembl or an Entrez id of "
                "a human gene was expected.",
                remedy="Check the spelling, or look the current symbol up at genenames.org.",
            )
        entry = self.frame.iloc[row]
        return GeneRecord(
            symbol=entry["symbol"],
            ensembl=entry["ensembl"],
            entrez=None if pd.isna(entry["entrez"]) else int(entry["entrez"]),
            biotype=entry["biotype"],
            chromosome=entry["chromosome"],
            exon_length=None if pd.isna(entry["exon_length"]) else int(entry["exon_length"]),
            previous=tuple(filter(None, entry["previous"].split("|"))),
            aliases=tuple(filter(None, entry["aliases"].split("|"))),
        )


@lru_cache(maxsize=2)
def load_gene_table(path: Path = CATALOG / "genes.parquet") -> GeneTable:
    """Return the gene table of the catalogue; it is read once a process."""
    return GeneTable(pd.read_parquet(path))
