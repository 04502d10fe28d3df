"""What every session shares: models, evaluations, evidence, cohorts; loaded once.

The caches of the dashboard are here, and in `pages.components.predictions` for what comes from a
patient; no other place imports heavy libraries. Caching is a safety rule. Streamlit hashes large
tables by a sample, so two matrices that differ in one value would share a result: every cache is
keyed on SHA-256 digests, and the data themselves go in as an unhashed ``_argument``.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import streamlit as st

from resvae_core.config import ASSETS, data_folder, models_folder
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.errors import ArtifactError
from resvae_core.registry.description import SetDescription, describe_model_set
from resvae_core.registry.pointer import SHIPPED

if TYPE_CHECKING:
    import pandas as pd

    from resvae_core.data.cohorts import CohortData
    from resvae_core.data.drugs import Drug
    from resvae_core.data.screens import Survey
    from resvae_core.data.uploads import Upload, UploadOverrides
    from resvae_core.evaluation.cohort_scores import CohortPosition
    from resvae_core.explain.attribution import Background
    from resvae_core.explain.enrichment import Enrichment
    from resvae_core.explain.maps import LineMap, Space
    from resvae_core.explain.neighbours import PatientGroup
    from resvae_core.jobs.record import JobRecord
    from resvae_core.models.cancer_type import CancerTypeModel
    from resvae_core.models.model_set import ModelSet
    from resvae_core.registry.card import Card
    from resvae_core.registry.comparison import SetComparison
    from resvae_core.registry.evidence import Evidence
    from resvae_core.registry.gates import Gate
    from resvae_core.registry.library import SetEntry
    from resvae_core.registry.training_request import Estimate, Problem, TrainingRequest
    from resvae_core.tables import Screen

DEMO = ASSETS / "demo"
IN_USE = "model_set_in_use"
"""Key of the model set that the page being drawn reads, from its first line to its last."""
SHIPPED_NOTE = (
    "Aggregates of the real cohort that travel with the models: its patients are not installed "
    "here. Curves exist for the leading genes of each drug."
)


@st.cache_data(max_entries=1, show_spinner=False)
def demo_stories() -> list[dict[str, str]]:
    """Return the demo patients: sample, story, cancer_type, drug, model, sentence."""
    path = DEMO / "patients.json"
    if not path.is_file():
        return []
    stories: list[dict[str, str]] = json.loads(path.read_text(encoding="utf-8"))
    return stories


def active_jobs() -> list[JobRecord]:
    """Return what runs or waits, at most two seconds old; what runs comes first."""
    from resvae_core.database import database_url

    return _active_jobs(database_url())


@st.cache_data(ttl=2.0, max_entries=2, show_spinner=False)
def _active_jobs(database: str) -> list[JobRecord]:
    from resvae_core.jobs.service import list_jobs

    found = list_jobs(states=("running", "queued"))
    return sorted(found, key=lambda job: (job.state == "queued", job.submitted_at))


def forget_active_jobs() -> None:
    """Have the next page ask anew, after somebody started or stopped a job."""
    _active_jobs.clear()


def story_in_words(sentence: str) -> str:
    """Return what to expect of a demo patient; with another model set, whose expectation it is."""
    if models_in_use().id == SHIPPED:
        return sentence
    return f"With the model set that came with the program: {sentence}"


def begin_run() -> None:
    """Settle which model set this run of a page reads; the frame calls it before anything else.

    A set that is promoted while the page is drawn shows on the next run: no page, and no result,
    is a mixture of two. Fragments and callbacks belong to the run before them.
    """
    try:
        st.session_state[IN_USE] = describe_model_set()
    except ArtifactError:
        st.session_state[IN_USE] = None


def models_in_use() -> SetDescription:
    """Describe the model set that this run reads, without loading it.

    Raises
    ------
    ArtifactError
        If there is none, or the active one is missing or altered.
    """
    found: SetDescription | None = st.session_state.get(IN_USE)
    return found or describe_model_set()


def training_survey() -> Survey | None:
    """Return what a training would learn from; None where nothing is installed.

    Raises
    ------
    InputDataError
        If what is installed is not complete.
    """
    stamp = _training_stamp()
    return _training_survey(stamp) if stamp else None


def first_request(survey: Survey) -> TrainingRequest:
    """Return what the training form says before anybody has changed it."""
    from resvae_core.registry.training_request import TrainingRequest

    return TrainingRequest(name="candidate", genes="genome" if survey.genome_wide else "panel")


def training_problems(request: TrainingRequest) -> list[Problem]:
    """Return what is wrong with a request, on what is installed now."""
    from resvae_core.jobs.task_training import find_problems

    return find_problems(request)


def training_estimate(request: TrainingRequest) -> Estimate:
    """Return what a training will take, with as many workers as its job will have."""
    from resvae_core.registry.training_request import estimate

    return estimate(request, data_folder())


def _training_stamp() -> str:
    """Return what changes when other training data are installed; empty where there are none."""
    from resvae_core.data.screens import source_files

    folder = data_folder()
    if folder is None:
        return ""
    found = [(path, path.stat()) for path in source_files(folder)]
    return ";".join(f"{path}:{stat.st_size}:{stat.st_mtime_ns}" for path, stat in found)


@st.cache_resource(max_entries=1, show_spinner="Looking at the training data …")
def _training_survey(stamp: str) -> Survey | None:
    from resvae_core.data.screens import survey

    folder = data_folder()
    return None if folder is None else survey(folder)


def installed_models() -> SetDescription | None:
    """Describe the model set without loading it; None where there is none."""
    try:
        return models_in_use()
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
def _installed_cohorts(stamp: str) -> list[str]:
    from resvae_core.data.cohorts import list_cohorts

    return list_cohorts(data_folder())


def installed_cohorts() -> list[str]:
    """Return the codes of the cohorts that can be shown; the synthetic one first."""
    return _installed_cohorts(data_stamp())


def data_stamp() -> str:
    """Return what changes when another cohort is installed: sizes and times of the files."""
    from resvae_core.data.cohorts import installation_stamp

    return installation_stamp(data_folder())


@st.cache_resource(max_entries=3, show_spinner="Loading the cohort …")
def _cohort(code: str, stamp: str) -> CohortData:
    from resvae_core.data.cohorts import load_cohort

    return load_cohort(data_folder(), code)


def cohort(code: str) -> CohortData:
    """Load a cohort (public or synthetic patients, so one copy serves every session)."""
    return _cohort(code, data_stamp())


def shipped_cohorts() -> list[str]:
    """Return the cohorts that are here as aggregates alone: shipped findings, no patients."""
    tests = evidence_if_any("survival_tests")
    known = [] if tests is None else list(tests["cohort"].unique())
    installed = installed_cohorts()
    return [code for code in known if code not in installed]


@dataclass(frozen=True)
class CohortAbout:
    """What to say of a cohort beside every figure of it.

    Parameters
    ----------
    name, note
        For readers; an empty note says nothing.
    synthetic
        True if no real patient is in it.
    shipped
        True if only aggregates of it are here.
    """

    name: str
    note: str
    synthetic: bool
    shipped: bool


def cohort_about(code: str) -> CohortAbout:
    """Describe a cohort that is installed, or here as aggregates."""
    if code in shipped_cohorts():
        name = load_cancer_types()[code].name
        return CohortAbout(name, SHIPPED_NOTE, synthetic=False, shipped=True)
    loaded = cohort(code)
    return CohortAbout(loaded.name, loaded.note, loaded.synthetic, shipped=False)


def cohort_genes(code: str) -> list[str]:
    """Return the genes of a cohort in alphabetical order; of aggregates, those with curves."""
    if code in shipped_cohorts():
        tests = evidence("survival_tests")
        return sorted(tests.loc[tests["cohort"] == code, "gene"])
    return _installed_genes(code, data_stamp())


@st.cache_data(max_entries=6, show_spinner=False)
def _installed_genes(code: str, stamp: str) -> list[str]:
    return sorted(str(gene) for gene in cohort(code).values.columns)


def cohort_endpoints(code: str) -> list[str]:
    """Return the endpoints that a cohort has follow-up for; of aggregates, overall survival."""
    from resvae_core.data.cohorts import ENDPOINTS

    if code in shipped_cohorts():
        return ["OS"]
    clinical = cohort(code).clinical
    events = {name: f"{name.lower()}_event" for name in ENDPOINTS}
    return [name for name, event in events.items() if event in clinical and clinical[event].any()]


# two sets fit: the one that was promoted, and the one that those who still read it use
@st.cache_resource(max_entries=2, show_spinner="Loading the models (once) …")
def _model_set(digest: str, _folder: Path) -> ModelSet:
    from resvae_core.registry.store import load_model_set

    loaded = load_model_set(_folder)
    if loaded.digest != digest:
        raise ArtifactError(
            "The model set was replaced while it was read.", remedy="Load the page again."
        )
    return loaded


def model_set() -> ModelSet:
    """Return the models, loaded once and verified; one copy serves every session.

    Raises
    ------
    ArtifactError
        If they are missing or altered.
    """
    return _model_set(*_in_use())


def _in_use() -> tuple[str, Path]:
    """Return digest and folder of the models of this run: key and unhashed part of a cache."""
    described = models_in_use()
    return described.digest, described.folder


def set_digest() -> str:
    """Return the digest of the model set that this run reads."""
    return models_in_use().digest


@st.cache_data(max_entries=4, show_spinner=False)
def _cards(digest: str, _folder: Path) -> list[Card]:
    from resvae_core.registry.store import list_cards

    return list_cards(_folder)


def cards() -> list[Card]:
    """Return the model cards, learned models first."""
    return _cards(*_in_use())


def as_labelled(drug: Drug) -> Drug:
    """Return a drug with the threshold that the labels of the active set were made with."""
    found = cards()
    return found[0].labelled(drug) if found else drug


@st.cache_data(max_entries=24, show_spinner=False)
def _evaluation(name: str, digest: str, _folder: Path) -> pd.DataFrame:
    from resvae_core.registry.store import load_evaluation

    return load_evaluation(name, _folder)


def evaluation(name: str) -> pd.DataFrame:
    """Return a table of the evaluation, by the names of `registry.store.load_evaluation`.

    Raises
    ------
    ArtifactError
        If the set was saved without it.
    """
    return _evaluation(name, *_in_use())


def evaluation_if_any(name: str) -> pd.DataFrame | None:
    """Return a table of the evaluation, None where the set was saved without it."""
    try:
        return evaluation(name)
    except ArtifactError:
        return None


@st.cache_data(max_entries=8, show_spinner="Comparing the sets …")
def _set_comparison(digests: str, _candidate: SetEntry, _active: SetEntry) -> SetComparison:
    from resvae_core.registry.comparison import compare_sets

    return compare_sets(_candidate, _active)


def set_comparison(candidate: SetEntry, active: SetEntry) -> SetComparison:
    """Compare a candidate with the active set by what both were judged at."""
    return _set_comparison(f"{candidate.digest} {active.digest}", candidate, active)


@st.cache_data(max_entries=8, show_spinner="Asking the gates: the candidate is tried …")
def _gates(key: str, _candidate: SetEntry, _active: SetEntry) -> list[Gate]:
    from resvae_core.registry.gates import check_gates

    return check_gates(_candidate, _active)


def gates(candidate: SetEntry, active: SetEntry) -> list[Gate]:
    """Return how a candidate stands at the gates; promoting it asks them again."""
    from resvae_core.registry.drift import drift_stamp
    from resvae_core.registry.store import files_stamp

    files = files_stamp(candidate.folder) if candidate.digest else ""
    key = (candidate.digest, active.digest, drift_stamp(candidate, active), files)
    return _gates(" ".join(key), candidate, active)


def set_drift(candidate: SetEntry, active: SetEntry) -> pd.DataFrame | None:
    """Return a candidate's prediction drift; None where it was not computed against this set."""
    from resvae_core.registry.drift import load_drift

    return load_drift(candidate, active)


