"""Build the gene table of the catalogue from the development data.

Run ``python scripts/build_gene_catalog.py --data ../shared/data``. What each column means, and
where it comes from, is written in ``assets/catalog/genes.md``.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from resvae_core.config import CATALOG

ENSEMBL = re.compile(r"^ENSG\d{11}$")
# names that are dates or bare numbers are read by rules of their own, never as aliases
NOT_AN_ALIAS = re.compile(r"^\d+(\.\d+)?$|^\d{1,2}-[A-Z]{3}$|^.$")
# what a table's header, or a missing value, is more likely to mean than a gene
ORDINARY_WORDS = frozenset(
    (
        *("NA", "NAN", "NULL", "NONE", "NIL", "TRUE", "FALSE", "ID", "IDS", "GENE", "GENES"),
        *("SYMBOL", "NAME", "AGE", "SEX", "RACE", "STAGE", "GRADE", "SAMPLE", "SAMPLES", "TUMOR"),
        *("TUMOUR", "NORMAL", "PATIENT", "TYPE", "TISSUE", "LENGTH", "START", "END", "STRAND"),
        *("CHR", "COUNT", "COUNTS", "TPM", "FPKM", "MEAN", "SUM", "TOTAL", "MEDIAN", "MIN", "MAX"),
        *("DATE", "TIME", "DAY", "YEAR", "STATUS", "GROUP", "CLASS"),
    )
)
PATCH = re.compile(r"PATCH|HSCHR|HG\d")


def main() -> None:
    """Build the table, write it, and print how many names of the data resolve."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the development data")
    parser.add_argument("--out", type=Path, default=CATALOG / "genes.parquet")
    arguments = parser.parse_args()
    table = build(arguments.data)
    table.to_parquet(arguments.out, compression="zstd", compression_level=19, index=False)
    size = arguments.out.stat().st_size / 1e6
    print(f"{len(table):,} genes, {int(table.primary.sum()):,} with a symbol, {size:.2f} MB")
    print_coverage(arguments.data)


def build(data: Path) -> pd.DataFrame:
    """Return the gene table: one row an Ensembl gene, see ``assets/catalog/genes.md``."""
    sources = read_sources(data)
    table = name_genes(sources)
    table["primary"] = choose_primary(table)
    table["entrez"] = unique_entrez(table)
    table = add_other_names(table, sources)
    return finish(table)


def read_sources(data: Path) -> dict[str, pd.DataFrame | dict[str, str]]:
    """Read the annotation and the four name lists."""
    folder = data / "encoders" / "geneformer"
    return {
        "annotation": pd.read_parquet(data / "tcga" / "gene_annotation.parquet"),
        "names_v2": read_names(folder / "V2_gene_name_id_dict_gc104M.json"),
        "names_v1": read_names(folder / "V1_gene_name_id_dict_gc30M.json"),
        "aliases": read_names(folder / "V2_ensembl_mapping_dict_gc104M.json"),
    }


def read_names(path: Path) -> dict[str, str]:
    """Read a dictionary of name → Ensembl id."""
    names: dict[str, str] = json.loads(path.read_text())
    return names


def name_genes(sources: dict) -> pd.DataFrame:
    """Give every Ensembl gene its newest symbol, or none where it never had one."""
    annotation = sources["annotation"].copy()
    length = annotation["exon_length_v22"]
    annotation["exon_length_v22"] = length.where(length > 0)
    newest = {i: n for n, i in sources["names_v2"].items() if not ENSEMBL.match(n)}
    extra = pd.DataFrame({"ensembl": sorted(set(newest) - set(annotation.ensembl))})
    table = pd.concat([annotation, extra], ignore_index=True)
    obsolete = {k: v for k, v in sources["aliases"].items() if ENSEMBL.match(k) and k != v}
    newest_of_successor = table.ensembl.map(obsolete).map(newest)
    table["symbol_annotation"] = table["symbol"]
    table["symbol"] = (
        table.ensembl.map(newest)
        .fillna(newest_of_successor)
        .fillna(table["symbol_annotation"])
        .fillna(table["symbol_grch37"])
    )
    table["newest"] = table.ensembl.map(newest).eq(table.symbol)
    return table


def choose_primary(table: pd.DataFrame) -> pd.Series:
    """Mark the one Ensembl gene a symbol stands for: measured, current, coding, best known."""
    rank = pd.DataFrame(
        {
            "symbol": table.symbol,
            "measured": table.exon_length_v22.notna(),
            "newest": table.newest,
            "coding": table.biotype.eq("protein_coding"),
            "entrez": table.entrez.notna(),
            "assembled": ~table.chr.fillna("PATCH").str.contains(PATCH),
            "length": table.exon_length_v22.fillna(0),
            "ensembl": table.ensembl,
        }
    ).dropna(subset=["symbol"])
    keys = ["measured", "newest", "coding", "entrez", "assembled", "length"]
    rank = rank.sort_values([*keys, "ensembl"], ascending=[False] * len(keys) + [True])
    return pd.Series(table.index.isin(rank.drop_duplicates("symbol").index), index=table.index)


