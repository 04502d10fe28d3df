"""Methods text for a paper: how a prediction was made, from the facts of its report."""

from __future__ import annotations

from resvae_core.config import RESEARCH_USE
from resvae_core.reporting.report import Metric, Report

REFERENCES = (
    "Iorio et al. A landscape of pharmacogenomic interactions in cancer. Cell 166:740 (2016).",
    "Ghandi et al. Next-generation characterization of the Cancer Cell Line Encyclopedia. Nature "
    "569:503 (2019).",
    "Weinstein et al. The Cancer Genome Atlas Pan-Cancer analysis project. Nat Genet 45:1113 "
    "(2013).",
    "Kingma and Welling. Auto-encoding variational Bayes. ICLR (2014).",
    "Breiman. Random forests. Machine Learning 45:5 (2001).",
    "Chen and Guestrin. XGBoost: a scalable tree boosting system. KDD (2016).",
    "Zou and Hastie. Regularization and variable selection via the elastic net. J R Stat Soc B "
    "67:301 (2005).",
    "Platt. Probabilistic outputs for support vector machines. Advances in Large Margin "
    "Classifiers (1999).",
    "Kott. The delete-a-group jackknife. J Official Statistics 17:521 (2001).",
    "Vovk, Gammerman and Shafer. Algorithmic learning in a random world. Springer (2005).",
    "Nadeau and Bengio. Inference for the generalization error. Machine Learning 52:239 (2003).",
)
EXPLAINED = (
    "Sundararajan et al. Axiomatic attribution for deep networks. ICML (2017).",
    "Lundberg et al. From local explanations to global understanding with explainable AI for "
    "trees. Nat Mach Intell 2:56 (2020).",
)
PATHWAYS = (
    "Sanchez-Vega et al. Oncogenic signaling pathways in The Cancer Genome Atlas. Cell 173:321 "
    "(2018).",
)


def methods_text(report: Report) -> str:
    """Return how the prediction was made, as plain text to copy.

    Only what is true of this report is told: no explanation is described where there is none. A
    sample that is out of range is said to have been refused.
    """
    parts = [
        ("Expression", _expression(report)),
        ("Models", _models(report)),
        ("Training data", _training(report)),
        ("Probabilities and calls", _calls(report)),
        ("Range check", _range(report)),
        ("Explanation", _explanation(report)),
        ("Performance", _performance(report)),
        ("Software", _software(report)),
        ("Limits", f"{' '.join(report.limits)} {RESEARCH_USE}."),
        ("References", "\n".join(_references(report))),
    ]
    return "\n\n".join(f"{title}\n{text}" for title, text in parts if text) + "\n"


def _expression(report: Report) -> str:
    origin, verdict = report.provenance, report.verdict
    whose = "The sample is synthetic. " if report.synthetic else ""
    return (
        f"{whose}Bulk RNA-seq values were read as {origin.unit}. {origin.conversion} "
        f"{origin.n_genes_recognised:,} genes were recognised; of the {verdict.n_genes} that the "
        f"models read, {verdict.n_missing} were not measured. Genes were standardised with "
        f"fixed moments of the reference ({origin.reference}), so that a sample's result "
        "does not depend on other samples."
    )


def _models(report: Report) -> str:
    origin = report.provenance
    listed = "; ".join(
        f"{version.title} ({version.reads})" if version.reads else version.title
        for version in origin.versions
    )
    asked = "was" if report.verdict.assessable else "would have been"
    return (
        f"Resistance to {report.drug} {asked} predicted with {report.model_title} of the model set "
        f"{origin.model_set} ({origin.set_created}). The set holds {listed}. VAE_LL, VAE_LS and "
        "VAE_LD are residual variational autoencoders; the latent of VAE_LD was distilled from "
        "that of VAE_LL. The ensemble is the mean of the scores of the five models; the elastic "
        "net is the simple model that they are held against, and the floor is the share of "
        "resistant cell lines given drug and tissue alone."
    )


def _training(report: Report) -> str:
    origin, facts = report.provenance, report.facts
    return (
        f"Models were trained on {origin.n_lines} cancer cell lines and {origin.n_drugs} drugs. "
        f"{origin.sources} A line was labelled resistant to {report.drug} with ln IC50 (µM) above "
        f"{facts.threshold_ln_ic50:.2f} ({facts.threshold_source}; {facts.screen}, "
        f"{facts.n_training_lines} training lines, {facts.n_sensitive_lines} sensitive). Of all "
        f"pairs {origin.share_resistant:.0%} were resistant."
    )


def _calls(report: Report) -> str:
    origin = report.provenance
    limit = f" ({report.call.threshold:.2f})" if report.call else ""
    return (
        "Each model was fitted once without each fold of the training lines. Scores of lines "
        "that a fit had not seen calibrated the probabilities with one logistic curve a drug. "
        f"Intervals: {origin.interval} A call was made only where the whole interval lay on one "
        f"side of the model's threshold{limit}: {origin.threshold_source}. Sets of "
        "classes were made by split-conformal prediction at 90 %, by drug, class and lineage."
    )


def _range(report: Report) -> str:
    verdict = report.verdict
    found = f" ({'; '.join(verdict.reasons)})" if verdict.reasons else ""
    result = f"The sample was {verdict.word}{found}."
    refused = "" if verdict.assessable else " No prediction was made for it."
    return (
        "A sample was compared with reference samples by the share of the models' genes that was "
        "measured, by its distance to the nearest group along common directions of variation, and "
        "by what these leave unexplained; limits were set on reference samples that were held "
        f"out. {result}{refused}"
    )


def _explanation(report: Report) -> str:
    if not report.genes and not report.pathways:
        return ""
    pathways = (
        f" Attributions were added up by pathway ({report.pathway_source.rstrip('.')})"
        if report.pathways
        else ""
    )
    return (
        "Attributions are log-odds of resistance and add up, with the base, to the score: "
        "integrated gradients for the networks, TreeSHAP for the tree models, weight times value "
        "for the elastic net, and the mean of the parts for the ensemble. A gene counts as shared "
        "if at least three of the five models have it, with the same sign, among their 20 "
        f"largest.{pathways}"
    ).rstrip(".") + "."


def _performance(report: Report) -> str:
    figures = "; ".join(map(_metric, report.provenance.metrics))
    return (
        f"On cell lines left out of training, in folds stratified by tissue, {report.model_title} "
        f"reached: {figures}. Intervals are 95 %, corrected for folds that share training lines. "
        f"{' '.join(report.validation)}"
    ).strip()


def _metric(metric: Metric) -> str:
    spread = (
        ""
        if metric.lower is None or metric.upper is None
        else f", {metric.lower:.3f}–{metric.upper:.3f}"
    )
    floor = "" if metric.floor is None else f"; floor {metric.floor:.3f}"
    return f"{metric.name} {metric.mean:.3f} ({spread.removeprefix(', ')}{floor})"


def _software(report: Report) -> str:
    origin = report.provenance
    seeds = sorted({version.seed for version in origin.versions if version.seed is not None})
    return (
        f"{', '.join(f'{name} {version}' for name, version in origin.software)}. Seed "
        f"{', '.join(map(str, seeds))}. Model set SHA-256 {origin.set_digest}; input file SHA-256 "
        f"{origin.file_digest}. Report of {report.date}."
    )


def _references(report: Report) -> list[str]:
    used = list(REFERENCES)
    used += EXPLAINED if report.genes or report.pathways else ()
    used += PATHWAYS if report.pathways else ()
    return [f"{number}. {reference}" for number, reference in enumerate(used, start=1)]
