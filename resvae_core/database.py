"""The database of this installation: SQLite in the state folder, or PostgreSQL by URL.

``RESVAE_DATABASE_URL`` names another one, for example
``postgresql+psycopg://resvae@database/resvae``. Several processes, and with PostgreSQL several
machines, use it at the same time.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, MetaData, Table, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, OperationalError

from resvae_core.config import state_folder
from resvae_core.errors import ConfigError

DATABASE_VARIABLE = "RESVAE_DATABASE_URL"
WAIT_SECONDS = 30
"""How long one process waits for another's write to SQLite."""
IMMEDIATE = "resvae_immediate"
AWAY = frozenset(
    {
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_READONLY,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CORRUPT,
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_NOTADB,
    }
)
"""What SQLite says of a file that cannot be used now; anything else is wrong with a statement."""
PRIMARY_CODE = 0xFF
"""The part of SQLite's codes that `AWAY` holds (https://www.sqlite.org/rescode.html)."""
POSTGRES_DISK_FULL = "53100"
DIALECTS = ("sqlite", "postgresql")
POSTGRES = {
    "connect_timeout": 5,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 2,
    "tcp_user_timeout": 8_000,
    "options": "-c lock_timeout=8s -c statement_timeout=9s "
    "-c idle_in_transaction_session_timeout=20s",
}
"""A server that is away, or busy, is noticed within seconds: a worker has to say that it lives.

A process that is halted in the middle of a transaction does not hold others up for long.
"""
_LOCK = text("SELECT pg_advisory_xact_lock(:key)")

_open_ones: dict[tuple[str, int], Engine] = {}


def database_url() -> str:
    """Return ``RESVAE_DATABASE_URL``, else a SQLite file in the state folder."""
    return os.environ.get(DATABASE_VARIABLE) or f"sqlite:///{state_folder() / 'resvae.sqlite'}"


def absolute_url(url: str) -> str:
    """Return a URL that names the same database in every working folder.

    Only a file of SQLite may be named relative to one. What is no URL stays as it is.
    """
    try:
        address = make_url(url)
    except ArgumentError:
        return url
    file = address.database or ":memory:"
    if address.get_backend_name() != "sqlite" or file.startswith((":", "file:")):
        return url
    named = address.set(database=str(Path(file).absolute()))
    return named.render_as_string(hide_password=False)


def open_database(url: str | None = None) -> Engine:
    """Return the database, one pool of connections a process.

    Parameters
    ----------
    url
        SQLAlchemy's form; `database_url` where None.

    Raises
    ------
    ConfigError
        If the URL is none, or of a database that is not supported.
    """
    address = url or database_url()
    # connections do not survive a fork
    key = (address, os.getpid())
    if key not in _open_ones:
        _open_ones[key] = _connect(address)
    return _open_ones[key]


def close_databases() -> None:
    """Close this process's connections; the next use opens new ones."""
    while _open_ones:
        _, engine = _open_ones.popitem()
        engine.dispose()


def _connect(url: str) -> Engine:
    try:
        dialect = make_url(url).get_backend_name()
        if dialect not in DIALECTS:
            raise _unsupported(dialect)
        if dialect == "postgresql":
            # parameters of statements may hold what is nobody's business: never in an error's text
            return create_engine(
                url, pool_pre_ping=True, connect_args=POSTGRES, hide_parameters=True
            )
        state_folder().mkdir(parents=True, exist_ok=True)
        engine = create_engine(url, connect_args={"timeout": WAIT_SECONDS}, hide_parameters=True)
    except (ArgumentError, ModuleNotFoundError, NoSuchModuleError) as error:
        raise _unsupported("") from error
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def create_tables(engine: Engine, tables: MetaData) -> None:
    """Make the tables that are missing; several processes may do so at once.

    Raises
    ------
    ConfigError
        If the database cannot be reached or written, or if another version of the program made
        tables that this one cannot use.
    """
    with saying_when_away(), exclusive(engine, "tables") as connection:
        tables.create_all(connection)
        for table in tables.sorted_tables:
            _require_columns(connection, table)


def _require_columns(connection: Connection, table: Table) -> None:
    found = {column["name"] for column in inspect(connection).get_columns(table.name)}
    missing = [column.name for column in table.columns if column.name not in found]
    if missing:
        raise ConfigError(
            f"The database's table {table.name} has no column {', '.join(missing)}, which this "
            "version of the program needs: another version made it.",
            remedy="Run the version that made it, or name an empty database in "
            f"{DATABASE_VARIABLE}: jobs and audit trail begin anew there.",
        )


@contextmanager
def saying_when_away() -> Iterator[None]:
    """Turn errors of a database that is away into one with a remedy; also a decorator.

    Raises
    ------
    ConfigError
        If the database cannot be reached or written.
    """
    try:
        yield
    except DBAPIError as error:
        if not is_unreachable(error):
            raise
        if _is_full(error):
            raise ConfigError(
                "The disk of the database is full: nothing can be written to it.",
                remedy="Make room on it, for example with `jobs forget --ended-before 30`; where "
                "nothing else is configured, it is the disk of the state folder (RESVAE_STATE).",
            ) from error
        # the text of the original error names hosts and users
        raise ConfigError(
            f"The database cannot be reached or written ({type(error.orig).__name__}).",
            remedy=f"Check {DATABASE_VARIABLE}, that the server runs, and the permissions of "
            "the state folder (RESVAE_STATE).",
        ) from error


@contextmanager
def exclusive(engine: Engine, name: str) -> Iterator[Connection]:
    """Open a transaction that one process at a time holds under a name.

    It is committed at the end of the ``with`` block, rolled back if that raises, and let go when
    its process dies. SQLite lets one process at a time write, whatever the name.
    """
    with engine.connect().execution_options(**{IMMEDIATE: True}) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big", signed=True)
            connection.execute(_LOCK, {"key": key})
        yield connection


def is_unreachable(error: DBAPIError) -> bool:
    """Tell whether an error says that the database is away, not that a statement is wrong.

    Away is what may be used again without a change of the program: busy, locked, full, not to be
    opened, read or written.
    """
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error.orig) in AWAY or error.connection_invalidated
    return isinstance(error, OperationalError) or error.connection_invalidated


def _is_full(error: DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.Error):
        return _sqlite_code(error.orig) == sqlite3.SQLITE_FULL
    return getattr(error.orig, "sqlstate", None) == POSTGRES_DISK_FULL


def _sqlite_code(error: sqlite3.Error) -> int | None:
    """Return SQLite's primary code; None where the driver itself refused."""
    code: int | None = getattr(error, "sqlite_errorcode", None)
    return None if code is None else code & PRIMARY_CODE


def _set_up_sqlite(connection: sqlite3.Connection, record: Any) -> None:
    # SQLAlchemy's begin event opens transactions; the driver's own way does so too late
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    # one that reads first and writes later would fail where another process writes between
    immediate = connection.get_execution_options().get(IMMEDIATE)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _unsupported(dialect: str) -> ConfigError:
    found = f"names a database of the kind {dialect!r}" if dialect else "is no database URL"
    return ConfigError(
        f"{DATABASE_VARIABLE} {found}; SQLite or PostgreSQL was expected.",
        remedy="Leave it unset, or use postgresql+psycopg://user@host/name.",
    )
