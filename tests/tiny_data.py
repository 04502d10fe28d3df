"""A synthetic installation of data, small enough to train a model set on in seconds.

    python -m tests.tiny_data FOLDER

Nothing in it was measured: lines, patients and responses are drawn from a generator with a fixed
seed, every name begins with SYN, and `README.md` in the folder says so. The files have the form of
the development data, so that whatever reads those reads these:

    RESVAE_DATA=FOLDER python -m resvae_core train --kind random_forest --seeds 1 --jobs 1

Each drug's response follows one or two genes and the tissue, so that a model beats the floors.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.data.cohorts import CLINICAL_FILE, FORM_FILES
from resvae_core.data.drugs import load_drugs
from resvae_core.data.screens import (
    CELL_LINES_FILE,
    EXPRESSION_FILE,
    LINES_FILE,
    RESPONSE_FILE,
)

SEED = 7
N_PATIENTS = 30
_SYMBOLS = """
EGFR ERBB2 BRAF TP53 MDM2 BCL2 KRAS MYC PTEN CDKN2A RB1 ABL2 ACVR1 AFF1 APOBEC3B ARHGAP5 ARHGEF10
ARHGEF12 ATM BCL3 BCL6 BCL7A BCL9 BCL9L BCOR BCR BMPR1A BTG1 CASP8 CCNE1 CDK6 CDKN1A CDKN2C CHST11
CNTRL CREB3L2 DDB2 DNMT3A ELF4 ERC1 ETV4 ETV5 ETV6 EXT1 FAS FGFR4 FNBP1 FOXP1 FSTL3 GATA2 GNA11
GNAQ GPHN HIP1 IGF2BP2 IL6ST ITGAV JAK1 JUN KLF4 KLF6 LPP MALT1 MAP3K13 MGMT MLF1 MLH1 MLLT11 MLLT3
MSI2 MYD88 MYO5A NAB2 NDRG1 NF2 NFKB2 NOTCH1 NOTCH2 PIK3R1 PIM1
"""
GENES = tuple(_SYMBOLS.split())
"""Genes of the panel, which the shipped encoders know as well."""

# TCGA label (none for most leukaemias), GDSC's first tissue descriptor, number of lines
TISSUES: tuple[tuple[str | None, str, int], ...] = (
    ("LUAD", "lung_NSCLC", 24),
    ("BRCA", "breast", 22),
    ("SKCM", "skin", 22),
    ("GBM", "nervous_system", 22),
    ("COAD/READ", "large_intestine", 22),
    (None, "leukemia", 22),
    ("OV", "urogenital_system", 10),
)
# drug, genes that make a line resistant (+1) or sensitive (-1)
EFFECTS: dict[str, dict[str, float]] = {
    "Cisplatin": {"MDM2": -1.0, "CDKN1A": 0.5},
    "Doxorubicin": {"MYC": -1.0, "NOTCH1": 0.5},
    "Gemcitabine": {"KRAS": 1.0, "BCL2": -0.5},
    "Erlotinib": {"EGFR": -1.2},
    "Lapatinib": {"ERBB2": -1.2},
    "Trametinib": {"BRAF": -1.0, "RB1": 0.5},
}
SENSITIVE_SHARE = 0.22
MEASURED_SHARE = 0.92
COHORTS = {"LUAD": 0, "GBM": 3}
"""Cancer types with patients, and which tissue above they resemble."""
README = """# Synthetic data

