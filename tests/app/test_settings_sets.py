"""Settings, Model sets; and every page with a set of fewer models and drugs than usual."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from pages.components import panels, permissions, resources, settings_sets, settings_training
from pages.components.frame import PAGES
from pages.components.state import Session
from resvae_core.access.roles import SINGLE_USER, Actor
from resvae_core.data.cohorts import DEMO, load_cohort
from resvae_core.data.uploads import Upload
from resvae_core.registry import drift, library
from resvae_core.tables import Expression
from tests.core.registry.tiny_sets import one_drug_set, replace_in_set, tiny_set, wide_set
from tests.tiny_data import install_tiny_data

REASON = "A test of the page, with a set that knows little."
VIEWER = Actor("somebody", "viewer", "sign-in")
STORIES = {story["story"]: story for story in resources.demo_stories()}


@pytest.fixture
def candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> library.SetEntry:
    """Return a candidate of one learned model and six drugs, which takes every sample as usual."""
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    staged = wide_set(tmp_path / "set", name="small")
    return library.add_candidate(staged, origin="0a1b2c3d4e5f")


@pytest.fixture
def tiny_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the tiny set in the place of the shipped one: what is compared loads at once."""
    monkeypatch.setenv("RESVAE_MODELS", str(tiny_set()))


@pytest.fixture
def promoted(candidate: library.SetEntry, monkeypatch: pytest.MonkeyPatch) -> library.SetEntry:
    monkeypatch.setattr(library, "_reason_for", lambda candidate, reason: reason)
    return library.promote(candidate.id, actor=SINGLE_USER)


def settings(open_page) -> AppTest:
    return open_page("settings", Session(settings_part="sets"), settings="sets")


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.subheader, *app.error]
    return "\n".join(str(part.value) for part in parts)


