"""From what was computed of a sample to its `Report`: gathers, selects and rounds, once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date as Date
from typing import Any

import pandas as pd

from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.drugs import Drug, find_drug
from resvae_core.data.pathways import load_pathways
from resvae_core.data.uploads.record import UNIT_WORDS, QcRecord
from resvae_core.errors import ConfigError
from resvae_core.evaluation.cohort_scores import CohortPosition
from resvae_core.explain.attribution import Attribution
from resvae_core.explain.consensus import SHARED_BY, shared_genes
from resvae_core.explain.pathways import sum_by_pathway
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.model_set import Forecast
from resvae_core.models.ranking import FIVE, Headline, rank_drugs, read_headline
from resvae_core.registry.card import Card, library_versions
from resvae_core.registry.description import SetDescription
from resvae_core.reporting.report import (
    SECTIONS,
    Call,
    DrugFacts,
    DrugRow,
    GeneRow,
    Metric,
    ModelRow,
    ModelVersion,
    PathwayRow,
    Place,
    Provenance,
    Report,
    SharedGene,
    TypeCheck,
    Verdict,
)

DIGITS = 4
"""Decimals of every probability and attribution, in every file."""
N_GENES, N_SHARED, N_PATHWAYS = 20, 20, 15
"""Rows that are kept; layouts show fewer."""
MAX_NAME = 120
"""Characters of a sample's name."""
METRICS = {
    "roc_auc": "ROC AUC",
    "within_tissue_roc_auc": "ROC AUC within tissue",
    "average_precision_sensitive": "Average precision, sensitive lines",
    "brier": "Brier score (lower is better)",
    "ece": "Calibration error (lower is better)",
}
CHANNELS = {
    "genes": "expression of {n} genes",
    "ranks": "their ranks within the sample",
    "embedding": "the embedding of the {encoder} expression encoder",
}


@dataclass(frozen=True)
class Installed:
    """The models that made a forecast, as they were installed.

    Parameters
    ----------
    description
        Of the set.
    cards
        Of its models.
    thresholds
        Learned model to the probability at which its calls part.
    """

    description: SetDescription
    cards: Sequence[Card]
    thresholds: Mapping[str, float]

    def card(self, kind: str) -> Card:
        """Return one model's card.

        Raises
        ------
        ConfigError
            If the set has no such model.
        """
        for card in self.cards:
            if card.kind == kind:
                return card
        raise ConfigError(
            f"The model set {self.description.name} has no card of {kind!r}.",
            remedy=f"Use one of: {', '.join(card.kind for card in self.cards)}.",
        )


@dataclass(frozen=True)
class Words:
    """What pages say of validation, taken over as sentences.

    Parameters
    ----------
    set_words
        The conformal set, and how far it holds in this cancer type.
    place
        Where the probability lies among patients with this cancer, or why that is not known.
    validation
        How the model did in this cancer type.
    """

    set_words: str = ""
    place: str = ""
    validation: tuple[str, ...] = ()


