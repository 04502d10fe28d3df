"""The table of all drugs, from which one is chosen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns
from pages.components.state import Session, load_session
from resvae_core.figures.palette import CALLS

if TYPE_CHECKING:
    import pandas as pd


def readable(ranking: pd.DataFrame) -> pd.DataFrame:
    """Return a ranking with shape and word for each call, and the agreement as "3 of 4"."""
    agreement = ranking["n_agree"].astype(str) + " of " + ranking["n_models"].astype(str)
    return ranking.assign(
        call=[CALLS[call].label for call in ranking["call"]],
        agreement=agreement.where(ranking["call"] != "not assessable", ""),
        first_line=["✓" if first else "" for first in ranking["first_line"]],
        low_confidence=["low" if low else "" for low in ranking["low_confidence"]],
    )


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
