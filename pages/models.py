"""Models: how good they are beside the floors, how far to trust them, and a card for each."""

import streamlit as st

from pages.components import evaluations, frame, model_cards, resources

SECTIONS = {
    "Leaderboard": evaluations.show_leaderboard,
    "Paired tests": evaluations.show_tests,
    "Are probabilities right?": evaluations.show_probabilities,
    "Do the 90 % sets hold?": evaluations.show_coverage,
    "Other measurements": evaluations.show_external,
    "What each part is worth": evaluations.show_ablations,
    "Cards": model_cards.show_cards,
}

with frame.open_page("models") as session:
    st.caption(
        "Measured on cell lines that the models had not seen. Floors read no expression: a model "
        "is worth what it adds to them, and within one tissue, which a clinician knows already."
    )
    split = evaluations.choose_split(resources.evaluation("summary"))
    # what nobody looks at is neither computed nor sent to the browser
    tabs = st.tabs(list(SECTIONS), key="models_sections", on_change="rerun")
    for tab, show in zip(tabs, SECTIONS.values(), strict=True):
        if tab.open:
            with tab:
                show(session, split)