def build_report(
    forecast: Forecast,
    *,
    sample: str,
    drug: str,
    model: str,
    installed: Installed,
    qc: QcRecord,
    date: str,
    attributions: Mapping[str, Attribution] | None = None,
    place: CohortPosition | None = None,
    words: Words | None = None,
    type_check: TypeCheck | None = None,
    n_zero: int | None = None,
    synthetic: bool = False,
    sections: Sequence[str] = tuple(SECTIONS),
) -> Report:
    """Gather everything that a report of one sample and drug says.

    Parameters
    ----------
    forecast
        Of all models and drugs.
    sample, drug, model
        What is asked; `model` is a learned one.
    installed
        The models that made the forecast.
    qc
        How the file was read.
    date
        ISO date of the report.
    attributions
        Model to the explanation of the drug; without it there are no genes and no pathways.
    place
        Where the probability lies in the cohort; None where there is none.
    words
        See `Words`; nothing is said where None.
    type_check
        See `TypeCheck`; None where nobody asked what type the expression suggests.
    n_zero
        How many genes that the models read are 0; None where nobody counted.
    synthetic
        Whether the sample is no person; every file then says so.
    sections
        Which of `SECTIONS` to keep.

    Raises
    ------
    ConfigError
        If a section or the date is not one, or the forecast has no such sample, drug or model.
    """
    kept = _sections(sections)
    _check_date(date)
    card = installed.card(model)
    cancer = load_cancer_types()[forecast.cancer_type] if forecast.cancer_type else None
    verdict = _verdict(forecast, sample, card, qc, n_zero)
    held_back = type_check is not None and type_check.held_back
    said = words or Words()
    found = _Found(verdict.assessable, frozenset(kept))
    headline = read_headline(forecast, sample, model, drug, installed.thresholds)
    explained = attributions if found.explains else None
    return Report(
        date=date,
        sample=one_line(sample)[:MAX_NAME],
        synthetic=synthetic,
        cancer_type=cancer.code if cancer else "",
        cancer_name=cancer.name if cancer else "",
        drug=headline.drug,
        model=model,
        model_title=card.title,
        sections=kept,
        type_check=type_check,
        verdict=verdict,
        call=_call(headline, installed.thresholds[model]) if found.assessable else None,
        models=_models(forecast, sample, drug, installed) if found.shows("models") else (),
        drugs=_marked(
            found.drugs(rank_drugs(forecast, sample, model, installed.thresholds)), held_back
        ),
        genes=_genes(explained, sample, model) if found.shows("genes") else (),
        genes_base=_base(explained, model) if found.shows("genes") else "",
        shared=_shared(explained, sample) if found.shows("genes") else (),
        pathways=_pathways(explained, sample, model) if found.shows("pathways") else (),
        pathway_source=load_pathways().source if explained and found.shows("pathways") else "",
        place=_place(place) if found.shows("cohort") and not held_back else None,
        place_words=said.place if found.shows("cohort") else "",
        facts=_facts(card.labelled(find_drug(headline.drug))),
        set_words=said.set_words if found.assessable else "",
        validation=said.validation if found.shows("validation") else (),
        not_for=tuple(card.document["not_for"]),
        limits=tuple(card.document["limits"]),
        provenance=_provenance(forecast, installed, card, qc),
    )


@dataclass(frozen=True)
class _Found:
    """What may be told: nothing of a sample that is out of range."""

    assessable: bool
    kept: frozenset[str]

    def shows(self, section: str) -> bool:
        return self.assessable and section in self.kept

    @property
    def explains(self) -> bool:
        return self.shows("genes") or self.shows("pathways")

    def drugs(self, ranking: pd.DataFrame) -> tuple[DrugRow, ...]:
        """Return the ranking, of first treatments alone where only those are asked for."""
        rows = tuple(map(_drug_row, ranking.to_dict("records")))
        if self.shows("ranking"):
            return rows
        return tuple(row for row in rows if row.first_line and self.shows("first_line"))


def one_line(text: str) -> str:
    """Return text on one line: what cannot be printed, such as a line break, becomes a space."""
    return " ".join("".join(mark if mark.isprintable() else " " for mark in text).split())


def _sections(names: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in names if name not in SECTIONS]
    if unknown:
        raise ConfigError(
            f"A report has no section {unknown[0]!r}.",
            remedy=f"Use some of: {', '.join(SECTIONS)}.",
        )
    return tuple(name for name in SECTIONS if name in names)


def _check_date(date: str) -> None:
    try:
        Date.fromisoformat(date)
    except ValueError as error:
        raise ConfigError(
            f"{date!r} is no date of a report.", remedy="Give it as YYYY-MM-DD."
        ) from error


def _verdict(
    forecast: Forecast, sample: str, card: Card, qc: QcRecord, n_zero: int | None
) -> Verdict:
    if sample not in forecast.ranges.index:
        raise ConfigError(
            "The forecast has no such sample.", remedy="Choose one of those it was made for."
        )
    row = forecast.ranges.loc[sample]
    return Verdict(
        word=str(row["range"]),
        reasons=tuple(row["reasons"]),
        n_genes=int(card.document["inputs"]["n_genes"]),
        n_missing=int(row["n_missing"]),
        missing=tuple(qc.missing(card.document["genes"])),
        distance=_number(row["distance"]),
        residual=_number(row["residual"]),
        n_zero=n_zero,
    )


