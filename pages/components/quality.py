"""The quality record of an upload: what was detected, converted, dropped, and what to fix."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import streamlit as st
from streamlit import column_config as cc

from pages.components import pickers, predictions, resources
from pages.components.messages import plain, show_error
from resvae_core.data.privacy import find_identifiers
from resvae_core.data.uploads.record import UNIT_NAMES, FileIdType, Orientation
from resvae_core.errors import ResVAEError

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from pages.components.state import Session
    from resvae_core.data.uploads import QcRecord, UploadOverrides

FORMATS = ["csv", "tsv", "txt", "gz", "xlsx", "parquet", "gct", "h5ad"]
DETECTED = {"orientation": "Layout", "id_type": "Gene names", "unit": "Unit"}
UNITS = {str(unit): word for unit, word in UNIT_NAMES.items()}
LAYOUT_CHOICES: dict[Orientation, str] = {
    "genes_in_rows": "Genes in rows",
    "genes_in_columns": "Genes in columns",
}
NAME_CHOICES: dict[FileIdType, str] = {
    "symbol": "Symbols",
    "ensembl": "Ensembl",
    "entrez": "Entrez",
}
SEVERITIES = {"error": "Error", "warning": "Look at this", "info": "For information"}
MAX_ISSUES = 20


def receive(session: Session, file: UploadedFile | None, overrides: UploadOverrides) -> None:
    """Read a file once, keep the result; a file that cannot be used leaves the earlier sample."""
    if file is not None and session.attempt != (attempt := f"{file.file_id} {overrides}"):
        session.attempt, session.refusal = attempt, None
        try:
            with st.spinner("Reading and checking the file …", show_time=True):
                session.accept(resources.read_upload(file, file.name, overrides))
        except ResVAEError as error:
            session.refusal = error
        else:
            # the frame above still shows the sample before
            st.rerun()
    if session.refusal is not None:
        show_error(session.refusal)
        if session.upload is not None:
            st.caption(f"The sample from before is still here: {plain(session.sample)}.")


def show_identifiers(session: Session) -> None:
    """Warn of sample names that may tell who somebody is, and offer others."""
    found = find_identifiers(session.samples)
    if not found:
        return
    kinds = ", ".join(dict.fromkeys(identifier.kind for identifier in found))
    st.warning(
        f"{len(found)} of {len(session.samples)} sample names look as if they could tell who "
        f"somebody is ({kinds}). Names never leave this computer's memory, but downloads carry "
        "them."
    )
    st.button(
        "Name the samples S1, S2, … instead",
        icon=":material/visibility_off:",
        on_click=session.pseudonymise,
    )


def show_record(qc: QcRecord) -> None:
    """Show what was found in the file, with confidence, and what was done to it."""
    st.subheader("What was found in the file", anchor=False)
    st.markdown(
        f"**{qc.n_genes_recognised:,} of {qc.n_genes_total:,} genes recognised** in "
        f"{qc.n_samples} sample{'s' if qc.n_samples != 1 else ''}. {plain(qc.conversion)}"
    )
    st.dataframe(
        [_detection(qc, name) for name in DETECTED],
        hide_index=True,
        key="detections",
        alt="What was detected in the file",
        column_config={
            "Confidence": cc.ProgressColumn(min_value=0, max_value=1, format="percent"),
            "Why": cc.TextColumn(width="large"),
        },
    )
    if qc.lengths_note:
        st.caption(plain(qc.lengths_note))


def unit_word(qc: QcRecord) -> str:
    """Return the unit that a file was read in, for readers."""
    return UNITS.get(qc.unit.value, qc.unit.value)


def _detection(qc: QcRecord, name: str) -> dict[str, object]:
    """Return one thing that was detected as a row for readers."""
    found = getattr(qc, name)
    return {
        "What": DETECTED[name],
        "Found": unit_word(qc) if name == "unit" else found.value.replace("_", " "),
        "Confidence": found.confidence,
        "By": "you" if found.overridden else "detection",
        "Why": found.reason,
    }


def show_issues(qc: QcRecord) -> None:
    """List what a reader should know: where, what was found, what was expected, how to fix it."""
    st.subheader("What to look at", anchor=False)
    if not qc.issues and not qc.dropped:
        st.caption("Nothing was dropped and nothing needs attention.")
        return
    if qc.dropped:
        dropped = ", ".join(f"{reason}: {n:,}" for reason, n in qc.dropped.items())
        st.caption(f"Left out: {plain(dropped)}")
    for issue in qc.issues[:MAX_ISSUES]:
        st.markdown(
            f"- **{SEVERITIES[issue.severity]}: {plain(issue.where)}.** "
            f"Found: {plain(issue.found)}. Expected: {plain(issue.expected)}. "
            f"→ {plain(issue.remedy)}"
        )
    if len(qc.issues) > MAX_ISSUES:
        st.caption(f"{len(qc.issues) - MAX_ISSUES} more are in the quality record.")


def download_record(qc: QcRecord) -> None:
    """Offer the record as JSON."""
    st.download_button(
        "Download the quality record (JSON)",
        json.dumps(qc.to_dict(), indent=1, ensure_ascii=False, default=str),
        file_name="resvae-quality-record.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
    )


def offer_to_forget(session: Session) -> None:
    """Offer to drop the upload and all that was computed of it."""
    st.button("Forget this upload", icon=":material/delete:", on_click=_forget, args=[session])


def _forget(session: Session) -> None:
    session.forget()
    predictions.forget_patient()


def reading_options() -> UploadOverrides:
    """Offer to overrule the detection; empty leaves it to the reader."""
    from resvae_core.data.uploads import UploadOverrides

    with st.expander("Read the file differently", icon=":material/tune:"):
        st.caption("Left empty, each is detected and shown below with its confidence.")
        layout, names, unit, sheet = st.columns(4)
        with layout:
            orientation = pickers.option("Layout", LAYOUT_CHOICES)
        with names:
            id_type = pickers.option("Gene names", NAME_CHOICES)
        with unit:
            scale = pickers.option("Unit", UNIT_NAMES)
        with sheet:
            name = st.text_input("Sheet of a workbook", placeholder="First with data")
    return UploadOverrides(orientation=orientation, id_type=id_type, unit=scale, sheet=name or None)
