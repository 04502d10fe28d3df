"""What is installed, told without loading it: standard library only, so that pages open at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resvae_core.config import models_folder
from resvae_core.errors import ArtifactError

SET_FILE = "model_set.json"
CARD_FILE = "card.json"


@dataclass(frozen=True)
class SetDescription:
    """A model set on disk.

    Parameters
    ----------
    name
        Id of the set.
    digest
        SHA-256 (hex) of ``model_set.json``, which holds the digest of every other file.
    learned
        Kinds of models that read expression, in the order of the set.
    default_model
        Kind that speaks where only one number has room.
    created
        ISO date.
    sources
        What it was trained on, as a sentence.
    """

    name: str
    digest: str
    learned: tuple[str, ...]
    default_model: str
    created: str
    sources: str


def describe_model_set(folder: Path | None = None) -> SetDescription:
    """Describe the models of a folder, the shipped ones by default.

    Raises
    ------
    ArtifactError
        If there is none, or it cannot be read.
    """
    folder = folder or models_folder()
    try:
        content = (folder / SET_FILE).read_bytes()
        document = json.loads(content)
        cards = {kind: _read(folder / kind / CARD_FILE) for kind in document["models"]}
        default = cards[document["default_model"]]
        return SetDescription(
            name=document["name"],
            digest=hashlib.sha256(content).hexdigest(),
            learned=tuple(kind for kind, card in cards.items() if not card["is_floor"]),
            default_model=document["default_model"],
            created=default["created"],
            sources=default["training"]["sources"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"There is no readable model set in {folder.name}/ ({type(error).__name__}).",
            remedy="Restore models/ from the repository, or run: python -m resvae_core train.",
        ) from error


def _read(path: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card
