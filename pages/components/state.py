"""What one visitor's session holds: one dataclass under one key, and its shareable part.

The link (URL) holds what is no patient's: cancer type, drug, model, cohort, gene and endpoint. The
sample and everything about the upload stay in memory.
"""

from __future__ import annotations

import gc
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal, cast, get_args

import streamlit as st

from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.data.drugs import find_drug
from resvae_core.errors import CatalogError, ConfigError, InputDataError
from resvae_core.figures.palette import FLOORS, MODEL_WORDS
from resvae_core.settings import load_settings

if TYPE_CHECKING:
    from resvae_core.data.uploads import Upload, UploadOverrides
    from resvae_core.errors import ResVAEError
    from resvae_core.registry.description import SetDescription
    from resvae_core.registry.training_request import TrainingRequest
    from resvae_core.tables import Expression

KEY = "resvae"
MODELS = tuple(model for model in MODEL_WORDS if model not in FLOORS)
SYNTHETIC_COHORT = "DEMO"
Endpoint = Literal["OS", "DSS", "PFI", "DFI"]
Cut = Literal["median", "tertile", "quartile", "fixed", "optimal"]
Divider = Literal["gene", "signature", "score"]
Findings = Literal["browse", "panel", "enrichment"]
CohortView = Literal["tasks", "response", "alignment", "samples"]
Space = Literal["latent", "pca"]
Background = Literal["reference", "cohort"]
SettingsPart = Literal["training", "jobs", "sets", "data", "preferences", "audit"]
ENDPOINTS: tuple[Endpoint, ...] = get_args(Endpoint)
CUTS: tuple[Cut, ...] = get_args(Cut)
DIVIDERS: tuple[Divider, ...] = get_args(Divider)
FINDINGS: tuple[Findings, ...] = get_args(Findings)
COHORT_VIEWS: tuple[CohortView, ...] = get_args(CohortView)
SPACES: tuple[Space, ...] = get_args(Space)
BACKGROUNDS: tuple[Background, ...] = get_args(Background)
SETTINGS_PARTS: tuple[SettingsPart, ...] = get_args(SettingsPart)
_GENE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.\-]{0,24}")


@dataclass
class TourPlace:
    """Where a visitor stands in the guided tour.

    Parameters
    ----------
    step
        Position among the steps; 0 is the first.
    arriving
        Whether the step's part of its page is still to be opened.
    own
        What the visitor had chosen and uploaded before a patient of the tour took its place; None
        where there was no upload of their own.
    """

    step: int = 0
    arriving: bool = True
    own: Session | None = None


@dataclass
class Intake:
    """Where a visitor stands in reading a file; nothing of its content.

    Parameters
    ----------
    file_id
        Streamlit's id of the file that is held by the uploader; empty where none is.
    overrides
        What the visitor knows better than the detection; None where nothing.
    pseudonymous
        Whether the samples of this file are to be named S1, S2 and so on whenever it is read.
    n_cleared
        How often something was cleared: the uploader gets a new key each time, and is empty.
    cleared
        Whether the last thing that happened was that the sample was cleared.
    """

    file_id: str = ""
    overrides: UploadOverrides | None = None
    pseudonymous: bool = False
    n_cleared: int = 0
    cleared: bool = False


