"""Jobs in the database. Every change of a running job needs the token of its attempt.

A worker that lost its job, because it was taken for dead, therefore cannot write any more: its
token is no longer the one in the record.
"""

from __future__ import annotations

import hashlib
import json
import math
import secrets
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, cast
from weakref import WeakSet

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    RowMapping,
    delete,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from resvae_core.database import create_tables, exclusive, open_database
from resvae_core.errors import CatalogError, JobError
from resvae_core.jobs.record import FINISHED, JobRecord, Lane, Limits, LogLine, State
from resvae_core.jobs.schema import JOBS, LOG, POINTS, SCHEMA

MAX_ATTEMPTS = 5
"""A job that was interrupted this often is not started again by itself."""
RESUME_SECONDS = (0.0, 2.0, 8.0, 30.0)
"""How long it waits before that, the first time and later: what it lost may have to come back."""
QUEUE = "jobs"
"""Name of the lock under which jobs enter and leave the queue."""
POINTS_AT_ONCE = 500
CURVE_POINTS = 200
"""More points of one curve are not read, whatever the number of its epochs: a page reads all curves
of a job every few seconds, and draws them a few hundred pixels wide. 50,000 points of 10 curves
took 0.26 s of a core to read; what is left of them takes 0.12 s, and far less to draw.
"""
MOST_LINES = 20_000
"""Lines of a job's log that come from its task; how it ends is written in any case."""
LOG_IS_FULL = f"The log has {MOST_LINES:,} lines: what else the task tells is left out."

_ready: WeakSet[Engine] = WeakSet()


@dataclass(frozen=True)
class NewJob:
    """What is known of a job when it is submitted."""

    task: str
    title: str
    arguments: Mapping[str, Any]
    lane: Lane
    device: str
    resumable: bool
    submitted_by: str
    limits: Limits


@dataclass(frozen=True)
class Worker:
    """Who works: a process, named by host, number and start (see `processes`)."""

    host: str
    pid: int
    mark: str


@dataclass(frozen=True)
class Claim:
    """The right to work on a job until somebody else has it."""

    id: str
    token: str
    attempt: int
    record: JobRecord


@dataclass(frozen=True)
class Running:
    """A job that a worker has, or had when it died."""

    id: str
    attempt: int
    token: str
    worker: Worker
    heartbeat_at: float


@dataclass
class News:
    """What a task reported and the database does not hold yet.

    Parameters
    ----------
    progress
        Values of the columns of the job's own row.
    log
        Time and text of each line.
    points
        Value by series, epoch and name.
    """

    progress: dict[str, Any] = field(default_factory=dict)
    log: list[tuple[float, str]] = field(default_factory=list)
    points: dict[tuple[str, int, str], float] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.progress or self.log or self.points)

    def add(self, later: News) -> None:
        """Take in what was reported later."""
        self.progress |= later.progress
        self.log += later.log
        self.points |= later.points


class LostJobError(Exception):
    """The job is somebody else's by now, or nobody's: stop, and write nothing."""


def database() -> Engine:
    """Return the database with the tables of jobs in it."""
    engine = open_database()
    if engine not in _ready:
        create_tables(engine, SCHEMA)
        _ready.add(engine)
    return engine


