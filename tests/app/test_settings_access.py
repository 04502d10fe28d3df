"""Preferences, roles and the audit trail on the pages, and the hooks that write it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import streamlit as st
from sqlalchemy import text
from streamlit.runtime.context import StreamlitHeaders
from streamlit.testing.v1 import AppTest

from pages.components import (
    identity,
    permissions,
    resources,
    settings_audit,
    settings_preferences,
    trail,
)
from pages.components.frame import PAGES
from pages.components.state import KEY, Session
from resvae_core.access.audit import entries, record, verify
from resvae_core.access.preferences import save_settings
from resvae_core.access.roles import COMMAND_LINE, SINGLE_USER, Actor
from resvae_core.database import close_databases, open_database
from resvae_core.errors import AccessError, AuditError
from resvae_core.jobs import service
from resvae_core.registry import library
from resvae_core.settings import Settings, load_settings, settings_file

VIEWER = Actor("vera", "viewer", "proxy")
ANALYST = Actor("anna", "analyst", "proxy")
SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("RESVAE_WORKERS", "external")
    resources.forget_active_jobs()
    yield tmp_path / "state"
    close_databases()


@pytest.fixture
def as_actor(monkeypatch: pytest.MonkeyPatch) -> Callable[[Actor], None]:
    def be(actor: Actor) -> None:
        for module in (identity, permissions, settings_audit):
            monkeypatch.setattr(module, "current_actor", lambda: actor)
        for module in (identity, settings_audit):
            monkeypatch.setattr(module, "actor_at_click", lambda: lambda: actor)

    return be


@pytest.fixture
def open_part(open_page) -> Callable[[str], AppTest]:
    return lambda part: open_page("settings", Session(settings_part=part))


def words(app: AppTest) -> str:
    parts = [*app.markdown, *app.caption, *app.title, *app.error, *app.success, *app.warning]
    return "\n".join(str(part.value) for part in parts)


def demo(open_page, name: str, position: int = 0) -> AppTest:
    session = Session()
    story = resources.demo_stories()[position]
    session.accept_demo(resources.demo_upload(), story)
    return open_page(name, session)


def actions() -> list[str]:
    return entries(actor=COMMAND_LINE)["action"].tolist()[::-1]


def test_saved_preferences_hold_and_are_recorded(open_part) -> None:
    app = open_part("preferences")
    app.selectbox(key="preference_device").set_value("cpu")
    app.number_input(key="preference_n_workers").set_value(2)
    app.toggle(key="preference_resume_automatically").set_value(False)
    app.button(key="save_settings").click().run()
    assert "Saved: 3 settings changed." in words(app)
    assert load_settings() == Settings(device="cpu", n_workers=2, resume_automatically=False)
    [line] = entries(actor=COMMAND_LINE).to_dict("records")
    assert line["subject"] == "settings:device,n_workers,resume_automatically"
    assert line["actor"] == "single user"


def test_wrong_answers_are_said_at_their_fields_and_nothing_is_saved(open_part) -> None:
    app = open_part("preferences")
    app.text_input(key="preference_scheduler").set_value("scheduler:8786")
    app.number_input(key="preference_time_limit_hours").set_value(0.0)
    app.number_input(key="preference_n_workers").set_value(2)
    app.button(key="save_settings").click().run()
    shown = words(app).replace("\\", "")
    assert "Dask cluster: 'scheduler:8786'; expected tcp://host:port" in shown
    assert "Time, hours: 0.0; expected more than 0" in shown
    assert "time_limit_hours" not in shown
    assert "Nothing was saved" in shown
    assert app.text_input(key="preference_scheduler").value == "scheduler:8786"
    assert not settings_file().exists()
    assert actions() == []


def test_what_a_variable_decides_is_said_and_cannot_be_changed(
    open_part, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_SCHEDULER", "tcp://cluster:8786")
    app = open_part("preferences")
    field = app.text_input(key="preference_scheduler")
    assert (field.value, field.disabled) == ("tcp://cluster:8786", True)
    assert "The environment variable RESVAE_SCHEDULER decides this." in words(app)
    app.button(key="save_settings").click().run()
    assert load_settings().scheduler == "tcp://cluster:8786"
    monkeypatch.delenv("RESVAE_SCHEDULER")
    assert load_settings().scheduler == ""


def test_export_right_after_a_save_holds_what_was_saved(
    open_part, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Callable[[], str]] = []

    def keep(action: str, subject: str, write: Callable[[], str], **_: object) -> Callable:
        written.append(write)
        return write

    monkeypatch.setattr(settings_preferences, "recorded_export", keep)
    app = open_part("preferences")
    app.number_input(key="preference_n_workers").set_value(3)
    app.button(key="save_settings").click().run()
    assert "n_workers = 3" in written[-1]()


def test_device_is_chosen_as_for_a_training_and_one_card_of_several_stays(open_part) -> None:
    save_settings(Settings(device="cuda:1"), actor=SINGLE_USER)
    field = open_part("preferences").selectbox(key="preference_device")
    assert field.value == "cuda:1"
    assert field.options == ["Automatic", "Processor (CPU)", "Graphics card (CUDA)", "cuda:1"]


def test_reset_goes_back_to_the_defaults(open_part) -> None:
    save_settings(Settings(device="cpu"), actor=SINGLE_USER)
    app = open_part("preferences")
    assert app.selectbox(key="preference_device").value == "cpu"
    app.button(key="reset_settings").click().run()
    assert load_settings() == Settings()
    assert app.selectbox(key="preference_device").value == "auto"


def test_broken_settings_are_said_on_every_page_and_can_be_reset(open_page, open_part) -> None:
    save_settings(Settings(device="cpu"), actor=SINGLE_USER)
    settings_file().write_text("engine = 'ray'", encoding="utf-8")
    assert "engine is 'ray'" in words(open_page("home"))
    app = open_part("preferences")
    app.button(key="reset_settings").click().run()
    assert not app.error
    assert load_settings() == Settings()


def test_new_sessions_begin_as_the_settings_say() -> None:
    save_settings(Settings(default_model="xgboost", endpoint="PFI"), actor=SINGLE_USER)
    app = AppTest.from_file("../../app.py", default_timeout=60).run()
    session = app.session_state[KEY]
    assert (session.model, session.endpoint) == ("xgboost", "PFI")


def test_viewer_sees_preferences_and_cannot_change_them(open_part, as_actor) -> None:
    as_actor(VIEWER)
    app = open_part("preferences")
    assert "Only the role steward may change the settings; yours is viewer." in words(app)
    assert app.selectbox(key="preference_device").disabled
    assert app.button(key="save_settings").disabled
    assert "reset_settings" not in {button.key for button in app.button}


def test_single_user_mode_says_that_it_is_one(open_part) -> None:
    shown = words(open_part("audit"))
    assert "**Single-user mode.** No sign-in is configured" in shown
    assert "**Viewer** may read results." in shown


def test_audit_shows_lines_filters_and_verifies(open_part) -> None:
    record("sample.read", actor=VIEWER, file_digest="ab" * 32)
    record("settings.changed", actor=SINGLE_USER, subject="settings:theme")
    app = open_part("audit")
    assert app.dataframe[0].value["action"].tolist() == [
        "changed settings",
        "read a file of samples",
    ]
    app.selectbox(key="audit_actor").set_value("vera").run()
    assert app.dataframe[0].value["file_digest"].tolist() == ["ab" * 32]
    app.selectbox(key="audit_actor").set_value(None)
    app.selectbox(key="audit_action").set_value("settings").run()
    assert app.dataframe[0].value["subject"].tolist() == ["settings:theme"]
    app.button(key="verify_audit").click().run()
    assert "The trail is whole: 2 lines" in words(app)
    assert verify(actor=COMMAND_LINE).head in app.code[0].value


def test_audit_shows_the_lines_of_the_chosen_account_and_of_no_longer_name(open_part) -> None:
    for name in ("Özlem", "Özlem Kaya"):
        record("sign_in", actor=Actor(name, "viewer", "proxy"))
    app = open_part("audit")
    app.selectbox(key="audit_actor").set_value("Özlem").run()
    assert app.dataframe[0].value["actor"].tolist() == ["Özlem"]


def test_audit_names_the_first_broken_line(open_part) -> None:
    for _ in range(3):
        record("sign_in", actor=VIEWER)
    with open_database().begin() as connection:
        connection.execute(text("DROP TRIGGER audit_line_no_update"))
        connection.execute(text("UPDATE audit_line SET role = 'steward' WHERE sequence = 2"))
    app = open_part("audit")
    app.button(key="verify_audit").click().run()
    assert "Line 2: it was changed." in app.error[0].value


def test_only_the_permission_shows_the_trail(open_part, as_actor) -> None:
    record("sign_in", actor=VIEWER)
    as_actor(ANALYST)
    app = open_part("audit")
    assert "Only the role steward may read the audit trail; yours is analyst." in words(app)
    assert not app.dataframe
    assert "verify_audit" not in {button.key for button in app.button}


@pytest.mark.parametrize("actor", [VIEWER, ANALYST])
@pytest.mark.parametrize(
    "act",
    [
        lambda actor: service.submit("train", {}, actor=actor),
        lambda actor: library.promote("shipped", actor=actor),
        lambda actor: library.roll_back(actor=actor),
        lambda actor: save_settings(Settings(device="cpu"), actor=actor),
    ],
    ids=["train", "promote", "roll back", "save settings"],
)
def test_calling_the_function_behind_the_page_is_refused(
    act: Callable[[Actor], object], actor: Actor
) -> None:
    with pytest.raises(AccessError, match=f"The role '{actor.role}' may not"):
        act(actor)
    assert actions() == ["access.refused"]
    assert service.list_jobs() == []
    assert not settings_file().exists()


@pytest.mark.parametrize("name", PAGES)
def test_half_a_configuration_opens_no_page(
    open_page, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_PROXY_SECRET", "")
    app = open_page(name)
    assert "Access is not configured completely" in app.error[0].value
    assert [title.value for title in app.title] == ["ResVAE"]
    assert not app.selectbox
    assert not app.button


def test_nobody_is_let_past_a_proxy_without_its_secret(
    open_page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_PROXY_SECRET", SECRET)
    app = demo(open_page, "overview")
    assert "can only be reached through its proxy" in app.error[0].value
    assert not app.dataframe


def test_who_has_no_role_is_refused_once_and_recorded(
    open_page, as_actor: Callable[[Actor], None]
) -> None:
    as_actor(Actor("nora", "none", "proxy"))
    app = open_page("home")
    app.run()
    assert "There is no role for nora here." in app.error[0].value
    assert actions() == ["access.refused"]


def test_another_person_in_the_same_session_finds_nothing_of_the_one_before(
    open_page, as_actor: Callable[[Actor], None]
) -> None:
    as_actor(VIEWER)
    app = demo(open_page, "home")
    assert app.session_state[KEY].upload is not None
    as_actor(ANALYST)
    app.run()
    assert app.session_state[KEY].upload is None
    assert actions()[0] == "sign_in"
    assert actions()[-1] == "sign_in"
    assert entries(actor=COMMAND_LINE, action="sign_in")["actor"].tolist() == ["anna", "vera"]


def test_prediction_and_explanation_are_recorded_once_and_not_on_every_rerun(open_page) -> None:
    app = demo(open_page, "explanation")
    app.run()
    app.switch_page(PAGES["overview"].script).run()
    lines = entries(actor=COMMAND_LINE)
    assert sorted(lines["action"]) == ["explanation.made", "prediction.made"]
    digest = resources.demo_upload().qc.file_digest
    assert set(lines["file_digest"]) == {digest}
    assert all(models.startswith("shipped:") for models in lines["model_set"])


def test_result_that_cannot_be_recorded_is_not_shown(
    open_page, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AuditError("The audit trail cannot be written.", remedy="Check the database.")

    monkeypatch.setattr(trail, "record", refuse)
    app = demo(open_page, "overview")
    assert "The audit trail cannot be written." in words(app)
    assert not app.dataframe


def test_export_is_recorded_before_the_file_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    export = trail.recorded_export("export.report", "format:pdf", lambda: made.append(1))
    assert actions() == []
    export()
    export()
    assert (made, actions()) == ([1, 1], ["export.report"] * 2)
    monkeypatch.setenv("RESVAE_DATABASE_URL", "postgresql+psycopg://x@127.0.0.1:1/x")
    with pytest.raises(AuditError, match="cannot be written"):
        export()
    assert made == [1, 1]


@pytest.fixture
def proxied(state: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let a proxy name vera; return what writes her role."""
    headers = {"X-Resvae-Proxy-Secret": SECRET, "X-Forwarded-User": "vera"}
    monkeypatch.setenv("RESVAE_PROXY_SECRET", SECRET)
    monkeypatch.setattr(type(st.context), "headers", StreamlitHeaders(headers.items()))

    def be(role: str) -> None:
        state.mkdir(parents=True, exist_ok=True)
        rules = 'default = "none"\n[subjects]\n'
        named = "" if role == "none" else f'vera = "{role}"\n'
        (state / "roles.toml").write_text(rules + named, encoding="utf-8")

    return be


