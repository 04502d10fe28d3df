from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import (
    job_chip,
    job_view,
    permissions,
    resources,
    settings_parts,
    settings_training,
)
from pages.components.state import KEY, SETTINGS_PARTS, Session
from resvae_core.access.roles import Actor
from resvae_core.data.drugs import load_drugs
from resvae_core.errors import AccessError
from resvae_core.jobs import queue_watch, service
from resvae_core.registry.training_request import (
    LONGEST_NAME,
    Estimate,
    TrainingRequest,
    workers_for,
)
from resvae_core.settings import Settings, write_settings
from tests.app import job_states
from tests.tiny_data import install_tiny_data

VIEWER = Actor("a viewer", "viewer", "sign-in")
STEWARD = Actor("a steward", "steward", "sign-in")
BUTTONS = {
    "queued": {"Cancel"},
    "running": {"Cancel"},
    "done": {"Remove this job", "Compare it with the active set"},
    "failed": {"Resume", "Remove this job"},
    "cancelled": {"Resume", "Remove this job"},
    "interrupted": {"Resume", "Remove this job"},
}
ERROR = ("The loss is *not* finite.", "Leave the drug out.")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_tiny_data(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(autouse=True)
def installation(tmp_path, data, monkeypatch) -> None:
    """A state folder of its own, synthetic data, and nobody who works on the queue."""
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    monkeypatch.setenv("RESVAE_DATA", str(data))
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    resources.forget_active_jobs()


@pytest.fixture
def as_actor(monkeypatch) -> Callable[[Actor], None]:
    """Return a function that says who is at the page."""

    def be(actor: Actor) -> None:
        monkeypatch.setattr(permissions, "current_actor", lambda: actor)

    return be


@pytest.fixture
def open_part(open_page) -> Callable[..., AppTest]:
    def visit(part: str, **session: object) -> AppTest:
        return open_page("settings", Session(settings_part=part, **session))

    return visit


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.title, *app.subheader, *app.error, *app.code]
    return "\n".join(str(part.value) for part in parts)


def first_with(app: AppTest, text: str) -> int:
    """Return the place of the first element on the page that says a text."""
    said = [f"{getattr(one, 'label', '')} {getattr(one, 'value', '')}" for one in app.main]
    return next(place for place, one in enumerate(said) if text in one)


def labels(app: AppTest) -> set[str]:
    return {button.label for button in app.button}


def job_in(state: str) -> str:
    """Make a job in a state and return its id."""
    if state == "queued":
        return job_states.queue().id
    held = job_states.run()
    if state == "running":
        return held.id
    error = ERROR if state in ("failed", "interrupted") else None
    result = {"set": "practice-0a1b2c3d"} if state == "done" else None
    return job_states.end(held, state, error=error, result=result).id


@pytest.mark.parametrize("part", SETTINGS_PARTS)
def test_every_part_opens_by_its_address(open_page, part: str) -> None:
    app = open_page("settings", part=part)
    assert not app.exception
    assert not app.error
    assert app.session_state[settings_parts.KEY] == settings_parts.WORDS[part]


def test_a_part_that_does_not_exist_is_said_to_be_unknown(open_page) -> None:
    app = open_page("home", part="engine-room")
    assert "names a part of the settings" in words(app)
    assert app.session_state[KEY].settings_part == "training"


@pytest.mark.parametrize("state", BUTTONS)
def test_each_state_of_a_training_has_its_words_and_buttons(open_part, state: str) -> None:
    identifier = job_in(state)
    app = open_part("training")
    assert not app.exception
    shown = words(app)
    assert job_view.STATES[state].word in shown
    assert identifier in shown
    assert labels(app) & set().union(*BUTTONS.values()) == BUTTONS[state]


def test_a_running_training_shows_step_time_epoch_curves_and_log(open_part) -> None:
    job_states.run()
    shown = words(open_part("training"))
    assert re.search(r"Last report: .*seed 0, fold \d: ", shown)
    assert "No epoch" not in shown
    assert "loss 2.2 at epoch 1" in shown
    assert "ROC AUC so far: VAE_LL 0.770 over 3 folds against a floor" in shown
    assert "Fold 3 is done." in shown


def test_progress_says_step_share_and_time(open_part) -> None:
    held = job_states.run()
    told = job_view.progress_words(service.get_job(held.id))
    assert told == "Step 4 of 5: judging on held-out lines · about 60 seconds left"


