"""Whether the audit trail is as it was written: the chain of its lines, and where it should end."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, select

from resvae_core.access.audit_table import (
    CONTINUED,
    GENESIS,
    LINES,
    Head,
    Line,
    guarded,
    open_trail,
    read_head_file,
    table_head,
)
from resvae_core.access.roles import Actor, require
from resvae_core.errors import AuditError

_BATCH = 2_000
_TABLE = "database"


@dataclass(frozen=True)
class Break:
    """Where a trail stops being what was written.

    Parameters
    ----------
    sequence
        Number of the first line that is wrong or missing.
    problem
        What is wrong with it, in words.
    """

    sequence: int
    problem: str


@dataclass(frozen=True)
class AuditReport:
    """What a verification found.

    Parameters
    ----------
    n_lines
        Lines that were looked at.
    head
        Digest of the last good line: worth noting down elsewhere.
    first_break
        The first line that is wrong, None where the trail is whole.
    continued
        Numbers of the good lines at which a steward went on with a trail that was cut or exchanged.
    """

    n_lines: int
    head: str
    first_break: Break | None = None
    continued: tuple[int, ...] = ()

    @property
    def whole(self) -> bool:
        """Tell whether nothing is wrong."""
        return self.first_break is None

    def sentence(self) -> str:
        """Say what was found, for a reader."""
        if self.first_break is not None:
            return f"Line {self.first_break.sequence:,}: {self.first_break.problem}."
        whole = f"The trail is whole: {self.n_lines:,} lines, head {self.head[:16]}."
        if not self.continued:
            return whole
        numbers = ", ".join(f"{number:,}" for number in self.continued)
        return f"{whole} Lines before it were lost: a steward went on at line {numbers}."


def verify(*, actor: Actor) -> AuditReport:
    """Read the whole trail and find the first line that is not as it was written.

    Raises
    ------
    AccessError
        If the actor may not read the trail.
    AuditError
        If it cannot be read.
    """
    require(actor, "audit")
    noted = read_head_file()  # before the lines, of which there may be more by then
    with guarded("read"), _snapshot() as connection:
        heads = {_TABLE: table_head(connection)}
        return _walk(connection, heads | ({"state folder": noted} if noted else {}))


def require_whole(*, actor: Actor) -> AuditReport:
    """Verify the trail.

    Raises
    ------
    AccessError
        If the actor may not read it.
    AuditError
        Naming the first broken line, or if the trail cannot be read.
    """
    report = verify(actor=actor)
    if report.first_break is not None:
        raise AuditError(
            report.sentence(),
            remedy="Compare the trail with a backup or an exported copy, and find out who could "
            "write to the database.",
        )
    return report


@contextmanager
def _snapshot() -> Iterator[Connection]:
    """Open a transaction that sees one state of the database, and keeps nobody from writing."""
    engine = open_trail()
    options = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name != "sqlite" else {}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def _walk(connection: Connection, heads: Mapping[str, Head]) -> AuditReport:
    """Follow the chain from its first line on, then compare with where it should end."""
    n, digest, found = 0, GENESIS, {0: GENESIS}
    wanted = {sequence for sequence, _ in heads.values()}
    broken: list[Break] = []
    continued: list[int] = []
    for line in _lines(connection):
        if problem := _problem(line, n + 1, digest):
            broken.append(Break(n + 1, problem))
            break
        n, digest = line.sequence, line.digest
        if n in wanted:
            found[n] = digest
        if line.action == CONTINUED:
            continued.append(n)
    broken += _wrong_ends(n, heads, found) if not broken else _wrong_heads(n, heads, found)
    first = min(broken, key=lambda one: one.sequence, default=None)
    return AuditReport(n, digest, first, tuple(continued))


def _lines(connection: Connection) -> Iterator[Line]:
    """Yield all lines in their order, a batch at a time."""
    last = -1
    query = select(LINES).order_by(LINES.c.sequence).limit(_BATCH)
    while rows := connection.execute(query.where(LINES.c.sequence > last)).mappings().all():
        yield from (Line(**row) for row in rows)
        last = rows[-1]["sequence"]


def _problem(line: Line, expected: int, previous: str) -> str:
    """Say what is wrong with a line that should follow another; empty if nothing is."""
    if line.sequence != expected:
        return "it is missing"
    if line.digest != line.expected_digest():
        return "it was changed"
    if line.previous != previous:
        return "it does not follow the line before: a line was exchanged, inserted or rewritten"
    return ""


def _wrong_heads(n: int, heads: Mapping[str, Head], found: Mapping[int, str]) -> list[Break]:
    """Return the good lines that are not those which were noted as the head."""
    return [
        Break(sequence, f"it is not the line that the head in the {place} names")
        for place, (sequence, noted) in heads.items()
        if sequence <= n and found[sequence] != noted
    ]


def _wrong_ends(n: int, heads: Mapping[str, Head], found: Mapping[int, str]) -> list[Break]:
    """Return what is wrong with the end of a trail whose lines follow each other."""
    cut = [
        Break(n + 1, f"it is missing: by the head in the {place} there were {sequence:,} lines")
        for place, (sequence, _) in heads.items()
        if sequence > n
    ]
    end = heads[_TABLE][0]
    added = [Break(end + 1, "it was added without the head's being moved")] if n > end else []
    return [*_wrong_heads(n, heads, found), *cut, *added]