@pytest.mark.parametrize(
    ("permission", "before", "after"), [("audit", "steward", "analyst"), ("read", "viewer", "none")]
)
def test_download_asks_for_the_role_at_the_click(
    proxied: Callable[[str], None], permission: str, before: str, after: str
) -> None:
    made: list[int] = []
    proxied(before)
    export = trail.recorded_export(
        "export.audit", "table:audit", lambda: made.append(1), permission=permission
    )
    export()
    proxied(after)
    with pytest.raises(AccessError, match=f"The role '{after}' may not"):
        export()
    assert made == [1]
    assert actions() == ["export.audit", "access.refused"]


def test_the_trail_as_a_file_is_read_by_who_clicks(
    open_part, monkeypatch: pytest.MonkeyPatch
) -> None:
    record("sign_in", actor=VIEWER)
    made: list[Callable[[], str]] = []

    def keep(action: str, subject: str, write: Callable[[], str], permission: str) -> str:
        assert permission == "audit"
        made.append(write)
        return ""

    monkeypatch.setattr(settings_audit, "recorded_export", keep)
    role = {"now": SINGLE_USER}
    monkeypatch.setattr(settings_audit, "actor_at_click", lambda: lambda: role["now"])
    open_part("audit")
    assert "sign_in" in made[-1]()
    role["now"] = ANALYST
    with pytest.raises(AccessError, match="'analyst' may not read the audit trail"):
        made[-1]()