@dataclass
class Session:
    """What a visitor has chosen and uploaded; empty texts stand for "not chosen".

    Parameters
    ----------
    upload
        The parsed file, kept because the uploader forgets its own on a page change.
    is_demo
        Whether `upload` is a synthetic demo patient.
    story
        What to expect of a demo patient, in one sentence.
    sample
        Name of the chosen sample of `upload`.
    cancer_type, drug, model
        TCGA code, drug name, model name.
    model_is_default
        Whether nobody chose the model: it is the default of the model set, follows it when another
        set is promoted, and stands in no link.
    models
        The model set of the page that was drawn last; None before the first. Never part of a link.
    kept_type
        Which sample and stated type were said to be right although the expression suggests
        another type; never part of a link.
    cohort, gene, endpoint, cut
        What the survival page shows; `cut` is how the gene divides the patients. Cohort and gene
        are those of the biomarkers too.
    divider, cut_value, signature
        What divides the patients: a gene, a signature (gene symbols as typed; empty for the
        basket), or the score of `study_drug`; and the value of a fixed cut, as a number in text.
    study_drug
        Drug whose findings in the cohort are shown.
    findings, cohort_view
        Which part of the Biomarkers and of the Cohort page is open.
    space
        In which space the Similar page looks for neighbours.
    background
        What the Why? page starts its explanation from.
    settings_part
        Which part of the Settings page is open.
    job
        Id of the job whose details are shown; never part of a link.
    request
        The training that the form describes; never part of a link.
    basket
        Genes that were put aside, in the order of choice; never part of a link.
    attempt
        Which file was read last, with which settings, so that it is read once.
    refusal
        Why that file could not be used, None if it could.
    intake
        Where the reading of a file stands; never part of a link.
    first_line_only, drug_class, call
        Which drugs of the ranking are shown; never part of a link.
    tour
        Where the guided tour stands; None outside it. Never part of a link.
    report_without
        Parts that the visitor left out of the report; never part of a link.
    """

    upload: Upload | None = None
    is_demo: bool = False
    story: str = ""
    sample: str = ""
    cancer_type: str = ""
    kept_type: str = ""
    drug: str = ""
    model: str = ""
    model_is_default: bool = False
    models: SetDescription | None = field(default=None, compare=False)
    cohort: str = ""
    gene: str = ""
    endpoint: Endpoint = "OS"
    cut: Cut = "median"
    divider: Divider = "gene"
    cut_value: str = ""
    signature: str = ""
    study_drug: str = ""
    findings: Findings = "browse"
    cohort_view: CohortView = "tasks"
    space: Space = "latent"
    background: Background = "reference"
    settings_part: SettingsPart = "training"
    job: str = ""
    request: TrainingRequest | None = None
    basket: tuple[str, ...] = ()
    attempt: str = ""
    refusal: ResVAEError | None = None
    intake: Intake = field(default_factory=Intake)
    first_line_only: bool = False
    drug_class: str = ""
    call: str = ""
    tour: TourPlace | None = None
    report_without: tuple[str, ...] = ()

    @property
    def samples(self) -> list[str]:
        """Names of the samples of the upload, in the order of the file."""
        return self.upload.expression.samples if self.upload else []

    def parsed(self) -> Upload:
        """Return the upload.

        Raises
        ------
        InputDataError
            If nothing was uploaded.
        """
        if self.upload is None:
            raise InputDataError("There is no sample.", remedy="Upload a profile first.")
        return self.upload

    def expression(self) -> Expression:
        """Return the expression of the chosen sample alone."""
        return self.parsed().expression.select([self.sample])

    def accept(self, upload: Upload, *, is_demo: bool = False, story: str = "") -> None:
        """Take a parsed file over in the place of the earlier one."""
        self.upload, self.is_demo, self.story = upload, is_demo, story
        self.sample = self.samples[0]
        self.refusal, self.intake.cleared = None, False

    def accept_demo(self, patients: Upload, story: dict[str, str]) -> None:
        """Take one of the synthetic patients over, with what its story is about."""
        name = story["sample"]
        self.accept(
            replace(patients, expression=patients.expression.select([name])),
            is_demo=True,
            story=story["sentence"],
        )
        self.cancer_type, self.drug = story["cancer_type"], story["drug"]
        self.choose_model(story["model"])

    def choose_model(self, model: str) -> None:
        """Take a model that was chosen, and keep it whatever set is promoted."""
        self.model, self.model_is_default = model, False

    def follow_default(self, model: str) -> None:
        """Take the default model of the model set."""
        self.model, self.model_is_default = model, True

    def pseudonymise(self) -> None:
        """Name the samples S1, S2 and so on, and keep no way back."""
        if self.upload is not None:
            from resvae_core.data.privacy import pseudonyms

            position = self.samples.index(self.sample)
            renamed = pseudonyms(self.upload.expression)
            self.upload = replace(
                self.upload, expression=renamed, qc=self.upload.qc.without_names()
            )
            self.intake.pseudonymous = True
            self.sample = self.samples[position]

    def put_aside(self, genes: Iterable[str]) -> None:
        """Add genes to the basket, each once."""
        self.basket = tuple(dict.fromkeys((*self.basket, *genes)))

    def let_go(self) -> None:
        """Take the bytes of the uploader's file out of memory; what was read of it stays.

        Streamlit itself keeps them until the browser's connection ends.
        """
        from streamlit.runtime.scriptrunner import get_script_run_ctx

        context = get_script_run_ctx()
        if context is not None and self.intake.file_id:
            context.uploaded_file_mgr.remove_file(context.session_id, self.intake.file_id)
        self.intake.file_id = ""

    def forget(self) -> None:
        """Drop the upload and everything that was said of it, its cancer type too."""
        self.cancer_type, self.kept_type = "", ""
        self.upload, self.is_demo, self.story, self.sample = None, False, "", ""
        self.refusal, self.attempt = None, ""
        self.intake = Intake(n_cleared=self.intake.n_cleared + 1, cleared=True)

    def link(self) -> dict[str, str]:
        """Return the query parameters that lead another person to the same choices."""
        values = {name: getattr(self, field) for name, (field, _) in LINKED.items()}
        usual = Session()
        return {
            name: value
            for name, value in values.items()
            if value != getattr(usual, LINKED[name][0])
            and not (name == "model" and self.model_is_default)
        }

    def read_link(self, query: dict[str, str]) -> list[CatalogError]:
        """Take over what the link says; return what it names that does not exist."""
        problems = []
        for name, (attribute, canonical) in LINKED.items():
            if name not in query:
                continue
            try:
                setattr(self, attribute, canonical(query[name]))
            except CatalogError as error:
                problems.append(error)
            else:
                if name == "model":
                    self.model_is_default = False
        return problems

    def write_link(self) -> None:
        """Bring the browser's address up to date."""
        if st.query_params.to_dict() != self.link():
            st.query_params.from_dict(self.link())


