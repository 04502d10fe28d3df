"""Biomarkers: genes that move or follow a predicted resistance, in five cohorts."""

import streamlit as st

from pages.components import enrichment, findings, frame, pickers

with frame.open_page("biomarkers") as session:
    st.caption(
        "Genes that move, or go along with, what the models predict for the patients of a cohort. "
        "A finding is about the models' scores: nobody's response to a drug is in it."
    )
    findings.need_evidence()
    pickers.choose_part(session, "findings", findings.VIEWS)
    if session.findings == "panel":
        findings.show_panel(session)
    else:
        rows = findings.choose_task(session)
        show = {"browse": findings.show_browser, "enrichment": enrichment.show_enrichment}
        show[session.findings](session, rows)
