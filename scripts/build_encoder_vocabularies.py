"""Build the gene lists of the official encoders from the development data.

Run ``python scripts/build_encoder_vocabularies.py --data ../shared/data``. What the tables hold,
and where it comes from, is written in ``assets/catalog/encoders.md``.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import pandas as pd

from resvae_core.config import CATALOG

GENEFORMER = {"v1": "V1_{}_gc30M.json", "v2": "V2_{}_gc104M.json"}


def main() -> None:
    """Write the three tables and print their sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="folder of the development data")
    parser.add_argument("--out", type=Path, default=CATALOG)
    arguments = parser.parse_args()
    encoders = arguments.data / "encoders"
    write(scfoundation_genes(encoders), arguments.out / "scfoundation_genes.parquet")
    for version in GENEFORMER:
        table = geneformer_tokens(encoders, version)
        write(table, arguments.out / f"geneformer_tokens_{version}.parquet")


def scfoundation_genes(encoders: Path) -> pd.DataFrame:
    """Return (19,264, 1): the name of each gene, in the order of the network's positions."""
    table = pd.read_csv(
        encoders / "scfoundation" / "OS_scRNA_gene_index.19264.tsv", sep="\t", keep_default_na=False
    )
    if table["index"].tolist() != list(range(len(table))):
        raise SystemExit("The gene order of scFoundation is not 0, 1, 2 …")
    return table[["gene_name"]].rename(columns={"gene_name": "name"})


def geneformer_tokens(encoders: Path, version: str) -> pd.DataFrame:
    """Return (n_genes, 3): Ensembl id, token and non-zero median of each gene with a token."""
    tokens, medians = (
        json.loads((encoders / "geneformer" / GENEFORMER[version].format(name)).read_text("utf-8"))
        for name in ("token_dictionary", "gene_median_dictionary")
    )
    rows = [(gene, token, medians[gene]) for gene, token in tokens.items() if gene[0] != "<"]
    return pd.DataFrame(rows, columns=["ensembl", "token", "median"]).astype({"token": "int32"})


def write(table: pd.DataFrame, path: Path) -> None:
    """Write a table and print its size."""
    table.to_parquet(path, compression="zstd", compression_level=19, index=False)
    print(f"{path.name}: {len(table):,} rows, {path.stat().st_size / 1e3:,.0f} kB")


if __name__ == "__main__":
    main()
