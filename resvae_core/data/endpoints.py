"""Whether an endpoint suits a cancer type: what was recommended, else what a rule of ours says.

The recommendations are in ``assets/catalog/endpoint_suitability.csv``, described beside it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from resvae_core.config import CATALOG
from resvae_core.data.cohorts import ENDPOINTS
from resvae_core.errors import CatalogError
from resvae_core.tables import SurvivalOutcome

Verdict = Literal["suitable", "with caution", "not suitable", "not stated"]
VERDICTS: dict[str, Verdict] = {verdict: verdict for verdict in get_args(Verdict)}
_STRICTNESS: tuple[Verdict, ...] = ("not stated", "suitable", "with caution", "not suitable")

MIN_EVENTS = 10
"""Events that a Cox coefficient needs at least (Peduzzi et al. 1995, J Clin Epidemiol 48:1503)."""
FEW_EVENTS = 20
"""Fewer call for caution: not enough for the variable and one covariate. Our choice."""
MIN_FOLLOW_UP_MONTHS = 12.0
"""Median follow-up of patients without an event below which we call for caution, unless half of
all had the event. Our choice."""
COMPUTED = "computed by us"
_DAYS_PER_MONTH = 365.25 / 12


@dataclass(frozen=True)
class Suitability:
    """How far an endpoint can be relied on in a cohort.

    Parameters
    ----------
    verdict
        ``suitable``, ``with caution``, ``not suitable``, or ``not stated`` where nothing is known.
    note
        Why, as a sentence.
    source
        The publication, ``computed by us`` (events and follow-up that are recorded), or both; ""
        where nothing is stated.
    """

    verdict: Verdict
    note: str
    source: str


def suitability(cohort: str, endpoint: str, outcome: SurvivalOutcome | None = None) -> Suitability:
    """Say whether an endpoint suits a cohort.

    Parameters
    ----------
    cohort
        TCGA code; of any other cohort, and of the synthetic one, nothing is stated.
    endpoint
        ``OS``, ``DSS``, ``PFI`` or ``DFI``.
    outcome
        The patients who are compared. They may be fewer than those that the recommendation rests
        on: where :func:`judge_record` is stricter on them, its verdict holds, and both are said.

    Raises
    ------
    CatalogError
        If the endpoint is not one of the four, or the catalogue cannot be read.
    """
    if endpoint not in ENDPOINTS:
        raise CatalogError(
            f"There is no endpoint {endpoint!r}; known are {', '.join(ENDPOINTS)}.",
            remedy="Choose one of them.",
        )
    code = cohort.upper().removeprefix("TCGA-")
    unknown = Suitability(
        "not stated", f"No recommendation is known for {endpoint} in {cohort}.", ""
    )
    stated = load_suitability().get((code, endpoint), unknown)
    return stated if outcome is None else _stricter(stated, judge_record(outcome))


def judge_record(outcome: SurvivalOutcome) -> Suitability:
    """Judge an endpoint by the events and the follow-up of these patients: a rule of ours.

    Fewer than 10 events: not suitable. Fewer than 20: with caution; and so where fewer than half
    had the event and the others were followed for less than 12 months (median).
    """
    events = outcome.event.to_numpy(bool)
    days = outcome.time_days.to_numpy(float)[~events]
    n, n_events = len(events), int(events.sum())
    months = float(np.median(days)) / _DAYS_PER_MONTH if len(days) else float("inf")
    counted = f"{n_events} events in {n:,} patients"
    if n_events < MIN_EVENTS:
        return Suitability("not suitable", f"{counted}, fewer than {MIN_EVENTS}.", COMPUTED)
    if n_events < FEW_EVENTS:
        return Suitability("with caution", f"{counted}, fewer than {FEW_EVENTS}.", COMPUTED)
    if 2 * n_events < n and months < MIN_FOLLOW_UP_MONTHS:
        note = f"{counted}; those without one were followed for {months:.0f} months (median)."
        return Suitability("with caution", note, COMPUTED)
    return Suitability("suitable", f"{counted}.", COMPUTED)


@lru_cache(maxsize=2)
def load_suitability(
    path: Path = CATALOG / "endpoint_suitability.csv",
) -> dict[tuple[str, str], Suitability]:
    """Load the verdicts: (TCGA code, endpoint) to verdict. One shared object: do not change it.

    Raises
    ------
    CatalogError
        If the file is missing, lacks a column, or has a verdict that is not known.
    """
    try:
        with path.open(encoding="utf-8", newline="") as stream:
            return {
                (row["code"], row["endpoint"]): Suitability(
                    VERDICTS[row["verdict"]], row["note"], row["source"]
                )
                for row in csv.DictReader(stream)
            }
    except (OSError, KeyError) as error:
        raise CatalogError(
            f"The catalogue of endpoints {path.name} cannot be read: {error!r}.",
            remedy="Restore it from the repository.",
        ) from error


def _stricter(stated: Suitability, computed: Suitability) -> Suitability:
    """Take the stricter verdict; say both where the patients here make it stricter."""
    if stated.verdict == "not stated":
        return computed
    if _STRICTNESS.index(computed.verdict) <= _STRICTNESS.index(stated.verdict):
        return stated
    note = f"Here {computed.note} For the whole cohort: {stated.verdict}."
    return replace(computed, note=note, source=f"{COMPUTED}; {stated.source}")
