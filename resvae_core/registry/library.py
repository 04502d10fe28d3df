"""The library of model sets: what is there, which is active, and how that changes.

The shipped set lies in ``models/`` and is never changed here. Retrained sets lie in
``<state>/sets/``, each in a folder that is moved into place whole and not changed afterwards; what
is computed of a set later (``evidence/``) lies beside the files whose digests make the set. Which
one is active is said by a pointer (`registry.pointer`) that is replaced in one step, by one process
at a time.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from resvae_core.access.roles import Actor, require
from resvae_core.data.files import replace_folder, replacing_folder
from resvae_core.errors import ArtifactError, CatalogError, ConfigError
from resvae_core.registry.description import describe_model_set
from resvae_core.registry.pointer import (
    SHIPPED,
    Change,
    Pointer,
    digest_of,
    pointer_path,
    read_pointer,
    resolve,
    set_folder,
    sets_folder,
    write_pointer,
)

SetState = Literal["active", "candidate", "archived", "previous"]
Action = Literal["promote", "roll back", "archive", "restore"]

ORIGIN_FILE = "origin.json"
"""Where a set came from; no part of the digested set."""
MINIMAL_REASON = 20
"""Characters of a reason: room for one sentence, not for a full stop."""
SHIPPED_ORIGIN = "shipped"
RECORDED: dict[Action, str] = {
    "promote": "set.promoted",
    "roll back": "set.rolled_back",
    "archive": "set.archived",
    "restore": "set.restored",
}
"""What the audit calls each change."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,47}")


@dataclass(frozen=True)
class SetEntry:
    """A model set in the library.

    Parameters
    ----------
    id
        ``shipped``, or name and first eight digits of the digest.
    name
        Of the set, as results name it.
    folder
        Where it lies.
    state
        ``active``; ``previous``: was active, and is what a roll-back may come to; ``archived``:
        put aside; ``candidate``: none of these.
    created
        ISO date.
    digest
        SHA-256 (hex) of ``model_set.json``; empty where that is missing.
    origin
        ``shipped``, or the id of the job that trained it.
    note
        What is wrong with the set, or why it was promoted although a gate did not pass.
    """

    id: str
    name: str
    folder: Path
    state: SetState
    created: str
    digest: str
    origin: str
    note: str = ""


def list_sets() -> list[SetEntry]:
    """Return all sets: the shipped one first, then retrained ones by the time they came.

    Raises
    ------
    ArtifactError
        If the pointer cannot be read.
    """
    pointer = read_pointer()
    return [_entry(identifier, pointer) for identifier in _identifiers()]


def find_set(identifier: str) -> SetEntry:
    """Return one set, by its id.

    Raises
    ------
    CatalogError
        If there is none of this id.
    ArtifactError
        If the pointer cannot be read.
    """
    known = _identifiers()
    if identifier not in known:
        raise CatalogError(
            f"There is no model set {identifier!r}.", remedy=f"Use one of: {', '.join(known)}."
        )
    return _entry(identifier, read_pointer())


def active_set() -> SetEntry:
    """Return the active set.

    Raises
    ------
    ArtifactError
        If it is missing or altered, or the pointer cannot be read.
    """
    pointer = read_pointer()
    resolve(pointer)
    return _entry(pointer.active, pointer)


def active_id() -> str:
    """Return the id of the active set, intact or not; empty where the pointer cannot be read."""
    try:
        return read_pointer().active
    except ArtifactError:
        return ""


def add_candidate(
    staged: Path, *, origin: str, before_add: Callable[[str, str], None] = lambda _id, _digest: None
) -> SetEntry:
    """Take a complete set into the library, as a candidate.

    Parameters
    ----------
    staged
        Folder as `store.save_model_set` writes it. It is moved; a second call of a job that was
        stopped behind the move finds what the first one made. It takes the place of the same set
        in the library where that was damaged.
    origin
        Id of the job that trained it.
    before_add
        Called with id and digest of the set when nothing stands in the way any more; an error that
        it raises leaves the set where it is.

    Raises
    ------
    ArtifactError
        If files are missing or altered.
    ConfigError
        If the set's name cannot be the name of a folder.
    """
    if not staged.is_dir():
        return _came_from(origin, staged)
    described = _verified(staged)
    identifier = f"{described.name}-{described.digest[:8]}"
    target = sets_folder() / identifier
    before_add(identifier, described.digest)
    if digest_of(target) == described.digest and _is_intact(target):
        shutil.rmtree(staged)
    else:
        _move(staged, target, origin)
    return find_set(identifier)


