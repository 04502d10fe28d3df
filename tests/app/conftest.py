"""The dashboard without a browser: scripts run as Streamlit runs them, always from app.py."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from pages.components.frame import PAGES
from pages.components.state import KEY, Session
from resvae_core.config import PROJECT_ROOT

OpenPage = Callable[..., AppTest]


@pytest.fixture
def open_page() -> OpenPage:
    """Return a function that visits a page with a given session and link."""

    def visit(name: str, session: Session | None = None, **link: str) -> AppTest:
        app = AppTest.from_file(PROJECT_ROOT / "app.py", default_timeout=60)
        app.session_state[KEY] = session or Session()
        for key, value in link.items():
            app.query_params[key] = value
        app.run()
        if name != "home":
            app.switch_page(PAGES[name].script).run()
        return app

    return visit
