"""The guided tour: synthetic patients through the pages, left at any time.

It lives in the session and never in the link. An upload of the visitor's own is put aside before a
patient of the tour takes its place, and comes back when the tour is left.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, fields, replace

import streamlit as st

from pages.components import resources
from pages.components.state import SYNTHETIC_COHORT, Session, TourPlace
from resvae_core.errors import ArtifactError

GoTo = Callable[[str], None]
"""Leaves for a page, by its name in the menu."""
OF_THE_UPLOADER = ("intake", "attempt")
"""Fields of the session that tell what the uploader holds by now, whoever's sample is shown."""
ALL_DRUGS = {"first_line_only": False, "drug_class": "", "call": ""}


@dataclass(frozen=True)
class Step:
    """One stop of the tour.

    Parameters
    ----------
    page
        Name of the page in the menu; a step whose page is not there is left out.
    title, text
        What this is, and what to look at.
    story
        Which demo patient is shown.
    choices
        Fields of the session that the page is to show.
    opened
        Keys of widgets, with what they are to have open on arrival.
    needs_findings
        Whether the page shows nothing without the findings that travel with the models.
    """

    page: str
    title: str
    text: str
    story: str = "resistant"
    choices: dict[str, object] = field(default_factory=dict)
    opened: dict[str, str] = field(default_factory=dict)
    needs_findings: bool = False


STEPS = (
    Step(
        "upload",
        "How the file was read",
        "The three steps below say what was detected in the file, which genes were recognised, "
        "and whether the sample is *in range*: whether it looks like those the models may be asked "
        "about.",
    ),
    Step(
        "overview",
        "The answer for one drug, then all drugs",
        "The box has the call, the probability of resistance with its interval, and how many of "
        "the five models lean that way. Below it all drugs stand in order; select a row to see "
        "that drug in the box.",
        choices=ALL_DRUGS,
        opened={"ranking_tabs": "Table"},
    ),
    Step(
        "drug",
        "Five models on one axis",
        "Each row is a model with its interval; the dashed line is the floor, what drug and tissue "
        "alone would say. Further down stands how such probabilities held on cell lines of this "
        "cancer type.",
        opened={"tabs_models-on-one-axis": "Chart"},
    ),
    Step(
        "explanation",
        "Why this score",
        "The bars lead from a base to the score in the box, in log-odds, and add up to it. The "
        "tabs beside show genes that several models share, pathways, and how stable this is.",
        choices={"background": "reference"},
        opened={"why_sections": "From base to score", "tabs_explanation": "Chart"},
    ),
    Step(
        "similar",
        "Which cell lines are similar",
        "The map shows the sample among the cell lines, the table its nearest ones. Neighbours "
        "illustrate: the models do not predict from them.",
        choices={"space": "latent"},
        opened={"tabs_line-map": "Chart"},
        needs_findings=True,
    ),
    Step(
        "overview",
        "A patient without a firm call",
        "The same drug, another patient. The interval includes the limit that calls are made at, "
        "so the call is *uncertain*, whichever way the models lean.",
        story="uncertain",
        choices=ALL_DRUGS,
        opened={"ranking_tabs": "Table"},
    ),
    Step(
        "overview",
        "A sample that is refused",
        "Half of this sample's genes were set to zero, as in a damaged file. It is out of range: "
        "that is said first, with what would help, and no drug is called.",
        story="out of range",
        choices=ALL_DRUGS,
        opened={"ranking_tabs": "Table"},
    ),
    Step(
        "report",
        "A report to hand over",
        "What the pages say of this patient and drug, as one document with its limits and the "
        "versions behind its numbers. It is made on this computer and can be taken along.",
        opened={"report_tabs": "Preview"},
    ),
    Step(
        "biomarkers",
        "Genes behind predicted resistance in a cohort",
        "Each point is a gene: how far it moves or follows the predicted resistance to one drug "
        "over the patients of a cohort. These are the models' scores; nobody's response to a drug "
        "is in them.",
        choices={"cohort": "LUAD", "study_drug": "Cisplatin", "findings": "browse", "gene": ""},
        needs_findings=True,
    ),
    Step(
        "survival",
        "Survival in a cohort",
        "Patients of a synthetic cohort, divided by the expression of one gene, with the number "
        "at risk. A difference here is prognostic: it says nothing about a drug.",
        choices={
            "cohort": SYNTHETIC_COHORT,
            "divider": "gene",
            "gene": "TFF1",
            "endpoint": "OS",
            "cut": "median",
        },
        opened={"survival_parts": "Curves", "tabs_survival": "Chart"},
    ),
    Step(
        "models",
        "How good the models are",
        "Every model beside the floors, which read no expression, on cell lines left out of "
        "training. Last hint: all pages have a dark mode and follow your system's setting.",
        opened={"models_sections": "Leaderboard"},
    ),
)


