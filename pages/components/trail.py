"""What is read, predicted, explained and exported here, for the audit trail.

A line is written before its result is shown or its file is made. Where it cannot be written there
is an error in the place of the result: also for whoever reads a patient's result, so that the
trail never says less than happened. What a browser does by itself (the toolbars of tables and
figures) cannot be recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import streamlit as st

from pages.components import identity, resources
from resvae_core.access.audit import record
from resvae_core.access.roles import require

if TYPE_CHECKING:
    from pages.components.state import Session
    from resvae_core.access.roles import Actor, Permission

Content = TypeVar("Content")

RECORDED = "resvae_recorded"
"""Key of the session's state: digests of what was recorded, so that a rerun adds no line."""


def record_reading(digest: str) -> None:
    """Record that a file of samples was read, by the SHA-256 of its bytes."""
    record("sample.read", actor=identity.current_actor(), file_digest=digest)


def record_result(action: str, session: Session, what: str, subject: str) -> None:
    """Record a result of the session's file, once for each model set and for each visitor.

    Parameters
    ----------
    action
        As in the audit trail's vocabulary.
    session
        Holds the upload.
    what
        Digest of what it is a result of.
    subject
        Id that the trail gets; no name.
    """
    actor, model_set = identity.current_actor(), model_set_id()
    recorded = st.session_state.setdefault(RECORDED, set())
    line = (action, what, subject, model_set, actor.name)
    if line in recorded:
        return
    digest = session.parsed().qc.file_digest
    record(action, actor=actor, model_set=model_set, file_digest=digest, subject=subject)
    recorded.add(line)


def model_set_id() -> str:
    """Return id and beginning of the digest of the model set in use; empty where there is none."""
    models = resources.installed_models()
    return f"{models.id}:{models.digest[:12]}" if models else ""


def recorded_export(
    action: str,
    subject: str,
    write: Callable[[], Content],
    *,
    session: Session | None = None,
    permission: Permission = "read",
) -> Callable[[], Content]:
    """Return a function for a download button that records the export, then writes the file.

    It raises AccessError where whoever clicks may not have the file by then.

    Parameters
    ----------
    action
        ``export.…``
    subject
        Which table or format.
    write
        Makes the file.
    session
        Whose upload the file is about; None where it is about no patient.
    permission
        Needed at the click.
    """
    upload = session.upload if session else None
    digest = upload.qc.file_digest if upload else ""
    line = partial(record, action, model_set=model_set_id(), file_digest=digest, subject=subject)
    return partial(_export, identity.actor_at_click(), permission, line, write)


def _export(
    who: Callable[[], Actor],
    permission: Permission,
    record_line: Callable[..., None],
    write: Callable[[], Content],
) -> Content:
    actor = who()
    require(actor, permission)
    record_line(actor=actor)
    return write()


def forget() -> None:
    """Drop what is known of recorded results: what is uploaded next is recorded anew."""
    st.session_state.pop(RECORDED, None)
