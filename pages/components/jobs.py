"""Long computations from a page: started by a button, watched while they run, kept when done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import streamlit as st

from pages.components import messages, resources
from resvae_core.errors import JobError
from resvae_core.jobs.job import Job

if TYPE_CHECKING:
    import pandas as pd

POLL_SECONDS = 1.0
MAX_RESULTS = 8


@st.cache_resource(max_entries=1, show_spinner=False)
def _jobs() -> dict[str, Job]:
    """Return what runs or has run; public or synthetic cohorts alone, so shared by all."""
    return {}


@st.cache_resource(max_entries=1, show_spinner=False)
def _results() -> dict[str, pd.DataFrame]:
    return {}


def cohort_attribution(cohort: str, drug: str, model: str) -> pd.DataFrame | None:
    """Return a cohort's attributions, or offer to compute them and show how far that is.

    Parameters
    ----------
    cohort, drug, model
        Names: nothing of a patient is handed over.
    """
    key = f"{cohort}_{drug}_{model}_{resources.set_digest()}"
    if key in _results():
        return _results()[key]
    job = _jobs().get(key)
    if job is None:
        _offer(key, cohort, drug, model)
    else:
        _watch(key, job)
    return _results().get(key)


def _offer(key: str, cohort: str, drug: str, model: str) -> None:
    st.caption("Takes up to a minute, in a process of its own: the page stays usable.")
    st.button(
        "Explain every patient of the cohort",
        icon=":material/play_arrow:",
        key=f"start_{key}",
        on_click=_start,
        args=(key, cohort, drug, model),
    )


def _start(key: str, cohort: str, drug: str, model: str) -> None:
    if key not in _jobs():  # another visitor may have been faster
        arguments = {"cohort": cohort, "drug": drug, "model": model}
        _jobs()[key] = Job.start("attribute_cohort", arguments)


@st.fragment(run_every=POLL_SECONDS)
def _watch(key: str, job: Job) -> None:
    """Show progress until the job ends; then the whole page runs again."""
    if key not in _jobs():
        return
    if job.state == "running":
        done, total = job.progress()
        words = f"Explained {done} of {total} patients" if total else "Loading cohort and models …"
        st.progress(done / total if total else 0.0, text=words)
        st.button("Stop", icon=":material/stop:", key=f"stop_{key}", on_click=_stop, args=(key,))
        return
    try:
        _keep(key, job.result())
    except JobError as error:
        messages.show_error(error)
        st.button("Try again", key=f"again_{key}", on_click=_stop, args=(key,))
        return
    _jobs().pop(key)
    job.forget()
    st.rerun()


def _keep(key: str, table: pd.DataFrame) -> None:
    """Keep a result, and no more of them than a few."""
    results = _results()
    results[key] = table
    while len(results) > MAX_RESULTS:
        results.pop(next(iter(results)))


def _stop(key: str) -> None:
    job = _jobs().pop(key, None)
    if job is not None:
        job.cancel()
