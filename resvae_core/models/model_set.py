"""Models that are used together, and what they say of a sample as one table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.data.drugs import find_drug
from resvae_core.errors import ArtifactError, ConfigError, UnknownDrugError
from resvae_core.features.range_check import IN_RANGE, RANGES, Reference
from resvae_core.models.base import NO_TISSUE, TUMOURS, Prediction, ResponseModel, Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.ensemble import Ensemble
from resvae_core.tables import Expression

Array = NDArray[np.float64]

RESISTANT, SENSITIVE = "resistant", "sensitive"
UNCERTAIN, NOT_ASSESSABLE = "uncertain", "not assessable"
BASELINE = "baseline"
"""What stands in the place of a call for a floor, which knows nothing of the sample."""
CALLS = (RESISTANT, SENSITIVE, UNCERTAIN, NOT_ASSESSABLE, BASELINE)

CHUNK = 256
"""Samples that are predicted at a time where there are many."""

COLUMNS = [
    "sample",
    "drug",
    "model",
    "probability",
    "lower",
    "upper",
    "conformal",
    "call",
    "range",
    "note",
]


@dataclass(frozen=True)
class Forecast:
    """What every model says of every sample and drug.

    Parameters
    ----------
    table
        Columns of `COLUMNS`: ``probability`` = P(resistant) in [0, 1]; ``lower`` and ``upper`` its
        90 % interval for the model's own uncertainty; ``conformal`` the classes that are not
        excluded at 90 % (resistant, sensitive, both, neither; "" for a floor); ``call`` one of
        resistant, sensitive, uncertain, not assessable, or baseline for a floor. Only a sample in
        range gets a firm call: at best uncertain where borderline, not assessable where out of
        range; ``range`` one of in range, borderline, out of range; ``note`` in words, "" where
        there is nothing to add.
    ranges
        Index: samples; columns as `Reference.assess` gives them.
    model_set
        Name of the models that made it.
    reference
        ``tumours`` or ``cell_lines``: what the samples were compared with.
    cancer_type
        TCGA code, or None where none was named.
    digest
        SHA-256 (hex) of the models' ``model_set.json``; empty where they were never saved.
    """

    table: pd.DataFrame
    ranges: pd.DataFrame
    model_set: str
    reference: str
    cancer_type: str | None
    digest: str = ""

    @property
    def made_by(self) -> str:
        """Name and first digits of the digest of the models that made it."""
        return stamp(self.model_set, self.digest)


@dataclass(frozen=True)
class ModelSet:
    """Fitted models over the same drugs, with the references that say who may be asked about.

    Parameters
    ----------
    name
        Id of the set.
    models
        Kind to model: learned models first, then floors.
    references
        ``tumours`` and ``cell_lines``.
    default_model
        Kind that speaks where only one number has room.
    unproven
        Kind to the drugs for which it was not shown to beat the tissue floor on unseen lines.
    digest
        SHA-256 (hex) of ``model_set.json``; empty where the set was never saved.
    """

    name: str
    models: Mapping[str, ResponseModel]
    references: Mapping[str, Reference]
    default_model: str
    unproven: Mapping[str, frozenset[str]] = field(default_factory=dict)
    digest: str = ""

    def __post_init__(self) -> None:
        if len({model.drugs_ for model in self.models.values()}) > 1:
            raise ArtifactError(
                f"The models of {self.name} do not predict the same drugs in the same order.",
                remedy="Train the set again with one command.",
            )

    @property
    def made_by(self) -> str:
        """Name and first digits of the digest, as results name the set."""
        return stamp(self.name, self.digest)

    @property
    def drugs(self) -> tuple[str, ...]:
        """Names of the drugs, in the order of the catalogue."""
        return self.models[self.default_model].drugs_

    @property
    def genes(self) -> tuple[str, ...]:
        """Genes that the learned models read."""
        return self.models[self.default_model].genes_

    @property
    def learned(self) -> list[str]:
        """Kinds that learn from expression."""
        return [kind for kind, model in self.models.items() if not model.is_floor]

    def threshold(self, kind: str) -> float:
        """Return the probability below which a model calls a sample sensitive."""
        return self.model(kind).threshold_

    def model(self, kind: str) -> ResponseModel:
        """Return one model.

        Raises
        ------
        ConfigError
            If the set has no such model.
        """
        if kind not in self.models:
            raise ConfigError(
                f"The model set {self.name} has no model {kind!r}.",
                remedy=f"Use one of: {', '.join(self.models)}, or all.",
            )
        return self.models[kind]

    def predict(
        self,
        expression: Expression,
        *,
        cancer_type: str | None = None,
        drugs: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        reference: str = TUMOURS,
    ) -> Forecast:
        """Predict resistance, each sample on its own.

        Parameters
        ----------
        expression
            log2(TPM + 1) of one or more samples.
        cancer_type
            TCGA code or name: gives the tissue floor its tissue, and chooses whether conformal sets
            go by solid tissues' or blood's thresholds (by both where there is none). Probabilities
            and calls of the learned models do not read it.
        drugs, models
            Names to predict with; all where None.
        reference
            ``tumours`` for patients, ``cell_lines`` for cell lines.

        Raises
        ------
        GeneCoverageError
            If none of the models' genes is in the data.
        UnknownDrugError, UnknownCohortError, ConfigError
            If a name is not known.
        """
        cancer = find_cancer_type(cancer_type) if cancer_type else None
        names = self.drug_names(drugs) if drugs else [*self.drugs]
        kinds = list(models) if models else list(self.models)
        samples = self.samples(expression, cancer.gdsc_tissue if cancer else None, reference)
        ranges = self.references[reference].assess(expression)
        notes = _range_notes(ranges)
        parts = [
            self._part(model, _predict(model, members, samples), samples, names, ranges, notes)
            for model, members in self.score_members(kinds, samples)
        ]
        table = pd.concat(parts, ignore_index=True)
        code = cancer.code if cancer else None
        return Forecast(table, ranges, self.name, reference, code, self.digest)

    def predict_in_chunks(
        self,
        expression: Expression,
        *,
        chunk: int = CHUNK,
        cancer_type: str | None = None,
        drugs: Sequence[str] | None = None,
        models: Sequence[str] | None = None,
        reference: str = TUMOURS,
    ) -> Iterator[Forecast]:
        """Predict a few samples at a time, so that the memory does not grow with their number.

        Parameters
        ----------
        chunk
            Samples in a forecast, the last one excepted.
        expression, cancer_type, drugs, models, reference
            See `predict`.

        Yields
        ------
        Forecast
            Of each chunk in turn. Together they say what `predict` says at once; in a chunk's table
            models come before samples.

        Raises
        ------
        GeneCoverageError, UnknownDrugError, UnknownCohortError, ConfigError
            As `predict`.
        """
        for start in range(0, len(expression.values), chunk):
            yield self.predict(
                Expression(expression.values.iloc[start : start + chunk]),
                cancer_type=cancer_type,
                drugs=drugs,
                models=models,
                reference=reference,
            )

    def drug_names(self, drugs: Sequence[str]) -> list[str]:
        """Return the catalogue's names of drugs, each once.

        Raises
        ------
        UnknownDrugError
            If the catalogue or this set does not know one.
        """
        names = list(dict.fromkeys(find_drug(drug).name for drug in drugs))
        unknown = [name for name in names if name not in self.drugs]
        if unknown:
            raise UnknownDrugError(
                f"The model set {self.name} was not trained on {unknown[0]}.",
                remedy=f"Choose one of its {len(self.drugs)} drugs, or train a set with it.",
            )
        return names

    def samples(
        self, expression: Expression, tissue: str | None = None, reference: str = TUMOURS
    ) -> Samples:
        """Wrap expression as the models take it, all samples of one tissue.

        Raises
        ------
        ConfigError
            If the reference is not known.
        """
        if reference not in self.references:
            raise ConfigError(
                f"{reference!r} is no reference of this model set.",
                remedy=f"Use one of: {', '.join(self.references)}.",
            )
        labels = pd.Series(tissue or NO_TISSUE, index=expression.values.index, dtype=object)
        return Samples(expression, labels, reference)

    def score_members(
        self, kinds: Sequence[str], samples: Samples
    ) -> Iterator[tuple[ResponseModel, Array | None]]:
        """Let each model score; the ensemble takes over what its parts have scored already.

        Yields
        ------
        tuple
            A model and its (n_members, n_samples, n_drugs) scores; None for a floor, which has no
            members.
        """
        scores: dict[str, Array] = {}
        for kind in kinds:
            model = self.model(kind)
            if not isinstance(model, CalibratedModel):
                yield model, None
                continue
            if isinstance(model, Ensemble):
                missing = [part for part in model.needs if part not in scores]
                for part in missing:
                    scores[part] = model.parts_[part].score_members(samples)
                scores[kind] = model.combine(scores)
            else:
                scores[kind] = model.score_members(samples)
            yield model, scores[kind]

    def drug_notes(self, model: ResponseModel, drugs: Sequence[str]) -> list[str]:
        """Return what is to be said of each drug in words; "" where there is nothing."""
        unproven = self.unproven.get(model.kind, frozenset())
        return [
            _drug_note(name, known, name not in unproven)
            for name, known in zip(drugs, _informative(model, drugs), strict=True)
        ]

    def _part(
        self,
        model: ResponseModel,
        prediction: Prediction,
        samples: Samples,
        drugs: list[str],
        ranges: pd.DataFrame,
        notes: list[str],
    ) -> pd.DataFrame:
        """Return one model's rows, sample by sample."""
        n_samples, n_drugs = len(ranges), len(drugs)
        probability, lower, upper = (
            frame[drugs].to_numpy(float)
            for frame in (prediction.probability, prediction.lower, prediction.upper)
        )
        codes = call_codes(model, drugs, lower, upper, ranges["range"].map(RANGES.index).to_numpy())
        calls = np.array(CALLS, dtype=object)[codes]
        drug_notes = self.drug_notes(model, drugs)
        return pd.DataFrame(
            {
                "sample": np.repeat(samples.expression.samples, n_drugs),
                "drug": np.tile(drugs, n_samples),
                "model": model.kind,
                "probability": probability.ravel(),
                "lower": lower.ravel(),
                "upper": upper.ravel(),
                "conformal": _sets(prediction, drugs).ravel(),
                "call": calls.ravel(),
                "range": np.repeat(ranges["range"].to_numpy(), n_drugs),
                "note": [join_notes(a, b) for a in notes for b in drug_notes],
            }
        )


