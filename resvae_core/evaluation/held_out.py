"""What a model predicts for lines that it was not trained on, kept on disk.

One file a model and fold, named by everything that it depends on: the model's configuration, its
encoder and the models it is built from, the data, the lines on either side. A changed model finds
no file of its own and leaves those of the others alone. Metrics are computed from these files each
time they are read.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from resvae_core.data.splits import Fold
from resvae_core.durable_files import write_bytes
from resvae_core.encoders.catalog import load_encoder
from resvae_core.errors import ArtifactError
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.catalog import Effort, build_model
from resvae_core.models.conformal import to_codes
from resvae_core.models.resvae import ResVAE
from resvae_core.models.resvae_config import EMBEDDING
from resvae_core.tables import Screen

SCHEMA_VERSION = 4
"""Raised with a change of what the files hold."""
REVISIONS: dict[str, int] = {}
"""Kind to a number, raised with a change of that model which its configuration does not show."""
FRAMES = ("log_odds", "probability", "lower", "upper", "ln_ic50")

Matrix = NDArray[np.float32]


@dataclass(frozen=True)
class HeldOut:
    """One model's predictions for the test lines of one fold.

    Parameters
    ----------
    kind
        Of the model.
    fold
        Rows follow ``fold.test``.
    drugs
        Columns, in order.
    log_odds, probability, lower, upper, ln_ic50
        (n_test, n_drugs) float32, as in `models.base.Prediction`; pairs that nobody measured are
        predicted too.
    sets
        (n_test, n_drugs) codes of `models.conformal`; None for a model that makes no sets.
    threshold
        Probability below which a line is called sensitive.
    """

    kind: str
    fold: Fold
    drugs: tuple[str, ...]
    log_odds: Matrix
    probability: Matrix
    lower: Matrix
    upper: Matrix
    ln_ic50: Matrix
    sets: NDArray[np.int8] | None
    threshold: float


def predict_held_out(model: ResponseModel, samples: Samples, fold: Fold) -> HeldOut:
    """Predict a fold's test lines with a model fitted on its training lines."""
    prediction = model.predict(samples.select(fold.test))
    drugs = list(model.drugs_)
    conformal = prediction.conformal
    return HeldOut(
        kind=model.kind,
        fold=fold,
        drugs=model.drugs_,
        **{name: getattr(prediction, name)[drugs].to_numpy(np.float32) for name in FRAMES},
        sets=None if conformal is None else to_codes(conformal[drugs].to_numpy(str)),
        threshold=model.threshold_,
    )


def keep(held_out: HeldOut, path: Path) -> None:
    """Write predictions to a file, whole or not at all."""
    arrays: dict[str, NDArray[Any]] = {name: getattr(held_out, name) for name in FRAMES}
    arrays["threshold"] = np.array([held_out.threshold])
    if held_out.sets is not None:
        arrays["sets"] = held_out.sets
    path.parent.mkdir(parents=True, exist_ok=True)
    contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
    write_bytes(path, save(contiguous))


def read(path: Path, kind: str, fold: Fold, drugs: Iterable[str]) -> HeldOut:
    """Read what `keep` wrote.

    Raises
    ------
    ArtifactError
        If the file is missing, cannot be read, or has other dimensions than lines × drugs.
    """
    names = tuple(drugs)
    try:
        arrays = load_file(path)
        sets, threshold = arrays.pop("sets", None), float(arrays.pop("threshold")[0])
        held_out = HeldOut(kind, fold, names, **arrays, sets=sets, threshold=threshold)
    except (OSError, KeyError, TypeError, SafetensorError) as error:
        raise ArtifactError(
            f"The kept predictions {path.name} of {kind!r} are missing or cannot be read "
            f"({type(error).__name__}).",
            remedy="Delete the file and run the evaluation again.",
        ) from error
    if held_out.probability.shape != (len(fold.test), len(names)):
        raise ArtifactError(
            f"The kept predictions {path.name} of {kind!r} have shape "
            f"{held_out.probability.shape}; {(len(fold.test), len(names))} was expected.",
            remedy="Delete the file and run the evaluation again.",
        )
    return held_out


def data_digest(samples: Samples, screen: Screen) -> str:
    """Return a digest of expression, tissues and responses."""
    digest = hashlib.sha256(samples.expression.digest().encode())
    digest.update("\x1f".join(samples.tissues()).encode())
    digest.update(screen.ln_ic50.to_numpy().tobytes() + screen.resistant.to_numpy().tobytes())
    digest.update("\x1f".join([*screen.lines, "", *screen.drugs, "", *screen.tissue]).encode())
    return digest.hexdigest()


def model_digest(kind: str, seed: int, encoders: dict[str, str], effort: Effort = "full") -> str:
    """Return a digest of a model's configuration, its encoder and the models it is built from.

    Parameters
    ----------
    encoders
        Digests of encoders by name, filled as they are needed: loading one takes a while.
    effort
        As `build_model` takes it.
    """
    model = build_model(kind, seed=seed, effort=effort)
    parts = [model_digest(part, seed, encoders, effort) for part in model.needs]
    read_through = _encoder_digest(model, encoders)
    document = [kind, REVISIONS.get(kind, 1), model.configuration(), read_through, parts]
    return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()


def _encoder_digest(model: ResponseModel, encoders: dict[str, str]) -> str | None:
    """Return the digest of the encoder's weights, which the configuration only names."""
    if not isinstance(model, ResVAE) or EMBEDDING not in model.config.channels:
        return None
    name = str(model.config.encoder)
    if name not in encoders:
        encoders[name] = load_encoder(name, device="cpu").digest
    return encoders[name]


def paths_of(
    cache: Path,
    kinds: Iterable[str],
    folds: Iterable[Fold],
    samples: Samples,
    screen: Screen,
    effort: Effort = "full",
) -> list[dict[str, Path]]:
    """Return where predictions are kept: kind to file, for each fold.

    Raises
    ------
    ArtifactError
        If a model reads an encoder that is not there.
    """
    names, encoders, models = list(kinds), dict[str, str](), dict[tuple[str, int], str]()
    data = data_digest(samples, screen)
    found = []
    for fold in folds:
        members = "\x1f".join([fold.split, *fold.train, "", *fold.test])
        paths = {}
        for kind in names:
            key = (kind, fold.seed)
            models[key] = models.get(key) or model_digest(*key, encoders, effort)
            text = json.dumps([SCHEMA_VERSION, models[key], data, members])
            digest = hashlib.sha256(text.encode()).hexdigest()[:16]
            name = f"{fold.split}-{fold.seed}-{fold.number}-{digest}.safetensors"
            paths[kind] = cache / kind / name
        found.append(paths)
    return found


def out_of_fold(
    held_out: Iterable[HeldOut], split: str, seed: int, frame: str = "log_odds"
) -> dict[str, pd.DataFrame]:
    """Join the folds of one repetition: each line predicted by a model that never saw it.

    Parameters
    ----------
    frame
        One of `FRAMES`.

    Returns
    -------
    dict[str, DataFrame]
        Kind to (n_lines, n_drugs) float64, index = line ids in the order of the folds.
    """
    parts: dict[str, list[pd.DataFrame]] = {}
    for one in held_out:
        if (one.fold.split, one.fold.seed) == (split, seed):
            values = getattr(one, frame).astype(float)
            table = pd.DataFrame(values, index=list(one.fold.test), columns=list(one.drugs))
            parts.setdefault(one.kind, []).append(table)
    return {kind: pd.concat(tables) for kind, tables in parts.items()}
