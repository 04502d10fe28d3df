"""The audit trail: who did what to which file with which model set, and no value or name of anyone.

Lines are only ever added. Each holds the digest of the line before, so a changed, swapped, inserted
or missing line is found by `verify`. How far the trail goes is kept apart from it twice, in a table
and in a file of the state folder, so that a trail that was cut short is found, too, and nothing is
added to it until somebody has cleared that. Triggers of the database refuse changes; whoever can
rewrite the database, its triggers and the head file can still forge a trail, so a steward notes
its head elsewhere from time to time.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypedDict

from sqlalchemy import Connection, Select, delete, insert, select

from resvae_core.access.audit_table import (
    CONTINUED,
    HEAD,
    LINES,
    MAX_NAME,
    Head,
    Line,
    guarded,
    head_following,
    keep_head_file,
    last_line,
    open_trail,
    read_head_file,
    require_own_trail,
    table_head,
)
from resvae_core.access.audit_verification import AuditReport, Break, require_whole, verify
from resvae_core.access.roles import Actor, require
from resvae_core.database import exclusive
from resvae_core.errors import AuditError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "ACTIONS",
    "AuditReport",
    "Break",
    "Filters",
    "Line",
    "actors",
    "as_subject",
    "continue_trail",
    "entries",
    "find_lines",
    "record",
    "require_whole",
    "verify",
]

ACTIONS: dict[str, str] = {
    "sign_in": "signed in",
    "access.refused": "was refused",
    "sample.read": "read a file of samples",
    "prediction.made": "predicted a sample",
    "explanation.made": "explained a prediction",
    "export.report": "exported a report",
    "export.bundle": "exported a bundle",
    "export.table": "exported a table",
    "export.audit": "exported the audit trail",
    "cohort.scored": "scored a cohort",
    "cohort.explained": "explained a cohort",
    "data.fetched": "fetched data",
    "data.removed": "removed data",
    "data.verified": "verified data",
    "job.submitted": "submitted a job",
    "job.cancelled": "cancelled a job",
    "job.resumed": "resumed a job",
    "job.finished": "finished a job",
    "job.forgotten": "removed a job's files",
    "set.added": "added a candidate set",
    "set.replaced": "trained a set in the place of the shipped one",
    "set.promoted": "promoted a set",
    "set.promoted_with_reason": "promoted a set against its gates, with a reason",
    "set.rolled_back": "rolled back to a set",
    "set.archived": "archived a set",
    "set.restored": "restored a set",
    "settings.changed": "changed settings",
    "settings.reset": "reset the settings",
    "settings.imported": "imported settings",
    CONTINUED: "went on with a trail that was cut or exchanged",
}
"""Everything that is recorded, and the words for it."""
_DIGEST = re.compile(r"(?:[0-9a-f]{12,64})?")
_ID = re.compile(r"(?:[A-Za-z0-9][A-Za-z0-9._:/,+()\-]{0,119})?")
_NOT_ID = re.compile(r"[^A-Za-z0-9._:/,+()\-]+")


class Filters(TypedDict, total=False):
    """Which lines `entries` returns."""

    since: datetime | None
    until: datetime | None
    who: str
    account: str
    action: str


def record(
    action: str,
    *,
    actor: Actor,
    model_set: str = "",
    file_digest: str = "",
    subject: str = "",
) -> None:
    """Add a line to the trail; call it before the action, which must not happen without it.

    Parameters
    ----------
    action
        One of `ACTIONS`.
    actor
        Who does it.
    model_set
        Id of a model set, with or without the beginning of its digest.
    file_digest
        SHA-256 of a file's bytes, in hexadecimal.
    subject
        Id of what it is done to; see `as_subject`. Never a name or value of a patient.

    Raises
    ------
    AuditError
        If the line cannot be written, would hold something that does not belong there, or the
        trail is not the one whose head was noted. There is no line then.
    """
    _check(action, model_set, file_digest, subject)
    entry = _entry(action, actor, model_set, file_digest, subject)
    with (
        guarded("written"),
        head_following() as follow,
        exclusive(open_trail(), "audit") as connection,
    ):
        require_own_trail(connection)
        follow(_append(connection, entry))


def _entry(
    action: str, actor: Actor, model_set: str, file_digest: str, subject: str
) -> dict[str, str]:
    return {
        "actor": _printable(actor.name),
        "role": actor.role,
        "source": actor.source,
        "action": action,
        "file_digest": file_digest,
        "model_set": model_set,
        "subject": subject,
    }


def continue_trail(*, actor: Actor) -> int:
    """Go on from what is there with a trail that is not the one whose head was noted.

    Deliberately, after a loss that no backup mends: the trail gets a line ``audit.continued`` with
    the old head, which `verify` names from then on, and the old head file stays beside the new.
    Every host whose state folder holds an old head needs it once.

    Returns
    -------
    int
        Number of the line.

    Raises
    ------
    AccessError
        If the actor may not.
    AuditError
        If the trail does go on from its head, or cannot be written.
    """
    require(actor, "audit")
    with (
        guarded("written"),
        head_following(anew=True) as follow,
        exclusive(open_trail(), "audit") as connection,
    ):
        subject = as_subject("head", _departed_from(connection))
        head = _append(connection, _entry(CONTINUED, actor, "", "", subject))
        keep_head_file(head[0])
        follow(head)
    return head[0]


def _departed_from(connection: Connection) -> str:
    """Return the head that the trail does not go on from, in the characters of an id."""
    try:
        require_own_trail(connection)
    except AuditError:
        try:
            noted = read_head_file()
        except AuditError:
            return "unreadable"
        sequence, digest = noted or table_head(connection)
        return f"{sequence}:{digest[:16]}"
    raise AuditError(
        "The audit trail goes on from its noted head.",
        remedy="There is nothing to accept; python -m resvae_core audit verify reads all of it.",
    )


def as_subject(kind: str, name: str) -> str:
    """Return ``kind:name`` in the characters that a subject may have."""
    return f"{kind}:{_NOT_ID.sub('-', name).strip('-')}"


def entries(
    *,
    actor: Actor,
    since: datetime | None = None,
    until: datetime | None = None,
    who: str = "",
    account: str = "",
    action: str = "",
    limit: int | None = 1_000,
) -> pd.DataFrame:
    """Return lines of the trail, the latest first.

    Parameters
    ----------
    actor
        Who reads.
    since, until
        From when on, and before when; aware of their time zone.
    who
        Part of the name of who did it, whatever its case: ``özl`` finds ``Özlem``.
    account
        The whole name of who did it, as `actors` gives it.
    action
        One of `ACTIONS`, or the part before its point.
    limit
        Most lines; None for all.

    Returns
    -------
    pandas.DataFrame
        The columns of `Line`; `time` in UTC.

    Raises
    ------
    AccessError
        If the actor may not read the trail.
    AuditError
        If it cannot be read.
    """
    import pandas as pd

    lines = find_lines(
        actor=actor,
        since=since,
        until=until,
        who=who,
        account=account,
        action=action,
        limit=limit,
    )
    columns = [column.name for column in LINES.columns]
    table = pd.DataFrame([asdict(line) for line in lines], columns=columns)
    table["time"] = pd.to_datetime(table["time"], utc=True, format="ISO8601")
    return table


def find_lines(
    *,
    actor: Actor,
    since: datetime | None = None,
    until: datetime | None = None,
    who: str = "",
    account: str = "",
    action: str = "",
    limit: int | None = 1_000,
) -> list[Line]:
    """Return what `entries` returns, as lines."""
    require(actor, "audit")
    query = select(LINES).order_by(LINES.c.sequence.desc())
    query = _filtered(query, since, until, account, action)
    if limit is not None:
        query = query.limit(limit)
    with guarded("read"), open_trail().connect() as connection:
        if who:
            query = query.where(LINES.c.actor.in_(_names_with(who, connection)))
        return [Line(**row) for row in connection.execute(query).mappings()]


def actors(*, actor: Actor) -> list[str]:
    """Return the names of everybody who is in the trail.

    Raises
    ------
    AccessError
        If the actor may not read it.
    """
    require(actor, "audit")
    with guarded("read"), open_trail().connect() as connection:
        return _names(connection)


def _names(connection: Connection) -> list[str]:
    query = select(LINES.c.actor).distinct().order_by(LINES.c.actor)
    return list(connection.execute(query).scalars())


def _names_with(part: str, connection: Connection) -> list[str]:
    """Return the names that hold a part, whatever its case.

    Not asked of the database: SQLite knows upper and lower case of ASCII letters alone.
    """
    return [name for name in _names(connection) if part.casefold() in name.casefold()]


def _check(action: str, model_set: str, file_digest: str, subject: str) -> None:
    if action not in ACTIONS:
        raise AuditError(
            f"{action!r} is no action of the audit trail.",
            remedy=f"Use one of {', '.join(ACTIONS)}.",
        )
    checks = {
        "file_digest": (file_digest, _DIGEST),
        "model_set": (model_set, _ID),
        "subject": (subject, _ID),
    }
    for name, (value, pattern) in checks.items():
        if not pattern.fullmatch(value):
            # the value itself is not repeated: it may be what must not be written anywhere
            raise AuditError(
                f"The {name} of an audit line holds characters that ids do not have.",
                remedy="Record an id, never a name or a value.",
            )


def _printable(name: str) -> str:
    """Return an account's name without what could disturb a table or a log."""
    return "".join(mark if mark.isprintable() else "?" for mark in name)[:MAX_NAME]


def _append(connection: Connection, entry: Mapping[str, str]) -> Head:
    """Add one line after the last; return the new head."""
    sequence, previous = last_line(connection)
    time = datetime.now(UTC).isoformat(timespec="microseconds")
    line = Line(sequence + 1, time, **entry, previous=previous, digest="")
    values = {**asdict(line), "digest": line.expected_digest()}
    connection.execute(insert(LINES), values)
    connection.execute(delete(HEAD))
    head = {"sequence": sequence + 1, "digest": values["digest"]}
    connection.execute(insert(HEAD).values(id=1, **head))
    return sequence + 1, str(values["digest"])


def _filtered(
    query: Select[tuple[object, ...]],
    since: datetime | None,
    until: datetime | None,
    account: str,
    action: str,
) -> Select[tuple[object, ...]]:
    # times are texts of one form and one zone, so their order is that of time
    if since is not None:
        query = query.where(LINES.c.time >= _utc(since))
    if until is not None:
        query = query.where(LINES.c.time < _utc(until))
    if account:
        query = query.where(LINES.c.actor == account)
    if action in ACTIONS:
        query = query.where(LINES.c.action == action)
    elif action:
        query = query.where(LINES.c.action.startswith(f"{action}.", autoescape=True))
    return query


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
