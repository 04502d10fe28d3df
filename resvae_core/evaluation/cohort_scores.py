"""Where a patient's score lies among those of the cohort of the same cancer.

Only cohorts with expression in log2(TPM + 1) can be compared with: within-study z-scores have lost
the level that a score depends on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.compute import one_thread
from resvae_core.models.model_set import ModelSet
from resvae_core.tables import Expression

LEVELS = tuple(round(level / 20, 2) for level in range(1, 20))
"""Shares of patients, 5 % to 95 %: no single patient stands at either end."""
LEVEL_COLUMNS = [f"q{round(100 * level):02d}" for level in LEVELS]
KEYS = ["cohort", "drug", "model"]
DIGITS = 4


@dataclass(frozen=True)
class CohortPosition:
    """Where a probability lies among those of a cohort.

    Parameters
    ----------
    cohort
        TCGA code.
    percentile
        Share (%) of the cohort's patients with a lower probability of resistance, between 5 and
        95: beyond, only "fewer than 5" or "more than 95" is known.
    n_patients
        Of the cohort.
    """

    cohort: str
    percentile: float
    n_patients: int

    @property
    def words(self) -> str:
        """Return the position as a natural frequency, to follow "predicted resistance is"."""
        patients = f"{self.cohort} patients"
        if self.percentile <= 100 * LEVELS[0]:
            return f"among the lowest 5 of 100 {patients}"
        if self.percentile >= 100 * LEVELS[-1]:
            return f"among the highest 5 of 100 {patients}"
        return f"higher than that of {self.percentile:.0f} of 100 {patients}"


def score_quantiles(cohorts: Mapping[str, Expression], model_set: ModelSet) -> pd.DataFrame:
    """Return how each model's scores of every drug spread over the patients of each cohort.

    Parameters
    ----------
    cohorts
        Code to expression in log2(TPM + 1).
    model_set
        What predicts.

    Returns
    -------
    DataFrame
        One row a cohort, drug and learned model: ``cohort``, ``drug``, ``model``, ``n_patients``
        and `LEVEL_COLUMNS`, the P(resistant) below which that share of the patients lies.
    """
    with one_thread():  # the same last digits on every machine
        parts = [_one_cohort(code, cohort, model_set) for code, cohort in cohorts.items()]
    return pd.concat(parts, ignore_index=True)


def position_in_cohort(rows: pd.DataFrame, drug: str, probability: float) -> CohortPosition | None:
    """Place a probability among the scores of one cohort and model.

    Parameters
    ----------
    rows
        Rows of `score_quantiles` of one cohort and model.
    drug
        Name.
    probability
        P(resistant) of the patient.

    Returns
    -------
    CohortPosition or None
        None where the drug is not there or the probability is not known.
    """
    found = rows[rows["drug"] == drug]
    if found.empty or np.isnan(probability):
        return None
    row = found.iloc[0]
    values = row[LEVEL_COLUMNS].to_numpy(float)
    # among equal quantiles the middle of their range
    levels = [np.searchsorted(values, probability, side=side) for side in ("left", "right")]
    if levels[0] != levels[1]:
        share = float(np.mean([LEVELS[levels[0]], LEVELS[levels[1] - 1]]))
    else:
        share = float(np.interp(probability, values, LEVELS))
    return CohortPosition(str(row["cohort"]), 100 * share, int(row["n_patients"]))


def _one_cohort(code: str, cohort: Expression, model_set: ModelSet) -> pd.DataFrame:
    forecasts = model_set.predict_in_chunks(cohort, cancer_type=code, models=model_set.learned)
    table = pd.concat([one.table for one in forecasts], ignore_index=True)
    scores = table.groupby(["drug", "model"], sort=False)["probability"]
    spread = scores.quantile(np.array(LEVELS)).unstack().round(DIGITS)
    spread.columns = pd.Index(LEVEL_COLUMNS)
    rows = spread.reset_index()
    rows.insert(0, "cohort", code)
    rows.insert(3, "n_patients", len(cohort.values))
    return rows.sort_values(KEYS, kind="stable").reset_index(drop=True)
