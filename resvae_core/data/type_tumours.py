"""Tumours of known cancer type with expression on one scale: what a suggestion of the type learns.

Cohorts that are installed as within-study z-scores alone have lost each gene's level, and the level
is what tells types apart: they teach nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from resvae_core.data.cancer_types import ExpressionForm, load_cancer_types
from resvae_core.data.cohorts import FORM_FILES, load_cohort
from resvae_core.data.pretraining_profiles import MERGED_FILE
from resvae_core.data.screens import MISASSIGNED_LINES, load_training_set, read_lines
from resvae_core.data.symbols import current_symbols
from resvae_core.errors import InputDataError
from resvae_core.tables import Expression

LEVEL_FORMS: tuple[ExpressionForm, ...] = ("log2tpm", "log2tpm_subset")
"""Forms of expression that keep the level of each gene, in the order of preference."""
PIPELINES = {
    "LUAD": "GENCODE v22",
    "GBM": "GENCODE v22",
    "READ": "RSEM, hg19",
    "BLCA": "panel of 1,577 genes",
    "STAD": "panel of 1,577 genes",
}
"""Which cohorts of the development data were quantified alike. The data folder's description says
it of LUAD and GBM (same genes in the same order) and of READ; BLCA and STAD come in one form, and
genes such as EEF1G (median log2(TPM + 1) 0.5 and 0.7 in LUAD and GBM, 9.7 to 11.4 in the other
three) and PSMA1 (0.2 in BLCA and STAD, 6 to 8 elsewhere) show that it is neither of the others."""

MINIMAL_TYPES = 4
"""A model that never saw one type leaves out another to calibrate, and still tells two apart."""


@dataclass(frozen=True)
class TypeTumours:
    """Tumours of one cancer type.

    Parameters
    ----------
    code
        TCGA code.
    expression
        (n_tumours, n_genes) log2(TPM + 1).
    pipeline
        Name of what quantified them: cohorts of one name were quantified alike.
    """

    code: str
    expression: Expression
    pipeline: str


def load_type_tumours(folder: Path, *, minimal: int = 50) -> dict[str, TypeTumours]:
    """Load the tumours of every cancer type whose expression keeps its level.

    Parameters
    ----------
    folder
        Folder of installed data.
    minimal
        Least number of tumours of a type.

    Returns
    -------
    dict
        Code to tumours, alphabetical. All have the same genes: those that every cohort measured
        in all its tumours. On the development data 1,447 tumours of 5 types, 1,561 genes.

    Raises
    ------
    InputDataError
        If fewer than `MINIMAL_TYPES` types are installed.
    """
    found = {code: values for code in load_cancer_types() if (values := _read(folder, code))}
    kept = {code: e for code, e in found.items() if len(e.samples) >= minimal}
    if len(kept) < MINIMAL_TYPES:
        raise InputDataError(
            f"{len(kept)} cancer types are installed in log2(TPM + 1); at least {MINIMAL_TYPES} "
            "were expected.",
            remedy="Install more cohorts; `data list` shows what is known.",
        )
    genes = shared_genes(kept)
    return {
        code: TypeTumours(code, Expression(e.values[list(genes)]), PIPELINES.get(code, "official"))
        for code, e in kept.items()
    }


def load_labelled_lines(folder: Path) -> tuple[Expression, pd.Series[str]]:
    """Load cell lines with all genes that they have, and the tissue label of each.

    Returns
    -------
    Expression
        (n_lines, n_genes) log2(TPM + 1), NaN where not measured.
    Series
        Index: the same lines.
    """
    if not (folder / MERGED_FILE).is_file():
        training = load_training_set(folder)
        return training.expression, training.screen.tissue
    values = pd.read_parquet(folder / MERGED_FILE)
    values = current_symbols(values.drop(index=list(MISASSIGNED_LINES), errors="ignore"))
    return Expression(values), read_lines(folder)["tissue"].reindex(values.index).fillna("other")


def shared_genes(cohorts: Mapping[str, Expression]) -> Sequence[str]:
    """Return the genes that every cohort measured in all its samples, alphabetical."""
    complete = [set(e.values.columns[e.values.notna().all(axis=0)]) for e in cohorts.values()]
    return sorted(set.intersection(*complete))


def _read(folder: Path, code: str) -> Expression | None:
    """Read a cohort in the first form that keeps the level; None where there is none."""
    for form in LEVEL_FORMS:
        if (folder / FORM_FILES[form].format(code=code)).is_file():
            return load_cohort(folder, code, form=form).expression
    return None
