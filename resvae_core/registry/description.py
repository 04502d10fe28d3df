"""What is installed, told without loading it: standard library only, so that pages open at once."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resvae_core.data.files import read_whole, settled
from resvae_core.errors import ArtifactError
from resvae_core.registry.pointer import (
    ROLL_BACK,
    SET_FILE,
    SHIPPED,
    read_pointer,
    resolve,
    sets_folder,
)

CARD_FILE = "card.json"
RESTORE = "Restore models/ from the repository, or run: python -m resvae_core train."


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
    synthetic
        Whether that was drawn from a generator.
    drugs
        What it predicts, in the order of the set.
    n_genes
        Genes that the default model reads.
    share_resistant
        Of its training pairs, 0 to 1.
    folder
        Where it lies: who reads several of its files reads all of them there.
    id
        In the registry: ``shipped``, or name and first digits of the digest.
    effort
        Of its training, ``full`` or ``short``; empty where its cards do not say.
    """

    name: str
    digest: str
    learned: tuple[str, ...]
    default_model: str
    created: str
    sources: str
    synthetic: bool
    drugs: tuple[str, ...]
    n_genes: int
    share_resistant: float
    folder: Path
    id: str
    effort: str

    @property
    def stamp(self) -> str:
        """Name and first digits of the digest: what results say of who made them."""
        return f"{self.name} ({self.digest[:8]})"


def active_set_folder() -> Path:
    """Return the folder of the active model set: the shipped one, or the one promoted last.

    Raises
    ------
    ArtifactError
        If the set that was promoted is missing or altered; nothing takes its place unasked.
    """
    return settled(resolve(read_pointer()))


def is_retrained(folder: Path) -> bool:
    """Tell whether a folder is that of a set which was trained here, not of the shipped one."""
    return folder.parent == sets_folder()


def restore_remedy(folder: Path) -> str:
    """Say what to do about a set whose files are missing or altered."""
    return ROLL_BACK if is_retrained(folder) else RESTORE


def describe_model_set(folder: Path | None = None) -> SetDescription:
    """Describe the models of a folder, the active ones by default.

    Raises
    ------
    ArtifactError
        If there is none, or it cannot be read.
    """
    return read_whole(folder or active_set_folder(), _describe)


def _describe(folder: Path) -> SetDescription:
    try:
        content = (folder / SET_FILE).read_bytes()
        document = json.loads(content)
        cards = {kind: _read(folder / kind / CARD_FILE) for kind in document["models"]}
        default = cards[document["default_model"]]
        training = default["training"]
        return SetDescription(
            name=document["name"],
            digest=hashlib.sha256(content).hexdigest(),
            learned=tuple(kind for kind, card in cards.items() if not card["is_floor"]),
            default_model=document["default_model"],
            created=default["created"],
            sources=training["sources"],
            synthetic=bool(training.get("synthetic", False)),
            drugs=tuple(default["drugs"]),
            n_genes=len(default["genes"]),
            share_resistant=float(training["share_resistant"]),
            folder=folder,
            id=folder.name if is_retrained(folder) else SHIPPED,
            effort=str((default.get("request") or {}).get("effort", "")),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ArtifactError(
            f"There is no readable model set in {folder.name}/ ({type(error).__name__}).",
            remedy=restore_remedy(folder),
        ) from error


def _read(path: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return card
