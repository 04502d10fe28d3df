"""What a page says when something is missing or goes wrong."""

from __future__ import annotations

import logging
import secrets
import traceback
from types import TracebackType

import streamlit as st

from pages.components import resources
from pages.components.state import Session
from resvae_core.config import PROJECT_ROOT
from resvae_core.errors import ResVAEError

_LOGGER = logging.getLogger("resvae.pages")


def show_error(error: ResVAEError) -> None:
    """Show what was wrong and what to do about it."""
    st.error(f"**{plain(error.message)}**\n\n{plain(error.remedy)}")


class PageEnded(Exception):
    """Ends a page that has said what is missing; unlike `st.stop`, the footer still follows."""


class Guarded:
    """Context in which an error becomes a message instead of an empty page.

    A `ResVAEError` is shown with its remedy. Anything else is shown as a reference number, and
    logged under it without values: types and places only, because the text of an exception may
    hold a patient's data.
    """

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Show and log an error; let Streamlit's own signals pass."""
        if isinstance(error, PageEnded):
            return True
        if isinstance(error, ResVAEError):
            show_error(error)
            return True
        if not isinstance(error, Exception):
            return False
        reference = secrets.token_hex(4)
        _LOGGER.error("reference %s: %s", reference, describe_without_values(error, trace))
        st.error(
            f"**Something went wrong that should not have (reference {reference}).**\n\n"
            "Nothing was computed from this step. Reload the page; if it happens again, report "
            "the reference: the log holds the place of the fault under it, and no data."
        )
        return True


def describe_without_values(error: Exception, trace: TracebackType | None) -> str:
    """Return the type of an error and where it came from, without its text."""
    frames = traceback.extract_tb(trace)
    own = [frame for frame in frames if "site-packages" not in frame.filename] or frames
    places = " < ".join(
        f"{frame.filename.removeprefix(f'{PROJECT_ROOT}/')}:{frame.lineno}"
        for frame in reversed(own)
    )
    return f"{type(error).__name__} at {places}"


def empty_state(session: Session, sentence: str, page: str, label: str) -> None:
    """Say what to choose first (unless it was said), link to where, and end the page."""
    if sentence:
        st.markdown(sentence)
    st.page_link(page, label=label, icon=":material/arrow_forward:", query_params=session.link())
    raise PageEnded


def need_sample(session: Session) -> None:
    """End the page with ways to a sample unless there is one."""
    if session.upload is not None:
        return
    if stories := resources.demo_stories():
        st.markdown("No sample yet. Upload an expression profile, or look at a synthetic patient.")
        st.button(
            "Load a demo patient",
            icon=":material/play_arrow:",
            on_click=_load_demo,
            args=(session, stories[0]),
        )
    else:
        st.markdown("No sample yet. Upload an expression profile.")
    empty_state(session, "", "pages/upload.py", "Upload a profile")


def _load_demo(session: Session, story: dict[str, str]) -> None:
    """Take a synthetic patient over; the page that is open shows it."""
    session.accept_demo(resources.demo_upload(), story)
    session.write_link()


def need_drug(session: Session) -> None:
    """End the page with a link to the ranking unless a drug is chosen."""
    if not session.drug:
        empty_state(
            session,
            "No drug chosen. Choose one in the bar above, or from the ranking of all drugs.",
            "pages/overview.py",
            "Ranking of all drugs",
        )


def plain(text: str) -> str:
    """Return text, such as a name from a file, so that Markdown leaves it as it is."""
    for mark in "\\`*_[]<>#$~|:":
        text = text.replace(mark, f"\\{mark}")
    return text
