"""The table of all drugs: narrowed down, placed in the cohort, and one of them chosen."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components import columns, pickers, places, resources, stated_type
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
SENSITIVE_MEANS = (
    "Sensitive means less resistant than most cell lines; above 0.5, resistance is still the more "
    "likely outcome."
)
"""What stands beside every table of calls."""
DIGITS = 4
"""Decimals of a downloaded number, as in the tables of a report."""
FEW = 15
"""Rows that are shown without scrolling."""


def placed(session: Session, ranking: pd.DataFrame) -> pd.DataFrame:
    """Return a ranking with what is known of each drug in the cancer type.

    ``percentile`` is the place among patients of the same cancer: NaN where no cohort of it can be
    compared with, and where nothing is called. ``percentile_bound`` tells a place that is known as
    a bound alone, "at most" or "at least". ``first_line_setting`` says when the drug is a first
    treatment.
    """
    from resvae_core.evaluation.cohort_scores import position_in_cohort

    # a type that the expression contradicts speaks for nobody until that is settled
    code = stated_type.cohort_code(session)
    rows = resources.cohort_score_quantiles(code, session.model)

    def place(row: dict[Hashable, Any]) -> float:
        if rows is None or row["call"] == NOT_ASSESSABLE:
            return math.nan
        found = position_in_cohort(rows, row["drug"], row["probability"])
        return found.percentile if found else math.nan

    percentiles = [place(row) for row in ranking.to_dict("records")]
    kind = load_cancer_types().get(code)
    return ranking.assign(
        first_line=ranking["first_line"] & (kind is not None),
        percentile=percentiles,
        percentile_bound=[bound_of(share) for share in percentiles],
        first_line_setting=[kind.setting_of(drug) if kind else "" for drug in ranking["drug"]],
    )


def bound_of(percentile: float) -> str:
    """Return "at most" or "at least" where a place stands for all beyond it, else ""."""
    from resvae_core.evaluation.cohort_scores import LEVELS

    if percentile <= 100 * LEVELS[0]:
        return "at most"
    return "at least" if percentile >= 100 * LEVELS[-1] else ""


def rank_words(percentile: float) -> str:
    """Return a place among 100 patients, such as "62", "< 5" or "> 95"; "" where unknown."""
    if math.isnan(percentile):
        return ""
    sign = {"at most": "< ", "at least": "> "}.get(bound_of(percentile), "")
    return f"{sign}{percentile:.0f}"


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
        first_line=[f"✓ {row['first_line_setting']}" if row["first_line"] else "" for row in rows],
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
    # a place that is a bound reads "< 5", and is still sorted as a number
    shown = readable(ranking).style.format({"percentile": rank_words})
    st.dataframe(
        shown,
        hide_index=True,
        height="content" if len(ranking) <= FEW else 560,
        column_config={
            **columns.RANKING,
            "percentile": columns.rank_in_cohort(session.cancer_type),
        },
        column_order=_columns_with_words(ranking),
        key=key,
        on_select=partial(_take_row, key, ranking["drug"].tolist()),
        selection_mode="single-row",
        alt="All drugs with probability of resistance, interval, call and agreement",
    )
    if ranking["call"].eq("sensitive").any():
        st.caption(SENSITIVE_MEANS)
    if resources.cohort_score_quantiles(stated_type.cohort_code(session), session.model) is None:
        st.caption(places.why_unknown(session))


def _columns_with_words(ranking: pd.DataFrame) -> list[str]:
    """Return the columns to show: neither rank nor first line where no drug has one."""
    known = {
        "percentile": bool(ranking["percentile"].notna().any()),
        "first_line": bool(ranking["first_line"].any()),
    }
    return [name for name in columns.RANKING if known.get(name, True)]


def as_file(session: Session, ranking: pd.DataFrame) -> pd.DataFrame:
    """Return a ranking as it is downloaded: sample and model named, numbers rounded."""
    table = ranking.round(dict.fromkeys(("probability", "lower", "upper", "floor"), DIGITS))
    table = table.round({"percentile": 1})
    table.insert(0, "sample", session.sample)
    table.insert(1, "model", session.model)
    return table


def file_notes(session: Session) -> tuple[str, ...]:
    """Return what the columns of a downloaded ranking mean."""
    return (
        f"Sample: {' '.join(session.sample.split())}; model: {session.model}",
        "probability, lower, upper: P(resistant) and its 90 % interval; floor: what drug and "
        "tissue alone would say",
        SENSITIVE_MEANS,
        "conformal: classes not excluded at 90 %; both = either class, neither = none",
        "percentile: predicted resistance is higher than that of so many of 100 patients with the "
        "same cancer; percentile_bound: known only as at most or at least this",
        "first_line: part of a standard first treatment of the cancer type in the setting of "
        "first_line_setting, often for a molecular subgroup or in a combination only; the tool "
        "reads no mutations",
    )


def filter_note(n_shown: int, n_drugs: int) -> tuple[str, ...]:
    """Return what a downloaded table has to say of drugs that were filtered out."""
    return (f"Filtered: {n_shown} of {n_drugs} drugs",) if n_shown < n_drugs else ()


def _take_row(key: str, drugs: list[str]) -> None:
    """Write the selected drug into the session."""
    rows = st.session_state[key]["selection"]["rows"]
    session = load_session()
    session.drug = drugs[rows[0]] if rows else ""
    session.write_link()
