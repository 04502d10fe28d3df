"""The cancer-type suggestion on disk: trained, judged, described, saved and loaded again.

``models/cancer_type/`` holds ``weights.safetensors`` and ``card.json``. It is no part of the model
set and has digests of its own: no drug-response model reads a suggestion.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from resvae_core.config import RESEARCH_USE, models_folder
from resvae_core.data.files import file_digest, replacing_folder, write_json
from resvae_core.data.type_tumours import TypeTumours, load_labelled_lines, load_type_tumours
from resvae_core.errors import ArtifactError
from resvae_core.evaluation.cancer_type import (
    CancerTypeFigures,
    Progress,
    judge,
    type_of_tissue,
)
from resvae_core.models.cancer_type import (
    KEPT,
    MINIMAL_GENES,
    N_FOLDS,
    Calibration,
    CancerTypeModel,
    Typical,
    fit_cancer_type_model,
)
from resvae_core.models.type_profiles import N_FACTORS, PIPELINE_GAP, PIPELINE_SD, TypeProfiles
from resvae_core.registry.card import library_versions
from resvae_core.registry.store import CANCER_TYPE

KIND = "cancer type suggestion"
WEIGHTS_FILE = "weights.safetensors"
CARD_FILE = "card.json"
SCHEMA_VERSION = 1
RESTORE = (
    "Restore models/cancer_type/ from the repository, or run: python -m resvae_core cancer-type."
)

PURPOSE = (
    "Suggests which of a few cancer types a bulk RNA-seq profile looks like, to question a type "
    "that was chosen by mistake. 'Unclear' is an answer."
)
NOT_FOR = (
    "Diagnosis, or finding the origin of a tumour of unknown primary.",
    "Types that it does not know: 28 of the 33 TCGA types are never suggested.",
    "Single cells, normal tissue, cell lines.",
)
LIMITS = (
    "It never saw normal tissue, nor a tumour outside TCGA: what it says of them was not measured.",
    "Open-set figures are of five types, each left out once. Types that are nearer to a known one "
    "(colon to rectum, oesophagus to stomach) may be named as their neighbour more often.",
    "Types and quantification pipelines go together in the tumours it learned from (READ was "
    "quantified in a way of its own, BLCA and STAD in another). Ranks within the sample, leaving "
    "out genes that follow the pipeline, and a variance for what pipelines do lessen this; they do "
    "not remove it: the type nearest to a left-out READ is LUAD, not STAD. Tumours of one type "
    "from several pipelines would be needed to do better, and to measure it.",
    "A tumour that another pipeline measured is more often unclear: by how much is measured with "
    "made-up pipelines alone (figures below).",
    "The probability is at even odds between a known type and one that nobody taught, and rests on "
    "five left-out types: near 1 for most answers, it says little about degrees.",
    "The share of held-out tumours that keep an answer was chosen with the figures at hand.",
)
LICENCES = {"TCGA level 3": "Open access"}

_ARRAYS = ("reference", "means", "factors", "variance", "type_variance")
_TYPICAL = ("typical_mean", "typical_sd")
_CALIBRATION = ("intercept", "slope", "sharpness", "limit")


def release_cancer_type(
    data: Path, target: Path, progress: Progress
) -> tuple[CancerTypeModel, CancerTypeFigures]:
    """Train the suggestion, judge it, and put it with its card where it is shipped from.

    Parameters
    ----------
    data
        Folder of installed data.
    target
        Folder of the suggestion; replaced as a whole when the new one is complete.
    progress
        Called with what comes next.
    """
    progress("reading tumours")
    tumours = load_type_tumours(data)
    progress("fitting")
    model = fit_cancer_type_model(tumours)
    lines, labels = load_labelled_lines(data)
    tissue = {str(name): type_of_tissue(str(labels[name]), model.types) for name in labels.index}
    figures = judge(tumours, model, lines, tissue, progress)
    save_cancer_type_model(model, describe(model, tumours, figures.tables()), target)
    return model, figures


def describe(
    model: CancerTypeModel,
    tumours: Mapping[str, TypeTumours],
    figures: Mapping[str, pd.DataFrame],
) -> dict[str, Any]:
    """Return the card of a model, without its weights' digest."""
    return {
        "schema_version": SCHEMA_VERSION,
        "kind": KIND,
        "title": "Cancer-type suggestion",
        "created": datetime.now(UTC).date().isoformat(),
        "notice": RESEARCH_USE,
        "not_for": list(NOT_FOR),
        "purpose": PURPOSE,
        "limits": list(LIMITS),
        "inputs": {
            "unit": "log2(TPM + 1), current gene symbols",
            "n_genes": len(model.genes),
            "minimal_genes": model.minimal_genes,
            "missing_genes": "left out of the ranks and of the distributions, never filled",
            "normalisation": "each sample is given a frozen distribution by the ranks of its genes",
        },
        "types": list(model.types),
        "genes": list(model.genes),
        "training": {
            "tumours": {code: len(g.expression.values) for code, g in tumours.items()},
            "pipelines": {code: g.pipeline for code, g in tumours.items()},
            "contents_sha256": {code: g.expression.digest() for code, g in tumours.items()},
            "licences": LICENCES,
        },
        "configuration": {
            "n_folds": N_FOLDS,
            "n_factors": N_FACTORS,
            "pipeline_sd_log2": PIPELINE_SD,
            "pipeline_gap_log2": PIPELINE_GAP,
            "share_of_held_out_kept": KEPT,
            "minimal_share_of_genes": MINIMAL_GENES,
        },
        "figures": {
            name: json.loads(table.round(4).to_json(orient="records"))
            for name, table in figures.items()
        },
        "versions": library_versions(),
    }


