"""Home: what the tool is for, where to start, and what it cannot do."""

import streamlit as st

from pages.components import frame, panels, resources

STORIES = {
    "resistant": "▲ Resistant",
    "sensitive": "▼ Sensitive",
    "uncertain": "◆ Uncertain",
    "out of range": "⊘ Out of range",
}

with frame.open_page("home") as session:
    st.caption(
        "From one bulk RNA-seq profile: a probability of resistance to each of 72 drugs by "
        "several models, beside what a guess from the tissue alone would say. The file stays in "
        "this computer's memory; nothing is sent anywhere."
    )

    patient, research, system = st.columns(3)
    with patient.container(border=True, height="stretch"):
        st.subheader("A patient's profile", anchor=False)
        st.markdown("Counts, TPM or FPKM; genes in rows or columns; one sample or many.")
        if st.button("Upload a profile", type="primary", icon=":material/upload_file:"):
            frame.go_to("upload", session)
    with research.container(border=True, height="stretch"):
        st.subheader("Findings in cohorts", anchor=False)
        st.markdown("Genes behind predicted resistance in five cohorts, and survival by them.")
        with st.container(horizontal=True):
            frame.link_to("biomarkers", session, "Biomarkers")
            frame.link_to("survival", session, "Survival")
    with system.container(border=True, height="stretch"):
        st.subheader("How good the models are", anchor=False)
        st.markdown("Leaderboard with the floors on it, and a card for each model.")
        frame.link_to("models", session, "Models")

    st.subheader("Or try a synthetic patient", anchor=False)
    st.caption("Drawn from a generative model of real profiles: none of them is a person.")
    stories = resources.demo_stories()
    for story, place in zip(stories, st.columns(max(len(stories), 1)), strict=False):
        with place.container(border=True, height="stretch"):
            st.markdown(f"**{STORIES[story['story']]}**")
            st.caption(story["sentence"])
            if st.button(f"Load {story['sample']}", icon=":material/play_arrow:"):
                session.accept_demo(resources.demo_upload(), story)
                frame.go_to("overview", session)

    panels.limits()
    panels.system_status()
