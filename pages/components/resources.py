"""The only caches of the dashboard, and the only place that imports heavy libraries.

Caching is a safety rule here. Streamlit hashes large tables by a sample, so two matrices that
differ in one value would share a result: every cache is keyed on SHA-256 digests, the data
themselves go in as an unhashed ``_argument``, and what comes from a patient is cached for that
session only, never on disk.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO

import streamlit as st

from resvae_core.config import ASSETS, data_folder
from resvae_core.errors import ArtifactError
from resvae_core.registry.description import SetDescription, describe_model_set

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session
    from resvae_core.data.cohorts import CohortData, Endpoint
    from resvae_core.data.uploads import Upload, UploadOverrides
    from resvae_core.explain.attribution import Attribution
    from resvae_core.models.model_set import Forecast, ModelSet
    from resvae_core.registry.card import Card
    from resvae_core.survival import HazardRatio, KaplanMeier, LogRank, Rule
    from resvae_core.tables import Expression

DEMO = ASSETS / "demo"
PATIENTS = "tumours"
"""The reference that uploads are compared with."""


@st.cache_data(max_entries=1, show_spinner=False)
def demo_stories() -> list[dict[str, str]]:
    """Return the demo patients: sample, story, cancer_type, drug, model, sentence."""
    path = DEMO / "patients.json"
    if not path.is_file():
        return []
    stories: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return stories


def installed_models() -> SetDescription | None:
    """Describe the model set without loading it; None where there is none."""
    try:
        return describe_model_set()
    except ArtifactError:
        return None


@st.cache_resource(max_entries=1, show_spinner="Reading the demo patients …")
def demo_upload() -> Upload:
    """Read the synthetic patients as if somebody had uploaded their file."""
    from resvae_core.data.uploads import read_expression

    return read_expression(DEMO / "patients.csv.gz")


def read_upload(file: BinaryIO, name: str, overrides: UploadOverrides) -> Upload:
    """Read a patient's file; not cached: the session keeps the result.

    Raises
    ------
    InputDataError
        If it cannot be used, with what to do about it.
    """
    from resvae_core.data.uploads import read_expression

    return read_expression(file, name=name, overrides=overrides)


@st.cache_data(max_entries=1, show_spinner=False)
def installed_cohorts() -> list[str]:
    """Return the codes of the cohorts that can be shown; the synthetic one first."""
    from resvae_core.data.cohorts import list_cohorts

    return list_cohorts(data_folder())


@st.cache_resource(max_entries=3, show_spinner="Loading the cohort …")
def cohort(code: str) -> CohortData:
    """Load a cohort (public or synthetic patients, so one copy serves every session)."""
    from resvae_core.data.cohorts import load_cohort

    return load_cohort(data_folder(), code)


@st.cache_data(max_entries=6, show_spinner=False)
def cohort_genes(code: str) -> list[str]:
    """Return the genes of a cohort in alphabetical order."""
    return sorted(str(gene) for gene in cohort(code).values.columns)


@st.cache_data(max_entries=6, show_spinner=False)
def cohort_endpoints(code: str) -> list[str]:
    """Return the endpoints that a cohort has follow-up for."""
    from resvae_core.data.cohorts import ENDPOINTS

    clinical = cohort(code).clinical
    events = {name: f"{name.lower()}_event" for name in ENDPOINTS}
    return [name for name, event in events.items() if event in clinical and clinical[event].any()]


@dataclass(frozen=True)
class SurvivalByGene:
    """Survival of a cohort divided by one gene.

    Parameters
    ----------
    curves, test
        Kaplan–Meier estimate and log-rank test of the groups.
    ratio
        Cox hazard ratio per standard deviation of the gene: no cut involved.
    left_out
        How many patients have no usable outcome, by reason.
    """

    curves: KaplanMeier
    test: LogRank
    ratio: HazardRatio
    left_out: dict[str, int]


@st.cache_data(max_entries=64, show_spinner="Estimating survival …")
def survival_by_gene(code: str, gene: str, endpoint: Endpoint, cut: Rule) -> SurvivalByGene:
    """Divide a cohort by a gene's expression and compare survival.

    Raises
    ------
    SurvivalDataError
        If the groups or outcomes do not allow it.
    """
    from resvae_core import survival

    patients = cohort(code)
    outcome = patients.outcome(endpoint)
    # the cut is that of the patients who are compared, not of those without follow-up
    values = patients.values.loc[outcome.patients, gene].dropna()
    groups = survival.group_by_expression(values, cut)
    return SurvivalByGene(
        curves=survival.kaplan_meier(outcome, groups),
        test=survival.log_rank(outcome, groups),
        ratio=survival.cox_per_sd(outcome, values),
        left_out=patients.exclusions(endpoint),
    )


@st.cache_resource(max_entries=1, show_spinner="Loading the models (once) …")
def _model_set(digest: str) -> ModelSet:
    from resvae_core.registry.store import load_model_set

    return load_model_set()


def model_set() -> ModelSet:
    """Return the models, loaded once and verified; one copy serves every session.

    Raises
    ------
    ArtifactError
        If they are missing or altered.
    """
    return _model_set(set_digest())


def set_digest() -> str:
    """Return the digest of the model set on disk: it changes when another set is installed."""
    return describe_model_set().digest


@st.cache_data(max_entries=2, show_spinner=False)
def _cards(digest: str) -> list[Card]:
    from resvae_core.registry.store import list_cards

    return list_cards()


def cards() -> list[Card]:
    """Return the model cards, learned models first."""
    return _cards(set_digest())


@st.cache_data(max_entries=12, show_spinner=False)
def _evaluation(name: str, digest: str) -> pd.DataFrame:
    from resvae_core.registry.store import load_evaluation

    return load_evaluation(name)


def evaluation(name: str) -> pd.DataFrame:
    """Return a table of the evaluation, by the names of `registry.store.load_evaluation`.

    Raises
    ------
    ArtifactError
        If the set was saved without it.
    """
    return _evaluation(name, set_digest())


def evaluation_if_any(name: str) -> pd.DataFrame | None:
    """Return a table of the evaluation, None where the set was saved without it."""
    try:
        return evaluation(name)
    except ArtifactError:
        return None


@st.cache_data(max_entries=2, show_spinner=False)
def _order_sentence(digest: str) -> str:
    from resvae_core.evaluation.report import order_sentence

    return order_sentence(evaluation("summary"), evaluation("comparisons"))


def order_sentence() -> str:
    """Say whether the published order of the five models holds on the lines they were judged on."""
    return _order_sentence(set_digest())


@st.cache_data(max_entries=1, show_spinner=False)
def external_sources() -> dict[str, str]:
    """Return the external measurements by their key in the evaluation, in words."""
    from resvae_core.evaluation.external import SOURCES

    return dict(SOURCES)


@st.cache_data(max_entries=2, show_spinner=False)
def _encoder_cards(digest: str) -> dict[str, dict[str, Any]]:
    from resvae_core.encoders.shipped import SHIPPED_NAMES, load_card

    cards = {}
    for name in SHIPPED_NAMES:
        try:
            cards[name] = load_card(name)
        except ArtifactError:
            continue
    return cards


def encoder_cards() -> dict[str, dict[str, Any]]:
    """Return the cards of the shipped encoders that are there, by name."""
    return _encoder_cards(set_digest())


def thresholds() -> dict[str, float]:
    """Return each learned model's probability at which its calls part."""
    models = model_set()
    return {kind: models.threshold(kind) for kind in models.learned}