def digest_of(task: str, arguments: Mapping[str, Any]) -> str:
    """Return what two jobs have in common that would do the same."""
    text = json.dumps([task, dict(arguments)], sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def new_id() -> str:
    """Return an id for a job."""
    return secrets.token_hex(6)


def add(job: NewJob, identifier: str) -> tuple[JobRecord, bool]:
    """Queue a job under a new id, unless one that does the same waits or runs.

    Returns
    -------
    tuple
        The job, and whether it is new.
    """
    same, engine = digest_of(job.task, job.arguments), database()
    with exclusive(engine, QUEUE) as connection:
        waiting = _newest(connection, JOBS.c.same == same, _is(("queued", "running")))
        if waiting is not None:
            return waiting, False
        connection.execute(insert(JOBS).values(_row_of(job, identifier, same)))
        _add_lines(connection, identifier, [(time.time(), "Submitted.")])
        return _one(connection, identifier), True


def find(task: str, arguments: Mapping[str, Any]) -> JobRecord | None:
    """Return the newest job with these arguments, whatever its state."""
    with database().connect() as connection:
        return _newest(connection, JOBS.c.same == digest_of(task, arguments))


def read(identifier: str) -> JobRecord:
    """Return a job.

    Raises
    ------
    CatalogError
        If there is none with this id.
    """
    with database().connect() as connection:
        return _one(connection, identifier)


def read_all(
    *, task: str | None = None, states: Collection[State] | None = None, limit: int = 100
) -> list[JobRecord]:
    """Return the newest jobs, newest first."""
    wanted = [] if task is None else [JOBS.c.task == task]
    if states is not None:
        wanted.append(_is(states))
    with database().connect() as connection:
        query = select(JOBS).where(*wanted).order_by(JOBS.c.n.desc()).limit(limit)
        places = _places(connection)
        return [_record(row, places) for row in connection.execute(query).mappings()]


def ended_before(moment: float) -> list[str]:
    """Return the ids of the jobs that ended before a time (seconds since 1970), oldest first."""
    query = select(JOBS.c.id).where(_is(FINISHED), JOBS.c.finished_at < moment)
    with database().connect() as connection:
        return list(connection.execute(query.order_by(JOBS.c.n)).scalars())


def read_log(identifier: str, after: int = 0) -> list[LogLine]:
    """Return the lines of a job's log whose number is larger than `after`."""
    query = select(LOG).where(LOG.c.job == identifier, LOG.c.n > after).order_by(LOG.c.n)
    with database().connect() as connection:
        rows = connection.execute(query).mappings()
        return [LogLine(row["n"], _time(row["at"]), row["text"]) for row in rows]


def read_points(identifier: str) -> list[tuple[int, str, int, str, float]]:
    """Return the points of a job's curves in the order they came: n, series, epoch, name, value.

    Of a long curve, which is a name of a series, every k-th point is returned in the order of its
    epochs, and the last one: `CURVE_POINTS` and one at most.
    """
    columns = (POINTS.c.n, POINTS.c.series, POINTS.c.epoch, POINTS.c.name, POINTS.c.value)
    curve = (POINTS.c.series, POINTS.c.name)
    place = func.row_number().over(partition_by=curve, order_by=POINTS.c.epoch) - 1
    count = func.count().over(partition_by=curve)
    ranked = select(*columns, place.label("place"), count.label("length"))
    points = ranked.where(POINTS.c.job == identifier).subquery()
    step = (points.c.length + CURVE_POINTS - 1) // CURVE_POINTS
    shown = or_(points.c.place % step == 0, points.c.place == points.c.length - 1)
    query = select(*(points.c[column.name] for column in columns)).where(shown).order_by(points.c.n)
    with database().connect() as connection:
        return [
            (n, series, epoch, name, math.nan if value is None else value)
            for n, series, epoch, name, value in connection.execute(query)
        ]


def waiting() -> dict[tuple[Lane, str], int]:
    """Return how many jobs wait, by lane and device."""
    query = select(JOBS.c.lane, JOBS.c.device, func.count()).where(JOBS.c.state == "queued")
    with database().connect() as connection:
        rows = connection.execute(query.group_by(JOBS.c.lane, JOBS.c.device))
        return {(lane, device): count for lane, device, count in rows}


def running() -> list[Running]:
    """Return the jobs that a worker has."""
    with database().connect() as connection:
        rows = connection.execute(select(JOBS).where(JOBS.c.state == "running")).mappings()
        return [
            Running(
                row["id"],
                row["attempt"],
                row["token"],
                Worker(row["worker_host"], row["worker_pid"], row["worker_mark"]),
                row["heartbeat_at"],
            )
            for row in rows
        ]


def is_current(identifier: str, token: str) -> bool:
    """Tell whether a job runs by the attempt with this token."""
    wanted = (JOBS.c.id == identifier, JOBS.c.state == "running", JOBS.c.token == token)
    with database().connect() as connection:
        return connection.execute(select(JOBS.c.n).where(*wanted)).first() is not None


def is_local() -> bool:
    """Tell whether the database can only be used by processes of one machine."""
    return database().dialect.name == "sqlite"


def claim(
    lane: Lane, worker: Worker, *, devices: Collection[str] = (), device: str = ""
) -> Claim | None:
    """Take the job of a lane that waits longest; None where none does.

    Parameters
    ----------
    lane
        The queue.
    worker
        Who will work on it.
    devices
        Jobs that ask for one of these; all where empty.
    device
        The device it will run on.
    """
    engine = database()
    wanted = [JOBS.c.state == "queued", JOBS.c.lane == lane, _may_start()]
    if devices:
        wanted.append(JOBS.c.device.in_(devices))
    query = select(JOBS.c.id).where(*wanted).order_by(JOBS.c.n).limit(1)
    # looked for without the lock first: an idle worker asks again and again
    with engine.connect() as connection:
        if connection.execute(query).first() is None:
            return None
    with exclusive(engine, QUEUE) as connection:
        identifier = connection.execute(query).scalar()
        return None if identifier is None else _take(connection, identifier, worker, device)


def keep(held: Claim, news: News | None = None) -> bool:
    """Say that a job's worker lives, and write what the task reported.

    Returns
    -------
    bool
        Whether the job is to be cancelled.

    Raises
    ------
    LostJobError
        If the job is no longer this attempt's; nothing is written.
    """
    told = news or News()
    with exclusive(database(), held.id) as connection:
        _change(connection, held, {"heartbeat_at": time.time(), **told.progress})
        _add_told(connection, held.id, told.log)
        _add_points(connection, held.id, told.points)
        query = select(JOBS.c.cancel_asked).where(JOBS.c.id == held.id)
        return bool(connection.execute(query).scalar())


def is_to_stop(held: Claim) -> bool:
    """Tell whether a running job is to be cancelled.

    Raises
    ------
    LostJobError
        If the job is no longer this attempt's.
    """
    query = select(JOBS.c.cancel_asked).where(*_held(held))
    with database().connect() as connection:
        found = connection.execute(query).scalar()
    if found is None:
        raise LostJobError(held.id)
    return bool(found)


def finish(
    held: Claim,
    state: State,
    *,
    line: str,
    result: Mapping[str, Any] | None = None,
    error: tuple[str, str] | None = None,
    news: News | None = None,
) -> None:
    """End a running job, with what it reported last.

    Raises
    ------
    LostJobError
        If the job is no longer this attempt's; nothing is written.
    """
    message, remedy = error or (None, None)
    values = _ended(state) | {
        "error_message": message,
        "error_remedy": remedy,
        "result": json.dumps(dict(result or {})),
    }
    with exclusive(database(), held.id) as connection:
        told = news or News()
        _change(connection, held, told.progress | values)
        _add_told(connection, held.id, told.log)
        _add_lines(connection, held.id, [(time.time(), line)])
        _add_points(connection, held.id, told.points)


def interrupt(identifier: str, token: str, reason: str, *, resume: bool) -> State | None:
    """Take a job from a worker that is gone.

    Parameters
    ----------
    identifier, token
        The attempt; nothing happens where it is no longer the current one.
    reason
        A sentence that says what happened.
    resume
        Whether it may be queued again at once, if it goes on from where it was and was not
        interrupted too often.

    Returns
    -------
    str or None
        The new state: ``queued``, ``interrupted`` or ``cancelled``; None if nothing was changed.
    """
    with exclusive(database(), identifier) as connection:
        row = _row(connection, identifier)
        if row is None or row["state"] != "running" or row["token"] != token:
            return None
        state, line = _after_interruption(row, resume)
        values: dict[str, Any] = {"state": state, "token": "", "cancel_asked": False}
        if state == "queued":
            resumes, now = row["resumes"], time.time()
            values |= {"resumes": resumes + 1, "device": row["device_asked"]}
            values |= {"not_before": now + RESUME_SECONDS[resumes]}
        else:
            values |= {"finished_at": time.time()}
        if state == "interrupted":
            values |= {"error_message": reason, "error_remedy": "Resume it, or start it again."}
        connection.execute(update(JOBS).where(JOBS.c.id == identifier).values(values))
        _add_lines(connection, identifier, [(time.time(), f"{reason} {line}")])
        return state


def ask_to_cancel(identifier: str) -> State:
    """Cancel what waits or was interrupted; ask the worker of what runs to stop it.

    Returns
    -------
    str
        The state after that.
    """
    with exclusive(database(), QUEUE) as connection:
        row = _row(connection, identifier)
        if row is None:
            raise _unknown(identifier)
        state = cast(State, row["state"])
        changes: dict[str, Any] = {}
        if state == "running" and not row["cancel_asked"]:
            changes, line = {"cancel_asked": True}, "Cancelling."
        elif state in ("queued", "interrupted"):
            changes, line = _ended("cancelled"), "Cancelled."
        if not changes:
            return state
        # the row may have changed since it was read: ending a job takes another lock
        wanted = (JOBS.c.id == identifier, JOBS.c.state == state)
        if connection.execute(update(JOBS).where(*wanted).values(changes)).rowcount:
            _add_lines(connection, identifier, [(time.time(), line)])
        return _one(connection, identifier).state


def queue_again(
    identifier: str, states: Collection[State], *, limits: Limits | None = None
) -> bool:
    """Queue a job once more, if it is in one of these states; its folder stays as it is.

    Parameters
    ----------
    identifier, states
        The job.
    limits
        What its next attempts may use; None: as before.

    Returns
    -------
    bool
        Whether it was.

    Raises
    ------
    JobError
        If a job that does the same waits or runs.
    """
    values: dict[str, Any] = {
        "state": "queued",
        "resumes": 0,
        "not_before": 0.0,
        "finished_at": None,
        "error_message": None,
        "error_remedy": None,
        "cancel_asked": False,
        "device": JOBS.c.device_asked,
    }
    with exclusive(database(), QUEUE) as connection:
        _refuse_twin(connection, identifier)
        row = _row(connection, identifier)
        if row is None or row["state"] not in states:
            return False
        before, lines = _limits(row), ["Queued again."]
        if limits is not None and limits != before:
            values |= _limit_columns(limits)
            lines.append(f"Its limits are now {limits.words}; they were {before.words}.")
        connection.execute(update(JOBS).where(JOBS.c.id == identifier).values(values))
        _add_lines(connection, identifier, [(time.time(), line) for line in lines])
        return True


def fail_waiting(lane: Lane, device: str, error: tuple[str, str]) -> None:
    """End the jobs that wait for a device that is not there."""
    wanted = (JOBS.c.state == "queued", JOBS.c.lane == lane, JOBS.c.device == device)
    values = _ended("failed") | {"error_message": error[0], "error_remedy": error[1]}
    with exclusive(database(), QUEUE) as connection:
        names = connection.execute(select(JOBS.c.id).where(*wanted)).scalars().all()
        connection.execute(update(JOBS).where(*wanted).values(values))
        for name in names:
            _add_lines(connection, name, [(time.time(), error[0])])


def while_finished(identifier: str, action: Callable[[], None]) -> bool:
    """Do something quick while no process can take a job up; return whether that could be.

    It cannot where the job waits or runs, or there is none.
    """
    with exclusive(database(), QUEUE) as connection:
        row = _row(connection, identifier)
        if row is None or row["state"] not in FINISHED:
            return False
        action()
        return True


def remove(identifier: str) -> bool:
    """Remove a job that no process works on, with its log and curves."""
    with exclusive(database(), QUEUE) as connection:
        wanted = (JOBS.c.id == identifier, _is(FINISHED))
        if not connection.execute(delete(JOBS).where(*wanted)).rowcount:
            return False
        connection.execute(delete(LOG).where(LOG.c.job == identifier))
        connection.execute(delete(POINTS).where(POINTS.c.job == identifier))
        return True


def _row_of(job: NewJob, identifier: str, same: str) -> dict[str, Any]:
    return {
        "id": identifier,
        "task": job.task,
        "title": job.title,
        "arguments": json.dumps(dict(job.arguments)),
        "same": same,
        "state": "queued",
        "lane": job.lane,
        "device": job.device,
        "device_asked": job.device,
        "resumable": job.resumable,
        "submitted_by": job.submitted_by,
        "submitted_at": time.time(),
        **_limit_columns(job.limits),
    }


def _limit_columns(limits: Limits) -> dict[str, float]:
    return {
        "limit_hours": limits.hours,
        "limit_memory_gb": limits.memory_gb,
        "limit_disk_gb": limits.disk_gb,
    }


def _limits(row: RowMapping) -> Limits:
    return Limits(row["limit_hours"], row["limit_memory_gb"], row["limit_disk_gb"])


def _take(connection: Connection, identifier: str, worker: Worker, device: str) -> Claim | None:
    now, token = time.time(), secrets.token_hex(16)
    values = {
        "state": "running",
        "attempt": JOBS.c.attempt + 1,
        "token": token,
        "device": device,
        "worker_host": worker.host,
        "worker_pid": worker.pid,
        "worker_mark": worker.mark,
        "started_at": now,
        "heartbeat_at": now,
        "finished_at": None,
        "error_message": None,
        "error_remedy": None,
        "cancel_asked": False,
        "pace_at": None,
        "told_at": None,
    }
    wanted = (JOBS.c.id == identifier, JOBS.c.state == "queued")
    if not connection.execute(update(JOBS).where(*wanted).values(values)).rowcount:
        return None
    record = _one(connection, identifier)
    _add_lines(connection, identifier, [(now, f"Started (attempt {record.attempt}).")])
    return Claim(identifier, token, record.attempt, record)


def _after_interruption(row: RowMapping, resume: bool) -> tuple[State, str]:
    """Return what becomes of a job whose worker is gone, and say why."""
    if row["cancel_asked"]:
        return "cancelled", "It was to be cancelled, and is."
    if not row["resumable"]:
        return "interrupted", "It cannot go on by itself: it would start from the beginning."
    if row["resumes"] + 1 >= MAX_ATTEMPTS:
        return "interrupted", f"Interrupted {MAX_ATTEMPTS} times: not started again by itself."
    if not resume:
        return "interrupted", "Interrupted; it goes on when it is resumed."
    return "queued", "Interrupted; queued again to go on from where it was."


def _ended(state: State) -> dict[str, Any]:
    return {"state": state, "finished_at": time.time(), "token": "", "cancel_asked": False}


def _held(held: Claim) -> tuple[ColumnElement[bool], ...]:
    mine = (JOBS.c.token == held.token, JOBS.c.attempt == held.attempt)
    return (JOBS.c.id == held.id, JOBS.c.state == "running", *mine)


def _change(connection: Connection, held: Claim, values: Mapping[str, Any]) -> None:
    if not connection.execute(update(JOBS).where(*_held(held)).values(dict(values))).rowcount:
        raise LostJobError(held.id)


def _add_lines(connection: Connection, job: str, lines: Sequence[tuple[float, str]]) -> None:
    """Add lines under the next numbers; the job's row stays locked until the end."""
    if not lines:
        return
    connection.execute(select(JOBS.c.n).where(JOBS.c.id == job).with_for_update())
    last = connection.execute(select(func.max(LOG.c.n)).where(LOG.c.job == job)).scalar() or 0
    rows = [
        {"job": job, "n": last + place, "at": at, "text": text}
        for place, (at, text) in enumerate(lines, start=1)
    ]
    connection.execute(insert(LOG), rows)


def _add_told(connection: Connection, job: str, lines: Sequence[tuple[float, str]]) -> None:
    """Add lines of the task as long as there is room, then one that says that there is none."""
    if not lines:
        return
    last = connection.execute(select(func.max(LOG.c.n)).where(LOG.c.job == job)).scalar() or 0
    fitting = list(lines[: max(MOST_LINES - last, 0)])
    if len(fitting) < len(lines):
        said = select(LOG.c.n).where(LOG.c.job == job, LOG.c.n > MOST_LINES)
        if connection.execute(said.where(LOG.c.text == LOG_IS_FULL)).first() is None:
            fitting.append((lines[len(fitting)][0], LOG_IS_FULL))
    _add_lines(connection, job, fitting)


def _add_points(
    connection: Connection, job: str, points: Mapping[tuple[str, int, str], float]
) -> None:
    """Add points; one that was reported before, by an earlier attempt, gets its new value."""
    rows = [
        {
            "job": job,
            "series": series,
            "epoch": epoch,
            "name": name,
            "value": value if math.isfinite(value) else None,
        }
        for (series, epoch, name), value in points.items()
    ]
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for start in range(0, len(rows), POINTS_AT_ONCE):
        added = dialect.insert(POINTS).values(rows[start : start + POINTS_AT_ONCE])
        connection.execute(
            added.on_conflict_do_update(
                index_elements=["job", "series", "name", "epoch"],
                set_={"value": added.excluded.value},
            )
        )


def _may_start() -> ColumnElement[bool]:
    """Return what is so of a job whose pause is over.

    Pauses are written by the clock of whoever noticed an interruption. One that would be longer
    than the longest there is comes from a clock that is ahead of ours, and is over.
    """
    now = time.time()
    return or_(JOBS.c.not_before <= now, JOBS.c.not_before > now + max(RESUME_SECONDS))


def _is(states: Iterable[State]) -> ColumnElement[bool]:
    return JOBS.c.state.in_(tuple(states))


def _row(connection: Connection, identifier: str) -> RowMapping | None:
    query = select(JOBS).where(JOBS.c.id == identifier).with_for_update()
    return connection.execute(query).mappings().first()


def _one(connection: Connection, identifier: str) -> JobRecord:
    row = connection.execute(select(JOBS).where(JOBS.c.id == identifier)).mappings().first()
    if row is None:
        raise _unknown(identifier)
    return _record(row, _places(connection))


def _newest(connection: Connection, *wanted: ColumnElement[bool]) -> JobRecord | None:
    query = select(JOBS).where(*wanted).order_by(JOBS.c.n.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return None if row is None else _record(row, _places(connection))


def _places(connection: Connection) -> dict[str, int]:
    """Return the place of each job that waits, 1 for the next of its lane and device."""
    queue = (JOBS.c.lane, JOBS.c.device)
    place = func.row_number().over(partition_by=queue, order_by=JOBS.c.n)
    query = select(JOBS.c.id, place).where(JOBS.c.state == "queued")
    return {identifier: int(number) for identifier, number in connection.execute(query)}


def _record(row: RowMapping, places: Mapping[str, int]) -> JobRecord:
    error = row["error_message"]
    same = ("id", "task", "title", "state", "lane", "device", "step", "done", "total", "epoch")
    more = ("seed", "code_digest", "submitted_by", "attempt")
    documents = ("arguments", "metrics", "data_digests", "result")
    times = ("started_at", "finished_at", "heartbeat_at")
    values: dict[str, Any] = {name: row[name] for name in same + more}
    values |= {name: json.loads(row[name]) for name in documents}
    values |= {name: None if row[name] is None else _time(row[name]) for name in times}
    return JobRecord(
        **values,
        submitted_at=_time(row["submitted_at"]),
        eta_seconds=_eta(row) if row["state"] == "running" else None,
        error=None if error is None else (error, row["error_remedy"] or ""),
        limits=_limits(row),
        position=places.get(row["id"]),
    )


def _eta(row: RowMapping) -> float | None:
    """Return the seconds that the rest of the step takes at the pace of this attempt so far."""
    done = row["done"] - row["pace_done"]
    if row["pace_at"] is None or done <= 0 or not row["total"]:
        return None
    pace = (row["told_at"] - row["pace_at"]) / done
    since = max(time.time() - row["told_at"], 0.0)
    return float(max((row["total"] - row["done"]) * pace - since, 0.0))


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _refuse_twin(connection: Connection, identifier: str) -> None:
    same = select(JOBS.c.same).where(JOBS.c.id == identifier).scalar_subquery()
    wanted = (JOBS.c.same == same, JOBS.c.id != identifier, _is(("queued", "running")))
    twin = _newest(connection, *wanted)
    if twin is not None:
        raise JobError(
            f"Job {twin.id} does the same and is {twin.state}: two would do the work twice.",
            remedy=f"Wait for job {twin.id}, or cancel it first.",
        )


def _unknown(identifier: str) -> CatalogError:
    return CatalogError(
        f"There is no job {identifier!r}.", remedy="`jobs list` shows those there are."
    )
