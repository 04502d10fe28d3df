"""Settings, Preferences: device, engine, what new visitors see first, limits of jobs, colours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import streamlit as st

from pages.components import contrast
from pages.components.identity import current_actor
from pages.components.messages import plain, show_error
from pages.components.permissions import act, show_refusal, why_not
from pages.components.settings_training import DEVICE_WORDS, DEVICES
from pages.components.trail import recorded_export
from resvae_core.access.preferences import import_settings, reset_settings, save_settings
from resvae_core.errors import ConfigError
from resvae_core.figures.palette import model_word
from resvae_core.settings import (
    COMMENTS,
    ENDPOINTS,
    ENGINES,
    FILE_NAME,
    MAX_LIMIT,
    MAX_WORKERS,
    MODELS,
    THEMES,
    Settings,
    Value,
    changes,
    check_value,
    overrides,
    saved_settings,
    to_toml,
    with_values,
)

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from pages.components.state import Session

ENGINE_WORDS = {
    "serial": "One process",
    "processes": "Processes of this machine",
    "dask": "Dask, here or on a cluster",
}
THEME_WORDS = {"system": "As the browser asks", "light": "Light", "dark": "Dark"}
MAX_FILE = 100_000
"""Bytes of a settings file; a real one has about 1,500."""
_LIMIT = {"min_value": 0.0, "max_value": MAX_LIMIT, "step": 1.0}
GROUPS: dict[str, dict[str, tuple[str, Any, dict[str, Any]]]] = {
    "Computing": {
        "device": (
            "Device",
            st.selectbox,
            {"options": DEVICES, "format_func": lambda name: DEVICE_WORDS.get(name, name)},
        ),
        "engine": (
            "Engine",
            st.selectbox,
            {"options": ENGINES, "format_func": ENGINE_WORDS.__getitem__},
        ),
        "n_workers": (
            "Worker processes",
            st.number_input,
            {"min_value": 0, "max_value": MAX_WORKERS, "step": 1},
        ),
        "scheduler": ("Dask cluster", st.text_input, {"placeholder": "tcp://host:8786"}),
    },
    "Each job may use": {
        "time_limit_hours": ("Time, hours", st.number_input, _LIMIT),
        "memory_limit_gb": ("Memory, GB", st.number_input, _LIMIT),
        "disk_limit_gb": ("Disk, GB", st.number_input, _LIMIT),
        "resume_automatically": ("Go on when interrupted", st.toggle, {}),
    },
    "Shown first": {
        "default_model": (
            "Model",
            st.selectbox,
            {
                "options": ("", *MODELS),
                "format_func": lambda name: model_word(name) if name else "The model set's own",
            },
        ),
        "endpoint": ("Survival endpoint", st.selectbox, {"options": ENDPOINTS}),
        "theme": (
            "Colours",
            st.selectbox,
            {"options": THEMES, "format_func": THEME_WORDS.__getitem__},
        ),
    },
}
"""Settings by group: label, widget and its options."""


def show(session: Session) -> None:
    """Show the settings that hold, and offer to change, export, import and reset them."""
    show_refusal()
    try:
        saved, decided = saved_settings(), overrides()
    except ConfigError as error:
        show_error(error)
        _offer_reset()
        return
    refusal = why_not("settings")
    if refusal:
        st.caption(refusal)
    _form(saved, decided, allowed=not refusal)
    with st.container(horizontal=True):
        st.download_button(
            "Export (TOML)",
            recorded_export("export.table", "table:settings", lambda: to_toml(saved_settings())),
            file_name=f"resvae-{FILE_NAME}",
            mime="application/toml",
            key="export_settings",
            icon=":material/download:",
            on_click="ignore",
        )
        if not refusal:
            _offer_import()
            _offer_reset()


def _form(saved: Settings, decided: dict[str, tuple[str, Value]], *, allowed: bool) -> None:
    """Ask for every setting; what is wrong with an answer stands below it."""
    with st.form("preferences", border=False):
        problems: dict[str, DeltaGenerator] = {}
        answers: dict[str, Value] = {}
        for place, (group, names) in zip(st.columns(len(GROUPS)), GROUPS.items(), strict=True):
            with place:
                st.subheader(group, anchor=False)
                for name in names:
                    answers[name] = _ask(name, group, saved, decided, allowed=allowed)
                    problems[name] = st.empty()
                if group == "Shown first":
                    st.caption(
                        "Model and endpoint hold for sessions that begin from now on. Colours "
                        "change when ResVAE is started again with run.py."
                    )
        if st.form_submit_button(
            contrast.on_primary("Save"), type="primary", key="save_settings", disabled=not allowed
        ):
            _save(saved, {n: v for n, v in answers.items() if n not in decided}, problems)


def _ask(
    name: str,
    group: str,
    saved: Settings,
    decided: dict[str, tuple[str, Value]],
    *,
    allowed: bool,
) -> Value:
    """Offer one setting; one that a variable decides shows its value and cannot be changed."""
    label, widget, options = GROUPS[group][name]
    variable, value = decided.get(name, ("", getattr(saved, name)))
    if name == "device" and value not in DEVICES:
        # one card of several, such as cuda:1, is named in the file or by the variable
        options = {**options, "options": (*DEVICES, value)}
    key = f"preference_{name}"
    # a form keeps what was typed until it is sent; what is saved comes in when that changes
    if st.session_state.get(f"{key}_saved") != value or key not in st.session_state:
        st.session_state[key] = st.session_state[f"{key}_saved"] = value
    answer: Value = widget(
        label, key=key, disabled=bool(variable) or not allowed, help=COMMENTS[name], **options
    )
    if variable:
        st.caption(f"The environment variable {variable} decides this.")
    return answer


def _save(saved: Settings, answers: dict[str, Value], problems: dict[str, DeltaGenerator]) -> None:
    """Save what can be saved, or say at each field what is wrong; all or nothing."""
    wrong = False
    for name, value in answers.items():
        try:
            check_value(name, value)
        except ConfigError as error:
            wrong = True
            problems[name].markdown(f":red[:material/error: {plain(_in_words(name, error))}]")
    if wrong:
        st.error("Nothing was saved: correct the fields that say what is wrong.")
        return
    settings = with_values(saved, answers)
    n = len(changes(saved, settings))
    save_settings(settings, actor=current_actor())
    st.success(f"Saved: {n} {'setting' if n == 1 else 'settings'} changed.")


def _in_words(name: str, error: ConfigError) -> str:
    """Return what is wrong with an answer, by the field's label in the place of its name."""
    label = next(names[name][0] for names in GROUPS.values() if name in names)
    return f"{label}: {error.message.removeprefix(f'{name} is ')}"


def _offer_import() -> None:
    with st.popover("Import", icon=":material/upload:"):
        file = st.file_uploader("Settings file (TOML)", type=["toml"], key="settings_file")
        st.button(
            "Take these settings over",
            key="import_settings",
            disabled=file is None,
            on_click=_import,
            args=(file.getvalue() if file else b"",),
        )


def _import(content: bytes) -> None:
    """Save an exported file; what is wrong with it is shown by the next run."""
    text = content[:MAX_FILE].decode("utf-8", errors="replace")
    if act(import_settings, text) is not None:
        st.toast("The settings were imported.", icon=":material/check:")


def _offer_reset() -> None:
    if why_not("settings"):
        return
    with st.popover("Reset", icon=":material/restart_alt:"):
        st.markdown("All settings go back to what they were when ResVAE was installed.")
        st.button("Reset all settings", key="reset_settings", on_click=_reset)


def _reset() -> None:
    if act(reset_settings) is not None:
        st.toast("The settings were reset.", icon=":material/check:")
