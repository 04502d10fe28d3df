"""One job as it stands: its state in words, progress, curves, log, and what can be done with it.

Everything comes from the database, nothing from the session: a reload, another browser or a
restarted server shows the same. What still moves is drawn by fragments, which ask again every
second or two without running the page.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import streamlit as st
from streamlit import column_config as cc

from pages.components import messages, panels, settings_parts
from pages.components.permissions import act, show_refusal, why_not
from resvae_core.figures.palette import with_model_words
from resvae_core.figures.performance import METRIC_WORDS
from resvae_core.figures.training_curves import (
    METRICS,
    fold_metrics,
    latest_report,
    loss_curves,
    losses_of,
    metrics_of,
)
from resvae_core.jobs import queue_watch, service
from resvae_core.jobs.tasks import TASKS
from resvae_core.registry import library

if TYPE_CHECKING:
    from pages.components.columns import Columns
    from resvae_core.access.roles import Actor
    from resvae_core.jobs.record import JobRecord, State

POLL_SECONDS = 1.5
CANCEL_SECONDS = 0.5
"""While somebody who pressed *Cancel* waits for it."""
CANCEL_PATIENCE = 30.0
CURVE_SECONDS = 5.0
"""Curves are larger than words, and change more slowly."""
LOG_LINES = 12
ACTIVE = ("queued", "running")
CURVE: Columns = {
    "kind": None,
    "name": None,
    "n": None,
    "series": cc.TextColumn("Model/seed/fold/member", pinned=True),
    "epoch": cc.NumberColumn("Epoch"),
    "value": cc.NumberColumn("Value", format="%.4f"),
}
NO_CURVES = {
    True: "Curves appear here a few seconds after the first loss or judged fold.",
    False: "It ended before a loss or a judged fold was reported.",
}
_LOST = {
    "train": "Its record, log and curves, and what it finished without becoming a set,",
    "score": "Its record, its log and **all scores that it wrote**",
    "attribute_cohort": "Its record, its log and the explanations that it computed",
}
"""What goes with a job, by its task."""
SET_COMPARED = "set_compared"
"""Key of the choice of a set on the part Model sets."""


@dataclass(frozen=True)
class StateStyle:
    """Word, icon and colour of a job's state."""

    word: str
    icon: str
    colour: str


STATES: dict[State, StateStyle] = {
    "queued": StateStyle("Waiting", ":material/schedule:", "gray"),
    "running": StateStyle("Running", ":material/progress_activity:", "blue"),
    "done": StateStyle("Done", ":material/check:", "green"),
    "failed": StateStyle("Failed", ":material/error:", "red"),
    "cancelled": StateStyle("Cancelled", ":material/cancel:", "gray"),
    "interrupted": StateStyle("Interrupted", ":material/pause_circle:", "orange"),
}
CANCELLING = StateStyle("Cancelling …", ":material/cancel:", "gray")


def show_job(job: JobRecord, *, log: bool = True) -> None:
    """Show a job, and follow it while it waits or runs.

    Parameters
    ----------
    job
        As it stands.
    log
        Whether the end of its log is shown; not where the whole log stands beside it.
    """
    with st.container(border=True, key=f"job_{job.id}"):
        if job.state not in ACTIVE:
            st.session_state.pop(_cancelled_at(job.id), None)
            _show_state(job, log)
            _offer_curves(job)
            return
        hasty = _is_cancelling(job)
        every = CANCEL_SECONDS if hasty else POLL_SECONDS
        st.fragment(_follow_state, run_every=every)(job.id, log, hasty)
        if job.task == "train":
            _follow_curves(job.id)


def _follow_state(job_id: str, log: bool, hasty: bool) -> None:
    job = service.get_job(job_id)
    if job.state not in ACTIVE:
        st.rerun()  # the whole page: nothing is followed any longer
    _show_state(job, log)
    if _is_cancelling(job) != hasty:
        st.rerun()  # what was just drawn is seen while the page sets another pace


def _cancelled_at(job_id: str) -> str:
    return f"cancelled_at_{job_id}"


def _is_cancelling(job: JobRecord) -> bool:
    """Tell whether somebody at this page has just cancelled a job that still goes on."""
    asked = st.session_state.get(_cancelled_at(job.id))
    return job.state in ACTIVE and asked is not None and time.monotonic() - asked < CANCEL_PATIENCE


