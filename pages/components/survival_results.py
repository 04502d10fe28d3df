"""Survival in cohorts, computed once for all sessions: cohorts are public or synthetic.

Keys are codes and names, with the digest of the model set where a score divides the patients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import resources
from pages.components.state import Cut, Divider, Endpoint
from resvae_core.config import data_folder
from resvae_core.figures.palette import model_word

if TYPE_CHECKING:
    import pandas as pd

    from resvae_core.data.endpoints import Suitability
    from resvae_core.survival import CoxModel, LogRank
    from resvae_core.survival.comparison import Comparison, Division
    from resvae_core.survival.signature import Signature


@dataclass(frozen=True)
class Study:
    """What divides the patients of a cohort, and which event they are followed for.

    Parameters
    ----------
    code
        Of the cohort.
    divider
        ``gene``, ``signature`` or ``score``.
    names
        The gene; the genes of the signature; or drug and model of the score.
    endpoint, cut
        As the session has them.
    cut_value
        Of a fixed cut, in the unit of the variable; None otherwise.
    """

    code: str
    divider: Divider
    names: tuple[str, ...]
    endpoint: Endpoint
    cut: Cut
    cut_value: float | None = None

    @property
    def variable(self) -> str:
        """Name of what divides the patients, for readers."""
        if self.divider == "gene":
            return f"{self.names[0]} expression"
        if self.divider == "signature":
            return f"signature of {len(self.names)} genes"
        return f"predicted resistance to {self.names[0]} ({model_word(self.names[1])})"

    @property
    def division(self) -> Division:
        """The cut as the core takes it."""
        return ("fixed", float(self.cut_value or 0)) if self.cut == "fixed" else self.cut

    @property
    def models(self) -> str:
        """Digest of the models where their score divides; a cache must not outlive them."""
        return resources.set_digest() if self.divider == "score" else ""


def comparison(study: Study) -> Comparison:
    """Divide a cohort and compare survival.

    Raises
    ------
    SurvivalDataError
        If the groups or outcomes do not allow it.
    """
    if study.code in resources.shipped_cohorts():
        return _shipped(study.code, study.names[0])
    return _compare(study, study.models)


@st.cache_data(max_entries=64, show_spinner="Estimating survival …")
def _compare(study: Study, models: str) -> Comparison:
    from resvae_core.survival.comparison import compare

    patients = resources.cohort(study.code)
    outcome = patients.outcome(study.endpoint)
    left_out = patients.exclusions(study.endpoint)
    return compare(outcome, values(study), study.division, left_out=left_out)


def _shipped(code: str, gene: str) -> Comparison:
    """Return the curves that travel with the models."""
    from resvae_core.survival.aggregate import Aggregate, restore_survival
    from resvae_core.survival.comparison import Comparison

    curves, groups, tests = (
        table[(table["cohort"] == code) & (table["gene"] == gene)]
        for table in map(
            resources.evidence, ("survival_curves", "survival_groups", "survival_tests")
        )
    )
    test = tests.to_dict("records")[0]
    return Comparison(
        *restore_survival(Aggregate(curves, groups, test)),
        left_out={"no outcome": int(test["n_excluded"])} if test["n_excluded"] else {},
        q_value=float(test["q_value"]),
        n_genes=len(resources.evidence("survival_tests")),
    )


def values(study: Study) -> pd.Series[float]:
    """Return the value of each patient of an installed cohort that has one."""
    if study.divider == "gene":
        return resources.cohort(study.code).values[study.names[0]].astype(float).dropna()
    if study.divider == "signature":
        return signature(study.code, study.names).scores
    return _scores(study.code, *study.names, resources.set_digest())


@st.cache_data(max_entries=16, show_spinner="Scoring the signature …")
def signature(code: str, genes: tuple[str, ...]) -> Signature:
    """Return the mean z-score of some genes in each patient, with the genes that are missing.

    Raises
    ------
    InputDataError
        If none of the genes is measured.
    """
    from resvae_core.survival.signature import signature_score

    return signature_score(resources.cohort(code).values, list(genes))


@st.cache_data(max_entries=16, show_spinner="Predicting the cohort …")
def _scores(code: str, drug: str, model: str, models: str) -> pd.Series[float]:
    """Predict one drug for every patient; cohorts known as z-scores keep their order alone."""
    from resvae_core.models.patients import load_patients

    loaded = resources.model_set()
    patients = load_patients(data_folder(), code, loaded)
    parts = loaded.predict_in_chunks(patients.expression, drugs=[drug], models=[model])
    scores: dict[str, float] = {}
    for part in parts:
        scores |= part.table.set_index("sample")["probability"].to_dict()
    import pandas as pd

    return pd.Series(scores, dtype=float).dropna()


@st.cache_data(max_entries=32, show_spinner="Adjusting …")
def adjusted(study: Study, models: str) -> tuple[CoxModel, str]:
    """Fit a Cox model of the variable with age, sex, stage and purity where they are recorded.

    Returns
    -------
    tuple
        The model, and what it could not be adjusted for as a sentence ("" for nothing).
    """
    from resvae_core import survival

    patients = resources.cohort(study.code)
    outcome = patients.outcome(study.endpoint)
    known = survival.covariates_of(patients.clinical)
    model = survival.cox_adjusted(outcome, values(study), known.table, name=study.variable)
    return model, known.note


@st.cache_data(max_entries=32, show_spinner=False)
def stratified(study: Study, models: str, column: str, word: str) -> LogRank | None:
    """Compare the groups within the levels of a clinical column; None where it is not recorded.

    `word` is the column's name for readers.
    """
    from resvae_core import survival
    from resvae_core.errors import SurvivalDataError

    patients = resources.cohort(study.code)
    if column not in patients.clinical or study.cut == "optimal":
        return None
    strata = patients.clinical[column].dropna().astype(str).rename(word)
    outcome = patients.outcome(study.endpoint)
    known = [one for one in outcome.patients if one in strata.index]
    numbers = values(study)
    numbers = numbers[numbers.index.isin(known)]
    try:
        groups = survival.group_by_expression(numbers, study.division)
        return survival.log_rank(outcome, groups, strata=strata.loc[groups.labels.index])
    except SurvivalDataError:
        return None


@st.cache_data(max_entries=32, show_spinner="Estimating survival …")
def from_landmark(study: Study, models: str, months: float) -> Comparison:
    """Compare those who are still followed at a landmark, from there on.

    The cut is chosen again among them: groups are formed from who is there at the landmark.
    """
    from resvae_core import survival
    from resvae_core.survival.comparison import compare

    patients = resources.cohort(study.code)
    outcome = patients.outcome(study.endpoint)
    later = survival.landmark(outcome, months * survival.DAYS_PER_MONTH)
    left_out = {
        **patients.exclusions(study.endpoint),
        f"with the event by month {months:g}": later.n_events_before,
        f"last seen by month {months:g}": later.n_censored_before,
    }
    left_out = {reason: n for reason, n in left_out.items() if n}
    return compare(later.outcome, values(study), study.division, left_out=left_out)


@st.cache_data(max_entries=4, show_spinner="Testing every gene …", show_time=True)
def screen(code: str, endpoint: Endpoint, cut: Cut) -> pd.DataFrame:
    """Test every gene of an installed cohort against survival, corrected for their number."""
    from resvae_core import survival

    patients = resources.cohort(code)
    return survival.screen_genes(patients.outcome(endpoint), patients.values, rule=cut)


@st.cache_data(max_entries=64, show_spinner=False)
def suitability(code: str, endpoint: Endpoint) -> Suitability:
    """Say whether an endpoint is fit for a cohort, its patients here included."""
    from resvae_core.data.endpoints import suitability as judge

    here = code not in resources.shipped_cohorts()
    return judge(code, endpoint, resources.cohort(code).outcome(endpoint) if here else None)
