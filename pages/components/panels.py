"""Blocks that several pages show: a chart with its table, verdicts, the basis of a result."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import resources
from pages.components.downloads import csv_button
from pages.components.pickers import cohort_word
from resvae_core.figures.palette import model_word

if TYPE_CHECKING:
    from collections.abc import Callable

    import pandas as pd
    import plotly.graph_objects as go

    from pages.components.columns import Columns
    from pages.components.resources import SurvivalByGene


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
        figure,
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


def how_survival_was_computed(result: SurvivalByGene, cohort: str) -> None:
    """Say who was left out and which tests were made."""
    with st.expander("How this was computed"):
        left_out = ", ".join(f"{n} {reason}" for reason, n in result.left_out.items()) or "nobody"
        st.markdown(
            f"- **Cohort:** {cohort}; {result.test.n} patients, {result.test.n_events} events. "
            f"Left out: {left_out}.\n"
            f"- **Groups:** {result.curves.description} They are formed without the outcome.\n"
            "- **Curves:** Kaplan–Meier, 95 % intervals on the log-log scale; number at risk "
            "counts T ≥ t.\n"
            f"- **Test:** {result.test.test_name.lower()}, χ² {result.test.statistic:.2f} on "
            f"{result.test.dof} degrees of freedom, {result.test.p_label}. Looking at many genes "
            "until one is below 0.05 will find one: correct for how many you looked at.\n"
            f"- **Without a cut:** Cox regression on the expression itself, {result.ratio.label}"
            f"{_corrected(result.q_value)}.\n"
        )


def _corrected(q_value: float | None) -> str:
    if q_value is None:
        return ""
    return f"; q = {q_value:.2g} over all genes whose curves are shipped"


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
    """Say which models and cohorts are installed."""
    models = resources.installed_models()
    with st.expander("What is installed", icon=":material/settings:"):
        learned = ", ".join(map(model_word, models.learned)) if models else "none"
        st.markdown(
            f"- Models: {learned}\n"
            f"- Cohorts: {', '.join(map(cohort_word, resources.installed_cohorts()))}"
        )
