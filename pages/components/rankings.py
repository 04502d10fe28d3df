"""The table of all drugs: narrowed down, placed in the cohort, and one of them chosen."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components import columns, pickers, places, resources
from pages.components.state import Session, load_session
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.figures.palette import CALLS
from resvae_core.figures.strips import interval_strip
from resvae_core.models.call_words import lean_words
from resvae_core.models.ranking import Agreement

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

HEADINGS = {True: "All drugs, most sensitive first", False: "No drug is called"}
"""What stands above the ranking, by whether the sample may be judged."""
SETS = {
    "resistant": "resistant only",
    "sensitive": "sensitive only",
    "both": "either",
    "neither": "empty",
    "": "",
}
"""Conformal sets in words."""
NOT_ASSESSABLE = "not assessable"
FEW = 15
"""Rows that are shown without scrolling."""


def placed(session: Session, ranking: pd.DataFrame) -> pd.DataFrame:
    """Return a ranking with ``percentile``, the place among patients of the same cancer.

    NaN where no cohort of it can be compared with, and where nothing is called.
    """
    from resvae_core.evaluation.cohort_scores import position_in_cohort

    rows = resources.cohort_score_quantiles(session.cancer_type, session.model)

    def place(row: dict[Hashable, Any]) -> float:
        if rows is None or row["call"] == NOT_ASSESSABLE:
            return math.nan
        found = position_in_cohort(rows, row["drug"], row["probability"])
        return found.percentile if found else math.nan

    return ranking.assign(percentile=[place(row) for row in ranking.to_dict("records")])


def narrowed(session: Session, ranking: pd.DataFrame) -> pd.DataFrame:
    """Offer to show first-line drugs, a class or a call alone; return the rows that remain."""
    first, kind, call = st.columns([5, 4, 4], vertical_alignment="bottom")
    with first:
        _offer_first_line(session, known=bool(ranking["first_line"].any()))
    with kind:
        classes = sorted(ranking["drug_class"].unique())
        pickers.choose(session, "drug_class", "Class", classes, placeholder="All classes")
    with call:
        calls = [name for name in CALLS if name in set(ranking["call"])]
        pickers.choose(
            session,
            "call",
            "Call",
            calls,
            words=lambda name: CALLS[name].label,
            placeholder="All calls",
        )
    keep = ranking["drug"].notna()
    if session.first_line_only and ranking["first_line"].any():
        keep &= ranking["first_line"]
    if session.drug_class:
        keep &= ranking["drug_class"] == session.drug_class
    if session.call:
        keep &= ranking["call"] == session.call
    return ranking[keep].reset_index(drop=True)


def _offer_first_line(session: Session, *, known: bool) -> None:
    """Offer to show standard first treatments of the cancer type alone."""
    where = "here"
    if session.cancer_type:
        where = f"in {load_cancer_types()[session.cancer_type].name.lower()}"
    key = "first_line_only"
    st.session_state[key] = session.first_line_only and known
    st.toggle(
        f"First line {where} only",
        key=key,
        disabled=not known,
        help="Drugs that are part of a standard first treatment of the cancer type chosen above, "
        "often of a subgroup only. Not available where none is stated, or none of the drugs is.",
        on_change=_keep_first_line,
        args=(key,),
    )


def _keep_first_line(key: str) -> None:
    load_session().first_line_only = bool(st.session_state[key])


def readable(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return a ranking with shape and word for each call, and the agreement as "4 of 5 ▲"."""
    rows = ranking.to_dict("records")
    return ranking.assign(
        call=[CALLS[call].label for call in ranking["call"]],
        strip=[_strip(row) for row in rows],
        agreement=[_lean(row) for row in rows],
        conformal=["" if row["call"] == NOT_ASSESSABLE else SETS[row["conformal"]] for row in rows],
        first_line=["✓" if first else "" for first in ranking["first_line"]],
        low_confidence=["low" if low else "" for low in ranking["low_confidence"]],
    )


def _strip(row: dict[Hashable, Any]) -> str:
    numbers = (float(row[name]) for name in ("probability", "lower", "upper"))
    return interval_strip(*numbers, call=row["call"], floor=float(row["floor"]))


def _lean(row: dict[Hashable, Any]) -> str:
    """Return how many of the five lean the same way, its shape, and whether they are split."""
    counts = Agreement(row["n_resistant"], row["n_sensitive"], row["n_models"], row["opposed"])
    if row["call"] == NOT_ASSESSABLE:
        return ""
    return lean_words(counts, {word: style.symbol for word, style in CALLS.items()})


def choose_drug(session: Session, ranking: pd.DataFrame, *, n_drugs: int) -> None:
    """Show the ranking; a selected row becomes the session's drug.

    Parameters
    ----------
    session
        Holds the choice.
    ranking
        What is left of the drugs, with ``percentile``.
    n_drugs
        How many there are in all.
    """
    if ranking.empty:
        st.markdown("No drug is left. Loosen the filters above.")
        return
    said = [f"Shown: {len(ranking)} of {n_drugs} drugs."] if len(ranking) < n_drugs else []
    if ranking["call"].ne(NOT_ASSESSABLE).any():
        said.append("Select a row to see the drug above.")
    if said:
        st.caption(" ".join(said))
    # another model, sample or filter gives another order: the selection must not point into it
    chosen = (session.model, session.samples.index(session.sample), session.cancer_type)
    filters = (session.first_line_only, session.drug_class, session.call)
    key = "_".join(map(str, ("ranking", *chosen, *filters)))
    has_place = bool(ranking["percentile"].notna().any())
    st.dataframe(
        readable(ranking),
        hide_index=True,
        height="content" if len(ranking) <= FEW else 560,
        column_config=columns.RANKING,
        column_order=[name for name in columns.RANKING if has_place or name != "percentile"],
        key=key,
        on_select=partial(_take_row, key, ranking["drug"].tolist()),
        selection_mode="single-row",
        alt="All drugs with probability of resistance, interval, call and agreement",
    )
    if resources.cohort_score_quantiles(session.cancer_type, session.model) is None:
        st.caption(places.why_unknown(session))


def filter_note(n_shown: int, n_drugs: int) -> tuple[str, ...]:
    """Return what a downloaded table has to say of drugs that were filtered out."""
    return (f"Filtered: {n_shown} of {n_drugs} drugs",) if n_shown < n_drugs else ()


def _take_row(key: str, drugs: list[str]) -> None:
    """Write the selected drug into the session."""
    rows = st.session_state[key]["selection"]["rows"]
    session = load_session()
    session.drug = drugs[rows[0]] if rows else ""
    session.write_link()