def test_without_a_candidate_the_page_says_what_makes_one(
    open_page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    app = settings(open_page)
    assert not app.exception
    assert not app.error
    assert "A training makes a candidate" in words(app)


@pytest.mark.usefixtures("tiny_shipped")
def test_candidate_is_promoted_with_a_reason_and_rolled_back_in_one_click(
    open_page, candidate: library.SetEntry
) -> None:
    app = settings(open_page)
    assert not app.exception
    shown = words(app)
    assert "**Gates: " in shown
    assert "not assessable" in shown
    assert "**Do not promote" in shown
    assert "gdsc-panel" not in shown  # the tiny set stands in its place
    app.button(key=f"promote_{candidate.id}").click().run()
    assert "does not pass every gate" in app.error[0].value
    assert library.active_set().id == library.SHIPPED
    app.text_area(key=f"reason_{candidate.id}").input(REASON)
    app.button(key=f"promote_{candidate.id}").click().run()
    assert not app.exception
    assert library.active_set().id == candidate.id
    assert f"Models small, 2026-01-01 ({candidate.digest[:8]})" in words(app)
    done = f"{candidate.id} is the active set now. Roll back brings tiny (shipped) back."
    assert [message.value for message in app.success] == [done]
    app.button(key="roll_back").click().run()
    assert library.active_set().id == library.SHIPPED
    assert not app.error
    assert [one.value for one in app.success] == ["tiny (shipped) is the active set again."]


@pytest.fixture
def any_gates(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a reason kept, and no gate asked."""
    monkeypatch.setattr(library, "_reason_for", lambda candidate, reason: reason)


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """Return the notes of the tables that a page offers as files, by name."""
    offered: dict[str, tuple[str, ...]] = {}
    monkeypatch.setattr(
        panels, "csv_button", lambda table, name, *, notes=(): offered.update({name: notes})
    )
    return offered


@pytest.mark.usefixtures("tiny_shipped")
def test_refused_promotion_says_so_below_its_button(open_page, candidate: library.SetEntry) -> None:
    app = settings(open_page)
    assert "(at least 20 characters)" in app.text_area(key=f"reason_{candidate.id}").label
    app.button(key=f"promote_{candidate.id}").click().run()
    kinds = [(part.type, getattr(part, "key", None)) for part in app.main]
    button = kinds.index(("button", f"promote_{candidate.id}"))
    [refusal] = [place for place, (kind, _) in enumerate(kinds) if kind == "error"]
    assert button < refusal < kinds.index(("button", f"archive_{candidate.id}"))
    app.run()
    assert not app.error


@pytest.mark.usefixtures("tiny_shipped")
def test_what_a_gate_expects_is_read_where_it_did_not_pass(
    open_page, candidate: library.SetEntry
) -> None:
    shown = words(settings(open_page))
    assert "**Trained in full** – not assessable" in shown
    assert "Expected: full training" in shown
    assert "Expected: every file as its digest says" not in shown  # passed: on demand


def test_another_default_model_is_said_before_the_promotion(
    open_page, candidate: library.SetEntry
) -> None:
    shown = words(settings(open_page))
    assert "Default model: Ensemble of five → Elastic net; the gates were asked of it." in shown


@pytest.mark.usefixtures("tiny_shipped", "any_gates")
def test_session_is_told_once_that_the_model_set_was_changed(
    open_page, candidate: library.SetEntry
) -> None:
    app = open_page("home")
    before = resources.describe_model_set()
    library.promote(candidate.id, actor=SINGLE_USER)
    app.run()
    assert [one.value for one in app.warning] == [
        f"The model set was changed from {before.stamp} to small ({candidate.digest[:8]}); what "
        f"you saw before came from {before.stamp}."
    ]
    app.run()
    assert not app.warning


@pytest.mark.usefixtures("any_gates")
def test_model_that_nobody_chose_follows_the_set_and_a_chosen_one_stays(
    open_page, candidate: library.SetEntry
) -> None:
    follows, stays = open_page("home"), open_page("home")
    stays.selectbox(key="choose_model").select("elastic_net").run()
    for change, model in ((library.promote, "elastic_net"), (library.roll_back, "ensemble")):
        change(*([candidate.id] if change is library.promote else []), actor=SINGLE_USER)
        follows.run()
        stays.run()
        assert follows.session_state["resvae"].model == model
        assert stays.session_state["resvae"].model == "elastic_net"
    assert follows.warning[0].value.endswith("Its default model, Ensemble of five, is shown.")
    assert "default model" not in stays.warning[0].value


@pytest.mark.usefixtures("any_gates")
def test_short_training_and_gates_that_did_not_pass_are_said_on_every_page(
    open_page, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    staged = wide_set(tmp_path / "set", name="quick-short")
    card = json.loads((staged / "elastic_net" / "card.json").read_text(encoding="utf-8"))
    card["request"] = {"effort": "short"}
    replace_in_set(staged, "elastic_net/card.json", json.dumps(card).encode())
    entry = library.add_candidate(staged, origin="0a1b2c3d4e5f")
    badges = ("Models of a short training", "Models that did not pass every gate")
    assert not any(badge in words(open_page("home")) for badge in badges)
    library.promote(entry.id, actor=SINGLE_USER, reason=REASON)
    shown = words(open_page("home"))
    assert all(badge in shown for badge in badges)


@pytest.mark.usefixtures("tiny_shipped", "promoted")
def test_candidate_is_chosen_again_after_a_roll_back(open_page, promoted: library.SetEntry) -> None:
    app = settings(open_page)
    assert app.selectbox(key="set_compared").value is None
    app.button(key="roll_back").click().run()
    assert app.selectbox(key="set_compared").value == promoted.id
    assert "No candidate waits" not in words(app)


@pytest.mark.usefixtures("tiny_shipped")
def test_choice_of_a_set_says_the_state_that_an_action_gave_it(
    open_page, candidate: library.SetEntry
) -> None:
    app = settings(open_page)
    app.button(key=f"archive_{candidate.id}").click().run()
    box = app.selectbox(key="set_compared")
    assert box.value == candidate.id
    # the browser keeps the words that it shows unless it is told others
    assert box.proto.set_value
    assert box.proto.raw_value == f"{candidate.id}: archived"


@pytest.mark.usefixtures("tiny_shipped", "any_gates")
def test_history_of_changes_says_who_did_what_when_and_why(
    open_page, candidate: library.SetEntry, files: dict[str, tuple[str, ...]]
) -> None:
    assert "History of changes" not in [one.label for one in settings(open_page).expander]
    library.promote(candidate.id, actor=SINGLE_USER, reason=REASON)
    library.roll_back(actor=SINGLE_USER)
    app = settings(open_page)
    [history] = [one for one in app.expander if one.label == "History of changes"]
    table = history.dataframe[0].value
    assert list(table["action"]) == ["Rolled back to", "Promoted"]
    assert list(table["set"]) == [library.SHIPPED, candidate.id]
    assert list(table["reason"]) == ["", REASON]
    assert set(table["by"]) == {SINGLE_USER.name}
    assert table["at"].str.startswith("20").all()
    assert "sets-history" in files


@pytest.mark.usefixtures("tiny_shipped", "promoted")
def test_shipped_set_is_no_candidate_once_another_was_promoted(open_page) -> None:
    """Roll back is the one way to it: nothing is chosen, and it is never offered a promotion."""
    app = settings(open_page)
    chosen = app.selectbox(key="set_compared")
    assert chosen.value is None
    assert "No candidate waits." in words(app)
    chosen.select(library.SHIPPED).run()
    assert not app.exception
    shown = words(app)
    assert "tiny (shipped)" in shown
    assert "It is no candidate: **Roll back** is the way" in shown
    assert "leads the shipped set" in shown
    assert "candidate set" not in shown
    assert not [one.key for one in app.button if str(one.key).startswith("promote_")]


@pytest.mark.usefixtures("tiny_shipped")
def test_roll_back_is_of_the_set_that_was_shown(
    open_page, candidate: library.SetEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two clicks on one page: the second finds another set active than its page showed."""
    monkeypatch.setattr(library, "_reason_for", lambda candidate, reason: reason)
    staged = wide_set(tmp_path / "next", name="next")
    later = library.add_candidate(staged, origin="1a2b3c4d5e6f")
    for entry in (candidate, later):
        library.promote(entry.id, actor=SINGLE_USER)
    app = settings(open_page)
    library.roll_back(actor=SINGLE_USER)  # the first click, or that of somebody else
    app.button(key="roll_back").click().run()
    assert library.active_set().id == candidate.id
    assert "changed in the meantime" in app.error[0].value


@pytest.mark.usefixtures("tiny_shipped")
def test_differences_over_drugs_stand_without_interval_and_say_why(
    open_page, candidate: library.SetEntry
) -> None:
    app = settings(open_page)
    assert "Without an interval and p: a mean over drugs." in words(app)


@pytest.mark.usefixtures("promoted")
def test_no_drift_is_offered_for_the_shipped_set(open_page) -> None:
    app = settings(open_page)
    app.session_state["sets_parts"] = "Drift"
    app.selectbox(key="set_compared").select(library.SHIPPED).run()
    assert "it is no candidate" in words(app)
    assert "Compute the drift" not in [button.label for button in app.button]


@pytest.mark.usefixtures("tiny_shipped")
def test_parts_of_the_comparison_open_without_an_error(
    open_page, candidate: library.SetEntry
) -> None:
    app = settings(open_page)
    for part in ("Controls", "Drift", "Findings"):
        app.session_state["sets_parts"] = part
        app.run()
        assert not app.exception
        assert not app.error
    assert "Compute the findings" in [button.label for button in app.button]


@pytest.mark.usefixtures("tiny_shipped")
def test_drift_of_the_synthetic_cohort_alone_can_be_computed_anew_once_a_real_one_is_there(
    open_page, candidate: library.SetEntry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Expression(load_cohort(None, DEMO).expression.values.iloc[:20])
    monkeypatch.setattr(drift, "reference_cohorts", lambda data: {DEMO: some})
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path / "data"))
    drift.write_drift(candidate, library.active_set(), None)
    app = settings(open_page)
    app.session_state["sets_parts"] = "Drift"
    app.run()
    assert "Compute the drift anew" not in [button.label for button in app.button]
    install_tiny_data(tmp_path / "data")
    app.run()
    assert not app.exception
    assert "computed on the synthetic cohort alone; GBM, LUAD can be read now" in words(app)
    assert "Compute the drift anew" in [button.label for button in app.button]


@pytest.mark.usefixtures("tiny_shipped")
def test_archived_set_offers_to_be_restored(open_page, candidate: library.SetEntry) -> None:
    app = settings(open_page)
    app.button(key=f"archive_{candidate.id}").click().run()
    assert library.find_set(candidate.id).state == "archived"
    done = f"{candidate.id} is archived. Restore brings it back."
    assert [message.value for message in app.success] == [done]
    app.selectbox(key="set_compared").select(candidate.id).run()
    app.button(key=f"archive_{candidate.id}").click().run()
    assert library.find_set(candidate.id).state == "candidate"
    assert [one.value for one in app.success] == [f"{candidate.id} is a candidate again."]


@pytest.mark.usefixtures("tiny_shipped")
def test_viewer_sees_everything_and_changes_nothing(
    open_page, candidate: library.SetEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "current_actor", lambda: VIEWER)
    app = settings(open_page)
    assert "**Gates: " in words(app)
    assert "Only the role steward may promote" in words(app)
    assert app.button(key=f"promote_{candidate.id}").disabled
    permissions.act(library.promote, candidate.id, reason=REASON)
    assert library.active_set().id == library.SHIPPED


def test_broken_active_set_is_said_with_the_way_back(open_page, promoted: library.SetEntry) -> None:
    (promoted.folder / "model_set.json").unlink()
    app = settings(open_page)
    assert not app.exception
    assert "is missing" in app.error[-1].value
    app.button(key="roll_back").click().run()
    assert library.active_set().id == library.SHIPPED
    assert not app.error


@pytest.mark.usefixtures("promoted")
@pytest.mark.parametrize("name", PAGES)
def test_every_page_opens_with_a_set_of_one_model_and_six_drugs(
    open_page, promoted: library.SetEntry, name: str
) -> None:
    session = Session()
    session.accept_demo(resources.demo_upload(), STORIES["resistant"])
    app = open_page(name, session)
    assert not app.exception
    assert [error.value for error in app.error] == []
    assert f"Models small, 2026-01-01 ({promoted.digest[:8]})" in words(app)


@pytest.mark.usefixtures("promoted")
def test_story_of_a_demo_patient_is_told_of_the_models_that_it_is_of(open_page) -> None:
    session = Session()
    session.accept_demo(resources.demo_upload(), STORIES["resistant"])
    assert "With the model set that came with the program: " in words(
        open_page("overview", session)
    )


@pytest.fixture
def one_drug(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> library.SetEntry:
    """Promote a set of Erlotinib alone: it lacks the drug and the model of the demo patients."""
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(library, "_reason_for", lambda candidate, reason: reason)
    entry = library.add_candidate(one_drug_set(tmp_path / "one"), origin="0a1b2c3d4e5f")
    return library.promote(entry.id, actor=SINGLE_USER)


@pytest.mark.usefixtures("one_drug")
@pytest.mark.parametrize(
    "name", ["overview", "drug", "explanation", "similar", "report", "survival"]
)
def test_what_the_set_lacks_is_said_once_and_the_page_works(open_page, name: str) -> None:
    session = Session()
    session.accept_demo(resources.demo_upload(), STORIES["resistant"])
    app = open_page(name, session, drug="Cisplatin", model="ensemble")
    assert not app.exception
    assert [error.value for error in app.error] == []
    assert (session.drug, session.model) == ("Erlotinib", "elastic_net")
    # the frame's home page said it: the session is of this set by now
    assert [warning.value for warning in app.warning if "not in this" in warning.value] == []


@pytest.mark.usefixtures("one_drug")
def test_link_that_names_what_the_set_lacks_says_what_is_shown(open_page) -> None:
    app = open_page("home", drug="Cisplatin", model="ensemble")
    assert [warning.value for warning in app.warning] == [
        "Cisplatin is not in this model set (one-drug); Erlotinib is shown.",
        "Ensemble of five is not in this model set (one-drug); Elastic net is shown.",
    ]
    assert app.query_params["drug"] == "Erlotinib"
    app.run()
    assert not app.warning


@pytest.mark.usefixtures("promoted")
def test_with_several_drugs_somebody_chooses_in_the_place_of_one_that_the_set_lacks(
    open_page,
) -> None:
    app = open_page("home", Session(), drug="Paclitaxel")
    assert app.warning[0].value == (
        "Paclitaxel is not in this model set (small); choose another drug."
    )
    assert "drug" not in app.query_params
    [drugs] = [box.options for box in app.selectbox if box.label == "Drug"]
    assert len(drugs) == 6


@pytest.mark.usefixtures("one_drug")
def test_tour_waits_for_no_drug_that_the_set_lacks(open_page) -> None:
    app = open_page("home")
    next(button for button in app.button if button.label == "Take the tour").click().run()
    app.switch_page(PAGES["upload"].script).run()
    assert not app.exception
    assert "Step 1 of" in words(app)


@pytest.mark.usefixtures("promoted")
def test_home_describes_the_set_that_is_active(open_page) -> None:
    shown = words(open_page("home"))
    assert "each of 6 drugs by one model" in shown
    assert "72 drugs" not in shown
    assert "five cohorts" not in shown
    assert "About 77 of 100 made-up lines" in shown
    assert "It learned from **synthetic data**" in shown
    assert "the model set that came with the program says; small is active" in shown


def test_home_describes_the_shipped_set(open_page) -> None:
    shown = words(open_page("home"))
    assert "each of 72 drugs by 7 models" in shown
    assert "About 86 of 100 cell lines" in shown
    assert "is active, and may say otherwise" not in shown


@pytest.mark.usefixtures("promoted")
@pytest.mark.parametrize("name", ["home", "overview", "models"])
def test_set_of_synthetic_data_is_called_so_at_the_foot_of_every_page(open_page, name) -> None:
    session = Session()
    session.accept_demo(resources.demo_upload(), STORIES["resistant"])
    captions = [part.value for part in open_page(name, session).caption]
    footer = next(text for text in captions if text.startswith("ResVAE "))
    assert "Synthetic data, no measurement: " in footer
    assert "GDSC" not in footer


@pytest.mark.usefixtures("promoted")
def test_findings_of_the_active_set_are_computed_from_where_they_are_missing(
    open_page, promoted: library.SetEntry
) -> None:
    app = open_page("biomarkers")
    app.button(key="to_sets").click().run()
    app.switch_page(PAGES["settings"].script).run()
    assert not app.exception
    assert app.session_state["resvae"].settings_part == "sets"
    assert "**Findings of the active set**" in words(app)
    assert app.button(key=f"start_evidence_{promoted.id}").label == "Compute the findings"


@pytest.mark.usefixtures("promoted")
def test_viewer_is_told_who_may_compute_findings(
    open_page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(permissions, "current_actor", lambda: VIEWER)
    app = open_page("biomarkers")
    assert "to_sets" not in {button.key for button in app.button}
    assert "Only the role steward may" in words(app)


def test_page_reads_one_set_from_its_first_line_to_its_last(
    candidate: library.SetEntry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A promotion while a page is drawn: what is loaded and what is named stay together."""
    monkeypatch.setenv("RESVAE_MODELS", str(tiny_set()))
    monkeypatch.setattr(library, "_reason_for", lambda candidate, reason: reason)

    def page(identifier: str) -> None:
        import streamlit as st

        from pages.components import resources
        from resvae_core.access.roles import SINGLE_USER
        from resvae_core.registry import library

        resources.begin_run()
        before = resources.set_digest()
        if st.session_state.get("promote"):
            library.promote(identifier, actor=SINGLE_USER)
            st.session_state["promote"] = False
        assert library.active_set().digest != before or library.active_set().id == identifier
        after = {
            resources.set_digest(),
            resources.model_set().digest,
            resources.installed_models().digest,
        }
        st.text(f"{after == {before}} {resources.model_set().name}")
        st.text(str(len(resources.cards())))

    app = AppTest.from_function(page, args=(candidate.id,), default_timeout=30)
    app.session_state["promote"] = True
    app.run()
    assert not app.exception
    assert app.text[0].value == "True tiny"
    app.run()
    assert app.text[0].value == "True small"


@pytest.mark.usefixtures("promoted")
def test_figures_of_other_data_are_not_comparable_before_they_are_named(
    open_page, candidate: library.SetEntry, files: dict[str, tuple[str, ...]]
) -> None:
    app = settings(open_page)
    app.selectbox(key="set_compared").select(library.SHIPPED).run()
    takeaway = next(one.value for one in app.markdown if "leads the shipped set" in one.value)
    assert takeaway.startswith("Not comparable: other lines and drugs.")
    caution = "**Not comparable\\: other lines and drugs.** A difference may come from these, not"
    assert caution in words(app)
    assert "Not comparable: other lines and drugs." in files["sets-tests"]
    [tests] = [one for one in app.dataframe if "difference" in one.value]
    assert "Brier score (lower is better)" in set(tests.value["metric"])
    assert tests.value["p_value"].isna().all()
    hidden = {name for name, one in json.loads(tests.proto.columns).items() if one.get("hidden")}
    assert hidden - {"_index"} == {"lower", "upper", "p_value", "p_holm"}
    assert tests.proto.placeholder == "–"


def test_states_of_sets_have_words() -> None:
    assert set(settings_sets.STATE_WORDS) == {"active", "candidate", "previous", "archived"}
    assert isinstance(resources.demo_upload(), Upload)


def test_help_on_effort_says_what_promotes_a_short_training() -> None:
    assert "never" not in settings_training.EFFORT_HELP
    assert "only a written reason promotes it" in settings_training.EFFORT_HELP
