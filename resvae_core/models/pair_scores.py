"""What a model set says of many samples, as arrays: what batch scoring writes.

The same numbers and calls as `ModelSet.predict` gives in its table, a row a triple of sample, model
and drug, without building a table of words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.features.range_check import RANGES
from resvae_core.models.base import TUMOURS, ResponseModel, Samples
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.conformal import WORDS
from resvae_core.models.model_set import ModelSet, call_codes, join_notes, range_note
from resvae_core.tables import Expression

Array = NDArray[np.float64]

SETS = ("", *WORDS)
"""Conformal sets in words, by their code: a floor makes none."""


@dataclass(frozen=True)
class PairScores:
    """Scores of samples × models × drugs.

    Parameters
    ----------
    samples, models, drugs
        Names along the three axes.
    probability, lower, upper
        (n_samples, n_models, n_drugs) P(resistant) in [0, 1] and its 90 % interval.
    sets
        (n_samples, n_models, n_drugs) positions in `SETS`.
    calls
        (n_samples, n_models, n_drugs) positions in `model_set.CALLS`.
    ranges
        (n_samples,) positions in `RANGES`.
    notes
        (n_samples, n_models, n_drugs) positions in `note_words`.
    note_words
        Distinct notes.
    """

    samples: list[str]
    models: tuple[str, ...]
    drugs: tuple[str, ...]
    probability: Array
    lower: Array
    upper: Array
    sets: NDArray[np.int8]
    calls: NDArray[np.int8]
    ranges: NDArray[np.int8]
    notes: NDArray[np.int32]
    note_words: list[str]


def score_pairs(
    model_set: ModelSet,
    expression: Expression,
    *,
    models: Sequence[str],
    drugs: Sequence[str],
    cancer_type: str | None = None,
    reference: str = TUMOURS,
) -> PairScores:
    """Score samples, each on its own; see `ModelSet.predict` for arguments and errors.

    Parameters
    ----------
    models, drugs
        Kinds of models, and drugs as the set names them.
    """
    cancer = find_cancer_type(cancer_type) if cancer_type else None
    samples = model_set.samples(expression, cancer.gdsc_tissue if cancer else None, reference)
    verdicts = model_set.references[reference].judge(expression)
    columns = [model_set.drugs.index(drug) for drug in drugs]
    shape = (len(verdicts.codes), len(models), len(drugs))
    probability, lower, upper = (np.empty(shape) for _ in range(3))
    sets, calls = np.zeros(shape, np.int8), np.empty(shape, np.int8)
    drug_notes: list[list[str]] = []
    for at, (model, members) in enumerate(model_set.score_members(models, samples)):
        found, codes = _numbers(model, members, samples)
        probability[:, at], lower[:, at], upper[:, at] = (part[:, columns] for part in found)
        if codes is not None:
            sets[:, at] = codes[:, columns] + 1
        calls[:, at] = call_codes(model, drugs, lower[:, at], upper[:, at], verdicts.codes)
        drug_notes.append(model_set.drug_notes(model, drugs))
    range_notes = [
        range_note(RANGES[code], reasons)
        for code, reasons in zip(verdicts.codes.tolist(), verdicts.reasons, strict=True)
    ]
    notes, words = _number_notes(range_notes, [note for row in drug_notes for note in row])
    return PairScores(
        samples=expression.samples,
        models=tuple(models),
        drugs=tuple(drugs),
        probability=probability,
        lower=lower,
        upper=upper,
        sets=sets,
        calls=calls,
        ranges=verdicts.codes,
        notes=notes.reshape(shape),
        note_words=words,
    )


def _numbers(
    model: ResponseModel, members: Array | None, samples: Samples
) -> tuple[tuple[Array, Array, Array], NDArray[np.int8] | None]:
    """Return probability, lower, upper and the codes of sets, each (n_samples, n_drugs)."""
    if isinstance(model, CalibratedModel) and members is not None:
        found = model.calibrate(members, samples)
        return (found.probability, found.lower, found.upper), found.sets
    prediction = model.predict(samples)
    frames = (prediction.probability, prediction.lower, prediction.upper)
    probability, lower, upper = (frame.to_numpy(float) for frame in frames)
    return (probability, lower, upper), None


def _number_notes(
    range_notes: Sequence[str], drug_notes: Sequence[str]
) -> tuple[NDArray[np.int32], list[str]]:
    """Return (n_samples, n_pairs) positions of joined notes, and the distinct notes."""
    of_range, range_codes = np.unique(range_notes, return_inverse=True)
    of_drug, drug_codes = np.unique(drug_notes, return_inverse=True)
    joined = [join_notes(str(a), str(b)) for a in of_range for b in of_drug]
    words, codes = np.unique(joined, return_inverse=True)
    table = codes.reshape(len(of_range), len(of_drug)).astype(np.int32)
    return table[range_codes[:, None], drug_codes[None, :]], [str(word) for word in words]
