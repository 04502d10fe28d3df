"""Report: the sample and drug as PDF, HTML, tables and JSON, with a preview and methods text."""

import streamlit as st

from pages.components import frame, messages, predictions, reports, verdicts

with frame.open_page("report") as session:
    messages.need_sample(session)
    messages.need_drug(session)
    forecast = predictions.forecast(session)
    if verdicts.show_range(session, forecast):
        reports.choose_parts(session)
    else:
        st.markdown("The report says so first. It holds no call, no probability and no ranking.")
    report = reports.gather(session, forecast)
    reports.show_downloads(report)
    preview, methods = st.tabs(["Preview", "Methods text"], key="report_tabs", on_change="rerun")
    if preview.open:
        with preview:
            reports.show_preview(report)
    if methods.open:
        with methods:
            reports.show_methods(report)
