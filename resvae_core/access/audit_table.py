"""Where the audit trail lies: its table, what keeps it append-only, and the head apart from it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path

from sqlalchemy import Column, Connection, Engine, Integer, MetaData, String, Table, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import SQLAlchemyError

from resvae_core.config import state_folder
from resvae_core.database import create_tables, database_url, open_database
from resvae_core.errors import AuditError, ConfigError
from resvae_core.settings import replace_file

GENESIS = "0" * 64
"""What stands for the line before the first."""
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
_REFUSAL = "the audit trail is append-only"
_TRIGGERS = {
    "sqlite": [
        f"CREATE TRIGGER audit_line_no_{change.lower()} BEFORE {change} ON audit_line "
        f"BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END"
        for change in ("UPDATE", "DELETE")
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


def read_head_file() -> tuple[int, str] | None:
    """Return the head that this state folder knows of; None where it knows of none.

    Raises
    ------
    AuditError
        If the file is there, but does not hold a head.
    """
    path = head_file()
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
        return int(values["sequence"]), str(values["digest"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AuditError(
            f"The file {path.name}, which holds the head of the audit trail, cannot be read.",
            remedy="Restore it from a backup of the state folder. Without one, compare the trail "
            "with an exported copy, then remove the file.",
        ) from error


def advance_head_file(head: tuple[int, str]) -> None:
    """Note the head apart from the database.

    It is written after the line, so it may lag behind where a process died or two wrote at once;
    it never names a line that is not there.
    """
    noted = read_head_file()
    if noted is not None and noted[0] >= head[0]:
        return
    with guarded("written"):
        path = head_file()
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, json.dumps({"sequence": head[0], "digest": head[1]}) + "\n")
