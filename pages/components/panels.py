"""Blocks that several pages show: a chart with its table, verdicts, the basis of a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import resources
from pages.components.contrast import on_page
from pages.components.downloads import csv_button
from pages.components.pickers import cohort_word
from resvae_core.figures.palette import model_word

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import plotly.graph_objects as go

    from pages.components.columns import Columns


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


def limits() -> None:
    """Say in plain words what the tool cannot do."""
    st.subheader("What it cannot do", anchor=False)
    st.markdown(
        "- It learned from cancer cell lines in a dish, and its probabilities are theirs. Held "
        "against recorded responses of patients, its order is little better than chance (Cohort, "
        "Recorded response).\n"
        "- About 85 of 100 cell lines resist any given drug, so *resistant* is the safe guess; "
        "every result stands beside what drug and tissue alone would say.\n"
        "- It reads a panel of cancer genes in bulk RNA-seq of a tumour, not single cells, not "
        "normal tissue, not mutations.\n"
        "- Where a sample is unlike those it was made for, it says so and calls nothing."
    )


def system_status() -> None:
    """Say what is ready and what is installed."""
    models, cohorts = resources.installed_models(), resources.installed_cohorts()
    findings = resources.evidence_if_any("survival_tests")
    with st.container(horizontal=True):
        if models:
            st.badge(f"{len(models.learned)} models ready", icon=":material/check:", color="green")
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
