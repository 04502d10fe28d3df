"""The transfer to patients: what each model says of five cohorts and nine drugs each.

Five cancers × nine drugs × four models make 180 tasks. Nothing here says whether a score is right:
that needs recorded responses (`evaluation.clinical_response`). It says how scores are spread, how
far models, members and alignments agree, and for how many patients the models may be asked at all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.compute import one_thread
from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.data.screens import load_training_set
from resvae_core.data.transfer_drugs import TRANSFER_COHORTS, load_transfer_drugs
from resvae_core.evaluation.metrics import spearman
from resvae_core.features.range_check import BORDERLINE, IN_RANGE
from resvae_core.models.base import CELL_LINES, TUMOURS
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.model_set import CHUNK, ModelSet
from resvae_core.models.patients import Patients, load_patients
from resvae_core.models.ranking import CLEAR_MAJORITY, FIVE, TISSUE_FLOOR
from resvae_core.tables import Expression, Screen

TASK_MODELS = ("vae_ll", "vae_ls", "vae_ld", "xgboost")
"""The models of the 180 tasks; the others stand beside them."""
ENSEMBLE = Ensemble.kind
KEYS = ["cohort", "drug", "model"]
QUANTILES = {"q10": 0.10, "q25": 0.25, "median": 0.50, "q75": 0.75, "q90": 0.90}
COLUMNS = [
    *KEYS,
    *("task", "n_patients", "form"),
    *QUANTILES,
    *("share_resistant", "share_sensitive", "share_uncertain"),
    *("in_range_share", "borderline_share"),
    *("floor", "line_share_resistant"),
    *("agreement", "spearman_ensemble", "stability_members"),
    *("median_unaligned", "share_resistant_unaligned", "spearman_unaligned"),
]
TOLERANCE = 1e-3
"""Largest difference at which two transfer tables count as the same."""

Array = NDArray[np.float64]
Progress = Callable[[str, int, int], None]


def silent(step: str, done: int, total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True)
class Reading:
    """What one model says of the patients of a cohort.

    Parameters
    ----------
    probability, lower, upper
        (n_patients, n_drugs) P(resistant) and its 90 % interval.
    threshold
        Of the model's calls.
    """

    probability: Array
    lower: Array
    upper: Array
    threshold: float

    @property
    def resistant(self) -> NDArray[np.bool_]:
        """Pairs whose whole interval lies at or above the threshold."""
        return self.lower >= self.threshold

    @property
    def sensitive(self) -> NDArray[np.bool_]:
        """Pairs whose whole interval lies below the threshold."""
        return self.upper < self.threshold


def transfer_table(
    folder: Path,
    model_set: ModelSet,
    *,
    cohorts: Sequence[str] = TRANSFER_COHORTS,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Predict every cohort, drug and learned model of the transfer.

    Parameters
    ----------
    folder
        Folder of installed data: the cohorts, and the cell lines for ``line_share_resistant``.
    model_set
        What predicts.
    cohorts
        Some of `TRANSFER_COHORTS`.
    progress
        Called with (cohort that comes next, cohorts done, cohorts in total).

    Returns
    -------
    DataFrame
        One row a cohort, drug and model, columns `COLUMNS`: ``task`` (one of the 180);
        ``n_patients``; ``form`` (``log2tpm``, or ``zscore, aligned``); quantiles of P(resistant);
        shares of patients whose whole 90 % interval lies above the model's threshold, below it, or
        neither, the range verdict left aside; shares in range and borderline, the rest is out of
        range and gets no call in the product; ``floor`` (P of the drug × tissue mean) and
        ``line_share_resistant`` (of the cell lines of the type, NaN without any); ``agreement``
        (share of patients of whom at least four of the five models lean one way, the same for
        every model); Spearman correlations over patients: with the ensemble, of the members of the
        model with each other (mean over pairs), and with the same model reading the same patients
        by the cell lines' moments (``*_unaligned``; NaN for z-scores, which have no such reading).

    Raises
    ------
    InputDataError
        If a cohort or the cell lines are not installed.
    """
    screen = load_training_set(folder).screen
    parts = []
    for number, code in enumerate(cohorts):
        progress(code, number, len(cohorts))
        patients = load_patients(folder, code, model_set)
        drugs = [entry.drug for entry in load_transfer_drugs()[code]]
        with one_thread():  # the same last digits on every machine, and no waiting for busy cores
            parts.append(transfer_cohort(patients, drugs, model_set, screen))
    progress("", len(cohorts), len(cohorts))
    return pd.concat(parts, ignore_index=True)


