"""XGBoost on ln IC50: one booster a member, whose rounds hold one tree a drug.

All drugs share a booster, so one call scores them all. Pairs that were not measured have gradient
and curvature 0 in the objective: they are masked, not filled. Saved as UBJ, compressed.
"""

from __future__ import annotations

import zlib
from itertools import count
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resvae_core.compute import choose_device, derive_seed
from resvae_core.errors import DeviceError
from resvae_core.models.base import Arrays, Document
from resvae_core.models.calibrated import Array, Matrix
from resvae_core.models.cross_fitted import CrossFittedModel, Rows
from resvae_core.training.watch import is_watched, report_epoch

if TYPE_CHECKING:
    import xgboost as xgb

REPORT_ROUNDS = 10
"""Rounds between two reports."""


class GradientBoosting(CrossFittedModel):
    """Boosted trees with a masked squared error.

    Parameters
    ----------
    n_rounds
        Trees per drug and member.
    learning_rate, max_depth, min_child_weight, subsample, colsample_bynode, reg_lambda, max_bin
        As in XGBoost.
    device
        Where it is fitted: ``cpu``, ``cuda``, or ``auto``, as `fitting_device` reads it. Other
        trees grow on CUDA, equally good. It predicts on the CPU, so what it says does not depend on
        the machine.
    n_members, seed
        See `CrossFittedModel`.
    """

    kind = "xgboost"
    title = "XGBoost"

    boosters_: list[xgb.Booster]

    def __init__(
        self,
        *,
        n_rounds: int = 100,
        learning_rate: float = 0.05,
        max_depth: int = 3,
        min_child_weight: float = 5.0,
        subsample: float = 0.7,
        colsample_bynode: float = 0.1,
        reg_lambda: float = 5.0,
        max_bin: int = 64,
        device: str = "auto",
        n_members: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__(n_members=n_members, seed=seed)
        self.n_rounds = n_rounds
        self.device = device
        self.tree_options = {
            "learning_rate": learning_rate,
            "max_depth": max_depth,
            "min_child_weight": min_child_weight,
            "subsample": subsample,
            "colsample_bynode": colsample_bynode,
            "reg_lambda": reg_lambda,
            "max_bin": max_bin,
        }

    def configuration(self) -> Document:
        """Return the constructor's arguments, without the device."""
        return {
            "n_rounds": self.n_rounds,
            **self.tree_options,
            "n_members": self.n_members,
            "seed": self.seed,
        }

    def _fit_member(self, member: int, z: Matrix, target: Array, rows: Rows) -> None:
        import xgboost as xgb

        if member == 0:
            self.boosters_ = []
        measured = (~np.isnan(target)).astype(np.float32)
        truth = np.nan_to_num(target).astype(np.float32)

        rounds = count()

        def masked_squared_error(
            score: NDArray[np.float32], _: Any
        ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
            gradient = (score.reshape(truth.shape) - truth) * measured
            self._report(member, next(rounds), gradient, measured)
            return gradient, measured

        options = {
            **self.tree_options,
            "tree_method": "hist",
            "base_score": 0.0,
            "num_target": target.shape[1],
            "multi_strategy": "one_output_per_tree",
            "disable_default_eval_metric": True,
            "nthread": 1,
            "device": fitting_device(self.device),
            "seed": derive_seed(self.kind, self.seed, member),
        }
        matrix = xgb.DMatrix(z, label=truth, nthread=1)
        booster = xgb.train(options, matrix, self.n_rounds, obj=masked_squared_error)
        booster.set_param({"device": "cpu"})
        self.boosters_.append(booster)

    def _report(
        self,
        member: int,
        n_rounds: int,
        gradient: NDArray[np.float32],
        measured: NDArray[np.float32],
    ) -> None:
        """Tell whoever watches the loss so far: half the mean squared error of what was measured.

        The gradient is the error itself.
        """
        if n_rounds % REPORT_ROUNDS == 0 and is_watched():
            loss = 0.5 * float(np.square(gradient).sum()) / max(1.0, float(measured.sum()))
            where = {"member": member, "n_members": self.n_members}
            report_epoch(
                self.kind, {**where, "epoch": n_rounds, "n_epochs": self.n_rounds, "loss": loss}
            )

    def _score_member(self, member: int, z: Matrix) -> Array:
        score = self.boosters_[member].inplace_predict(z, predict_type="margin")
        return np.asarray(score, float).reshape(len(z), len(self.drugs_))

    def contributions(self, member: int, z: Matrix) -> Array:
        """Return TreeSHAP values (n_samples, n_drugs, n_genes + 1); the last entry is the base."""
        import xgboost as xgb

        matrix = xgb.DMatrix(z, nthread=1)
        values = self.boosters_[member].predict(matrix, pred_contribs=True)
        return np.asarray(values, float).reshape(len(z), len(self.drugs_), z.shape[1] + 1)

    def _member_arrays(self) -> Arrays:
        return {
            f"member{number}.ubj.zlib": np.frombuffer(
                zlib.compress(bytes(booster.save_raw("ubj")), level=9), np.uint8
            )
            for number, booster in enumerate(self.boosters_)
        }

    def _restore_members(self, arrays: Arrays) -> None:
        import xgboost as xgb

        self.boosters_ = []
        for number in range(self.n_members):
            booster = xgb.Booster({"nthread": 1})
            ubj = zlib.decompress(arrays[f"member{number}.ubj.zlib"].tobytes())
            booster.load_model(bytearray(ubj))
            self.boosters_.append(booster)


def fitting_device(name: str) -> str:
    """Return the device that XGBoost fits on, as it spells it: ``cpu``, ``cuda`` or ``cuda:N``.

    Parameters
    ----------
    name
        ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: the CPU where this build of XGBoost has no CUDA,
        else what `choose_device` says.

    Raises
    ------
    DeviceError
        If CUDA is asked for and this build, or this machine, has none.
    """
    import xgboost as xgb

    has_cuda = bool(xgb.build_info()["USE_CUDA"])
    if name == "cpu" or (name == "auto" and not has_cuda):
        return "cpu"
    if not has_cuda:
        raise DeviceError(
            f"XGBoost was asked to fit on {name!r}, but this build of it has no CUDA.",
            remedy="Install xgboost in place of xgboost-cpu, or use 'auto' or 'cpu'.",
        )
    return str(choose_device(name))
