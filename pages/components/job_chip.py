"""What runs, as one small link on every page; and a look after jobs whose worker has died."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import resources
from pages.components.messages import describe_without_values
from resvae_core.errors import ResVAEError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pages.components.state import Session
    from resvae_core.jobs.record import JobRecord

POLL_SECONDS = 3.0
RECOVER_SECONDS = 5.0
SETTINGS = "pages/settings.py"
LANES = {"training": "Training", "scoring": "Scoring", "fetch": "Fetching"}
_LOGGER = logging.getLogger("resvae.pages")


def show(session: Session) -> None:
    """Link to what runs or waits; draw nothing where nothing does."""
    RECOVERY.start_if_due()
    if resources.active_jobs():
        _live_chip(session)


@st.fragment(run_every=POLL_SECONDS)
def _live_chip(session: Session) -> None:
    """Follow the jobs without running the page again."""
    active = resources.active_jobs()
    st.page_link(
        SETTINGS,
        label=chip_words(active) if active else "Jobs have ended",
        icon=":material/progress_activity:" if active else ":material/task_alt:",
        query_params={**session.link(), "part": "jobs"},
    )


def chip_words(active: Sequence[JobRecord]) -> str:
    """Return such words as "Training 3/5 · 42 %", of the first that runs, and how many wait.

    Parameters
    ----------
    active
        What is queued or running; at least one.
    """
    running = [job for job in active if job.state == "running"]
    n_queued = len(active) - len(running)
    waiting = [f"{n_queued} queued"] if n_queued else []
    if not running:
        return " · ".join(["Jobs", *waiting])
    others = [f"{len(running) - 1} more"] if len(running) > 1 else []
    return " · ".join([*_progress_words(running[0]), *others, *waiting])


def _progress_words(job: JobRecord) -> list[str]:
    lane = LANES.get(job.lane, "Job")
    if not job.total:
        return [lane, "starting"]
    if job.lane == "fetch":  # counts bytes
        return [lane, f"{job.done / job.total:.0%}".replace("%", " %")]
    # a training is in its first step when none is done, as `job_view.progress_words` says
    number = min(job.done + 1, job.total) if job.lane == "training" else job.done
    return [f"{lane} {number}/{job.total}", f"{100 * job.done / job.total:.0f} %"]


class Recovery:
    """Looks after jobs of dead workers, in a thread of its own so that no page waits for it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._last = -RECOVER_SECONDS

    def start_if_due(self) -> bool:
        """Start a look unless one runs or the last is recent; tell whether one was started."""
        recent = time.monotonic() - self._last < RECOVER_SECONDS
        if recent or not self._lock.acquire(blocking=False):
            return False
        self._last = time.monotonic()
        threading.Thread(target=self._recover, name="recover-jobs", daemon=True).start()
        return True

    def _recover(self) -> None:
        try:
            from resvae_core.jobs.service import recover

            recover()
        except ResVAEError as error:
            _LOGGER.warning("jobs were not looked after: %s", type(error).__name__)
        except Exception as error:
            # nobody waits for this thread: what went wrong must be said somewhere
            place = describe_without_values(error, error.__traceback__)
            _LOGGER.exception("jobs were not looked after: %s", place, exc_info=False)
        finally:
            self._lock.release()


RECOVERY = Recovery()
"""One for the whole process."""
