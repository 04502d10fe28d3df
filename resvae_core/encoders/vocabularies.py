"""Which genes the official encoders read, by the symbols that this program uses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.config import CATALOG
from resvae_core.data.genes import load_gene_table

GeneformerVersion = Literal["v1", "v2"]
N_SCFOUNDATION_GENES = 19264


@dataclass(frozen=True)
class ScFoundationGenes:
    """The genes of scFoundation.

    Parameters
    ----------
    symbols
        Current symbols, each once, in the order of their positions.
    positions
        (n_symbols,) place of each in the network's list of 19,264.
    """

    symbols: tuple[str, ...]
    positions: NDArray[np.int64]


@dataclass(frozen=True)
class GeneformerTokens:
    """The vocabulary of a version of Geneformer.

    Parameters
    ----------
    symbols
        Current symbols of the genes that have one, each once, by ascending token.
    tokens
        (n_symbols,) token of each.
    medians
        (n_symbols,) median of the gene over the cells of the pretraining corpus where it is not 0.
    n_tokens
        Tokens in all: genes (also those without a current symbol) and special ones.
    context
        Tokens that the network reads at most.
    specials
        Name to token of the special ones: ``<pad>``, ``<mask>``, and in V2 ``<cls>``, ``<eos>``.
    """

    symbols: tuple[str, ...]
    tokens: NDArray[np.int64]
    medians: NDArray[np.float64]
    n_tokens: int
    context: int
    specials: dict[str, int]

    @property
    def has_ends(self) -> bool:
        """Whether a sequence starts with ``<cls>`` and stops with ``<eos>``."""
        return "<cls>" in self.specials


_CONTEXTS: dict[GeneformerVersion, int] = {"v1": 2048, "v2": 4096}
_SPECIALS: dict[GeneformerVersion, dict[str, int]] = {
    "v1": {"<pad>": 0, "<mask>": 1},
    "v2": {"<pad>": 0, "<mask>": 1, "<cls>": 2, "<eos>": 3},
}


@lru_cache(maxsize=1)
def scfoundation_genes() -> ScFoundationGenes:
    """Return the genes of scFoundation by their current symbols.

    Two of its names may have become one gene since; the place of the name that is the current
    symbol is read then, and the other place stays empty, as for a gene that was not measured.
    """
    names = pd.read_parquet(CATALOG / "scfoundation_genes.parquet")["name"].tolist()
    symbols = load_gene_table().canonical(names)
    table = pd.DataFrame({"symbol": symbols, "position": range(len(names))})
    table["outdated"] = [symbol != name for symbol, name in zip(symbols, names, strict=True)]
    kept = table.sort_values(["outdated", "position"]).drop_duplicates("symbol")
    kept = kept.sort_values("position")
    return ScFoundationGenes(tuple(kept["symbol"]), kept["position"].to_numpy(np.int64))


@lru_cache(maxsize=2)
def geneformer_tokens(version: GeneformerVersion) -> GeneformerTokens:
    """Return the vocabulary of Geneformer V1 (gc30M) or V2 (gc104M) by current symbols.

    Where two of its Ensembl ids have become one gene, the token of the current id is used.
    """
    table = pd.read_parquet(CATALOG / f"geneformer_tokens_{version}.parquet")
    genes = load_gene_table()
    row = genes.locate(table["ensembl"].tolist())["row"].to_numpy()
    current = genes.frame["ensembl"].to_numpy()[row]
    table["symbol"] = np.where(row >= 0, genes.symbols[row], "")
    table["outdated"] = (current != table["ensembl"].to_numpy()) | ~genes.primary[row]
    known = table[table["symbol"] != ""].sort_values(["outdated", "token"])
    kept = known.drop_duplicates("symbol").sort_values("token")
    return GeneformerTokens(
        symbols=tuple(kept["symbol"]),
        tokens=kept["token"].to_numpy(np.int64),
        medians=kept["median"].to_numpy(float),
        n_tokens=len(table) + len(_SPECIALS[version]),
        context=_CONTEXTS[version],
        specials=_SPECIALS[version],
    )
