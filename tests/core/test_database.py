from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from pathlib import Path

import pytest
from sqlalchemy import (
    Column,
    Engine,
    Integer,
    MetaData,
    String,
    Table,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError, StatementError

from resvae_core import database
from resvae_core.database import close_databases, create_tables, exclusive, open_database
from resvae_core.errors import ConfigError
from resvae_core.jobs.recovery import LEASE_SECONDS

TABLES = MetaData()
COUNT = Table("counts", TABLES, Column("name", String(20), primary_key=True), Column("n", Integer))
ROUNDS, PROCESSES = 15, 4
SPAWN = multiprocessing.get_context("spawn")


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def url(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'test.sqlite'}"
    else:
        yield request.getfixturevalue("postgres")
    close_databases()


def count_up(url: str) -> None:
    engine = open_database(url)
    create_tables(engine, TABLES)
    for _ in range(ROUNDS):
        with exclusive(engine, "counts") as connection:
            found = connection.execute(select(COUNT.c.n)).scalar()
            if found is None:
                connection.execute(insert(COUNT).values(name="all", n=1))
            else:
                connection.execute(update(COUNT).values(n=found + 1))


def hold(url: str, started) -> None:
    with exclusive(open_database(url), "counts"):
        started.set()
        time.sleep(60)


def add_twice(engine: Engine) -> None:
    with exclusive(engine, "counts") as connection:
        connection.execute(insert(COUNT).values(name="all", n=1))
        connection.execute(insert(COUNT).values(name="all", n=2))


def test_processes_that_read_then_write_lose_no_count(url) -> None:
    crowd = [SPAWN.Process(target=count_up, args=(url,)) for _ in range(PROCESSES)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
        assert one.exitcode == 0
    with open_database(url).connect() as connection:
        assert connection.execute(select(COUNT.c.n)).scalar() == ROUNDS * PROCESSES


def test_what_a_killed_process_held_is_free(url) -> None:
    create_tables(open_database(url), TABLES)
    started = SPAWN.Event()
    holder = SPAWN.Process(target=hold, args=(url, started))
    holder.start()
    assert started.wait(30)
    os.kill(holder.pid, signal.SIGKILL)
    holder.join()
    began = time.monotonic()
    with exclusive(open_database(url), "counts") as connection:
        connection.execute(insert(COUNT).values(name="all", n=1))
    assert time.monotonic() - began < 5


@pytest.mark.postgres
def test_no_statement_waits_as_long_as_a_worker_may_be_silent(postgres) -> None:
    engine, milliseconds = open_database(postgres), {}
    with exclusive(engine, "counts") as connection:
        for name in ("lock_timeout", "statement_timeout"):
            query = text("SELECT setting FROM pg_settings WHERE name = :name")
            milliseconds[name] = int(connection.execute(query, {"name": name}).scalar())
    assert all(0 < value < 1000 * LEASE_SECONDS / 3 for value in milliseconds.values())


@pytest.mark.postgres
def test_a_statement_that_takes_too_long_counts_as_a_database_that_is_away(postgres) -> None:
    with open_database(postgres).connect() as connection:
        connection.execute(text("SET statement_timeout = '50ms'"))
        with pytest.raises(OperationalError) as caught:
            connection.execute(text("SELECT pg_sleep(5)"))
    assert database.is_unreachable(caught.value)


def test_an_error_undoes_the_whole_transaction(url) -> None:
    engine = open_database(url)
    create_tables(engine, TABLES)
    with pytest.raises(IntegrityError):
        add_twice(engine)
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(COUNT)).scalar() == 0


def test_tables_of_another_version_are_refused_and_left_alone(url) -> None:
    engine = open_database(url)
    create_tables(engine, TABLES)
    with exclusive(engine, "tables") as connection:
        connection.execute(text(f"ALTER TABLE {COUNT.name} RENAME COLUMN n TO counted"))
    with pytest.raises(ConfigError, match=f"{COUNT.name} has no column n, which") as caught:
        create_tables(engine, TABLES)
    assert "version" in caught.value.remedy
    with engine.connect() as connection:
        connection.execute(text(f"SELECT name, counted FROM {COUNT.name}"))


def test_errors_of_the_database_do_not_tell_the_values(url) -> None:
    engine = open_database(url)
    create_tables(engine, TABLES)
    with pytest.raises(StatementError) as caught, exclusive(engine, "counts") as connection:
        connection.execute(insert(COUNT), [{"name": "secret", "n": 1}, {"name": "secret"}])
    assert "secret" not in str(caught.value)


def test_a_process_keeps_its_connections_and_another_makes_its_own(url, monkeypatch) -> None:
    engine = open_database(url)
    assert open_database(url) is engine
    monkeypatch.setattr(database.os, "getpid", lambda: 1)
    assert open_database(url) is not engine


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("mysql://somewhere/base", "names a database of the kind 'mysql'"),
        ("no url at all", "is no database URL"),
        ("postgresql+nodriver://somewhere/base", "is no database URL"),
    ],
)
def test_other_databases_are_refused_with_a_remedy(url, words) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        open_database(url)
    assert "postgresql+psycopg://" in caught.value.remedy


