"""What a report of one sample and drug holds: records without layout, rounded once.

Probabilities are P(resistant) in [0, 1], higher = more resistant; attributions are log-odds of
resistance. A value that is not known is None, never 0. Nothing here names a file, a folder or a
user; the sample's name is the only thing that comes from the patient's file as text.
"""

from __future__ import annotations

from dataclasses import dataclass

from resvae_core.data.uploads.coverage import MAX_ZERO_SHARE
from resvae_core.features.range_check import BORDERLINE, OUT_OF_RANGE

SCHEMA_VERSION = 1

SECTIONS = {
    "models": "The five models on one axis",
    "first_line": "Standard first treatments",
    "cohort": "Place in the cohort",
    "genes": "Genes that carry the score",
    "pathways": "Pathways",
    "ranking": "All drugs",
    "validation": "Validation in this cancer type",
}
"""Parts that may be left out. Range verdict, headline, limits and provenance always stay."""


@dataclass(frozen=True)
class Verdict:
    """Whether the sample is one that the models may be asked about.

    Parameters
    ----------
    word
        ``in range``, ``borderline`` or ``out of range``.
    reasons
        Why it is not in range, in words; empty where it is.
    n_genes
        Genes that the models read.
    n_missing
        How many of them the sample lacks.
    missing
        Those of them that the file lacks.
    n_zero
        How many of those that were measured are 0; None where nobody counted.
    distance, residual
        In units of their in-range limit, so that 1 is the limit; None where not measurable.
    """

    word: str
    reasons: tuple[str, ...]
    n_genes: int
    n_missing: int
    missing: tuple[str, ...]
    distance: float | None
    residual: float | None
    n_zero: int | None = None

    @property
    def many_zeros(self) -> bool:
        """Whether so many genes are 0 that they were lost rather than silent."""
        return (self.n_zero or 0) > MAX_ZERO_SHARE * self.n_genes

    @property
    def assessable(self) -> bool:
        """Whether anything may be called."""
        return self.word != OUT_OF_RANGE

    @property
    def borderline(self) -> bool:
        """Whether numbers are given, and no firm call is."""
        return self.word == BORDERLINE


@dataclass(frozen=True)
class TypeCheck:
    """What the expression says of the stated cancer type.

    Parameters
    ----------
    suggested_type, suggested_name
        TCGA code and full name that the expression suggests; "" where that is unclear.
    held_back
        Whether it contradicts the stated type and nobody settled which is right: then place in
        the cohort and standard first treatments are held back.
    words
        What to say of a contradiction; "" where there is none.
    """

    suggested_type: str
    suggested_name: str
    held_back: bool
    words: str


@dataclass(frozen=True)
class Call:
    """What the chosen model says of the chosen drug.

    Parameters
    ----------
    call
        ``resistant``, ``sensitive``, ``uncertain`` or ``not assessable``.
    probability, lower, upper
        P(resistant) and its 90 % interval.
    threshold
        Probability at which the model's calls part.
    conformal
        Classes that are not excluded at 90 %: ``resistant``, ``sensitive``, ``both``, ``neither``.
    agreement
        Of the five models, in words.
    models_disagree
        Whether fewer than four fifths lean one way, or calls are opposed.
    floor
        P(resistant) from drug and tissue alone; None where the forecast has none.
    note
        What to add, "" for nothing.
    """

    call: str
    probability: float
    lower: float
    upper: float
    threshold: float
    conformal: str
    agreement: str
    models_disagree: bool
    floor: float | None
    note: str


@dataclass(frozen=True)
class ModelRow:
    """One model's say on the chosen drug; `role` is ``ensemble``, ``five`` or ``simple``."""

    model: str
    title: str
    role: str
    call: str
    probability: float
    lower: float
    upper: float
    threshold: float


@dataclass(frozen=True)
class DrugRow:
    """One drug in the chosen model's ranking; fields as in `models.ranking.rank_drugs`.

    `first_line` is None where it is held back because the cancer type is contradicted.
    """

    drug: str
    drug_class: str
    call: str
    probability: float
    lower: float
    upper: float
    conformal: str
    n_resistant: int
    n_sensitive: int
    n_models: int
    opposed: bool
    floor: float | None
    first_line: bool | None
    low_confidence: bool
    note: str


@dataclass(frozen=True)
class GeneRow:
    """A gene's part in the chosen model's score; `value` in log2(TPM + 1), None if not measured."""

    gene: str
    value: float | None
    attribution: float


@dataclass(frozen=True)
class SharedGene:
    """A gene that at least three of the five models name; `direction` is what it argues for."""

    gene: str
    direction: str
    n_models: int
    mean_attribution: float
    value: float | None
    models: str


@dataclass(frozen=True)
class PathwayRow:
    """Attributions added up over a pathway; `share` of the absolute attribution of all genes."""

    pathway: str
    attribution: float
    share: float
    n_genes: int
    top_genes: str


