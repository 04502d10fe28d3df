"""Changing the settings: who may, and what the audit trail says of it."""

from __future__ import annotations

from resvae_core.access.audit import record
from resvae_core.access.roles import Actor, require
from resvae_core.errors import ConfigError
from resvae_core.settings import (
    Settings,
    changes,
    from_toml,
    saved_settings,
    settings_file,
    write_settings,
)


def save_settings(settings: Settings, *, actor: Actor) -> None:
    """Save settings; which ones changed is recorded first, their values are not.

    Raises
    ------
    AccessError
        If the actor's role does not allow it.
    AuditError
        If it cannot be recorded; nothing is saved then.
    ConfigError
        If the state folder cannot be written.
    """
    _save("settings.changed", settings, actor)


def import_settings(text: str, *, actor: Actor) -> Settings:
    """Save settings that were exported; return them.

    Raises
    ------
    AccessError, AuditError, ConfigError
        As `save_settings` and `resvae_core.settings.from_toml`.
    """
    require(actor, "settings")
    settings = from_toml(text)
    _save("settings.imported", settings, actor)
    return settings


def reset_settings(*, actor: Actor) -> Settings:
    """Go back to the defaults; the way out of a broken file, too.

    Raises
    ------
    AccessError, AuditError, ConfigError
        As `save_settings`.
    """
    settings = Settings()
    _save("settings.reset", settings, actor)
    return settings


def _save(action: str, settings: Settings, actor: Actor) -> None:
    require(actor, "settings")
    try:
        names = changes(saved_settings(), settings)
    except ConfigError:
        names = ["broken-file-replaced"]
    if not names and settings_file().exists():
        return
    record(action, actor=actor, subject=_subject(names))
    write_settings(settings)


def _subject(names: list[str]) -> str:
    text = f"settings:{','.join(names) or 'none'}"
    return text if len(text) <= 120 else f"settings:{len(names)}-of-them"
