"""Survival in cohorts, computed once for all sessions: cohorts are public or synthetic.

Keys are codes and names, with a stamp of the installed data and of the models.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import streamlit as st

from pages.components import resources
from pages.components.state import Cut, Divider, Endpoint
from resvae_core.config import data_folder
from resvae_core.figures.palette import model_word

if TYPE_CHECKING:
    import pandas as pd

    from resvae_core.data.endpoints import Suitability
    from resvae_core.survival import CoxModel, LogRank, Rule
    from resvae_core.survival.comparison import Comparison, Division
    from resvae_core.survival.signature import Signature


STRATA = ("stage", "sex")


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
    def stamp(self) -> str:
        """What a cached result rests on: the installed data and, for a score, the models."""
        models = resources.set_digest() if self.divider == "score" else ""
        return f"{resources.data_stamp()} {models}"


def comparison(study: Study) -> Comparison:
    """Divide a cohort and compare survival.

    Raises
    ------
    SurvivalDataError
        If the groups or outcomes do not allow it.
    """
    if study.code in resources.shipped_cohorts():
        return _shipped(study.code, study.names[0])
    return _with_q_value(study, _compare(study, study.stamp))


def _with_q_value(study: Study, result: Comparison) -> Comparison:
    """Add the q-value of the gene once this visitor has looked at every gene."""
    if study.divider != "gene" or (study.code, study.endpoint) not in looked_through():
        return result
    table = screen(study.code, study.endpoint)
    row = table[table["gene"] == study.names[0]]
    tested = table["cox_q"].notna()
    if row.empty or not tested[row.index].all():
        return result
    return replace(result, q_value=float(row["cox_q"].iloc[0]), n_genes=int(tested.sum()))


def looked_through() -> set[tuple[str, str]]:
    """Return the cohorts and endpoints of which this visitor has seen every gene."""
    seen: set[tuple[str, str]] = st.session_state.setdefault("genes_looked_through", set())
    return seen


@st.cache_data(max_entries=64, show_spinner="Estimating survival …")
def _compare(study: Study, stamp: str) -> Comparison:
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
        left_out={"no usable follow-up": int(test["n_excluded"])} if test["n_excluded"] else {},
        q_value=float(test["q_value"]),
        n_genes=len(resources.evidence("survival_tests")),
    )


def values(study: Study) -> pd.Series[float]:
    """Return the value of each patient of an installed cohort that has one."""
    if study.divider == "gene":
        return resources.cohort(study.code).values[study.names[0]].astype(float).dropna()
    if study.divider == "signature":
        return signature(study.code, study.endpoint, study.names).scores
    scores = _scores(study.code, *study.names, study.stamp)[0]
    return scores


def signature(code: str, endpoint: Endpoint, genes: tuple[str, ...]) -> Signature:
    """Return the mean z-score of some genes in each patient, with the genes that are missing.

    Standardised over the patients who are followed for the endpoint.

    Raises
    ------
    InputDataError, SurvivalDataError
        If a gene is named twice, or none of them can be used.
    """
    return _signature(code, endpoint, genes, resources.data_stamp())


@st.cache_data(max_entries=16, show_spinner="Scoring the signature …")
def _signature(code: str, endpoint: Endpoint, genes: tuple[str, ...], stamp: str) -> Signature:
    from resvae_core.survival.signature import signature_score

    patients = resources.cohort(code)
    followed = patients.values.loc[patients.outcome(endpoint).patients]
    return signature_score(followed, list(genes))


def score_note(study: Study) -> str:
    """Return how the models read a cohort's patients where its level is lost; "" elsewhere."""
    return _scores(study.code, *study.names, study.stamp)[1] if study.divider == "score" else ""


