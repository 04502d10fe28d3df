"""Sentences that every layout of a report shares."""

from __future__ import annotations

from collections.abc import Sequence

from resvae_core.explain.consensus import SHARED_BY
from resvae_core.models.call_words import (
    agreement_words,
    floor_words,
    frequency_words,
    lean_words,
    rule_words,
)
from resvae_core.models.ranking import FIVE, Agreement
from resvae_core.reporting.marks import CALLS
from resvae_core.reporting.report import Call, DrugRow, ModelRow, Report

TITLE = "Tumour-board report"
SYNTHETIC = "SYNTHETIC PATIENT – not a person"
NO_CALL = (
    "This sample is unlike those the models were made for. Any probability would be a guess, so no "
    "drug is called and none is ranked."
)
WOULD_HELP = (
    "What would help: a bulk RNA-seq profile of a tumour, as counts or TPM of the whole "
    "transcriptome, with human gene names. Check the unit and the gene names that were detected."
)
ZEROS_HELP = "Genes that were not measured must be empty, not 0."
TYPE_UNSETTLED = (
    "Held back: the expression contradicts the stated cancer type, and nobody settled which is "
    "right."
)
BETWEEN_DRUGS = (
    "Probabilities are those of cell lines. They rank drugs for a hypothesis; they are not chances "
    "that a patient responds."
)
SUBGROUP = "Often for a molecular subgroup or in a combination only."
NONE_SHARED = "None for this score."
TOO_FEW_TO_SHARE = "Not assessable: the model set has fewer than three of the five."
MAX_MISSING = 12
"""Missing genes that a layout names; the others are counted."""


def none_shared(report: Report) -> str:
    """Say why no gene is named by three of the five models."""
    kinds = [version.id.rpartition("-")[0] for version in report.provenance.versions]
    return NONE_SHARED if sum(kind in FIVE for kind in kinds) >= SHARED_BY else TOO_FEW_TO_SHARE


def cancer(report: Report) -> str:
    """Return the cancer type for readers."""
    if not report.cancer_type:
        return "Cancer type not stated"
    stated = f"{report.cancer_name} ({report.cancer_type})"
    return f"{stated} stated, contradicted" if report.type_held_back else stated


def type_check(report: Report) -> str:
    """Return what to say of a stated cancer type that the expression contradicts, else ""."""
    return sentence(report.type_check.words) if report.type_check else ""


def would_help(report: Report) -> str:
    """Say what would make a sample assessable."""
    return f"{WOULD_HELP} {ZEROS_HELP}" if report.verdict.many_zeros else WOULD_HELP


def asked(report: Report) -> str:
    """Return cancer type, date and model in one line."""
    return f"{cancer(report)} · {report.date} · model: {report.model_title}"


def first_treatments(report: Report) -> str:
    """Return the heading of the standard first treatments."""
    return f"Standard first treatments{_here(report, 'of')}, most sensitive first"


def validated(report: Report) -> str:
    """Return the heading of the validation."""
    return f"Validation{_here(report, 'in')}"


def _here(report: Report, preposition: str) -> str:
    name = report.cancer_name
    return f" {preposition} {name[:1].lower()}{name[1:]}" if name else ""


def was_read(report: Report) -> str:
    """Say how many genes were read, and as what."""
    verdict, provenance = report.verdict, report.provenance
    measured = verdict.n_genes - verdict.n_missing
    genes = f"{measured} of the {verdict.n_genes} genes that the models read were measured"
    if verdict.many_zeros:
        genes = f"{genes}, but {verdict.n_zero} are 0: lost rather than silent"
    return f"{genes}; values read as {provenance.unit}."


def reasons(report: Report) -> str:
    """Return why the sample is not in range, as a sentence; "" where it is."""
    found = "; ".join(report.verdict.reasons)
    if report.verdict.borderline:
        return f"Read every number with care, no firm call is made: {found}."
    return f"Found: {found}." if found else ""


def missing_genes(report: Report) -> str:
    """Name the first genes that the file lacks, and count the others."""
    names = report.verdict.missing
    if not names:
        return "none"
    rest = len(names) - MAX_MISSING
    named = ", ".join(names[:MAX_MISSING]) + (f" and {rest} more" if rest > 0 else "")
    return f"{len(names)}: {named}"


def interval(low: float, high: float) -> str:
    """Return an interval such as "0.61–0.90"."""
    return f"{low:.2f}–{high:.2f}"


def signed(value: float) -> str:
    """Return a number with its sign, such as "−0.10"."""
    return f"{value:+.2f}".replace("-", "−")


def probability(call: Call) -> str:
    """Return the probability with its interval."""
    return f"{call.probability:.2f} (90 % interval {interval(call.lower, call.upper)})"


def frequency(call: Call) -> str:
    """Say the probability as a natural frequency."""
    return frequency_words(call.probability)


def rule(call: Call) -> str:
    """Say why the call is what it is."""
    return rule_words(call.call, call.probability, call.lower, call.upper, call.threshold)


def agreement(call: Call) -> str:
    """Say which way the five models lean, and flag it where they disagree."""
    return agreement_words(call.agreement, models_disagree=call.models_disagree)


def beside(report: Report) -> str:
    """Say what the floor and the simple model give."""
    call = report.call
    parts = []
    if call and call.floor is not None:
        parts.append(floor_words(call.floor))
    parts += [f"{row.title}, a simple model, says {row.probability:.2f}." for row in simple(report)]
    return " ".join(parts)


