"""Taking a file in, and letting it go: choosing, reading again, template, clearing.

The bytes of a file are the uploader's: in this computer's memory, for as long as the page is open
(so that it can be read again in another way), until another page is opened or all is cleared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components import predictions, resources, trail
from pages.components.messages import empty_state, plain, show_error
from pages.components.state import Session, load_session
from resvae_core.data.uploads.record import UNIT_NAMES, FileIdType, Orientation
from resvae_core.data.uploads.template import EXAMPLE, template_csv, template_workbook
from resvae_core.errors import ResVAEError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from streamlit.runtime.uploaded_file_manager import UploadedFile

    from resvae_core.data.uploads import UploadOverrides

FORMATS = ["csv", "tsv", "txt", "gz", "xlsx", "parquet", "gct", "h5ad"]
LAYOUTS: dict[Orientation, str] = {
    "genes_in_rows": "Genes in rows",
    "genes_in_columns": "Genes in columns",
}
ID_TYPES: dict[FileIdType, str] = {
    "symbol": "Gene symbols",
    "ensembl": "Ensembl ids",
    "entrez": "Entrez ids",
}
DELIMITERS = {"\t": "Tab", ";": "Semicolon", ",": "Comma", "|": "Bar", " ": "Spaces"}
DECIMALS = {".": "Point (1.5)", ",": "Comma (1,5)"}
CHOICES: dict[str, Mapping[str, str]] = {
    "delimiter": DELIMITERS,
    "decimal": DECIMALS,
    "orientation": LAYOUTS,
    "id_type": ID_TYPES,
    "unit": UNIT_NAMES,
}
"""What can be decided by hand, and the words for it; a workbook's sheets are its own."""
BINARY = (b"PK", b"PAR1", b"\x89HDF")
"""First bytes of workbooks, Parquet and HDF5 (h5ad), which have no separator and decimal mark."""
WORDS = {
    "sheet": "Sheet",
    "delimiter": "Separator",
    "decimal": "Decimal mark",
    "orientation": "Layout",
    "id_type": "Gene names",
    "unit": "Unit",
}


def choose_file(session: Session) -> UploadedFile | None:
    """Offer to choose a file; return it while this page holds it."""
    file = st.file_uploader(
        "Expression file", type=FORMATS, key=f"expression_file_{session.intake.n_cleared}"
    )
    if file is None:
        session.intake.file_id, session.intake.overrides = "", None
    elif file.file_id != session.intake.file_id:
        session.intake = replace(
            session.intake, file_id=file.file_id, overrides=None, pseudonymous=False, cleared=False
        )
    return file


def receive(session: Session, file: UploadedFile | None) -> None:
    """Read a file once, keep the result; a file that cannot be used leaves the earlier sample."""
    intake = session.intake
    if file is not None and session.attempt != (attempt := f"{file.file_id} {intake.overrides}"):
        session.attempt, session.refusal = attempt, None
        try:
            with st.spinner("Reading and checking the file …", show_time=True):
                _accept(session, file)
        except ResVAEError as error:
            session.refusal = error
        else:
            # the frame above still shows the sample before
            st.rerun()
    if session.refusal is not None:
        _show_refusal(session, file)


def _accept(session: Session, file: UploadedFile) -> None:
    from resvae_core.data.uploads import UploadOverrides

    pseudonymous, position = session.intake.pseudonymous, _position(session)
    overrides = session.intake.overrides or UploadOverrides()
    upload = resources.read_upload(file, file.name, overrides)
    trail.record_reading(upload.qc.file_digest)
    before = session.upload
    if before is not None and before.qc.file_digest != upload.qc.file_digest:
        # what was stated was stated of another patient
        session.cancer_type = ""
        session.write_link()
    session.accept(upload, is_demo=upload.expression.samples == [EXAMPLE])
    session.sample = session.samples[position if position < len(session.samples) else 0]
    if pseudonymous:
        session.pseudonymise()


def _position(session: Session) -> int:
    """Return which sample to show: the same one where a file is read again, else the first."""
    if session.intake.overrides is None or session.sample not in session.samples:
        return 0
    return session.samples.index(session.sample)


def _show_refusal(session: Session, file: UploadedFile | None) -> None:
    """Show why a file was refused, what is left, and how it may be read in another way."""
    assert session.refusal is not None
    show_error(session.refusal)
    if session.upload is not None:
        st.caption(f"The sample from before is still here: {plain(session.sample)}.")
    if file is None:
        return
    with st.container(border=True):
        st.markdown("**Read the refused file differently**")
        st.caption("Where the detection went wrong, say it here: the file is read again at once.")
        sheets = _sheets(file)
        if len(sheets) > 1 and getattr(session.intake.overrides, "sheet", None) is None:
            st.caption(f"The workbook has {len(sheets)} sheets; the first with a table was read.")
        names = _decidable(file, sheets)
        for column, name in zip(st.columns(len(names)), names, strict=True):
            with column:
                override(session, name, sheets=sheets)


