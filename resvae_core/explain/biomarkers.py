"""Genes that move a predicted resistance, and genes that go along with it, in a cohort.

Two kinds that are never mixed without their label:

- *attributed*: genes that the models read. The effect is what one standard deviation more of the
  gene adds to the log-odds of resistance: the slope of its attribution on its expression over the
  patients, averaged over the five models, with the range over the five. An attribution has no
  p-value: five models fitted to the same labels are no replicates (a t-test over their slopes
  finds noise significant half of the time), and patients are none of a model's formula. How far
  to trust it is said by votes of the models and by stability over their members.
- *associated*: every other measured gene. The effect is its correlation with the log-odds that
  the ensemble predicts.

Genes of both kinds have that correlation, plain and adjusted, and its p and q. Correlations can be
compared with one another, never with an attribution: a gene may carry little and correlate well,
through others, or carry much one way and correlate the other.

Both kinds say what the models see in patients. Nobody's response is read here.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.data.drugs import load_drugs
from resvae_core.data.marker_genes import MARKER_KINDS, load_marker_genes
from resvae_core.errors import InputDataError
from resvae_core.explain.associations import correlate, false_discovery
from resvae_core.explain.cohort_reading import (
    AdjustedCorrelations,
    CohortReading,
    adjusted_correlations,
)

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]

ATTRIBUTED, ASSOCIATED = "attributed", "associated"
UNITS = {ATTRIBUTED: "log-odds of resistance per SD", ASSOCIATED: "correlation with the log-odds"}
COLUMNS = (
    "cohort",
    "drug",
    "gene",
    "kind",
    "effect",
    "lower",
    "upper",
    "unit",
    "direction",
    "votes",
    "n_models",
    "stability",
    "correlation",
    "p_value",
    "q_value",
    "correlation_purity",
    "q_purity",
    "n_purity",
    "correlation_general",
    "q_general",
    "flags",
    "n_patients",
)

TOP_SHARE = 0.05
"""Share of the genes that counts as the top: for votes, stability and recurrence."""
SIGNIFICANT = 0.05
RECURRENT, FALLS_WITH_PURITY = "recurrent", "falls with purity"
RECURRENT_CLASSES = 4
PURITY_CORRELATION = -0.3
N_STRONGEST = 300
NAMED_GENES = ("TFF1", "OPALIN", "LTF", "IL2RA", "SLC17A7")
"""Genes that the paper names; their rows always travel with the models."""


def biomarker_table(readings: Iterable[CohortReading]) -> pd.DataFrame:
    """Return the biomarkers of cohorts and drugs, both kinds.

    Parameters
    ----------
    readings
        The cohorts; held one at a time where it is an iterator.

    Returns
    -------
    pd.DataFrame
        One row a cohort, drug and gene that is assessable; columns `COLUMNS`.

        - ``effect`` in ``unit``, from ``lower`` to ``upper``: of an attributed gene the range over
          the models (smallest and largest slope, no confidence interval), of an associated one the
          95 % interval of its correlation. ``direction``: what more of the gene goes with, the
          sign of ``effect``.
        - ``votes`` of ``n_models``: models in which an attributed gene is among the top 5 % with
          the sign of the mean; models whose own log-odds correlate with an associated gene in the
          same direction, p < 0.05, and at least half as strongly.
        - ``stability``: share of all members of the models that have an attributed gene in their
          top 5 %, measured on `N_FOR_MEMBERS` evenly spaced patients of the cohort; NaN where the
          gene varies too little in those, and for associated genes.
        - ``correlation`` of the gene with the ensemble's log-odds over the patients (Pearson; an
          associated gene's effect), its ``p_value`` and ``q_value``. For an attributed gene they
          say that the score follows it, not that its attribution is significant.
        - ``correlation_purity``, ``correlation_general``: the same given tumour purity, over the
          ``n_purity`` patients in whom it is recorded (NaN where those are fewer than ten), and
          given the patient's resistance to all other drugs; ``q_purity``, ``q_general``.
        - ``flags``, separated by ``; ``: ``recurrent`` (in the top 5 % for drugs of at least four
          unrelated classes in this cohort, see `drug_class`), ``normal tissue``, ``immune`` or
          ``stroma`` (see `data.marker_genes`), ``falls with purity`` (correlation with purity at
          most −0.3, q < 0.05 over the cohort's genes).

        Every q is Benjamini–Hochberg over the whole table of a kind.

    Raises
    ------
    InputDataError
        If a cohort has fewer than ten patients.
    """
    parts = [rows for reading in readings for rows in _cohort_rows(reading)]
    if not parts:
        raise InputDataError("There is no cohort to look at.", remedy="Name at least one.")
    table = pd.concat(parts, ignore_index=True)
    tests = {"q_value": "p_value", "q_purity": "p_purity", "q_general": "p_general"}
    for q_value, p_value in tests.items():
        by_kind = table.groupby("kind")[p_value]
        table[q_value] = by_kind.transform(lambda p: false_discovery(p.to_numpy(float)))
    return table[list(COLUMNS)]


def shipped_rows(
    table: pd.DataFrame, n_strongest: int = N_STRONGEST, always: Sequence[str] = NAMED_GENES
) -> pd.DataFrame:
    """Return the rows that travel with the models.

    Parameters
    ----------
    table
        As `biomarker_table` gives it.
    n_strongest
        Associated genes of each cohort and drug, by the size of their correlation.
    always
        Genes that are kept however weak.

    Returns
    -------
    pd.DataFrame
        All attributed rows and the chosen associated ones, in the order of the table; their q
        stays that of the whole table.
    """
    strength = table["effect"].abs().groupby([table["cohort"], table["drug"], table["kind"]])
    strong = strength.rank(ascending=False, method="first") <= n_strongest
    kept = (table["kind"] == ATTRIBUTED) | strong | table["gene"].isin(always)
    return table[kept].reset_index(drop=True)


def drug_class(name: str) -> str:
    """Return what makes two drugs related: mechanism of a chemotherapy, pathway of the others."""
    drug = load_drugs()[name]
    return drug.target if drug.drug_class == "chemotherapy" else drug.pathway


def _cohort_rows(reading: CohortReading) -> list[pd.DataFrame]:
    """Return the attributed and the associated rows of one cohort, without q."""
    values = reading.values.to_numpy(float)
    adjusted = adjusted_correlations(reading, reading.scores(), reading.general())
    falls = _falls_with_purity(values, reading)
    return [
        _attributed(reading, adjusted, falls),
        _associated(reading, adjusted, falls, values),
    ]


def _attributed(
    reading: CohortReading, adjusted: AdjustedCorrelations, falls: Mask
) -> pd.DataFrame:
    measured = [number for number, gene in enumerate(reading.genes) if gene in reading.values]
    genes = [reading.genes[number] for number in measured]
    by_model = np.stack([reading.slopes[drug][:, measured] for drug in reading.drugs])
    members = np.stack([reading.member_slopes[drug][:, :, measured] for drug in reading.drugs])
    effect = by_model.mean(axis=1)
    stability = _top(members).mean(axis=(1, 2))
    stability[np.isnan(members).all(axis=(1, 2))] = np.nan
    agree = np.sign(by_model) == np.sign(effect)[:, None, :]
    columns = {
        "effect": effect,
        "lower": by_model.min(axis=1),
        "upper": by_model.max(axis=1),
        "votes": (_top(by_model) & agree).sum(axis=1),
        "stability": stability,
    }
    at = reading.values.columns.get_indexer(pd.Index(genes))
    return _rows(reading, ATTRIBUTED, at, columns, adjusted, falls)


def _associated(
    reading: CohortReading, adjusted: AdjustedCorrelations, falls: Mask, values: Array
) -> pd.DataFrame:
    at = np.flatnonzero(~reading.values.columns.isin(reading.genes))
    plain = adjusted.plain
    effect = plain.effect[at]
    votes = np.zeros(effect.shape)
    for kind in reading.parts:
        own = correlate(values[:, at], reading.scores(kind))
        same = np.sign(own.effect) == np.sign(effect)
        strong = np.abs(own.effect) >= np.abs(effect) / 2
        votes += same & strong & (own.p_value < SIGNIFICANT)
    columns = {
        "effect": effect.T,
        "lower": plain.lower[at].T,
        "upper": plain.upper[at].T,
        "votes": votes.T,
        "stability": np.full(effect.T.shape, np.nan),
    }
    return _rows(reading, ASSOCIATED, at, columns, adjusted, falls)


def _rows(
    reading: CohortReading,
    kind: str,
    at: NDArray[np.intp],
    columns: Mapping[str, Array],
    adjusted: AdjustedCorrelations,
    falls: Mask,
) -> pd.DataFrame:
    """Lay (n_drugs, n_genes) results out as rows, with what both kinds have in common.

    `at` says where the genes stand among the measured ones.
    """
    names, drugs = reading.values.columns[at], reading.drugs
    effect = columns["effect"]
    flags = _flags(names, {RECURRENT: recurrent(effect, drugs), FALLS_WITH_PURITY: falls[at]})
    table = pd.DataFrame(
        {
            "cohort": reading.cohort,
            "drug": np.repeat(drugs, len(names)),
            "gene": np.tile(names.to_numpy(object), len(drugs)),
            "kind": kind,
            **{name: column.ravel() for name, column in columns.items()},
            "unit": UNITS[kind],
            "direction": np.where(effect.ravel() > 0, "resistant", "sensitive"),
            "n_models": len(reading.parts),
            **_correlation_columns(adjusted, at),
            "n_purity": int(np.isfinite(reading.purity).sum()),
            "flags": np.tile(flags, len(drugs)),
            "n_patients": len(reading.values),
        }
    )
    assessable = table["effect"].notna() & table["p_value"].notna()
    return table[assessable].astype({"votes": int})


def _correlation_columns(adjusted: AdjustedCorrelations, at: NDArray[np.intp]) -> dict[str, Array]:
    plain, general = adjusted.plain, adjusted.general
    missing = np.full(plain.effect.shape, np.nan)
    purity = adjusted.purity
    columns = {
        "correlation": plain.effect,
        "p_value": plain.p_value,
        "correlation_purity": missing if purity is None else purity.effect,
        "p_purity": missing if purity is None else purity.p_value,
        "correlation_general": general.effect,
        "p_general": general.p_value,
    }
    return {name: column[at].T.ravel() for name, column in columns.items()}


def recurrent(effect: Array, drugs: Sequence[str]) -> Mask:
    """Return which genes are in the top for drugs of at least four unrelated classes.

    Parameters
    ----------
    effect
        (n_drugs, n_genes).
    drugs
        (n_drugs,) names.
    """
    top = _top(effect)
    classes = [drug_class(drug) for drug in drugs]
    found = np.zeros(effect.shape[1], dtype=int)
    for name in set(classes):
        found += top[[one == name for one in classes]].any(axis=0)
    enough: Mask = found >= RECURRENT_CLASSES
    return enough


def _top(sizes: Array) -> Mask:
    """Return which genes, along the last axis, are in the top 5 % by absolute value, never 0."""
    size = np.abs(np.nan_to_num(sizes))
    n_assessable = int(np.isfinite(sizes).any(axis=tuple(range(sizes.ndim - 1))).sum())
    n_top = math.ceil(TOP_SHARE * n_assessable)
    if n_top == 0:
        return np.zeros(size.shape, dtype=bool)
    limit = np.partition(size, -n_top, axis=-1)[..., [-n_top]]
    chosen: Mask = (size >= limit) & (size > 0)
    return chosen


def _falls_with_purity(values: Array, reading: CohortReading) -> Mask:
    """Return which genes are the lower the purer the tumour."""
    if not reading.has_purity:
        return np.zeros(values.shape[1], dtype=bool)
    found = correlate(values, reading.purity[:, None])
    q_value = false_discovery(found.p_value)
    falls: Mask = ((found.effect <= PURITY_CORRELATION) & (q_value < SIGNIFICANT))[:, 0]
    return falls


def _flags(genes: pd.Index, found: Mapping[str, Mask]) -> NDArray[np.object_]:
    """Join the cautions on each gene, recurrence first."""
    markers = load_marker_genes()
    kinds = np.array([markers[gene].kind if gene in markers else "" for gene in genes], object)
    masks = {RECURRENT: found[RECURRENT]}
    masks |= {kind: kinds == kind for kind in MARKER_KINDS}
    masks |= {FALLS_WITH_PURITY: found[FALLS_WITH_PURITY]}
    flags = np.full(len(genes), "", dtype=object)
    for name, mask in masks.items():
        flags[mask] = [f"{flag}; {name}" if flag else name for flag in flags[mask]]
    return flags
