"""Which kind of gene names a file uses, and which genes they are."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from resvae_core.data.excel_dates import AMBIGUOUS, gene_of_serial
from resvae_core.data.genes import GeneTable
from resvae_core.data.uploads.record import Detection, FileIdType, Issue
from resvae_core.data.uploads.table import shorten
from resvae_core.errors import GeneCoverageError

COUNTING_ROWS = re.compile(
    r"^(N_(unmapped|multimapping|noFeature|ambiguous)"
    r"|__(no_feature|ambiguous|too_low_aQual|not_aligned|alignment_not_unique))$"
)
"""Rows in which STAR and HTSeq count the reads that belong to no gene."""

_FAMILY: dict[str, FileIdType] = {
    "symbol": "symbol",
    "previous_symbol": "symbol",
    "alias": "symbol",
    "excel_date": "symbol",
    "ensembl": "ensembl",
    "entrez": "entrez",
}
_NAMES = {"symbol": "gene symbols", "ensembl": "Ensembl gene ids", "entrez": "Entrez gene ids"}
_RANK = {
    "ensembl": 0,
    "entrez": 0,
    "symbol": 1,
    "previous_symbol": 2,
    "alias": 3,
    "excel_date": 4,
    "unknown": 9,
}
# bare numbers are weak evidence: patients are numbered too
_EVIDENCE = {
    "symbol": 1.0,
    "previous_symbol": 1.0,
    "ensembl": 1.0,
    "alias": 0.5,
    "excel_date": 0.5,
    "entrez": 0.3,
    "unknown": 0.0,
}
_INTEGER = re.compile(r"^\d+(\.0)?$")
_COMPOSITE = re.compile(r"^\s*([^|(\[]+?)\s*(?:\||\(|\[)\s*([^|)\]]+?)\s*(?:[)\]]|\|.*)?$")
_UNDERSCORED = re.compile(r"^(ENSG\d{11}(?:\.\d+)?)_(.+)$")

_FOREIGN_IDS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("mouse genes (ENSMUSG…)", re.compile(r"^ENSMUSG\d+")),
    ("rat genes (ENSRNOG…)", re.compile(r"^ENSRNOG\d+")),
    ("zebrafish genes (ENSDARG…)", re.compile(r"^ENSDARG\d+")),
    ("dog genes (ENSCAFG…)", re.compile(r"^ENSCAFG\d+")),
    ("pig genes (ENSSSCG…)", re.compile(r"^ENSSSCG\d+")),
    ("yeast genes", re.compile(r"^Y[A-P][LR]\d{3}[WC]")),
    ("fly genes (FBgn…)", re.compile(r"^FBgn\d+")),
    ("human transcripts (ENST…), not genes", re.compile(r"^ENST\d+")),
    ("human proteins (ENSP…), not genes", re.compile(r"^ENSP\d+")),
    ("RefSeq transcripts (NM_…), not genes", re.compile(r"^[NX][MR]_\d+")),
    ("microarray probes (…_at)", re.compile(r"_at$")),
    ("microarray probes (ILMN_…)", re.compile(r"^ILMN_\d+")),
    ("methylation probes (cg…)", re.compile(r"^cg\d{8}")),
    ("microRNAs (hsa-…)", re.compile(r"^hsa-(mir|let)", re.IGNORECASE)),
)
_TITLE = re.compile(r"^[A-Z][a-z0-9-]*[a-z][a-z0-9-]*$")
_LOWER = re.compile(r"^[a-z][a-z0-9.-]*$")


@dataclass(frozen=True)
class Identified:
    """The genes behind the names of a file.

    Parameters
    ----------
    rows
        (n_names,) row of the gene table, −1 where unknown.
    id_types
        (n_names,) how each name was understood.
    kept
        (n_names,) False where a name's values may not add to its symbol: unknown names, genes
        without a symbol, and names that lost to a better one for the same gene.
    detection
        Kind of names in the file.
    issues
        What a reader should know about them.
    dropped
        Reason → how many names.
    """

    rows: npt.NDArray[np.int64]
    id_types: npt.NDArray[np.object_]
    kept: npt.NDArray[np.bool_]
    detection: Detection
    issues: tuple[Issue, ...]
    dropped: dict[str, int]


def evidence(names: Sequence[str], genes: GeneTable) -> float:
    """Return how strongly a list of names looks like genes: their number times their share.

    Parameters
    ----------
    names
        (n,) names from a row or a column of a table.
    genes
        The gene table.
    """
    filled = [name for name in names if name]
    if not filled or _counts_up(filled):
        return 0.0
    found = locate(filled, genes)["id_type"].map(_EVIDENCE).sum()
    return float(found) ** 2 / len(filled)


def locate(names: Sequence[str], genes: GeneTable) -> pd.DataFrame:
    """Find genes by name, taking names such as ``TP53 (7157)`` or ``A1BG|1`` apart.

    Parameters
    ----------
    names
        (n,) names as they stand in a file.
    genes
        The gene table.

    Returns
    -------
    pandas.DataFrame
        (n, 2) as `GeneTable.locate`.
    """
    found = genes.locate(names)
    unknown = np.flatnonzero(found["row"].to_numpy() < 0)
    parts = [(i, split) for i in unknown.tolist() if (split := _parts(str(names[i])))]
    rows, kinds = found["row"].to_numpy().copy(), found["id_type"].to_numpy(object).copy()
    places = np.array([i for i, _ in parts], dtype=np.int64)
    for side in (1, 0):  # the first part is the better one, so it comes last
        some = genes.locate([split[side] for _, split in parts])
        known = some["row"].to_numpy() >= 0
        rows[places[known]] = some["row"].to_numpy()[known]
        kinds[places[known]] = some["id_type"].to_numpy(object)[known]
    return pd.DataFrame({"row": rows, "id_type": kinds})


def _parts(name: str) -> tuple[str, str] | None:
    match = _COMPOSITE.match(name) or _UNDERSCORED.match(name)
    return (match[1], match[2]) if match else None


def _counts_up(names: Sequence[str]) -> bool:
    """Tell whether names are 0, 1, 2 …: row numbers, not Entrez ids."""
    if len(names) < 3 or not all(_INTEGER.match(name) for name in names):
        return False
    numbers = sorted(int(float(name)) for name in names)
    return numbers[0] in (0, 1) and numbers[-1] - numbers[0] + 1 == len(numbers)


def identify(names: Sequence[str], genes: GeneTable, told: FileIdType | None) -> Identified:
    """Find the gene behind every name of a file.

    Parameters
    ----------
    names
        (n_names,) gene names as in the file, repeated as they may be.
    genes
        The gene table.
    told
        Kind of names, where the user knows it. Ensembl ids are known in any case; bare numbers are
        Entrez ids only in a file of Entrez ids.

    Raises
    ------
    GeneCoverageError
        If no name is a human gene (saying what the names look like instead), or only one is.
    """
    found = locate(names, genes)
    detection = _detect(found["id_type"], told)
    if detection.value == "entrez":
        rows, kinds = found["row"].to_numpy(np.int64), found["id_type"].to_numpy(object)
    else:
        rows, kinds = _without_entrez(names, found, genes)
    _require_genes(names, rows)
    rows, kinds, issues = _settle_dates(names, rows, kinds, genes)
    kept, dropped = _choose(rows, kinds, genes)
    issues += _describe(names, rows, kinds, dropped)
    return Identified(rows, kinds, kept, detection, tuple(issues), dropped)


def _detect(kinds: pd.Series[str], told: FileIdType | None) -> Detection:
    families = Counter(kinds.map(_FAMILY).dropna())
    if told:
        share = families[told] / max(1, families.total())
        reason = f"Chosen by hand; {share:.0%} of the known names are {_NAMES[told]}."
        return Detection(told, 1.0, reason, overridden=True)
    if not families:
        return Detection("symbol", 0.0, "No name is known.")
    weighted = {kind: n * (0.3 if kind == "entrez" else 1) for kind, n in families.items()}
    winner = max(weighted, key=lambda kind: (weighted[kind], kind))
    share = families[winner] / families.total()
    reason = f"{families[winner]:,} of {families.total():,} known names are {_NAMES[winner]}."
    return Detection(winner, round(share, 3), reason)


def _without_entrez(
    names: Sequence[str], found: pd.DataFrame, genes: GeneTable
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_]]:
    """Read bare numbers among symbols as a spreadsheet's day numbers, never as Entrez ids."""
    rows = found["row"].to_numpy(np.int64).copy()
    kinds = found["id_type"].to_numpy(object).copy()
    numbers = kinds == "entrez"
    rows[numbers], kinds[numbers] = -1, "unknown"
    for i in np.flatnonzero(rows < 0).tolist():
        if symbol := gene_of_serial(str(names[i])):
            rows[i], kinds[i] = int(genes.locate([symbol])["row"].iloc[0]), "excel_date"
    return rows, kinds


