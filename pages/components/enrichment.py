"""Enrichment of the genes in the basket, or of a cohort's ranking, in installed gene sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, panels, resources
from pages.components.findings import ATTRIBUTED, notes, show_basket
from pages.components.messages import plain
from resvae_core.figures.pathways import enrichment_bars

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session

METHODS = {
    "ora": "The basket",
    "prerank": "The whole ranking",
}
METHOD_HELP = {
    "ora": "Over-representation: which sets hold more genes of the basket than chance would put "
    "there.",
    "prerank": "Pre-ranked GSEA: which sets gather at an end of the ranking of all attributed "
    "genes by effect; small p-values by multilevel splitting with a fixed seed.",
}
N_LEADING = 20


def show_enrichment(session: Session, rows: pd.DataFrame) -> None:
    """Offer collection and method, and show what is enriched."""
    shipped = "Shipped pathways"
    collections = [*resources.gene_set_names(), shipped]
    left, right = st.columns(2)
    with left:
        name = st.selectbox("Gene sets", collections, key="gene_sets")
    with right:
        method = st.segmented_control(
            "Genes", list(METHODS), default="ora", format_func=METHODS.__getitem__, required=True
        )
    if len(collections) == 1:
        _how_to_get_more()
    st.caption(METHOD_HELP[method])
    if method == "ora":
        _fill_basket(session, rows)
        if not session.basket:
            st.markdown("The basket is empty. Put genes into it here, on Browse, or on Why?.")
            return
    chosen = "" if name == shipped else name
    genes = session.basket if method == "ora" else ()
    result = resources.enrichment(method, chosen, genes, session.cohort, session.study_drug)
    _about(result.n_tested, result.background, result.left_out)
    if method == "ora" and resources.is_guessed(result):
        st.warning(
            "None of these genes was measured in this cohort, so which ones could have been chosen "
            "is a guess."
        )
    if result.table.empty:
        st.markdown("No set holds a gene of the basket.")
        return
    panels.chart(
        enrichment_bars(result.table),
        "enrichment",
        panels.TableView("enrichment", result.table, columns.ENRICHMENT, notes=notes()),
    )


def _how_to_get_more() -> None:
    st.markdown(
        "No collection of gene sets is installed; the few shipped pathways stand in. To get "
        "Reactome's (CC0): `python -m resvae_core enrich --fetch`. Any `.gmt` file, such as "
        "MSigDB's (after registration there), goes into the folder `gene_sets/` of the project or "
        "the one that `RESVAE_GENE_SETS` names."
    )


def _fill_basket(session: Session, rows: pd.DataFrame) -> None:
    attributed = rows[rows["kind"] == ATTRIBUTED].sort_values("effect", key=abs, ascending=False)
    leading = [str(gene) for gene in attributed["gene"].head(N_LEADING)]
    st.button(
        f"Put the {N_LEADING} leading attributed genes into the basket",
        icon=":material/add_shopping_cart:",
        on_click=session.put_aside,
        args=(leading,),
    )
    show_basket(session)


def _about(n_tested: int, background: str, left_out: tuple[str, ...]) -> None:
    missing = f" Left out, not in it: {plain(', '.join(left_out))}." if left_out else ""
    st.caption(f"{n_tested} sets tested against {background}.{missing}")
