"""What a job can do, by name."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd

from resvae_core.compute import one_thread
from resvae_core.config import data_folder
from resvae_core.data.cohorts import DEMO, load_cohort
from resvae_core.explain.attribution import attribution_matrix
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression

Report = Callable[[int, int], None]
"""Takes steps done and steps in total."""

CHUNK = 32
"""Patients that are explained between two reports."""
N_GENES = 40
"""Genes with the largest mean attribution that are kept."""


def attribute_cohort(report: Report, *, cohort: str, drug: str, model: str) -> pd.DataFrame:
    """Explain one model's score of one drug for every patient of a cohort.

    Parameters
    ----------
    report
        Told after every few patients.
    cohort
        TCGA code of an installed cohort in log2(TPM + 1), or ``DEMO``.
    drug, model
        Names.

    Returns
    -------
    DataFrame
        Columns sample, gene, value (log2(TPM + 1)), attribution (log-odds of resistance), for the
        `N_GENES` genes with the largest mean absolute attribution, largest first.

    Raises
    ------
    InputDataError, ExpressionUnitsError
        If the cohort is not installed, or only as z-scores.
    """
    expression = load_cohort(None if cohort == DEMO else data_folder(), cohort).expression
    model_set = load_model_set()
    explained, parts = model_set.model(model), []
    names, total = expression.samples, len(expression.samples)
    report(0, total)
    with one_thread():
        for start in range(0, total, CHUNK):
            some = Expression(expression.values.loc[names[start : start + CHUNK]])
            found = attribution_matrix(explained, model_set.samples(some), drug).values
            parts.append(pd.DataFrame(found, index=some.samples, columns=list(explained.genes_)))
            report(min(start + CHUNK, total), total)
    return _tidy(pd.concat(parts), expression)


def _tidy(attributions: pd.DataFrame, expression: Expression) -> pd.DataFrame:
    """Keep the genes that count, one row a gene and patient."""
    genes = attributions.abs().mean().nlargest(N_GENES).index
    values = expression.values.reindex(columns=genes)
    return pd.DataFrame(
        {
            "sample": attributions.index.to_numpy().repeat(len(genes)),
            "gene": list(genes) * len(attributions),
            "value": values.to_numpy(float).ravel(),
            "attribution": attributions[genes].to_numpy(float).ravel(),
        }
    )


TASKS: dict[str, Callable[..., pd.DataFrame]] = {"attribute_cohort": attribute_cohort}