def _cancel(job_id: str) -> None:
    """Cancel a job, and say so at once (for callbacks)."""
    if act(service.cancel, job_id) is not None:
        st.session_state[_cancelled_at(job_id)] = time.monotonic()


@st.fragment(run_every=CURVE_SECONDS)
def _follow_curves(job_id: str) -> None:
    job = service.get_job(job_id)
    if job.state != "queued":
        with messages.Guarded():
            _show_curves(job)


def _show_state(job: JobRecord, log: bool) -> None:
    """Show title, state, what it does now and the buttons."""
    with messages.Guarded():
        style = CANCELLING if _is_cancelling(job) else STATES[job.state]
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(f"**{messages.plain(job.title)}**", width="content")
            st.badge(style.word, icon=style.icon, color=style.colour)
        st.caption(" · ".join(origin_words(job)))
        _BODIES[job.state](job)
        _buttons(job)
        show_refusal()
        if log:
            _log_tail(job)


def origin_words(job: JobRecord) -> list[str]:
    """Say who started a job, when, for which time, and on what it computes."""
    words = [f"Job {job.id}", f"by {messages.plain(job.submitted_by)}", _moment(job.submitted_at)]
    if job.attempt > 1:
        words.append(f"attempt {job.attempt}")
    if job.device and job.device != "auto":
        words.append(f"on {messages.plain(job.device)}")
    return words


def _queued(job: JobRecord) -> None:
    place = f"place {job.position} in the queue" if job.position else "in the queue"
    why = " One training runs at a time on each device." if job.lane == "training" else ""
    st.markdown(f"Waits, {place}.{why}")
    if missing := queue_watch.missing_worker(job):
        st.markdown(f":orange[:material/warning: {messages.plain(missing)}]")


def _running(job: JobRecord) -> None:
    st.progress(job.fraction or 0.0, text=progress_words(job))
    if job.task == "train":
        return  # the last report stands at the curves, by the model and fold that it is of
    facts = [f"Epoch {job.epoch}"] if job.epoch else []  # 0 stands for a whole fold
    facts += [
        f"{METRIC_WORDS.get(name, name.replace('_', ' '))} {value:.3f}"
        for name, value in job.metrics.items()
    ]
    if facts:
        st.caption(" · ".join(facts))


def progress_words(job: JobRecord) -> str:
    """Say what a job does now, how much of it is done and how long it may take."""
    step = messages.plain(with_model_words(job.step)) or "Starts"
    words = [step]
    if job.task == "train" and job.total:  # steps name folds themselves: one count, in words
        number = min(job.done + 1, job.total)
        words = [f"Step {number:,} of {job.total:,}: {step[0].lower()}{step[1:]}"]
    elif job.total:
        words.append(f"{job.done:,} of {job.total:,}")
    if job.eta_seconds is not None:
        words.append(f"{_about(job.eta_seconds)} left")
    return " · ".join(words)


def _done(job: JobRecord) -> None:
    st.markdown(f"Finished in {duration_words(job)}.")
    if job.task == "score":
        st.markdown(
            f"{job.result['samples']:,} samples, {job.result['rows']:,} rows, scored with the set "
            f"{messages.plain(str(job.result['set']))}. The scores are Parquet files in "
            f"`jobs/{job.id}/{job.result['folder']}` of the state folder."
        )
    if job.task == "train":
        st.button(
            "Compare it with the active set",
            icon=":material/compare_arrows:",
            key=f"compare_{job.id}",
            on_click=_compare,
            args=(str(job.result["set"]),),
        )


def _compare(set_id: str) -> None:
    """Open the model sets with the one that a training made, unless it is active by now."""
    with messages.Guarded():
        states = {entry.id: entry.state for entry in library.list_sets()}
        if states.get(set_id, "active") != "active":
            st.session_state[SET_COMPARED] = set_id
    settings_parts.open_part("sets")


def _ended_early(job: JobRecord) -> None:
    message, remedy = job.error or ("It ended without a word.", "Look into its log.")
    st.markdown(f"{messages.plain(message)} {messages.plain(remedy)}")


