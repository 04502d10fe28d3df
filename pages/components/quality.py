"""The quality record of an upload: what was detected, converted, dropped, and what to fix."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, intake, panels, predictions
from pages.components.messages import plain
from pages.components.trail import recorded_export
from resvae_core.config import RESEARCH_USE
from resvae_core.data.privacy import find_identifiers
from resvae_core.data.uploads.record import MAX_UNKNOWN, UNIT_WORDS

if TYPE_CHECKING:
    from pages.components.state import Session
    from resvae_core.data.uploads import Detection, Issue, QcRecord

LOGARITHMS = {"tpm": "log2(TPM + 1)", "fpkm": "log2(FPKM + 1)", "counts": "log2(counts + 1)"}
FILE_FORMATS = {
    "text": "Text table",
    "xlsx": "XLSX workbook",
    "parquet": "Parquet table",
    "gct": "GCT table",
    "h5ad": "AnnData (h5ad)",
}
SEVERITIES = {"error": "Error", "warning": "Look at this", "info": "For information"}
ABOUT_GENES = frozenset({"gene names", "genes", "header"})
"""Places of issues that belong to the genes; all others belong to the samples and their values."""
ABOUT_MISSING = ("genes without a value in any sample", "values missing")
"""How the reader's warnings of missing values begin."""
MAX_ISSUES = 20
SURE = 0.8
"""Confidence from which on a detection is not asked about."""
CLEAR = 0.995
"""Confidence that would round to 100 %."""


def unit_word(qc: QcRecord) -> str:
    """Return the unit that a file was read in, for readers."""
    if qc.unit.value == "log2":
        return LOGARITHMS.get(qc.quantity, UNIT_WORDS["log2"])
    return UNIT_WORDS.get(qc.unit.value, qc.unit.value)


def detections(qc: QcRecord) -> dict[str, Detection]:
    """Return what was found out about the file, by the names of `intake.WORDS`."""
    found = {"orientation": qc.orientation, "id_type": qc.id_type, "unit": qc.unit}
    return {**qc.notation, **found}


def found_word(qc: QcRecord, name: str) -> str:
    """Return what was found out about one thing, for readers."""
    found = detections(qc)[name].value
    return unit_word(qc) if name == "unit" else intake.CHOICES[name].get(found, found)


def unsure(qc: QcRecord) -> list[str]:
    """Return what was found out with less confidence than `SURE`."""
    names = [name for name, found in detections(qc).items() if found.confidence < SURE]
    return [intake.WORDS[name].lower() for name in names]


def show_detections(session: Session) -> None:
    """Show how the file was read, with confidence, and offer to overrule each."""
    qc = session.parsed().qc
    packed = ", gzipped" if qc.compression == "gzip" else ""
    st.markdown(
        f"**{FILE_FORMATS.get(qc.file_format, qc.file_format)}**{packed}, {qc.n_rows:,} rows × "
        f"{qc.n_columns:,} columns below its header, judged by its content."
    )
    if qc.sheets:
        _show_sheet(session, qc)
    for name, found in detections(qc).items():
        _show_detection(session, qc, name, found)
    if session.intake.file_id and session.refusal is None:
        st.caption("What you change is read again at once, from the file in memory.")
    elif not session.is_demo:
        st.caption("To read it differently, choose the file again: its bytes are gone from memory.")


def _degree(confidence: float) -> str:
    """Return how safely something was found out; nothing is sure to the last."""
    return "clear" if confidence >= CLEAR else f"{100 * confidence:.0f} % sure"


def _show_detection(session: Session, qc: QcRecord, name: str, found: Detection) -> None:
    value, choice = st.columns([3, 2], vertical_alignment="center")
    word = found_word(qc, name)
    colour = "green" if found.confidence >= SURE else "orange"
    sure = "your choice" if found.overridden else _degree(found.confidence)
    with value, st.container(gap=None):
        st.markdown(f"**{intake.WORDS[name]}:** {plain(word)} :{colour}-badge[{sure}]")
        st.caption(plain(found.reason))
    with choice:
        _offer(session, name)


