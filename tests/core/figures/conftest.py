"""Small tables in the form that the core hands to figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

ROWS = [
    ("Erlotinib", "elastic_net", 0.30, 0.20, 0.40, "sensitive"),
    ("Erlotinib", "resvae", 0.35, 0.25, 0.60, "uncertain"),
    ("Erlotinib", "drug_tissue_mean", 0.70, 0.60, 0.80, "baseline"),
    ("Cisplatin", "elastic_net", 0.90, 0.80, 0.95, "resistant"),
    ("Cisplatin", "resvae", 0.92, 0.85, 0.97, "resistant"),
    ("Cisplatin", "drug_tissue_mean", 0.85, 0.75, 0.90, "baseline"),
    ("Docetaxel", "elastic_net", np.nan, np.nan, np.nan, "not assessable"),
    ("Docetaxel", "resvae", 0.50, 0.10, 0.90, "not assessable"),
    ("Docetaxel", "drug_tissue_mean", 0.80, 0.70, 0.90, "baseline"),
]


@pytest.fixture
def forecast() -> pd.DataFrame:
    columns = ["drug", "model", "probability", "lower", "upper", "call"]
    table = pd.DataFrame(ROWS, columns=columns)
    return table.assign(sample="P1", range="in range", note="")


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
        ("resvae", split, "roc_auc", 0.80, 0.79, 0.81),
        ("resvae", split, "within_tissue_roc_auc", 0.62, 0.61, 0.63),
        ("drug_tissue_mean", split, "roc_auc", 0.75, 0.74, 0.76),
        ("drug_tissue_mean", split, "within_tissue_roc_auc", np.nan, np.nan, np.nan),
        ("resvae", "leave_tissue_out", "roc_auc", 0.70, 0.65, 0.75),
    ]
    return pd.DataFrame(rows, columns=["model", "split", "metric", "mean", "lower", "upper"])


@pytest.fixture
def bins() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "model": ["resvae"] * 3 + ["xgboost"] * 3,
            "predicted": [0.2, 0.5, 0.8] * 2,
            "observed": [0.2, 0.5, 0.8, 0.3, 0.5, 0.7],
            "n": [10, 20, 10] * 2,
        }
    )
