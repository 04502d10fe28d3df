"""The Biomarkers page: genes that move or follow a predicted resistance in a cohort."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import streamlit as st

from pages.components import columns, messages, panels, resources, settings_parts
from pages.components.downloads import csv_button
from pages.components.permissions import why_not
from pages.components.pickers import choose, cohort_word, survival_link
from pages.components.state import Session, load_session
from resvae_core.errors import ArtifactError
from resvae_core.figures.biomarkers import adjustment, volcano
from resvae_core.figures.palette import CALLS, ENSEMBLE
from resvae_core.registry.pointer import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Hashable

    import pandas as pd

ATTRIBUTED, ASSOCIATED = "attributed", "associated"
KINDS = {
    ATTRIBUTED: "Attributed: the models read it",
    ASSOCIATED: "Associated: it follows the score",
}
KIND_HELP = {
    ATTRIBUTED: (
        "Genes of the models' panel. Effect: log-odds of resistance that a gene carries per "
        "standard deviation of its expression, mean of the five models, with their range. Models "
        "that learned from the same cell lines are no replicates, so an attribution has no "
        "p-value: read votes and stability."
    ),
    ASSOCIATED: (
        "Genes that no model reads. Effect: correlation of the gene with the ensemble's score "
        "over the patients; interval and q are for that correlation. Only the 300 strongest of "
        "each cohort and drug are shipped. A score follows many genes at once, so a small q is "
        "common here and says little by itself."
    ),
}
VIEWS = {"browse": "Browse", "panel": "The paper's genes", "enrichment": "Enrichment"}
LINKS = {
    "GeneCards": "https://www.genecards.org/cgi-bin/carddisp.pl?gene={gene}",
    "OncoKB": "https://www.oncokb.org/gene/{gene}",
    "cBioPortal": "https://www.cbioportal.org/results/cancerTypesSummary?gene_list={gene}"
    "&cancer_study_list={cohort}_tcga_pan_can_atlas_2018",
    "UniProt": "https://www.uniprot.org/uniprotkb?query=gene_exact%3A{gene}+AND+organism_id%3A9606",
    "PubMed": "https://pubmed.ncbi.nlm.nih.gov/?term={gene}+{drug}+resistance",
}
SIGNIFICANT = 0.05
WAYS = {"resistant": "more", "sensitive": "less"}


def choose_task(session: Session) -> pd.DataFrame:
    """Offer cohort and drug of the shipped findings; return their rows."""
    table = resources.evidence("biomarkers")
    left, right = st.columns(2)
    with left:
        cohort = choose_cohort(session, list(dict.fromkeys(table["cohort"])))
    rows = table[table["cohort"] == cohort]
    drugs = sorted(rows["drug"].unique())
    if session.study_drug not in drugs:
        session.study_drug = session.drug if session.drug in drugs else drugs[0]
    with right:
        drug = choose(session, "study_drug", "Predicted resistance to", drugs, required=True)
    session.write_link()
    return rows[rows["drug"] == drug]


def choose_cohort(session: Session, known: list[str]) -> str:
    """Offer some cohorts, the patient's cancer type first; return the chosen one."""
    if session.cohort not in known:
        session.cohort = session.cancer_type if session.cancer_type in known else known[0]
    return choose(session, "cohort", "Cohort", known, words=cohort_word, required=True)


def show_browser(session: Session, rows: pd.DataFrame) -> None:
    """Show volcano and table of one cohort and drug, and the chosen gene beside them."""
    kind, shown = _filtered(rows)
    if shown.empty:
        st.markdown("No gene is left. Loosen the filters.")
        return
    left, right = st.columns([5, 3])
    with left:
        _volcano(session, shown)
    with right:
        show_gene(session, rows)
    _table(session, shown, kind)


def _filtered(rows: pd.DataFrame) -> tuple[str, pd.DataFrame]:
    kind = st.segmented_control(
        "Genes", list(KINDS), default=ATTRIBUTED, format_func=KINDS.__getitem__, required=True
    )
    with st.container(horizontal=True):
        adjusted = st.toggle(
            "Still there given general resistance",
            help="q below 0.05, in the same direction, for the correlation with the score when the "
            "patient's mean predicted resistance to all other drugs is held fixed.",
        )
        plain = st.toggle(
            "Without flagged genes",
            help="Leaves out genes that recur over unrelated drugs, markers of normal tissue, "
            "immune cells or stroma, and genes that fall with tumour purity.",
        )
    st.caption(KIND_HELP[kind])
    shown = rows[rows["kind"] == kind]
    if adjusted:
        same = shown["effect"] * shown["correlation_general"] > 0
        shown = shown[(shown["q_general"] < SIGNIFICANT) & same]
    if plain:
        shown = shown[shown["flags"].fillna("") == ""]
    return kind, shown


