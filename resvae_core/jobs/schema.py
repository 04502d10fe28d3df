"""The tables of jobs, their logs and their curves."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

SCHEMA = MetaData()

# SQLite numbers rows by itself only where the type is INTEGER
_NUMBER = BigInteger().with_variant(Integer, "sqlite")

JOBS = Table(
    "jobs",
    SCHEMA,
    Column("n", _NUMBER, primary_key=True, autoincrement=True),  # order of submission
    Column("id", String(32), nullable=False, unique=True),
    Column("task", String(64), nullable=False, index=True),
    Column("title", Text, nullable=False),
    Column("arguments", Text, nullable=False),  # JSON, as are metrics, data_digests and result
    Column("same", String(64), nullable=False, index=True),  # digest of task and arguments
    Column("state", String(16), nullable=False, index=True),
    Column("lane", String(16), nullable=False),
    Column("device", String(32), nullable=False),  # as it runs
    Column("device_asked", String(32), nullable=False),  # as it was submitted
    Column("resumable", Boolean, nullable=False),
    Column("step", Text, nullable=False, default=""),
    Column("done", BigInteger, nullable=False, default=0),
    Column("total", BigInteger, nullable=False, default=0),
    Column("epoch", Integer),
    Column("metrics", Text, nullable=False, default="{}"),
    Column("pace_done", BigInteger, nullable=False, default=0),  # where the step's pace is
    Column("pace_at", Double),  # measured from
    Column("told_at", Double),  # time of the last progress
    Column("seed", BigInteger),
    Column("code_digest", String(64), nullable=False, default=""),
    Column("data_digests", Text, nullable=False, default="{}"),
    Column("submitted_by", Text, nullable=False),
    Column("submitted_at", Double, nullable=False),  # seconds since 1970 (UTC), as all times
    Column("started_at", Double),
    Column("finished_at", Double),
    Column("heartbeat_at", Double),
    Column("attempt", Integer, nullable=False, default=0),
    Column("resumes", Integer, nullable=False, default=0),  # by itself, since somebody asked
    Column("not_before", Double, nullable=False, default=0.0),  # when it may start again
    Column("token", String(32), nullable=False, default=""),  # of the attempt that may write
    Column("cancel_asked", Boolean, nullable=False, default=False),
    Column("worker_host", String(32), nullable=False, default=""),
    Column("worker_pid", Integer, nullable=False, default=0),
    Column("worker_mark", String(32), nullable=False, default=""),
    Column("error_message", Text),
    Column("error_remedy", Text),
    Column("result", Text, nullable=False, default="{}"),
    Column("limit_hours", Double, nullable=False),
    Column("limit_memory_gb", Double, nullable=False),
    Column("limit_disk_gb", Double, nullable=False),
)

LOG = Table(
    "job_log",
    SCHEMA,
    Column("job", String(32), primary_key=True),
    Column("n", Integer, primary_key=True),  # 1, 2, … within the job
    Column("at", Double, nullable=False),
    Column("text", Text, nullable=False),
)

POINTS = Table(
    "job_points",
    SCHEMA,
    Column("n", _NUMBER, primary_key=True, autoincrement=True),
    Column("job", String(32), nullable=False, index=True),
    Column("series", String(200), nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("name", String(64), nullable=False),
    Column("value", Double),  # NULL for what is not a finite number
    UniqueConstraint("job", "series", "name", "epoch"),
)