def _require_genes(names: Sequence[str], rows: npt.NDArray[np.int64]) -> None:
    """Refuse names that are no human genes, or one gene only."""
    if _counts_up(names):
        raise GeneCoverageError(
            f"The names count up from {names[0]}: row numbers, not genes; "
            "symbols, Ensembl gene ids "
            "(ENSG…) or Entrez ids were expected.",
            remedy="Put gene names in the first column or in the header.",
        )
    n_known = len(np.unique(rows[rows >= 0]))
    foreign = foreign_names([name for name, row in zip(names, rows, strict=True) if row < 0])
    if not n_known or (foreign and foreign[1] > 3 * n_known):
        raise _no_genes(names)
    if n_known == 1:
        known = next(name for name, row in zip(names, rows, strict=True) if row >= 0)
        raise GeneCoverageError(
            f"The file holds one known human gene ({shorten(known)}, {len(names)} "
            "names in all); an "
            "expression profile of many genes was expected.",
            remedy="Upload the whole profile, with one row or column for each gene.",
        )


def _no_genes(names: Sequence[str]) -> GeneCoverageError:
    """Return the error that says what the names look like."""
    foreign = foreign_names(names)
    examples = ", ".join(shorten(name) for name in list(names)[:3])
    if foreign:
        return GeneCoverageError(
            f"The names look like {foreign[0]} ({examples} …); human genes were expected: symbols, "
            "Ensembl gene ids (ENSG…) or Entrez ids.",
            remedy=_remedy(foreign[0]),
        )
    return GeneCoverageError(
        f"No name in the first row or column is a known human gene (found {examples} …); symbols, "
        "Ensembl gene ids (ENSG…) or Entrez ids were expected.",
        remedy="Put gene names in the first column or in the header, one kind of name for all.",
    )


