"""The ensemble of the five models: the mean of their scores, calibrated anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import numpy as np

from resvae_core.errors import ConfigError, NotFittedError
from resvae_core.models.base import Document, ResponseModel, Samples
from resvae_core.models.calibrated import Array, CalibratedModel
from resvae_core.tables import Screen


class Ensemble(CalibratedModel):
    """Mean of the scores of fitted models, member by member.

    Its parts were fitted on the same folds, so the mean of their held-out scores is a held-out
    score of the mean: calibration, threshold, intervals and sets are those of any other model. It
    holds no weights but its calibration; the parts are handed over by `build_from`.

    Parameters
    ----------
    n_members, seed
        Those of the parts.
    """

    kind = "ensemble"
    title = "Ensemble of five"
    needs = ("vae_ll", "vae_ls", "vae_ld", "random_forest", "xgboost")

    parts_: dict[str, CalibratedModel]

    def configuration(self) -> Document:
        """Return the constructor's arguments."""
        return {"n_members": self.n_members, "seed": self.seed}

    def build_from(self, parts: Mapping[str, ResponseModel]) -> None:
        """Take the fitted parts.

        Raises
        ------
        ConfigError
            If one is missing, learns nothing from expression, or was fitted on other folds.
        """
        self.parts_ = {}
        for kind in self.needs:
            part = parts.get(kind)
            if not isinstance(part, CalibratedModel):
                raise ConfigError(
                    f"The ensemble averages {', '.join(self.needs)}; {kind!r} is missing.",
                    remedy="Fit or load all of them.",
                )
            if (part.n_members, part.seed) != (self.n_members, self.seed):
                raise ConfigError(
                    f"{kind!r} was fitted on other folds (seed {part.seed}, {part.n_members} "
                    f"members) than the ensemble's (seed {self.seed}, {self.n_members} members).",
                    remedy="Fit the parts with the ensemble's seed and number of members.",
                )
            self.parts_[kind] = part

    def fit(self, samples: Samples, screen: Screen) -> Self:
        """Calibrate the mean of the parts, which were fitted on the same lines."""
        held_out = np.mean([part.held_out_ for part in self._parts()], axis=0)
        first = self._parts()[0]
        if held_out.shape != screen.ln_ic50.shape:
            raise ConfigError(
                f"The parts were fitted on {held_out.shape[0]} lines and {held_out.shape[1]} "
                f"drugs, not on these {screen.ln_ic50.shape[0]} and {screen.ln_ic50.shape[1]}.",
                remedy="Fit parts and ensemble on the same lines.",
            )
        self.genes_, self.drugs_ = first.genes_, first.drugs_
        self.moments_ = dict(first.moments_)
        self._standardise_target(screen)
        self._calibrate(held_out, screen)
        return self

    def score_members(self, samples: Samples) -> Array:
        """Return (n_members, n_samples, n_drugs) means over the parts."""
        return self.combine({part.kind: part.score_members(samples) for part in self._parts()})

    def combine(self, scores: Mapping[str, Array]) -> Array:
        """Return the mean of the parts' scores; those of other models are left aside.

        Parameters
        ----------
        scores
            Kind to what that model's `score_members` gave, for every part.
        """
        mean: Array = np.mean([scores[kind] for kind in self.needs], axis=0)
        return mean

    def _parts(self) -> list[CalibratedModel]:
        if not hasattr(self, "parts_"):
            raise NotFittedError(
                "The ensemble has not been given its parts.",
                remedy="Call build_from() with the fitted models, or load the whole model set.",
            )
        return list(self.parts_.values())