def stamp(name: str, digest: str) -> str:
    """Return a set's name with the first eight digits of its digest, where it has one."""
    return f"{name} ({digest[:8]})" if digest else name


def call_codes(
    model: ResponseModel,
    drugs: Sequence[str],
    lower: Array,
    upper: Array,
    ranges: NDArray[np.integer[Any]],
) -> NDArray[np.int8]:
    """Call a pair only where the whole interval lies on one side of the threshold.

    Parameters
    ----------
    model, drugs
        Who predicted what.
    lower, upper
        (n_samples, n_drugs) interval of the probability.
    ranges
        (n_samples,) positions in `RANGES`: only a sample in range gets a firm call.

    Returns
    -------
    ndarray
        (n_samples, n_drugs) positions in `CALLS`.
    """
    codes = np.full(lower.shape, CALLS.index(UNCERTAIN), np.int8)
    if model.is_floor:
        codes[:] = CALLS.index(BASELINE)
        return codes
    in_range, _, out = (ranges[:, None] == code for code in range(len(RANGES)))
    codes[in_range & (lower >= model.threshold_)] = CALLS.index(RESISTANT)
    codes[in_range & (upper < model.threshold_)] = CALLS.index(SENSITIVE)
    codes[out | ~_informative(model, drugs)] = CALLS.index(NOT_ASSESSABLE)
    return codes