def transfer_cohort(
    patients: Patients, drugs: Sequence[str], model_set: ModelSet, screen: Screen
) -> pd.DataFrame:
    """Return the rows of one cohort; see `transfer_table`."""
    readings, ranges = read_cohort(model_set, patients.expression, patients.code, drugs)
    unaligned: dict[str, Reading] = {}
    if not patients.aligned:
        unaligned, _ = read_cohort(
            model_set, patients.expression, patients.code, drugs, reference=CELL_LINES
        )
    stability = member_stability(model_set, patients.expression, drugs)
    agreement = clear_majority(readings)
    verdict = ranges["range"]
    rows = []
    for kind in model_set.learned:
        for column, drug in enumerate(drugs):
            rows.append(
                {
                    **dict(zip(KEYS, (patients.code, drug, kind), strict=True)),
                    "task": kind in TASK_MODELS,
                    "n_patients": len(ranges),
                    "form": patients.form,
                    **_spread(readings[kind], column),
                    "in_range_share": float((verdict == IN_RANGE).mean()),
                    "borderline_share": float((verdict == BORDERLINE).mean()),
                    "floor": float(readings[TISSUE_FLOOR].probability[0, column]),
                    "line_share_resistant": line_share(screen, patients.code, drug),
                    "agreement": float(agreement[column]),
                    "spearman_ensemble": _between(readings[kind], readings.get(ENSEMBLE), column),
                    "stability_members": float(stability[kind][column]),
                    **_unaligned(readings[kind], unaligned.get(kind), column),
                }
            )
    return pd.DataFrame(rows, columns=COLUMNS)


def read_cohort(
    model_set: ModelSet,
    expression: Expression,
    cancer_type: str,
    drugs: Sequence[str],
    *,
    reference: str = TUMOURS,
) -> tuple[dict[str, Reading], pd.DataFrame]:
    """Let the learned models and the tissue floor predict patients, a few hundred at a time.

    Returns
    -------
    dict[str, Reading]
        By kind; patients in the order of the expression, drugs in the order asked for.
    DataFrame
        Index: patients; as `range_check.Reference.assess` gives it.
    """
    kinds = [*model_set.learned, TISSUE_FLOOR]
    forecasts = list(
        model_set.predict_in_chunks(
            expression, cancer_type=cancer_type, drugs=drugs, models=kinds, reference=reference
        )
    )
    table = pd.concat([forecast.table for forecast in forecasts], ignore_index=True)
    ranges = pd.concat([forecast.ranges for forecast in forecasts])
    readings = {}
    for kind, rows in table.groupby("model", sort=False):
        wide = rows.pivot(index="sample", columns="drug")
        probability, lower, upper = (
            wide[value].loc[expression.samples, list(drugs)].to_numpy(float)
            for value in ("probability", "lower", "upper")
        )
        threshold = model_set.threshold(str(kind))
        readings[str(kind)] = Reading(probability, lower, upper, threshold)
    return readings, ranges


def member_stability(
    model_set: ModelSet, expression: Expression, drugs: Sequence[str]
) -> dict[str, Array]:
    """Return for each learned model the mean Spearman correlation of its members, by drug.

    Each member was trained on other folds of the lines and, where a model draws at random, with
    another seed.

    Returns
    -------
    dict[str, ndarray]
        Kind to (n_drugs,) means over pairs of members, over patients.
    """
    columns = [model_set.drugs.index(drug) for drug in drugs]
    scores: dict[str, Array] = {}
    for kind in model_set.learned:
        model = model_set.model(kind)
        if isinstance(model, Ensemble):
            continue
        if isinstance(model, CalibratedModel):
            chunks = [
                model.score_members(model_set.samples(part))[:, :, columns]
                for part in _chunks(expression)
            ]
            scores[kind] = np.concatenate(chunks, axis=1)
    ensemble = model_set.models.get(ENSEMBLE)
    if isinstance(ensemble, Ensemble):
        scores[ENSEMBLE] = ensemble.combine(scores)
    return {kind: _mean_pairwise(members) for kind, members in scores.items()}


