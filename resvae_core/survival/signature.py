"""One score a patient from several genes: the mean of their z-scores within the cohort."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from resvae_core.data.genes import load_gene_table
from resvae_core.errors import InputDataError, SurvivalDataError

_MINUS = "-−–"
"""What people type before a gene that counts the other way."""
_SHOWN = 10
"""Genes named in the description; further ones are counted."""


@dataclass(frozen=True)
class Signature:
    """Scores of patients by a signature of genes, and which of its genes they rest on.

    Parameters
    ----------
    scores
        (n_patients,) Σ w z / Σ |w| over the genes used, z the expression standardised over these
        patients: it compares patients of this cohort and has no meaning outside it. Index:
        patients.
    weights
        Gene to weight w, in the order given; of the genes used only. A negative weight counts low
        expression as high.
    missing
        Genes that were not measured.
    unusable
        Gene to the reason why it could not be used: the same value in all patients, or no value in
        some.
    """

    scores: pd.Series[float]
    weights: dict[str, float]
    missing: tuple[str, ...]
    unusable: dict[str, str]

    @property
    def used(self) -> tuple[str, ...]:
        """Genes that the scores rest on."""
        return tuple(self.weights)

    @property
    def description(self) -> str:
        """Return what the score is, and what is not in it, as sentences."""
        signed = [("−" if weight < 0 else "") + gene for gene, weight in self.weights.items()]
        signs = " (− counts low expression as high)" if min(self.weights.values()) < 0 else ""
        text = f"Mean z-score of {_listed(signed)}{signs}."
        if len({abs(weight) for weight in self.weights.values()}) > 1:
            text = text.replace("Mean z-score", "Weighted mean of z-scores", 1)
        if self.missing:
            text += f" Not measured: {_listed(self.missing)}."
        reasons = [f"{gene} ({reason})" for gene, reason in self.unusable.items()]
        return text + (f" Not usable: {_listed(reasons)}." if reasons else "")


def signature_score(
    values: pd.DataFrame, genes: Sequence[str], weights: Sequence[float] | None = None
) -> Signature:
    """Score patients by the mean of the z-scores of some genes.

    Parameters
    ----------
    values
        (n_patients, n_genes) expression, for example log2(TPM + 1) or z-scores. Index: patients;
        choose those who are compared. Columns: current gene symbols.
    genes
        Symbols, of any age; each once. A minus before a symbol turns the sign of its weight.
    weights
        One a gene, not 0; its sign says whether high expression raises the score. All 1 if None.

    Returns
    -------
    Signature
        Scores of all patients. Genes that were not measured, do not vary or lack a value in some
        patient are left out and named: none is filled.

    Raises
    ------
    InputDataError
        If no gene is named, one is named twice, or weights do not fit the genes.
    SurvivalDataError
        If a patient occurs twice, or none of the genes can be used.
    """
    if values.index.has_duplicates:
        raise SurvivalDataError(
            "A patient occurs more than once; each may count once.",
            remedy="Keep one row a patient.",
        )
    asked = _weighted(genes, weights)
    missing = tuple(gene for gene in asked if gene not in values.columns)
    numbers = values[[gene for gene in asked if gene not in missing]].astype(np.float64)
    unusable = {str(gene): why for gene, why in map(_judge, numbers.items()) if why}
    used = {gene: w for gene, w in asked.items() if gene not in missing and gene not in unusable}
    if not used:
        reasons = [*(f"{gene} (not measured)" for gene in missing)]
        reasons += [f"{gene} ({why})" for gene, why in unusable.items()]
        raise SurvivalDataError(
            f"None of {len(asked)} genes of the signature can be used: {_listed(reasons)}.",
            remedy="Name genes that were measured in the cohort and differ between patients.",
        )
    chosen = numbers[list(used)].to_numpy()
    standard = (chosen - chosen.mean(axis=0)) / chosen.std(axis=0, ddof=1)
    weight = np.array(list(used.values()))
    scores = pd.Series(standard @ weight / np.abs(weight).sum(), values.index, name="signature")
    return Signature(scores, used, missing, unusable)


def _weighted(genes: Sequence[str], weights: Sequence[float] | None) -> dict[str, float]:
    """Return genes by their current symbols, with their weights."""
    signed = [gene.strip() for gene in genes if gene.strip()]
    names = [gene.lstrip(_MINUS).strip() for gene in signed]
    numbers = [1.0] * len(names) if weights is None else [float(weight) for weight in weights]
    if not names:
        raise InputDataError("The signature has no gene.", remedy="Name at least one gene.")
    if len(numbers) != len(names) or not np.isfinite(numbers).all() or 0.0 in numbers:
        raise InputDataError(
            f"The {len(names)} genes of a signature need {len(names)} weights, finite and not 0; "
            f"found {numbers}.",
            remedy="Give each gene a weight, or none to any.",
        )
    turned = [-w if gene[0] in _MINUS else w for gene, w in zip(signed, numbers, strict=True)]
    current = load_gene_table().canonical(names)
    twice = sorted({gene for gene in current if current.count(gene) > 1})
    if twice:
        raise InputDataError(
            f"The signature names {_listed(twice)} more than once (older symbols count as the "
            "current one).",
            remedy="Name each gene once.",
        )
    return dict(zip(current, turned, strict=True))


def _judge(item: tuple[object, pd.Series[float]]) -> tuple[object, str]:
    """Say why a gene cannot be used; "" if it can."""
    gene, values = item
    numbers = values.to_numpy()
    lacking = int((~np.isfinite(numbers)).sum())
    if lacking:
        return gene, f"no value in {lacking} of {len(numbers)} patients"
    if len(numbers) < 2 or np.ptp(numbers) == 0:
        return gene, "the same value in all patients"
    return gene, ""


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
