"""Suitability of endpoints: the catalogue, and the rule where nothing was recommended."""

from __future__ import annotations

import csv
from pathlib import Path

import pandas as pd
import pytest

from resvae_core.config import CATALOG
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.cohorts import ENDPOINTS
from resvae_core.data.endpoints import COMPUTED, judge_record, load_suitability, suitability
from resvae_core.errors import CatalogError
from resvae_core.tables import SurvivalOutcome

LIU = "Liu et al. 2018, Cell 173:400, Table 3"


def record(n: int, n_events: int, months: float = 40) -> SurvivalOutcome:
    """Return patients of whom the first had the event, all at the same time."""
    names = [f"P{number}" for number in range(n)]
    events = pd.Series([number < n_events for number in range(n)], names)
    return SurvivalOutcome(pd.Series(months * 365.25 / 12, names), events)


def test_every_cancer_type_has_a_verdict_on_every_endpoint() -> None:
    table = load_suitability()
    assert set(table) == {(code, end) for code in load_cancer_types() for end in ENDPOINTS}
    assert {entry.source for entry in table.values()} == {LIU, COMPUTED}
    assert all(entry.note.endswith(".") for entry in table.values())


def test_verdicts_follow_the_marks_except_where_the_description_says_so() -> None:
    verdicts = {"✓": "suitable", "✓*": "with caution", "×": "not suitable", "NA": "not suitable"}
    with (CATALOG / "endpoint_suitability.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    differing = [
        (row["code"], row["endpoint"])
        for row in rows
        if row["mark"] and row["verdict"] != verdicts[row["mark"]]
    ]
    assert differing == [("CHOL", "OS"), ("CHOL", "PFI")]
    assert [row["code"] for row in rows if row["source"] == COMPUTED] == ["TGCT"]


@pytest.mark.parametrize(
    ("code", "endpoint", "verdict"),
    [
        # Table 3 of Liu et al. 2018
        ("LUAD", "OS", "suitable"),
        ("GBM", "PFI", "suitable"),
        ("READ", "OS", "with caution"),
        ("BRCA", "OS", "with caution"),
        ("BRCA", "PFI", "suitable"),
        ("PCPG", "OS", "not suitable"),
        ("DLBC", "OS", "not suitable"),
        ("TGCT", "OS", "not suitable"),
        ("THYM", "OS", "not suitable"),
        ("LAML", "PFI", "not suitable"),
        ("SKCM", "DFI", "not suitable"),
    ],
)
def test_recommendations_are_those_that_were_published(code, endpoint, verdict) -> None:
    found = suitability(f"TCGA-{code}".lower(), endpoint)
    assert (found.verdict, found.source) == (verdict, LIU)


def test_of_a_cohort_that_is_not_listed_nothing_is_stated() -> None:
    found = suitability("DEMO", "OS")
    assert (found.verdict, found.source) == ("not stated", "")
    assert found.note == "No recommendation is known for OS in DEMO."


@pytest.mark.parametrize(
    ("outcome", "verdict", "note"),
    [
        (record(100, 9), "not suitable", "9 events in 100 patients, fewer than 10."),
        (record(100, 19), "with caution", "19 events in 100 patients, fewer than 20."),
        (
            record(1200, 20, months=11),
            "with caution",
            "20 events in 1,200 patients; those without one were followed for 11 months (median).",
        ),
        (record(100, 50, months=11), "suitable", "50 events in 100 patients."),
        (record(20, 20, months=1), "suitable", "20 events in 20 patients."),
        (record(100, 20), "suitable", "20 events in 100 patients."),
    ],
)
def test_the_rule_counts_events_and_follow_up(outcome, verdict, note) -> None:
    found = judge_record(outcome)
    assert (found.verdict, found.note, found.source) == (verdict, note, COMPUTED)
    assert suitability("DEMO", "OS", outcome) == found


def test_the_stricter_of_recommendation_and_rule_holds_and_both_are_said() -> None:
    few = suitability("LUAD", "OS", record(80, 8))
    assert few.verdict == "not suitable"
    assert (
        few.note == "Here 8 events in 80 patients, fewer than 10. For the whole cohort: suitable."
    )
    assert few.source == f"{COMPUTED}; {LIU}"
    many = record(800, 300)
    assert suitability("BRCA", "OS", many) == suitability("BRCA", "OS")
    assert suitability("PCPG", "OS", record(100, 15)) == suitability("PCPG", "OS")


def test_an_unknown_endpoint_is_refused() -> None:
    with pytest.raises(CatalogError, match="no endpoint 'PFS'; known are OS, DSS, PFI, DFI"):
        suitability("LUAD", "PFS")


@pytest.mark.parametrize(
    "text", [None, "code,endpoint\nLUAD,OS\n", "code,endpoint,verdict,note,source\nA,OS,fine,,\n"]
)
def test_a_damaged_catalogue_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "endpoint_suitability.csv"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError, match=r"endpoint_suitability\.csv cannot be read"):
        load_suitability(path)


@pytest.mark.data
def test_what_is_computed_follows_from_the_record(data: Path) -> None:
    columns = ["patient", "cohort", "dfi_time_days", "dfi_event"]
    table = pd.read_parquet(data / "tcga" / "clinical.parquet", columns=columns)
    table = table[(table["cohort"] == "TGCT") & (table["dfi_time_days"] > 0)].set_index("patient")
    table = table.dropna(subset=["dfi_event"])
    outcome = SurvivalOutcome(table["dfi_time_days"], table["dfi_event"] == 1, "DFI")
    assert suitability("TGCT", "DFI") == judge_record(outcome)
