"""The guided tour: it leads on, waits, can be left, and gives back what was there before."""

from __future__ import annotations

from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import resources, tour
from pages.components.frame import PAGES
from pages.components.state import KEY, Session, TourPlace
from resvae_core.data.uploads import Upload

STORIES = {story["story"]: story for story in resources.demo_stories()}


SAID = {
    "uncertain": ("the interval includes this model's limit", "◆ Uncertain"),
    "out of range": ("What would help", "⊘ Not assessable"),
}
"""What the pages say of the patients that the tour calls undecided or refused."""
STEPS = tour.steps_among(PAGES)


@pytest.fixture(scope="module")
def patients() -> Upload:
    return resources.demo_upload()


@pytest.fixture
def own(patients: Upload) -> Session:
    """Return a session with an upload of the visitor's own."""
    session = Session()
    values = patients.expression.values
    session.accept(replace(patients, expression=patients.expression.select([values.index[0]])))
    session.cancer_type, session.drug, session.basket = "GBM", "Temozolomide", ("TP53",)
    session.model = "xgboost"
    return session


def click(app: AppTest, label: str) -> AppTest:
    return next(button for button in app.button if button.label == label).click().run()


def panel(app: AppTest) -> str:
    return next(
        (m.value for m in app.markdown if m.value.startswith(("**Step ", "The tour waits"))), ""
    )


def at_step(position: int) -> Session:
    """Return a session that stands at a step, as Next would lead to it."""
    session = Session(tour=TourPlace())
    tour._move(session, session.tour, STEPS, position, lambda page: None)
    return session


def test_tour_starts_at_home_and_leads_on_and_back(open_page) -> None:
    app = open_page("home")
    assert panel(app) == ""
    click(app, "Take the tour")
    n = len(STEPS)
    assert panel(app).startswith(f"**Step 1 of {n} · ")
    assert next(b for b in app.button if b.label == "Back").disabled
    click(app, "Next")
    assert panel(app).startswith(f"**Step 2 of {n} · ")
    assert app.title[0].value == "Overview"
    click(app, "Back")
    assert panel(app).startswith(f"**Step 1 of {n} · ")
    assert not app.exception
    assert set(app.query_params) <= {"cancer", "drug", "model"}
    assert "DEMO" not in str(dict(app.query_params))


@pytest.mark.parametrize("position", range(len(STEPS)), ids=[step.title for step in STEPS])
def test_every_step_opens_its_page_with_its_patient_and_no_error(open_page, position: int) -> None:
    step = STEPS[position]
    app = open_page(step.page, at_step(position))
    assert not app.exception
    unexpected = [error.value for error in app.error if "Not assessable" not in error.value]
    assert unexpected == []
    assert app.title[0].value == PAGES[step.page].title
    assert step.text in panel(app)
    assert app.session_state[KEY].sample == STORIES[step.story]["sample"]
    for key, value in step.opened.items():
        assert app.session_state[key] == value
    said = "\n".join(str(part.value) for part in (*app.markdown, *app.subheader, *app.error))
    for phrase in SAID.get(step.story, ()):
        assert phrase in said
    assert ("Probability of resistance" in said) <= (step.story != "out of range")


def test_steps_show_uncertain_and_refused_patients_and_use_no_others() -> None:
    stories = [step.story for step in tour.STEPS]
    assert {"uncertain", "out of range"} <= set(stories) <= set(STORIES)
    assert all(
        resources.demo_upload().expression.samples.count(s["sample"]) for s in STORIES.values()
    )


def test_steps_say_what_to_look_at_in_a_few_sentences() -> None:
    for step in tour.STEPS:
        assert 1 <= step.text.count(". ") + 1 <= 3
        assert len(step.text) < 330


def test_a_step_without_its_page_is_left_out() -> None:
    few = tour.steps_among(["home", "overview", "models"])
    assert {step.page for step in few} == {"overview", "models"}


def test_another_page_offers_the_way_back_to_the_step(open_page) -> None:
    app = open_page("cohort", at_step(1))
    assert panel(app).startswith("The tour waits at step 2 of")
    click(app, "Back to step 2")
    assert panel(app).startswith("**Step 2 of")
    assert app.title[0].value == "Overview"


def test_another_drug_makes_the_panel_wait_since_its_text_is_of_the_first(open_page) -> None:
    session = at_step(len(STEPS) - 1)
    session.drug = "Docetaxel"
    app = open_page("models", session)
    assert panel(app).startswith("The tour waits")


def test_upload_of_one_s_own_is_kept_aside_and_given_back(open_page, own) -> None:
    before = replace(own)
    app = click(open_page("home", own), "Take the tour")
    session = app.session_state[KEY]
    assert session.is_demo
    assert session.tour.own.upload is before.upload
    assert any("Your own sample is kept aside" in c.value for c in app.caption)
    click(app, "Next")
    click(app, "Leave the tour")
    after = app.session_state[KEY]
    assert after.tour is None
    assert after == before
    assert after.upload is before.upload
    assert app.query_params["drug"] == "Temozolomide"
    assert not app.exception


def test_starting_again_in_the_midst_keeps_what_was_put_aside(own) -> None:
    upload, went = own.upload, []
    tour.begin(own, PAGES, went.append)
    tour.begin(own, PAGES, went.append)
    assert own.is_demo
    tour.leave(own, "home", went.append)
    assert own.upload is upload


def test_a_file_uploaded_in_the_midst_of_the_tour_is_not_lost(own, patients) -> None:
    session = Session()
    went: list[str] = []
    tour.begin(session, PAGES, went.append)
    session.accept(patients)
    tour.leave(session, "overview", went.append)
    assert session.upload is patients
    tour.begin(session, PAGES, went.append)
    assert session.tour.own.upload is patients
    tour.leave(session, "overview", went.append)
    assert session.upload is patients
    assert not session.is_demo


def test_leaving_without_an_upload_stays_with_the_demo_patient(open_page) -> None:
    app = click(open_page("drug", at_step(2)), "Leave the tour")
    assert app.session_state[KEY].tour is None
    assert app.session_state[KEY].is_demo
    assert app.title[0].value == "Drug"
    assert panel(app) == ""


def test_the_last_step_ends_at_home(open_page) -> None:
    app = click(open_page("models", at_step(len(STEPS) - 1)), "Finish the tour")
    assert app.session_state[KEY].tour is None
    assert app.title[0].value == PAGES["home"].heading