def _volcano(session: Session, shown: pd.DataFrame) -> None:
    figure = volcano(shown, selected=session.gene)
    st.markdown(figure.layout.meta["takeaway"])
    name = f"volcano-{session.cohort}-{session.study_drug}"
    panels.draw(figure, name, partial(_take_point, f"chart_{name}"))
    st.caption("Choose a point, or a row of the table below, to open the gene.")


def _take_point(key: str) -> None:
    """Open the gene of a selected point."""
    points = st.session_state[key]["selection"]["points"]
    if points:
        data = points[0]["customdata"]
        _open_gene(str(data[0] if isinstance(data, list) else data))


def _open_gene(gene: str) -> None:
    session = load_session()
    session.gene = gene
    session.write_link()


def _table(session: Session, shown: pd.DataFrame, kind: str) -> None:
    ordered = shown.sort_values("effect", key=abs, ascending=False)
    key = f"findings_{kind}_{session.cohort}_{session.study_drug}_{len(ordered)}"
    st.dataframe(
        ordered.assign(direction=[CALLS[way].label for way in ordered["direction"]]),
        hide_index=True,
        height=420,
        column_config=columns.BIOMARKERS,
        column_order=list(columns.BIOMARKERS),
        key=key,
        on_select=partial(_take_row, key, ordered["gene"].tolist()),
        selection_mode="single-row",
        alt="Genes with effect, range, votes, stability, correlation and flags",
    )
    csv_button(ordered, f"biomarkers-{session.cohort}-{session.study_drug}", notes=notes())


def _take_row(key: str, genes: list[str]) -> None:
    rows = st.session_state[key]["selection"]["rows"]
    if rows:
        _open_gene(genes[rows[0]])


def show_gene(session: Session, rows: pd.DataFrame) -> None:
    """Show what was found of the chosen gene, and where to read on."""
    found = rows[rows["gene"] == session.gene]
    with st.container(border=True):
        if found.empty:
            st.markdown("**No gene chosen.** Choose one in the chart or the table.")
            return
        row = found.to_dict("records")[0]
        st.subheader(str(row["gene"]), anchor=False)
        st.markdown(_in_words(row))
        if row["flags"] == row["flags"] and row["flags"]:
            st.markdown(f":material/flag: **{row['flags']}**. {FLAG_WORDS}")
        st.markdown(
            " · ".join(
                f"[{name}]({address.format(**_address(row))})" for name, address in LINKS.items()
            )
        )
        survival_link(session, str(row["gene"]), label=f"Survival by {row['gene']}")
        show_basket(session, str(row["gene"]))


FLAG_WORDS = (
    "Such a gene may say more of what else is in the tumour, or of a general tendency, than of "
    "this drug."
)


def _address(row: dict[Hashable, Any]) -> dict[str, str]:
    return {
        "gene": quote(str(row["gene"])),
        "drug": quote(str(row["drug"])),
        "cohort": str(row["cohort"]).lower(),
    }


def _in_words(row: dict[Hashable, Any]) -> str:
    return (
        f"{_direction(row)}: {_effect(row)}.{_against(row)}\n\n"
        f"Correlation with the score over {row['n_patients']:.0f} patients "
        f"{_number(row['correlation'])} (q {_small(row['q_value'])}{_unclear(row)}); given tumour "
        f"purity {_number(row['correlation_purity'])} (q {_small(row['q_purity'])}); given general "
        f"resistance {_number(row['correlation_general'])} (q {_small(row['q_general'])})."
    )


def _direction(row: dict[Hashable, Any]) -> str:
    """Say which way high expression counts, of a gene that is read, or goes, of another."""
    way = str(row["direction"])
    if row["kind"] == ATTRIBUTED:
        return f"{CALLS[way].symbol} The models count high expression **towards {way}**"
    return f"{CALLS[way].symbol} Higher expression goes with **{WAYS[way]} predicted resistance**"


def _unclear(row: dict[Hashable, Any]) -> str:
    return ": **not clear in these patients**" if row["q_value"] >= SIGNIFICANT else ""


def _effect(row: dict[Hashable, Any]) -> str:
    spread = f"{row['effect']:+.3f} {row['unit']} ({row['lower']:+.3f} to {row['upper']:+.3f}"
    votes = f"{row['votes']:.0f} of {row['n_models']:.0f} models"
    if row["kind"] == ASSOCIATED:
        return f"{spread}, 95 % interval); {votes} agree"
    return (
        f"{spread} over the five models); among the leading 5 % of genes in {votes}, stability "
        f"{_small(row['stability'])}"
    )


