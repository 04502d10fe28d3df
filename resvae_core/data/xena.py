"""Files of the UCSC Xena hubs: expression matrices and survival tables of TCGA."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.data.barcodes import choose_primary
from resvae_core.data.files import require_columns
from resvae_core.data.genes import load_gene_table
from resvae_core.data.symbols import sum_by_symbol, to_log2, to_tpm
from resvae_core.errors import ExpressionUnitsError, InputDataError
from resvae_core.tables import Expression


@dataclass(frozen=True)
class XenaUnit:
    """What the values of a matrix are: log2(measure + pseudocount).

    Parameters
    ----------
    measure
        ``tpm``, ``fpkm`` (also upper-quartile FPKM: the scale cancels) or ``count``.
    pseudocount
        Added before the logarithm: 1, or 0.001 in the Toil recompute.
    """

    measure: str
    pseudocount: float

    def __str__(self) -> str:
        return f"log2({self.measure} + {self.pseudocount:g})"


UNITS = {
    "log2(tpm+1)": XenaUnit("tpm", 1),
    "log2(tpm+0.001)": XenaUnit("tpm", 0.001),
    "log2(fpkm+1)": XenaUnit("fpkm", 1),
    "log2(fpkm+0.001)": XenaUnit("fpkm", 0.001),
    "log2(count+1)": XenaUnit("count", 1),
}
# names of the data sets on the GDC, Toil and TCGA hubs; the first that fits says the unit
NAMES = (
    (re.compile(r"\.star_tpm\."), "log2(tpm+1)"),
    (re.compile(r"\.(star|htseq)_fpkm(-uq)?\."), "log2(fpkm+1)"),
    (re.compile(r"\.(star|htseq)_counts\."), "log2(count+1)"),
    (re.compile(r"rsem_gene_tpm"), "log2(tpm+0.001)"),
    (re.compile(r"rsem_gene_fpkm"), "log2(fpkm+0.001)"),
    (re.compile(r"gene_expected_count"), "log2(count+1)"),
)
ID_COLUMNS = ("Ensembl_ID", "sample")
# a genome-wide matrix holds nearly all of a sample's million; a panel holds less, none more
MAX_TPM_TOTAL = 1.1e6
ENDPOINTS = ("OS", "DSS", "DFI", "PFI")


@dataclass(frozen=True)
class XenaExpression:
    """Expression of patients from a Xena matrix, and what was done to get it.

    Parameters
    ----------
    expression
        log2(TPM + 1), one primary tumour a patient. Index: ``TCGA-XX-XXXX``.
    unit
        The unit of the file.
    dropped
        Reason to the number of samples left out for it.
    """

    expression: Expression
    unit: XenaUnit
    dropped: dict[str, int]


def recognise_unit(name: str) -> XenaUnit:
    """Say the unit of a Xena matrix by the name of its data set.

    Parameters
    ----------
    name
        File name, for example ``TCGA-LUAD.star_tpm.tsv.gz`` or ``tcga_RSEM_gene_tpm.gz``.

    Raises
    ------
    ExpressionUnitsError
        If the name is none that the hubs use: a unit is never guessed.
    """
    for pattern, unit in NAMES:
        if pattern.search(name.lower()):
            return UNITS[unit]
    raise ExpressionUnitsError(
        f"The name {name!r} does not say which unit its values have.",
        remedy=f"State the unit: one of {', '.join(UNITS)}.",
    )


def read_expression(path: Path, *, unit: str | None = None) -> XenaExpression:
    """Read an expression matrix, genes × samples.

    Parameters
    ----------
    path
        Tab-separated (.gz or not). First column ``Ensembl_ID`` or ``sample`` with Ensembl ids or
        symbols, then one column a sample (``TCGA-XX-XXXX-01A``).
    unit
        One of `UNITS`, for example ``log2(tpm+0.001)``. By default the file name says it.

    Returns
    -------
    XenaExpression
        Converted to log2(TPM + 1): FPKM are scaled to a million, counts first divided by exon
        length (genes of unknown length are left out).

    Raises
    ------
    InputDataError
        If the first column is another, or there is no primary tumour sample.
    ExpressionUnitsError
        If the unit is unknown or contradicts the values.
    """
    declared = _declared(unit) if unit is not None else recognise_unit(path.name)
    head = pd.read_csv(path, sep="\t", nrows=0).columns
    _check_first_column(str(head[0]), path.name)
    primary = choose_primary(str(name) for name in head[1:])
    if not primary.sample_of:
        raise InputDataError(
            f"{path.name} has no primary tumour sample among {len(head) - 1} columns; expected "
            "names such as TCGA-05-4244-01A.",
            remedy="Use an unchanged TCGA matrix of UCSC Xena.",
        )
    samples = list(primary.sample_of.values())
    matrix = _read_columns(path, str(head[0]), samples)
    patients = matrix[samples].T.set_axis(list(primary.sample_of), axis=0)
    _check_values(patients, declared, path.name)
    linear = (2**patients - declared.pseudocount).clip(lower=0)
    return XenaExpression(
        Expression(to_log2(_to_tpm_by_symbol(linear, declared))), declared, primary.dropped
    )


def read_survival(path: Path) -> pd.DataFrame:
    """Read a survival table, one row a patient.

    Parameters
    ----------
    path
        ``TCGA-LUAD.survival.tsv.gz`` of the GDC hub (``sample``, ``OS``, ``OS.time``,
        ``_PATIENT``) or ``Survival_SupplementalTable_S1_20171025_xena_sp`` of the pan-cancer hub,
        which has all four endpoints, age, sex and stage.

    Returns
    -------
    pd.DataFrame
        Index ``patient``; for each endpoint of the file ``os_time_days`` and ``os_event`` (and so
        on); where the file has them ``cohort``, ``age``, ``sex``, ``stage`` and ``Redaction``.

    Raises
    ------
    InputDataError
        If a column is missing.
    """
    table = pd.read_csv(path, sep="\t", low_memory=False)
    require_columns(
        table.columns, ["_PATIENT", "OS", "OS.time"], name=f"Survival table {path.name}"
    )
    renamed = {
        "_PATIENT": "patient",
        "cancer type abbreviation": "cohort",
        "age_at_initial_pathologic_diagnosis": "age",
        "gender": "sex",
        "ajcc_pathologic_tumor_stage": "stage",
        "Redaction": "Redaction",
        **{name: f"{name.lower()}_event" for name in ENDPOINTS},
        **{f"{name}.time": f"{name.lower()}_time_days" for name in ENDPOINTS},
    }
    clinical = table[[name for name in renamed if name in table.columns]].rename(columns=renamed)
    clinical = clinical.drop_duplicates("patient").set_index("patient")
    if "sex" in clinical:
        clinical["sex"] = clinical["sex"].str.lower()
    return clinical


def _declared(unit: str) -> XenaUnit:
    found = UNITS.get(unit.lower().replace(" ", ""))
    if found is None:
        raise ExpressionUnitsError(
            f"The unit {unit!r} is not known.", remedy=f"Use one of {', '.join(UNITS)}."
        )
    return found


def _check_first_column(column: str, name: str) -> None:
    if column not in ID_COLUMNS:
        raise InputDataError(
            f"The first column of {name} is {column!r}; expected {' or '.join(ID_COLUMNS)}.",
            remedy="Use an unchanged TCGA matrix of UCSC Xena (genes in rows).",
        )


def _read_columns(path: Path, gene: str, samples: list[str]) -> pd.DataFrame:
    types: dict[Hashable, str] = {gene: "str", **dict.fromkeys(samples, "float32")}
    return pd.read_csv(path, sep="\t", usecols=[gene, *samples], dtype=types).set_index(gene)


def _check_values(values: pd.DataFrame, unit: XenaUnit, name: str) -> None:
    """Refuse values that the unit cannot have; a wrong unit must not pass in silence."""
    lowest = float(np.nanmin(values.to_numpy()))
    floor = float(np.log2(unit.pseudocount))
    if lowest < floor - 0.01:
        raise ExpressionUnitsError(
            f"{name} has a value of {lowest:.4g}, but {unit} is at least {floor:.4g}.",
            remedy="State the unit that the data set has on the Xena hub.",
        )
    if unit.pseudocount < 1 and lowest >= 0:
        raise ExpressionUnitsError(
            f"{name} has no negative value, but in {unit} every gene without reads is {floor:.4g}.",
            remedy="State the unit that the data set has on the Xena hub; log2(tpm+1), perhaps?",
        )
    if unit.measure != "tpm":
        return
    highest = float((2 ** values.astype(float) - unit.pseudocount).sum(axis=1).max())
    if highest > MAX_TPM_TOTAL:
        raise ExpressionUnitsError(
            f"{name} read as {unit} gives a sample {highest:,.0f} TPM in all; a million is the "
            "most.",
            remedy="State the unit that the data set has on the Xena hub; counts, perhaps?",
        )


def _to_tpm_by_symbol(linear: pd.DataFrame, unit: XenaUnit) -> pd.DataFrame:
    if unit.measure == "tpm":
        return sum_by_symbol(linear)
    if unit.measure == "fpkm":
        return sum_by_symbol(to_tpm(linear))
    counts = sum_by_symbol(linear)
    lengths = load_gene_table().exon_lengths(list(counts.columns)).to_numpy(float)
    known = np.isfinite(lengths)
    return to_tpm(counts.loc[:, known].div(lengths[known], axis=1))