def save_cancer_type_model(model: CancerTypeModel, card: Mapping[str, Any], folder: Path) -> None:
    """Write weights and card; the folder is replaced as a whole when the new one is complete."""
    with replacing_folder(folder) as staged:
        staged.mkdir()
        arrays = {name: getattr(model.profiles, name) for name in _ARRAYS}
        arrays |= dict(zip(_TYPICAL, (model.typical.mean, model.typical.sd), strict=True))
        arrays["calibration"] = np.array([getattr(model.calibration, n) for n in _CALIBRATION])
        arrays["names_sha256"] = _names_digest(model.types, model.genes)
        contiguous = {name: np.ascontiguousarray(array) for name, array in arrays.items()}
        save_file(contiguous, staged / WEIGHTS_FILE)
        (staged / WEIGHTS_FILE).chmod(0o644)
        digest = file_digest(staged / WEIGHTS_FILE)
        document = {"id": f"{CANCER_TYPE}-{digest[:8]}", **card, "weights_sha256": digest}
        write_json(staged / CARD_FILE, document)


def load_cancer_type_card(folder: Path | None = None) -> dict[str, Any]:
    """Return the card of the suggestion.

    Parameters
    ----------
    folder
        Where it lies; ``cancer_type/`` of the `config.models_folder` where None.

    Raises
    ------
    ArtifactError
        If there is no readable card, or it is of another schema.
    """
    path = (folder or models_folder() / CANCER_TYPE) / CARD_FILE
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            "The card of the cancer-type suggestion is missing or is no JSON.", remedy=RESTORE
        ) from error
    if card.get("schema_version") != SCHEMA_VERSION or card.get("kind") != KIND:
        raise ArtifactError(
            f"The card says {card.get('kind')!r}, schema version {card.get('schema_version')!r}; "
            f"this program reads {KIND!r}, {SCHEMA_VERSION}.",
            remedy=RESTORE,
        )
    return card


def load_cancer_type_model(folder: Path | None = None) -> CancerTypeModel:
    """Load the suggestion, verified.

    Parameters
    ----------
    folder
        Where it lies; ``cancer_type/`` of the `config.models_folder` where None.

    Raises
    ------
    ArtifactError
        If a file is missing or altered, or card and weights do not fit together.
    """
    folder = folder or models_folder() / CANCER_TYPE
    card, path = load_cancer_type_card(folder), folder / WEIGHTS_FILE
    if not path.is_file() or file_digest(path) != card.get("weights_sha256"):
        state = "altered: its SHA-256 is not that of its card" if path.is_file() else "missing"
        raise ArtifactError(f"{WEIGHTS_FILE} in {folder.name}/ is {state}.", remedy=RESTORE)
    try:
        return _build(load_file(path), tuple(card["types"]), tuple(card["genes"]))
    except (KeyError, TypeError, ValueError, OSError, SafetensorError) as error:
        raise ArtifactError(
            f"The weights of the cancer-type suggestion do not fit its card ({error}).",
            remedy=RESTORE,
        ) from error


def _build(
    arrays: dict[str, NDArray[Any]], types: tuple[str, ...], genes: tuple[str, ...]
) -> CancerTypeModel:
    """Build the model.

    Raises
    ------
    KeyError
        If an array is missing.
    ValueError
        If one is unknown, of another shape or not finite, or names are not those of the weights.
    """
    shapes = {
        "reference": (len(genes),),
        "means": (len(types), len(genes)),
        "factors": (len(arrays["factors"]), len(genes)),
        "variance": (len(genes),),
        "type_variance": (1,),
        "typical_mean": (len(types), 2),
        "typical_sd": (len(types), 2),
        "calibration": (len(_CALIBRATION),),
        "names_sha256": (32,),
    }
    if unknown := set(arrays) - set(shapes):
        raise ValueError(f"unknown array {sorted(unknown)[0]!r}")
    for name, shape in shapes.items():
        if arrays[name].shape != shape or not np.isfinite(arrays[name]).all():
            raise ValueError(f"{name}: {arrays[name].shape}, expected finite {shape}")
    if not np.array_equal(arrays["names_sha256"], _names_digest(types, genes)):
        raise ValueError("genes or types are not those that the weights were made for")
    profiles = TypeProfiles(types, genes, *(arrays[name] for name in _ARRAYS))
    typical = Typical(*(arrays[name] for name in _TYPICAL))
    return CancerTypeModel(profiles, typical, Calibration(*arrays["calibration"].tolist()))


def _names_digest(types: Sequence[str], genes: Sequence[str]) -> NDArray[np.uint8]:
    digest = hashlib.sha256("\x1f".join([*types, "", *genes]).encode()).digest()
    return np.frombuffer(digest, np.uint8)
