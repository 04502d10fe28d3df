"""Survival: do patients with more of something live longer or shorter, in a whole cohort."""

import streamlit as st

from pages.components import frame, survival_parts

with frame.open_page("survival") as session:
    st.caption(
        "Patients of one cohort, divided by a gene, a signature of genes, or what a model says "
        "of them."
    )
    study = survival_parts.choose_study(session)
    about = survival_parts.show_about(study)
    sections = survival_parts.parts(study)
    # what nobody looks at is neither computed nor sent to the browser
    tabs = st.tabs(list(sections), key="survival_parts", on_change="rerun")
    for tab, show in zip(tabs, sections.values(), strict=True):
        if tab.open:
            with tab:
                show(session, study, about)
