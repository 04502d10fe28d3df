"""Model sets on disk: written whole or not at all, verified before they are used.

``models/`` holds one set: ``model_set.json`` with the digest of every other file, a folder a model
(``model.json``, ``weights.safetensors``, ``card.json``, ``history.json``), ``references/`` and
``evaluation/``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from resvae_core.data.files import file_digest, read_whole, replacing_folder, write_json
from resvae_core.data.splits import LEAVE_CELL_LINE_OUT
from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.features.range_check import Reference, Thresholds
from resvae_core.features.scaling import Moments
from resvae_core.models.base import WEIGHTS_FILE, read_model_document
from resvae_core.models.catalog import load_model
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.card import Card
from resvae_core.registry.description import CARD_FILE, active_set_folder, restore_remedy
from resvae_core.registry.pointer import SET_FILE

HISTORY_FILE = "history.json"
REFERENCES = "references"
EVALUATION = "evaluation"
ENCODERS = "encoders"
CANCER_TYPE = "cancer_type"
BESIDE = (ENCODERS, CANCER_TYPE)
"""Folders beside the set that are no part of it and stay when it is replaced."""
SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Verification:
    """What became of one file: ``intact``, ``altered`` or ``missing``."""

    file: str
    state: str


@dataclass(frozen=True)
class SetContents:
    """What a set holds, told without loading its models.

    Parameters
    ----------
    name, digest
        Id of the set, and SHA-256 (hex) of ``model_set.json``.
    models, references
        Their names, in the set's order.
    drugs
        In the order of the catalogue.
    genes
        Genes that a model or a reference reads.
    """

    name: str
    digest: str
    models: tuple[str, ...]
    references: tuple[str, ...]
    drugs: tuple[str, ...]
    genes: frozenset[str]


def read_contents(folder: Path) -> SetContents:
    """Read what a set holds from its documents; weights stay on the disk.

    Raises
    ------
    ArtifactError
        If a document is missing or cannot be read.
    """
    return read_whole(folder, _read_contents)


def _read_contents(folder: Path) -> SetContents:
    document, digest = _read_set(folder), file_digest(folder / SET_FILE)
    models = {kind: read_model_document(folder / kind) for kind in document["models"]}
    genes = {gene for model in models.values() for gene in model["genes"]}
    for name in document["references"]:
        genes.update(_load_reference(folder, name).genes)
    return SetContents(
        document["name"],
        digest,
        tuple(models),
        tuple(document["references"]),
        tuple(models[document["default_model"]]["drugs"]),
        frozenset(genes),
    )


def load_model_set(
    folder: Path | None = None, *, verify: bool = True, kinds: Sequence[str] | None = None
) -> ModelSet:
    """Load the models of a folder, the active ones by default.

    Parameters
    ----------
    folder
        Where ``model_set.json`` lies; the active set where None.
    verify
        Compare every file's digest first.
    kinds
        Models to load, with those that they predict through; all where None.

    Raises
    ------
    ConfigError
        If the set has no model of a kind.
    ArtifactError
        If a file is missing, altered or of another schema, or models do not fit together.
    """
    return read_whole(
        folder or active_set_folder(), lambda whole: _load_models(whole, verify, kinds)
    )


def _load_models(folder: Path, verify: bool, kinds: Sequence[str] | None) -> ModelSet:
    document, digest = _read_set(folder), file_digest(folder / SET_FILE)
    if verify:
        require_intact(folder)
    models = {kind: load_model(folder / kind) for kind in _with_parts(document, kinds)}
    for model in models.values():
        # a student predicts without its teacher
        if kinds is None or model.kind == Ensemble.kind:
            model.build_from({kind: models[kind] for kind in model.needs if kind in models})
    references = {name: _load_reference(folder, name) for name in document["references"]}
    return ModelSet(
        document["name"],
        models,
        references,
        document["default_model"] if document["default_model"] in models else next(iter(models)),
        _load_unproven(folder),
        digest,
    )


def _with_parts(document: dict[str, Any], kinds: Sequence[str] | None) -> list[str]:
    """Return the kinds that are asked for and those they predict through, in the set's order."""
    everything: list[str] = document["models"]
    if kinds is None:
        return everything
    unknown = [kind for kind in kinds if kind not in everything]
    if unknown or not kinds:
        raise ConfigError(
            f"The model set {document['name']} has no model {unknown[0] if unknown else ''!r}.",
            remedy=f"Use one or more of: {', '.join(everything)}.",
        )
    wanted = {*kinds, *(Ensemble.needs if Ensemble.kind in kinds else ())}
    return [kind for kind in everything if kind in wanted]


