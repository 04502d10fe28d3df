"""How much predictions differ between read counts and TPM of one patient.

PYTHONPATH=. python benchmarks/counts_against_tpm.py --data ../shared/data
"""

from __future__ import annotations

import argparse
from pathlib import Path

from resvae_core.data.uploads import read_expression
from resvae_core.registry.store import load_model_set

FORMS = ("1_patient_tpm_symbols.csv", "3_patients_counts_ensembl.tsv.gz")


def main() -> None:
    """Print the differences of probability over 72 drugs for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    folder = parser.parse_args().data / "uploads"
    model_set = load_model_set()
    print("| patient of | model | median difference | largest |\n|---|---|---|---|")
    for cancer in ("gbm", "luad"):
        tpm, counts = (read_expression(folder / f"{cancer}_{form}").expression for form in FORMS)
        counts = counts.select(tpm.samples)
        for kind in model_set.learned:
            one, other = (
                model_set.predict(expression, models=[kind]).table["probability"]
                for expression in (tpm, counts)
            )
            gap = (one - other).abs()
            print(f"| {cancer.upper()} | {kind} | {gap.median():.4f} | {gap.max():.4f} |")


if __name__ == "__main__":
    main()
