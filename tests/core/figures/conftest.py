"""Small tables in the form that the core hands to figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

ROWS = [
    ("Erlotinib", "vae_ld", 0.35, 0.25, 0.60, "uncertain"),
    ("Erlotinib", "xgboost", 0.60, 0.50, 0.75, "uncertain"),
    ("Erlotinib", "elastic_net", 0.30, 0.20, 0.40, "sensitive"),
    ("Erlotinib", "ensemble", 0.45, 0.30, 0.60, "sensitive"),
    ("Erlotinib", "drug_tissue_mean", 0.70, 0.60, 0.80, "baseline"),
    ("Erlotinib", "drug_mean", 0.65, 0.60, 0.70, "baseline"),
    ("Cisplatin", "vae_ld", 0.92, 0.85, 0.97, "resistant"),
    ("Cisplatin", "xgboost", 0.80, 0.60, 0.90, "uncertain"),
    ("Cisplatin", "elastic_net", 0.90, 0.80, 0.95, "resistant"),
    ("Cisplatin", "ensemble", 0.88, 0.80, 0.95, "resistant"),
    ("Cisplatin", "drug_tissue_mean", 0.85, 0.75, 0.90, "baseline"),
    ("Cisplatin", "drug_mean", 0.86, 0.80, 0.90, "baseline"),
    ("Docetaxel", "vae_ld", 0.50, 0.10, 0.90, "not assessable"),
    ("Docetaxel", "xgboost", 0.50, 0.10, 0.90, "not assessable"),
    ("Docetaxel", "elastic_net", np.nan, np.nan, np.nan, "not assessable"),
    ("Docetaxel", "ensemble", 0.50, 0.10, 0.90, "not assessable"),
    ("Docetaxel", "drug_tissue_mean", 0.80, 0.70, 0.90, "baseline"),
    ("Docetaxel", "drug_mean", 0.80, 0.70, 0.90, "baseline"),
]
LIMITS = {"vae_ld": 0.70, "xgboost": 0.65, "elastic_net": 0.70, "ensemble": 0.72}


@pytest.fixture
def limits() -> dict[str, float]:
    return LIMITS


@pytest.fixture
def forecast() -> pd.DataFrame:
    columns = ["drug", "model", "probability", "lower", "upper", "call"]
    table = pd.DataFrame(ROWS, columns=columns)
    return table.assign(sample="P1", range="in range", note="", conformal="both")


@pytest.fixture
def attribution() -> pd.DataFrame:
    generator = np.random.default_rng(3)
    parts = generator.normal(0, 0.2, 40)
    return pd.DataFrame(
        {
            "sample": "P1",
            "gene": [f"GENE{n}" for n in range(40)],
            "value": generator.uniform(0, 9, 40),
            "attribution": parts,
            "base": 1.0,
            "score": 1.0 + parts.sum(),
            "unit": "log-odds of resistance",
        }
    )


@pytest.fixture
def performance() -> pd.DataFrame:
    split = "leave_cell_line_out"
    rows = [
        ("elastic_net", split, "roc_auc", 0.79, 0.78, 0.80),
        ("elastic_net", split, "within_tissue_roc_auc", 0.63, 0.62, 0.64),
        ("vae_ld", split, "roc_auc", 0.80, 0.79, 0.81),
        ("vae_ld", split, "within_tissue_roc_auc", 0.62, 0.61, 0.63),
        ("drug_tissue_mean", split, "roc_auc", 0.75, 0.74, 0.76),
        ("drug_tissue_mean", split, "within_tissue_roc_auc", np.nan, np.nan, np.nan),
        ("vae_ld", "leave_tissue_out", "roc_auc", 0.70, 0.65, 0.75),
    ]
    return pd.DataFrame(rows, columns=["model", "split", "metric", "mean", "lower", "upper"])


@pytest.fixture
def bins() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["vae_ld"] * 3 + ["xgboost"] * 3,
            "predicted": [0.2, 0.5, 0.8] * 2,
            "observed": [0.2, 0.5, 0.8, 0.3, 0.5, 0.7],
            "n": [10, 20, 10] * 2,
        }
    )


@pytest.fixture
def tests() -> pd.DataFrame:
    rows = [
        ("ensemble", "roc_auc", 0.020, 0.010, 0.030, 0.001),
        ("vae_ld", "roc_auc", 0.005, -0.010, 0.020, 0.400),
        ("xgboost", "roc_auc", -0.020, -0.030, -0.010, 0.010),
        ("ensemble", "brier", -0.010, -0.015, -0.005, 0.020),
        ("vae_ld", "brier", 0.010, 0.005, 0.015, 0.020),
    ]
    columns = ["model", "metric", "difference", "lower", "upper", "p_holm"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def covered() -> pd.DataFrame:
    rows = [
        ("(all)", "resistant", 0.90, 0.89, 0.91, 600),
        ("(all)", "sensitive", 0.88, 0.85, 0.90, 550),
        ("LUAD", "resistant", 0.92, 0.85, 0.96, 53),
        ("LUAD", "sensitive", 0.70, 0.60, 0.80, 40),
        ("SCLC", "resistant", 0.80, 0.60, 0.90, 70),
        ("SCLC", "sensitive", 0.20, 0.10, 0.90, 9),
    ]
    columns = ["tissue", "true_class", "coverage", "lower", "upper", "n_lines"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(model="vae_ld", split="leave_cell_line_out")


@pytest.fixture
def measured() -> pd.DataFrame:
    rows = [
        ("training_screen", "in_training", 0.40, 0.35, 0.45),
        ("ensemble", "in_training", 0.30, 0.25, 0.35),
        ("vae_ld", "in_training", 0.31, 0.26, 0.36),
        ("drug_tissue_mean", "in_training", 0.35, 0.30, 0.40),
        ("ensemble", "not_in_training", 0.25, 0.20, 0.30),
        ("vae_ld", "not_in_training", 0.20, 0.15, 0.25),
    ]
    table = pd.DataFrame(rows, columns=["model", "lines", "mean", "lower", "upper"])
    return table.assign(source="ctrpv2", metric="spearman", n_drugs=40, n_lines=300)