def _call(headline: Headline, threshold: float) -> Call:
    return Call(
        call=headline.call,
        probability=_rounded(headline.probability),
        lower=_rounded(headline.lower),
        upper=_rounded(headline.upper),
        threshold=_rounded(threshold),
        conformal=headline.conformal,
        agreement=headline.agreement.words,
        models_disagree=headline.models_disagree,
        floor=_number(headline.floor),
        note=headline.note,
    )


def _models(
    forecast: Forecast, sample: str, drug: str, installed: Installed
) -> tuple[ModelRow, ...]:
    """Return the ensemble, the five and the simple model, in that order."""
    table = forecast.table
    rows = table[(table["sample"] == sample) & (table["drug"] == drug)].set_index("model")
    roles = {Ensemble.kind: "ensemble", **dict.fromkeys(FIVE, "five"), ElasticNet.kind: "simple"}
    return tuple(
        _model_row(kind, role, rows.loc[kind].to_dict(), installed)
        for kind, role in roles.items()
        if kind in rows.index
    )


def _model_row(kind: str, role: str, row: dict[Any, Any], installed: Installed) -> ModelRow:
    return ModelRow(
        model=kind,
        title=installed.card(kind).title,
        role=role,
        call=row["call"],
        probability=_rounded(row["probability"]),
        lower=_rounded(row["lower"]),
        upper=_rounded(row["upper"]),
        threshold=_rounded(installed.thresholds[kind]),
    )


def _marked(drugs: tuple[DrugRow, ...], held_back: bool) -> tuple[DrugRow, ...]:
    """Return the drugs without the marks of a cancer type that is contradicted."""
    return tuple(replace(row, first_line=None) for row in drugs) if held_back else drugs


def _drug_row(row: dict[Any, Any]) -> DrugRow:
    return DrugRow(
        drug=str(row["drug"]),
        drug_class=str(row["drug_class"]),
        call=str(row["call"]),
        probability=_rounded(row["probability"]),
        lower=_rounded(row["lower"]),
        upper=_rounded(row["upper"]),
        conformal=str(row["conformal"]),
        n_resistant=int(row["n_resistant"]),
        n_sensitive=int(row["n_sensitive"]),
        n_models=int(row["n_models"]),
        opposed=bool(row["opposed"]),
        floor=_number(row["floor"]),
        first_line=bool(row["first_line"]),
        low_confidence=bool(row["low_confidence"]),
        note=str(row["note"]),
    )


def _own(attributions: Mapping[str, Attribution], sample: str, model: str) -> pd.DataFrame:
    """Return the chosen model's attributions of the sample."""
    if model not in attributions:
        raise ConfigError(
            f"The model {model!r} was not explained.", remedy="Explain it, or leave genes out."
        )
    table = attributions[model].table
    return table[table["sample"] == sample]


def _genes(
    attributions: Mapping[str, Attribution] | None, sample: str, model: str
) -> tuple[GeneRow, ...]:
    if attributions is None:
        return ()
    table = _own(attributions, sample, model)
    order = table["attribution"].abs().sort_values(ascending=False, kind="stable").index
    leading = table.loc[order[:N_GENES]]
    return tuple(
        GeneRow(str(row["gene"]), _number(row["value"]), _rounded(row["attribution"]))
        for row in leading.to_dict("records")
        if row["attribution"]
    )


def _base(attributions: Mapping[str, Attribution] | None, model: str) -> str:
    return attributions[model].background if attributions else ""


def _shared(attributions: Mapping[str, Attribution] | None, sample: str) -> tuple[SharedGene, ...]:
    if attributions is None or sum(kind in attributions for kind in FIVE) < SHARED_BY:
        return ()  # a set of fewer models: nothing can be shared by three of them
    rows = shared_genes(attributions, sample).head(N_SHARED).to_dict("records")
    return tuple(
        SharedGene(
            gene=str(row["gene"]),
            direction=str(row["direction"]),
            n_models=int(row["n_models"]),
            mean_attribution=_rounded(row["mean_attribution"]),
            value=_number(row["value"]),
            models=str(row["models"]),
        )
        for row in rows
    )


