"""What alignment to tumours changes: the ablation that cell lines cannot show.

    PYTHONPATH=. python benchmarks/alignment.py --data ../shared/data

Tumours are standardised with frozen moments of reference tumours ("aligned"). Here the same
tumours are also read with the cell lines' moments ("not aligned"), and both are held against the
share of resistant cell lines of the same cancer type. No response of a patient is read: which of
the two is right for patients, this cannot say.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.data.screens import load_training_set
from resvae_core.models.base import CELL_LINES, TUMOURS
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.store import load_model_set
from resvae_core.registry.training_run import load_tumours
from resvae_core.tables import Expression, Screen

HEADER = (
    "| cohort | model | mean P(resistant), aligned | not aligned | resistant share of lines of the "
    "type | median Spearman of the two over patients | pairs whose call differs |"
)


def main() -> None:
    """Print one row a cohort and model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data
    model_set, screen = load_model_set(), load_training_set(folder).screen
    print(HEADER + "\n" + "|---" * 7 + "|")
    for code, expression in load_tumours(folder).items():
        prevalence = resistant_share(screen, code)
        for kind in model_set.learned:
            aligned, raw = (table(model_set, expression, kind, r) for r in (TUMOURS, CELL_LINES))
            means = [wide(one).mean().mean() for one in (aligned, raw)]
            rho = wide(aligned).corrwith(wide(raw), method="spearman").median()
            differs = np.mean(aligned["call"].to_numpy() != raw["call"].to_numpy())
            cells = [f"{value:.2f}" for value in (*means, prevalence, rho, differs)]
            print(f"| {code} | {kind} | " + " | ".join(cells) + " |", flush=True)


def table(model_set: ModelSet, expression: Expression, kind: str, reference: str) -> pd.DataFrame:
    """Predict one model's rows; ``call`` as it were if every sample were in range."""
    forecast = model_set.predict(expression, models=[kind], reference=reference)
    rows = forecast.table
    threshold = model_set.threshold(kind)
    rows["call"] = np.select(
        [rows["lower"] >= threshold, rows["upper"] < threshold], ["resistant", "sensitive"], "open"
    )
    return rows


def wide(rows: pd.DataFrame) -> pd.DataFrame:
    """Return (n_patients, n_drugs) probabilities."""
    return rows.pivot(index="sample", columns="drug", values="probability")


def resistant_share(screen: Screen, code: str) -> float:
    """Return the mean over drugs of the share of resistant lines of a cancer type."""
    lines = screen.tissue == find_cancer_type(code).gdsc_tissue
    return float(screen.resistant[lines.to_numpy()].mean().mean())


if __name__ == "__main__":
    main()
