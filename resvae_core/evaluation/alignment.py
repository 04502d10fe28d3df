"""What is lost when a cohort comes as z-scores: measured where both forms exist.

LUAD and GBM are installed genome-wide *and* as within-study z-scores of 418 of the models' genes.
The same patients are read by several paths, and each path is held against the direct one, the
genome-wide log2(TPM + 1) with the reference tumours' moments. No response of a patient is read:
which path is right, this cannot say; only how much of the direct reading is left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from resvae_core.compute import one_thread
from resvae_core.data.cohorts import load_cohort
from resvae_core.evaluation.metrics import spearman
from resvae_core.evaluation.transfer import Progress, Reading, read_cohort, silent
from resvae_core.features.alignment import normal_scores, standard_scores, to_reference
from resvae_core.models.base import CELL_LINES, TUMOURS
from resvae_core.models.model_set import ModelSet
from resvae_core.models.patients import load_patients
from resvae_core.tables import Expression

BOTH_FORMS = ("LUAD", "GBM")
"""Cohorts that are installed genome-wide and as z-scores."""
LIMIT = 3.0
CELL_LINE_PATH = "cell lines' moments"
PATHS = {
    "fewer genes": "log2(TPM + 1) of the genes that the z-scores have, no alignment",
    "own z, all genes": "z of log2(TPM + 1) within the cohort, put back as mean + sd·z",
    "own z, fewer genes": "the same with the genes that the z-scores have",
    "own ranks, fewer genes": "the same with normal scores of ranks in the place of z",
    "z-scores, moments": "the installed z-scores, put back as mean + sd·z",
    "z-scores, limited": "the same with z beyond ±3 set to 3",
    "z-scores, normal scores": "normal scores of the installed z-scores: the path in use",
    CELL_LINE_PATH: "log2(TPM + 1) of all genes, read as if the patients were cell lines",
}
COLUMNS = ["cohort", "path", "model", "spearman", "mean_shift", "calls_changed"]
COUNTS = ["n_genes", "n_patients"]


def alignment_effect(
    folder: Path,
    model_set: ModelSet,
    *,
    cohorts: Sequence[str] = BOTH_FORMS,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Read patients by every path of `PATHS` and compare each with the direct reading.

    Parameters
    ----------
    folder
        Folder of installed data.
    model_set
        Its learned models are asked, about every drug.
    cohorts
        Codes of cohorts that are installed in both forms.
    progress
        Called with (cohort that comes next, cohorts done, cohorts in total).

    Returns
    -------
    DataFrame
        One row a cohort, path and model, columns `COLUMNS` and `COUNTS`: ``spearman`` (over
        patients, median over drugs), ``mean_shift`` (of P(resistant), mean over patients and
        drugs), ``calls_changed`` (share of pairs of patient and drug for which the interval lies
        on another side of the threshold, the range verdict left aside), ``n_genes`` that were
        read, ``n_patients``.

    Raises
    ------
    InputDataError
        If a cohort is not installed in both forms.
    """
    parts = []
    for number, code in enumerate(cohorts):
        progress(code, number, len(cohorts))
        direct, paths = read_paths(folder, code, model_set)
        with one_thread():  # as in the transfer table
            parts.append(compare_paths(model_set, code, direct, paths))
    progress("", len(cohorts), len(cohorts))
    return pd.concat(parts, ignore_index=True)


def read_paths(
    folder: Path, code: str, model_set: ModelSet
) -> tuple[Expression, dict[str, Expression]]:
    """Return the patients that a cohort has in both forms: directly, and by each of `PATHS`."""
    full = load_patients(folder, code, model_set, form="log2tpm").expression
    aligned = load_patients(folder, code, model_set, form="zscore").expression
    z_scores = load_cohort(folder, code, form="zscore").values
    patients = [name for name in full.samples if name in z_scores.index]
    direct = full.select(patients)
    fewer = direct.values[[gene for gene in aligned.genes if gene in direct.values.columns]]
    tumours = model_set.references[TUMOURS]
    paths = {
        "fewer genes": Expression(fewer),
        "own z, all genes": to_reference(standard_scores(direct.values), tumours),
        "own z, fewer genes": to_reference(standard_scores(fewer), tumours),
        "own ranks, fewer genes": to_reference(normal_scores(fewer), tumours),
        "z-scores, moments": to_reference(z_scores.loc[patients], tumours),
        "z-scores, limited": to_reference(z_scores.loc[patients].clip(-LIMIT, LIMIT), tumours),
        "z-scores, normal scores": aligned.select(patients),
        CELL_LINE_PATH: direct,
    }
    return direct, paths


def compare_paths(
    model_set: ModelSet, code: str, direct: Expression, paths: Mapping[str, Expression]
) -> pd.DataFrame:
    """Hold other readings of the same patients against the direct one; see `alignment_effect`.

    Parameters
    ----------
    direct
        (n_patients, n_genes) log2(TPM + 1).
    paths
        Name to the same patients in the same order; `CELL_LINE_PATH` is read by the cell lines'
        moments, every other by the reference tumours'.
    """
    drugs = model_set.drugs
    truth, _ = read_cohort(model_set, direct, code, drugs)
    rows = []
    for path, expression in paths.items():
        reference = CELL_LINES if path == CELL_LINE_PATH else TUMOURS
        found, _ = read_cohort(model_set, expression, code, drugs, reference=reference)
        counts = (sum(gene in expression.genes for gene in model_set.genes), len(direct.samples))
        for kind in model_set.learned:
            rows.append((code, path, kind, *_difference(truth[kind], found[kind]), *counts))
    return pd.DataFrame(rows, columns=[*COLUMNS, *COUNTS])


def _difference(direct: Reading, other: Reading) -> tuple[float, float, float]:
    """Return median Spearman over patients, mean shift, and the share of calls that change."""
    rho = [
        spearman(one, two)
        for one, two in zip(direct.probability.T, other.probability.T, strict=True)
    ]
    shift = float(np.mean(other.probability - direct.probability))
    changed = (direct.resistant != other.resistant) | (direct.sensitive != other.sensitive)
    return float(np.median(rho)), shift, float(changed.mean())