def why_drift_outdated(candidate: SetEntry, active: SetEntry) -> str:
    """Say why a kept drift is not of the cohorts that are installed now; "" where it is."""
    from resvae_core.registry.drift import why_outdated

    return why_outdated(candidate, active, data_folder())


def evidence_of(entry: SetEntry) -> Evidence | None:
    """Return what findings were computed with a set; None where there are none."""
    from resvae_core.registry.evidence import describe_evidence

    try:
        return describe_evidence(entry.folder)
    except ArtifactError:
        return None


@st.cache_resource(max_entries=32, show_spinner="Reading the findings …")
def _evidence(name: str, digest: str, _folder: Path) -> pd.DataFrame:
    from resvae_core.registry.evidence import load_evidence

    return load_evidence(name, _folder)


def evidence(name: str) -> pd.DataFrame:
    """Return a table of what was found in the real cohorts; shared by all, so never changed.

    Raises
    ------
    ArtifactError
        If there is none, or it was computed with another model set.
    """
    return _evidence(name, *_in_use())


def evidence_if_any(name: str) -> pd.DataFrame | None:
    """Return a table of the evidence, None where there is none for the installed models."""
    try:
        return evidence(name)
    except ArtifactError:
        return None


def why_left_out(name: str) -> str:
    """Return what was missing for a table of the evidence; "" where the table is there.

    Raises
    ------
    ArtifactError
        If there is no evidence, or it was computed with another model set.
    """
    return evidence_about().left_out.get(name, "")