def clear_majority(readings: Mapping[str, Reading]) -> Array:
    """Return (n_drugs,) the share of patients of whom four fifths of the five lean one way.

    A model leans resistant where its probability is at or above its threshold. NaN where not all
    five models are among the readings.
    """
    if not set(FIVE) <= set(readings):
        return np.full(next(iter(readings.values())).probability.shape[1], np.nan)
    leans = [readings[kind].probability >= readings[kind].threshold for kind in FIVE]
    resistant = np.sum(leans, axis=0)
    together = np.maximum(resistant, len(FIVE) - resistant)
    share: Array = (together >= CLEAR_MAJORITY * len(FIVE)).mean(axis=0)
    return share


def line_share(screen: Screen, code: str, drug: str) -> float:
    """Return the share of resistant cell lines of a cancer type; NaN where none was measured."""
    lines = (screen.tissue == find_cancer_type(code).gdsc_tissue).to_numpy()
    return float(screen.resistant.loc[lines, drug].mean())


def table_differences(found: pd.DataFrame, shipped: pd.DataFrame) -> pd.DataFrame:
    """Compare two transfer tables.

    Returns
    -------
    DataFrame
        One row a number of the two: columns of `KEYS`, ``column``, ``found``, ``shipped``,
        ``difference`` (absolute; 0 where both are NaN, infinite where one is), largest first. A row
        or column that only one of them has counts as NaN in the other.
    """
    numbers = [name for name in COLUMNS if name not in (*KEYS, "form")]
    sides = []
    for table in (found, shipped):
        wide = table.reindex(columns=[*KEYS, *numbers]).set_index(KEYS).astype(float)
        sides.append(wide.rename_axis(columns="column").stack(future_stack=True))
    both = pd.concat(sides, axis=1, keys=["found", "shipped"]).reset_index()
    gap = (both["found"] - both["shipped"]).abs()
    same = both["found"].isna() & both["shipped"].isna()
    both["difference"] = gap.fillna(np.inf).mask(same, 0.0)
    return both.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def _chunks(expression: Expression) -> list[Expression]:
    values = expression.values
    return [Expression(values.iloc[at : at + CHUNK]) for at in range(0, len(values), CHUNK)]


def _mean_pairwise(members: Array) -> Array:
    """Return (n_drugs,) mean Spearman of (n_members, n_patients, n_drugs) over pairs."""
    pairs = list(combinations(range(len(members)), 2))
    return np.array(
        [
            np.mean([spearman(members[i, :, drug], members[j, :, drug]) for i, j in pairs])
            for drug in range(members.shape[2])
        ]
    )


def _spread(reading: Reading, column: int) -> dict[str, float]:
    """Return quantiles of the probability, and the shares that the interval rule calls."""
    levels = np.quantile(reading.probability[:, column], list(QUANTILES.values()))
    resistant = float(reading.resistant[:, column].mean())
    sensitive = float(reading.sensitive[:, column].mean())
    return {
        **dict(zip(QUANTILES, levels.tolist(), strict=True)),
        "share_resistant": resistant,
        "share_sensitive": sensitive,
        "share_uncertain": 1 - resistant - sensitive,
    }


def _unaligned(reading: Reading, unaligned: Reading | None, column: int) -> dict[str, float]:
    names = COLUMNS[-3:]
    if unaligned is None:
        return dict.fromkeys(names, float("nan"))
    values = (
        float(np.median(unaligned.probability[:, column])),
        float(unaligned.resistant[:, column].mean()),
        _between(reading, unaligned, column),
    )
    return dict(zip(names, values, strict=True))


def _between(one: Reading, other: Reading | None, column: int) -> float:
    if other is None:
        return float("nan")
    return spearman(one.probability[:, column], other.probability[:, column])
