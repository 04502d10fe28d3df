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

FOREST: Columns = {
    "term": None,
    "label": cc.TextColumn("Variable", pinned=True),
    "contrast": cc.TextColumn("Contrast"),
    "n": cc.NumberColumn("Patients"),
    "n_events": cc.NumberColumn("Events"),
    "hazard_ratio": cc.NumberColumn("HR", format=_SHARE, help="Above 1: shorter survival"),
    "lower": cc.NumberColumn("95 % from", format=_SHARE),
    "upper": cc.NumberColumn("to", format=_SHARE),
    "p_value": cc.NumberColumn("p", format="%.2g"),
    "proportional_hazards_p": cc.NumberColumn(
        "p of proportional hazards",
        format="%.2g",
        help="Small: one ratio for all times is in doubt (scaled Schoenfeld residuals)",
    ),
    "reference": cc.CheckboxColumn("Reference level"),
}

CUT_SCAN: Columns = {
    "cut": cc.NumberColumn("Cut", format="%.3f", pinned=True),
    "n_low": cc.NumberColumn("Patients at or below"),
    "n_high": cc.NumberColumn("Above"),
    "statistic": cc.NumberColumn("Standardised log-rank statistic", format=_SHARE),
}

SURVIVAL_SCREEN: Columns = {
    "gene": cc.TextColumn("Gene", pinned=True),
    "n": cc.NumberColumn("Patients"),
    "n_events": cc.NumberColumn("Events"),
    "hazard_ratio": cc.NumberColumn(
        "HR per SD", format=_SHARE, help="Above 1: shorter survival the higher the expression"
    ),
    "lower": cc.NumberColumn("95 % from", format=_SHARE),
    "upper": cc.NumberColumn("to", format=_SHARE),
    "cox_p": cc.NumberColumn("Cox p", format="%.2g"),
    "cox_q": cc.NumberColumn("Cox q", format="%.2g", help="False discovery rate over all genes"),
    "cut": cc.NumberColumn("Median", format=_SHARE),
    "n_low": cc.NumberColumn("Low"),
    "n_high": cc.NumberColumn("High"),
    "log_rank_statistic": cc.NumberColumn("Log-rank χ²", format=_SHARE),
    "log_rank_p": cc.NumberColumn("Log-rank p", format="%.2g"),
    "log_rank_q": cc.NumberColumn("Log-rank q", format="%.2g"),
    "note": cc.TextColumn("Not assessable because"),
}


RANKING: Columns = {
    "drug": cc.TextColumn("Drug", pinned=True),
    "first_line": cc.TextColumn(
        "First line",
        width="medium",
        help="Part of a standard first treatment of this cancer type in the setting named here, "
        "often for a molecular subgroup or in a combination only; the tool reads no mutations.",
    ),
    "call": cc.TextColumn("Call"),
    "probability": cc.NumberColumn("P(resistant)", format=_SHARE, help=_DIRECTION),
    "strip": cc.ImageColumn(
        "0 sensitive → 1",
        width=160,
        help="Mark and bar: probability and its 90 % interval. Upright bar: tissue floor.",
    ),
    "lower": cc.NumberColumn("90 % from", format=_SHARE),
    "upper": cc.NumberColumn("to", format=_SHARE),
    "percentile": "Rank in cohort",
    "agreement": cc.TextColumn(
        "Five models",
        help="How many of the five models lean the same way: ▲ to resistant, ▼ to sensitive. "
        "A model leans to the side of its own limit that its probability lies on. Split: fewer "
        "than four lean one way, or two make opposite calls.",
    ),
    "drug_class": cc.TextColumn("Class"),
    "conformal": cc.TextColumn(
        "90 % set",
        help="Classes whose cell lines often score like this (nine in ten are covered); either: "
        "the model cannot tell",
    ),
    "floor": cc.NumberColumn(
        "Tissue floor", format=_SHARE, help="What drug and tissue alone would say"
    ),
    "low_confidence": cc.TextColumn(
        "Confidence", help="ln IC50 hardly reflects a measured effect for this drug"
    ),
    "note": cc.TextColumn("Note", width="large"),
    "n_resistant": None,
    "n_sensitive": None,
    "n_models": None,
    "opposed": None,
}


def rank_in_cohort(code: str) -> ColumnConfig:
    """Return how a place among the patients of a cohort is shown; its cells are words already."""
    return cc.NumberColumn(
        "Rank in cohort",
        help=f"Predicted resistance higher than … of 100 {code} patients; below 5 and above 95 the "
        "place is not known more closely. It is no chance of response.",
    )