def verify_model_set(folder: Path | None = None) -> list[Verification]:
    """Compare every file of a set with its recorded digest.

    Raises
    ------
    ArtifactError
        If there is no readable ``model_set.json``.
    """
    return read_whole(folder or active_set_folder(), _verify)


def _verify(folder: Path) -> list[Verification]:
    found = []
    for name, expected in _read_set(folder)["digests"].items():
        path = folder / name
        if not path.is_file():
            state = "missing"
        else:
            state = "intact" if file_digest(path) == expected else "altered"
        found.append(Verification(name, state))
    return found


def require_intact(folder: Path | None = None) -> None:
    """Refuse a set of which a file is missing or altered.

    Raises
    ------
    ArtifactError
        Naming the first such file.
    """
    folder = folder or active_set_folder()
    broken = [v for v in verify_model_set(folder) if v.state != "intact"]
    if broken:
        raise ArtifactError(
            f"{broken[0].file} in {folder.name}/ is {broken[0].state}: its SHA-256 is not that "
            f"of the trained set ({len(broken)} file(s) in all).",
            remedy=restore_remedy(folder),
        )


def files_stamp(folder: Path) -> str:
    """Return what changes when a file of a set does: a digest of sizes and times, none of content.

    Raises
    ------
    ArtifactError
        If there is no readable ``model_set.json``.
    """
    digest = hashlib.sha256()
    for name in _read_set(folder)["digests"]:
        path = folder / name
        known = path.stat() if path.is_file() else None
        digest.update(f"{name} {known and (known.st_size, known.st_mtime_ns)}\n".encode())
    return digest.hexdigest()


def list_cards(folder: Path | None = None) -> list[Card]:
    """Return the cards of a set's models, learned models first."""
    folder = folder or active_set_folder()
    return [load_card(kind, folder) for kind in _read_set(folder)["models"]]


def load_card(kind: str, folder: Path | None = None) -> Card:
    """Return one model's card.

    Raises
    ------
    ArtifactError
        If there is none.
    """
    path = (folder or active_set_folder()) / kind / CARD_FILE
    try:
        return Card(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"The card of {kind!r} is missing or is no JSON.",
            remedy="Restore the folder from the repository, or train the set again.",
        ) from error


def set_digest(folder: Path | None = None) -> str:
    """Return the SHA-256 of ``model_set.json``, which holds every other file's: a cache key."""
    folder = folder or active_set_folder()
    _read_set(folder)
    return file_digest(folder / SET_FILE)


def load_evaluation(name: str, folder: Path | None = None) -> pd.DataFrame:
    """Return a table of a set's evaluation.

    Parameters
    ----------
    name
        One that `evaluation.summary.evaluation_tables` or `evaluation.external.external_tables`
        names: ``summary``, ``per_drug``, ``comparisons``, ``reliability``,
        ``reliability_by_tissue``, ``coverage_by_tissue``, ``coverage_by_drug``, ``ablations``
        (where models were judged without a part), ``external``, ``external_by_drug`` (without
        rows where no external measurement was installed), ``positive_controls``.
    folder
        Where ``model_set.json`` lies; the active set where None.

    Raises
    ------
    ArtifactError
        If the set was saved without it.
    """
    path = (folder or active_set_folder()) / EVALUATION / f"{name}.csv"
    if not path.is_file():
        raise ArtifactError(
            f"The table {name!r} of the evaluation is missing.",
            remedy="Train the set again: python -m resvae_core train.",
        )
    return pd.read_csv(path)


