"""Upload and quality control: what is in the file, and may the models be asked about it."""

import streamlit as st

from pages.components import frame, intake, predictions, quality, wizard
from pages.components.contrast import on_primary

with frame.open_page("upload") as session:
    st.caption(
        "One bulk RNA-seq profile or many, up to 500 MB. The file is read in this computer's "
        "memory, never stored and never sent. Take names, dates and record numbers out first."
    )
    intake.receive(session, intake.choose_file(session))
    if session.upload is None:
        intake.nothing_yet(session)

    samples = predictions.verdicts_of_samples(session)
    wizard.show_verdict(session, samples)
    quality.show_identifiers(session)
    with st.container(horizontal=True):
        if st.button(
            on_primary("See all drugs"),
            type="primary",
            icon=":material/arrow_forward:",
            key="to_overview",
        ):
            frame.go_to("overview", session)
        intake.offer_to_clear(session)

    detect, genes, check = wizard.open_steps(session, samples)
    with detect:
        quality.show_detections(session)
    with genes:
        quality.show_mapping(session)
    with check:
        wizard.show_check(session, samples)

    quality.download_record(session)