def find_digest(digest: str) -> SetEntry:
    """Return the set with this digest: what a job that was told a digest is to use.

    Raises
    ------
    CatalogError
        If no set here has it.
    """
    found = [entry for entry in list_sets() if entry.digest == digest]
    if not found:
        raise CatalogError(
            f"There is no model set with the digest {digest[:8]} any more.",
            remedy="Start again: the active model set is used then.",
        )
    return found[0]


def promote(identifier: str, *, actor: Actor, reason: str = "") -> SetEntry:
    """Make a set the active one.

    The gates are checked here and now, against the set that is active.

    Parameters
    ----------
    reason
        Why it is promoted although a gate did not pass, `MINIMAL_REASON` characters or more; it is
        kept in the history. Not read where all gates pass.

    Raises
    ------
    AccessError
        If the role does not allow it.
    CatalogError, ArtifactError
        If there is no such set, or its files are not intact.
    ConfigError
        If a gate does not pass and no reason is given, the set is archived, or another set was
        promoted in the meantime.
    """
    require(actor, "promote")
    candidate = find_set(identifier)
    if candidate.state == "active":
        return candidate
    before = read_pointer()
    _refuse_archived(identifier, before)
    _verified(candidate.folder)
    needed = _reason_for(candidate, reason.strip())

    def swap(pointer: Pointer) -> Pointer:
        if (pointer.active, pointer.digest) != (before.active, before.digest):
            raise _changed(pointer, "Look at the comparison again, then promote.")
        _refuse_archived(identifier, pointer)
        earlier = [name for name in pointer.previous if name not in (identifier, pointer.active)]
        return replace(
            pointer,
            active=identifier,
            digest=candidate.digest,
            previous=(*earlier, pointer.active),
        )

    _change("promote", identifier, actor, swap, needed)
    return find_set(identifier)


def roll_back(*, actor: Actor, expected: str | None = None) -> SetEntry:
    """Make the set active that was so before, in one step; no gate is asked.

    Sets that are archived, missing or altered are passed over; behind all others stands the
    shipped one. Works where the active set or the pointer is broken as well.

    Parameters
    ----------
    expected
        Id of the set that was seen to be active (`active_id`): a second click, or that of somebody
        else, goes no second step back. None: whichever is active.

    Raises
    ------
    AccessError
        If the role does not allow it.
    ConfigError
        If there is nothing behind the active set, or another one is active than was expected.
    """
    require(actor, "promote")

    def step(pointer: Pointer) -> Pointer:
        if expected is not None and pointer.active != expected:
            raise _changed(pointer, "Look at the list again, then roll back if that is needed.")
        return _step_back(pointer)

    pointer = _change("roll back", "", actor, step, mend=True)
    return find_set(pointer.active)


def archive(identifier: str, *, actor: Actor) -> SetEntry:
    """Put a set aside: it stays on disk, and is neither promoted nor rolled back to.

    Raises
    ------
    AccessError
        If the role does not allow it.
    CatalogError
        If there is no such set.
    ConfigError
        If it is the active or the shipped one.
    """
    require(actor, "promote")
    find_set(identifier)

    def put_aside(pointer: Pointer) -> Pointer:
        if identifier in (pointer.active, SHIPPED):
            which = "active" if identifier == pointer.active else "shipped"
            raise ConfigError(
                f"The {which} model set cannot be archived.",
                remedy="Promote another set or roll back first."
                if which == "active"
                else "It is what every roll-back can come to; leave it.",
            )
        return replace(
            pointer,
            archived=(*dict.fromkeys((*pointer.archived, identifier)),),
            previous=tuple(name for name in pointer.previous if name != identifier),
        )

    _change("archive", identifier, actor, put_aside)
    return find_set(identifier)


