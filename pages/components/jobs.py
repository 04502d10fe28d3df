"""A cohort's attributions: computed by a job, found again by everybody, watched while it runs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components import messages, resources
from pages.components.permissions import act, show_refusal, why_not
from resvae_core.errors import JobError
from resvae_core.jobs import queue_watch, service
from resvae_core.jobs.task_attribution import EXPRESSION, RESULT_FILE

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from resvae_core.access.roles import Actor
    from resvae_core.jobs.record import JobRecord

TASK = "attribute_cohort"
POLL_SECONDS = 1.0
ACTIVE = ("queued", "running")


@st.cache_data(max_entries=8, show_spinner=False)
def _result(job_id: str, _path: Path) -> pd.DataFrame:
    """Read a result; public or synthetic cohorts alone, so shared by all."""
    import pandas as pd

    return pd.read_parquet(_path)


@st.cache_data(max_entries=8, show_spinner=False)
def _expression_digest(cohort: str, stamp: str) -> str:
    return resources.cohort(cohort).expression.digest()


def cohort_attribution(cohort: str, drug: str, model: str) -> pd.DataFrame | None:
    """Return a cohort's attributions, or offer to compute them and show how far that is.

    Parameters
    ----------
    cohort, drug, model
        Names: nothing of a patient is handed over.
    """
    arguments = {
        "cohort": cohort,
        "drug": drug,
        "model": model,
        "set_digest": resources.set_digest(),
    }
    job = service.find_job(TASK, arguments)
    if job is not None and job.state == "done":
        path = service.job_folder(job.id) / RESULT_FILE
        digest = _expression_digest(cohort, resources.data_stamp())
        if path.is_file() and job.data_digests.get(EXPRESSION) == digest:
            return _result(job.id, path)
        job = None  # the file was removed, or other patients are installed: it is computed again
    if job is not None and job.state in ACTIVE:
        _watch(job.id)
        return None
    if job is not None and job.error is not None:
        messages.show_error(JobError(job.error[0], remedy=job.error[1]))
    _offer(arguments, again=job is not None)
    return None


def _offer(arguments: dict[str, Any], *, again: bool) -> None:
    """Offer to start; whoever may not sees why."""
    reason = why_not("score")
    st.caption(reason or "Takes up to a minute, in a process of its own: the page stays usable.")
    st.button(
        "Try again" if again else "Explain every patient of the cohort",
        icon=":material/play_arrow:",
        key="start_" + "_".join(arguments.values()),
        disabled=bool(reason),
        on_click=act,
        args=(_start, arguments),
    )
    show_refusal()


def _start(arguments: dict[str, Any], *, actor: Actor) -> None:
    """Start a job, or go on with one that was interrupted."""
    job = service.find_job(TASK, arguments)
    if job is not None and job.state in service.RESUMABLE:
        service.resume(job.id, actor=actor)
    else:
        service.submit(TASK, arguments, actor=actor)


@st.fragment(run_every=POLL_SECONDS)
def _watch(job_id: str) -> None:
    """Show progress until the job ends; then the whole page runs again."""
    with messages.Guarded():
        service.recover()
        job = service.get_job(job_id)
        if job.state not in ACTIVE:
            st.rerun()
        st.progress(job.fraction or 0.0, text=_words(job))
        reason = why_not("score")
        st.button(
            "Stop",
            icon=":material/stop:",
            key=f"stop_{job.id}",
            disabled=bool(reason),
            help=reason or None,
            on_click=act,
            args=(service.cancel, job.id),
        )


def _words(job: JobRecord) -> str:
    if job.position is not None:
        missing = messages.plain(queue_watch.missing_worker(job))
        return f"Waits, place {job.position} in the queue. {missing}"
    if not job.total:
        return "Loading cohort and models …"
    return f"Explained {job.done} of {job.total} patients"
