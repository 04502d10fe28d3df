"""One drug: the five models on one axis with ensemble and floor, how far that holds, the drug."""

import streamlit as st

from pages.components import (
    basis,
    columns,
    drug_card,
    frame,
    messages,
    panels,
    places,
    predictions,
    resources,
    validation,
    verdicts,
)
from resvae_core.figures.forecasts import models_on_one_axis

with frame.open_page("drug") as session:
    messages.need_sample(session)
    messages.need_drug(session)
    forecast = predictions.forecast(session)
    assessable = verdicts.show_range(session, forecast)
    if assessable:
        verdicts.show_headline(session, forecast)

    st.subheader("What each model says", anchor=False)
    rows = forecast.table.query("sample == @session.sample and drug == @session.drug")
    figure = models_on_one_axis(rows, thresholds=resources.thresholds(), synthetic=session.is_demo)
    with verdicts.numbers(assessable):
        panels.chart(
            figure,
            "models-on-one-axis",
            panels.TableView(
                "models-of-one-drug",
                rows,
                columns.FORECAST,
                notes=verdicts.provenance_notes(session, forecast),
            ),
        )
    if assessable:
        st.subheader("Among patients with the same cancer", anchor=False)
        headline = verdicts.headline_of(session, forecast)
        places.show_place(session, headline, verdicts.provenance_notes(session, forecast))
        st.subheader("Does it hold in this cancer type?", anchor=False)
        validation.show_cancer_type(session, headline.probability)
    st.subheader("What is known of the drug", anchor=False)
    drug_card.show_drug(session)
    basis.show_basis(session, forecast)
