"""What the visitor may not do, in words, and actions whose refusal the next run shows.

Nothing here protects anything: the core's functions ask for the role themselves. This only keeps
people from pressing what will be refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import streamlit as st

from pages.components import messages, resources
from pages.components.identity import current_actor
from resvae_core.access.roles import PERMISSIONS, WORDS, Permission
from resvae_core.errors import ResVAEError

_REFUSAL = "settings_refusal"


def why_not(permission: Permission) -> str:
    """Say who may do something that the visitor may not; empty where the visitor may."""
    actor = current_actor()
    if actor.may(permission):
        return ""
    able = " or ".join(role for role, allowed in PERMISSIONS.items() if permission in allowed)
    return (
        f"Only the role {able} may {WORDS[permission]}; yours is {actor.role}. Ask a steward of "
        "this installation."
    )


def act(action: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Do something as the visitor (for callbacks); what refuses is shown by `show_refusal`.

    Parameters
    ----------
    action
        A function of the core that takes ``actor``.
    arguments, options
        Handed on to it.

    Returns
    -------
    Any
        What the action returned; None where it refused.
    """
    try:
        return action(*arguments, actor=current_actor(), **options)
    except ResVAEError as error:
        st.session_state[_REFUSAL] = error
        return None
    finally:
        resources.forget_active_jobs()


def show_refusal() -> None:
    """Show once what the last action was refused for."""
    if error := st.session_state.pop(_REFUSAL, None):
        messages.show_error(error)
