"""Where the audit trail lies: its table, what keeps it append-only, and the head apart from it."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    event,
    select,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from resvae_core.config import state_folder
from resvae_core.database import create_tables, database_url, open_database
from resvae_core.errors import AuditError, ConfigError

Head = tuple[int, str]
"""Number and digest of a line that a trail ended with."""
GENESIS = "0" * 64
"""What stands for the line before the first."""
CONTINUED = "audit.continued"
"""Action of the line that goes on with a trail in the place of another."""
MOST_LINES = 2**31 - 1
"""Number that a line can have."""
MAX_NAME = 120
"""Characters of an account's name."""

TABLES = MetaData()
LINES = Table(
    "audit_line",
    TABLES,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("time", String(32), nullable=False),
    Column("actor", String(MAX_NAME), nullable=False),
    Column("role", String(16), nullable=False),
    Column("source", String(16), nullable=False),
    Column("action", String(32), nullable=False),
    Column("file_digest", String(64), nullable=False),
    Column("model_set", String(120), nullable=False),
    Column("subject", String(120), nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
)
HEAD = Table(
    "audit_head",
    TABLES,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("sequence", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
)
_GO_ON = (
    "Where there is none, compare the trail with an exported copy, then go on from what is there: "
    "python -m resvae_core audit continue. The trail keeps a line that says so."
)
_REFUSAL = "the audit trail is append-only"
_TRIGGERS = {
    "sqlite": [
        f"CREATE TRIGGER audit_line_no_{change.lower()} BEFORE {change} ON audit_line "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for change in ("UPDATE", "DELETE")
    ]
    + [
        # a line that replaces another deletes it without asking the trigger for that
        "CREATE TRIGGER audit_line_no_replace BEFORE INSERT ON audit_line "
        "WHEN EXISTS (SELECT 1 FROM audit_line WHERE sequence = NEW.sequence) "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
    ],
    "postgresql": [
        "CREATE OR REPLACE FUNCTION audit_line_refuse() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$",
        "CREATE TRIGGER audit_line_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_line "
        "FOR EACH STATEMENT EXECUTE FUNCTION audit_line_refuse()",
    ],
}


@event.listens_for(LINES, "after_create")
def _add_triggers(table: Table, connection: Connection, **options: object) -> None:
    for statement in _TRIGGERS[connection.dialect.name]:
        connection.exec_driver_sql(statement)


@dataclass(frozen=True)
class Line:
    """One line of the trail.

    Parameters
    ----------
    sequence
        1 for the first.
    time
        When, in UTC, as ISO 8601 with microseconds.
    actor, role, source
        Who; see `Actor`.
    action
        One of `ACTIONS`.
    file_digest
        SHA-256 of the bytes of the file that was read, or empty.
    model_set
        Id of the set, with the beginning of its digest, or empty.
    subject
        Id of a job, a set, a data set, a drug, a cohort or a format; or empty.
    previous, digest
        Digest of the line before, and SHA-256 of this line.
    """

    sequence: int
    time: str
    actor: str
    role: str
    source: str
    action: str
    file_digest: str
    model_set: str
    subject: str
    previous: str
    digest: str

    def expected_digest(self) -> str:
        """Return the SHA-256 of everything but the digest, as canonical JSON."""
        values = {name: value for name, value in asdict(self).items() if name != "digest"}
        text = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        return hashlib.sha256(text.encode("ascii")).hexdigest()


@lru_cache(maxsize=8)
def _prepare(engine: Engine) -> None:
    create_tables(engine, TABLES)


def open_trail() -> Engine:
    """Return the database with the trail's tables in it.

    Raises
    ------
    ConfigError
        If it cannot be reached or written.
    """
    engine = open_database()
    _prepare(engine)
    return engine


@contextmanager
def guarded(what: str) -> Iterator[None]:
    """Turn every failure of the database into one error of the trail, without its text."""
    try:
        yield
    except (SQLAlchemyError, ConfigError, OSError) as error:
        raise AuditError(
            f"The audit trail cannot be {what} ({type(error).__name__}).",
            remedy="Nothing that has to be recorded happens until it can. Check the database "
            "(RESVAE_DATABASE_URL) and the room and permissions of the state folder.",
        ) from error


def head_file() -> Path:
    """Return the file of the state folder that holds the head of this database's trail."""
    url = make_url(database_url())
    name = (
        Path(url.database or "").name
        if url.get_backend_name() == "sqlite"
        else f"{url.host}:{url.port}/{url.database}"
    )
    return state_folder() / f"audit-head-{hashlib.sha256(name.encode()).hexdigest()[:12]}.json"


def read_head_file() -> Head | None:
    """Return the head that this state folder knows of; None where it knows of none.

    Raises
    ------
    AuditError
        If the file is there, but does not hold a head.
    """
    path = head_file()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        sequence, digest = int(values["sequence"]), str(values["digest"])
        if not 1 <= sequence <= MOST_LINES:
            raise ValueError("no number of a line")
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuditError(
            f"The file {path.name}, which holds the head of the audit trail, cannot be read.",
            remedy=f"Restore it from a backup of the state folder. {_GO_ON}",
        ) from error
    return sequence, digest


def last_line(connection: Connection) -> Head:
    """Return the line that the trail ends with; number 0 where it has none."""
    query = select(LINES.c.sequence, LINES.c.digest).order_by(LINES.c.sequence.desc()).limit(1)
    found = connection.execute(query).first()
    return (int(found[0]), str(found[1])) if found else (0, GENESIS)


def table_head(connection: Connection) -> Head:
    """Return the head that the database notes beside the lines."""
    kept = connection.execute(select(HEAD.c.sequence, HEAD.c.digest)).first()
    return (int(kept[0]), str(kept[1])) if kept else (0, GENESIS)


def require_own_trail(connection: Connection) -> None:
    """Refuse to add to a trail that is not the one whose head was noted, or that was cut.

    The head in the state folder may lag behind (it is written last, and every host has its own),
    but its line must be there: or else the next lines would grow over the gap, and move the head
    that tells of it.

    Raises
    ------
    AuditError
        If a noted line is missing or another, or the head file cannot be read.
    """
    noted = read_head_file()
    if noted is not None:
        query = select(LINES.c.digest).where(LINES.c.sequence == noted[0])
        if connection.execute(query).scalar() != noted[1]:
            raise _not_the_noted("in the state folder", noted)
    kept = table_head(connection)
    if kept != last_line(connection):
        raise _not_the_noted("in the database", kept)


def _not_the_noted(place: str, head: Head) -> AuditError:
    return AuditError(
        f"The audit trail is not the one that was written: it does not go on from line {head[0]:,}"
        f", which the head {place} names. Lines were removed, or the database was exchanged.",
        remedy="Nothing that has to be recorded happens until this is cleared. Look with python "
        f"-m resvae_core audit verify, and restore the backup that fits. {_GO_ON}",
    )


def keep_head_file(sequence: int) -> None:
    """Copy the head file, if there is one, beside itself under the number of a line."""
    path = head_file()
    if path.exists():
        shutil.copyfile(path, path.with_suffix(f".before-line-{sequence}.json"))


@contextmanager
def head_following(*, anew: bool = False) -> Iterator[Callable[[Head], None]]:
    """Give what takes the next head; it is put into its file when the block ends without error.

    `anew` puts it there even if the file names a later line.


    All that can fail for want of room or permission happens when the head is given, before its
    line is committed. The file is exchanged afterwards: it may lag behind where a process died or
    two wrote at once, and never names a line that is not there.
    """
    path = head_file()
    staged = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    given: list[Head] = []

    def stage(head: Head) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with staged.open("x", encoding="utf-8") as stream:
            stream.write(json.dumps({"sequence": head[0], "digest": head[1]}) + "\n")
            stream.flush()
            os.fsync(stream.fileno())
        given.append(head)

    try:
        yield stage
        if given and (anew or _is_behind(path, given[-1])):
            staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)


def _is_behind(path: Path, head: Head) -> bool:
    """Tell whether a head file is older than a head: another process may have been faster."""
    try:
        return int(json.loads(path.read_text(encoding="utf-8"))["sequence"]) < head[0]
    except (OSError, ValueError, KeyError, TypeError):
        return True
