"""Who is at the page: asked anew on every run, never kept, so that no old role stays.

What is configured decides how it is known (`resvae_core.access.sign_in`). Every function that acts
asks for the actor when it acts, a callback at the moment of the click.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import streamlit as st
from streamlit.errors import StreamlitSecretNotFoundError
from streamlit.runtime.context import StreamlitHeaders

from pages.components.contrast import on_primary
from resvae_core.access.audit import record
from resvae_core.access.roles import SINGLE_USER, Actor
from resvae_core.access.sign_in import (
    ROLES_FILE,
    AccessRules,
    actor_from_claims,
    actor_from_headers,
    read_rules,
)
from resvae_core.config import RESEARCH_USE, state_folder
from resvae_core.errors import AccessError, AuditError, ConfigError, ResVAEError

ANNOUNCED = "resvae_announced"
"""Key of the session's state: who was recorded as signed in. A name only, never a role."""


def current_actor() -> Actor:
    """Return who is at the page and what they may do.

    Raises
    ------
    AccessError
        If nobody is signed in, or whoever is has no role here.
    ConfigError
        If access is configured by half: nobody is let in then.
    """
    return actor_at_click()()


def actor_at_click() -> Callable[[], Actor]:
    """Return what does as `current_actor`, for a click that is served outside of this run.

    Headers and claims can be read in a run alone, and hold for as long as the browser's connection:
    they are taken now. Which role follows from them, and whether the sign-in still holds, is asked
    anew at the click.
    """
    return partial(_actor_from, st.context.headers, st.user.to_dict())


def _actor_from(headers: StreamlitHeaders, claims: Mapping[str, object]) -> Actor:
    rules = access_rules()
    if rules.way == "single-user":
        return SINGLE_USER
    if rules.way == "proxy":
        return actor_from_headers(headers.get_all, rules)
    actor = actor_from_claims(claims, rules)
    if actor is None:
        raise AccessError("Nobody is signed in.", remedy="Sign in.")
    return actor


def access_rules() -> AccessRules:
    """Return how access is configured.

    Raises
    ------
    ConfigError
        If it is configured by half, or the secrets cannot be read.
    """
    secrets = _secrets()
    return read_rules(
        os.environ,
        auth=_section(secrets, "auth"),
        roles=_section(secrets, "roles"),
        roles_file=state_folder() / ROLES_FILE,
    )


def admit() -> Actor:
    """Return who is at the page; whoever may not be here gets the way in, and no page.

    A session's first visit is recorded, a refused one, too.
    """
    try:
        actor = current_actor()
        _announce(actor)
        if actor.may("read"):
            return actor
        raise AccessError(
            f"There is no role for {actor.name} here.",
            remedy="Ask the steward of this installation for one.",
        )
    except (AccessError, AuditError, ConfigError) as error:
        _show_door(error)
        st.stop()


def show_visitor(actor: Actor) -> None:
    """Name whoever is signed in, and offer to sign out; nothing in single-user mode."""
    if actor.source == "single user":
        return
    st.caption(f"{actor.name} · {actor.role}", help="Your account, and your role here")
    if actor.source == "sign-in":
        st.button("Sign out", icon=":material/logout:", key="sign_out", on_click=st.logout)


def _secrets() -> Mapping[str, object]:
    """Return Streamlit's secrets; nothing where there is no file.

    Raises
    ------
    ConfigError
        If there is a file that cannot be read: what it says of access would be passed over.
    """
    if not any(Path(path).exists() for path in st.get_option("secrets.files")):
        return {}
    try:
        return st.secrets.to_dict()
    except (StreamlitSecretNotFoundError, OSError, UnicodeDecodeError) as error:
        # Streamlit's text names the file's path and may quote a line of it
        raise ConfigError(
            "The secrets file of Streamlit cannot be read.",
            remedy="Correct .streamlit/secrets.toml and start again; nobody is let in until then.",
        ) from error


def _section(secrets: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    if name not in secrets:
        return None
    section = secrets[name]
    if not isinstance(section, Mapping):
        raise ConfigError(
            f"{name!r} in the secrets is no section.", remedy=f"Write it as [{name}]."
        )
    return section


def _announce(actor: Actor) -> None:
    """Record a session's first visit; one that became another person's starts from nothing."""
    before = st.session_state.get(ANNOUNCED)
    if actor.source == "single user" or before == actor.name:
        return
    if before is not None:
        # what is computed of patients is recorded, and so knows this module
        from pages.components import predictions

        st.session_state.clear()
        predictions.forget_patient()
    record("sign_in" if actor.may("read") else "access.refused", actor=actor)
    st.session_state[ANNOUNCED] = actor.name


def _show_door(error: ResVAEError) -> None:
    """Show the way in, or why there is none; nothing else of the program."""
    st.title("ResVAE", anchor=False)
    st.badge(RESEARCH_USE, icon=":material/science:", color="orange")
    can_sign_in = isinstance(error, AccessError) and access_rules().way == "sign-in"
    if can_sign_in and not st.user.get("is_logged_in"):
        st.markdown("Sign in with your account to open ResVAE.")
    else:
        st.error(f"**{error.message}**\n\n{error.remedy}")
    if can_sign_in:
        st.button(
            on_primary("Sign in"),
            type="primary",
            icon=":material/login:",
            key="sign_in",
            on_click=st.login,
        )
        if st.user.get("is_logged_in"):
            st.button("Sign out", icon=":material/logout:", key="sign_out", on_click=st.logout)
