from __future__ import annotations

import math
import threading
from dataclasses import asdict
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pages.components.state import ENDPOINTS as PAGE_ENDPOINTS
from pages.components.state import MODELS as PAGE_MODELS
from resvae_core import settings
from resvae_core.errors import ConfigError
from resvae_core.settings import (
    COMMENTS,
    ENDPOINTS,
    MODELS,
    NAMES,
    Settings,
    changes,
    check_value,
    device_for,
    from_toml,
    load_settings,
    overrides,
    parse_value,
    saved_settings,
    settings_file,
    to_toml,
    write_settings,
)

OTHERS = Settings(
    device="cuda:1",
    engine="serial",
    n_workers=3,
    scheduler="tcp://scheduler.example:8786",
    default_model="vae_ld",
    endpoint="PFI",
    theme="dark",
    time_limit_hours=1.5,
    memory_limit_gb=64.0,
    disk_limit_gb=2.0,
    resume_automatically=False,
)
WRONG: dict[str, list[object]] = {
    "device": ["gpu", "cuda:", "cuda:x", "CPU", "", 1],
    "engine": ["ray", "", None],
    "n_workers": [-1, 5000, 1.0, True, "2"],
    "scheduler": [
        "http://host:1",
        "tcp://host",
        "tcp://:8786",
        "tcp://host:0",
        "tcp://host:99999",
        "tcp://user@host:1",
        "tcp://host:1/x",
        "tcp://host:1\n",
    ],
    "default_model": ["vae", "drug_mean"],
    "endpoint": ["os", "PFS"],
    "theme": ["blue"],
    "time_limit_hours": [0, 0.0, -1.0, math.nan, math.inf, "24", True],
    "memory_limit_gb": [0],
    "disk_limit_gb": [-0.5],
    "resume_automatically": [1, "true"],
}


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    return tmp_path / "state"


def test_without_a_file_the_defaults_hold() -> None:
    assert load_settings() == saved_settings() == Settings()


def test_saved_settings_come_back_and_nothing_else_stays_in_the_folder(state: Path) -> None:
    write_settings(Settings())
    write_settings(OTHERS)
    assert load_settings() == OTHERS
    assert [path.name for path in state.iterdir()] == ["settings.toml"]


def test_the_file_says_of_each_setting_what_it_means() -> None:
    text = to_toml(OTHERS)
    assert set(COMMENTS) == set(NAMES)
    for name in NAMES:
        assert COMMENTS[name] in text
    assert from_toml(text) == OTHERS


@given(
    st.builds(
        Settings,
        n_workers=st.integers(0, settings.MAX_WORKERS),
        memory_limit_gb=st.floats(0, settings.MAX_LIMIT, exclude_min=True),
        theme=st.sampled_from(settings.THEMES),
        resume_automatically=st.booleans(),
    )
)
def test_any_settings_survive_toml(some: Settings) -> None:
    assert from_toml(to_toml(some)) == some


def test_every_setting_has_wrong_values_here() -> None:
    assert set(WRONG) == set(NAMES)


@pytest.mark.parametrize(("name", "value"), [(n, v) for n, values in WRONG.items() for v in values])
def test_wrong_value_is_refused_with_name_value_and_expectation(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=rf"^{name} is .*; expected .*\.") as found:
        check_value(name, value)
    assert repr(value) in found.value.message
    assert COMMENTS[name] in found.value.remedy
    with pytest.raises(ConfigError, match="expected"):
        Settings(**{name: value})


def test_unknown_setting_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'devise' is no setting") as found:
        from_toml("devise = 'cpu'")
    assert "device, engine" in found.value.remedy


def test_what_is_no_toml_is_refused_with_the_place() -> None:
    with pytest.raises(ConfigError, match=r"no valid TOML.*line 1"):
        from_toml("device = cpu\nengine = 'dask'")


def test_broken_file_does_not_become_defaults(state: Path) -> None:
    state.mkdir()
    settings_file().write_text("engine = 'ray'", encoding="utf-8")
    with pytest.raises(ConfigError, match="engine is 'ray'"):
        load_settings()
    settings_file().write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings()


def test_whole_numbers_are_hours_too() -> None:
    assert from_toml("time_limit_hours = 2").time_limit_hours == 2.0
    assert isinstance(Settings(time_limit_hours=2).time_limit_hours, float)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("n_workers", " 4 ", 4),
        ("time_limit_hours", "1.5", 1.5),
        ("resume_automatically", "false", False),
        ("scheduler", "", ""),
        ("scheduler", "tls://[::1]:8786", "tls://[::1]:8786"),
        ("device", "cuda", "cuda"),
    ],
)
def test_typed_value_becomes_one_of_its_type(name: str, text: str, value: object) -> None:
    assert parse_value(name, text) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [("n_workers", "four"), ("resume_automatically", "yes"), ("time_limit_hours", "")],
)
def test_typed_value_of_another_type_is_refused(name: str, text: str) -> None:
    with pytest.raises(ConfigError, match="; expected"):
        parse_value(name, text)


def test_environment_wins_over_the_file_and_is_never_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings(OTHERS)
    monkeypatch.setenv("RESVAE_DEVICE", "cpu")
    monkeypatch.setenv("RESVAE_N_WORKERS", "2")
    monkeypatch.setenv("RESVAE_ENGINE", "")
    assert overrides() == {"device": ("RESVAE_DEVICE", "cpu"), "n_workers": ("RESVAE_N_WORKERS", 2)}
    assert changes(OTHERS, load_settings()) == ["device", "n_workers"]
    assert saved_settings() == OTHERS


def test_device_is_the_settings_own_where_none_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    write_settings(Settings(device="cuda:3"))
    assert (device_for(), device_for("auto"), device_for("cpu")) == ("cuda:3", "cuda:3", "cpu")
    monkeypatch.setenv("RESVAE_DEVICE", "cuda:1")
    assert device_for() == "cuda:1"
    monkeypatch.setenv("RESVAE_DEVICE", "gpu")
    with pytest.raises(ConfigError, match="RESVAE_DEVICE"):
        device_for()


def test_wrong_variable_is_refused_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESVAE_SCHEDULER", "scheduler:8786")
    with pytest.raises(ConfigError, match=r"^RESVAE_SCHEDULER: scheduler is"):
        load_settings()


def test_unwritable_folder_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "file"))
    with pytest.raises(ConfigError, match="The settings cannot be saved"):
        write_settings(Settings())


def test_reader_never_sees_half_a_file() -> None:
    write_settings(Settings())
    seen = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            seen.append(saved_settings())

    reader = threading.Thread(target=read)
    reader.start()
    for n in range(100):
        write_settings(OTHERS if n % 2 else Settings())
    stop.set()
    reader.join()
    assert {tuple(asdict(one).items()) for one in seen} <= {
        tuple(asdict(one).items()) for one in (Settings(), OTHERS)
    }


def test_choices_are_those_of_the_pages() -> None:
    assert set(MODELS) == set(PAGE_MODELS)
    assert ENDPOINTS == PAGE_ENDPOINTS
