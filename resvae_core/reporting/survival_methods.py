"""Methods text for a paper: how survival was compared, from the results themselves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from resvae_core import __version__
from resvae_core.config import RESEARCH_USE
from resvae_core.survival.groups import FIXED_AS_SEARCHED, FIXED_CUT
from resvae_core.survival.log_rank import format_left_out

if TYPE_CHECKING:
    from resvae_core.survival import (
        CoxModel,
        HazardRatio,
        KaplanMeier,
        LogRank,
        OptimalCut,
        RmstDifference,
    )

ENDPOINTS = {
    "OS": ("Overall survival", "death of any cause"),
    "DSS": ("Disease-specific survival", "death of the disease"),
    "PFI": ("Progression-free interval", "progression, recurrence, or death with the tumour"),
    "DFI": ("Disease-free interval", "recurrence, or death with the tumour"),
}
"""Endpoint to its name and its event, as Liu et al. 2018 define them."""
PROGNOSTIC = (
    "A difference in survival is prognostic: it says nothing of a drug unless the treatment is "
    "known."
)
_KM = "Kaplan and Meier. Nonparametric estimation from incomplete observations. JASA 53:457 (1958)."
_MANTEL = (
    "Mantel. Evaluation of survival data and two new rank order statistics. Cancer Chemother Rep "
    "50:163 (1966)."
)
_COX = "Cox. Regression models and life-tables. J R Stat Soc B 34:187 (1972)."
_EFRON = "Efron. The efficiency of Cox's likelihood function for censored data. JASA 72:557 (1977)."
_SCHOENFELD = (
    "Grambsch and Therneau. Proportional hazards tests and diagnostics based on weighted "
    "residuals. Biometrika 81:515 (1994)."
)
_RMST = (
    "Royston and Parmar. Restricted mean survival time: an alternative to the hazard ratio. BMC "
    "Med Res Methodol 13:152 (2013)."
)
_LAUSEN = "Lausen and Schumacher. Maximally selected rank statistics. Biometrics 48:73 (1992)."
_HOTHORN = (
    "Hothorn and Lausen. On the exact distribution of maximally selected rank statistics. Comput "
    "Stat Data Anal 43:121 (2003)."
)
_LIU = "Liu et al. An integrated TCGA pan-cancer clinical data resource. Cell 173:400 (2018)."
_LIFELINES = "Davidson-Pilon. lifelines: survival analysis in Python. JOSS 4:1317 (2019)."
_BENJAMINI = (
    "Benjamini and Hochberg. Controlling the false discovery rate. J R Stat Soc B 57:289 (1995)."
)


@dataclass(frozen=True)
class SurvivalResults:
    """What a survival analysis found; None stands for what was not computed.

    Parameters
    ----------
    cohort
        Name for readers, such as "Lung adenocarcinoma (TCGA-LUAD)".
    variable
        What divides the patients, such as "expression of TFF1".
    curves, test, ratio
        Kaplan-Meier estimate, log-rank test, Cox hazard ratio.
    rmst, cut, adjusted
        Restricted means, best cut, Cox model with covariates.
    strata
        What the log-rank test was stratified by, "" for nothing.
    landmark_day
        Day at which patients without an event were taken from; None for none. Who is left out for
        it belongs to `left_out`.
    q_value
        Of the hazard ratio, corrected for `n_genes` genes; None where one gene was asked for.
    n_genes
        Tests that were made, a gene in a cohort each.
    left_out
        Reason to the number of patients without a usable outcome.
    synthetic
        Whether the patients are no persons.
    fixed
        Whether the cut was entered as a value; nobody can tell then what was known before.
    note
        A sentence on the data, such as that expression is given as z-scores.
    models
        Of predicted scores, the model set and its digest, such as "A (sha256 1f…)".
    """

    cohort: str
    variable: str
    curves: KaplanMeier
    test: LogRank | None = None
    ratio: HazardRatio | None = None
    rmst: RmstDifference | None = None
    cut: OptimalCut | None = None
    adjusted: CoxModel | None = None
    strata: str = ""
    landmark_day: float | None = None
    q_value: float | None = None
    n_genes: int = 1
    left_out: dict[str, int] = field(default_factory=dict)
    synthetic: bool = False
    fixed: bool = False
    note: str = ""
    models: str = ""


def survival_methods(results: SurvivalResults) -> str:
    """Return how survival was compared and what was found, as plain text to copy.

    Only what was computed is told; a p-value that is hidden because a group has fewer than 10
    patients stays hidden.
    """
    paragraphs = [
        " ".join(_patients(results)),
        " ".join(_groups(results)),
        " ".join(_tests(results)),
        f"{PROGNOSTIC} Analysis: ResVAE {__version__}. {RESEARCH_USE}.",
        "References\n" + "\n".join(_references(results)),
    ]
    return "\n\n".join(paragraphs) + "\n"


def _patients(results: SurvivalResults) -> Iterator[str]:
    endpoint = results.curves.endpoint
    name, event = ENDPOINTS.get(endpoint, (endpoint, "the recorded event"))
    n, n_events = (int(results.curves.summary[column].sum()) for column in ("n", "n_events"))
    if results.synthetic:
        yield "The patients are synthetic."
    yield (
        f"{name} ({endpoint}; event: {event}) was compared in {n} patients of {results.cohort} "
        f"({n_events} events)."
    )
    if results.landmark_day is not None:
        yield (
            f"Time was counted from a landmark at day {results.landmark_day:.0f}; only patients "
            "still under observation without an event after that day were compared: those with an "
            "event, or last seen, on or before it were left out."
        )
    left_out = format_left_out(results.left_out)
    if left_out:
        yield f"Left out: {left_out}."
    if results.note:
        yield results.note


def _groups(results: SurvivalResults) -> Iterator[str]:
    yield f"Patients were divided by {results.variable}. {results.curves.description}"
    if results.models:
        yield f"Scores are those of model set {results.models}."
    if results.fixed:
        yield FIXED_CUT if results.cut is None else FIXED_AS_SEARCHED
    elif results.cut is None:
        yield "The division was made without knowledge of the outcome."
    if results.cut is not None:
        yield from _searched(results.cut)


def _searched(cut: OptimalCut) -> Iterator[str]:
    yield (
        f"The cut is that of the largest absolute standardised log-rank statistic over "
        f"{len(cut.scan)} candidate cuts, each group holding at least {cut.min_share:.0%} of the "
        f"patients. Its p-value is corrected for the search (maximally selected rank statistics): "
        f"{cut.label}. The uncorrected log-rank p-value at that cut is not valid and is not given."
    )
    if cut.cross_validated is not None:
        yield f"With the cut chosen on the other half of the patients: {cut.cross_validated.label}."


def _tests(results: SurvivalResults) -> Iterator[str]:
    yield (
        "Survival was estimated by Kaplan and Meier with 95 % log-log intervals; the number at "
        "risk at t counts patients with a time of at least t."
    )
    if results.test is not None and results.cut is None:
        yield _log_rank(results.test, results.strata)
    if results.ratio is not None:
        yield from _ratio(results.ratio)
    if results.rmst is not None:
        yield f"{results.rmst.test_name}: {results.rmst.label}."
    if results.adjusted is not None:
        yield from _adjusted(results.adjusted)
    yield from _search(results)


def _log_rank(test: LogRank, strata: str) -> str:
    within = f", stratified by {strata}" if strata and "stratified" not in test.test_name else ""
    found = test.p_label if test.p_hidden else f"{test.statistic_label}, {test.p_label}"
    if not test.left_out:
        return f"{test.test_name} (two-sided{within}): {found}."
    left_out = format_left_out(test.left_out)
    return (
        f"{test.test_name} (two-sided{within}; {test.n} patients, {test.n_events} events; left "
        f"out: {left_out}): {found}."
    )


def _ratio(ratio: HazardRatio) -> Iterator[str]:
    hidden = f"; {ratio.p_label}" if ratio.p_hidden else ""
    yield f"{ratio.test_name}, 95 % Wald interval: {ratio.label}{hidden}."
    if not ratio.p_hidden and ratio.proportional_hazards_p == ratio.proportional_hazards_p:
        yield (
            "Proportional hazards were checked with scaled Schoenfeld residuals (p = "
            f"{ratio.proportional_hazards_p:.2g})."
        )


def _search(results: SurvivalResults) -> Iterator[str]:
    """Say that p of one gene is uncorrected where others were looked at; q hides as p does."""
    if not _corrected(results) and results.n_genes < 2:
        return
    shown = any(result is not None and not result.p_hidden for result in _with_p(results))
    if shown and results.n_genes > 1:
        yield (
            f"{results.n_genes} tests were made, a gene in a cohort each: the p-values above are "
            "those of this one alone, not corrected for that search."
        )
    if _corrected(results):
        yield (
            f"Corrected for {results.n_genes} tests by Benjamini and Hochberg: q = "
            f"{results.q_value:.2g}."
        )


def _corrected(results: SurvivalResults) -> bool:
    """Whether there is a q-value, and the p-value that it rests on may be shown."""
    return results.q_value is not None and not (results.ratio and results.ratio.p_hidden)


def _with_p(
    results: SurvivalResults,
) -> tuple[LogRank | HazardRatio | RmstDifference | OptimalCut | CoxModel | None, ...]:
    return results.test, results.ratio, results.rmst, results.cut, results.adjusted


def _adjusted(model: CoxModel) -> Iterator[str]:
    yield (
        f"Adjusted {model.test_name[:1].lower() + model.test_name[1:]} ({model.n} patients, "
        f"{model.n_events} events, C {model.concordance:.2f}): {model.label}."
    )
    left_out = format_left_out(model.left_out)
    if left_out:
        yield f"Left out of it: {left_out}."
    yield from model.notes


def _references(results: SurvivalResults) -> list[str]:
    used = [*([] if results.synthetic else [_LIU]), _KM, _LIFELINES]
    used += [_MANTEL] if results.test and results.cut is None else []
    cox = results.ratio or results.adjusted
    used += [_COX, _EFRON, _SCHOENFELD] if cox else []
    used += [_RMST] if results.rmst else []
    used += [_LAUSEN, _HOTHORN] if results.cut else []
    used += [_BENJAMINI] if _corrected(results) else []
    return [f"{number}. {reference}" for number, reference in enumerate(used, start=1)]
