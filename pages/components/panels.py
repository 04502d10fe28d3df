"""Blocks that several pages show: a chart with its table, verdicts, the basis of a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import resources
from pages.components.contrast import on_page
from pages.components.downloads import csv_button
from pages.components.messages import plain
from pages.components.pickers import cohort_word
from resvae_core.figures.palette import model_word
from resvae_core.registry.pointer import SHIPPED

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import plotly.graph_objects as go

    from pages.components.columns import Columns
    from resvae_core.registry.description import SetDescription


@dataclass(frozen=True)
class TableView:
    """A table as a reader sees it, and as it is downloaded.

    Parameters
    ----------
    name
        Short name for the file, such as ``survival-curves``.
    table
        The data.
    columns
        Streamlit's configuration of the columns; None hides a column.
    caption
        One sentence above it; empty for none.
    notes
        Provenance, written into the file.
    """

    name: str
    table: pd.DataFrame
    columns: Columns = field(default_factory=dict)
    caption: str = ""
    notes: tuple[str, ...] = ()


def show_table(view: TableView) -> None:
    """Show a table and offer it as a file."""
    if view.caption:
        st.caption(view.caption)
    st.dataframe(
        view.table,
        hide_index=True,
        column_config=view.columns,
        placeholder="–",
        key=f"table_{view.name}",
        alt=view.caption or view.name,
    )
    csv_button(view.table, view.name, notes=view.notes)


def draw(figure: go.Figure, name: str, on_select: Callable[[], None] | None = None) -> None:
    """Show a figure, its takeaway as the alternative text; `name` is that of the saved picture.

    With `on_select`, points can be selected; the selection lies under the key ``chart_<name>``.
    """
    st.plotly_chart(
        on_page(figure),
        key=f"chart_{name}",
        on_select=on_select or "ignore",
        selection_mode="points",
        alt=figure.layout.meta["takeaway"],
        config={
            "displaylogo": False,
            "modeBarButtonsToRemove": ["select2d", "lasso2d", "autoScale2d"],
            "toImageButtonOptions": {"format": "svg", "filename": f"resvae-{name}"},
        },
    )


def chart(figure: go.Figure, name: str, *views: TableView) -> None:
    """Show a figure under its one-sentence takeaway, with its numbers in a second tab.

    Parameters
    ----------
    figure
        Carries the takeaway in ``layout.meta``.
    name
        Name of the picture when it is saved.
    views
        The tables behind the figure.
    """
    st.markdown(figure.layout.meta["takeaway"])
    # what nobody looks at is not sent to the browser
    drawing, numbers = st.tabs(["Chart", "Table"], key=f"tabs_{name}", on_change="rerun")
    with drawing:
        draw(figure, name)
    if numbers.open:
        with numbers:
            for view in views:
                show_table(view)


def asked_of() -> str:
    """Return how many drugs are asked of how many models, by the model set in use."""
    models = resources.installed_models()
    if models is None:
        return "to each drug by several models"
    n_drugs, n_models = len(models.drugs), len(models.learned)
    return (
        f"to {'one drug' if n_drugs == 1 else f'each of {n_drugs} drugs'} by "
        f"{'one model' if n_models == 1 else f'{n_models} models'}"
    )


def cohorts_in_words() -> str:
    """Return how many cohorts there are findings of, with the model set in use."""
    findings = resources.evidence_if_any("survival_tests")
    if findings is None:
        return "cohorts, once they are computed with this model set"
    n_cohorts = findings["cohort"].nunique()
    return "one cohort" if n_cohorts == 1 else f"{n_cohorts} cohorts"


def whose_stories() -> str:
    """Return a sentence on which models the demo patients' stories are of; "" where of these."""
    models = resources.installed_models()
    if models is None or models.id == SHIPPED:
        return ""
    return (
        " What is said of them is what the model set that came with the program says; "
        f"{plain(models.name)} is active, and may say otherwise."
    )


def limits() -> None:
    """Say in plain words what the tool cannot do."""
    st.subheader("What it cannot do", anchor=False)
    models = resources.installed_models()
    genes = f"{models.n_genes:,} genes" if models else "genes"
    st.markdown(
        f"{_learned(models) if models else ''}"
        f"- It reads {genes} in bulk RNA-seq of a tumour, not single cells, not normal tissue, not "
        "mutations.\n"
        "- Where a sample is unlike those it was made for, it says so and calls nothing."
    )


def _learned(models: SetDescription) -> str:
    """Say what the model set in use learned from, and what a safe guess would be."""
    lines, learned = "cell lines", "cancer cell lines in a dish, and its probabilities are theirs"
    if models.synthetic:
        lines, learned = "made-up lines", "**synthetic data**: nothing that it says is a finding"
    patients = (
        " Held against recorded responses of patients, its order is little better than chance "
        "(Cohort, Recorded response)."
    )
    return (
        f"- It learned from {learned}.{patients if models.id == SHIPPED else ''}\n"
        f"- About {100 * models.share_resistant:.0f} of 100 {lines} resist any given drug, so "
        "*resistant* is the safe guess; every result stands beside what drug and tissue alone "
        "would say.\n"
    )


def system_status() -> None:
    """Say what is ready and what is installed."""
    models, cohorts = resources.installed_models(), resources.installed_cohorts()
    findings = resources.evidence_if_any("survival_tests")
    with st.container(horizontal=True):
        if models:
            n = len(models.learned)
            ready = f"{n} {'model' if n == 1 else 'models'} ready"
            st.badge(ready, icon=":material/check:", color="green")
            if models.synthetic:
                st.badge("Trained on synthetic data", icon=":material/warning:", color="orange")
        else:
            st.badge("No models installed", icon=":material/error:", color="red")
        if findings is None:
            st.badge("No findings installed", icon=":material/warning:", color="orange")
        else:
            n_cohorts = findings["cohort"].nunique()
            st.badge(f"Findings of {n_cohorts} cohorts", icon=":material/check:", color="green")
        st.badge("Works without a network", icon=":material/lock:", color="gray")
    with st.expander("What is installed", icon=":material/settings:"):
        learned = ", ".join(map(model_word, models.learned)) if models else "none"
        st.markdown(
            f"- Models: {learned}\n- Cohorts: {', '.join(map(cohort_word, cohorts))}\n"
            "- A cohort whose patients are not installed is here as aggregates alone."
        )
