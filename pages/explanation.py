"""Why: the genes that move the score, what models share, pathways, the cohort, stability."""

import streamlit as st

from pages.components import basis, frame, messages, predictions, reasons, verdicts

SECTIONS = {
    "From base to score": reasons.show_score,
    "Shared by the models": reasons.show_shared,
    "Pathways": reasons.show_pathways,
    "Against the cohort": reasons.show_against_cohort,
    "How stable": reasons.show_stability,
}

with frame.open_page("explanation") as session:
    messages.need_sample(session)
    messages.need_drug(session)
    forecast = predictions.forecast(session)
    assessable = verdicts.show_range(session, forecast)
    if assessable:
        verdicts.show_headline(session, forecast)
        reasons.choose_background(session)
        # what nobody looks at is neither computed nor sent to the browser
        tabs = st.tabs(list(SECTIONS), key="why_sections", on_change="rerun")
        for tab, show in zip(tabs, SECTIONS.values(), strict=True):
            if tab.open:
                with tab:
                    show(session, forecast)
        basis.show_basis(session, forecast)
    else:
        st.markdown("There is no call to explain.")
