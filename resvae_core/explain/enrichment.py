"""Which gene sets a basket or a ranking of genes is enriched in.

Over-representation asks whether a basket holds more genes of a set than as many genes drawn from
the *background*, the genes that could have been chosen, would (hypergeometric test). Pre-ranked
GSEA asks whether a set's genes gather at an end of a ranking (Subramanian et al., PNAS 102, 2005;
p-values by adaptive multilevel splitting, Korotkevich et al., bioRxiv 060012, so that small ones
are numbers and not "0 of 1,000 permutations"). Both are gseapy's; it is told everything
explicitly, draws with a fixed seed on one thread, and never reaches for a network.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy.stats import false_discovery_control

from resvae_core.compute import derive_seed
from resvae_core.data.gene_sets import GeneSets
from resvae_core.data.genes import load_gene_table
from resvae_core.errors import InputDataError

Method = Literal["ora", "prerank"]

MINIMAL_SIZE, MAXIMAL_SIZE = 5, 500
"""Genes of a set that must be in the background or ranking: smaller ones say nothing reliable, and
larger ones nothing specific."""
N_RANDOM = 1000
"""Random sets of a size that an enrichment score is normalised by."""
COLUMNS = [
    "set",
    "size",
    "overlap",
    "genes",
    "p_value",
    "q_value",
    "es",
    "nes",
    "background_size",
]
PANEL, CODING = "the genes that the models read", "all protein-coding genes"
MEASURED = "the genes that are measured in {code}"
MEASURED_PANEL = MEASURED + " and that the models read"
MEASURED_OTHERS = MEASURED + " and that the models do not read"


@dataclass(frozen=True)
class Background:
    """The genes that could have been chosen.

    Parameters
    ----------
    name
        In words.
    genes
        Current symbols.
    """

    name: str
    genes: frozenset[str]


@dataclass(frozen=True)
class CohortGenes:
    """The genes that could have been chosen in a cohort, whatever was.

    Parameters
    ----------
    code
        TCGA code.
    genes
        Current symbols of the genes that were measured, and vary enough to be assessed.
    """

    code: str
    genes: frozenset[str]


@dataclass(frozen=True)
class Enrichment:
    """What an enrichment analysis found.

    Parameters
    ----------
    table
        One row a set, smallest p first, columns of `COLUMNS`. ``size``: genes of the set in the
        background or ranking. ``overlap`` and ``genes`` (joined by ``"; "``): those in the basket;
        for a ranking its leading edge, from the end of the ranking to where the running sum is
        farthest from 0. ``q_value``: Benjamini–Hochberg over all `n_tested` sets. ``es`` and
        ``nes``: the enrichment score, −1 to 1, and the same divided by the mean score of random
        sets of its size; above 0 where the set gathers at the high end; NaN for a basket.
        ``background_size``: genes that could have been chosen, or that were ranked.
    method
        ``ora`` or ``prerank``.
    collection
        Name of the gene sets.
    background
        In words.
    n_tested
        Sets of a fitting size. A basket's table lists only those that it meets.
    left_out
        Genes of the basket that are not in the background, or ranked genes without a value.
    """

    table: pd.DataFrame
    method: Method
    collection: str
    background: str
    n_tested: int
    left_out: tuple[str, ...]


def genes_of_cohort(table: pd.DataFrame, code: str) -> CohortGenes:
    """Return the genes that could have been chosen in a cohort.

    Parameters
    ----------
    table
        Columns ``cohort`` and ``gene``, one row a gene that was assessable in a cohort, whether it
        was chosen or not: the table ``cohort_genes`` of the shipped evidence.
    code
        TCGA code.

    Raises
    ------
    InputDataError
        If the table has no gene of the cohort.
    """
    genes = table.loc[table["cohort"] == code, "gene"]
    if genes.empty:
        known = ", ".join(table["cohort"].unique())
        raise InputDataError(
            f"Which genes were measured in {code} is not recorded.",
            remedy=f"Use one of {known}, or name the genes that could have been chosen.",
        )
    return CohortGenes(code, frozenset(current_symbols(map(str, genes))))


def choose_background(
    genes: Iterable[str], panel: Iterable[str], *, cohort: CohortGenes | None = None
) -> Background:
    """Return the smallest background that a basket can have come from.

    Which genes a cohort measured differs by set (of RTK-RAS nearly all, of Wnt a quarter), so
    that against genes that were never measured even a random basket looks enriched.

    Parameters
    ----------
    genes
        The basket.
    panel
        Genes that the models read: the background of attributed genes.
    cohort
        Where the basket was chosen; None where nobody knows. Genes of the basket that were not
        measured there are no reason to widen the background: the test leaves them out.

    Returns
    -------
    Background
        Of a cohort: the measured genes of the panel for attributed genes, those outside of it for
        associated ones, all for a basket of both. Where no gene of the basket was measured there,
        or there is no cohort: the panel where it holds every known gene of the basket, else all
        protein-coding genes and the known genes of the basket.
    """
    table = load_gene_table()
    known = table.resolve(list(genes))["symbol"].dropna()
    basket, read = frozenset(known), frozenset(panel)
    if cohort is not None and basket & cohort.genes:
        return _measured_background(basket & cohort.genes, read, cohort)
    if basket <= read:
        return Background(PANEL, read)
    coding = table.symbols[table.primary & (table.biotypes == "protein_coding")]
    return Background(CODING, frozenset(coding.tolist()) | basket)


def _measured_background(
    basket: frozenset[str], panel: frozenset[str], cohort: CohortGenes
) -> Background:
    if basket <= panel:
        return Background(MEASURED_PANEL.format(code=cohort.code), cohort.genes & panel)
    if basket.isdisjoint(panel):
        return Background(MEASURED_OTHERS.format(code=cohort.code), cohort.genes - panel)
    return Background(MEASURED.format(code=cohort.code), cohort.genes)


def over_representation(
    genes: Iterable[str],
    collection: GeneSets,
    background: Background,
    *,
    minimal_size: int = MINIMAL_SIZE,
    maximal_size: int = MAXIMAL_SIZE,
) -> Enrichment:
    """Test which sets a basket of genes holds more of than chance would.

    Parameters
    ----------
    genes
        The basket, by any name; repeated ones count once.
    collection
        Gene sets; each is cut to the background before it is tested.
    background
        The genes that could have been chosen. With a wider one, sets that merely share the
        background's subject (cancer genes) look enriched.
    minimal_size, maximal_size
        Genes of a set in the background.

    Returns
    -------
    Enrichment
        One-sided p-values P(overlap at least as large), hypergeometric.

    Raises
    ------
    InputDataError
        If the basket is empty or not in the background, no set has a fitting size, or none meets
        the basket.
    """
    basket = current_symbols(genes)
    if not basket:
        raise InputDataError(
            "The basket is empty; one gene or more was expected.",
            remedy="Choose genes on the page Biomarkers or Why?, or name them with --genes.",
        )
    inside = [gene for gene in basket if gene in background.genes]
    left_out = tuple(gene for gene in basket if gene not in background.genes)
    if not inside:
        raise InputDataError(
            f"None of the {len(basket)} genes of the basket is in the background "
            f"({background.name}, {len(background.genes):,} genes).",
            remedy="Use the background that they were chosen from, and human gene symbols.",
        )
    sets = _fitting(collection, background.genes, minimal_size, maximal_size)
    if not any(set(inside) & set(members) for members in sets.values()):
        raise InputDataError(
            f"None of the {len(inside)} genes of the basket is in any of the {len(sets)} sets of "
            f"{collection.name} with {minimal_size} to {maximal_size} genes.",
            remedy="Add genes to the basket, or use another collection.",
        )
    found = _hypergeometric(inside, sets, sorted(background.genes))
    p_values = found["p_value"].reindex(list(sets)).fillna(1.0)  # no overlap: as large by chance
    q_values = pd.Series(false_discovery_control(p_values.to_numpy()), index=p_values.index)
    members = {name: [g for g in sets[name] if g in set(inside)] for name in found.index}
    table = pd.DataFrame(
        {
            "set": found.index,
            "size": [len(sets[name]) for name in found.index],
            "overlap": [len(members[name]) for name in found.index],
            "genes": ["; ".join(sorted(members[name])) for name in found.index],
            "p_value": found["p_value"].to_numpy(),
            "q_value": q_values.loc[found.index].to_numpy(),
            "es": np.nan,
            "nes": np.nan,
            "background_size": len(background.genes),
        }
    )
    return Enrichment(
        _by_p_value(table), "ora", collection.name, background.name, len(sets), left_out
    )


def prerank(
    ranking: pd.Series[float],
    collection: GeneSets,
    *,
    background: str = "the ranked genes",
    minimal_size: int = MINIMAL_SIZE,
    maximal_size: int = MAXIMAL_SIZE,
    seed: int = 0,
) -> Enrichment:
    """Test which sets gather at an end of a ranking.

    Parameters
    ----------
    ranking
        Gene to its value, for example its effect: high ones come first. Index: names of any kind;
        of genes with several values the one farthest from 0 counts, and equal values are ordered by
        name. It must be the whole ranking, not its top.
    collection
        Gene sets; each is cut to the ranked genes before it is tested.
    background
        What was ranked, in words.
    minimal_size, maximal_size
        Genes of a set in the ranking.
    seed
        Of the random sets.

    Returns
    -------
    Enrichment
        P-values are conditional on the end at which a set gathers; ``nes`` tells which.

    Raises
    ------
    InputDataError
        If fewer than two genes have a value, or no set has a fitting size.
    """
    ranked, left_out = _ordered(ranking)
    if len(ranked) < 2:
        raise InputDataError(
            f"The ranking has {len(ranked)} genes with a value; two or more were expected.",
            remedy="Give every gene that was ranked with its value.",
        )
    # a set of all ranked genes cannot gather anywhere
    largest = min(maximal_size, len(ranked) - 1)
    sets = _fitting(collection, frozenset(ranked.index), minimal_size, largest)
    found = _gsea(ranked, sets, derive_seed("prerank", seed))
    table = pd.DataFrame(
        {
            "set": found["Term"],
            "size": [len(sets[name]) for name in found["Term"]],
            "overlap": [len(genes) for genes in found["genes"]],
            "genes": ["; ".join(genes) for genes in found["genes"]],
            "p_value": found["NOM p-val"],
            "q_value": false_discovery_control(found["NOM p-val"].to_numpy()),
            "es": found["ES"],
            "nes": found["NES"],
            "background_size": len(ranked),
        }
    )
    return Enrichment(
        _by_p_value(table), "prerank", collection.name, background, len(sets), left_out
    )


def current_symbols(genes: Iterable[str]) -> list[str]:
    """Return genes by their current symbols, each once, in order; unknown names as they are."""
    names = [name.strip() for name in genes]
    return list(dict.fromkeys(load_gene_table().canonical([name for name in names if name])))


def _fitting(
    collection: GeneSets, genes: frozenset[str], smallest: int, largest: int
) -> dict[str, tuple[str, ...]]:
    """Return the sets, cut to the genes, whose size fits."""
    cut = {
        name: tuple(gene for gene in members if gene in genes)
        for name, members in collection.sets.items()
    }
    sets = {name: members for name, members in cut.items() if smallest <= len(members) <= largest}
    if not sets:
        raise InputDataError(
            f"No set of {collection.name} has {smallest} to {largest} of the {len(genes):,} genes "
            "that could have been chosen.",
            remedy="Use another collection, a wider background, or a smaller least size.",
        )
    return sets


def _by_p_value(table: pd.DataFrame) -> pd.DataFrame:
    """Sort by p, then by the strength, then by name."""
    strength = table["nes"].abs().fillna(table["overlap"] / table["size"])
    order = pd.DataFrame({"p": table["p_value"], "strength": -strength, "set": table["set"]})
    places = order.sort_values(["p", "strength", "set"], kind="stable").index
    return table.loc[places, COLUMNS].reset_index(drop=True)


def _codes(genes: Sequence[str]) -> dict[str, str]:
    """Return stand-ins for genes' names.

    gseapy guesses from the letters of a name whether it is a symbol, an Entrez id or to be put in
    capitals, and misses genes such as C15orf65 then.
    """
    return {gene: f"G{number}" for number, gene in enumerate(genes)}


def _hypergeometric(
    basket: Sequence[str], sets: Mapping[str, Sequence[str]], background: Sequence[str]
) -> pd.DataFrame:
    """Return ``p_value`` of the sets that meet the basket. Index: their names, in their order."""
    import gseapy

    codes = _codes(background)
    result = gseapy.enrich(
        gene_list=[codes[gene] for gene in basket],
        gene_sets={name: [codes[gene] for gene in members] for name, members in sets.items()},
        background=set(codes.values()),
        outdir=None,
        no_plot=True,
    ).results
    p_values = result.set_index("Term")["P-value"].astype(float)
    # it stands there once for every set that meets the basket
    p_values = p_values.reindex([name for name in sets if name in p_values.index])
    return pd.DataFrame({"p_value": p_values})


def _ordered(ranking: pd.Series[float]) -> tuple[pd.Series[float], tuple[str, ...]]:
    """Return the ranking by current symbols, high first, and the genes without a value."""
    values = ranking.astype(float)
    known = np.isfinite(values.to_numpy())
    left_out = tuple(str(gene) for gene in values.index[~known])
    values = values[known]
    symbols = load_gene_table().canonical([str(gene) for gene in values.index])
    table = pd.DataFrame({"gene": symbols, "value": values.to_numpy()})
    table["size"] = -table["value"].abs()
    table = table.sort_values(["size", "gene"], kind="stable").drop_duplicates("gene")
    table = table.sort_values(["value", "gene"], ascending=[False, True], kind="stable")
    return table.set_index("gene")["value"], left_out


def _gsea(ranked: pd.Series[float], sets: Mapping[str, Sequence[str]], seed: int) -> pd.DataFrame:
    """Return gseapy's table, with the leading edge as a list of names in ``genes``."""
    import gseapy

    codes = _codes([str(gene) for gene in ranked.index])
    names = {code: gene for gene, code in codes.items()}
    analysis = gseapy.Prerank(
        rnk=pd.Series(ranked.to_numpy(), index=list(names)),
        gene_sets={name: [codes[gene] for gene in members] for name, members in sets.items()},
        outdir=None,
        no_plot=True,
        min_size=1,
        max_size=len(ranked),
        permutation_num=N_RANDOM,
        method="multilevel",
        ascending=None,  # in order already, ties by name
        threads=1,
        seed=seed,
    )
    # it says on stderr that ties come in an arbitrary order; here they come by name
    logging.getLogger(f"prerank{id(analysis)}").setLevel(logging.ERROR)
    analysis.run()
    table: pd.DataFrame = analysis.res2d
    edges = [str(edge).split(";") for edge in table["Lead_genes"]]
    return table.assign(genes=pd.Series([[names[code] for code in edge] for edge in edges]))