def simple(report: Report) -> list[ModelRow]:
    """Return the rows of the simple model."""
    return [row for row in report.models if row.role == "simple"]


def said(report: Report, call: Call) -> list[tuple[str, str]]:
    """Return agreement, set, floor, place and caution: a word and a sentence each."""
    lines = [
        ("Agreement", agreement(call)),
        ("90 % set", report.set_words.removeprefix("90 % set: ")),
        ("Beside it", beside(report)),
        ("Cohort", report.place_words),
        ("Drug", drug_line(report)),
        ("Caution", call.note),
    ]
    return [(word, sentence(text)) for word, text in lines if text]


def sentence(text: str) -> str:
    """Return text with a capital first letter and a full stop."""
    if not text:
        return ""
    return f"{text[:1].upper()}{text[1:]}" + ("" if text.endswith((".", "!", "?")) else ".")


def lean(row: DrugRow) -> str:
    """Return how many of the five lean the same way, such as "4 of 5 ▲"."""
    counts = Agreement(row.n_resistant, row.n_sensitive, row.n_models, row.opposed)
    symbols = {word: mark.symbol for word, mark in CALLS.items()}
    return (lean_words(counts, symbols) if row.call != "not assessable" else "") or "–"


def flags(row: DrugRow) -> str:
    """Return what to be careful about with a drug, in a word or two."""
    return "low confidence" if row.low_confidence else ""


def floor(value: float | None, *, digits: int = 2) -> str:
    """Return what the floor reaches, a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def extremes(drugs: Sequence[DrugRow], n: int) -> tuple[tuple[DrugRow, ...], tuple[DrugRow, ...]]:
    """Return the least and the most resistant drugs of a ranking, none in both."""
    called = [row for row in drugs if row.call != "not assessable"]
    low = tuple(called[:n])
    high = tuple(reversed(called[max(len(called) - n, len(low)) :]))
    return low, high


def count_calls(drugs: Sequence[DrugRow]) -> str:
    """Count the calls over all drugs, in a sentence."""
    words = [row.call for row in drugs]
    named = [f"{words.count(call)} {call}" for call in CALLS if call in words]
    return f"{len(drugs)} drugs: {', '.join(named)}."


def resistant_means(report: Report) -> str:
    """Say when a cell line counts as resistant to the drug."""
    facts = report.facts
    return (
        f"A cell line counts as resistant to {report.drug} with ln IC50 above "
        f"{facts.threshold_ln_ic50:.2f} ({facts.threshold_um:.3g} µM); {facts.threshold_source}. "
        f"{facts.screen}: {facts.n_training_lines} training lines, {facts.n_sensitive_lines} "
        "sensitive."
    )


def drug_line(report: Report) -> str:
    """Return class, target and pathway of the drug in one line."""
    facts = report.facts
    parts = [facts.drug_class]
    parts += [f"target: {facts.target}"] if facts.target else []
    parts += [f"pathway: {facts.pathway}"] if facts.pathway else []
    return sentence(" · ".join(parts))


def no_first_line(report: Report) -> str:
    """Say why no standard first treatment is listed."""
    if report.type_held_back:
        return TYPE_UNSETTLED
    if not report.cancer_type:
        return "No cancer type is stated, so no standard first treatments are marked."
    return f"None of the {report.provenance.n_drugs} drugs is a standard first treatment of it."


def traced(report: Report) -> list[tuple[str, str]]:
    """Return what a reader needs to trace the numbers: a word and what it stands for."""
    origin = report.provenance
    seeds = sorted({version.seed for version in origin.versions if version.seed is not None})
    return [
        ("Models", f"{origin.model_set} of {origin.set_created}, SHA-256 {origin.set_digest}"),
        ("File", f"SHA-256 {origin.file_digest}"),
        (
            "Read as",
            f"{origin.unit} (confidence {origin.unit_confidence:.2f}). {origin.conversion}",
        ),
        ("Missing genes", missing_genes(report)),
        ("Compared with", sentence(origin.reference)),
        ("Learned from", f"{origin.n_lines} cell lines, {origin.n_drugs} drugs. {origin.sources}"),
        ("Limit of calls", sentence(f"{_limit(report)}{origin.threshold_source}")),
        ("Interval", origin.interval),
        ("Label", resistant_means(report)),
        ("Seed", ", ".join(map(str, seeds))),
        ("Software", ", ".join(f"{name} {version}" for name, version in origin.software)),
    ]


def _limit(report: Report) -> str:
    return f"{report.call.threshold:.2f}; " if report.call else ""


def measured(report: Report) -> list[tuple[str, str]]:
    """Return how the chosen model did on unseen lines, and the digests of all models."""
    figures = [
        f"{metric.name} {metric.mean:.3f} (floor {floor(metric.floor, digits=3)})"
        for metric in report.provenance.metrics
    ]
    return [
        ("Unseen lines", f"{report.model_title}: {'; '.join(figures)}."),
        ("Weights", f"{versions(report)} (first digits of SHA-256)."),
    ]


def versions(report: Report) -> str:
    """Name the models of the set with the first digits of their weights' digests."""
    return ", ".join(
        f"{version.title} {version.weights_sha256[:8] or 'no digest'}"
        for version in report.provenance.versions
    )


def footer(report: Report) -> str:
    """Return what stands below every page."""
    origin = report.provenance
    version = dict(origin.software).get("resvae", "")
    return (
        f"ResVAE {version} · models {origin.model_set} {origin.set_digest[:12]} · file SHA-256 "
        f"{origin.file_digest[:12]} · {report.date}"
    )