def test_a_server_that_is_away_is_said_without_its_address() -> None:
    with pytest.raises(ConfigError, match="cannot be reached or written") as caught:
        create_tables(open_database("postgresql+psycopg://me@127.0.0.1:9/none"), TABLES)
    assert "127.0.0.1" not in str(caught.value)
    close_databases()


def test_a_folder_that_cannot_be_written_is_said(tmp_path) -> None:
    with pytest.raises(ConfigError, match="cannot be reached or written"):
        create_tables(open_database(f"sqlite:///{tmp_path / 'missing' / 'test.sqlite'}"), TABLES)


def lock(file: Path, statement: str) -> None:
    other = sqlite3.connect(file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        run(file, statement)
    finally:
        other.close()


def run(file: Path, *statements: str) -> None:
    try:
        with open_database(f"sqlite:///{file}").connect() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)
    finally:
        close_databases()


FILL = "CREATE TABLE large AS SELECT zeroblob(100000)"


@pytest.mark.parametrize(
    ("act", "is_away"),
    [
        pytest.param(
            lambda file: run(file.parent / "none" / "x", "SELECT 1"), True, id="no-folder"
        ),
        pytest.param(lambda file: lock(file, "CREATE TABLE t (n)"), True, id="busy"),
        pytest.param(lambda file: run(file, "PRAGMA max_page_count = 1", FILL), True, id="full"),
        pytest.param(
            lambda file: (file.write_bytes(b"no database " * 99), run(file, "SELECT 1")),
            True,
            id="no-database",
        ),
        pytest.param(lambda file: run(file, "SELECT * FROM missing"), False, id="no-table"),
        pytest.param(lambda file: run(file, "SELECT n FROM known"), False, id="no-column"),
        pytest.param(lambda file: run(file, "SELECT"), False, id="no-sql"),
    ],
)
def test_a_database_that_is_away_is_told_from_a_statement_that_is_wrong(
    tmp_path, monkeypatch, act, is_away
) -> None:
    monkeypatch.setattr(database, "WAIT_SECONDS", 0)
    run(tmp_path / "x.sqlite", "CREATE TABLE known (name)")
    with pytest.raises(DBAPIError) as caught:
        act(tmp_path / "x.sqlite")
    assert database.is_unreachable(caught.value) == is_away


def test_a_full_disk_is_said_with_what_makes_room(tmp_path) -> None:
    said = pytest.raises(ConfigError, match="disk of the database is full")
    with said as caught, database.saying_when_away():
        run(tmp_path / "x.sqlite", "PRAGMA max_page_count = 1", FILL)
    assert "jobs forget --ended-before" in caught.value.remedy
