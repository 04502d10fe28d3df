"""Settings: retrain, watch what runs, compare and promote, data, preferences, who did what."""

import streamlit as st

from pages.components import frame, settings_parts
from pages.components.messages import Guarded

with frame.open_page("settings") as session:
    st.caption(
        "For whoever looks after this installation. Everything that takes long runs outside the "
        "page: it goes on when you leave, reload or close the browser."
    )
    # what nobody looks at is neither imported, nor computed, nor sent to the browser
    for part, tab in settings_parts.tabs(session):
        if tab.open:
            with tab, Guarded():
                settings_parts.show(part, session)