def _pathways(
    attributions: Mapping[str, Attribution] | None, sample: str, model: str
) -> tuple[PathwayRow, ...]:
    if attributions is None:
        return ()
    table = sum_by_pathway(_own(attributions, sample, model), load_pathways()).table
    return tuple(
        PathwayRow(
            pathway=str(row["pathway"]),
            attribution=_rounded(row["attribution"]),
            share=_rounded(row["share"]),
            n_genes=int(row["n_genes"]),
            top_genes=str(row["top_genes"]),
        )
        for row in table.head(N_PATHWAYS).to_dict("records")
    )


def _place(place: CohortPosition | None) -> Place | None:
    if place is None:
        return None
    return Place(round(place.percentile, 1), place.n_patients, place.cohort)


def _facts(drug: Drug) -> DrugFacts:
    return DrugFacts(
        target=drug.target,
        pathway=drug.pathway,
        drug_class=drug.drug_class,
        screen=drug.screen,
        n_training_lines=drug.n_training_lines,
        n_sensitive_lines=drug.n_sensitive_lines,
        threshold_ln_ic50=_rounded(drug.threshold_ln_ic50),
        threshold_um=_rounded(drug.threshold_um),
        threshold_source=drug.threshold_source,
        low_confidence_reason=drug.low_confidence_reason if drug.low_confidence else "",
        note=drug.note,
    )


def _provenance(forecast: Forecast, installed: Installed, card: Card, qc: QcRecord) -> Provenance:
    training, output = card.document["training"], card.document["output"]
    learned = [entry for entry in installed.cards if not entry.document["is_floor"]]
    return Provenance(
        model_set=forecast.model_set,
        set_digest=installed.description.digest,
        set_created=installed.description.created,
        versions=tuple(map(_version, learned)),
        file_digest=qc.file_digest,
        unit=UNIT_WORDS.get(qc.unit.value, qc.unit.value),
        unit_confidence=round(qc.unit.confidence, 2),
        id_type=qc.id_type.value,
        conversion=qc.conversion,
        n_genes_recognised=qc.n_genes_recognised,
        dropped=tuple(qc.dropped.items()),
        reference=training["references"].get(forecast.reference, ""),
        n_lines=int(training["n_lines"]),
        n_drugs=int(training["n_drugs"]),
        share_resistant=_rounded(training["share_resistant"]),
        sources=training["sources"],
        licences=tuple(training["licences"].items()),
        interval=output["interval"],
        threshold_source=output["threshold_source"],
        metrics=_metrics(card),
        software=tuple(library_versions().items()),
    )


def _version(card: Card) -> ModelVersion:
    return ModelVersion(
        id=card.id,
        title=card.title,
        weights_sha256=str(card.document.get("weights_sha256", "")),
        seed=card.document.get("seed"),
        reads=_reads(card.document["inputs"]),
    )


def _reads(inputs: Mapping[str, Any]) -> str:
    """Say what a model reads of a sample."""
    if "parts" in inputs:
        return "the mean score of the five models"
    encoder = inputs.get("encoder", {}).get("name", "")
    words = [CHANNELS[name] for name in inputs.get("channels", ())]
    return ", ".join(words).format(n=inputs["n_genes"], encoder=encoder)


def _metrics(card: Card) -> tuple[Metric, ...]:
    rows = {str(row["metric"]): row for row in card.metrics().to_dict("records")}
    return tuple(
        Metric(
            title, _rounded(row["mean"]), *map(_number, (row["lower"], row["upper"], row["floor"]))
        )
        for name, title in METRICS.items()
        if (row := rows.get(name))
    )


def _number(value: Any) -> float | None:
    """Return a rounded number, None where it is missing or infinite."""
    if value is None or not math.isfinite(value):
        return None
    return _rounded(value)


def _rounded(value: float) -> float:
    return round(float(value), DIGITS)
