"""Upload and quality control: what is in the file, and may the models be asked about it."""

import streamlit as st

from pages.components import frame, intake, predictions, quality, wizard

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
        if wizard.offer_overview(session):
            frame.go_to("overview", session)
        wizard.offer_suggestion(session, samples)
        intake.offer_to_clear(session)

    with wizard.details(session):
        detect, genes, check = wizard.open_steps(session, samples)
        with detect:
            quality.show_detections(session)
        with genes:
            quality.show_mapping(session)
        with check:
            wizard.show_check(session, samples)
        quality.download_record(session)