def can_begin() -> bool:
    """Return whether models and demo patients are there to be shown."""
    return resources.installed_models() is not None and bool(resources.demo_stories())


def begin(session: Session, pages: Collection[str], go: GoTo) -> None:
    """Start at the first step; what an earlier start put aside stays there."""
    session.tour = TourPlace(own=session.tour.own if session.tour else None)
    _move(session, session.tour, steps_among(pages), 0, go)


def steps_among(pages: Collection[str]) -> list[Step]:
    """Return the steps that can be shown, in order.

    Parameters
    ----------
    pages
        Names of the pages that exist.
    """
    findings = _has_findings()
    return [step for step in STEPS if step.page in pages and (findings or not step.needs_findings)]


def _has_findings() -> bool:
    try:
        resources.evidence_about()
    except ArtifactError:
        return False
    return True


def show_panel(session: Session, page: str, pages: Collection[str], go: GoTo) -> None:
    """Show the step, or the way back to it from another page; nothing outside the tour.

    Parameters
    ----------
    session
        Holds where the tour stands.
    page, pages
        Name of the page that is being drawn, and of all pages.
    go
        Leaves for a page with the session's choices in its address.
    """
    place = session.tour
    if place is None:
        return
    steps = steps_among(pages)
    step = steps[place.step]
    if place.arriving and page == step.page:
        # before the page draws them: afterwards a widget's value cannot be set
        st.session_state.update(step.opened)
        place.arriving = False
    with st.container(border=True, key="tour"):
        if page == step.page and _is_as_shown(session, step):
            _show_step(session, place, steps, go)
        else:
            _show_way_back(session, place, steps, page, go)
        if place.own is not None:
            st.caption("Your own sample is kept aside; leaving the tour brings it back.")


def _show_step(session: Session, place: TourPlace, steps: list[Step], go: GoTo) -> None:
    """Say what to look at, and offer the steps around it."""
    step, position = steps[place.step], place.step
    st.markdown(f"**Step {position + 1} of {len(steps)} · {step.title}.** {step.text}")
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Back", key="tour_back", icon=":material/arrow_back:", disabled=position == 0):
            _move(session, place, steps, position - 1, go)
        if position + 1 < len(steps):
            if st.button("Next", key="tour_next", icon=":material/arrow_forward:"):
                _move(session, place, steps, position + 1, go)
        elif st.button("Finish the tour", key="tour_finish", icon=":material/check:"):
            leave(session, "home", go)
        _offer_to_leave(session, step.page, go)


def _show_way_back(
    session: Session, place: TourPlace, steps: list[Step], page: str, go: GoTo
) -> None:
    """Say that the tour waits, where the page or what it shows is not the step's."""
    step, number = steps[place.step], place.step + 1
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"The tour waits at step {number} of {len(steps)}: {step.title}.")
        if st.button(f"Back to step {number}", key="tour_return", icon=":material/undo:"):
            _move(session, place, steps, place.step, go)
        _offer_to_leave(session, page, go)


def _offer_to_leave(session: Session, page: str, go: GoTo) -> None:
    if st.button("Leave the tour", key="tour_leave", type="tertiary", icon=":material/close:"):
        leave(session, page, go)


def leave(session: Session, page: str, go: GoTo) -> None:
    """End the tour on a page and give back what was put aside.

    A file that was uploaded in the midst of the tour stays: it is newer than the one put aside.
    """
    place, session.tour = session.tour, None
    if place is not None and place.own is not None and (session.is_demo or not session.upload):
        for each in fields(Session):
            if each.name not in OF_THE_UPLOADER:
                setattr(session, each.name, getattr(place.own, each.name))
    go(page)


def _move(session: Session, place: TourPlace, steps: list[Step], position: int, go: GoTo) -> None:
    """Go to a step: its patient, its choices, its page."""
    place.step, place.arriving = position, True
    step = steps[position]
    if session.upload is not None and not session.is_demo:
        place.own = replace(session, tour=None)
    session.accept_demo(resources.demo_upload(), _story(step))
    for name, value in step.choices.items():
        setattr(session, name, value)
    go(step.page)


def _story(step: Step) -> dict[str, str]:
    return next(story for story in resources.demo_stories() if story["story"] == step.story)


def _is_as_shown(session: Session, step: Step) -> bool:
    """Return whether the session still shows what the step's text is about.

    A drug or model of the story that the model set lacks is not waited for.
    """
    story, models = _story(step), resources.installed_models()
    named = ["sample", "cancer_type"]
    named += ["drug"] if models is None or story["drug"] in models.drugs else []
    named += ["model"] if models is None or story["model"] in models.learned else []
    return session.is_demo and all(getattr(session, name) == story[name] for name in named)
