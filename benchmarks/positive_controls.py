"""Known pairs of drug and gene, looked for in the shipped models and on the cell lines.

PYTHONPATH=. python benchmarks/positive_controls.py --data ../shared/data
"""

from __future__ import annotations

import argparse
from pathlib import Path

import pandas as pd
from tqdm import tqdm

from resvae_core.compute import one_thread
from resvae_core.data.screens import load_training_set
from resvae_core.explain.positive_controls import ATTRIBUTION, passed_pairs, positive_controls
from resvae_core.models.ensemble import Ensemble
from resvae_core.registry.store import load_model_set

HEADER = (
    "| drug | gene | measure | effect | rank | of genes | top share | direction | expected "
    "| passes |"
)


def main() -> None:
    """Print the table in Markdown, and write it whole where a file is named."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, help="CSV of every row, each model's attribution too")
    arguments = parser.parse_args()
    model_set = load_model_set()
    with tqdm(desc="cell lines") as bar, one_thread():

        def show(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        training_set = load_training_set(arguments.data)
        table = positive_controls(model_set, training_set, arguments.data, show)
    if arguments.out:
        table.to_csv(arguments.out, index=False, float_format="%.6g")
    print(HEADER + "\n" + "|---" * 10 + "|")
    for _, row in table[table["model"].isin(["", Ensemble.kind])].iterrows():
        print(line(row))
    print("\nAttribution by model, top share:\n")
    print(by_model(table))
    pairs = passed_pairs(table, model_set.genes)
    missed = pairs[~pairs["passes"]]
    print(f"\n{pairs['passes'].sum()} of {len(pairs)} pairs whose gene the models read are found.")
    for _, pair in pairs[pairs["passes"]].iterrows():
        print(f"- {pair['drug']}, {pair['gene']}: {pair['measures']}")
    print("Missed: " + "; ".join(f"{a}, {b}" for a, b in missed[["drug", "gene"]].to_numpy()))


def line(row: pd.Series) -> str:
    """Return one row of the table in Markdown."""
    if row["why_not_assessable"]:
        return f"| {row['drug']} | {row['gene']} | {row['why_not_assessable']} |" + " – |" * 7
    cells = [
        *(row["drug"], row["gene"], row["measure"], f"{row['effect']:+.3f}"),
        *(f"{row['rank']:.0f}", f"{row['n_genes']:.0f}", f"{row['top_share']:.1%}"),
        *(row["direction"], row["expected_direction"], "yes" if row["passes"] else "no"),
    ]
    return "| " + " | ".join(cells) + " |"


def by_model(table: pd.DataFrame) -> str:
    """Return the top share of each attributed pair by model; bold where it passes."""
    rows = table[table["measure"] == ATTRIBUTION]
    kinds = list(dict.fromkeys(rows["model"]))
    lines = ["| drug | gene | " + " | ".join(kinds) + " |", "|---" * (len(kinds) + 2) + "|"]
    for (drug, gene), pair in rows.groupby(["drug", "gene"], sort=False):
        shares = [
            f"**{share:.1%}**" if passes else f"{share:.1%}"
            for share, passes in zip(pair["top_share"], pair["passes"], strict=True)
        ]
        lines.append(f"| {drug} | {gene} | " + " | ".join(shares) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