def _interrupted(job: JobRecord) -> None:
    _ended_early(job)
    goes_on = "goes on from what it had finished" if TASKS[job.task].resumable else "starts anew"
    st.caption(f"Resumed, it {goes_on}.")


def _cancelled(job: JobRecord) -> None:
    st.markdown("Stopped on request. What it had finished is kept until you remove it.")


_BODIES: dict[State, Callable[[JobRecord], None]] = {
    "queued": _queued,
    "running": _running,
    "done": _done,
    "failed": _ended_early,
    "cancelled": _cancelled,
    "interrupted": _interrupted,
}


def _buttons(job: JobRecord) -> None:
    """Offer what can be done with a job in its state."""
    reason = why_not(TASKS[job.task].permission)
    offers = {
        "Cancel": (_cancel, (), ":material/stop:", job.state in ACTIVE),
        "Resume": (act, (service.resume,), ":material/play_arrow:", job.state in service.RESUMABLE),
    }
    with st.container(horizontal=True):
        for label, (callback, action, icon, offered) in offers.items():
            if offered:
                st.button(
                    label,
                    icon=icon,
                    key=f"{label.lower()}_{job.id}",
                    disabled=bool(reason) or (label == "Cancel" and _is_cancelling(job)),
                    help=reason or None,
                    on_click=callback,
                    args=(*action, job.id),
                )
        if job.state not in ACTIVE:
            _offer_to_remove(job, reason)
    if reason:
        st.caption(reason)


def _offer_to_remove(job: JobRecord, reason: str) -> None:
    """Say what would be lost, and ask."""
    with st.popover("Remove", icon=":material/delete:", disabled=bool(reason)):
        st.markdown(f"{_LOST.get(job.task, 'Its record and its log')} will be gone for good.")
        st.button(
            "Remove this job", key=f"remove_{job.id}", on_click=_remove, args=(job.id, job.title)
        )


def _remove(job_id: str, title: str) -> None:
    """Remove a job, and say so (for callbacks)."""
    if act(_forget, job_id):
        st.toast(f"Removed: {messages.plain(title)}", icon=":material/check:")


def _forget(job_id: str, *, actor: Actor) -> bool:
    service.forget(job_id, actor=actor)
    return True


def _offer_curves(job: JobRecord) -> None:
    """Draw the curves of a training that has ended once somebody asks for them."""
    if job.task != "train":
        return
    place = st.expander(
        "Curves", icon=":material/show_chart:", key=f"curves_{job.id}", on_change="rerun"
    )
    if place.open:
        with place:
            _show_curves(job)


def _show_curves(job: JobRecord) -> None:
    """Draw the losses and the metrics of finished folds, where there are any."""
    curve = service.job_curve(job.id)
    if curve.empty:
        st.caption(NO_CURVES[job.state in ACTIVE])
        return
    if job.state in ACTIVE:
        st.caption(f"Last report: {latest_report(curve)}.")
    losses, folds = losses_of(curve), metrics_of(curve, METRICS[0])
    if not losses.empty:
        view = panels.TableView(f"losses-{job.id}", losses, CURVE)
        panels.chart(loss_curves(curve), f"losses-{job.id}", view)
    if not folds.empty:
        view = panels.TableView(f"folds-{job.id}", folds, CURVE | {"epoch": None})
        panels.chart(fold_metrics(curve), f"folds-{job.id}", view)


def _log_tail(job: JobRecord) -> None:
    lines = service.job_log(job.id)[-LOG_LINES:]
    if lines:
        with st.expander("Log", icon=":material/notes:", key=f"log_{job.id}"):
            text = "\n".join(f"{line.time:%H:%M:%S}  {line.text}" for line in lines)
            st.code(text, language=None, wrap_lines=True)


def duration(seconds: float) -> str:
    """Return a time span in words: "40 seconds", "12 minutes", "3.5 hours"."""
    if seconds < 5:
        return "a few seconds"
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"


def _about(seconds: float) -> str:
    said = duration(seconds)
    return said if said.startswith("a ") else f"about {said}"


def duration_words(job: JobRecord) -> str:
    """Say how long a job has run, in its current attempt; empty while it waits."""
    if job.started_at is None or job.state == "queued":
        return ""
    end = job.finished_at or datetime.now(UTC)
    return duration(max((end - job.started_at).total_seconds(), 0.0))


def _moment(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
