"""The Similar page: where a sample lies among cell lines and cohorts, and who is nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, panels, pickers, predictions, resources, verdicts
from resvae_core.data.cancer_types import load_cancer_types, tissue_words
from resvae_core.figures.maps import line_map

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session

SPACE_WORDS = {
    "latent": "What VAE_LD makes of the genes (latent)",
    "pca": "The genes themselves (PCA)",
}
FAR = 2.0
"""Times the usual distance between neighbouring lines from which a neighbour is far."""


def choose_space(session: Session) -> None:
    """Offer the spaces that neighbours are sought in."""
    pickers.choose(
        session, "space", "Similar in", [*SPACE_WORDS], words=SPACE_WORDS.__getitem__, required=True
    )


def show_map(session: Session, nearest: pd.DataFrame) -> None:
    """Show the sample among the cell lines, with outlines of the reference cohorts."""
    lines = predictions.lines_on_map(session, with_response="label" in nearest)
    types = load_cancer_types()
    figure = line_map(
        lines,
        patient=predictions.sample_on_map(session),
        nearest=nearest,
        cohorts=resources.cohort_outlines(session.space),
        tissue=types[session.cancer_type].gdsc_tissue if session.cancer_type else "",
        space=SPACE_WORDS[session.space],
        synthetic=session.is_demo,
    )
    table = lines.assign(tissue=lines["tissue"].map(tissue_words))
    panels.chart(figure, "line-map", panels.TableView("line-map", table, columns.LINE_MAP))


def show_lines(session: Session, nearest: pd.DataFrame, notes: tuple[str, ...]) -> None:
    """Show the nearest cell lines and, where it is installed, how they responded to the drug."""
    st.subheader("Nearest cell lines", anchor=False)
    if nearest["relative"].min() > FAR:
        st.warning(
            f"Even the nearest line is {nearest['relative'].min():.1f} times as far away as lines "
            "usually are from one another: no line is really similar."
        )
    if "label" in nearest and session.drug:
        st.markdown(_responses(session, nearest))
    elif session.drug and resources.screen() is not None:
        st.caption("Out of range: how these lines responded says nothing of this sample.")
    elif session.drug:
        st.caption(
            "How these lines responded was measured, but the measurements are not shipped: install "
            "the data to see them here."
        )
    panels.show_table(
        panels.TableView(
            "nearest-lines",
            nearest.assign(tissue=nearest["tissue"].map(tissue_words)),
            columns.NEAREST_LINES,
            notes=(*notes, f"Similar in: {SPACE_WORDS[session.space]}"),
        )
    )
    st.caption(_how_often(session))


def _responses(session: Session, nearest: pd.DataFrame) -> str:
    counts = predictions.responses_of(nearest, session.drug)
    if not counts["n_measured"]:
        return f"None of them was measured with {session.drug}."
    return (
        f"**{counts['n_resistant']} of {counts['n_measured']}** of these lines that were measured "
        f"resisted {session.drug}; of all {counts['n_lines']} measured lines, "
        f"{100 * counts['base_rate']:.0f} in 100 did: as many drawn at random would show about "
        f"{counts['n_measured'] * counts['base_rate']:.0f}."
    )


def _how_often(session: Session) -> str:
    """Say how much neighbours tell, from each line left out of its own neighbourhood."""
    table = resources.evidence("neighbour_agreement")
    drug = session.drug or "all drugs"
    rows = table[(table["space"] == session.space) & (table["drug"] == drug)]
    if rows.empty:
        return "How much neighbours tell was not measured for this drug."
    row = rows.to_dict("records")[0]
    tells = "more than" if row["roc_auc"] > row["tissue_roc_auc"] + 0.02 else "no more than"
    return (
        f"How much neighbours tell ({drug}, each of {row['n_lines']:.0f} lines left out of its own "
        f"neighbourhood): the share of resistant ones among {row['k']:.0f} neighbours ranks "
        f"resistant above sensitive lines with ROC AUC {row['roc_auc']:.2f}; as many lines drawn "
        f"from the same tissue reach {row['tissue_roc_auc']:.2f}: they tell {tells} the tissue "
        "does. Neighbours illustrate, they are not the prediction."
    )


def show_patients(session: Session, notes: tuple[str, ...]) -> None:
    """Show the nearest patients of a cohort that is at hand."""
    st.subheader("Nearest patients", anchor=False)
    nearest = predictions.nearest_patients(session)
    if nearest is None and not session.cancer_type:
        st.caption(
            "No cancer type is stated: choose one in the bar above to see the nearest patients."
        )
        return
    if nearest is None:
        st.caption(
            "No cohort of this cancer type is installed in log2(TPM + 1); patients are never "
            "shipped. Outlines on the map are aggregates."
        )
        return
    if nearest["synthetic"].any():
        verdicts.synthetic_badge()
    panels.show_table(
        panels.TableView("nearest-patients", nearest, columns.NEAREST_PATIENTS, notes=notes)
    )
