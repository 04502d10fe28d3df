"""The catalogue of TCGA cancer types.

The rows are in ``assets/catalog/cohorts.csv`` and ``first_line_drugs.csv``, described in
``assets/catalog/cohorts.md``.
"""

from __future__ import annotations

import csv
import difflib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from resvae_core.config import CATALOG
from resvae_core.errors import CatalogError, UnknownCohortError

ExpressionForm = Literal["log2tpm", "log2tpm_subset", "zscore", "none"]

FORMS: dict[str, ExpressionForm] = {
    "log2tpm": "log2tpm",
    "zscore": "zscore",
    "log2tpm_subset": "log2tpm_subset",
    "none": "none",
}

BLOOD_TISSUES = (
    "ALL",
    "CLL",
    "DLBC",
    "LAML",
    "LCML",
    "MM",
    "blood",
    "leukemia",
    "lymphoma",
    "myeloma",
)
"""Tissue labels of leukaemias, lymphomas and myelomas."""


@dataclass(frozen=True)
class CancerType:
    """A TCGA cancer type, and what the development data hold for it.

    Parameters
    ----------
    code
        TCGA code, for example ``LUAD``.
    name
        Full name.
    gdsc_tissue
        Tissue label of the matching cell lines in the training set; "" where there is none.
    n_lines
        Training lines with that label.
    n_patients
        Patients with a clinical record in the development data.
    expression_form
        Preferred form of expression: ``log2tpm`` (genome-wide log2(TPM + 1)), ``zscore``,
        ``log2tpm_subset`` or ``none``.
    other_forms
        Further forms.
    n_expression, n_genes
        Patients and genes in the preferred form.
    first_line_drugs
        Drugs of the catalogue in standard first systemic treatments of this cancer, often only
        for a molecular subgroup; sources in ``assets/catalog/first_line_drugs.csv``.
    first_line_settings
        The setting of each of them: stage, molecular subgroup, partners.
    note
        What to know before comparing it.
    """

    code: str
    name: str
    gdsc_tissue: str
    n_lines: int
    n_patients: int
    expression_form: ExpressionForm
    other_forms: tuple[ExpressionForm, ...]
    n_expression: int
    n_genes: int
    first_line_drugs: tuple[str, ...]
    first_line_settings: tuple[str, ...]
    note: str

    def setting_of(self, drug: str) -> str:
        """Return when a drug is a first treatment here; "" where it is none."""
        settings = dict(zip(self.first_line_drugs, self.first_line_settings, strict=True))
        return settings.get(drug, "")


@lru_cache(maxsize=1)
def load_cancer_types() -> dict[str, CancerType]:
    """Load the catalogue of the 33 TCGA cancer types.

    Returns
    -------
    dict[str, CancerType]
        Code to cancer type, alphabetical. One shared object: do not change it.

    Raises
    ------
    CatalogError
        If a file of the catalogue is missing or cannot be read.
    """
    try:
        first_line = _first_line()
        rows = _rows(CATALOG / "cohorts.csv")
        return {row["code"]: _cancer_type(row, first_line) for row in rows}
    except (OSError, KeyError, ValueError) as error:
        raise CatalogError(
            f"The catalogue of cancer types cannot be read: {error!r}.",
            remedy="Restore it from the repository or run scripts/build_cohort_catalog.py.",
        ) from error


def find_cancer_type(name: str) -> CancerType:
    """Find a cancer type by its code (``luad``, ``TCGA-LUAD``) or full name.

    Raises
    ------
    UnknownCohortError
        If there is none; the message lists the nearest ones.
    """
    types = load_cancer_types()
    wanted = name.strip().casefold().removeprefix("tcga-")
    keys = {key.casefold(): kind for kind in types.values() for key in (kind.code, kind.name)}
    if wanted in keys:
        return keys[wanted]
    near = difflib.get_close_matches(wanted, keys, n=3, cutoff=0.0)
    nearest = " or ".join(dict.fromkeys(f"{keys[key].code} ({keys[key].name})" for key in near))
    raise UnknownCohortError(
        f"No cancer type {name!r} is among the {len(types)} of TCGA.",
        remedy=f"Did you mean {nearest}?",
    )


def tissue_words(label: str) -> str:
    """Return a tissue label of the screen as it is read: ``soft_tissue`` as "soft tissue"."""
    return label.replace("_", " ")


def is_blood(tissue: ArrayLike) -> NDArray[np.bool_]:
    """Return which tissue labels are of the blood lineage; every other label counts as solid.

    Parameters
    ----------
    tissue
        (n,) labels as in the training screen (`CancerType.gdsc_tissue`).
    """
    return np.isin(np.asarray(tissue, dtype=str), BLOOD_TISSUES)


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def _first_line() -> dict[str, dict[str, str]]:
    """Map codes to drugs and their settings."""
    settings: dict[str, dict[str, str]] = {}
    for row in _rows(CATALOG / "first_line_drugs.csv"):
        settings.setdefault(row["code"], {})[row["drug"]] = row["setting"]
    return settings


def _cancer_type(row: dict[str, str], first_line: dict[str, dict[str, str]]) -> CancerType:
    settings = first_line.get(row["code"], {})
    return CancerType(
        code=row["code"],
        name=row["name"],
        gdsc_tissue=row["gdsc_tissue"],
        n_lines=int(row["n_lines"]),
        n_patients=int(row["n_patients"]),
        expression_form=FORMS[row["expression_form"]],
        other_forms=tuple(FORMS[name] for name in row["other_forms"].split("; ") if name),
        n_expression=int(row["n_expression"]),
        n_genes=int(row["n_genes"]),
        first_line_drugs=tuple(settings),
        first_line_settings=tuple(settings.values()),
        note=row["note"],
    )
