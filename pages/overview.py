"""Overview: all drugs ranked for one sample, the chosen drug's call above them."""

import streamlit as st

from pages.components import (
    basis,
    downloads,
    frame,
    messages,
    panels,
    predictions,
    rankings,
    resources,
    verdicts,
)
from resvae_core.figures.forecasts import drug_ranking, drug_ranking_takeaway
from resvae_core.models.ranking import rank_drugs

with frame.open_page("overview") as session:
    messages.need_sample(session)
    forecast = predictions.forecast(session)
    assessable = verdicts.show_range(session, forecast)
    if session.story:
        st.caption(resources.story_in_words(session.story))
    if assessable and session.drug:
        verdicts.show_headline(session, forecast)
        frame.link_to("explanation", session, f"Why? Genes behind {session.drug}")

    st.subheader(rankings.HEADINGS[assessable], anchor=False)
    ranking = rank_drugs(forecast, session.sample, session.model, resources.thresholds())
    ranking = rankings.placed(session, ranking)
    rows = forecast.table[forecast.table["sample"] == session.sample]
    with verdicts.numbers(assessable):
        st.markdown(drug_ranking_takeaway(rows, model=session.model))
        table, chart = st.tabs(["Table", "Chart"], key="ranking_tabs", on_change="rerun")
        with table:
            shown = rankings.narrowed(session, ranking)
            rankings.choose_drug(session, shown, n_drugs=len(ranking))
            notes = (*rankings.file_notes(session), *rankings.filter_note(len(shown), len(ranking)))
            notes = (*verdicts.provenance_notes(session, forecast), *notes)
            downloads.csv_button(rankings.as_file(session, shown), "ranking", notes=notes)
        if chart.open:
            figure = drug_ranking(
                rows, model=session.model, highlight=session.drug, synthetic=session.is_demo
            )
            with chart:
                panels.draw(figure, "ranking")
    basis.show_basis(session, forecast)
