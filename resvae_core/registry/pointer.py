"""Which model set is the active one: a small file, replaced whole. Standard library only.

``<state>/sets/active.json`` names the active set, those that were active before it, those that are
archived, and who changed what. Without the file the shipped set is the active one. Retrained sets
lie beside it, each in a folder of its own that nothing changes once it is there.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from resvae_core.config import models_folder, state_folder
from resvae_core.durable_files import PARTIAL, write_json
from resvae_core.errors import ArtifactError

SET_FILE = "model_set.json"
SHIPPED = "shipped"
"""Id of the set that came with the program."""
SETS = "sets"
POINTER_FILE = "active.json"
SCHEMA_VERSION = 1
ROLL_BACK = (
    "Roll back on Settings, Model sets, or run: python -m resvae_core models rollback. "
    "A backup of the state folder brings the set back."
)


@dataclass(frozen=True)
class Change:
    """One change of the registry.

    Parameters
    ----------
    at
        UTC, ISO format.
    by
        Account.
    action
        ``promote``, ``roll back``, ``archive`` or ``restore``.
    set
        Id of the set that was promoted, archived or restored; of the one rolled back to.
    reason
        Why it was promoted although a gate did not pass; else empty.
    """

    at: str
    by: str
    action: str
    set: str
    reason: str = ""


@dataclass(frozen=True)
class Pointer:
    """What ``active.json`` says.

    Parameters
    ----------
    active
        Id of the active set.
    digest
        SHA-256 (hex) of its ``model_set.json``; not looked at for the shipped set, which a new
        version of the program may replace.
    previous
        Ids of the sets that were active before, the latest last.
    archived
        Ids of the sets that were put aside.
    history
        All changes, the latest last.
    """

    active: str = SHIPPED
    digest: str = ""
    previous: tuple[str, ...] = ()
    archived: tuple[str, ...] = ()
    history: tuple[Change, ...] = field(default=())

    def reason(self, identifier: str) -> str:
        """Return why a set is, or was, active although a gate did not pass; empty where all did."""
        if identifier not in (self.active, *self.previous):
            return ""
        promotions = (
            change
            for change in reversed(self.history)
            if change.set == identifier and change.action == "promote"
        )
        return next((change.reason for change in promotions), "")


def sets_folder() -> Path:
    """Return the folder of the retrained sets; it need not exist."""
    return state_folder() / SETS


def set_folder(identifier: str) -> Path:
    """Return where a set of this id lies; it need not exist."""
    return models_folder() if identifier == SHIPPED else sets_folder() / identifier


def pointer_path() -> Path:
    """Return the path of ``active.json``."""
    return sets_folder() / POINTER_FILE


def read_pointer() -> Pointer:
    """Return what the pointer says; the shipped set where there is none.

    Raises
    ------
    ArtifactError
        If it is there and cannot be read.
    """
    try:
        document: dict[str, Any] = json.loads(pointer_path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Pointer()
    except (OSError, ValueError) as error:
        raise _unreadable(type(error).__name__) from error
    try:
        if document["schema_version"] != SCHEMA_VERSION:
            raise _unreadable("another schema version")
        return Pointer(
            active=str(document["active"]),
            digest=str(document["digest"]),
            previous=tuple(map(str, document["previous"])),
            archived=tuple(map(str, document["archived"])),
            history=tuple(Change(**change) for change in document["history"]),
        )
    except (KeyError, TypeError) as error:
        raise _unreadable(type(error).__name__) from error


def write_pointer(pointer: Pointer) -> None:
    """Replace the pointer: whoever reads, at any moment, finds the old one or the new one.

    To be called by one process at a time (`database.exclusive`), so that no change is lost.
    """
    path = pointer_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    for left in path.parent.glob(f"{POINTER_FILE}{PARTIAL}*"):
        left.unlink(missing_ok=True)  # of a process that was killed before the file had its name
    write_json(path, {"schema_version": SCHEMA_VERSION, **asdict(pointer)})


def digest_of(folder: Path) -> str:
    """Return the SHA-256 (hex) of a set's ``model_set.json``; empty where there is none."""
    try:
        return hashlib.sha256((folder / SET_FILE).read_bytes()).hexdigest()
    except OSError:
        return ""


def resolve(pointer: Pointer) -> Path:
    """Return the folder of the active set.

    Raises
    ------
    ArtifactError
        If the set is missing or is not the one that was promoted.
    """
    folder = set_folder(pointer.active)
    if pointer.active == SHIPPED:
        return folder
    digest = digest_of(folder)
    if digest != pointer.digest:
        state = "altered" if digest else "missing"
        raise ArtifactError(
            f"The active model set {pointer.active} is {state}: the set that was promoted was "
            "expected.",
            remedy=ROLL_BACK,
        )
    return folder


def _unreadable(why: str) -> ArtifactError:
    return ArtifactError(
        f"The file that names the active model set ({SETS}/{POINTER_FILE}) cannot be read ({why}).",
        remedy=ROLL_BACK,
    )
