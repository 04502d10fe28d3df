from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from resvae_core.access.audit import entries
from resvae_core.access.preferences import import_settings, reset_settings, save_settings
from resvae_core.access.roles import COMMAND_LINE, Actor
from resvae_core.errors import AccessError, AuditError, ConfigError
from resvae_core.settings import Settings, load_settings, settings_file, to_toml

OTHERS = Settings(device="cpu", n_workers=2)
ANALYST = Actor("anna", "analyst", "sign-in")
CHANGES: dict[str, Callable[..., object]] = {
    "save": lambda actor: save_settings(OTHERS, actor=actor),
    "import": lambda actor: import_settings(to_toml(OTHERS), actor=actor),
    "reset": lambda actor: reset_settings(actor=actor),
}


def trail() -> list[tuple[str, str]]:
    return list(
        entries(actor=COMMAND_LINE)[["action", "subject"]].itertuples(index=False, name=None)
    )


def test_saving_records_which_settings_changed_and_no_value(state: Path) -> None:
    save_settings(OTHERS, actor=COMMAND_LINE)
    assert load_settings() == OTHERS
    assert trail() == [("settings.changed", "settings:device,n_workers")]


def test_saving_the_same_again_records_nothing(state: Path) -> None:
    save_settings(OTHERS, actor=COMMAND_LINE)
    save_settings(OTHERS, actor=COMMAND_LINE)
    assert len(trail()) == 1


def test_import_and_reset_are_recorded_as_such(state: Path) -> None:
    assert import_settings(to_toml(OTHERS), actor=COMMAND_LINE) == OTHERS
    assert reset_settings(actor=COMMAND_LINE) == Settings()
    assert load_settings() == Settings()
    assert [action for action, _ in trail()] == ["settings.reset", "settings.imported"]


def test_reset_gets_out_of_a_broken_file(state: Path) -> None:
    state.mkdir()
    settings_file().write_text("engine = 'ray'", encoding="utf-8")
    reset_settings(actor=COMMAND_LINE)
    assert load_settings() == Settings()
    assert trail() == [("settings.reset", "settings:broken-file-replaced")]


def test_change_of_every_setting_fits_into_a_line(state: Path) -> None:
    everything = Settings(
        "cpu", "serial", 1, "tcp://h:1", "vae_ld", "PFI", "dark", 1.0, 1.0, 1.0, False
    )
    save_settings(everything, actor=COMMAND_LINE)
    assert trail() == [("settings.changed", "settings:11-of-them")]


@pytest.mark.parametrize("change", CHANGES)
def test_analyst_cannot_change_settings_even_by_calling_the_function(
    change: str, state: Path
) -> None:
    with pytest.raises(AccessError, match="'analyst' may not change the settings"):
        CHANGES[change](ANALYST)
    assert not settings_file().exists()
    assert trail() == [("access.refused", "permission:settings")]


@pytest.mark.parametrize("change", CHANGES)
def test_nothing_is_saved_that_cannot_be_recorded(
    change: str, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RESVAE_DATABASE_URL", "postgresql+psycopg://x@127.0.0.1:1/x")
    with pytest.raises(AuditError, match="cannot be written"):
        CHANGES[change](COMMAND_LINE)
    assert not settings_file().exists()


def test_broken_import_leaves_everything_as_it_was(state: Path) -> None:
    save_settings(OTHERS, actor=COMMAND_LINE)
    with pytest.raises(ConfigError, match="'colour' is no setting"):
        import_settings("colour = 'red'", actor=COMMAND_LINE)
    assert load_settings() == OTHERS
    assert len(trail()) == 1
