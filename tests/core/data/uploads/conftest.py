"""Synthetic profiles and the files they can be written to."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.genes import GeneTable, load_gene_table


@dataclass(frozen=True)
class Tumours:
    """Synthetic whole-transcriptome profiles, in every unit (samples × genes)."""

    tpm: pd.DataFrame
    lengths: pd.Series

    @property
    def log2(self) -> pd.DataFrame:
        return np.log2(self.tpm + 1)

    @property
    def counts(self) -> pd.DataFrame:
        return (self.tpm * self.lengths / 25).round()

    @property
    def fpkm(self) -> pd.DataFrame:
        return self.tpm * 0.29


@pytest.fixture(scope="session")
def genes() -> GeneTable:
    return load_gene_table()


@pytest.fixture(scope="session")
def tumours(genes: GeneTable) -> Tumours:
    coding = genes.primary & (genes.biotypes == "protein_coding") & (genes.lengths > 0)
    lengths = pd.Series(genes.lengths[coding], index=genes.symbols[coding].astype(str))
    lengths = lengths[np.arange(len(lengths)) % 3 > 0]  # two thirds are enough, and faster
    rng = np.random.default_rng(7)
    level = rng.normal(1, 1.3, len(lengths)) - np.log(lengths / lengths.median()).to_numpy()
    values = np.exp(level + rng.normal(0, 0.7, (3, len(lengths))))
    values[rng.random(values.shape) < 0.1] = 0
    values *= 0.92e6 / values.sum(axis=1, keepdims=True)
    tpm = pd.DataFrame(values, index=["T1", "T2", "T3"], columns=lengths.index).round(3)
    return Tumours(tpm, lengths)


def csv_of(samples: dict[str, list[float | str]], names: list[str], corner: str = "gene") -> bytes:
    """Write genes in rows."""
    return pd.DataFrame(samples, index=pd.Index(names, name=corner)).to_csv().encode()
