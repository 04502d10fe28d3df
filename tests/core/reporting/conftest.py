"""Reports of invented forecasts over the shipped cards: nothing is loaded, nothing is predicted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.uploads.record import Detection, QcRecord
from resvae_core.evaluation.cohort_scores import CohortPosition
from resvae_core.explain.attribution import UNIT, Attribution
from resvae_core.models.model_set import Forecast
from resvae_core.models.ranking import FIVE, TISSUE_FLOOR
from resvae_core.registry.card import Card
from resvae_core.registry.description import describe_model_set
from resvae_core.registry.store import list_cards
from resvae_core.reporting import Installed, Report, Words, build_report

SAMPLE = "S-1"
FILE_DIGEST = "ab" * 32
LEARNED = (*FIVE, "elastic_net", "ensemble")
MakeReport = Callable[..., Report]


@pytest.fixture(scope="session")
def installed() -> Installed:
    thresholds = dict.fromkeys(LEARNED, 0.77)
    return Installed(describe_model_set(), list_cards(), thresholds)


def forecast_of(cards: list[Card], verdict: str, cancer_type: str | None, sample: str) -> Forecast:
    """Return invented probabilities: those of a drug differ by model, as those of real ones do."""
    rng = np.random.default_rng(5)
    drugs = list(cards[0].document["drugs"])
    parts = []
    for kind in (*LEARNED, TISSUE_FLOOR):
        middle = rng.uniform(0.3, 0.97, len(drugs))
        lower, upper = middle - 0.2 * rng.random(len(drugs)), middle + 0.03
        calls = np.select([lower >= 0.77, upper < 0.77], ["resistant", "sensitive"], "uncertain")
        parts.append(
            pd.DataFrame(
                {
                    "sample": sample,
                    "drug": drugs,
                    "model": kind,
                    "probability": middle,
                    "lower": lower,
                    "upper": upper,
                    "conformal": "both",
                    "call": "baseline" if kind == TISSUE_FLOOR else calls,
                    "range": verdict,
                    "note": "",
                }
            )
        )
    reasons = () if verdict == "in range" else ("its profile lies away from every reference group",)
    ranges = pd.DataFrame(
        {
            "range": [verdict],
            "n_missing": [0],
            "distance": [float("inf") if reasons else 0.5],
            "residual": [0.5],
            "reasons": [reasons],
        },
        index=[sample],
    )
    return Forecast(pd.concat(parts, ignore_index=True), ranges, "set-1", "tumours", cancer_type)


def attributions_of(cards: list[Card], drug: str, sample: str) -> dict[str, Attribution]:
    """Return invented attributions, of which all models share the leading genes."""
    rng = np.random.default_rng(7)
    genes = list(cards[0].document["genes"])
    common = rng.normal(size=len(genes))
    found = {}
    for kind in LEARNED:
        values = 0.1 * (common + 0.3 * rng.normal(size=len(genes)))
        table = pd.DataFrame(
            {
                "sample": sample,
                "gene": genes,
                "value": 4.0,
                "attribution": values,
                "base": 0.0,
                "score": values.sum(),
                "unit": UNIT,
            }
        )
        table.loc[0, "value"] = np.nan
        found[kind] = Attribution(table, drug, kind, "every gene at its mean", 0.0)
    return found


def quality(genes: list[str], **changes: Any) -> QcRecord:
    """Return the record of an invented file."""
    sure = Detection("log2", 1.0, "")
    fields: dict[str, Any] = {
        "file_digest": FILE_DIGEST,
        "file_size": 10,
        "file_format": "text",
        "compression": "",
        "delimiter": ",",
        "decimal": ".",
        "encoding": "utf-8",
        "orientation": Detection("genes_in_rows", 1.0, ""),
        "id_type": Detection("symbol", 1.0, ""),
        "unit": sure,
        "n_rows": 700,
        "n_columns": 1,
        "n_samples": 1,
        "n_genes_recognised": len(genes),
        "n_genes_total": 700,
        "gene_coverage": 0.9,
        "conversion": "Values were taken as they are.",
        "lengths_note": "",
        "genes": frozenset(genes),
    }
    return QcRecord(**(fields | changes))


@pytest.fixture(scope="session")
def make_report(installed: Installed) -> MakeReport:
    """Return a function that builds a report of an invented sample."""
    cards = list(installed.cards)
    genes = list(cards[0].document["genes"])

    def make(
        *,
        verdict: str = "in range",
        sample: str = SAMPLE,
        drug: str = "Cisplatin",
        cancer_type: str | None = "LUAD",
        n_missing: int = 0,
        explained: bool = True,
        **further: Any,
    ) -> Report:
        arguments: dict[str, Any] = {
            "sample": sample,
            "drug": drug,
            "model": "ensemble",
            "installed": installed,
            "qc": quality(genes[n_missing:]),
            "date": "2026-11-21",
            "attributions": attributions_of(cards, drug, sample) if explained else None,
            "place": CohortPosition("LUAD", 71.23, 513) if cancer_type else None,
            "words": Words("Either.", "Higher than that of 71 of 100.", ("It held in 9 of 10.",)),
        }
        forecast = forecast_of(cards, verdict, cancer_type, sample)
        return build_report(forecast, **(arguments | further))

    return make


@pytest.fixture(scope="session")
def report(make_report: MakeReport) -> Report:
    return make_report()


@pytest.fixture(scope="session")
def refused(make_report: MakeReport) -> Report:
    """Report of a sample that is out of range."""
    return make_report(verdict="out of range")