def save_model_set(
    model_set: ModelSet,
    cards: dict[str, Card],
    evaluation: Mapping[str, pd.DataFrame],
    folder: Path,
) -> None:
    """Replace the set in a folder by another one.

    The set is written beside the folder first, put on the disk, and moved into place when it is
    complete: whoever stops this half way keeps the old set. Of two processes that save into one
    folder the second waits for the first, and its set stays. The encoders and the cancer-type
    suggestion in the folder stay as they are: they are no part of the set, and have digests of
    their own.
    """
    with replacing_folder(folder) as staged:
        for kind, model in model_set.models.items():
            model.save(staged / kind)
            write_json(staged / kind / HISTORY_FILE, model.history())
            digest = file_digest(staged / kind / WEIGHTS_FILE)
            card = {"id": f"{kind}-{digest[:8]}", **cards[kind].document, "weights_sha256": digest}
            write_json(staged / kind / CARD_FILE, card)
        for name, reference in model_set.references.items():
            _save_reference(reference, staged, name)
        (staged / EVALUATION).mkdir(parents=True)
        for name, table in evaluation.items():
            table.to_csv(staged / EVALUATION / f"{name}.csv", index=False, float_format="%.5g")
        document = {
            "schema_version": SCHEMA_VERSION,
            "name": model_set.name,
            "default_model": model_set.default_model,
            "models": list(model_set.models),
            "references": list(model_set.references),
            "digests": {
                path.relative_to(staged).as_posix(): file_digest(path)
                for path in sorted(staged.rglob("*"))
                if path.is_file()
            },
        }
        write_json(staged / SET_FILE, document)
        for name in BESIDE:
            if (folder / name).is_dir():
                shutil.copytree(folder / name, staged / name, copy_function=_link)


def _link(source: str, target: str) -> None:
    """Give a file a second name, or copy it where the file system knows no such thing."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _read_set(folder: Path) -> dict[str, Any]:
    path = folder / SET_FILE
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"There is no readable {SET_FILE} in {folder.name}/.",
            remedy=restore_remedy(folder),
        ) from error
    if document.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactError(
            f"The model set has schema version {document.get('schema_version')!r}; this program "
            f"reads {SCHEMA_VERSION}.",
            remedy="Train the set again with this version.",
        )
    return document


def _load_unproven(folder: Path) -> dict[str, frozenset[str]]:
    """Return the drugs for which a model's gain over the tissue floor may be 0 on unseen lines."""
    table = load_evaluation("per_drug", folder)
    lift = table[
        (table["metric"] == "lift_over_tissue_floor") & (table["split"] == LEAVE_CELL_LINE_OUT)
    ]
    doubtful = lift[~(lift["lower"] > 0)]
    return {str(kind): frozenset(rows["drug"]) for kind, rows in doubtful.groupby("model")}


def _save_reference(reference: Reference, folder: Path, name: str) -> None:
    document = {"genes": list(reference.genes), "thresholds": asdict(reference.thresholds)}
    write_json(folder / REFERENCES / f"{name}.json", document)
    arrays = {
        "mean": reference.moments.mean,
        "sd": reference.moments.sd,
        "directions": reference.directions,
        "centres": reference.centres,
        "precision": reference.precision,
    }
    save_file(
        {key: np.ascontiguousarray(value) for key, value in arrays.items()},
        folder / REFERENCES / f"{name}.safetensors",
    )
    (folder / REFERENCES / f"{name}.safetensors").chmod(0o644)


def _load_reference(folder: Path, name: str) -> Reference:
    base = folder / REFERENCES / name
    try:
        document = json.loads(base.with_suffix(".json").read_text(encoding="utf-8"))
        arrays = load_file(base.with_suffix(".safetensors"))
        return Reference(
            tuple(document["genes"]),
            Moments(arrays["mean"], arrays["sd"]),
            arrays["directions"],
            arrays["centres"],
            arrays["precision"],
            Thresholds(**document["thresholds"]),
        )
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise ArtifactError(
            f"The reference {name!r} of the model set cannot be read ({type(error).__name__}).",
            remedy="Restore the folder from the repository, or train the set again.",
        ) from error