@dataclass(frozen=True)
class Place:
    """Where the probability lies among patients of the same cancer type.

    Parameters
    ----------
    percentile
        Share (%) of the cohort's patients with a lower probability, known from 5 to 95 only.
    n_patients, cohort
        Of the comparison; `cohort` is a TCGA code.
    """

    percentile: float
    n_patients: int
    cohort: str


@dataclass(frozen=True)
class DrugFacts:
    """What is known of the drug, independent of any sample; "" where nothing is annotated."""

    target: str
    pathway: str
    drug_class: str
    screen: str
    n_training_lines: int
    n_sensitive_lines: int
    threshold_ln_ic50: float
    threshold_um: float
    threshold_source: str
    low_confidence_reason: str
    note: str


@dataclass(frozen=True)
class Metric:
    """A figure of merit on cell lines left out of training, its 95 % interval, and the floor's."""

    name: str
    mean: float
    lower: float | None
    upper: float | None
    floor: float | None


@dataclass(frozen=True)
class ModelVersion:
    """One model of the set as it was installed; `weights_sha256` is "" where the card has none."""

    id: str
    title: str
    weights_sha256: str
    seed: int | None
    reads: str


@dataclass(frozen=True)
class Provenance:
    """What every number rests on.

    Parameters
    ----------
    model_set, set_digest, set_created
        Id, SHA-256 (hex) of the set's list of digests, ISO date.
    versions
        The learned models of the set.
    file_digest
        SHA-256 (hex) of the file as it was handed in.
    unit, unit_confidence, id_type, conversion
        How the file was read; confidence from 0 to 1.
    n_genes_recognised
        Different genes found in the file.
    dropped
        Reason and number of what was left out of the file.
    reference
        What the sample was compared with, in a sentence.
    n_lines, n_drugs, share_resistant, sources
        Of the training set; `sources` is a sentence.
    licences
        Source and its terms.
    interval, threshold_source
        In sentences.
    metrics
        Of the chosen model, on cell lines left out of training.
    software
        Library and version, of the program that wrote the report.
    """

    model_set: str
    set_digest: str
    set_created: str
    versions: tuple[ModelVersion, ...]
    file_digest: str
    unit: str
    unit_confidence: float
    id_type: str
    conversion: str
    n_genes_recognised: int
    dropped: tuple[tuple[str, int], ...]
    reference: str
    n_lines: int
    n_drugs: int
    share_resistant: float
    sources: str
    licences: tuple[tuple[str, str], ...]
    interval: str
    threshold_source: str
    metrics: tuple[Metric, ...]
    software: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Report:
    """One sample, one drug, one model: everything that the files say.

    Parameters
    ----------
    date
        ISO date that was handed in; nothing reads the clock.
    sample
        Its name, on one line and without characters that cannot be printed.
    synthetic
        Whether it is no person.
    cancer_type, cancer_name
        TCGA code and full name; "" where not stated.
    drug, model, model_title
        What was asked.
    sections
        Which of `SECTIONS` are in it.
    type_check
        Whether the expression agrees with the stated cancer type; None where nothing was asked.
    verdict
        Comes before every number.
    call
        None where the sample is out of range: then `models`, `drugs`, `genes`, `shared`,
        `pathways` and `place` are empty too.
    models, drugs
        Of the chosen drug; of the chosen model, most sensitive first.
    genes
        Largest attribution first.
    genes_base
        What the attributions start from, in words; "" where nothing was explained.
    shared, pathways
        Of the same explanation.
    pathway_source
        Where the pathways come from, "" where there are none.
    place, place_words
        Among patients, and in a sentence; None where there is no cohort to compare with, which the
        sentence then says.
    facts
        Of the drug.
    set_words
        The conformal set and how far it holds here, in words.
    validation
        How the model did in this cancer type, in sentences.
    not_for, limits
        From the model's card.
    provenance
        See `Provenance`.
    """

    date: str
    sample: str
    synthetic: bool
    cancer_type: str
    cancer_name: str
    drug: str
    model: str
    model_title: str
    sections: tuple[str, ...]
    type_check: TypeCheck | None
    verdict: Verdict
    call: Call | None
    models: tuple[ModelRow, ...]
    drugs: tuple[DrugRow, ...]
    genes: tuple[GeneRow, ...]
    genes_base: str
    shared: tuple[SharedGene, ...]
    pathways: tuple[PathwayRow, ...]
    pathway_source: str
    place: Place | None
    place_words: str
    facts: DrugFacts
    set_words: str
    validation: tuple[str, ...]
    not_for: tuple[str, ...]
    limits: tuple[str, ...]
    provenance: Provenance

    def has(self, section: str) -> bool:
        """Whether a part of `SECTIONS` is in the report."""
        return section in self.sections

    @property
    def type_held_back(self) -> bool:
        """Whether the stated cancer type is contradicted, so that less is said of it."""
        return self.type_check is not None and self.type_check.held_back

    @property
    def first_line(self) -> tuple[DrugRow, ...]:
        """The standard first treatments among the drugs, most sensitive first."""
        return tuple(row for row in self.drugs if row.first_line)
