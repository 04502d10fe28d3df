"""The suggested cancer type: right, wrong, withheld, and what becomes of types it never saw.

    PYTHONPATH=. python benchmarks/cancer_type.py --data ../shared/data

Prints the tables of the shipped card (measured by ``python -m resvae_core cancer-type``), and asks
the shipped model about the demo patients and the real uploads, the latter also a model that was
fitted without their patients.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pandas as pd

from resvae_core.config import ASSETS
from resvae_core.data.type_tumours import TypeTumours, load_type_tumours
from resvae_core.data.uploads import read_expression
from resvae_core.models.cancer_type import CancerTypeModel, fit_cancer_type_model
from resvae_core.registry.cancer_type import load_cancer_type_card, load_cancer_type_model
from resvae_core.tables import Expression


def main() -> None:
    """Print the tables of `cancer_type.md`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    for name, rows in load_cancer_type_card()["figures"].items():
        print(f"\n## {name}\n")
        print_table(pd.DataFrame(rows))
    model = load_cancer_type_model()
    print("\n## Demo and uploads\n")
    demo = read_expression(ASSETS / "demo" / "patients.csv.gz").expression
    uploads = {
        p.name: read_expression(p).expression for p in sorted((folder / "uploads").iterdir())
    }
    print_table(pd.concat([asked(model, "demo", demo), *_uploads(model, uploads)]))
    tumours = load_type_tumours(folder)
    names = {name for expression in uploads.values() for name in expression.samples}
    blind = fit_cancer_type_model(without(tumours, names))
    print("\n## Uploads, by a model fitted without their patients\n")
    print_table(pd.concat(_uploads(blind, uploads)))
    print_speed(model, tumours["LUAD"].expression)


def _uploads(model: CancerTypeModel, uploads: Mapping[str, Expression]) -> list[pd.DataFrame]:
    return [asked(model, name, expression) for name, expression in uploads.items()]


def asked(model: CancerTypeModel, name: str, expression: Expression) -> pd.DataFrame:
    """Return the answers, with the name of their file."""
    return model.suggest(expression).drop(columns="note").assign(file=name)


def without(tumours: Mapping[str, TypeTumours], names: set[str]) -> dict[str, TypeTumours]:
    """Return the tumours of all other patients."""
    return {
        code: replace(
            group,
            expression=Expression(group.expression.values.drop(index=list(names), errors="ignore")),
        )
        for code, group in tumours.items()
    }


def print_speed(model: CancerTypeModel, expression: Expression) -> None:
    """Print the time to load the model, and to ask about one sample and about many."""
    started = time.perf_counter()
    load_cancer_type_model()
    loaded = time.perf_counter()
    model.suggest(expression.select(expression.samples[:1]))
    one = time.perf_counter()
    model.suggest(expression)
    many = time.perf_counter()
    print(
        f"\nLoading {1e3 * (loaded - started):.0f} ms, one sample {1e3 * (one - loaded):.0f} ms, "
        f"{len(expression.samples)} samples {1e3 * (many - one):.0f} ms."
    )


def print_table(table: pd.DataFrame) -> None:
    """Print a Markdown table."""
    print("| " + " | ".join(map(str, table.columns)) + " |")
    print("|" + "---|" * len(table.columns))
    for row in table.itertuples(index=False):
        print("| " + " | ".join(_cell(value) for value in row) + " |")


def _cell(value: object) -> str:
    if value is None or value != value:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
