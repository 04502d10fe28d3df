"""The evaluation as text: tables for ``benchmarks/`` and for the terminal."""

from __future__ import annotations

import math

import pandas as pd

from resvae_core.data.splits import LEAVE_CELL_LINE_OUT, LEAVE_TISSUE_OUT
from resvae_core.evaluation.metrics import MEANINGS
from resvae_core.evaluation.summary import summarise
from resvae_core.models.catalog import KINDS, title_of

TITLE = """# Evaluation

Made by `python -m resvae_core evaluate --data ../shared/data --report benchmarks/evaluation.md`.

Means over drugs, with 95 % intervals over folds (corrected resampled t). `leave_cell_line_out`:
test lines unseen, their tissues seen. `leave_cell_line_out_permuted`: the negative control,
training lines with each other's responses. `leave_tissue_out`: whole sites of origin unseen. The
floors, from drug × tissue mean down, read no expression; p is the paired test of ROC AUC against
the first of them, not corrected for the number of tests. In `leave_tissue_out` that floor knows no
tissue of the test lines, so the test there is against chance. Thresholds of models and floors alike
were chosen on training lines.
"""

HEADLINE = ("roc_auc", "within_tissue_roc_auc", "lift_over_tissue_floor", "pearson", "brier", "ece")


def benchmark_report(table: pd.DataFrame) -> str:
    """Return Markdown with one table a split, models and floors in it.

    Parameters
    ----------
    table
        As `benchmark.run` gives it.
    """
    summary = summarise(table)
    parts = []
    for split in dict.fromkeys(table["split"]):
        rows = summary[summary["split"] == split]
        n_folds = int(rows["n_folds"].max())
        parts.append(f"## {split} ({n_folds} folds)\n\n{_headline(rows)}\n")
        parts.append(f"All metrics, mean:\n\n{_all_metrics(rows)}\n")
        if split == LEAVE_CELL_LINE_OUT:
            parts.append(f"{_unproven(table)}\n")
        if split == LEAVE_TISSUE_OUT:
            parts.append(f"Brier score by fold:\n\n{_by_fold(table, 'brier')}\n")
    meanings = "\n".join(f"- `{name}`: {meaning}" for name, meaning in MEANINGS.items())
    return "\n".join([TITLE, *parts, "## Metrics\n", meanings]) + "\n"


def _headline(rows: pd.DataFrame) -> str:
    lines = ["| model | " + " | ".join(HEADLINE) + " | p against tissue floor |"]
    lines.append("|---" * (len(HEADLINE) + 2) + "|")
    for kind in KINDS:
        own = rows[rows["model"] == kind].set_index("metric")
        if own.empty:
            continue
        cells = [_interval(own, metric) for metric in HEADLINE]
        p_value = float(own["p_value"]["roc_auc"])
        cells.append("–" if math.isnan(p_value) else f"{p_value:.1e}")
        lines.append(f"| {title_of(kind)} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _unproven(table: pd.DataFrame) -> str:
    """Say for how many drugs a model's gain over the tissue floor may be 0."""
    rows = table["split"].eq(LEAVE_CELL_LINE_OUT) & table["metric"].eq("lift_over_tissue_floor")
    lift = summarise(table[rows], by_drug=True)
    doubtful = (~(lift["lower"] > 0)).groupby(lift["model"]).sum()
    counts = ", ".join(
        f"{title_of(kind)} {doubtful[kind]}"
        for kind, model in KINDS.items()
        if not model.is_floor and kind in doubtful
    )
    n_drugs = lift["drug"].nunique()
    return f"Of {n_drugs} drugs, so many have no gain over the tissue floor shown: {counts}."


def _by_fold(table: pd.DataFrame, metric: str) -> str:
    """Return a metric's mean over drugs, fold by fold: folds of other sites differ widely."""
    rows = table[(table["split"] == LEAVE_TISSUE_OUT) & (table["metric"] == metric)]
    wide = rows.pivot_table(index="model", columns="fold", values="value", aggfunc="mean")
    lines = ["| model | " + " | ".join(f"fold {fold}" for fold in wide.columns) + " |"]
    lines.append("|---" * (len(wide.columns) + 1) + "|")
    for kind in KINDS:
        if kind in wide.index:
            cells = " | ".join(f"{value:.3f}" for value in wide.loc[kind])
            lines.append(f"| {title_of(kind)} | {cells} |")
    return "\n".join(lines)


def _interval(rows: pd.DataFrame, metric: str) -> str:
    mean, lower, upper = (float(rows[name][metric]) for name in ("mean", "lower", "upper"))
    if math.isnan(lower) or lower == upper:
        return f"{mean:.3f}"
    return f"{mean:.3f} ({lower:.3f}–{upper:.3f})"


def _all_metrics(rows: pd.DataFrame) -> str:
    wide = rows.pivot_table(index="model", columns="metric", values="mean")
    metrics = [metric for metric in MEANINGS if metric in wide.columns]
    lines = ["| model | " + " | ".join(metrics) + " |", "|---" * (len(metrics) + 1) + "|"]
    for kind in KINDS:
        if kind in wide.index:
            cells = " | ".join(f"{wide.loc[kind, metric]:.3f}" for metric in metrics)
            lines.append(f"| {title_of(kind)} | {cells} |")
    return "\n".join(lines)
