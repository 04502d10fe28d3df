"""The Why? page: the parts of an explanation, and how far it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, jobs, panels, pickers, predictions, resources, verdicts
from pages.components.findings import show_basket
from pages.components.pickers import cohort_word
from pages.components.state import SYNTHETIC_COHORT, Session
from resvae_core.figures.beeswarm import attribution_bands, beeswarm, shared_genes
from resvae_core.figures.explanation import waterfall
from resvae_core.figures.palette import FIVE, model_word
from resvae_core.figures.pathways import pathway_bars
from resvae_core.figures.swarm_table import swarm_table

if TYPE_CHECKING:
    import pandas as pd

    from resvae_core.models.model_set import Forecast

BACKGROUND_WORDS = {
    "reference": "The mean of the reference",
    "cohort": "The mean of this cancer type's cohort",
}
BACKGROUND_HELP = (
    "What the explanation starts from. The reference stands for cell lines and tumours alike, "
    "which are aligned to one another; the cohort asks what sets this patient apart from others "
    "with the same cancer. The score is the same, its parts are not."
)


def choose_background(session: Session) -> None:
    """Offer what the explanation starts from; the cohort only where its mean profile is here."""
    known = (
        [*BACKGROUND_WORDS] if resources.cohort_background(session.cancer_type) else ["reference"]
    )
    pickers.choose(
        session,
        "background",
        "Compared with",
        known,
        words=BACKGROUND_WORDS.__getitem__,
        required=True,
        help_text=BACKGROUND_HELP,
    )


def show_score(session: Session, forecast: Forecast) -> None:
    """Show how genes move the score from the base to what is shown."""
    attribution = predictions.attributions(session)[session.model]
    genes = verdicts.by_size(attribution)
    panels.chart(
        waterfall(attribution.table, base_word=_base_word(session), synthetic=session.is_demo),
        "explanation",
        panels.TableView(
            "explanation", genes, columns.ATTRIBUTION, notes=_notes(session, forecast)
        ),
    )
    verdicts.about_attribution(attribution)
    leading = [str(gene) for gene in genes["gene"].head(5)]
    st.button(
        f"Put {', '.join(leading)} in the basket",
        icon=":material/add_shopping_cart:",
        on_click=session.put_aside,
        args=(leading,),
    )
    show_basket(session)
    st.subheader("Survival by one of these genes", anchor=False)
    pickers.gene_links(session, genes["gene"])


def _base_word(session: Session) -> str:
    return "reference" if session.background == "reference" else f"{session.cancer_type} cohort"


def show_shared(session: Session, forecast: Forecast) -> None:
    """Show the genes that at least three of the five models name for this score."""
    from resvae_core.explain.consensus import SHARED_BY

    present = [kind for kind in FIVE if kind in resources.models_in_use().learned]
    if len(present) < SHARED_BY:
        st.markdown(
            f"Not assessable: {SHARED_BY} of the five models would have to name a gene, and the "
            f"active model set has {len(present)} of them."
        )
        return
    table = predictions.shared_genes(session)
    st.caption(
        "Genes among the 20 largest parts of at least three of the five models, in one direction. "
        "What several models lean on is less likely to be an accident of one. Three of the five "
        "are networks of one design, and all learned from the same cell lines, so they can share "
        "an error too."
    )
    if table.empty:
        st.markdown("No gene is among the leading ones of three models, in the same direction.")
        return
    panels.chart(
        shared_genes(table, synthetic=session.is_demo),
        "shared-genes",
        panels.TableView("shared-genes", table, columns.SHARED, notes=_notes(session, forecast)),
    )


def show_pathways(session: Session, forecast: Forecast) -> None:
    """Show the attributions added up by pathway."""
    sums = predictions.pathways(session)
    panels.chart(
        pathway_bars(sums.table, synthetic=session.is_demo),
        "pathways",
        panels.TableView("pathways", sums.table, columns.PATHWAYS, notes=_notes(session, forecast)),
    )
    st.caption(
        f"{sums.source} A gene in several pathways counts in each. Genes without a pathway carry "
        f"{sums.without.iloc[0]:.0%} of what moves the score."
    )


def show_against_cohort(session: Session, forecast: Forecast) -> None:
    """Show the patient's attributions among those of a cohort."""
    # a cohort is explained from the mean of the reference, so the patient is here, too
    own = predictions.attributions(session, "reference")[session.model].table
    if session.background != "reference":
        st.caption("Compared with the mean of the reference here, whatever is chosen above.")
    bands = _shipped_bands(session)
    if bands is None:
        st.caption(
            "How attributions spread over a cohort is shipped for lung adenocarcinoma and "
            "glioblastoma, nine drugs each; not for this cancer type and drug."
        )
    else:
        st.markdown(f"**Against {cohort_word(session.cancer_type)}**, as aggregates:")
        panels.chart(
            attribution_bands(bands, own, name=session.sample, synthetic=session.is_demo),
            "cohort-bands",
            panels.TableView("cohort-bands", bands, columns.BANDS, notes=_notes(session, forecast)),
        )
    _show_beeswarm(session, own)


def _shipped_bands(session: Session) -> pd.DataFrame | None:
    table = resources.evidence_if_any("cohort_attributions")
    if table is None:
        return None
    rows = table[
        (table["cohort"] == session.cancer_type)
        & (table["drug"] == session.drug)
        & (table["model"] == session.model)
    ]
    return None if rows.empty else rows


def _show_beeswarm(session: Session, own: pd.DataFrame) -> None:
    """Explain every patient of a cohort in a worker, then draw them all with this one."""
    codes = resources.comparable_cohorts(session.cancer_type, with_demo=True)
    if st.session_state.get("beeswarm_cohort") not in codes:
        st.session_state["beeswarm_cohort"] = codes[0]
    cohort = st.segmented_control(
        "Every patient of a cohort",
        codes,
        format_func=cohort_word,
        key="beeswarm_cohort",
        required=True,
    )
    table = jobs.cohort_attribution(cohort, session.drug, session.model)
    if table is None:
        return
    synthetic = cohort == SYNTHETIC_COHORT
    if synthetic:
        st.caption("The cohort is synthetic: it shows the view, and no finding.")
    rows = predictions.beside_cohort(table, own)
    panels.chart(
        beeswarm(rows, patient=session.sample, synthetic=synthetic or session.is_demo),
        "beeswarm",
        panels.TableView(
            "beeswarm",
            swarm_table(rows, patient=session.sample),
            columns.BANDS,
        ),
    )


def show_stability(session: Session, forecast: Forecast) -> None:
    """Show how far the leading genes depend on the fold and on the background."""
    table = predictions.stability(session)
    st.caption(
        "How much the 20 leading genes overlap (Jaccard: 1 the same genes, 0 none) between the "
        "members of a model, each trained without another fifth of the cell lines, and between "
        "the two backgrounds."
    )
    st.dataframe(
        table.assign(model=[model_word(kind) for kind in table["model"]]),
        hide_index=True,
        column_config=columns.STABILITY,
        key="stability",
        alt="Overlap of the leading genes over members and backgrounds, by model",
    )


def _notes(session: Session, forecast: Forecast) -> tuple[str, ...]:
    return (
        *verdicts.provenance_notes(session, forecast),
        f"Compared with: {BACKGROUND_WORDS[session.background].lower()}",
    )
