"""Predicted resistance against the response on record, one cancer and one drug at a time.

Every pair of an installed cohort and a drug with at least 20 patients on record is judged, good or
bad: ROC AUC of P(resistant) for non-response, within the cancer. Pairs are never pooled: cancers
and drugs differ in how many respond, and a guess from that alone gives a pooled ROC AUC of 0.78.

What limits the figures: the response on record is often a regimen's, so that two drugs of a cancer
may be judged by the same events; most pairs have few non-responders; and every model is read on
every pair, so that of all those intervals some exclude 0.5 by chance alone. A floor says the same
of all patients of a cancer, which is 0.5 by definition.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import false_discovery_control, mannwhitneyu
from sklearn.linear_model import RidgeCV

from resvae_core.compute import derive_seed, one_thread
from resvae_core.data.cohorts import DEMO, list_cohorts
from resvae_core.data.drug_response import read_drug_response
from resvae_core.data.screens import TrainingSet, load_training_set
from resvae_core.evaluation.transfer import Progress, silent
from resvae_core.features.alignment import standard_scores
from resvae_core.models.model_set import ModelSet
from resvae_core.models.patients import Patients, load_patients

MINIMAL_PATIENTS = 20
"""Patients with expression and a recorded response that a pair needs."""
MINIMAL_CLASS = 10
"""Responders, and non-responders, below which an interval is not to be leant on."""
N_RESAMPLES = 2000
INTERVAL = 0.95
PLAIN_RIDGE = "plain_ridge"
PENALTIES = (30.0, 100.0, 300.0, 1000.0, 3000.0)
KEYS = ["cohort", "drug", "model"]
COLUMNS = [*KEYS, "roc_auc", "lower", "upper", "n", "n_responders", "form"]
TESTS = ["p_value", "q_value"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class ResponsePair:
    """The patients of one cohort with a response to one drug on record.

    Parameters
    ----------
    drug
        Name as in the catalogue.
    patients
        Names, in the order of the cohort.
    responder
        (n_patients,) True for a complete or partial response.
    """

    drug: str
    patients: tuple[str, ...]
    responder: NDArray[np.bool_]


def response_table(
    folder: Path, model_set: ModelSet, *, progress: Progress = silent
) -> pd.DataFrame:
    """Judge every model on every cohort and drug with enough responses on record.

    Parameters
    ----------
    folder
        Folder of installed data: cohorts, recorded responses, and the cell lines for the ridge.
    model_set
        Its learned models and floors are judged.
    progress
        Called with (cohort that comes next, cohorts done, cohorts in total).

    Returns
    -------
    DataFrame
        One row a cohort, drug and model (learned models, ``plain_ridge``, floors), columns
        `COLUMNS` and `TESTS`: ``roc_auc`` (share of pairs of a non-responder and a responder in
        which the first is predicted more resistant; 0.5 says nothing), ``lower`` and ``upper``
        (95 %, see `bootstrap_interval`; NaN where all patients have the same prediction, as with
        floors, or a class has fewer than two), ``n`` patients, ``n_responders``, ``form``
        (``log2tpm``, or ``zscore, aligned``), ``p_value`` (Mann–Whitney, two-sided; NaN where the
        interval is), ``q_value`` (Benjamini–Hochberg over the whole table).

    Raises
    ------
    InputDataError
        If responses or cell lines are not installed.
    """
    recorded = read_drug_response(folder)
    training_set = load_training_set(folder)
    codes = [code for code in list_cohorts(folder) if code != DEMO]
    rows = []
    for number, code in enumerate(codes):
        progress(code, number, len(codes))
        patients = load_patients(folder, code, model_set)
        for pair in find_pairs(patients, recorded, model_set.drugs):
            with one_thread():  # as in the transfer table
                scores = score_pair(patients, pair, model_set, training_set)
            rows.append(judge_pair(patients, pair, scores))
    progress("", len(codes), len(codes))
    if not rows:
        return pd.DataFrame(columns=[*COLUMNS, *TESTS])
    table = pd.concat(rows, ignore_index=True)
    tested = table["p_value"].notna()
    table.loc[tested, "q_value"] = false_discovery_control(table.loc[tested, "p_value"])
    return table


def find_pairs(
    patients: Patients, recorded: pd.DataFrame, drugs: Sequence[str]
) -> list[ResponsePair]:
    """List the drugs with at least `MINIMAL_PATIENTS` of a cohort, and both classes, on record.

    Parameters
    ----------
    recorded
        As `data.drug_response.read_drug_response` gives it.
    drugs
        That the models know.
    """
    names = patients.expression.samples
    here = recorded[recorded["patient"].isin(names)]
    pairs = []
    for drug in drugs:
        responder = here[here["drug"] == drug].set_index("patient")["responder"]
        chosen = [name for name in names if name in responder.index]
        if len(chosen) >= MINIMAL_PATIENTS and responder.nunique() == 2:
            pairs.append(ResponsePair(drug, tuple(chosen), responder[chosen].to_numpy(bool)))
    return pairs


def score_pair(
    patients: Patients, pair: ResponsePair, model_set: ModelSet, training_set: TrainingSet
) -> dict[str, Array]:
    """Return (n_patients,) predicted resistance of a pair's patients by every model."""
    forecast = model_set.predict(
        patients.expression.select(pair.patients), cancer_type=patients.code, drugs=[pair.drug]
    )
    table = forecast.table.pivot(index="sample", columns="model", values="probability")
    table = table.loc[list(pair.patients)]
    ridge = ridge_scores(patients, pair.drug, training_set)[list(pair.patients)]
    scores = {kind: table[kind].to_numpy(float) for kind in model_set.learned}
    scores[PLAIN_RIDGE] = ridge.to_numpy(float)
    return scores | {
        kind: table[kind].to_numpy(float)
        for kind in model_set.models
        if kind not in model_set.learned
    }


