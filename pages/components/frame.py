"""The frame around every page: logo, menu, research-use ribbon, context bar, footer.

Streamlit's own menu is hidden (``client.showSidebarNavigation``): on a first visit by a deep link
it shows raw file names. Ours is drawn by :func:`open_page`, which every page calls first.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import identity, job_chip, messages, pickers, resources, tour
from pages.components.state import Session, load_session
from resvae_core import __version__
from resvae_core.access.roles import Actor
from resvae_core.config import ASSETS, RESEARCH_USE
from resvae_core.registry.pointer import read_pointer
from resvae_core.settings import load_settings

if TYPE_CHECKING:
    from resvae_core.registry.description import SetDescription

BRAND = ASSETS / "brand"


@dataclass(frozen=True)
class Page:
    """One entry of the menu.

    Parameters
    ----------
    script
        Path from the project's root.
    title, icon
        As shown in the menu; the icon is a bundled Material symbol.
    heading
        What stands above the page where it is not the title.
    """

    script: str
    title: str
    icon: str
    heading: str = ""


QUESTION = "Which drugs may this tumour resist, and why?"
SECTIONS: dict[str, dict[str, Page]] = {
    "": {"home": Page("app.py", "Home", ":material/home:", QUESTION)},
    "Patient": {
        "upload": Page("pages/upload.py", "Upload & QC", ":material/upload_file:"),
        "overview": Page("pages/overview.py", "Overview", ":material/format_list_numbered:"),
        "drug": Page("pages/drug.py", "Drug", ":material/medication:"),
        "explanation": Page("pages/explanation.py", "Why?", ":material/troubleshoot:"),
        "similar": Page("pages/similar.py", "Similar", ":material/scatter_plot:"),
        "report": Page("pages/report.py", "Report", ":material/picture_as_pdf:"),
    },
    "Research": {
        "biomarkers": Page("pages/biomarkers.py", "Biomarkers", ":material/biotech:"),
        "survival": Page("pages/survival.py", "Survival", ":material/show_chart:"),
        "cohort": Page("pages/cohort.py", "Cohort", ":material/groups:"),
    },
    "System": {
        "models": Page("pages/models.py", "Models", ":material/leaderboard:"),
        "settings": Page("pages/settings.py", "Settings", ":material/settings:"),
    },
}
PAGES = {name: page for section in SECTIONS.values() for name, page in section.items()}


@contextmanager
def open_page(name: str) -> Iterator[Session]:
    """Draw the frame of a page, turn errors inside into messages, close with the footer.

    Parameters
    ----------
    name
        Key of :data:`PAGES`.

    Yields
    ------
    Session
        What this visitor has chosen, the link's choices included.
    """
    page = PAGES[name]
    st.set_page_config(
        page_title="ResVAE" if name == "home" else f"{page.title} · ResVAE",
        # a bundled picture: a Material icon would make the browser ask a font host for it
        page_icon=str(BRAND / "favicon.png"),
        layout="wide",
    )
    visitor = identity.admit()
    resources.begin_run()
    session = load_session()
    if name != "upload":
        session.let_go()
    problems = session.read_link(st.query_params.to_dict())
    changes = [pickers.follow_set(session), *pickers.fit_to_set(session)]
    with messages.Guarded():
        _ribbon(session)
        pickers.context_bar(session)
    session.write_link()
    _menu(session, visitor)
    for problem in problems:
        messages.show_error(problem)
    for sentence in filter(None, changes):
        st.warning(messages.plain(sentence))
    with messages.Guarded():
        load_settings()  # broken ones are no defaults: that is said on every page
    with messages.Guarded():
        tour.show_panel(session, name, PAGES, partial(go_to, session=session))
    try:
        with messages.Guarded():
            st.title(page.heading or page.title, anchor=False)
            yield session
    finally:
        _footer()
    # a run that was cut short has said nothing that anybody could read
    session.models = resources.installed_models() or session.models


def go_to(name: str, session: Session) -> None:
    """Leave for another page, with the choices in its address."""
    st.switch_page(PAGES[name].script, query_params=session.link())


def start_tour(session: Session) -> None:
    """Leave for the first step of the guided tour."""
    tour.begin(session, PAGES, partial(go_to, session=session))


def link_to(name: str, session: Session, label: str) -> None:
    """Draw a link to another page that keeps the choices."""
    page = PAGES[name]
    st.page_link(page.script, label=label, icon=page.icon, query_params=session.link())


def _menu(session: Session, visitor: Actor) -> None:
    """Draw the logo and our menu in the sidebar."""
    st.logo(str(BRAND / "logo.svg"), icon_image=str(BRAND / "mark.svg"), size="large")
    with st.sidebar:
        for section, pages in SECTIONS.items():
            if section:
                st.caption(section)
            for name, page in pages.items():
                link_to(name, session, page.title)
        identity.show_visitor(visitor)


def _ribbon(session: Session) -> None:
    """Say what the tool is not for, above everything else; beside it, what else hedges, or runs."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.badge(RESEARCH_USE, icon=":material/science:", color="orange")
        models = resources.installed_models()
        for words in _hedges(models) if models else ():
            st.badge(words, icon=":material/warning:", color="orange")
        with messages.Guarded():
            job_chip.show(session)


def _hedges(models: SetDescription) -> list[str]:
    """Return what everybody has to know of the active model set beside what it is not for."""
    hedges = {
        "Models of synthetic data": models.synthetic,
        "Models of a short training": models.effort == "short",
        "Models that did not pass every gate": read_pointer().reason(models.id),
    }
    return [words for words, holds in hedges.items() if holds]


def _footer() -> None:
    """Name what every number on the page rests on."""
    st.divider()
    models = resources.installed_models()
    basis = (
        f"Models {models.name}, {models.created} ({models.digest[:8]}) · {models.sources}"
        if models
        else "No models installed"
    )
    st.caption(f"ResVAE {__version__} · {basis} · {RESEARCH_USE}")
