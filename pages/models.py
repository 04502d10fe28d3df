"""Models: how good they are beside the floors, and a card for each."""

import streamlit as st

from pages.components import columns, frame, model_cards, panels, resources
from resvae_core.figures.performance import leaderboard, reliability

with frame.open_page("models") as session:
    st.caption(
        "Measured on cell lines that the models had not seen. Floors read no expression: a model "
        "is worth what it adds to them, and within one tissue, which a clinician knows already."
    )
    summary = resources.evaluation("summary")
    split = model_cards.choose_split(summary)
    panels.chart(
        leaderboard(summary, split=split),
        "leaderboard",
        panels.TableView("leaderboard", summary[summary["split"] == split], columns.SUMMARY),
    )
    st.subheader("Are the probabilities right?", anchor=False)
    curves = model_cards.reliability_of(split)
    panels.chart(
        reliability(curves),
        "reliability",
        panels.TableView("reliability", curves, columns.RELIABILITY),
    )
    st.subheader("Model cards", anchor=False)
    model_cards.show_cards(session, resources.cards())
