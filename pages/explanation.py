"""Why: the genes that move the score, from the base to the number that is shown."""

import streamlit as st

from pages.components import basis, columns, frame, messages, panels, pickers, resources, verdicts
from resvae_core.figures.explanation import waterfall

with frame.open_page("explanation") as session:
    messages.need_sample(session)
    messages.need_drug(session)
    forecast = resources.forecast(session)
    assessable = verdicts.show_range(session, forecast)
    if assessable:
        verdicts.show_headline(session, forecast)
        attribution = resources.attribution(session)
        st.subheader("From the base to the score", anchor=False)
        notes = verdicts.provenance_notes(session, forecast)
        panels.chart(
            waterfall(attribution.table, synthetic=session.is_demo),
            "explanation",
            panels.TableView(
                "explanation",
                verdicts.by_size(attribution),
                columns.ATTRIBUTION,
                notes=notes,
            ),
        )
        verdicts.about_attribution(attribution)
        st.subheader("Survival by one of these genes", anchor=False)
        pickers.gene_links(session, verdicts.by_size(attribution)["gene"])
        basis.show_basis(session, forecast)
    else:
        st.markdown("There is no call to explain.")
