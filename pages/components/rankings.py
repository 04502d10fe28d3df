"""The table of all drugs, from which one is chosen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components import columns
from pages.components.state import Session, load_session
from resvae_core.figures.palette import CALLS
from resvae_core.models.ranking import Agreement

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

SETS = {
    "resistant": "resistant only",
    "sensitive": "sensitive only",
    "both": "either",
    "neither": "empty",
    "": "",
}
"""Conformal sets in words."""


def readable(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return a ranking with shape and word for each call, and the agreement as "4 of 5 ▲"."""
    return ranking.assign(
        call=[CALLS[call].label for call in ranking["call"]],
        agreement=[_lean(row) for row in ranking.to_dict("records")],
        conformal=[SETS[name] for name in ranking["conformal"]],
        first_line=["✓" if first else "" for first in ranking["first_line"]],
        low_confidence=["low" if low else "" for low in ranking["low_confidence"]],
    )


def _lean(row: dict[Hashable, Any]) -> str:
    """Return how many of the five lean the same way, its shape, and whether they are split."""
    counts = Agreement(row["n_resistant"], row["n_sensitive"], row["n_models"], row["opposed"])
    if row["call"] == "not assessable" or not counts.n_agree:
        return ""
    word = "resistant" if counts.n_resistant >= counts.n_sensitive else "sensitive"
    split = " split" if counts.models_disagree else ""
    return f"{counts.n_agree} of {counts.n_models} {CALLS[word].symbol}{split}"


def choose_drug(session: Session, ranking: pd.DataFrame) -> None:
    """Show the ranking; a selected row becomes the session's drug."""
    # another model or sample gives another order: the selection must not point into it
    key = f"ranking_{session.model}_{session.samples.index(session.sample)}_{session.cancer_type}"
    st.dataframe(
        readable(ranking),
        hide_index=True,
        height=560,
        column_config=columns.RANKING,
        column_order=list(columns.RANKING),
        key=key,
        on_select=partial(_take_row, key, ranking["drug"].tolist()),
        selection_mode="single-row",
        alt="All drugs with probability of resistance, interval, call and agreement",
    )


def _take_row(key: str, drugs: list[str]) -> None:
    """Write the selected drug into the session."""
    rows = st.session_state[key]["selection"]["rows"]
    session = load_session()
    session.drug = drugs[rows[0]] if rows else ""
    session.write_link()
