"""Home: what the tool is for, where to start, and what it cannot do."""

import streamlit as st

from pages.components import contrast, frame, panels, resources, tour

STORIES = {
    "resistant": "▲ Resistant",
    "sensitive": "▼ Sensitive",
    "uncertain": "◆ Uncertain",
    "out of range": "⊘ Out of range",
}

with frame.open_page("home") as session:
    st.caption(
        f"From one bulk RNA-seq profile: a probability of resistance {panels.asked_of()}, beside "
        "what a guess from the tissue alone would say. The file stays in this computer's memory; "
        "nothing is sent anywhere."
    )

    stories = resources.demo_stories()
    patient, research, demo = st.columns(3)
    with patient.container(border=True, height="stretch"):
        st.subheader("A patient's profile", anchor=False)
        st.markdown("Counts, TPM or FPKM; genes in rows or columns; one sample or many.")
        if st.button(
            contrast.on_primary("Upload a profile"),
            type="primary",
            icon=":material/upload_file:",
            key="upload_a_profile",
        ):
            frame.go_to("upload", session)
        if session.upload:
            frame.link_to("overview", session, "Go on with the sample you have")
    with research.container(border=True, height="stretch"):
        st.subheader("Findings in cohorts", anchor=False)
        st.markdown(
            f"Genes behind predicted resistance in {panels.cohorts_in_words()}; survival by genes."
        )
        with st.container(horizontal=True):
            frame.link_to("biomarkers", session, "Biomarkers")
            frame.link_to("survival", session, "Survival")
            frame.link_to("cohort", session, "Cohort")
    with demo.container(border=True, height="stretch"):
        st.subheader("A demonstration", anchor=False)
        st.markdown("A synthetic patient fills every page; a short tour says what to look at.")
        with st.container(horizontal=True):
            if st.button("Load a demo patient", icon=":material/play_arrow:", disabled=not stories):
                session.accept_demo(resources.demo_upload(), stories[0])
                frame.go_to("overview", session)
            if st.button("Take the tour", icon=":material/tour:", disabled=not tour.can_begin()):
                frame.start_tour(session)
        if session.upload and not session.is_demo:
            st.caption(
                "A demo patient takes the place of the sample you uploaded. The tour keeps yours "
                "aside and gives it back."
            )

    st.subheader("Four synthetic patients", anchor=False)
    st.caption(
        "Drawn from a generative model of real profiles: none of them is a person."
        f"{panels.whose_stories()}"
    )
    for story, place in zip(stories, st.columns(max(len(stories), 1)), strict=False):
        with place.container(border=True, height="stretch"):
            st.markdown(f"**{STORIES[story['story']]}**")
            st.caption(story["sentence"])
            if st.button(f"Load {story['sample']}", icon=":material/play_arrow:"):
                session.accept_demo(resources.demo_upload(), story)
                frame.go_to("overview", session)

    panels.limits()
    frame.link_to("models", session, "How good the models are, beside the floors")
    st.subheader("What is ready", anchor=False)
    panels.system_status()