def ridge_scores(patients: Patients, drug: str, training_set: TrainingSet) -> pd.Series[float]:
    """Predict ln IC50 by ridge regression: the plain model that the others have to beat.

    It reads the genes that patients and cell lines share, each side standardised by its own mean
    and spread, and is trained on the lines that were measured with the drug. The penalty, one of
    `PENALTIES`, is chosen by leaving out cell lines one at a time; no patient has a say in it.

    Returns
    -------
    Series
        (n_patients,) predicted ln IC50, up to the shift that standardising took away. Index: all
        patients of the cohort.
    """
    tumours, lines = patients.expression.values, training_set.expression.values
    shared = [gene for gene in patients.expression.genes if gene in lines.columns]
    ln_ic50 = training_set.screen.ln_ic50[drug].dropna()
    inputs = standard_scores(lines.loc[ln_ic50.index, shared].astype(float))
    ridge = RidgeCV(alphas=PENALTIES).fit(inputs.to_numpy(), ln_ic50.to_numpy())
    scores = ridge.predict(standard_scores(tumours[shared].astype(float)).to_numpy())
    return pd.Series(scores, index=tumours.index)


def judge_pair(patients: Patients, pair: ResponsePair, scores: Mapping[str, Array]) -> pd.DataFrame:
    """Return the rows of one cohort and drug, without q-values; see `response_table`."""
    seed = derive_seed("clinical response", patients.code, pair.drug)
    rows = []
    for model, score in scores.items():
        area, lower, upper = bootstrap_interval(score, ~pair.responder, seed)
        counts = (len(pair.patients), int(pair.responder.sum()))
        key = (patients.code, pair.drug, model)
        p_value = float("nan")
        if not np.isnan(lower):
            p_value = float(mannwhitneyu(score[~pair.responder], score[pair.responder]).pvalue)
        rows.append((*key, area, lower, upper, *counts, patients.form, p_value))
    return pd.DataFrame(rows, columns=[*COLUMNS, "p_value"])


def bootstrap_interval(
    score: Array, positive: NDArray[np.bool_], seed: int
) -> tuple[float, float, float]:
    """Return the ROC AUC and its 95 % percentile interval.

    Parameters
    ----------
    score
        (n,) higher = more likely positive.
    positive
        (n,) both classes occur.
    seed
        The same seed draws the same patients for every score of a pair.

    Returns
    -------
    tuple
        ROC AUC; lower and upper of `N_RESAMPLES` resamples drawn within each class. Patients are
        the unit; that the model itself could have come out otherwise is not in it. With few of a
        class it is too narrow: see `MINIMAL_CLASS`. All three are NaN, not assessable, where a
        class is one patient: the area would only say where that one stands. A constant score has
        0.5 and no interval.
    """
    difference = score[positive][:, None] - score[~positive][None, :]
    wins = (difference > 0) + (difference == 0) / 2
    area = float(wins.mean())
    n_positive, n_negative = wins.shape
    if np.ptp(score) == 0:
        return area, float("nan"), float("nan")
    if min(wins.shape) < 2:
        return float("nan"), float("nan"), float("nan")
    rng = np.random.default_rng(seed)
    chosen = rng.multinomial(n_positive, np.full(n_positive, 1 / n_positive), N_RESAMPLES)
    other = rng.multinomial(n_negative, np.full(n_negative, 1 / n_negative), N_RESAMPLES)
    areas = np.einsum("bi,ij,bj->b", chosen, wins, other, optimize=True)
    levels = [0.5 - INTERVAL / 2, 0.5 + INTERVAL / 2]
    lower, upper = np.quantile(areas / (n_positive * n_negative), levels)
    return area, float(lower), float(upper)


def summarise_response(table: pd.DataFrame) -> pd.DataFrame:
    """Count by model, over pairs, how often the order of patients was right.

    It averages no patients over drugs. Pairs share patients and models, so the counts are no test;
    of intervals that hold nothing, one in forty excludes 0.5 on either side.

    Returns
    -------
    DataFrame
        One row a model, in the order of the table: ``n_pairs``; ``n_above`` (ROC AUC above 0.5);
        ``n_excluding_above``, ``n_excluding_below`` (interval wholly above, or below, 0.5);
        ``median`` of the ROC AUCs; and the same of the pairs with at least `MINIMAL_CLASS` of each
        class, as ``n_pairs_10``, ``n_above_10``, ``n_excluding_above_10``,
        ``n_excluding_below_10``, ``median_10``.
    """
    fewer = np.minimum(table["n_responders"], table["n"] - table["n_responders"])
    models = table["model"].drop_duplicates().tolist()
    rows = []
    for model in models:
        mine = table["model"] == model
        judged = _count(table[mine]) | {
            f"{name}_{MINIMAL_CLASS}": value
            for name, value in _count(table[mine & (fewer >= MINIMAL_CLASS)]).items()
        }
        rows.append({"model": model, **judged})
    return pd.DataFrame(rows)


def _count(rows: pd.DataFrame) -> dict[str, float]:
    return {
        "n_pairs": int(rows["roc_auc"].notna().sum()),
        "n_above": int((rows["roc_auc"] > 0.5).sum()),
        "n_excluding_above": int((rows["lower"] > 0.5).sum()),
        "n_excluding_below": int((rows["upper"] < 0.5).sum()),
        "median": float(rows["roc_auc"].median()),
    }
