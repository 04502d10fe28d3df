"""How good the models are: the sections of the Models page."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components import columns, panels, resources
from resvae_core.figures.calibration import coverage, reliability
from resvae_core.figures.palette import FLOORS, in_order, model_word
from resvae_core.figures.performance import METRIC_WORDS, differences, external, leaderboard

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session

LINES_OUT = "leave_cell_line_out"
SPLITS = {
    LINES_OUT: "New cell lines",
    "leave_tissue_out": "New tissues",
    "leave_cell_line_out_permuted": "Permuted labels (control)",
}
SPLIT_HELP = {
    LINES_OUT: "Test lines were never trained on; their tissue was.",
    "leave_tissue_out": "Neither test lines nor any line of their tissue were trained on.",
    "leave_cell_line_out_permuted": "Trained on shuffled labels: nothing may beat the floors here.",
}
ALL_LINES = "All cancer types"
ONLY_LINES_OUT = "Measured on new cell lines only."


def choose_split(summary: pd.DataFrame) -> str:
    """Offer the splits that were judged; return the chosen one."""
    known = [split for split in SPLITS if (summary["split"] == split).any()]
    split = st.segmented_control(
        "Tested on", known, default=known[0], format_func=SPLITS.__getitem__, required=True
    )
    st.caption(SPLIT_HELP[split])
    return str(split)


def show_leaderboard(session: Session, split: str) -> None:
    """Show every model beside the floors, and whether the published order holds."""
    summary = resources.evaluation("summary")
    if split == LINES_OUT:
        st.markdown(resources.order_sentence())
    panels.chart(
        leaderboard(summary, split=split),
        "leaderboard",
        panels.TableView("leaderboard", summary[summary["split"] == split], columns.SUMMARY),
    )


def show_tests(session: Session, split: str) -> None:
    """Show the learned models minus a reference, paired over the folds."""
    tests = resources.evaluation("comparisons")
    tests = tests[(tests["split"] == split) & ~tests["model"].isin(FLOORS)]
    if tests.empty:
        st.caption("No paired tests on this split.")
        return
    left, right = st.columns([3, 2])
    with left:
        references = in_order(tests["reference"])[::-1]
        reference = st.segmented_control(
            "Against",
            references,
            default=references[0],
            format_func=model_word,
            required=True,
        )
    with right:
        metric = _choose_metric(tests)
    rows = tests[(tests["reference"] == reference) & (tests["metric"] == metric)]
    panels.chart(
        differences(rows, metric=metric, against=model_word(reference)),
        "paired-tests",
        panels.TableView("paired-tests", rows, columns.TESTS),
    )


def show_probabilities(session: Session, split: str) -> None:
    """Show reliability of one model, on all lines or on those of one cancer type."""
    left, right = st.columns(2)
    curves = resources.evaluation("reliability")
    curves = curves[curves["split"] == split]
    with left:
        model = choose_model(session, curves)
    by_tissue = resources.evaluation("reliability_by_tissue")
    by_tissue = by_tissue[(by_tissue["split"] == split) & (by_tissue["model"] == model)]
    with right:
        names = [ALL_LINES, *by_tissue["tissue"].unique()]
        tissue = st.selectbox("Cancer type of the lines", names, key="reliability_tissue")
    rows = curves[curves["model"] == model]
    if tissue != ALL_LINES:
        rows = by_tissue[by_tissue["tissue"] == tissue]
    panels.chart(
        reliability(rows, where="" if tissue == ALL_LINES else tissue),
        "reliability",
        panels.TableView("reliability", rows, columns.RELIABILITY),
    )


def show_coverage(session: Session, split: str) -> None:
    """Show how often the 90 % sets of one model hold the true class."""
    rows = resources.evaluation("coverage_by_tissue")
    rows = rows[rows["split"] == split]
    if rows.empty:
        st.caption("Sets were not judged on this split.")
        return
    model = choose_model(session, rows)
    rows = rows[rows["model"] == model]
    panels.chart(
        coverage(rows),
        "coverage",
        panels.TableView("coverage-by-cancer-type", rows, columns.COVERAGE),
        panels.TableView(
            "coverage-by-drug",
            _of(resources.evaluation("coverage_by_drug"), model, split),
            columns.COVERAGE,
            caption="The same by drug, over all cancer types.",
        ),
    )


def show_external(session: Session, split: str) -> None:
    """Show how models agree with another screen and with the published calls."""
    table = resources.evaluation_if_any("external")
    if table is None or table.empty:
        st.caption("No external measurements were installed when these models were judged.")
        return
    words = resources.external_sources()
    left, right = st.columns([3, 2])
    with left:
        sources = list(table["source"].unique())
        source = st.selectbox("Measured in", sources, format_func=words.__getitem__)
    rows = table[table["source"] == source]
    with right:
        metric = _choose_metric(rows)
    rows = rows[rows["metric"] == metric]
    panels.chart(
        external(rows, metric=metric, truth=words[source]),
        "external",
        panels.TableView("external", rows, columns.EXTERNAL),
    )


def show_ablations(session: Session, split: str) -> None:
    """Show what models lose, or gain, where a part is missing or changed."""
    table = resources.evaluation_if_any("ablations")
    if table is None or table.empty:
        st.caption("These models were not judged without their parts.")
        return
    st.caption(ONLY_LINES_OUT)
    metric = _choose_metric(table)
    rows = table[table["metric"] == metric]
    tests = rows.drop(columns=["lower", "upper"]).rename(
        columns={"difference_lower": "lower", "difference_upper": "upper"}
    )
    panels.chart(
        differences(tests, metric=metric, against="the whole model"),
        "ablations",
        panels.TableView("ablations", rows, columns.ABLATIONS),
    )


def choose_model(session: Session, table: pd.DataFrame) -> str:
    """Offer the learned models of a table, the session's first."""
    models = in_order(table.loc[~table["model"].isin(FLOORS), "model"])
    index = models.index(session.model) if session.model in models else 0
    return str(
        st.selectbox("Model judged", models, index=index, format_func=model_word, key="judged")
    )


def _choose_metric(table: pd.DataFrame) -> str:
    present = set(table["metric"])
    known = [metric for metric in METRIC_WORDS if metric in present]
    return str(st.selectbox("Metric", known, format_func=METRIC_WORDS.__getitem__))


def _of(table: pd.DataFrame, model: str, split: str) -> pd.DataFrame:
    return table[(table["model"] == model) & (table["split"] == split)]
