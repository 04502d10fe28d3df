"""What runs on a Dask worker: one item at a time, and the check that it is the same program."""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resvae_core.compute import DEVICE_VARIABLE
from resvae_core.config import CATALOG, models_folder
from resvae_core.engine.events import Event
from resvae_core.engine.work import FAILED, ONE_THREAD, answer, environment
from resvae_core.errors import EngineError

if TYPE_CHECKING:
    from distributed import Worker

PACKAGE = Path(__file__).resolve().parent.parent
LIBRARIES = ("numpy", "pandas", "scipy", "scikit-learn", "torch", "xgboost", "xgboost-cpu")
"""What decides numbers; the last two are one library."""

ENCODERS = "encoders"

Identity = dict[str, str]
"""What a worker must have in common with the program that asks it: name to version or digest."""


@dataclass(frozen=True)
class Packet:
    """Something that Dask hands on without looking into it."""

    content: Any


@dataclass(frozen=True)
class Call:
    """An item and what is to be done with it.

    Parameters
    ----------
    function, item
        As `engine.Engine.map` takes them.
    index
        Of the item.
    computation
        Which of those that the program asks for the item belongs to: its events bear this.
    topic
        Where events go; nobody listens where None.
    device
        What ``auto`` means to the program that asks; None leaves it to the worker.
    expected
        What the worker must have in common with the program that asks; not asked where None.
    """

    function: Callable[..., Any]
    item: Packet
    index: int
    computation: str
    topic: str | None
    device: str | None
    expected: Identity | None


def hold(packet: Packet) -> Packet:
    """Return what is shared, so that workers keep it."""
    return packet


def run(call: Call, shared: Packet) -> tuple[str, Any]:
    """Compute an item; an error is returned, because Dask would log its arguments."""
    from distributed import get_worker

    if call.expected is not None:
        try:
            refuse_others("that was asked", identity(get_worker()), call.expected)
        except EngineError as error:
            return FAILED, error
    values = {**ONE_THREAD, **({DEVICE_VARIABLE: call.device} if call.device else {})}
    send = None if call.topic is None else partial(_tell, call)
    with environment(values):
        return answer(call.function, call.item.content, shared.content, send)


def _tell(call: Call, event: Event) -> None:
    """Send an event through the scheduler; ends work that nobody waits for any more."""
    from distributed import get_worker
    from distributed.worker import thread_state

    worker = get_worker()
    task = worker.state.tasks.get(thread_state.key)
    if task is None or task.state == "cancelled":
        raise EngineError("Nobody waits for this work any more.", remedy="Start it again.")
    worker.log_event(call.topic, [call.computation, call.index, event])


def identity(dask_worker: Worker | None = None) -> Identity:
    """Return what decides results here: code, encoders, versions, and a worker's threads.

    Parameters
    ----------
    dask_worker
        The worker that runs this, if one does; Dask gives it by this name.
    """
    found = {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        "resvae_core": _code_digest(),
        "threads": "1" if dask_worker is None else str(dask_worker.state.nthreads),
    }
    for name in LIBRARIES:
        try:
            found[name.removesuffix("-cpu")] = version(name).partition("+")[0]
        except PackageNotFoundError:
            continue
    encoders = models_folder() / "encoders"
    for path in sorted(encoders.rglob("*.safetensors")):
        name = f"{ENCODERS}/{path.relative_to(encoders).as_posix()}"
        found[name] = _file_digest(path, path.stat().st_mtime_ns)
    return found


def refuse_others(worker: str, found: Identity | BaseException, expected: Identity) -> None:
    """Raise `EngineError` where a worker has something else than the program that asks it.

    An encoder that it does not have is no matter here: a model that reads it says so.
    """
    if isinstance(found, BaseException):
        raise EngineError(
            f"The worker {worker} cannot run this program ({type(found).__name__}: {found}).",
            remedy="Install the same version of it there.",
        )
    for name, wanted in expected.items():
        has = found.get(name)
        if has != wanted and not (has is None and name.startswith(ENCODERS)):
            raise EngineError(
                f"The worker {worker} has {name} {has or 'not at all'}; {wanted} was expected, as "
                "in the program that asks it: its results would differ.",
                remedy="Install the same versions there, and start workers with --nthreads 1.",
            )


@lru_cache(maxsize=1)
def _code_digest() -> str:
    """Return the digest of this program's code and catalogue, as this process found them."""
    digest = hashlib.sha256()
    for folder, pattern in ((PACKAGE, "*.py"), (CATALOG, "*")):
        for path in sorted(folder.rglob(pattern)):
            if path.is_file():
                digest.update(f"{path.relative_to(folder).as_posix()}\x1f".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=64)
def _file_digest(path: Path, changed: int) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]