def unique_entrez(table: pd.DataFrame) -> pd.Series:
    """Keep an Entrez id only where it stands for one symbol (a coding gene before any other)."""
    known = table[table.entrez.notna() & table.primary].copy()
    known["coding"] = known.biotype.eq("protein_coding")
    known = known.sort_values(["newest", "coding"], ascending=False)
    winners = known.drop_duplicates("entrez").index
    tied = known.groupby(["entrez", "newest", "coding"]).symbol.transform("nunique") > 1
    winners = winners.difference(known.index[tied])
    return table.entrez.where(table.index.isin(winners)).astype("Int32")


def add_other_names(table: pd.DataFrame, sources: dict) -> pd.DataFrame:
    """Add previous symbols, aliases and former Ensembl ids that stand for one gene only."""
    symbol_of = dict(zip(table.ensembl, table.symbol, strict=True))
    current = set(table.symbol.dropna())
    mentions: list[tuple[str, str]] = []
    for column in ("symbol_annotation", "symbol_grch37"):
        rows = table[table[column].notna() & table.primary]
        mentions += zip(rows[column], rows.symbol, strict=True)
    mentions += [(n, symbol_of.get(i)) for n, i in sources["names_v1"].items()]
    previous = unambiguous(mentions, taken=current)
    aliases = unambiguous(
        ((n, symbol_of.get(i)) for n, i in sources["aliases"].items() if not ENSEMBL.match(n)),
        taken={name.upper() for name in current | set(previous)},
    )
    known = set(table.ensembl)
    former = unambiguous(
        ((n, symbol_of.get(i)) for n, i in sources["aliases"].items() if ENSEMBL.match(n)),
        taken=known,
    )
    for column, names in (("previous", previous), ("aliases", aliases), ("former", former)):
        table[column] = gather(names, table)
    return table


def unambiguous(mentions: Iterable[tuple[str, str | None]], taken: set[str]) -> dict[str, str]:
    """Return name → symbol for the names that mean one symbol and no other gene's own name."""
    meanings: dict[str, set[str]] = {}
    for name, symbol in mentions:
        if symbol and name not in taken and is_name(name):
            meanings.setdefault(name, set()).add(symbol)
    return {name: symbols.pop() for name, symbols in meanings.items() if len(symbols) == 1}


def is_name(name: str) -> bool:
    """Tell whether a string can stand for a gene without being read as something else."""
    return not NOT_AN_ALIAS.match(name) and name.upper() not in ORDINARY_WORDS


def gather(names: dict[str, str], table: pd.DataFrame) -> pd.Series:
    """Return the names of each primary gene, joined by a bar."""
    grouped: dict[str, list[str]] = {}
    for name, symbol in sorted(names.items()):
        grouped.setdefault(symbol, []).append(name)
    joined = table.symbol.map({symbol: "|".join(found) for symbol, found in grouped.items()})
    return joined.where(table.primary).fillna("")


def finish(table: pd.DataFrame) -> pd.DataFrame:
    """Keep the columns of the catalogue, in the order of the symbols."""
    table = table.assign(
        exon_length=table.exon_length_v22.astype("Int32"),
        chromosome=table.chr.fillna("").astype("category"),
        biotype=table.biotype.fillna("").astype("category"),
        symbol=table.symbol.fillna(""),
    )
    columns = ["ensembl", "symbol", "primary", "entrez", "biotype", "chromosome", "exon_length"]
    columns += ["previous", "aliases", "former"]
    return table[columns].sort_values(["symbol", "ensembl"]).reset_index(drop=True)


def print_coverage(data: Path) -> None:
    """Print how many gene names of each data file the new table knows."""
    from resvae_core.data.genes import load_gene_table

    lists = {
        path: list(pd.read_parquet(data / path).columns)
        for path in (
            "gdsc/expression_panel.parquet",
            "gdsc/expression_merged.parquet",
            "tcga/LUAD_expression.parquet",
            "tcga/READ_expression.parquet",
        )
    }
    index = pd.read_csv(data / "encoders/scfoundation/OS_scRNA_gene_index.19264.tsv", sep="\t")
    lists["scFoundation"] = list(index.gene_name)
    for name, genes in lists.items():
        symbols = load_gene_table().resolve(genes).symbol
        print(
            f"{name}: {symbols.notna().sum():,} of {len(genes):,} known, "
            f"{symbols.dropna().duplicated().sum()} names share a gene with another"
        )


if __name__ == "__main__":
    main()
