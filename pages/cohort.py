"""Cohort: what the models say of whole cohorts, and how that holds against recorded response."""

import streamlit as st

from pages.components import cohorts, findings, frame, pickers

SHOW = {
    "tasks": cohorts.show_tasks,
    "response": cohorts.show_response,
    "alignment": cohorts.show_alignment,
    "samples": cohorts.show_samples,
}

with frame.open_page("cohort") as session:
    st.caption(
        "Predictions for many patients at once, by the model chosen above. What holds for a "
        "cohort need not hold for a patient."
    )
    pickers.choose_part(session, "cohort_view", cohorts.VIEWS)
    if session.cohort_view != "samples":
        findings.need_evidence()
    SHOW[session.cohort_view](session)