def forecast(session: Session) -> Forecast:
    """Predict all drugs with all models for the session's sample.

    One sample at a time: it does not matter who else is in the file.
    """
    expression = session.expression()
    return _forecast(expression.digest(), session.cancer_type, set_digest(), expression)


@st.cache_data(max_entries=16, scope="session", show_spinner="Predicting …")
def _forecast(digest: str, cancer_type: str, models: str, _expression: Expression) -> Forecast:
    return model_set().predict(_expression, cancer_type=cancer_type or None)


@st.cache_data(max_entries=4, scope="session", show_spinner="Checking the samples …")
def _ranges(digest: str, models: str, _expression: Expression) -> pd.DataFrame:
    loaded = model_set()
    ranges = loaded.references[PATIENTS].assess(_expression)
    return ranges.rename_axis("sample").reset_index()


def ranges(session: Session) -> pd.DataFrame:
    """Judge whether each sample of the upload is one the models may be asked about."""
    expression = session.parsed().expression
    return _ranges(expression.digest(), set_digest(), expression)


def forget_patient() -> None:
    """Drop what was computed of this session's samples."""
    for cached in (_forecast, _ranges, _attribution):
        cached.clear()


def attribution(session: Session) -> Attribution:
    """Explain the session's model, drug and sample."""
    expression = session.expression()
    key = (session.model, session.drug, set_digest())
    return _attribution(expression.digest(), *key, expression)


@st.cache_data(max_entries=16, scope="session", show_spinner="Explaining …")
def _attribution(
    digest: str, model: str, drug: str, models: str, _expression: Expression
) -> Attribution:
    from resvae_core.explain.attribution import attribute

    loaded = model_set()
    return attribute(loaded.model(model), loaded.samples(_expression), drug)
