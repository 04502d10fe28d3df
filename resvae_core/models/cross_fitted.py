"""The frame that every learned model shares: members on folds, calibration, intervals.

Fitting deals the training lines into folds and fits one *member* without each fold. The member
scores the fold it has not seen: those scores calibrate the probabilities and choose the
threshold. A prediction is the mean over members, and how much they differ gives the interval. So
the model that is judged is the model that is shipped. A training line that is uploaded again is
scored by members that saw it: its prediction looks better than a new line's.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Self

import numpy as np

from resvae_core.data.splits import leave_cell_line_out
from resvae_core.errors import ConfigError
from resvae_core.features.genes import arrange, order_genes
from resvae_core.features.scaling import Moments
from resvae_core.models.base import CELL_LINES, Arrays, Document, Samples
from resvae_core.models.calibrated import Array, CalibratedModel, Matrix
from resvae_core.tables import Screen

Rows = list[int]


class CrossFittedModel(CalibratedModel):
    """Base of the models that learn from expression.

    Parameters
    ----------
    n_members, seed
        See `CalibratedModel`.
    """

    @abstractmethod
    def _fit_member(self, member: int, z: Matrix, target: Array, rows: Rows) -> None:
        """Fit one member.

        Parameters
        ----------
        member
            Its number, from 0 on, in order.
        z, target
            Inputs and standardised targets of its lines; NaN = not measured.
        rows
            Which of the training lines they are.
        """

    @abstractmethod
    def _score_member(self, member: int, z: Matrix) -> Array:
        """Return (n_samples, n_drugs) predicted standardised ln IC50 of one member."""

    @abstractmethod
    def _member_arrays(self) -> Arrays:
        """Return the members' weights."""

    @abstractmethod
    def _restore_members(self, arrays: Arrays) -> None:
        """Take the members' weights back."""

    def fit(self, samples: Samples, screen: Screen) -> Self:
        """Fit members, calibration and threshold; see `ResponseModel.fit`."""
        if samples.expression.samples != screen.lines:
            raise ConfigError(
                "Expression and screen list different cell lines.",
                remedy="Select the same lines, in the same order, from both.",
            )
        self.genes_ = order_genes(samples.expression.genes)
        self.drugs_ = tuple(screen.drugs)
        self._prepare(samples)
        target = self._standardise_target(screen)
        self._calibrate(self._fit_members(self.inputs(samples), target, screen), screen)
        return self

    def inputs(self, samples: Samples) -> Matrix:
        """Return (n_samples, n_inputs) what the members read: standardised genes."""
        return self.standardise(samples)

    def score_members(self, samples: Samples) -> Array:
        """Return (n_members, n_samples, n_drugs) scores of samples, higher = more resistant."""
        return self.member_scores(self.inputs(samples))

    def member_scores(self, z: Matrix) -> Array:
        """Return (n_members, n_samples, n_drugs) scores from what `inputs` returned."""
        return np.stack([self._score_member(k, z) for k in range(self.n_members)])

    def learned(self) -> tuple[Arrays, Document]:
        """Return members, moments and calibration; see `ResponseModel.learned`."""
        arrays, document = super().learned()
        return {**self._member_arrays(), **arrays}, document

    def restore(self, arrays: Arrays, document: Document) -> None:
        """Take over what `learned` returned."""
        super().restore(arrays, document)
        self._restore_members(arrays)

    def _prepare(self, samples: Samples) -> None:
        """Learn from the training lines what `inputs` needs: here the genes' moments."""
        self.moments_ = {CELL_LINES: Moments.of(arrange(samples.expression, self.genes_))}

    def _fit_members(self, z: Matrix, target: Array, screen: Screen) -> Array:
        """Fit every member; return (n_lines, n_drugs) scores of lines it had not seen."""
        folds = leave_cell_line_out(screen.tissue, n_folds=self.n_members, seed=self.seed)
        row = {line: position for position, line in enumerate(screen.lines)}
        held_out = np.full(target.shape, np.nan)
        for fold in folds:
            train = [row[line] for line in fold.train]
            test = [row[line] for line in fold.test]
            self._fit_member(fold.number, z[train], target[train], train)
            held_out[test] = self._score_member(fold.number, z[test])
        return held_out
