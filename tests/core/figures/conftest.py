"""Small tables in the form that the core hands to figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.survival import CoxModel, OptimalCut, cox_adjusted, optimal_cut
from resvae_core.tables import SurvivalOutcome

FIVE = ("vae_ll", "vae_ls", "vae_ld", "random_forest", "xgboost")

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


@pytest.fixture
def swarm() -> pd.DataFrame:
    """40 patients, 20 genes: G0 moves the score most, and the more the lower it is expressed."""
    generator = np.random.default_rng(4)
    level = generator.normal(size=(40, 20))
    size = np.linspace(-0.6, 0.05, 20)
    table = pd.DataFrame(
        {
            "sample": np.repeat([f"P{n}" for n in range(40)], 20),
            "gene": [f"G{n}" for n in range(20)] * 40,
            "value": (5 + level).ravel(),
            "attribution": (size * level).ravel(),
        }
    )
    return table.assign(base=1.0, score=1.0, unit="log-odds of resistance")


@pytest.fixture
def bands() -> pd.DataFrame:
    rows = [
        ("EGFR", -0.5, -0.2, 0.0, 0.2, 0.4),
        ("KRAS", -0.1, 0.0, 0.1, 0.2, 0.3),
        ("TP53", -0.05, -0.02, 0.0, 0.02, 0.05),
    ]
    table = pd.DataFrame(rows, columns=["gene", "q10", "q25", "median", "q75", "q90"])
    return table.assign(n_patients=120)


@pytest.fixture
def own() -> pd.DataFrame:
    return pd.DataFrame({"gene": ["EGFR", "KRAS", "TP53"], "attribution": [-0.7, 0.1, 0.01]})


@pytest.fixture
def shared() -> pd.DataFrame:
    rows = [
        ("KRAS", 3, 0.5, "resistant", "vae_ll, vae_ls, xgboost"),
        ("EGFR", 5, -0.4, "sensitive", ", ".join(FIVE)),
        ("TP53", 2, 0.9, "resistant", "vae_ll, vae_ld"),
    ]
    columns = ["gene", "n_models", "mean_attribution", "direction", "models"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def pathways() -> pd.DataFrame:
    rows = [
        ("Cell cycle", 0.2, 44, "CCND1 +0.11"),
        ("EGFR signalling", -0.8, 12, "EGFR -0.40, AREG -0.20"),
        ("Apoptosis regulation in the presence of a very long name of a set", 0.05, 1, "BAX +0.05"),
    ]
    return pd.DataFrame(rows, columns=["pathway", "attribution", "n_genes", "top_genes"])


@pytest.fixture
def enriched() -> pd.DataFrame:
    rows = [
        ("G2M_CHECKPOINT", 9, 190, 0.2, -1.6),
        ("INTERFERON_RESPONSE", 20, 200, 0.0, 2.1),
        ("MYC_TARGETS", 4, 200, 0.04, 1.1),
    ]
    return pd.DataFrame(rows, columns=["set", "overlap", "size", "q_value", "nes"])


@pytest.fixture
def biomarkers() -> pd.DataFrame:
    rows = [
        ("EGFR", "attributed", -0.30, -0.50, -0.10, 0.20, 0.001, 0.96, 5, ""),
        ("KRAS", "attributed", 0.10, -0.05, 0.30, 0.40, 1e-9, 0.32, 2, ""),
        ("TP53", "attributed", 0.04, 0.02, 0.06, np.nan, np.nan, 0.84, 4, "recurrent"),
        ("MYC", "attributed", -0.40, -2.00, 0.01, -0.10, 0.03, 0.80, 2, ""),
        ("TFF1", "associated", 0.60, 0.50, 0.70, 0.60, 0.0, np.nan, 5, "falls with purity"),
        ("OPALIN", "associated", -0.20, -0.30, -0.10, -0.20, 0.01, np.nan, 4, ""),
        ("LTF", "associated", 0.05, np.nan, np.nan, 0.05, np.nan, np.nan, 0, ""),
        ("GKN1", "associated", 0.40, 0.30, 0.50, 0.40, 1e-6, np.nan, 3, ""),
    ]
    columns = ["gene", "kind", "effect", "lower", "upper", "correlation", "q_value", "stability"]
    table = pd.DataFrame(rows, columns=[*columns, "votes", "flags"])
    way = np.where(table["effect"] > 0, "resistant", "sensitive")
    return table.assign(cohort="LUAD", drug="Gefitinib", direction=way)


@pytest.fixture
def panel_genes() -> pd.DataFrame:
    rows = [
        ("LUAD", "Gefitinib", "TFF1", "associated", -0.3, 1e-9, -0.2, 1e-5, 0.01, 0.9),
        ("GBM", "Temozolomide", "OPALIN", "associated", 0.4, 1e-8, 0.3, 0.01, 0.35, 1e-4),
        ("GBM", "Temozolomide", "LTF", "associated", 0.1, 0.6, np.nan, np.nan, 0.1, 0.2),
        ("GBM", "Temozolomide", "MGMT", "attributed", 0.05, 0.01, np.nan, np.nan, 0.2, 0.02),
    ]
    columns = ["cohort", "drug", "gene", "kind", "correlation", "q_value"]
    columns += ["correlation_purity", "q_purity", "correlation_general", "q_general"]
    return pd.DataFrame(rows, columns=columns)


@pytest.fixture
def known_pairs() -> pd.DataFrame:
    rows = [
        ("Palbociclib", "RB1", "attributed", 0.30, False),
        ("Gefitinib", "EGFR", "attributed", 0.08, False),
        ("Gefitinib", "EGFR", "associated", 0.002, True),
        ("Venetoclax", "BCL2", "associated", 0.01, False),
        ("Temozolomide", "MGMT", "associated", np.nan, False),
    ]
    return pd.DataFrame(rows, columns=["drug", "gene", "kind", "top_share", "passes"])


@pytest.fixture
def tasks() -> pd.DataFrame:
    drugs = {"LUAD": ("Cisplatin", "Gefitinib"), "GBM": ("Temozolomide",), "PAAD": ("Cisplatin",)}
    rows = [
        (cohort, drug, model, 100 + 10 * place, 0.1 * place + 0.02 * number + 0.2)
        for place, (cohort, names) in enumerate(drugs.items())
        for drug in names
        for number, model in enumerate(("ensemble", *FIVE))
    ]
    table = pd.DataFrame(rows, columns=["cohort", "drug", "model", "n_patients", "median"])
    middle, zscore = table["median"], table["cohort"] == "PAAD"
    return table.assign(
        form=np.where(zscore, "zscore, aligned", "log2tpm"),
        q10=middle - 0.1,
        q25=middle - 0.05,
        q75=middle + 0.05,
        q90=middle + np.where(table["drug"] == "Gefitinib", 0.4, 0.1),
        share_resistant=0.25,
        floor=middle + 0.02,
        line_share_resistant=np.where(table["cohort"] == "GBM", np.nan, 0.8),
        median_unaligned=np.where(zscore, np.nan, middle + 0.3),
        spearman_unaligned=np.where(zscore, np.nan, 0.9),
    )


@pytest.fixture
def responses() -> pd.DataFrame:
    rows = [
        ("LUAD", "Cisplatin", "ensemble", 0.60, 0.45, 0.75, 51, 30, 0.40),
        ("LUAD", "Cisplatin", "plain_ridge", 0.70, 0.55, 0.85, 51, 30, 0.20),
        ("LUAD", "Cisplatin", "drug_tissue_mean", 0.50, np.nan, np.nan, 51, 30, np.nan),
        ("LUAD", "Cisplatin", "vae_ld", 0.40, np.nan, np.nan, 51, 30, np.nan),
        ("LGG", "Temozolomide", "ensemble", 0.65, 0.55, 0.75, 126, 120, 0.01),
        ("LGG", "Temozolomide", "plain_ridge", 0.30, 0.20, 0.40, 126, 120, 0.01),
    ]
    columns = ["cohort", "drug", "model", "roc_auc", "lower", "upper"]
    return pd.DataFrame(rows, columns=[*columns, "n", "n_responders", "q_value"])


@pytest.fixture
def cell_lines() -> pd.DataFrame:
    rows = [
        ("ACH-1", "A549", "LUAD", 0.0, 0.0, "resistant"),
        ("ACH-2", "PC-9", "LUAD", 1.0, 0.0, "sensitive"),
        ("ACH-3", "U-87", "GBM", -4.0, 3.0, "not measured"),
        ("ACH-4", "T47D", "BRCA", 4.0, -3.0, "resistant"),
    ]
    return pd.DataFrame(rows, columns=["line", "name", "tissue", "x", "y", "label"])


@pytest.fixture
def nearest(cell_lines) -> pd.DataFrame:
    rows = cell_lines.iloc[[1, 0, 2]].drop(columns=["x", "y"])
    return rows.assign(sample="P1", rank=[1, 2, 3], distance=[0.5, 0.8, 5.0])


@pytest.fixture
def place() -> pd.DataFrame:
    return pd.DataFrame({"sample": ["P1"], "x": [0.8], "y": [0.3]})


@pytest.fixture
def outlines() -> pd.DataFrame:
    rows = [("latent", "LUAD", 513, 0.5, 0.5, 1.0, 0.25, 0.0)]
    columns = ["space", "cohort", "n_patients", "x", "y", "var_x", "var_y", "cov_xy"]
    return pd.DataFrame(rows, columns=columns)


def followed(n_patients: int) -> tuple[SurvivalOutcome, pd.Series]:
    """Return outcomes of some patients and a value that goes a little with them."""
    generator = np.random.default_rng(11)
    names = [f"P{n}" for n in range(n_patients)]
    value = pd.Series(generator.normal(5, 1, n_patients), names)
    days = pd.Series(np.ceil(generator.exponential(900 * np.exp(-0.3 * (value - 5)))), names)
    return SurvivalOutcome(days, pd.Series(generator.random(n_patients) < 0.7, names)), value


@pytest.fixture(scope="session")
def cox_model() -> CoxModel:
    """GENE per SD, adjusted for age and stage (II vs I, reference I)."""
    outcome, value = followed(80)
    generator = np.random.default_rng(12)
    covariates = pd.DataFrame(
        {
            "age per 10 years": generator.normal(6, 1, 80),
            "stage": pd.Categorical(generator.choice(["I", "II"], 80), ["I", "II"]),
        },
        index=value.index,
    )
    return cox_adjusted(outcome, value, covariates, name="GENE")


@pytest.fixture(scope="session")
def best_cut() -> OptimalCut:
    return optimal_cut(*followed(60))


@pytest.fixture
def screened() -> pd.DataFrame:
    rows = [
        ("DKK1", 1.50, 1e-9, 1e-8),
        ("TFF1", 1.20, 1e-3, 0.01),
        ("NKX2-1", 0.70, 1e-5, 1e-4),
        ("MYC", 0.98, 0.8, 0.8),
        ("FLAT", np.nan, np.nan, np.nan),
    ]
    return pd.DataFrame(rows, columns=["gene", "hazard_ratio", "cox_p", "cox_q"])


@pytest.fixture
def cohort_scores() -> pd.DataFrame:
    levels = [0.05, 0.25, 0.5, 0.75, 0.95]
    return pd.DataFrame({"level": levels, "value": [0.1, 0.3, 0.4, 0.5, 0.8]})