def _remedy(what: str) -> str:
    if "not genes" in what:
        return "Sum transcripts to genes (tximport does) and upload the gene table."
    if "probes" in what:
        return "Only RNA-seq is read: microarray and methylation values cannot be converted to TPM."
    if "lower case" in what:
        return "If the sample is human, write symbols in upper case (TP53); else it cannot be read."
    return "Only human samples can be read: models are trained on human tumour cell lines."


def foreign_names(names: Sequence[str]) -> tuple[str, int] | None:
    """Return what most of the names look like, and how many do, if they are not human genes.

    Parameters
    ----------
    names
        Names that are no known human gene.
    """
    for what, pattern in _FOREIGN_IDS:
        n = sum(bool(pattern.search(name)) for name in names)
        if n and n >= 0.3 * len(names):
            return what, n
    for what, pattern in (
        ("mouse or rat genes (title-case symbols such as Trp53)", _TITLE),
        ("symbols in lower case, as zebrafish genes are written", _LOWER),
    ):
        alike = [name for name in names if pattern.match(name)]
        if len(alike) >= 0.3 * len(names) and _are_orthologs(alike):
            return what, len(alike)
    return None


def _are_orthologs(names: Sequence[str]) -> bool:
    """Tell whether symbols would be human ones in upper case."""
    from resvae_core.data.genes import load_gene_table

    kinds = load_gene_table().locate([name.upper() for name in names])["id_type"]
    return bool(kinds.isin(["symbol", "previous_symbol"]).mean() > 0.4)