def test_waiting_trainings_stand_behind_the_running_one_with_their_places(open_part) -> None:
    held = job_states.run()
    waiting = [job_states.queue(f"Train {name}", name=name).id for name in ("b", "c")]
    shown = words(open_part("training"))
    assert "place 1 in the queue" in shown
    assert "place 2 in the queue" in shown
    places = [shown.index(identifier) for identifier in (held.id, *waiting)]
    assert places == sorted(places)


def test_the_newest_training_is_shown_however_it_ended_above_older_ones_to_resume(
    open_part,
) -> None:
    old = job_in("interrupted")
    new = job_states.end(job_states.run("Train new", name="new"), "cancelled").id
    shown = words(open_part("training"))
    assert shown.index(new) < shown.index(old)


def test_a_scored_cohort_says_which_set_and_where_and_offers_no_comparison(open_part) -> None:
    result = {"set": "practice", "samples": 3300, "rows": 237_600, "folder": "scores"}
    job = job_states.end(job_states.run("Score", "score"), "done", result=result)
    app = open_part("jobs", job=job.id)
    assert "3,300 samples, 237,600 rows, scored with the set practice" in words(app)
    assert f"jobs/{job.id}/scores" in words(app)
    assert "Compare it with the active set" not in labels(app)


def test_a_training_that_no_worker_takes_up_says_so(open_part, monkeypatch) -> None:
    monkeypatch.setattr(queue_watch, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    job_states.queue()
    shown = words(open_part("training"))
    assert "No worker for cpu seems to run" in shown


def test_what_failed_says_why_and_what_to_do_as_plain_text(open_part) -> None:
    job_in("failed")
    shown = words(open_part("training"))
    assert r"The loss is \*not\* finite. Leave the drug out." in shown


def test_a_finished_training_leads_to_the_model_sets(open_part) -> None:
    job_in("done")
    app = open_part("training")
    next(b for b in app.button if b.label.startswith("Compare")).click().run()
    assert app.session_state[KEY].settings_part == "sets"


def test_the_page_shows_the_same_to_whoever_opens_it_later(open_part) -> None:
    job_states.run()
    first, second = open_part("training"), open_part("training")
    assert words(first) == words(second)


def test_form_says_what_is_installed_and_what_it_will_take(open_part) -> None:
    app = open_part("training")
    shown = words(app)
    assert re.search(r"Installed: \d+ synthetic lines, none of them measured, of 7 sites", shown)
    assert "**Estimate.**" in shown
    assert "GB of memory" in shown
    assert not app.button(key="start_training").disabled


def test_estimate_is_that_of_the_workers_that_the_job_will_have(open_part, data) -> None:
    write_settings(Settings(n_workers=64, memory_limit_gb=4.0))
    app = open_part("training")
    n_workers = workers_for(app.session_state[KEY].request, data, 4.0)
    assert n_workers < 64
    assert f", {n_workers} at a time;" in words(app)


def test_a_budget_that_a_job_cannot_have_and_a_device_of_another_machine(open_part) -> None:
    app = open_part("training")
    app.selectbox(key="request_device").select("cuda").run()
    assert not app.button(key="start_training").disabled, "the workers are elsewhere"
    app.number_input(key="request_budget_hours").set_value(336.0).run()
    assert "a job that runs for 24 hours is ended as failed" in words(app)
    assert app.button(key="start_training").disabled


def test_problems_stand_at_their_fields_and_hold_the_start_back(open_part) -> None:
    app = open_part("training")
    app.text_input(key="request_name").input("No Name!").run()
    assert "cannot be the name" in words(app)
    assert app.button(key="start_training").disabled
    assert "1 answer above must change first." in words(app)
    assert "**Estimate.**" not in words(app)


def test_every_invalid_answer_counts_and_none_falls_back_to_an_earlier_one(
    open_part, as_actor
) -> None:
    as_actor(STEWARD)
    app = open_part("training")
    app.text_input(key="request_name").input("No Name!").run()
    app.number_input(key="request_n_seeds").set_value(9).run()
    app.number_input(key="request_budget_hours").set_value(0.0).run()
    assert app.number_input(key="request_n_seeds").value == 9
    assert "9 repetitions of the folds were asked for." in words(app)
    assert "3 answers above must change first." in words(app)
    assert "**Estimate.**" not in words(app)
    assert app.button(key="start_training").disabled


def test_number_fields_leave_their_limits_to_the_check_of_the_request(open_part) -> None:
    # a limit of the widget keeps the browser from sending what is beyond it
    app = open_part("training")
    for key in ("request_n_seeds", "request_budget_hours"):
        proto = app.number_input(key=key).proto
        assert not proto.has_min
        assert not proto.has_max


def test_an_answer_that_comes_with_the_click_is_the_one_that_starts(open_part, as_actor) -> None:
    as_actor(STEWARD)
    app = open_part("training")
    app.multiselect(key="request_kinds").set_value(["random_forest"])
    app.number_input(key="request_n_seeds").set_value(1)
    app.button(key="start_training").click().run()
    (job,) = service.list_jobs()
    assert (job.arguments["n_seeds"], job.arguments["kinds"]) == (1, ["random_forest"])


def test_name_field_and_check_have_one_limit(open_part) -> None:
    app = open_part("training")
    assert app.text_input(key="request_name").proto.max_chars == LONGEST_NAME
    app.text_input(key="request_name").input("No Name!").run()
    assert f"at most {LONGEST_NAME} characters" in words(app)


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (25, 72, "About a minute"),
        (40, 140, "1 to 2 minutes"),
        (720, 2040, "12 to 34 minutes"),
        (2400, 7200, "40 minutes to 2.0 hours"),
        (7200, 18000, "2.0 to 5.0 hours"),
    ],
)
def test_estimate_is_said_no_finer_than_it_is_known(low: float, high: float, said: str) -> None:
    found = settings_training.estimate_words(Estimate(low / 60, high / 60, 1.0, 0.1, ""))
    assert found == f"{said}, 1.0 GB of memory, 0.1 GB on disk."