def load_session() -> Session:
    """Return this visitor's session, a new one on the first call."""
    if KEY not in st.session_state:
        gc.collect()  # what earlier visitors left: it is not done after every run
        st.session_state[KEY] = _first_session()
    session: Session = st.session_state[KEY]
    return session


def _first_session() -> Session:
    """Return a session that begins as the settings say."""
    try:
        settings = load_settings()
    except ConfigError:
        # the frame says so on every page, and the settings can be reset
        return Session()
    return Session(model=settings.default_model, endpoint=cast("Endpoint", settings.endpoint))


def _one_of(known: tuple[str, ...], what: str) -> Callable[[str], str]:
    """Return a function that accepts the known names only."""

    def canonical(value: str) -> str:
        if value not in known:
            raise CatalogError(
                f"The link names {what} {value[:40]!r}, which does not exist.",
                remedy=f"Known are {', '.join(known)}.",
            )
        return value

    return canonical


def _cohort_code(value: str) -> str:
    return SYNTHETIC_COHORT if value == SYNTHETIC_COHORT else find_cancer_type(value).code


def _gene_symbol(value: str) -> str:
    if not _GENE.fullmatch(value):
        raise CatalogError(
            f"The link names gene {value[:40]!r}, which is no gene symbol.",
            remedy="Choose a gene on the Survival page.",
        )
    return value


def _number(value: str) -> str:
    try:
        finite = math.isfinite(float(value))
    except ValueError:
        finite = False
    if not finite:
        raise CatalogError(
            f"The link names the cut {value[:40]!r}, which is no number.",
            remedy="Choose a cut on the Survival page.",
        )
    return value


LINKED: dict[str, tuple[str, Callable[[str], str]]] = {
    "cancer": ("cancer_type", lambda value: find_cancer_type(value).code),
    "drug": ("drug", lambda value: find_drug(value).name),
    "model": ("model", _one_of(MODELS, "model")),
    "cohort": ("cohort", _cohort_code),
    "gene": ("gene", _gene_symbol),
    "endpoint": ("endpoint", _one_of(ENDPOINTS, "endpoint")),
    "cut": ("cut", _one_of(CUTS, "cut")),
    "by": ("divider", _one_of(DIVIDERS, "a divider")),
    "at": ("cut_value", _number),
    "study": ("study_drug", lambda value: find_drug(value).name),
    "findings": ("findings", _one_of(FINDINGS, "a view")),
    "view": ("cohort_view", _one_of(COHORT_VIEWS, "a view")),
    "space": ("space", _one_of(SPACES, "a space")),
    "background": ("background", _one_of(BACKGROUNDS, "a background")),
    "part": ("settings_part", _one_of(SETTINGS_PARTS, "a part of the settings")),
}
"""Query parameter → field of the session, and what turns its text into a known name."""