PLACE: Columns = {
    "level": cc.NumberColumn("Share of the cohort's patients", format="percent"),
    "value": cc.NumberColumn("Have P(resistant) up to", format=_SHARE, help=_DIRECTION),
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

SAMPLES: Columns = {
    "sample": cc.TextColumn("Sample", pinned=True),
    "range": cc.TextColumn("Verdict"),
    "suggestion": cc.TextColumn("Looks like", help="Cancer type that the expression suggests"),
    "probability": None,  # near 1 for most answers: it says little
    "runner_up": cc.TextColumn("Next"),
    "gene_coverage": RANGES["gene_coverage"],
    "n_missing": RANGES["n_missing"],
    "distance": RANGES["distance"],
    "residual": RANGES["residual"],
    "reasons": RANGES["reasons"],
}

GENES_READ: Columns = {
    "reader": cc.TextColumn("Read by", pinned=True, width="large"),
    "n_genes": cc.NumberColumn("Genes", format="%d"),
    "n_measured": cc.NumberColumn("Measured", format="%d"),
    "share": cc.ProgressColumn("Share", min_value=0.0, max_value=1.0, format="percent"),
    "n_missing": cc.NumberColumn("Missing", format="%d"),
    "n_zero": cc.NumberColumn(
        "Measured as 0", format="%d", help="Silent, or lost: a gene that was lost is no zero"
    ),
    "missing": cc.ListColumn("Which are missing", width="large"),
}

REFERENCE_QUANTILES: Columns = {
    "quantile": cc.NumberColumn("Share of genes", format="percent"),
    "lower": cc.NumberColumn("5 % of references below", format=_SHARE),
    "median": cc.NumberColumn("Median reference", format=_SHARE),
    "upper": cc.NumberColumn("95 % below", format=_SHARE),
    "sample": cc.NumberColumn("This sample", format=_SHARE),
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

BIOMARKERS: Columns = {
    "gene": cc.TextColumn("Gene", pinned=True),
    "direction": cc.TextColumn("Higher expression →"),
    "effect": cc.NumberColumn("Effect", format="%+.3f", help="In the unit beside it"),
    "lower": cc.NumberColumn(
        "from",
        format="%+.3f",
        help="Attributed: smallest of the five models. Associated: 95 % interval",
    ),
    "upper": cc.NumberColumn("to", format="%+.3f"),
    "unit": cc.TextColumn("Unit"),
    "votes": cc.NumberColumn(
        "Models",
        format="%d of 5",
        help="Attributed: models that have it among their leading 5 %, in this direction. "
        "Associated: models whose own score goes the same way",
    ),
    "stability": cc.ProgressColumn(
        "Stability",
        min_value=0.0,
        max_value=1.0,
        format=_SHARE,
        help="Share of the 25 members (5 models × 5 folds) that rank it in their top 5 %, on 64 "
        "patients evenly spread over the cohort",
    ),
    "correlation": cc.NumberColumn(
        "Correlation with the score", format="%+.2f", help="Over patients, with the ensemble"
    ),
    "q_value": cc.NumberColumn(
        "q",
        format="%.2g",
        help="Of the correlation; Benjamini–Hochberg over all cohorts, drugs and genes of the kind",
    ),
    "correlation_purity": cc.NumberColumn(
        "Given purity", format="%+.2f", help="The same, tumour purity held fixed"
    ),
    "q_purity": cc.NumberColumn("q", format="%.2g"),
    "n_purity": cc.NumberColumn("Patients with purity", format="%d"),
    "correlation_general": cc.NumberColumn(
        "Given general resistance",
        format="%+.2f",
        help="The same, mean predicted resistance to all other drugs held fixed",
    ),
    "q_general": cc.NumberColumn("q", format="%.2g"),
    "flags": cc.TextColumn("Flags", width="medium"),
    "n_patients": cc.NumberColumn("Patients"),
    "kind": cc.TextColumn("Kind"),
    "cohort": cc.TextColumn("Cohort"),
    "drug": cc.TextColumn("Drug"),
}

TRANSFER_TASKS: Columns = {
    "cohort": cc.TextColumn("Cohort", pinned=True),
    "drug": cc.TextColumn("Drug", pinned=True),
    "model": cc.TextColumn("Model"),
    "n_patients": cc.NumberColumn("Patients"),
    "form": cc.TextColumn("Expression"),
    "median": cc.ProgressColumn(
        "Median P(resistant)", min_value=0.0, max_value=1.0, format=_SHARE, help=_DIRECTION
    ),
    "q10": cc.NumberColumn("10 %", format=_SHARE),
    "q25": cc.NumberColumn("25 %", format=_SHARE),
    "q75": cc.NumberColumn("75 %", format=_SHARE),
    "q90": cc.NumberColumn("90 %", format=_SHARE),
    "share_resistant": cc.NumberColumn(
        "Would be resistant", format="percent", help="By the interval rule, whatever the range"
    ),
    "share_sensitive": cc.NumberColumn("Would be sensitive", format="percent"),
    "share_uncertain": cc.NumberColumn("Uncertain", format="percent"),
    "in_range_share": cc.NumberColumn("In range", format="percent"),
    "borderline_share": cc.NumberColumn("Borderline", format="percent"),
    "floor": cc.NumberColumn(
        "Tissue floor", format=_SHARE, help="What drug and tissue alone would say"
    ),
    "line_share_resistant": cc.NumberColumn(
        "Cell lines resistant", format="percent", help="Cell lines of the cancer type"
    ),
    "agreement": cc.NumberColumn(
        "Models agree", format="percent", help="Patients for whom at least 4 of 5 lean one way"
    ),
    "spearman_ensemble": cc.NumberColumn("Order as the ensemble's", format=_SHARE),
    "stability_members": cc.NumberColumn(
        "Order over folds", format=_SHARE, help="Mean Spearman between the five members"
    ),
    "median_unaligned": cc.NumberColumn("Median, not aligned", format=_SHARE),
    "share_resistant_unaligned": cc.NumberColumn("Resistant, not aligned", format="percent"),
    "spearman_unaligned": cc.NumberColumn("Order kept without alignment", format=_SHARE),
}

RESPONSE: Columns = {
    "cohort": cc.TextColumn("Cohort", pinned=True),
    "drug": cc.TextColumn("Drug", pinned=True),
    "model": cc.TextColumn("Model"),
    "roc_auc": cc.NumberColumn("ROC AUC", format="%.3f", help="For non-response; 0.5 is chance"),
    "lower": cc.NumberColumn("95 % from", format="%.3f"),
    "upper": cc.NumberColumn("to", format="%.3f"),
    "n": cc.NumberColumn("Patients"),
    "n_responders": cc.NumberColumn("Responders"),
    "p_value": cc.NumberColumn("p", format="%.2g", help="Mann–Whitney, two-sided"),
    "q_value": cc.NumberColumn(
        "q", format="%.2g", help="Benjamini–Hochberg over all models, cancers and drugs here"
    ),
    "form": cc.TextColumn("Expression"),
}

POSITIVE_CONTROLS: Columns = {
    "drug": cc.TextColumn("Drug", pinned=True),
    "gene": cc.TextColumn("Gene", pinned=True),
    "measure": cc.TextColumn("Measured by"),
    "model": cc.TextColumn("Model"),
    "rank": cc.NumberColumn("Rank", format="%d"),
    "n_genes": cc.NumberColumn("Of genes", format="%d"),
    "top_share": cc.NumberColumn("Top", format="percent"),
    "direction": cc.TextColumn("Direction"),
    "expected_direction": cc.TextColumn("Expected"),
    "passes": cc.CheckboxColumn("In the top 5 %, as expected"),
    "why_not_assessable": cc.TextColumn("Not assessable because", width="medium"),
}

NAMED_PANEL: Columns = {
    "gene": cc.TextColumn("Gene", pinned=True),
    "cohort": cc.TextColumn("Cohort"),
    "drug": cc.TextColumn("Drug"),
    "verdict": cc.TextColumn("What our models find"),
    "claimed_direction": cc.TextColumn("The paper: high goes with"),
    "model": cc.TextColumn("Model"),
    "effect": cc.NumberColumn(
        "Correlation with the score", format="%+.2f", help="Above 0: high goes with resistance"
    ),
    "lower": cc.NumberColumn("95 % from", format="%+.2f"),
    "upper": cc.NumberColumn("to", format="%+.2f"),
    "p_value": cc.NumberColumn("p", format="%.2g"),
    "q_value": cc.NumberColumn(
        "q (this drug)", format="%.2g", help="Over all measured genes for this drug"
    ),
    "rank": cc.NumberColumn("Rank", format="%d", help="By the size of the correlation"),
    "n_genes": cc.NumberColumn("Of genes", format="%d"),
    "effect_purity": cc.NumberColumn("Given purity", format="%+.2f"),
    "p_purity": cc.NumberColumn("p", format="%.2g"),
    "effect_general": cc.NumberColumn("Given general resistance", format="%+.2f"),
    "p_general": cc.NumberColumn("p", format="%.2g"),
    "votes": cc.NumberColumn("Models that agree with the paper", format="%d of 5"),
    "n_patients": cc.NumberColumn("Patients"),
    "reason": cc.TextColumn("Why", width="large"),
    "in_panel": cc.CheckboxColumn("Read by the models"),
}

SHARED: Columns = {
    "gene": cc.TextColumn("Gene", pinned=True),
    "value": cc.NumberColumn("Expression, log2(TPM + 1)", format=_SHARE),
    "n_models": cc.NumberColumn("Models", format="%d of 5"),
    "mean_attribution": cc.NumberColumn("Mean attribution, log-odds", format="%+.3f"),
    "direction": cc.TextColumn("Towards"),
    "models": cc.TextColumn("Which", width="large"),
}

PATHWAYS: Columns = {
    "pathway": cc.TextColumn("Pathway", pinned=True),
    "attribution": cc.NumberColumn("Attribution, log-odds", format="%+.3f"),
    "n_genes": cc.NumberColumn("Genes"),
    "top_genes": cc.TextColumn("Leading genes", width="large"),
}

BANDS: Columns = {
    "cohort": None,
    "drug": None,
    "model": None,
    "gene": cc.TextColumn("Gene", pinned=True),
    "q10": cc.NumberColumn("10 %", format="%+.3f"),
    "q25": cc.NumberColumn("25 %", format="%+.3f"),
    "median": cc.NumberColumn("Median", format="%+.3f"),
    "q75": cc.NumberColumn("75 %", format="%+.3f"),
    "q90": cc.NumberColumn("90 %", format="%+.3f"),
    "n_patients": cc.NumberColumn("Patients"),
    "own": cc.NumberColumn("This sample", format="%+.3f"),
}

STABILITY: Columns = {
    "model": cc.TextColumn("Model", pinned=True),
    "over": cc.TextColumn("Compared over"),
    "k": cc.NumberColumn("Leading genes"),
    "jaccard": cc.ProgressColumn("Overlap", min_value=0.0, max_value=1.0, format=_SHARE),
    "n_pairs": cc.NumberColumn("Comparisons"),
}

LINE_MAP: Columns = {
    "line": cc.TextColumn("DepMap id"),
    "name": cc.TextColumn("Cell line", pinned=True),
    "tissue": cc.TextColumn("Tissue"),
    "x": cc.NumberColumn("First axis", format=_SHARE),
    "y": cc.NumberColumn("Second axis", format=_SHARE),
}

NEAREST_LINES: Columns = {
    "sample": None,
    "rank": cc.NumberColumn("Rank"),
    "name": cc.TextColumn("Cell line", pinned=True),
    "line": cc.TextColumn("DepMap id"),
    "tissue": cc.TextColumn("Tissue"),
    "relative": cc.NumberColumn(
        "Distance", format=_SHARE, help="1: as near as lines usually are to one another"
    ),
    "distance": None,
    "label": cc.TextColumn("Measured"),
    "ln_ic50": cc.NumberColumn(
        "ln IC50", format=_SHARE, help="ln µM; lower is more sensitive. Empty: not measured"
    ),
}

NEAREST_PATIENTS: Columns = {
    "sample": None,
    "rank": cc.NumberColumn("Rank"),
    "patient": cc.TextColumn("Patient", pinned=True),
    "cohort": cc.TextColumn("Cohort"),
    "cohort_name": None,
    "synthetic": cc.CheckboxColumn("Synthetic"),
    "distance": cc.NumberColumn("Distance", format=_SHARE),
    "score": None,
}

ALIGNMENT: Columns = {
    "cohort": cc.TextColumn("Cohort", pinned=True),
    "path": cc.TextColumn("Read as", width="medium"),
    "model": cc.TextColumn("Model"),
    "spearman": cc.NumberColumn(
        "Order kept", format=_SHARE, help="Spearman over patients with the full profiles' scores"
    ),
    "mean_shift": cc.NumberColumn("Mean P(resistant) moves by", format="%+.2f"),
    "calls_changed": cc.NumberColumn("Calls that change", format="percent"),
    "n_genes": cc.NumberColumn("Genes"),
    "n_patients": cc.NumberColumn("Patients"),
}

SAMPLE_MATRIX: Columns = {
    **FORECAST,
    "sample": cc.TextColumn("Sample", pinned=True),
    "drug": cc.TextColumn("Drug", pinned=True),
}

ENRICHMENT: Columns = {
    "set": cc.TextColumn("Gene set", pinned=True, width="large"),
    "size": cc.NumberColumn("Genes in it"),
    "overlap": cc.NumberColumn("Found"),
    "genes": cc.TextColumn("Which", width="large"),
    "nes": cc.NumberColumn("Normalised score", format="%+.2f"),
    "es": cc.NumberColumn("Score", format="%+.2f"),
    "p_value": cc.NumberColumn("p", format="%.2g"),
    "q_value": cc.NumberColumn("q", format="%.2g"),
    "background_size": cc.NumberColumn("Background"),
}