def test_answers_outlive_a_change_of_part_and_of_page(open_part) -> None:
    app = open_part("training")
    app.text_input(key="request_name").input("practice").run()
    app.number_input(key="request_n_seeds").set_value(2).run()
    app.switch_page("pages/models.py").run()
    app.switch_page("pages/settings.py").run()
    assert app.text_input(key="request_name").value == "practice"
    assert app.number_input(key="request_n_seeds").value == 2


def test_the_share_is_asked_for_where_the_rule_needs_it(open_part) -> None:
    app = open_part("training")
    assert "request_label_share" not in {slider.key for slider in app.slider}
    app.radio(key="request_label_rule").set_value("lowest_share").run()
    assert app.slider(key="request_label_share").value == 0.15


def test_start_queues_what_the_form_says_under_the_visitor_s_name(open_part, as_actor) -> None:
    as_actor(STEWARD)
    app = open_part("training")
    app.text_input(key="request_name").input("practice").run()
    app.multiselect(key="request_kinds").set_value(["random_forest"]).run()
    app.button(key="start_training").click().run()
    assert not app.exception
    (job,) = service.list_jobs()
    assert (job.task, job.state, job.submitted_by) == ("train", "queued", STEWARD.name)
    assert TrainingRequest.from_arguments(job.arguments).kinds == ("random_forest",)
    assert "place 1 in the queue" in words(app)
    assert app.toast[0].value.startswith("Started: Train practice")
    app.button(key="start_training").click().run()
    assert app.toast[0].value.startswith("The same training waits or runs already")
    assert len(service.list_jobs()) == 1


def test_a_budget_below_the_estimate_is_said_and_many_problems_of_an_answer_are_counted(
    open_part,
) -> None:
    app = open_part("training")
    app.number_input(key="request_budget_hours").set_value(0.001).run()
    assert "The budget is below the estimate." in words(app)
    app.multiselect(key="request_drugs").set_value(list(load_drugs())).run()
    assert re.search(r"And \d+ more of this kind", words(app))
    assert words(app).count("lines of") <= 2 * settings_training.MOST_PROBLEMS


def test_without_data_the_form_says_what_is_missing_and_leads_there(
    open_part, tmp_path, monkeypatch
) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    monkeypatch.setenv("RESVAE_DATA", str(empty))
    app = open_part("training")
    assert "No training data are installed" in words(app)
    assert "start_training" not in {button.key for button in app.button}
    app.button(key="to_data").click().run()
    assert app.session_state[KEY].settings_part == "data"


def test_a_viewer_sees_the_form_and_who_may_start(open_part, as_actor) -> None:
    as_actor(VIEWER)
    job_in("running")
    app = open_part("training")
    assert app.button(key="start_training").disabled
    assert all(b.disabled for b in app.button if b.label == "Cancel")
    refused = "Only the role steward may train models; yours is viewer. Ask a steward"
    assert refused in words(app)
    assert first_with(app, refused) < first_with(app, "Name of the candidate")


def test_a_viewer_cannot_train_by_calling_what_is_behind_the_page(as_actor) -> None:
    as_actor(VIEWER)
    request = TrainingRequest("practice", kinds=("random_forest",), effort="short")
    settings_training.start(request)
    with pytest.raises(AccessError, match=r"The role 'viewer' may not train models"):
        service.submit("train", request.to_arguments(), actor=VIEWER)
    assert service.list_jobs() == []