def _show_sheet(session: Session, qc: QcRecord) -> None:
    value, choice = st.columns([3, 2], vertical_alignment="center")
    others = len(qc.sheets) - 1
    chosen = session.intake.overrides is not None and session.intake.overrides.sheet
    why = "Chosen by hand." if chosen else "The first that holds a table."
    with value, st.container(gap=None):
        st.markdown(f"**{intake.WORDS['sheet']}:** {plain(qc.sheet)}")
        st.caption(f"{why} {others} other{'s' * (others != 1)} in the workbook.")
    with choice:
        _offer(session, "sheet")


def _offer(session: Session, name: str) -> None:
    """Offer to overrule a detection; below a refusal, the same choices stand beside the error."""
    if session.refusal is None and not session.is_demo:
        intake.override(
            session, name, sheets=session.parsed().qc.sheets, detected="As detected", quiet=True
        )


def show_mapping(session: Session) -> None:
    """Show which names are genes, which were renamed or left out, and what each model lacks."""
    qc = session.parsed().qc
    st.markdown(
        f"**{qc.n_genes_recognised:,} of {qc.n_genes_total:,} names are genes.** "
        f"{plain(qc.conversion)}"
    )
    if qc.lengths_note:
        st.caption(plain(qc.lengths_note))
    panels.show_table(
        panels.TableView(
            "genes-read",
            predictions.coverage(session),
            columns.GENES_READ,
            caption=f"What the models read of {plain(session.sample)}.",
            notes=notes(session),
        )
    )
    _show_names(qc)
    show_issues([issue for issue in qc.issues if issue.where in ABOUT_GENES])


def _show_names(qc: QcRecord) -> None:
    """Show renamed and unknown names, and what was left out for which reason."""
    if qc.dropped:
        dropped = ", ".join(f"{reason}: {n:,}" for reason, n in qc.dropped.items())
        st.caption(f"Left out: {plain(dropped)}.")
    if qc.renamed:
        with st.expander(f"Renamed to current symbols ({len(qc.renamed):,})"):
            st.dataframe(
                [{"In the file": old, "Read as": new} for old, new in qc.renamed.items()],
                hide_index=True,
                key="renamed",
                alt="Names of the file and the current symbols they were read as",
            )
    if qc.unknown:
        first = f", the first {MAX_UNKNOWN}" if len(qc.unknown) == MAX_UNKNOWN else ""
        with st.expander(f"Names that no gene is known by ({len(qc.unknown)}{first})"):
            st.markdown(plain(", ".join(qc.unknown)))


def show_issues(issues: list[Issue]) -> None:
    """List what a reader should know: where, what was found, what was expected, how to fix it."""
    for issue in issues[:MAX_ISSUES]:
        st.markdown(
            f"- **{SEVERITIES[issue.severity]}: {plain(issue.where)}.** "
            f"Found: {plain(issue.found)}. Expected: {plain(issue.expected)}. "
            f"→ {plain(issue.remedy)}"
        )
    if len(issues) > MAX_ISSUES:
        st.caption(f"{len(issues) - MAX_ISSUES} more are in the quality record.")


def show_identifiers(session: Session) -> None:
    """Warn of what may tell who somebody is, without repeating it; offer other names."""
    found = find_identifiers(session.samples)
    disclosures = session.parsed().qc.disclosures
    if disclosures:
        places = "; ".join(dict.fromkeys(f"{d.place}: {d.kind}" for d in disclosures[:MAX_ISSUES]))
        st.warning(
            f"The file seems to tell who somebody is ({plain(places)}). None of what "
            "stands there was kept; take it out of the file before you pass it on."
        )
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


def notes(session: Session) -> tuple[str, ...]:
    """Return what a downloaded table of the upload needs to be traced."""
    synthetic = ("SYNTHETIC PATIENT: not a person",) if session.is_demo else ()
    return (*synthetic, f"File: SHA-256 {session.parsed().qc.file_digest}")


def download_record(session: Session) -> None:
    """Offer the record as JSON."""
    record = {
        "notice": RESEARCH_USE,
        "synthetic": session.is_demo,
        **session.parsed().qc.to_dict(),
    }
    st.download_button(
        "Download the quality record (JSON)",
        recorded_export(
            "export.table",
            "table:quality-record",
            partial(json.dumps, record, indent=1, ensure_ascii=False, default=str),
            session=session,
        ),
        file_name="resvae-quality-record.json",
        mime="application/json",
        icon=":material/download:",
        on_click="ignore",
    )
