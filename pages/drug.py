"""One drug: every model on one axis beside the floors, and what is known of the drug."""

import streamlit as st

from pages.components import columns, drug_card, frame, messages, panels, resources, verdicts
from resvae_core.figures.forecasts import models_on_one_axis

with frame.open_page("drug") as session:
    messages.need_sample(session)
    messages.need_drug(session)
    forecast = resources.forecast(session)
    assessable = verdicts.show_range(session, forecast)
    if assessable:
        verdicts.show_headline(session, forecast)

    st.subheader("What each model says", anchor=False)
    rows = forecast.table.query("sample == @session.sample and drug == @session.drug")
    with verdicts.numbers(assessable):
        panels.chart(
            models_on_one_axis(rows, synthetic=session.is_demo),
            "models-on-one-axis",
            panels.TableView(
                "models-of-one-drug",
                rows,
                columns.FORECAST,
                notes=verdicts.provenance_notes(session, forecast),
            ),
        )
    st.subheader("What is known of the drug", anchor=False)
    drug_card.show_drug(session)
    verdicts.basis_of_result(session, forecast)
