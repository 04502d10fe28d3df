"""Every kind of model by name. Adding a model is a class and a row here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.models.ablations import ABLATIONS
from resvae_core.models.base import ResponseModel, read_model_document
from resvae_core.models.calibrated import CalibratedModel
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.floors import AlwaysResistant, DrugMean, DrugTissueMean, TissueMean
from resvae_core.models.gradient_boosting import GradientBoosting
from resvae_core.models.random_forest import RandomForest
from resvae_core.models.resvae import VaeLD, VaeLL, VaeLS

KINDS: dict[str, type[ResponseModel]] = {
    model.kind: model
    for model in (
        VaeLL,
        VaeLS,
        VaeLD,
        RandomForest,
        GradientBoosting,
        ElasticNet,
        Ensemble,
        DrugTissueMean,
        TissueMean,
        DrugMean,
        AlwaysResistant,
    )
}


Effort = Literal["full", "short"]

_SHORT_VAE = {"n_members": 3, "settings": {"training": {"n_epochs": 8}}}
SHORT: Mapping[str, Mapping[str, Any]] = {
    **dict.fromkeys(("vae_ll", "vae_ls", "vae_ld"), _SHORT_VAE),
    "random_forest": {"n_members": 3, "n_trees": 8},
    "xgboost": {"n_members": 3, "n_rounds": 30},
    "elastic_net": {"n_members": 3},
    "ensemble": {"n_members": 3},
}
"""What a short run changes of the standard settings: enough to try out the steps of a training, too
little for models that anybody should read."""


def learned_names() -> list[str]:
    """Return the names of the models that learn from expression, in the order of display."""
    return [kind for kind, model in KINDS.items() if not model.is_floor]


def floor_names() -> list[str]:
    """Return the names of the floors, the strongest first."""
    return [kind for kind, model in KINDS.items() if model.is_floor]


def title_of(kind: str) -> str:
    """Return a kind's name for people."""
    return {**KINDS, **ABLATIONS}[kind].title


def build_model(kind: str, *, seed: int = 0, effort: Effort = "full") -> ResponseModel:
    """Return an unfitted model with its standard settings, or with those of a short run.

    Parameters
    ----------
    effort
        ``short``: fewer members, trees, rounds and epochs (`SHORT`).

    Raises
    ------
    ConfigError
        If the kind is not known.
    """
    known: dict[str, type[ResponseModel]] = {**KINDS, **ABLATIONS}
    if kind not in known:
        raise ConfigError(
            f"{kind!r} is no kind of model.", remedy=f"Use one of: {', '.join(KINDS)}."
        )
    model = known[kind](**(SHORT.get(kind, {}) if effort == "short" else {}))
    if isinstance(model, CalibratedModel):
        model.seed = seed
    return model


def with_needs(kinds: Sequence[str]) -> list[str]:
    """Return the kinds and all that they are built from, each after what it needs."""
    order: list[str] = []
    for kind in kinds:
        needs = with_needs(build_model(kind).needs)
        order += [name for name in (*needs, kind) if name not in order]
    return order


def load_model(folder: Path) -> ResponseModel:
    """Load a saved model of whatever kind.

    Raises
    ------
    ArtifactError
        If the folder is missing, incomplete, or of a kind that this program does not know.
    """
    kind = read_model_document(folder)["kind"]
    if kind not in KINDS:
        raise ArtifactError(
            f"{folder.name} holds a model of kind {kind!r}, which this program does not know.",
            remedy=f"It knows {', '.join(KINDS)}. Update the program, or remove the model.",
        )
    return KINDS[kind].load(folder)