def _against(row: dict[Hashable, Any]) -> str:
    """Say where what models read of a gene and how the gene goes with the score part ways."""
    clear = row["q_value"] < SIGNIFICANT and row["effect"] * row["correlation"] < 0
    if not clear:
        return ""
    return (
        " **In these patients the gene itself goes the other way with the score**: what it carries "
        "is outweighed by genes that it goes along with."
    )


def _number(value: float) -> str:
    return "not known" if value != value else f"{value:+.2f}"


def _small(value: float) -> str:
    return "–" if value != value else f"{value:.2g}"


def show_basket(session: Session, gene: str = "") -> None:
    """Offer to put a gene aside, and show what lies in the basket."""
    with st.container(horizontal=True):
        if gene and gene not in session.basket:
            st.button(
                f"Put {gene} in the basket",
                icon=":material/add_shopping_cart:",
                on_click=session.put_aside,
                args=([gene],),
            )
        if session.basket:
            st.button("Empty the basket", icon=":material/delete:", on_click=_empty_basket)
    if session.basket:
        st.caption(f"Basket: {', '.join(session.basket)}")


def _empty_basket() -> None:
    load_session().basket = ()


def notes() -> tuple[str, ...]:
    """Return where the findings come from, for downloads."""
    about = resources.evidence_about()
    sizes = ", ".join(f"{code} {n}" for code, n in about.cohorts.items())
    return (
        f"Models: {about.model_set} ({about.set_digest[:8]}); computed {about.created}",
        f"Cohorts (TCGA): {sizes}",
        "About the models' scores, not about a measured effect of a drug in patients",
    )


def show_panel(session: Session) -> None:
    """Show plainly what our models find of the genes that the paper names."""
    st.markdown(
        "The method's paper proposes **TFF1** (lung adenocarcinoma, gefitinib) and **OPALIN, LTF, "
        "IL2RA, SLC17A7** (glioblastoma, temozolomide). This is what our models and cohorts say. "
        "Response to neither pair can be tested here: hardly any is recorded."
    )
    panel = resources.evidence("named_panel")
    for sentence in resources.panel_sentences():
        st.markdown(f"- {messages.plain(sentence)}")
    st.dataframe(
        panel[panel["model"] == ENSEMBLE],
        hide_index=True,
        column_config=columns.NAMED_PANEL,
        column_order=list(columns.NAMED_PANEL),
        key="named_panel",
        alt="The paper's genes: what our models find",
    )
    csv_button(panel, "named-panel", notes=notes())
    pairs = panel.loc[panel["model"] == ENSEMBLE, ["cohort", "drug", "gene", "verdict"]]
    found = resources.evidence("biomarkers").merge(pairs, on=["cohort", "drug", "gene"])
    panels.chart(
        adjustment(found),
        "named-panel-adjusted",
        panels.TableView(
            "named-panel-models",
            panel,
            columns.NAMED_PANEL,
            caption="Every model by itself.",
            notes=notes(),
        ),
        panels.TableView("named-panel-adjusted", found, columns.BIOMARKERS, notes=notes()),
    )
    st.subheader("Survival by these genes", anchor=False)
    with st.container(horizontal=True):
        for row in pairs.to_dict("records"):
            survival_link(
                session,
                str(row["gene"]),
                label=f"{row['gene']} in {row['cohort']}",
                cohort=str(row["cohort"]),
            )
    st.caption(
        "OPALIN and SLC17A7 mark normal brain, LTF and IL2RA immune cells, TFF1 a mucinous "
        "lineage: what such a gene follows may be the make-up of the sample."
    )


def need_evidence() -> None:
    """End the page where there are no findings of the models in use: why, and the way to them."""
    try:
        resources.evidence_about()
    except ArtifactError as error:
        st.markdown(f"**{messages.plain(error.message)}** {messages.plain(error.remedy)}")
        _lead_to_findings()
        raise messages.PageEnded from error


def _lead_to_findings() -> None:
    """Offer the way to where findings are computed: with any set but the one that was shipped."""
    models = resources.installed_models()
    if models is None or models.id == SHIPPED:
        return
    if refusal := why_not("train"):
        st.caption(refusal)
    elif st.button("To the findings of this model set", icon=":material/settings:", key="to_sets"):
        settings_parts.open_part("sets")
        st.switch_page("pages/settings.py", query_params=load_session().link())
