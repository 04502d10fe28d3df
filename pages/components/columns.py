"""How the columns of tables are shown: titles, formats, what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from streamlit import column_config as cc

if TYPE_CHECKING:
    from streamlit.elements.lib.column_types import ColumnConfig

Columns: TypeAlias = "dict[str, ColumnConfig | str | None]"
"""Name of a column → how it is shown; None hides it."""

_MONTHS = "%.1f"
_SHARE = "%.2f"
_DIRECTION = "0 sensitive → 1 resistant"

SURVIVAL_SUMMARY: Columns = {
    "group": cc.TextColumn("Group", pinned=True),
    "n": cc.NumberColumn("Patients"),
    "n_events": cc.NumberColumn("Events"),
    "median_months": cc.NumberColumn("Median, months", format=_MONTHS, help="Empty: not reached"),
    "median_lower_months": cc.NumberColumn("95 % from", format=_MONTHS),
    "median_upper_months": cc.NumberColumn("to", format=_MONTHS, help="Empty: not reached"),
    "median_days": None,
    "median_lower_days": None,
    "median_upper_days": None,
    "small": cc.CheckboxColumn("Fewer than 10 patients"),
}

AT_RISK: Columns = {
    "group": cc.TextColumn("Group", pinned=True),
    "time_days": None,
    "time_months": cc.NumberColumn("Months", format="%.0f"),
    "at_risk": cc.NumberColumn("At risk (T ≥ t)"),
}

SURVIVAL_CURVE: Columns = {
    "group": cc.TextColumn("Group", pinned=True),
    "time_days": cc.NumberColumn("Days", format="%.0f"),
    "survival": cc.NumberColumn("Survival", format=_SHARE),
    "lower": cc.NumberColumn("95 % from", format=_SHARE),
    "upper": cc.NumberColumn("to", format=_SHARE),
    "at_risk": cc.NumberColumn("At risk (T ≥ t)"),
    "events": cc.NumberColumn("Events"),
    "censored": cc.NumberColumn("Censored"),
}


RANKING: Columns = {
    "drug": cc.TextColumn("Drug", pinned=True),
    "call": cc.TextColumn("Call"),
    "probability": cc.ProgressColumn(
        "P(resistant)", min_value=0.0, max_value=1.0, format=_SHARE, help=_DIRECTION
    ),
    "lower": cc.NumberColumn("90 % from", format=_SHARE),
    "upper": cc.NumberColumn("to", format=_SHARE),
    "agreement": cc.TextColumn(
        "Five models",
        help="How many of the five models lean the same way: ▲ to resistant, ▼ to sensitive. "
        "A model leans to the side of its own limit that its probability lies on. Split: fewer "
        "than four lean one way, or two make opposite calls.",
    ),
    "conformal": cc.TextColumn(
        "90 % set",
        help="Classes whose cell lines often score like this (nine in ten are covered); either: "
        "the model cannot tell",
    ),
    "floor": cc.NumberColumn(
        "Tissue floor", format=_SHARE, help="What drug and tissue alone would say"
    ),
    "first_line": cc.TextColumn(
        "First line here",
        help="Part of a standard first treatment of this cancer type, often of a subgroup only",
    ),
    "drug_class": cc.TextColumn("Class"),
    "low_confidence": cc.TextColumn(
        "Confidence", help="ln IC50 hardly reflects a measured effect for this drug"
    ),
    "note": cc.TextColumn("Note", width="large"),
    "n_resistant": None,
    "n_sensitive": None,
    "n_models": None,
    "opposed": None,
}

FORECAST: Columns = {
    "sample": None,
    "drug": None,
    "model": cc.TextColumn("Model", pinned=True),
    "probability": cc.NumberColumn("P(resistant)", format=_SHARE, help=_DIRECTION),
    "lower": cc.NumberColumn("90 % from", format=_SHARE),
    "upper": cc.NumberColumn("to", format=_SHARE),
    "conformal": cc.TextColumn(
        "90 % set",
        help="Classes whose cell lines, of this lineage, often score like this",
    ),
    "call": cc.TextColumn("Call"),
    "range": cc.TextColumn("Range"),
    "note": cc.TextColumn("Note", width="large"),
}

RANGES: Columns = {
    "sample": cc.TextColumn("Sample", pinned=True),
    "range": cc.TextColumn("Verdict"),
    "gene_coverage": cc.ProgressColumn(
        "Model genes measured", min_value=0.0, max_value=1.0, format="percent"
    ),
    "n_missing": cc.NumberColumn("Missing genes"),
    "distance": cc.NumberColumn(
        "Distance", format=_SHARE, help="To the nearest reference group; up to 1 is in range"
    ),
    "residual": cc.NumberColumn(
        "Unexplained", format=_SHARE, help="What the references do not show; up to 1 is in range"
    ),
    "reasons": cc.ListColumn("Why", width="large"),
}

ATTRIBUTION: Columns = {
    "sample": None,
    "gene": cc.TextColumn("Gene", pinned=True),
    "value": cc.NumberColumn("Expression, log2(TPM + 1)", format=_SHARE),
    "attribution": cc.NumberColumn(
        "Attribution, log-odds", format="%+.3f", help="Above 0: towards resistant"
    ),
    "base": cc.NumberColumn("Base", format=_SHARE),
    "score": cc.NumberColumn("Score", format=_SHARE),
    "unit": None,
}

SUMMARY: Columns = {
    "model": cc.TextColumn("Model", pinned=True),
    "split": cc.TextColumn("Split"),
    "metric": cc.TextColumn("Metric"),
    "mean": cc.NumberColumn("Mean", format="%.3f"),
    "lower": cc.NumberColumn("95 % from", format="%.3f"),
    "upper": cc.NumberColumn("to", format="%.3f"),
    "n_folds": cc.NumberColumn("Folds"),
    "difference_to_floor": cc.NumberColumn("Above tissue floor", format="%+.3f"),
    "p_value": cc.NumberColumn("p (paired over folds)", format="%.2g"),
}

RELIABILITY: Columns = {
    "model": cc.TextColumn("Model", pinned=True),
    "split": None,
    "tissue": cc.TextColumn("Cancer type"),
    "bin": cc.NumberColumn("Bin"),
    "predicted": cc.NumberColumn("Predicted", format="%.3f"),
    "observed": cc.NumberColumn("Observed", format="%.3f"),
    "lower": cc.NumberColumn("95 % from", format="%.3f"),
    "upper": cc.NumberColumn("to", format="%.3f"),
    "n": cc.NumberColumn("Pairs", help="Pairs of cell line and drug in the bin"),
    "n_lines": cc.NumberColumn("Lines"),
    "ece": cc.NumberColumn("Calibration error", format="%.3f"),
}

COVERAGE: Columns = {
    "split": None,
    "model": cc.TextColumn("Model"),
    "tissue": cc.TextColumn("Cancer type", pinned=True),
    "drug": cc.TextColumn("Drug", pinned=True),
    "true_class": cc.TextColumn("True class"),
    "coverage": cc.NumberColumn("Set held it", format="percent", help="Built for 90 %"),
    "lower": cc.NumberColumn("95 % from", format="percent"),
    "upper": cc.NumberColumn("to", format="percent"),
    "n_lines": cc.NumberColumn("Lines"),
    "n_pairs": cc.NumberColumn("Pairs"),
}

COVERAGE_HERE: Columns = {
    **COVERAGE,
    "where": cc.TextColumn(
        "Where",
        pinned=True,
        help="The cancer type over all drugs; the drug over all cancer types; all of both",
    ),
}

TESTS: Columns = {
    "split": None,
    "metric": cc.TextColumn("Metric"),
    "model": cc.TextColumn("Model", pinned=True),
    "reference": cc.TextColumn("Against"),
    "difference": cc.NumberColumn("Difference", format="%+.3f"),
    "lower": cc.NumberColumn("95 % from", format="%+.3f"),
    "upper": cc.NumberColumn("to", format="%+.3f"),
    "n_folds": cc.NumberColumn("Folds"),
    "p_value": cc.NumberColumn("p (paired over folds)", format="%.2g"),
    "p_holm": cc.NumberColumn(
        "p, corrected", format="%.2g", help="Holm's method, for all tests of this metric and split"
    ),
}

ABLATIONS: Columns = {
    "model": cc.TextColumn("Variant", pinned=True),
    "base": cc.TextColumn("Whole model"),
    "metric": cc.TextColumn("Metric"),
    "mean": cc.NumberColumn("Mean", format="%.3f"),
    "lower": None,
    "upper": None,
    "n_folds": cc.NumberColumn("Folds"),
    "base_mean": cc.NumberColumn("Whole model's", format="%.3f"),
    "difference": cc.NumberColumn("Difference", format="%+.3f"),
    "difference_lower": cc.NumberColumn("95 % from", format="%+.3f"),
    "difference_upper": cc.NumberColumn("to", format="%+.3f"),
    "p_value": cc.NumberColumn("p (paired over folds)", format="%.2g"),
    "p_holm": cc.NumberColumn("p, corrected", format="%.2g", help="Holm's method"),
}

EXTERNAL: Columns = {
    "source": None,
    "model": cc.TextColumn("Model", pinned=True),
    "lines": cc.TextColumn("Lines", help="Whether the line was measured for the drug in training"),
    "metric": cc.TextColumn("Metric"),
    "mean": cc.NumberColumn("Mean over drugs", format="%.3f"),
    "lower": cc.NumberColumn("95 % from", format="%.3f"),
    "upper": cc.NumberColumn("to", format="%.3f"),
    "n_drugs": cc.NumberColumn("Drugs"),
    "n_pairs": cc.NumberColumn("Pairs"),
    "n_lines": cc.NumberColumn("Cell lines"),
}

CARD_METRICS: Columns = {
    "metric": cc.TextColumn("Metric", pinned=True),
    "mean": cc.NumberColumn("This model", format="%.3f"),
    "lower": cc.NumberColumn("95 % from", format="%.3f"),
    "upper": cc.NumberColumn("to", format="%.3f"),
    "floor": cc.NumberColumn("Tissue floor", format="%.3f"),
    "p_value": cc.NumberColumn("p (paired over folds)", format="%.2g"),
}
