"""Tables as files, each opening with the research-use line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from resvae_core.config import RESEARCH_USE

if TYPE_CHECKING:
    import pandas as pd


def csv_text(table: pd.DataFrame, *, notes: tuple[str, ...] = ()) -> str:
    """Return a table as CSV under comment lines: research use first, then the notes.

    Parameters
    ----------
    table
        What to write; the index is left out.
    notes
        Provenance, one line each, such as the model set and the digest of the file.
    """
    comments = "".join(f"# {line}\n" for line in (RESEARCH_USE, *notes))
    return comments + table.to_csv(index=False, lineterminator="\n")


def csv_button(table: pd.DataFrame, name: str, *, notes: tuple[str, ...] = ()) -> None:
    """Offer a table as ``resvae-<name>.csv``."""
    st.download_button(
        "Download table (CSV)",
        csv_text(table, notes=notes),
        file_name=f"resvae-{name}.csv",
        mime="text/csv",
        key=f"download_{name}",
        icon=":material/download:",
        on_click="ignore",
    )
