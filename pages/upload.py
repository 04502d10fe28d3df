"""Upload and quality control: what is in the file, and may the models be asked about it."""

import streamlit as st

from pages.components import columns, frame, messages, panels, predictions, quality, verdicts

with frame.open_page("upload") as session:
    st.caption(
        "One bulk RNA-seq profile or many: CSV, TSV, TXT (also .gz), XLSX, Parquet, GCT or h5ad, "
        "up to 500 MB. It is read in this computer's memory, never stored and never sent. Take "
        "names, dates and record numbers out first."
    )
    file = st.file_uploader("Expression file", type=quality.FORMATS, key="expression_file")
    overrides = quality.reading_options()
    quality.receive(session, file, overrides)
    if session.upload is None:
        messages.empty_state(
            session,
            "No sample yet. Choose a file above, or load a synthetic patient on Home.",
            "app.py",
            "Demo patients",
        )

    qc = session.parsed().qc
    if session.is_demo:
        verdicts.synthetic_badge()
    quality.show_identifiers(session)
    st.subheader("Which samples the models may be asked about", anchor=False)
    ranges = predictions.ranges(session)
    panels.show_table(
        panels.TableView(
            "ranges",
            ranges,
            columns.RANGES,
            caption="In range: looks like the reference tumours. Borderline: read with care. "
            "Out of range: no drug is called.",
        )
    )
    if st.button("See all drugs", type="primary", icon=":material/arrow_forward:"):
        frame.go_to("overview", session)

    quality.show_record(qc)
    quality.show_issues(qc)
    quality.download_record(qc)
    quality.offer_to_forget(session)
