"""The report of a sample and drug: which parts it has, its four files, preview and methods text."""

from __future__ import annotations

import re
from base64 import b64encode
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

import streamlit as st

from pages.components import (
    places,
    predictions,
    resources,
    stated_type,
    trail,
    validation,
    verdicts,
)
from pages.components.contrast import on_primary, shown_theme
from pages.components.state import Session, load_session
from resvae_core.access.audit import as_subject

if TYPE_CHECKING:
    from collections.abc import Callable

    from resvae_core.models.model_set import Forecast
    from resvae_core.models.ranking import Headline
    from resvae_core.reporting import Installed, Report, Words

PARTS_KEY = "report_parts"
PREVIEW_PX = 900
EXPLAINING = {"genes", "pathways"}
"""Parts that need the explanation of the score, which takes seconds the first time."""
NOT_PATIENTS = (
    "Probabilities are those of cell lines, none was calibrated on patients. Held against recorded "
    "responses of patients, their order is little better than chance."
)
_MARKDOWN = re.compile(r":material/\w+:\s*|\*+|\\(?=[\\`*_\[\]<>#$~|:])")


def choose_parts(session: Session) -> None:
    """Offer to leave parts out; range verdict, headline, limits and provenance always stay."""
    from resvae_core.reporting import SECTIONS

    st.session_state[PARTS_KEY] = _parts(session)
    st.pills(
        "Parts of the report",
        list(SECTIONS),
        selection_mode="multi",
        format_func=SECTIONS.__getitem__,
        key=PARTS_KEY,
        on_change=_keep_parts,
        help="Range verdict, headline, limits and provenance are always part of it.",
    )


def _parts(session: Session) -> list[str]:
    from resvae_core.reporting import SECTIONS

    return [part for part in SECTIONS if part not in session.report_without]


def _keep_parts() -> None:
    """Write the choice into the session."""
    from resvae_core.reporting import SECTIONS

    kept = st.session_state[PARTS_KEY]
    load_session().report_without = tuple(part for part in SECTIONS if part not in kept)


def gather(session: Session, forecast: Forecast) -> Report:
    """Return the report of the session's sample, drug and model, as of today."""
    from resvae_core.models.ranking import read_headline
    from resvae_core.reporting import build_report

    row = forecast.ranges.loc[session.sample]
    assessable = row["range"] != "out of range"
    parts = _parts(session)
    explains = assessable and not EXPLAINING.isdisjoint(parts)
    headline = read_headline(
        forecast, session.sample, session.model, session.drug, resources.thresholds()
    )
    return build_report(
        forecast,
        sample=session.sample,
        drug=session.drug,
        model=session.model,
        installed=_installed(),
        qc=session.parsed().qc,
        date=date.today().isoformat(),
        attributions=predictions.attributions(session) if explains else None,
        place=places.place_of(session, headline),
        words=_words(session, headline),
        type_check=stated_type.for_report(session),
        n_zero=verdicts.count_zeros(session),
        synthetic=session.is_demo,
        sections=parts,
    )


def _installed() -> Installed:
    from resvae_core.reporting import Installed

    return Installed(resources.models_in_use(), resources.cards(), resources.thresholds())


def _words(session: Session, headline: Headline) -> Words:
    """Return what the pages say of sets, place and validation, without its Markdown."""
    from resvae_core.reporting import Words

    limits = validation.exclusion_here(session, headline.conformal)
    return Words(
        set_words=unmarked(f"{validation.set_in_words(headline.conformal)} {limits}"),
        place=unmarked(places.place_in_words(session, headline)),
        validation=(
            *map(unmarked, validation.in_this_cancer_type(session)),
            NOT_PATIENTS,
        ),
    )


def unmarked(text: str) -> str:
    """Return text of a page without its Markdown: stars, icons and escapes."""
    return _MARKDOWN.sub("", text).strip()


def show_downloads(report: Report) -> None:
    """Offer the four files; each is written when it is asked for."""
    from resvae_core import reporting

    with st.container(horizontal=True):
        _download("PDF for the tumour board", report, reporting.write_pdf, "pdf", primary=True)
        _download("Web page (HTML)", report, reporting.write_html, "html")
        _download("Tables (CSV, zip)", report, reporting.write_bundle, "zip")
        _download("Data (JSON)", report, reporting.write_json, "json")
    st.caption(
        "All four hold the same numbers. They name the sample, but no file, folder or user; "
        "nothing is sent anywhere or kept here."
    )


MIME = {
    "pdf": "application/pdf",
    "html": "text/html",
    "zip": "application/zip",
    "json": "application/json",
}


def _download(
    label: str,
    report: Report,
    write: Callable[[Report], str | bytes],
    ending: str,
    *,
    primary: bool = False,
) -> None:
    st.download_button(
        on_primary(label) if primary else label,
        trail.recorded_export(
            "export.bundle" if ending == "zip" else "export.report",
            as_subject("format", ending),
            partial(write, report),
            session=load_session(),
        ),
        # the sample's name stays out of the file's name
        file_name=f"resvae-report.{ending}",
        mime=MIME[ending],
        key=f"report_{ending}",
        icon=":material/download:",
        type="primary" if primary else "secondary",
        on_click="ignore",
    )


def show_preview(report: Report) -> None:
    """Show the HTML file in a frame of its own.

    As a ``data:`` address it has no origin, so it can reach nothing of the dashboard; its own
    policy forbids scripts and requests.
    """
    from resvae_core.reporting import write_html

    scheme = "dark" if shown_theme() == "dark" else "light"
    page = b64encode(write_html(report, scheme=scheme).encode()).decode()
    with st.container(border=True):
        st.iframe(
            f"data:text/html;charset=utf-8;base64,{page}",
            height=PREVIEW_PX,
            alt="Preview of the report",
            tab_index=0,
        )


def show_methods(report: Report) -> None:
    """Show the methods text, to be copied."""
    from resvae_core.reporting import methods_text

    st.caption("How these numbers were made, for a paper. The copy button is at the top right.")
    st.code(methods_text(report), language=None, wrap_lines=True)