@pytest.mark.parametrize("action", [service.cancel, service.resume, service.forget])
def test_a_viewer_cannot_touch_a_job(as_actor, action) -> None:
    as_actor(VIEWER)
    identifier = job_in("interrupted")
    assert permissions.act(action, identifier) is None
    with pytest.raises(AccessError, match=r"may not train models"):
        action(identifier, actor=VIEWER)
    assert service.get_job(identifier).state == "interrupted"


def test_a_refusal_is_shown_on_the_next_run(open_part, as_actor) -> None:
    app = open_part("training")
    as_actor(VIEWER)  # the role was taken away while the page was open
    app.button(key="start_training").click().run()
    assert "may not train models" in app.error[0].value
    assert service.list_jobs() == []


def test_jobs_are_listed_with_state_place_and_progress(open_part) -> None:
    job_in("running")
    job_states.queue("Train the next", name="b")
    table = open_part("jobs").dataframe[0].value
    assert list(table["state"]) == ["Waiting, place 1", "Running"]
    assert list(table["job"]) == ["Train the next", "Train practice"]
    assert table["progress"].iloc[1] == pytest.approx(60.0)


def test_the_chosen_job_shows_its_log_and_what_it_rests_on(open_part) -> None:
    identifier = job_in("failed")
    shown = words(open_part("jobs", job=identifier))
    assert "Fold 1 is done." in shown
    assert "Limits: 24 hours, 8 GB of memory, 20 GB on disk" in shown
    assert "- Seed: 0" in shown
    assert shown.count("Fold 1 is done.") == 1


def test_cancelling_is_said_at_once_and_looked_after_more_often(open_part, as_actor) -> None:
    as_actor(STEWARD)
    identifier = job_in("running")
    app = open_part("training")
    app.button(key=f"cancel_{identifier}").click().run()
    assert service.get_job(identifier).state == "running", "its worker has not seen it yet"
    assert "Cancelling …" in words(app)
    assert app.button(key=f"cancel_{identifier}").disabled
    assert job_view.CANCEL_SECONDS <= 0.5


def test_a_cancel_that_was_refused_is_not_said_to_be_under_way(open_part, as_actor) -> None:
    identifier = job_in("running")
    app = open_part("training")
    as_actor(VIEWER)
    app.button(key=f"cancel_{identifier}").click().run()
    assert "Cancelling …" not in words(app)
    assert "may not train models" in app.error[0].value


def test_removing_a_job_takes_it_from_the_list(open_part, as_actor) -> None:
    as_actor(STEWARD)
    identifier = job_in("cancelled")
    app = open_part("jobs", job=identifier)
    assert "will be gone for good" in words(app)
    app.button(key=f"remove_{identifier}").click().run()
    assert not app.exception
    assert [toast.value for toast in app.toast] == ["Removed: Train practice"]
    assert "No jobs." in words(app)
    assert app.session_state[KEY].job == ""


def chips(app: AppTest) -> list[str]:
    return [
        link.proto.label
        for link in app.get("page_link")
        if link.proto.label.startswith(("Training", "Jobs", "Scoring", "Fetching"))
    ]


def test_chip_is_absent_where_nothing_runs_and_on_every_page_where_something_does(
    open_page,
) -> None:
    assert chips(open_page("home")) == []
    held = job_states.run()
    job_states.queue("Train the next", name="b")
    resources.forget_active_jobs()
    for name in ("home", "models", "settings"):
        assert chips(open_page(name)) == ["Training 4/5 · 60 % · 1 queued"]
    job_states.end(held, "done")
    resources.forget_active_jobs()
    assert chips(open_page("home")) == ["Jobs · 1 queued"]


def test_chip_counts_bytes_of_a_fetch_as_a_share() -> None:
    fetch = service.get_job(job_states.run("Fetch gdsc", "fetch", key="gdsc").id)
    assert job_chip.chip_words([fetch]) == "Fetching · 60 %"


def test_lost_jobs_are_looked_after_by_a_visit_and_not_more_often_than_said() -> None:
    recovery = job_chip.Recovery()
    assert recovery.start_if_due()
    assert not recovery.start_if_due()


def test_durations_are_said_as_people_do() -> None:
    said = [job_view.duration(seconds) for seconds in (2, 45, 600, 9000)]
    assert said == ["a few seconds", "45 seconds", "10 minutes", "2.5 hours"]
