"""Survival: do patients who express a gene more live longer or shorter, in a whole cohort."""

import streamlit as st

from pages.components import columns, frame, panels, pickers, resources
from resvae_core.figures.survival import kaplan_meier_plot

with frame.open_page("survival") as session:
    st.caption(
        "Patients of one cohort, divided by the expression of one gene. A difference is "
        "prognostic: it holds under whatever treatment they had, and says nothing about a drug."
    )
    code = pickers.survival_choices(session)
    cohort = resources.cohort_about(code)
    if cohort.synthetic:
        st.badge("Synthetic cohort", icon=":material/experiment:", color="violet")
    st.caption(cohort.note)

    result = resources.survival_by_gene(code, session.gene, session.endpoint, session.cut)
    figure = kaplan_meier_plot(result.curves, result.test, result.ratio, synthetic=cohort.synthetic)
    notes = (
        f"Cohort: {cohort.name}",
        f"Gene: {session.gene}",
        result.curves.description,
        cohort.note,
    )
    panels.chart(
        figure,
        "survival",
        panels.TableView(
            "survival-summary", result.curves.summary, columns.SURVIVAL_SUMMARY, notes=notes
        ),
        panels.TableView(
            "survival-at-risk",
            result.curves.at_risk,
            columns.AT_RISK,
            caption="Number at risk: patients whose time is at least t.",
            notes=notes,
        ),
        panels.TableView(
            "survival-curves",
            result.curves.curve,
            columns.SURVIVAL_CURVE,
            caption="Every step of the curves, with 95 % intervals (log-log).",
            notes=notes,
        ),
    )
    panels.how_survival_was_computed(result, cohort.name)