def panel_sentences() -> list[str]:
    """Say of each gene that the paper names what our models find."""
    from resvae_core.explain.named_panel import panel_sentence

    table = evidence("named_panel").fillna({"reason": ""})
    return [panel_sentence(rows) for _, rows in table.groupby("gene", sort=False)]


@st.cache_data(max_entries=2, show_spinner=False)
def _evidence_about(digest: str, _folder: Path) -> Evidence:
    from resvae_core.registry.evidence import describe_evidence

    return describe_evidence(_folder)


def evidence_about() -> Evidence:
    """Return what the evidence was computed with and on how many patients.

    Raises
    ------
    ArtifactError
        If there is none for the installed models.
    """
    return _evidence_about(*_in_use())


def positive_controls(kind: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """Return a model's positive controls, and the best of each pair; None where not computed."""
    from resvae_core.explain.positive_controls import best_by_kind

    table = evaluation_if_any("positive_controls")
    if table is None:
        return None
    table = table.assign(model=table["model"].fillna(""))
    return table[table["model"].isin(["", kind])], best_by_kind(table, kind)


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


def genes_read() -> dict[str, tuple[str, ...]]:
    """Return which genes the learned models and their encoders read, by who reads them."""
    from resvae_core.figures.palette import in_order, model_word

    models = model_set()
    alike: dict[tuple[str, ...], list[str]] = {}
    encoders: dict[str, tuple[str, ...]] = {}
    for kind in in_order(models.learned):
        model, word = models.model(kind), model_word(kind)
        alike.setdefault(tuple(model.genes_), []).append(word)
        encoder = getattr(model, "encoder_", None)
        if encoder is not None:
            encoders[f"{encoder.name.capitalize()} encoder of {word}"] = tuple(encoder.genes)
    every = f"All {len(models.learned)} learned models"
    names = [every] if len(alike) == 1 else [", ".join(words) for words in alike.values()]
    return dict(zip(names, alike, strict=True)) | encoders


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


@st.cache_resource(max_entries=1, show_spinner=False)
def _cancer_type_model(digest: str) -> CancerTypeModel:
    from resvae_core.registry.cancer_type import load_cancer_type_model

    return load_cancer_type_model()


def cancer_type_digest() -> str:
    """Return the digest of the card of the cancer-type model; empty where it is not installed."""
    from resvae_core.data.files import file_digest
    from resvae_core.registry.store import CANCER_TYPE

    card = models_folder() / CANCER_TYPE / "card.json"
    return file_digest(card) if card.is_file() else ""


def cancer_type_model() -> CancerTypeModel | None:
    """Return what suggests a cancer type from expression; None where it is not installed.

    Raises
    ------
    ArtifactError
        If it is damaged.
    """
    digest = cancer_type_digest()
    return _cancer_type_model(digest) if digest else None


@st.cache_data(max_entries=1, show_spinner=False)
def _cancer_type_card(digest: str) -> dict[str, Any]:
    from resvae_core.registry.cancer_type import load_cancer_type_card

    return load_cancer_type_card()


def cancer_type_card() -> dict[str, Any]:
    """Return the card of the cancer-type model: what it knows, and how often it was right.

    Raises
    ------
    ArtifactError
        If it is missing or of another schema.
    """
    return _cancer_type_card(cancer_type_digest())


def thresholds() -> dict[str, float]:
    """Return each learned model's probability at which its calls part."""
    models = model_set()
    return {kind: models.threshold(kind) for kind in models.learned}


def cohort_background(code: str) -> Background | None:
    """Return the mean profile of a cancer type's cohort; None where it is not known."""
    profiles = evidence_if_any("cohort_profiles") if code else None
    if profiles is None or code not in set(profiles["cohort"]):
        return None
    from resvae_core.explain.attribution import Background
    from resvae_core.tables import Expression

    rows = profiles[profiles["cohort"] == code]
    values = rows.set_index("gene")["mean"].to_frame(code).T.astype("float32")
    words = f"the mean of {rows['n_patients'].iloc[0]} patients ({code}, TCGA)"
    return Background(code, words, Expression(values))


def reference_quantiles() -> pd.DataFrame | None:
    """Return how expression is distributed in the reference tumours; None where not shipped."""
    return evidence_if_any("expression_quantiles")


def cohort_score_quantiles(cancer_type: str, model: str) -> pd.DataFrame | None:
    """Return how a model's scores spread over the cohort of a cancer type, one row a drug.

    None where the cohort's expression is not known in log2(TPM + 1): there is nothing to hold a
    patient against.
    """
    table = evidence_if_any("score_quantiles") if cancer_type else None
    if table is None:
        return None
    rows = table[(table["cohort"] == cancer_type) & (table["model"] == model)]
    return None if rows.empty else rows


def percentile_in_cohort(
    cancer_type: str, drug: str, model: str, probability: float
) -> CohortPosition | None:
    """Return where a probability lies among the patients of the same cancer; None if unknown."""
    from resvae_core.evaluation.cohort_scores import position_in_cohort

    rows = cohort_score_quantiles(cancer_type, model)
    return None if rows is None else position_in_cohort(rows, drug, probability)


@st.cache_resource(max_entries=4, show_spinner="Reading the map …")
def _line_map(space: Space, digest: str) -> LineMap:
    from resvae_core.explain.maps import AXES_TABLE, COHORT_TABLE, LINE_TABLE, from_tables

    return from_tables(
        {name: evidence(name) for name in (LINE_TABLE, AXES_TABLE, COHORT_TABLE)}, space
    )


def line_map(space: Space) -> LineMap:
    """Return the map of the cell lines in a space.

    Raises
    ------
    ArtifactError
        If there is none for the installed models.
    """
    return _line_map(space, set_digest())


def cohort_outlines(space: Space) -> pd.DataFrame:
    """Return where cohorts lie on the map of a space: centre and covariance, no patient."""
    table = evidence("cohort_map")
    return table[table["space"] == space]


@st.cache_resource(max_entries=1, show_spinner="Reading the measured responses …")
def screen() -> Screen | None:
    """Return the measured responses of the cell lines; None where they are not installed."""
    from resvae_core.data.screens import load_training_set
    from resvae_core.errors import InputDataError

    folder = data_folder()
    if folder is None:
        return None
    try:
        return load_training_set(folder).screen
    except InputDataError:
        return None


def is_level(code: str) -> bool:
    """Return whether a cohort's expression is known in log2(TPM + 1)."""
    return cohort(code).expression_form != "zscore"


def level_cohorts() -> list[str]:
    """Return the cohorts whose patients are here in log2(TPM + 1); the synthetic one last."""
    from resvae_core.data.cohorts import DEMO

    types = load_cancer_types()
    real = [
        code
        for code in installed_cohorts()
        if code != DEMO and types[code].expression_form == "log2tpm"
    ]
    return [*real, DEMO]


def comparable_cohorts(cancer_type: str, *, with_demo: bool) -> list[str]:
    """Return the cohorts among which a patient may look for others: the synthetic among its own."""
    from resvae_core.data.cohorts import DEMO

    allowed = {cancer_type} | ({DEMO} if with_demo else set())
    return [code for code in level_cohorts() if code in allowed]


@st.cache_resource(max_entries=8, show_spinner="Placing the cohort …")
def _patient_group(code: str, space: Space, digest: str) -> PatientGroup:
    from resvae_core.explain.maps import locate
    from resvae_core.explain.neighbours import PatientGroup

    patients, loaded = cohort(code), model_set()
    placed = locate(line_map(space), loaded, loaded.samples(patients.expression))
    return PatientGroup(code, patients.name, placed, patients.synthetic)


def patient_group(code: str, space: Space) -> PatientGroup:
    """Return where the patients of a cohort lie on the map of a space."""
    return _patient_group(code, space, f"{set_digest()} {data_stamp()}")


def gene_set_names() -> list[str]:
    """Return the names of the installed collections of gene sets."""
    from resvae_core.data.gene_sets import list_gene_sets

    return list(list_gene_sets())


@st.cache_data(max_entries=32, show_spinner="Testing gene sets …")
def _enrichment(
    method: str, collection: str, genes: tuple[str, ...], cohort: str, drug: str, digests: str
) -> Enrichment:
    from resvae_core.data.gene_sets import find_gene_sets
    from resvae_core.data.pathways import load_pathways
    from resvae_core.explain import enrichment as tests

    sets = find_gene_sets(collection) if collection else load_pathways()
    if method == "ora":
        measured = tests.genes_of_cohort(evidence("cohort_genes"), cohort)
        background = tests.choose_background(genes, model_set().genes, cohort=measured)
        return tests.over_representation(genes, sets, background)
    table = evidence("biomarkers")
    rows = table[
        (table["cohort"] == cohort) & (table["drug"] == drug) & (table["kind"] == "attributed")
    ]
    return tests.prerank(rows.set_index("gene")["effect"].dropna(), sets)


def enrichment(
    method: str, collection: str, genes: tuple[str, ...], cohort: str, drug: str
) -> Enrichment:
    """Test gene sets: for a basket, or for the attributed genes of a cohort and drug by effect.

    Parameters
    ----------
    method
        ``ora`` or ``prerank``.
    collection
        Name of an installed collection; empty for the shipped pathways.
    genes
        The basket; not read by ``prerank``.

    Raises
    ------
    InputDataError, CatalogError
        If no set fits, or the collection is not installed.
    """
    from resvae_core.data.files import file_digest
    from resvae_core.data.gene_sets import list_gene_sets

    path = list_gene_sets().get(collection)
    digests = f"{set_digest()}{file_digest(path) if path else ''}"
    return _enrichment(method, collection, tuple(genes), cohort, drug, digests)


def is_guessed(result: Enrichment) -> bool:
    """Return whether nobody knows among which genes the basket was chosen."""
    from resvae_core.explain.enrichment import CODING, PANEL

    return result.background in (PANEL, CODING)