@st.cache_data(max_entries=16, show_spinner="Predicting the cohort …")
def _scores(code: str, drug: str, model: str, stamp: str) -> tuple[pd.Series[float], str]:
    """Predict one drug for every patient; cohorts known as z-scores keep their order alone.

    Returns
    -------
    tuple
        (n_patients,) P(resistant), and a note where z-scores were aligned ("" where not).
    """
    import pandas as pd

    from resvae_core.models.patients import load_patients

    loaded = resources.model_set()
    patients = load_patients(data_folder(), code, loaded)
    parts = loaded.predict_in_chunks(patients.expression, drugs=[drug], models=[model])
    scores: dict[str, float] = {}
    for part in parts:
        scores |= part.table.set_index("sample")["probability"].to_dict()
    return pd.Series(scores, dtype=float).dropna(), patients.note if patients.aligned else ""


def adjusted(study: Study) -> tuple[CoxModel, str]:
    """Fit a Cox model of the variable with age, sex, stage and purity where they are recorded.

    Returns
    -------
    tuple
        The model, and what it could not be adjusted for as a sentence ("" for nothing).
    """
    return _adjusted(study, study.stamp)


@st.cache_data(max_entries=32, show_spinner="Adjusting …")
def _adjusted(study: Study, stamp: str) -> tuple[CoxModel, str]:
    from resvae_core import survival

    patients = resources.cohort(study.code)
    outcome = patients.outcome(study.endpoint)
    known = survival.covariates_of(patients.clinical)
    model = survival.cox_adjusted(outcome, values(study), known.table, name=study.variable)
    return model, known.note


def stratified(study: Study) -> dict[str, LogRank]:
    """Compare the groups of the curves within stages and within each sex, where recorded.

    Returns
    -------
    dict
        Name of the stratum to the test; empty where the cut was searched for.
    """
    return _stratified(study, study.stamp)


@st.cache_data(max_entries=32, show_spinner=False)
def _stratified(study: Study, stamp: str) -> dict[str, LogRank]:
    from resvae_core import survival
    from resvae_core.errors import SurvivalDataError

    if _compare(study, stamp).optimal is not None:
        return {}
    patients = resources.cohort(study.code)
    outcome, numbers = patients.outcome(study.endpoint), values(study)
    followed = [one for one in outcome.patients if one in numbers.index]
    groups = survival.group_by_expression(numbers.loc[followed], cast("Rule", study.division))
    recorded = survival.covariates_of(patients.clinical).table
    found = {}
    for word in STRATA:
        if word in recorded:
            strata = recorded[word].dropna().astype(str).rename(word)
            # within strata there may be too few to compare
            with suppress(SurvivalDataError):
                found[word] = survival.log_rank(outcome, groups, strata=strata)
    return found


def from_landmark(study: Study, months: float) -> Comparison:
    """Compare those who are still followed at a landmark, from there on.

    The cut is chosen again among them: groups are formed from who is there at the landmark.
    """
    return _from_landmark(study, study.stamp, months)


@st.cache_data(max_entries=32, show_spinner="Estimating survival …")
def _from_landmark(study: Study, stamp: str, months: float) -> Comparison:
    from resvae_core.survival.comparison import compare_from

    patients = resources.cohort(study.code)
    outcome = patients.outcome(study.endpoint)
    left_out = patients.exclusions(study.endpoint)
    return compare_from(outcome, values(study), study.division, months, left_out=left_out)


def screen(code: str, endpoint: Endpoint) -> pd.DataFrame:
    """Test every gene of an installed cohort against survival, corrected for their number."""
    return _screen(code, endpoint, resources.data_stamp())


@st.cache_data(max_entries=4, show_spinner="Testing every gene …", show_time=True)
def _screen(code: str, endpoint: Endpoint, stamp: str) -> pd.DataFrame:
    from resvae_core import survival

    patients = resources.cohort(code)
    return survival.screen_genes(patients.outcome(endpoint), patients.values)


def suitability(code: str, endpoint: Endpoint) -> Suitability:
    """Say whether an endpoint is fit for a cohort, its patients here included."""
    return _suitability(code, endpoint, resources.data_stamp())


@st.cache_data(max_entries=64, show_spinner=False)
def _suitability(code: str, endpoint: Endpoint, stamp: str) -> Suitability:
    from resvae_core.data.endpoints import suitability as judge

    here = code not in resources.shipped_cohorts()
    return judge(code, endpoint, resources.cohort(code).outcome(endpoint) if here else None)
