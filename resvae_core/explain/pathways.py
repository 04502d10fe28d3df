"""Attributions added up by pathway: which processes carry a prediction.

A pathway's attribution is the sum of its genes' attributions, on their scale. A gene in several
pathways counts in each, and many genes are in none, so pathways do not add up to the score: the
share of the genes without a pathway stands beside them. A sum says which genes moved the score, not
that the pathway is active: signs in a pathway may cancel, so its absolute sum is given too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from resvae_core.data.gene_sets import GeneSets
from resvae_core.errors import InputDataError

N_TOP = 5
_SMALLEST = 1e-12  # stands for the whole where nothing moves the score


@dataclass(frozen=True)
class PathwaySums:
    """Attributions of samples by pathway.

    Parameters
    ----------
    table
        A row a sample and pathway, largest absolute ``attribution`` first within a sample:
        ``sample``, ``pathway``, ``attribution`` (sum over its genes, log-odds of resistance),
        ``absolute`` (sum of their absolute values), ``share`` (``absolute`` divided by that of all
        genes of the sample, 0 to 1; pathways overlap, so shares may add up to more than 1),
        ``n_genes`` (of the pathway that the model reads) and ``top_genes`` (those with the largest
        attribution, for example ``"EGFR +0.31, KRAS -0.08"``).
    without
        (n_samples,) share of absolute attribution that genes without any pathway carry, 0 to 1.
        Index: samples.
    collection, source
        Name of the pathways, and in a sentence where they come from.
    """

    table: pd.DataFrame
    without: pd.Series[float]
    collection: str
    source: str


class _Row(NamedTuple):
    """A row of `PathwaySums.table`."""

    sample: str
    pathway: str
    attribution: float
    absolute: float
    share: float
    n_genes: int
    top_genes: str


def sum_by_pathway(
    attributions: pd.DataFrame, pathways: GeneSets, *, minimal_genes: int = 1
) -> PathwaySums:
    """Add attributions up by pathway.

    Parameters
    ----------
    attributions
        Columns ``sample``, ``gene`` and ``attribution``, a row a sample and gene: the table of
        `resvae_core.explain.attribution.Attribution`.
    pathways
        The shipped ones (`resvae_core.data.pathways.load_pathways`), or an installed collection
        (`resvae_core.data.gene_sets.find_gene_sets`).
    minimal_genes
        Pathways of which the model reads fewer genes are left out.

    Raises
    ------
    InputDataError
        If there is no attribution, or no pathway has that many of the model's genes.
    """
    if attributions.empty:
        raise InputDataError(
            "There is no attribution to add up.", remedy="Explain one sample or more first."
        )
    rows: list[_Row] = []
    without: dict[str, float] = {}
    for sample, own in attributions.groupby("sample", sort=False):
        values = own.set_index("gene")["attribution"].astype(float)
        rows += _rows(str(sample), values, pathways, max(minimal_genes, 1))
        outside = values[~values.index.isin(list(pathways.genes))].abs().sum()
        without[str(sample)] = float(outside / max(values.abs().sum(), _SMALLEST))
    shares = pd.Series(without, name="without")
    return PathwaySums(pd.DataFrame(rows), shares, pathways.name, pathways.source)


def _rows(
    sample: str, values: pd.Series[float], pathways: GeneSets, minimal_genes: int
) -> list[_Row]:
    """Return a sample's rows, the largest sum first."""
    members = _members(values, pathways, minimal_genes)
    if not members:
        raise InputDataError(
            f"No pathway of {pathways.name} has {minimal_genes} of the {len(values)} genes that "
            "were explained.",
            remedy="Use another collection; its genes must be human symbols.",
        )
    total = max(float(values.abs().sum()), _SMALLEST)
    rows = []
    for name, genes in members.items():
        own = values[genes]
        moved, absolute = float(own.sum()), float(own.abs().sum())
        rows.append(_Row(sample, name, moved, absolute, absolute / total, len(genes), _top(own)))
    return sorted(rows, key=lambda row: (-abs(row.attribution), row.pathway))


def _members(
    values: pd.Series[float], pathways: GeneSets, minimal_genes: int
) -> dict[str, list[str]]:
    """Return the pathways and those of their genes that were explained."""
    known = frozenset(values.index)
    found = {
        name: [gene for gene in genes if gene in known] for name, genes in pathways.sets.items()
    }
    return {name: genes for name, genes in found.items() if len(genes) >= minimal_genes}


def _top(values: pd.Series[float]) -> str:
    """Name the genes with the largest attribution; equally large ones by name."""
    order = sorted(values.items(), key=lambda item: (-abs(item[1]), str(item[0])))
    return ", ".join(f"{gene} {value:+.2f}" for gene, value in order[:N_TOP])