def restore(identifier: str, *, actor: Actor) -> SetEntry:
    """Take a set out of the archive: a candidate again.

    Raises
    ------
    AccessError
        If the role does not allow it.
    CatalogError
        If there is no such set.
    """
    require(actor, "promote")
    find_set(identifier)

    def take_back(pointer: Pointer) -> Pointer:
        archived = tuple(name for name in pointer.archived if name != identifier)
        return replace(pointer, archived=archived)

    _change("restore", identifier, actor, take_back)
    return find_set(identifier)


def _refuse_archived(identifier: str, pointer: Pointer) -> None:
    if identifier in pointer.archived:
        raise ConfigError(
            f"The model set {identifier} is archived.", remedy="Restore it first, then promote it."
        )


def _changed(pointer: Pointer, remedy: str) -> ConfigError:
    return ConfigError(
        f"The active model set changed in the meantime; it is {pointer.active} now.", remedy=remedy
    )


def _step_back(pointer: Pointer) -> Pointer:
    earlier = [name for name in pointer.previous if name != pointer.active]
    if SHIPPED not in (*earlier, pointer.active):
        earlier.insert(0, SHIPPED)
    while earlier and not _may_return(earlier[-1], pointer):
        earlier.pop()
    if not earlier:
        raise ConfigError(
            "There is no model set to roll back to: none was active before this one.",
            remedy="Promote another set, or restore models/ from the repository.",
        )
    chosen = earlier.pop()
    digest = "" if chosen == SHIPPED else digest_of(set_folder(chosen))
    return replace(pointer, active=chosen, digest=digest, previous=tuple(earlier))


def _identifiers() -> list[str]:
    folder = sets_folder()
    found = [path for path in folder.iterdir() if _is_set(path)] if folder.is_dir() else []
    by_time = sorted(found, key=lambda path: (_origin(path)["added"], path.name))
    return [SHIPPED, *(path.name for path in by_time)]


def _is_set(path: Path) -> bool:
    """Tell a set's folder from what stands beside it: files, and folders that are not complete."""
    return path.is_dir() and not path.name.startswith(".")


def _entry(identifier: str, pointer: Pointer) -> SetEntry:
    folder, origin = set_folder(identifier), _origin(set_folder(identifier))
    note = pointer.reason(identifier)
    try:
        described = describe_model_set(folder)
        name, created, digest = described.name, described.created, described.digest
    except ArtifactError as error:
        name, created, digest, note = identifier, "", "", error.message
    if identifier != SHIPPED and digest and not identifier.endswith(digest[:8]):
        note = "The files are not those that were trained."
    return SetEntry(
        identifier, name, folder, _state(identifier, pointer), created, digest, origin["job"], note
    )


def _state(identifier: str, pointer: Pointer) -> SetState:
    if identifier == pointer.active:
        return "active"
    if identifier in pointer.archived:
        return "archived"
    return "previous" if identifier in pointer.previous else "candidate"


def _origin(folder: Path) -> dict[str, str]:
    if folder.parent != sets_folder():
        return {"job": SHIPPED_ORIGIN, "added": ""}
    try:
        document: dict[str, Any] = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))
        return {"job": str(document["job"]), "added": str(document["added"])}
    except (OSError, ValueError, KeyError, TypeError):
        # a set that somebody copied here by hand is as good as its digests
        return {"job": "", "added": ""}


def _came_from(origin: str, staged: Path) -> SetEntry:
    """Return the set that a job added already, when it comes a second time."""
    found = [entry for entry in list_sets() if entry.origin == origin]
    if not found:
        raise ArtifactError(
            f"There is no model set in {staged.name}/ to be added.",
            remedy="Resume the job that trains it, or start it again.",
        )
    return found[-1]


def _verified(folder: Path) -> Any:
    """Return the description of a set whose every file is as its digest says."""
    from resvae_core.registry.store import require_intact

    require_intact(folder)
    described = describe_model_set(folder)
    if not _NAME.fullmatch(described.name) or described.name == SHIPPED:
        raise ConfigError(
            f"{described.name!r} cannot be the name of a model set.",
            remedy="Use up to 48 lower-case letters, digits, '.', '-' or '_'.",
        )
    return described


