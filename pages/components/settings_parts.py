"""The parts of the Settings page: which is open is kept in the session and stands in the link."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

import streamlit as st

from pages.components.state import SETTINGS_PARTS, Session, SettingsPart, load_session

if TYPE_CHECKING:
    from streamlit.elements.lib.mutable_tab_container import TabContainer

WORDS: dict[SettingsPart, str] = {
    "training": "Training",
    "jobs": "Jobs",
    "sets": "Model sets",
    "data": "Data",
    "preferences": "Preferences",
    "audit": "Access and audit",
}
KEY = "settings_sections"


def tabs(session: Session) -> list[tuple[SettingsPart, TabContainer]]:
    """Offer the parts as tabs; return each with its place."""
    st.session_state[KEY] = WORDS[session.settings_part]
    places = st.tabs(list(WORDS.values()), key=KEY, on_change=_keep)
    return list(zip(SETTINGS_PARTS, places, strict=True))


def show(part: SettingsPart, session: Session) -> None:
    """Draw one part; the others are not even imported."""
    import_module(f"pages.components.settings_{part}").show(session)


def open_part(part: SettingsPart) -> None:
    """Have another part open on the next run, as by a click on its tab (for callbacks)."""
    session = load_session()
    session.settings_part = part
    session.write_link()


def _keep() -> None:
    """Write the chosen tab back into the session."""
    chosen = st.session_state[KEY]
    open_part(next(part for part, word in WORDS.items() if word == chosen))