def _sets(prediction: Prediction, drugs: list[str]) -> NDArray[np.str_]:
    """Return (n_samples, n_drugs) conformal sets in words; empty for a floor, which makes none."""
    if prediction.conformal is None:
        return np.full((len(prediction.probability), len(drugs)), "")
    return prediction.conformal[drugs].to_numpy(str)


def _informative(model: ResponseModel, drugs: Sequence[str]) -> NDArray[np.bool_]:
    """Return which drugs the model can tell lines apart for (a calibration slope above 0)."""
    if not isinstance(model, CalibratedModel):
        return np.ones(len(drugs), dtype=bool)
    slope = dict(zip(model.drugs_, model.calibration_.slope, strict=True))
    return np.array([slope[drug] > 0 for drug in drugs])


def _predict(model: ResponseModel, members: Array | None, samples: Samples) -> Prediction:
    if members is None or not isinstance(model, CalibratedModel):
        return model.predict(samples)
    return model.predict_from(members, samples)


def _range_notes(ranges: pd.DataFrame) -> list[str]:
    return [
        range_note(verdict, reasons)
        for verdict, reasons in zip(ranges["range"], ranges["reasons"], strict=True)
    ]


def range_note(verdict: str, reasons: Sequence[str]) -> str:
    """Say why a sample is not in range; "" where it is."""
    return "" if verdict == IN_RANGE else f"{verdict}: {'; '.join(reasons)}"


def _drug_note(name: str, informative: bool, proven: bool) -> str:
    drug = find_drug(name)
    parts = []
    if drug.low_confidence:
        parts.append(f"low-confidence drug: {drug.low_confidence_reason}")
    if not informative:
        parts.append("the model cannot tell cell lines apart for this drug")
    elif not proven:
        parts.append("not shown to beat the tissue floor for this drug on unseen lines")
    return "; ".join(parts)


def join_notes(first: str, second: str) -> str:
    """Return two notes as one, without the empty ones."""
    return ". ".join(part for part in (first, second) if part)