def _move(staged: Path, target: Path, origin: str) -> None:
    """Move a set into the library; on another file system, copy it beside its place first."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if _is_near(staged, target.parent):
        _sign(staged, origin)
        replace_folder(staged, target)
        return
    with replacing_folder(target) as near:
        shutil.copytree(staged, near)
        _sign(near, origin)
    shutil.rmtree(staged, ignore_errors=True)


def _is_near(staged: Path, folder: Path) -> bool:
    """Tell whether a folder can be moved into another one: they are on one file system."""
    return staged.stat().st_dev == folder.stat().st_dev


def _sign(folder: Path, origin: str) -> None:
    document = {"job": origin, "added": _now()}
    (folder / ORIGIN_FILE).write_text(json.dumps(document) + "\n", encoding="utf-8")


def _may_return(identifier: str, pointer: Pointer) -> bool:
    """Tell whether a set can be rolled back to; the shipped one, the last resort, always can."""
    if identifier == SHIPPED:
        return True
    if identifier in pointer.archived:
        return False
    folder = set_folder(identifier)
    return _is_intact(folder) and identifier.endswith(digest_of(folder)[:8])


def _is_intact(folder: Path) -> bool:
    from resvae_core.registry.store import require_intact

    try:
        require_intact(folder)
    except ArtifactError:
        return False
    return True


def _reason_for(candidate: SetEntry, reason: str) -> str:
    """Check the gates; return the reason where one is needed, "" where all gates pass."""
    from resvae_core.registry.gates import check_gates

    closed = [gate for gate in check_gates(candidate, active_set()) if gate.state != "passed"]
    if not closed:
        return ""
    if len(reason) < MINIMAL_REASON:
        names = "; ".join(f"{gate.name} ({gate.state})" for gate in closed)
        raise ConfigError(
            f"{candidate.id} does not pass every gate: {names}.",
            remedy=f"Give a reason of {MINIMAL_REASON} characters or more, or train another set.",
        )
    return reason


def _change(
    action: Action,
    identifier: str,
    actor: Actor,
    alter: Callable[[Pointer], Pointer],
    reason: str = "",
    *,
    mend: bool = False,
) -> Pointer:
    """Replace the pointer while no other process does.

    Asked without effect first: the audit line comes before the change, and a change that is
    refused leaves none. `mend` takes a pointer that cannot be read as one to the shipped set.
    """
    read = _read_or_mend if mend else read_pointer
    expected = alter(read())
    _audit(action, identifier or expected.active, actor, with_reason=bool(reason))
    with _exclusively():
        altered = alter(read())
        made = Change(_now(), actor.name, action, identifier or altered.active, reason)
        altered = replace(altered, history=(*altered.history, made))
        write_pointer(altered)
    return altered


def _read_or_mend() -> Pointer:
    """Return the pointer; of one that is broken, keep a copy and start at nothing."""
    try:
        return read_pointer()
    except ArtifactError:
        path = pointer_path()
        shutil.copyfile(path, path.with_name(f"{path.name}.broken"))
        return Pointer(active="", previous=(SHIPPED,))


@contextmanager
def _exclusively() -> Iterator[None]:
    from sqlalchemy.exc import OperationalError

    from resvae_core.database import DATABASE_VARIABLE, exclusive, open_database

    try:
        with exclusive(open_database(), "registry"):
            yield
    except OperationalError as error:
        raise ConfigError(
            f"The database, which keeps two changes of the model sets apart, cannot be reached "
            f"({type(error.orig).__name__}).",
            remedy=f"Check {DATABASE_VARIABLE} and that the server runs, then try again.",
        ) from error


def _audit(action: Action, identifier: str, actor: Actor, *, with_reason: bool) -> None:
    """Record the change to come; that it has a reason, not the text, which may say anything."""
    from resvae_core.access.audit import as_subject, record

    word = RECORDED[action] + ("_with_reason" if with_reason else "")
    digest = digest_of(set_folder(identifier))
    record(word, actor=actor, model_set=digest, subject=as_subject("set", identifier))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
