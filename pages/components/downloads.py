"""Tables as files, each opening with the research-use line."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.state import load_session
from pages.components.trail import recorded_export
from resvae_core.access.audit import as_subject
from resvae_core.config import RESEARCH_USE
from resvae_core.spreadsheets import MARKED, comment, without_formulas

if TYPE_CHECKING:
    import pandas as pd


def csv_text(table: pd.DataFrame, *, notes: tuple[str, ...] = ()) -> str:
    """Return a table as CSV under comment lines: research use first, then the notes.

    Text that a spreadsheet would take for a formula is marked, and a last comment then says so.

    Parameters
    ----------
    table
        What to write; the index is left out.
    notes
        Provenance, one line each, such as the model set and the digest of the file.
    """
    safe = without_formulas(table)
    marked = () if safe is table else (MARKED,)
    comments = "".join(map(comment, (RESEARCH_USE, *notes, *marked)))
    return comments + safe.to_csv(index=False, lineterminator="\n")


def csv_button(table: pd.DataFrame, name: str, *, notes: tuple[str, ...] = ()) -> None:
    """Offer a table as ``resvae-<name>.csv``; it is written, and recorded, when it is asked for."""
    session = load_session()
    # what is about the upload names its file in the notes
    upload = session.upload
    about_upload = upload is not None and any(upload.qc.file_digest in note for note in notes)
    st.download_button(
        "Download table (CSV)",
        recorded_export(
            "export.table",
            as_subject("table", name),
            partial(csv_text, table, notes=notes),
            session=session if about_upload else None,
        ),
        file_name=f"resvae-{name}.csv",
        mime="text/csv",
        key=f"download_{name}",
        icon=":material/download:",
        on_click="ignore",
    )
