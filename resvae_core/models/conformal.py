"""Sets of classes that a prediction does not exclude, with a stated share of right ones.

Split-conformal sets, one threshold a drug, class and lineage (Mondrian): of the resistant lines
of a drug nine in ten get a set that contains *resistant*, and of its sensitive lines nine in ten
one that contains *sensitive*, however rare the class is, among solid tissues and among blood alike.
Blood lines respond to most drugs more often than solid ones do: thresholds for both together
exclude *resistant* too often in blood and *sensitive* too often in solid tissues. Where the lineage
is not known a set holds what either lineage's set holds.

A set may hold both classes (the prediction does not tell), one, or neither (the prediction is
unlike either class's lines). The promise is an average over lines exchangeable with those it was
calibrated on: it is measured on cell lines left out of training (``coverage_*`` in the evaluation)
and holds for no single tissue, other screen or tumour by itself.

The calibrating probabilities come from single members, a prediction from their mean, so the share
is close to nominal rather than guaranteed: the evaluation says how close.

Source: Vovk, Gammerman and Shafer, Algorithmic Learning in a Random World (2005), ch. 4.5.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resvae_core.data.cancer_types import is_blood
from resvae_core.models.base import NO_TISSUE

Array = NDArray[np.float64]

NOMINAL = 0.90
"""Share of a class's lines whose set is to contain their class."""
NEITHER, RESISTANT, SENSITIVE, BOTH = range(4)
"""Codes of sets: bit 1 says that *resistant* is in it, bit 2 that *sensitive* is."""
WORDS = ("neither", "resistant", "sensitive", "both")
"""Words for the codes, by their number."""
SOLID, BLOOD, UNKNOWN = 0, 1, -1
"""Codes of lineages; the first two are rows of thresholds."""


@dataclass(frozen=True)
class Conformal:
    """Two thresholds a lineage and drug, on the calibrated probability of resistance.

    Parameters
    ----------
    lowest_resistant
        (2, n_drugs), rows `SOLID` and `BLOOD`: a set contains *resistant* unless the probability
        lies below; -inf where too few resistant lines of the lineage were seen to exclude the
        class at all.
    highest_sensitive
        (2, n_drugs) a set contains *sensitive* unless the probability lies above; inf where too few
        sensitive lines of the lineage were seen.
    """

    lowest_resistant: Array
    highest_sensitive: Array

    def sets(self, probability: Array, lineage: NDArray[np.int8]) -> NDArray[np.int8]:
        """Return the code of each set; see `WORDS`.

        Parameters
        ----------
        probability
            (n_samples, n_drugs) P(resistant), calibrated as it was in `fit_conformal`. NaN
            excludes nothing: its set is *both*.
        lineage
            (n_samples,) `SOLID`, `BLOOD` or `UNKNOWN`; a sample of unknown lineage gets the union
            of both lineages' sets.
        """
        solid, blood = (self._sets_of(row, probability) for row in (SOLID, BLOOD))
        code = lineage[:, None]
        return np.where(code == SOLID, solid, np.where(code == BLOOD, blood, solid | blood))

    def _sets_of(self, row: int, probability: Array) -> NDArray[np.int8]:
        """Return the sets by one lineage's thresholds."""
        resistant = ~(probability < self.lowest_resistant[row, :])
        sensitive = ~(probability > self.highest_sensitive[row, :])
        return (resistant * RESISTANT + sensitive * SENSITIVE).astype(np.int8)


def lineage_codes(tissue: NDArray[np.str_]) -> NDArray[np.int8]:
    """Return `SOLID`, `BLOOD` or (for the label ``unknown``) `UNKNOWN` for each tissue label."""
    known = np.where(is_blood(tissue), BLOOD, SOLID)
    return np.where(tissue == NO_TISSUE, UNKNOWN, known).astype(np.int8)


def in_words(sets: NDArray[np.int8]) -> NDArray[np.str_]:
    """Return ``neither``, ``resistant``, ``sensitive`` or ``both`` for each code."""
    return np.array(WORDS)[sets]


def to_codes(words: NDArray[np.str_]) -> NDArray[np.int8]:
    """Return the code of each word: the reverse of `in_words`."""
    codes = np.zeros(words.shape, np.int8)
    for code, word in enumerate(WORDS):
        codes[words == word] = code
    return codes


def fit_conformal(
    probability: Array, resistant: Array, blood: NDArray[np.bool_], *, nominal: float = NOMINAL
) -> Conformal:
    """Choose thresholds from predictions for lines that the predicting member had not seen.

    Parameters
    ----------
    probability
        (n_lines, n_drugs) calibrated out-of-fold P(resistant).
    resistant
        (n_lines, n_drugs) 1 resistant, 0 sensitive, NaN not measured.
    blood
        (n_lines,) whether a line is of the blood lineage.
    nominal
        Share of each class's lines to cover, between 0 and 1.

    Returns
    -------
    Conformal
        Each threshold is the order statistic of the class's own lines in the lineage that a new,
        exchangeable line passes with at least the nominal probability. A class of too few lines
        for that (fewer than 9 at 0.90) is in every set of the lineage.
    """
    groups = (~blood, blood)
    lowest = [_lowest_of(probability[g], resistant[g] == 1, nominal) for g in groups]
    highest = [-_lowest_of(-probability[g], resistant[g] == 0, nominal) for g in groups]
    return Conformal(np.stack(lowest), np.stack(highest))


def _lowest_of(values: Array, of_class: NDArray[np.bool_], nominal: float) -> Array:
    """Return (n_drugs,) thresholds for the lines of one class and lineage."""
    columns = zip(values.T, of_class.T, strict=True)
    return np.array([_lowest(column[inside], nominal) for column, inside in columns])


def _lowest(values: Array, nominal: float) -> float:
    """Return the value that a new one of the same kind lies below with at most 1 - nominal."""
    values = np.sort(values[np.isfinite(values)])
    rank = int((len(values) + 1) * (1 - nominal) + 1e-9)
    return float(values[rank - 1]) if rank else float("-inf")
