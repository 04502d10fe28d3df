"""Patients of a cohort as the models read them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from resvae_core.data.cohorts import ExpressionForm, load_cohort
from resvae_core.errors import ConfigError
from resvae_core.features.alignment import normal_scores, to_reference
from resvae_core.models.base import TUMOURS
from resvae_core.models.model_set import ModelSet
from resvae_core.tables import Expression

LOG2TPM, ZSCORE_ALIGNED = "log2tpm", "zscore, aligned"

ALIGNED_NOTE = (
    "Measured as z-scores within this study, {n_genes} of the {n_all} genes that the models read. "
    "Each gene's order of patients was put on the scale of the reference tumours: the level of the "
    "cohort is lost (its middle patient is read as the reference's), so only the order of patients "
    "within it means something, and every patient is out of range, so no call is made."
)


@dataclass(frozen=True)
class Patients:
    """One cohort, ready for the models.

    Parameters
    ----------
    code
        TCGA code, or ``DEMO``.
    expression
        What models read: log2(TPM + 1) of the genes that they know, measured or aligned.
    values
        (n_patients, n_genes) every measured gene as installed: log2(TPM + 1), or z-scores where
        `aligned`. Index: patients, as in `expression`.
    clinical
        The same patients in the same order; see `data.cohorts.CohortData`.
    aligned
        Whether `expression` was made from within-study z-scores; see `features.alignment`.
    note
        What to say beside every figure of it; "" for nothing.
    """

    code: str
    expression: Expression
    values: pd.DataFrame
    clinical: pd.DataFrame
    aligned: bool
    note: str

    @property
    def form(self) -> str:
        """``log2tpm`` or ``zscore, aligned``, as tables name it."""
        return ZSCORE_ALIGNED if self.aligned else LOG2TPM


def load_patients(
    folder: Path | None, code: str, model_set: ModelSet, form: ExpressionForm | None = None
) -> Patients:
    """Load a cohort as the models of a set read it.

    Parameters
    ----------
    folder
        Folder of installed data; None for the synthetic cohort alone.
    code
        A TCGA code or name, or ``DEMO``.
    model_set
        Whose genes are kept, and whose reference tumours z-scores are aligned to.
    form
        As `data.cohorts.load_cohort`.

    Raises
    ------
    UnknownCohortError
        If there is no such cancer type.
    InputDataError
        If the cohort, or the form, is not installed.
    GeneCoverageError
        If it has none of the genes that the models read.
    ConfigError
        If the cohort has z-scores, and the set no reference tumours to align them to.
    """
    cohort = load_cohort(folder, code, form=form)
    values = cohort.values
    if cohort.expression_form != "zscore":
        known = [gene for gene in model_set.genes if gene in values.columns]
        expression = Expression(values[known])
        return Patients(cohort.code, expression, values, cohort.clinical, False, cohort.note)
    read = values[[gene for gene in model_set.genes if gene in values.columns]]
    if TUMOURS not in model_set.references:
        raise ConfigError(
            f"Cohort {cohort.code} has z-scores, and the model set {model_set.name} has no "
            "reference tumours to align them to.",
            remedy="Use a cohort in log2(TPM + 1), or train the set with reference tumours.",
        )
    expression = to_reference(normal_scores(read), model_set.references[TUMOURS])
    note = ALIGNED_NOTE.format(n_genes=len(expression.genes), n_all=len(model_set.genes))
    return Patients(cohort.code, expression, values, cohort.clinical, True, note)
