"""Synthetic cohorts in the form of the installed ones: no real person is in them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.models.base import TUMOURS
from resvae_core.models.model_set import ModelSet

N_PATIENTS = 40
N_ZSCORE_GENES = 418


def install_cohorts(folder: Path, model_set: ModelSet) -> Path:
    """Install LUAD in both forms, STAD as z-scores, and responses to two drugs.

    Patients are drawn about the reference tumours' mean; z-scores are of linear expression, as
    the installed ones are. Responses follow nothing.
    """
    rng = np.random.default_rng(7)
    (folder / "tcga").mkdir()
    clinical, responses = [], []
    for code in ("LUAD", "STAD"):
        values = _draw(model_set, code, rng)
        if code == "LUAD":
            values.to_parquet(folder / "tcga/LUAD_expression.parquet")
        linear = np.exp2(values.iloc[:, :N_ZSCORE_GENES])
        spread = linear.std().where(lambda sd: sd > 0, 1.0)
        z_scores = (linear - linear.mean()) / spread
        z_scores.astype("float32").to_parquet(folder / f"tcga/{code}_expression_zscore.parquet")
        clinical.append(pd.DataFrame({"patient": values.index, "cohort": code}))
        responses += [
            (name, code, drug, float(rng.random() < 0.6), 30.0)
            for drug, n in (("cisplatin", 30), ("gemcitabine", 12))
            for name in values.index[:n]
        ]
    record = pd.concat(clinical, ignore_index=True).assign(os_time_days=100.0, os_event=1.0)
    record.to_parquet(folder / "tcga/clinical.parquet")
    columns = ["patient", "cohort", "drug_name", "responder", "start_day"]
    table = pd.DataFrame(responses, columns=columns)
    table.to_parquet(folder / "tcga/drug_response.parquet")
    return folder


def _draw(model_set: ModelSet, code: str, rng: np.random.Generator) -> pd.DataFrame:
    reference = model_set.references[TUMOURS]
    mean, sd = reference.moments.mean, reference.moments.sd
    # genes vary together along a few directions, or every patient would look the same to a model
    common = rng.normal(size=(N_PATIENTS, 5)) @ rng.normal(size=(5, len(mean))) / np.sqrt(5)
    noise = 0.5 * (common + rng.normal(size=common.shape))
    values = np.maximum(mean + sd * noise, 0).astype(np.float32)
    index = pd.Index([f"TCGA-{code}-{number:04d}" for number in range(N_PATIENTS)], name="patient")
    return pd.DataFrame(values, index=index, columns=list(reference.genes))