def _settle_dates(
    names: Sequence[str],
    rows: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.object_],
    genes: GeneTable,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.object_], list[Issue]]:
    """Report dates, and leave those unknown that stand for two genes of this file."""
    dates = np.flatnonzero(kinds == "excel_date")
    if not len(dates):
        return rows, kinds, []
    symbols = [str(genes.symbols[rows[i]]) for i in dates]
    repeated = {s for s, n in Counter(symbols).items() if n > 1}
    rows, kinds = rows.copy(), kinds.copy()
    for i, symbol in zip(dates, symbols, strict=True):
        if symbol in repeated and symbol in AMBIGUOUS:
            rows[i], kinds[i] = -1, "unknown"
    examples = ", ".join(
        f"{shorten(names[i])} → {s}" for i, s in zip(dates[:3], symbols, strict=False)
    )
    issues = [
        Issue(
            "warning",
            "gene names",
            f"gene names turned into dates by a spreadsheet: {len(dates)} ({examples})",
            "gene symbols",
            "They were turned back; format the column as text before you paste gene names.",
        )
    ]
    present = set(genes.symbols[rows[(rows >= 0) & (kinds != "excel_date")]])
    for symbol in sorted(set(symbols) & set(AMBIGUOUS)):
        if AMBIGUOUS[symbol] not in present:
            issues.append(_ambiguous_date(symbol, symbol in repeated))
    return rows, kinds, issues


def _ambiguous_date(symbol: str, repeated: bool) -> Issue:
    other = AMBIGUOUS[symbol]
    taken = "both rows were left out" if repeated else f"it was read as {symbol}"
    return Issue(
        "warning",
        "gene names",
        f"the date for {symbol} may also have been {other}; {taken}",
        "a name that stands for one gene",
        f"Write {symbol} or {other} in the file if either matters.",
    )


def _choose(
    rows: npt.NDArray[np.int64], kinds: npt.NDArray[np.object_], genes: GeneTable
) -> tuple[npt.NDArray[np.bool_], dict[str, int]]:
    """Keep the best names of each symbol: its own Ensembl gene, its current symbol.

    The same name twice is kept twice, for its values are then added; another name of lower rank is
    left out, for it mostly stands for another gene that was merged or renamed since.
    """
    known = rows >= 0
    symbols = np.where(known, genes.symbols[rows], "")
    rank = np.array([_RANK[kind] for kind in kinds], dtype=float)
    rank += np.where(known & ~genes.primary[rows], 0.5, 0.0)
    named = pd.DataFrame({"symbol": symbols, "rank": rank})
    best = named.groupby("symbol")["rank"].transform("min").to_numpy()
    kept = known & (symbols != "") & (rank == best)
    dropped = {
        "names not known": int((~known).sum()),
        "genes without a symbol": int((known & (symbols == "")).sum()),
        "second names of a gene": int((known & (symbols != "") & ~kept).sum()),
    }
    return kept, {reason: n for reason, n in dropped.items() if n}


def _describe(
    names: Sequence[str],
    rows: npt.NDArray[np.int64],
    kinds: npt.NDArray[np.object_],
    dropped: dict[str, int],
) -> list[Issue]:
    issues = []
    unknown = [name for name, row in zip(names, rows, strict=True) if row < 0]
    if unknown:
        share = len(unknown) / len(names)
        foreign = foreign_names(unknown)
        examples = ", ".join(shorten(name) for name in unknown[:3])
        issues.append(
            Issue(
                "warning" if share > 0.2 else "info",
                "gene names",
                f"names not known: {len(unknown):,} of {len(names):,} ({examples} …)"
                + (f"; they look like {foreign[0]}: {foreign[1]:,}" if foreign else ""),
                "names of human genes",
                "They were left out; check them if genes you need are among them.",
            )
        )
    renamed = int(np.isin(kinds, ["previous_symbol", "alias"]).sum())
    if renamed:
        issues.append(
            Issue(
                "info",
                "gene names",
                f"previous symbols or aliases (such as CARS for CARS1): {renamed:,}",
                "current symbols",
                "They were replaced by the current symbols; nothing to do.",
            )
        )
    second = dropped.get("second names of a gene")
    if second:
        issues.append(
            Issue(
                "info",
                "gene names",
                f"names of genes that stand in the file under a better name too: {second:,}",
                "one name for each gene",
                "Only the better name was used; nothing to do.",
            )
        )
    return issues