Drawn from a generator (`tests/tiny_data.py`): no cell line, patient or response here is real, and
no figure that comes from them is a finding.
"""

Array = NDArray[np.float64]


def install_tiny_data(folder: Path) -> Path:
    """Write a synthetic installation of data and return its folder.

    Parameters
    ----------
    folder
        Made where it does not exist. The same bytes are written each time.

    Returns
    -------
    Path
        `folder`: 144 cell lines × 80 genes, six drugs measured on about 92 % of the lines each,
        and two cohorts (LUAD, GBM) of 30 patients with clinical records.
    """
    rng = np.random.default_rng(SEED)
    for name in ("gdsc", "tcga"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    tissue_means = rng.normal(4.5, 0.9, (len(TISSUES), len(GENES)))
    lines = _lines()
    values = _profiles(rng, tissue_means[lines["group"]])
    _write_lines(folder, lines, values)
    _write_response(folder, rng, lines, values)
    _write_cohorts(folder, rng, tissue_means)
    (folder / "README.md").write_text(README, encoding="utf-8")
    return folder


def _lines() -> pd.DataFrame:
    group = [number for number, (_, _, n) in enumerate(TISSUES) for _ in range(n)]
    order = np.random.default_rng(SEED).permutation(len(group))
    group = [group[place] for place in order]
    number = range(1, len(group) + 1)
    return pd.DataFrame(
        {
            "depmap_id": [f"SYN-{n:06d}" for n in number],
            "cosmic_id": pd.array([9_000_000 + n for n in number], dtype="Int64"),
            "expr_source": "synthetic",
            "cell_line_name": [f"SYN-{n}" for n in number],
            "tcga": [TISSUES[g][0] for g in group],
            "tissue1": [TISSUES[g][1] for g in group],
            "group": group,
        }
    )


def _profiles(rng: np.random.Generator, mean: Array) -> pd.DataFrame:
    """Draw (n, n_genes) profiles in log2(TPM + 1): a mean, two shared directions, and noise."""
    shared = rng.normal(0, 1, (len(mean), 2)) @ rng.normal(0, 0.3, (2, mean.shape[1]))
    drawn = mean + shared + rng.normal(0, 1.1, mean.shape)
    return pd.DataFrame(drawn.clip(min=0).astype(np.float32), columns=list(GENES))


def _write_lines(folder: Path, lines: pd.DataFrame, values: pd.DataFrame) -> None:
    indexed = values.set_axis(pd.Index(lines["depmap_id"], name="depmap_id"))
    indexed.to_parquet(folder / EXPRESSION_FILE)
    columns = ["depmap_id", "cosmic_id", "expr_source", "cell_line_name", "tcga"]
    lines[columns].to_parquet(folder / LINES_FILE)
    described = lines.assign(cosmic_id=lines["cosmic_id"].astype("int64"), tcga_label=lines["tcga"])
    columns = ["cosmic_id", "cell_line_name", "tissue1", "tcga_label", "depmap_id", "tcga"]
    described[columns].to_parquet(folder / CELL_LINES_FILE)


def _write_response(
    folder: Path, rng: np.random.Generator, lines: pd.DataFrame, values: pd.DataFrame
) -> None:
    z = (values - values.mean()) / values.std()
    catalogue = load_drugs()
    parts = []
    for name, effects in EFFECTS.items():
        drug = catalogue[name]
        effect = sum(weight * z[gene] for gene, weight in effects.items())
        tissue = rng.normal(0, 0.3, len(TISSUES))[lines["group"]]
        raw = np.asarray(effect, float) + tissue + rng.normal(0, 0.6, len(lines))
        # the share of sensitive lines is the same for every drug, whatever its threshold
        ln_ic50 = raw - np.quantile(raw, SENSITIVE_SHARE) + drug.threshold_ln_ic50
        table = pd.DataFrame(
            {
                "cosmic_id": lines["cosmic_id"].astype("int64"),
                "cell_line_name": lines["cell_line_name"],
                "drug_id": drug.drug_id,
                "drug_name": drug.name,
                "dataset": drug.screen,
                "ln_ic50": ln_ic50,
                "auc": 1 / (1 + np.exp(-(raw + 1))),
                "z_score": (raw - raw.mean()) / raw.std(),
                "max_conc": drug.top_dose_um,
                "source": "synthetic",
            }
        )
        parts.append(table[rng.random(len(table)) < MEASURED_SHARE])
    pd.concat(parts, ignore_index=True).to_parquet(folder / RESPONSE_FILE)


def _write_cohorts(folder: Path, rng: np.random.Generator, tissue_means: Array) -> None:
    records = []
    for code, group in COHORTS.items():
        # tumours lie beside the lines of their tissue, not among them
        mean = np.tile(tissue_means[group] + rng.normal(0, 0.4, len(GENES)), (N_PATIENTS, 1))
        names = pd.Index([f"SYN-{code}-{n:03d}" for n in range(1, N_PATIENTS + 1)], name="patient")
        values = _profiles(rng, mean).set_axis(names)
        values.to_parquet(folder / FORM_FILES["log2tpm"].format(code=code))
        records.append(_clinical(rng, code, values))
    pd.concat(records, ignore_index=True).to_parquet(folder / CLINICAL_FILE)


def _clinical(rng: np.random.Generator, code: str, values: pd.DataFrame) -> pd.DataFrame:
    """Draw clinical records in which high MYC shortens survival."""
    n = len(values)
    risk = ((values["MYC"] - values["MYC"].mean()) / values["MYC"].std()).to_numpy(float)
    survival = rng.exponential(900 * np.exp(-0.6 * risk)) + 1
    followed = rng.uniform(200, 2500, n)
    times = {
        "os": (np.minimum(survival, followed), survival <= followed),
        "pfi": (np.minimum(0.7 * survival, followed), 0.7 * survival <= followed),
    }
    times["dss"], times["dfi"] = times["os"], times["pfi"]
    stage = rng.choice(["I", "II", "III", "IV"], n)
    record = pd.DataFrame(
        {
            "patient": values.index.astype(str),
            "cohort": code,
            "age": rng.integers(40, 85, n).astype(float),
            "sex": rng.choice(["female", "male"], n),
            "stage": [f"Stage {name}" for name in stage],
            "grade": None,
            "stage_simple": stage,
            "vital_status": np.where(times["os"][1], "Dead", "Alive"),
            "histological_type": "synthetic",
            "Redaction": None,
            "radiation_therapy": rng.choice(["yes", "no"], n),
            "purity_CPE": rng.uniform(0.3, 0.95, n).round(3),
        }
    )
    for key, (time, event) in times.items():
        record[f"{key}_time_days"] = time.round()
        record[f"{key}_event"] = event.astype(float)
    return record


if __name__ == "__main__":
    install_tiny_data(Path(sys.argv[1]))
