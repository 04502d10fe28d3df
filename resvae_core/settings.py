"""The settings of this installation: one small TOML file in the state folder.

What an environment variable says wins over the file (`VARIABLES`), so that a deployment can fix it.
Who may change settings is decided in `resvae_core.access.preferences`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

import tomli_w

from resvae_core.config import state_folder
from resvae_core.durable_files import write_text
from resvae_core.errors import ConfigError

Value = str | int | float | bool

FILE_NAME = "settings.toml"
ENGINES = ("serial", "processes", "dask")
MODELS = (
    "ensemble",
    "vae_ll",
    "vae_ls",
    "vae_ld",
    "random_forest",
    "xgboost",
    "elastic_net",
)
"""What can be shown first on the pages; the order is theirs."""
ENDPOINTS = ("OS", "DSS", "PFI", "DFI")
THEMES = ("system", "light", "dark")
VARIABLES = {
    "device": "RESVAE_DEVICE",
    "engine": "RESVAE_ENGINE",
    "n_workers": "RESVAE_N_WORKERS",
    "scheduler": "RESVAE_SCHEDULER",
}
"""Which environment variable decides in the place of which setting."""
COMMENTS = {
    "device": "Where models are trained: auto (CUDA where there is one), cpu, cuda, cuda:0 or so.",
    "engine": "Who computes jobs: serial (one process), processes (a pool), dask (here or on a "
    "cluster).",
    "n_workers": "Worker processes of this machine; 0 takes as many as there are cores.",
    "scheduler": "Address of a Dask cluster, such as tcp://scheduler:8786; empty for none.",
    "default_model": f"Model that new sessions show first: {', '.join(MODELS)}; empty for the "
    "model set's own.",
    "endpoint": f"Survival endpoint that new sessions show first: {', '.join(ENDPOINTS)}.",
    "theme": "Colours: system (as the browser asks), light or dark. Read when the program starts.",
    "time_limit_hours": "Longest run of one job, in hours.",
    "memory_limit_gb": "Most memory of one job with all its workers, in GB.",
    "disk_limit_gb": "Most disk space of one job's folder, in GB.",
    "resume_automatically": "Whether a job that lost its process goes on by itself.",
}
"""What each setting means, as the file says it."""
MAX_WORKERS = 1024
MAX_LIMIT = 1e6
_DEVICE = re.compile(r"auto|cpu|cuda(:\d{1,2})?")
_SCHEDULER = re.compile(
    r"(tcp|tls)://([A-Za-z0-9](?:[A-Za-z0-9.\-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\]):(\d{1,5})"
)
_MAX_PORT = 65535


@dataclass(frozen=True)
class Settings:
    """Settings, checked when they are made.

    Parameters
    ----------
    device
        Where models are trained: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.
    engine
        One of `ENGINES`.
    n_workers
        Worker processes; 0 for as many as cores.
    scheduler
        ``tcp://host:port`` of a Dask cluster, or empty.
    default_model, endpoint
        What new sessions show first; an empty model is the model set's own.
    theme
        One of `THEMES`.
    time_limit_hours, memory_limit_gb, disk_limit_gb
        Of one job; above 0.
    resume_automatically
        Whether a job that lost its process goes on by itself.

    Raises
    ------
    ConfigError
        If a value is of the wrong type or outside what is allowed.
    """

    device: str = "auto"
    engine: str = "dask"
    n_workers: int = 0
    scheduler: str = ""
    default_model: str = ""
    endpoint: str = "OS"
    theme: str = "system"
    time_limit_hours: float = 24.0
    memory_limit_gb: float = 8.0
    disk_limit_gb: float = 20.0
    resume_automatically: bool = True

    def __post_init__(self) -> None:
        """Check every value."""
        for field in fields(self):
            object.__setattr__(self, field.name, check_value(field.name, getattr(self, field.name)))


KINDS: dict[str, type] = {field.name: type(field.default) for field in fields(Settings)}
NAMES = tuple(KINDS)


def check_value(name: str, value: object) -> Value:
    """Return one setting's value as it is kept; whole numbers become hours and GB.

    Raises
    ------
    ConfigError
        If there is no such setting, or it cannot have this value.
    """
    if name not in NAMES:
        raise ConfigError(
            f"{name!r} is no setting.", remedy=f"The settings are {', '.join(NAMES)}."
        )
    kind = KINDS[name]
    if kind is float and type(value) is int:
        value = float(value)
    # a bool is an int to isinstance, but True workers are none
    if type(value) is not kind or not isinstance(value, Value):
        raise _wrong(name, value, f"expected {_KIND_WORDS[kind]}")
    checked: Value = value
    if name in _CHECKS:
        _CHECKS[name](name, checked)
    return checked


def parse_value(name: str, text: str) -> Value:
    """Return the value that was typed for a setting, on a command line or in a variable.

    Raises
    ------
    ConfigError
        As `check_value`.
    """
    if name not in NAMES:
        return check_value(name, text)
    kind = KINDS[name]
    if kind is str:
        return check_value(name, text.strip())
    try:
        value: Value = _PARSERS[kind](text.strip())
    except (ValueError, KeyError) as error:
        raise _wrong(name, text, f"expected {_KIND_WORDS[kind]}") from error
    return check_value(name, value)


def settings_file() -> Path:
    """Return where the settings are kept."""
    return state_folder() / FILE_NAME


def saved_settings() -> Settings:
    """Return what the file says; the defaults where there is none.

    Raises
    ------
    ConfigError
        If the file cannot be read or is broken. Broken settings never become defaults in silence.
    """
    path = settings_file()
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The settings file {FILE_NAME} cannot be read ({type(error).__name__}).",
            remedy="Check its permissions, or remove it from the state folder (RESVAE_STATE).",
        ) from error
    return from_toml(text)


def overrides(environment: Mapping[str, str] | None = None) -> dict[str, tuple[str, Value]]:
    """Return which settings environment variables decide: name, then variable and value.

    Raises
    ------
    ConfigError
        Naming the variable whose value cannot be used.
    """
    found = os.environ if environment is None else environment
    decided: dict[str, tuple[str, Value]] = {}
    for name, variable in VARIABLES.items():
        if not (text := found.get(variable, "")):
            continue
        try:
            decided[name] = (variable, parse_value(name, text))
        except ConfigError as error:
            raise ConfigError(
                f"{variable}: {error.message}", remedy=f"Change or unset {variable}."
            ) from error
    return decided


def load_settings() -> Settings:
    """Return the settings that hold: of the file, and of the environment where it says more.

    Raises
    ------
    ConfigError
        If the file or a variable is broken.
    """
    decided = {name: value for name, (_, value) in overrides().items()}
    return with_values(saved_settings(), decided)


def device_for(asked: str = "auto") -> str:
    """Return the device that is asked for; where that is ``auto``, what the settings say.

    Raises
    ------
    ConfigError
        As `load_settings`.
    """
    return load_settings().device if asked == "auto" else asked


def write_settings(settings: Settings) -> None:
    """Save settings; a reader sees the old file or the new one, never half of one.

    Raises
    ------
    ConfigError
        If the state folder cannot be written.
    """
    path = settings_file()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_text(path, to_toml(settings))
    except OSError as error:
        raise ConfigError(
            f"The settings cannot be saved ({error.strerror}).",
            remedy="Check the permissions and the room in the state folder (RESVAE_STATE).",
        ) from error


def to_toml(settings: Settings) -> str:
    """Return settings as a TOML text that says what each means."""
    parts = ["# Settings of ResVAE. Environment variables win over what stands here.\n"]
    for name, value in asdict(settings).items():
        variable = f" ({VARIABLES[name]} wins)" if name in VARIABLES else ""
        parts.append(f"\n# {COMMENTS[name]}{variable}\n{tomli_w.dumps({name: value})}")
    return "".join(parts)


def from_toml(text: str) -> Settings:
    """Read settings; what the text does not name has its default.

    Raises
    ------
    ConfigError
        If the text is no TOML, names an unknown setting, or a value cannot be used.
    """
    try:
        values = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(
            f"The settings are no valid TOML: {error}.",
            remedy="Correct that place, or start from an exported file.",
        ) from error
    return with_values(Settings(), values)


def with_values(settings: Settings, values: Mapping[str, object]) -> Settings:
    """Return settings with some values changed.

    Raises
    ------
    ConfigError
        As `check_value`.
    """
    checked = {name: check_value(name, value) for name, value in values.items()}
    changed: Settings = replace(settings, **checked)  # type: ignore[arg-type]
    return changed


def changes(before: Settings, after: Settings) -> list[str]:
    """Return the names of the settings in which two differ."""
    other = asdict(after)
    return [name for name, value in asdict(before).items() if value != other[name]]


def _wrong(name: str, value: object, expectation: str) -> ConfigError:
    return ConfigError(
        f"{name} is {value!r}; {expectation}.", remedy=f"{COMMENTS[name]} Change {name}."
    )


def _one_of(*choices: str) -> Callable[[str, Value], None]:
    def check(name: str, value: Value) -> None:
        if value not in choices:
            words = ", ".join(repr(choice) for choice in choices)
            raise _wrong(name, value, f"expected one of {words}")

    return check


def _device(name: str, value: Value) -> None:
    if not _DEVICE.fullmatch(str(value)):
        raise _wrong(name, value, "expected 'auto', 'cpu', 'cuda' or 'cuda:0'")


def _scheduler(name: str, value: Value) -> None:
    found = _SCHEDULER.fullmatch(str(value))
    if value and (found is None or not 0 < int(found.group(3)) <= _MAX_PORT):
        raise _wrong(name, value, "expected tcp://host:port, or nothing")


def _workers(name: str, value: Value) -> None:
    if not 0 <= float(value) <= MAX_WORKERS:
        raise _wrong(name, value, f"expected 0 to {MAX_WORKERS}")


def _limit(name: str, value: Value) -> None:
    # written so that NaN is refused, too
    if not 0 < float(value) <= MAX_LIMIT:
        raise _wrong(name, value, f"expected more than 0, at most {MAX_LIMIT:,.0f}")


_KIND_WORDS: dict[type, str] = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
}
_PARSERS: dict[type, Callable[[str], Value]] = {
    int: int,
    float: float,
    bool: {"true": True, "false": False}.__getitem__,
}
_CHECKS: dict[str, Callable[[str, Value], None]] = {
    "device": _device,
    "engine": _one_of(*ENGINES),
    "n_workers": _workers,
    "scheduler": _scheduler,
    "default_model": _one_of("", *MODELS),
    "endpoint": _one_of(*ENDPOINTS),
    "theme": _one_of(*THEMES),
    "time_limit_hours": _limit,
    "memory_limit_gb": _limit,
    "disk_limit_gb": _limit,
}
