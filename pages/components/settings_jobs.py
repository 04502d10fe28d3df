"""Settings, Jobs: everything that runs, waits or has run, with details and the whole log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Literal, get_args

import streamlit as st
from streamlit import column_config as cc

from pages.components import job_view, messages
from pages.components.state import load_session
from resvae_core.config import RESEARCH_USE
from resvae_core.errors import CatalogError
from resvae_core.jobs import service

if TYPE_CHECKING:
    from pages.components.columns import Columns
    from pages.components.state import Session
    from resvae_core.jobs.record import JobRecord, State

Shown = Literal["All", "Waiting or running", "Ended"]
POLL_SECONDS = 3.0
MOST_ROWS = 200
COLUMNS: Columns = {
    "job": cc.TextColumn("Job", pinned=True),
    "state": cc.TextColumn("State"),
    "progress": cc.ProgressColumn(
        "Progress", min_value=0, max_value=100, format="%d %%", help="Of the current step"
    ),
    "by": cc.TextColumn("Started by"),
    "submitted": cc.DatetimeColumn("Asked for (UTC)", format="YYYY-MM-DD HH:mm"),
    "duration": cc.TextColumn("Duration"),
    "attempt": cc.NumberColumn("Attempt"),
    "seed": cc.TextColumn("Seed"),
    "device": cc.TextColumn("Device"),
    "code": cc.TextColumn("Code", help="First digits of the SHA-256 of the program's sources"),
    "id": cc.TextColumn("Id"),
}


def show(session: Session) -> None:
    """List the jobs; the chosen one with everything that is known of it."""
    shown = st.segmented_control(
        "Show", get_args(Shown), default="All", key="jobs_shown", required=True
    )
    _follow_table(shown, session.job)
    if session.job:
        _show_details(session)


@st.fragment(run_every=POLL_SECONDS)
def _follow_table(shown: Shown, open_job: str) -> None:
    """List the jobs anew every few seconds; a choice has the page show its details."""
    if load_session().job != open_job:
        st.rerun()
    with messages.Guarded():
        jobs = service.list_jobs(states=_states(shown), limit=MOST_ROWS)
        if not jobs:
            st.markdown("No jobs. Training, scoring and fetching of data appear here.")
            return
        ids = tuple(job.id for job in jobs)
        st.dataframe(
            [_row(job) for job in jobs],
            column_config=COLUMNS,
            hide_index=True,
            # rows that move would take the selection to another job
            key=f"jobs_{ids[0]}_{len(ids)}",
            on_select=lambda: _choose(ids),
            selection_mode="single-row",
            alt="Jobs, the newest first",
        )
        st.caption("Select a row for its details, its log, and what can be done with it.")


def _states(shown: Shown) -> tuple[State, ...] | None:
    """Return the states of a filter; None for all."""
    ended = tuple(state for state in job_view.STATES if state not in job_view.ACTIVE)
    return {"All": None, "Waiting or running": job_view.ACTIVE, "Ended": ended}[shown]


def _row(job: JobRecord) -> dict[str, Any]:
    place = f", place {job.position}" if job.position else ""
    fraction = 1.0 if job.state == "done" else job.fraction
    return {
        "job": job.title,
        "state": f"{job_view.STATES[job.state].word}{place}",
        "progress": None if fraction is None else 100 * fraction,
        "by": job.submitted_by,
        "submitted": job.submitted_at,
        "duration": job_view.duration_words(job),
        "attempt": job.attempt,
        "seed": "" if job.seed is None else str(job.seed),
        "device": job.device,
        "code": job.code_digest[:12],
        "id": job.id,
    }


def _choose(ids: tuple[str, ...]) -> None:
    """Keep which row was selected; the page, not the list alone, shows it."""
    rows = st.session_state[f"jobs_{ids[0]}_{len(ids)}"]["selection"]["rows"]
    load_session().job = ids[rows[0]] if rows else ""


def _show_details(session: Session) -> None:
    """Show one job, its log and what makes its result reproducible."""
    try:
        job = service.get_job(session.job)
    except CatalogError:
        session.job = ""  # it was removed, here or by somebody else
        return
    job_view.show_job(job, log=False)
    log, facts = st.columns([3, 2])
    with log:
        _show_log(job)
    with facts:
        _show_facts(job)


def _show_log(job: JobRecord) -> None:
    lines = [f"{line.time:%Y-%m-%d %H:%M:%S} {line.text}" for line in service.job_log(job.id)]
    st.subheader("Log", anchor=False)
    if not lines:
        st.caption("Nothing was written yet.")
        return
    st.code("\n".join(lines), language=None, height=240, wrap_lines=True)
    st.download_button(
        "Download log",
        "\n".join((f"# {RESEARCH_USE}", f"# Job {job.id}: {job.title}", *lines, "")),
        file_name=f"resvae-job-{job.id}.log",
        mime="text/plain",
        icon=":material/download:",
        key=f"download_log_{job.id}",
        on_click="ignore",
    )


def _show_facts(job: JobRecord) -> None:
    """Name what was asked for, on what code and data, within which limits."""
    st.subheader("What it rests on", anchor=False)
    limits = job.limits
    unknown = "not recorded yet" if job.state in job_view.ACTIVE else "not recorded"
    st.markdown(
        f"- Seed: {job.seed if job.seed is not None else unknown}\n"
        f"- Code: {f'`{job.code_digest[:16]}`' if job.code_digest else unknown}\n"
        + "".join(
            f"- {messages.plain(name)}: `{digest[:16]}`\n"
            for name, digest in job.data_digests.items()
        )
        + f"- Limits: {limits.hours:g} hours, {limits.memory_gb:g} GB of memory, "
        f"{limits.disk_gb:g} GB on disk\n"
    )
    with st.expander("What was asked for"):
        st.code(json.dumps(job.arguments, indent=2), language="json")
