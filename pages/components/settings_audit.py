"""Settings, Access and audit: who you are, what roles may do, and who did what."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.downloads import csv_text
from pages.components.identity import access_rules, actor_at_click, current_actor
from pages.components.messages import plain
from pages.components.permissions import why_not
from pages.components.trail import recorded_export
from resvae_core.access import audit
from resvae_core.access.roles import PERMISSIONS, ROLES, WORDS
from resvae_core.access.sign_in import ROLES_FILE

if TYPE_CHECKING:
    import pandas as pd

    from pages.components.state import Session
    from resvae_core.access.roles import Actor

SHOWN = 500
"""Lines that the page shows; the file has all."""
LINE_COLUMNS = [
    *("sequence", "time", "actor", "action", "subject", "model_set", "role", "source"),
    "file_digest",
]
"""What an auditor looks for comes first: a narrow window shows that much."""
GROUPS = {
    "sample": "Samples read",
    "prediction": "Predictions",
    "explanation": "Explanations",
    "export": "Exports",
    "cohort": "Cohorts",
    "data": "Data",
    "job": "Jobs",
    "set": "Model sets",
    "settings": "Settings",
    "sign_in": "Sign-ins",
    "access": "Refusals",
    "audit": "The trail itself",
}
"""Kinds of actions, by the part of their name before the point."""


def show(session: Session) -> None:
    """Show who the visitor is, what roles there are, and the trail to those who may read it."""
    who, roles = st.columns(2, gap="large")
    with who:
        _show_visitor()
    with roles:
        _show_roles()
    st.subheader("Audit trail", anchor=False)
    st.caption(
        "Who did what, when, with which model set, on which file (by its SHA-256). It holds no "
        "value, no sample's or patient's name, and no file name. Lines are only ever added."
    )
    if refusal := why_not("audit"):
        st.caption(refusal)
        return
    _show_trail()


def _show_visitor() -> None:
    st.subheader("You", anchor=False)
    actor, rules = current_actor(), access_rules()
    if rules.way == "single-user":
        st.markdown(
            "**Single-user mode.** No sign-in is configured: whoever opens this page is its "
            "steward and may do everything. That is right on your own computer alone."
        )
        return
    how = "by sign-in" if rules.way == "sign-in" else "as your organisation's proxy says"
    st.markdown(f"**{plain(actor.name)}**, role **{actor.role}**, {how}.")
    if not rules.has_roles:
        st.caption(
            f"Nobody has written roles yet ({ROLES_FILE} in the state folder): everybody who signs "
            f"in is a {rules.roles.default}."
        )


def _show_roles() -> None:
    st.subheader("Roles", anchor=False)
    for position, role in enumerate(ROLES):
        before = PERMISSIONS[ROLES[position - 1]] if position else frozenset()
        added = [WORDS[one] for one in WORDS if one in PERMISSIONS[role] - before]
        also = "also " if position else ""
        st.markdown(f"**{role.capitalize()}** may {also}{', '.join(added)}.")
    st.caption(
        "Cohorts are scored from the command line (`python -m resvae_core score`), where everybody "
        "counts as steward."
    )


def _show_trail() -> None:
    """Offer filters, the lines, all of them as a file, and the verification."""
    actor, who_clicks = current_actor(), actor_at_click()
    filters = _ask_filters(actor)
    table = audit.entries(actor=actor, **filters, limit=SHOWN)
    st.dataframe(
        _readable(table),
        hide_index=True,
        key="audit_lines",
        alt="Lines of the audit trail, the latest first",
        column_config={
            "sequence": st.column_config.NumberColumn("Line", width="small", pinned=True),
            "time": st.column_config.DatetimeColumn("Time (UTC)", format="YYYY-MM-DD HH:mm:ss"),
            "actor": "Who",
            "role": "Role",
            "source": "Known by",
            "action": st.column_config.TextColumn("What", width="large"),
            "subject": "Of what",
            "model_set": st.column_config.TextColumn("Model set", width="small"),
            "file_digest": st.column_config.TextColumn("File (SHA-256)", width="small"),
        },
    )
    if len(table) == SHOWN:
        st.caption(f"The latest {SHOWN} lines; the file has all of them.")
    with st.container(horizontal=True):
        st.download_button(
            "Download lines (CSV)",
            recorded_export(
                "export.audit",
                "table:audit",
                lambda: csv_text(audit.entries(actor=who_clicks(), **filters, limit=None)),
                permission="audit",
            ),
            file_name="resvae-audit.csv",
            mime="text/csv",
            key="download_audit",
            icon=":material/download:",
            on_click="ignore",
        )
        verify = st.button("Verify the trail", icon=":material/verified:", key="verify_audit")
    if verify:
        _show_verification()


def _ask_filters(reader: Actor) -> audit.Filters:
    """Ask which lines to show; days are those of UTC, as the times are."""
    since, until, who, what = st.columns(4)
    first = since.date_input("From (UTC)", value=None, key="audit_since")
    last = until.date_input("To (UTC)", value=None, key="audit_until")
    name = who.selectbox(
        "Who",
        audit.actors(actor=reader),
        index=None,
        placeholder="Everybody",
        key="audit_actor",
    )
    action = what.selectbox(
        "What",
        list(GROUPS),
        index=None,
        format_func=GROUPS.__getitem__,
        placeholder="Everything",
        key="audit_action",
    )
    return {
        "since": _midnight(first) if first else None,
        "until": _midnight(last) + timedelta(days=1) if last else None,
        "account": name or "",
        "action": action or "",
    }


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return the trail's lines with actions in words, without the digests of the chain."""
    words = table["action"].map(audit.ACTIONS)
    return table.assign(action=words)[LINE_COLUMNS]


def _show_verification() -> None:
    """Say whether the trail is as it was written, and which line is the first that is not."""
    with st.spinner("Reading every line …"):
        report = audit.verify(actor=current_actor())
    if report.whole:
        st.success(report.sentence(), icon=":material/verified:")
        st.caption(
            "Note the head down elsewhere: whoever could rewrite the database and the state "
            "folder could not rewrite your note."
        )
        st.code(f"{report.n_lines} {report.head}", language=None)
    else:
        st.error(
            f"**The trail is not as it was written.** {report.sentence()} Compare it with a backup "
            "or an exported copy.",
            icon=":material/gpp_bad:",
        )