def _decidable(file: UploadedFile, sheets: tuple[str, ...]) -> list[str]:
    """Return what can be decided by hand of a file of this kind."""
    binary = bool(sheets) or file.getvalue().startswith(BINARY)
    left_out = {"delimiter", "decimal"} if binary else set()
    left_out |= set() if sheets else {"sheet"}
    return [name for name in WORDS if name not in left_out]


def _sheets(file: UploadedFile) -> tuple[str, ...]:
    """Return the sheets of a refused workbook; none where not even these can be read."""
    from resvae_core.data.uploads import list_sheets

    try:
        return list_sheets(file.getvalue())
    except ResVAEError:
        return ()


def override(
    session: Session,
    name: str,
    *,
    sheets: tuple[str, ...] = (),
    detected: str = "Detect",
    quiet: bool = False,
) -> None:
    """Offer to decide one thing about the file by hand; it is then read again.

    Parameters
    ----------
    session
        Holds what was decided.
    name
        One of `WORDS`.
    sheets
        Names of a workbook's sheets.
    detected
        What stands there while nothing is decided.
    quiet
        Whether the label is for screen readers alone, because it stands beside the choice.
    """
    key = f"override_{name}"
    st.session_state[key] = getattr(session.intake.overrides, name, None)
    words = {sheet: sheet for sheet in sheets} if name == "sheet" else CHOICES[name]
    st.selectbox(
        WORDS[name],
        list(words),
        index=None,
        key=key,
        format_func=words.__getitem__,
        placeholder=detected,
        label_visibility="collapsed" if quiet else "visible",
        # without the bytes there is nothing to read again
        disabled=not session.intake.file_id,
        on_change=_overrule,
        args=(name, key),
    )


def _overrule(name: str, key: str) -> None:
    """Write a decision into the session; the next run reads the file with it."""
    from resvae_core.data.uploads import UploadOverrides

    intake = load_session().intake
    chosen: dict[str, Any] = {name: st.session_state[key]}
    overrides: UploadOverrides = replace(intake.overrides or UploadOverrides(), **chosen)
    intake.overrides = None if overrides == UploadOverrides() else overrides


def nothing_yet(session: Session) -> None:
    """Say what is accepted, offer the template, link to the demo patients, and end the page."""
    if session.intake.cleared:
        st.success(
            "Cleared: the sample, all that was computed of it, and the file in this computer's "
            "memory. Nothing of it had been written to disk.",
            icon=":material/delete_forever:",
        )
    st.markdown(
        "**What is read.** Counts, TPM, FPKM or log2(x + 1) of these, of bulk RNA-seq of a human "
        "tumour; genes in rows or in columns; gene symbols, Ensembl or Entrez ids; CSV, TSV, TXT, "
        "XLSX, Parquet, GCT or h5ad, also gzipped. All of this is detected, and shown before "
        "anything is predicted."
    )
    offer_template()
    empty_state(
        session,
        "No sample yet. Choose a file above, or load a synthetic patient on Home.",
        "app.py",
        "Demo patients",
    )


def offer_template() -> None:
    """Offer an empty table with the genes that the models read."""
    genes = _template_genes()
    if not genes:
        return
    with st.container(horizontal=True):
        st.download_button(
            "Template (XLSX)",
            lambda: template_workbook(genes),
            file_name="resvae-template.xlsx",
            mime="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
            key="template_xlsx",
            icon=":material/download:",
            on_click="ignore",
        )
        st.download_button(
            "Template (CSV)",
            template_csv(genes),
            file_name="resvae-template.csv",
            mime="text/csv",
            key="template_csv",
            icon=":material/download:",
            on_click="ignore",
        )


def _template_genes() -> list[str]:
    """Return the genes that the learned models read; none where no models are installed."""
    if resources.installed_models() is None:
        return []
    cards = [card.document for card in resources.cards() if not card.document["is_floor"]]
    return sorted({gene for document in cards for gene in document["genes"]})


def offer_to_clear(session: Session) -> None:
    """Offer to drop the sample, what was computed of it, and the file itself."""
    st.button(
        "Clear this sample now",
        icon=":material/delete:",
        help="Drops the file, its samples, and all that was computed of them",
        on_click=_clear,
        args=[session],
    )


def _clear(session: Session) -> None:
    session.let_go()
    session.forget()
    session.write_link()
    predictions.forget_patient()
