"""The fits on all lines: one after the other, or side by side where nothing needs the other.

Between processes and machines a model travels as the files that `Checkpoints` keep, so a set is the
same, byte by byte, wherever its models were fitted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from resvae_core.engine.engine import Engine
from resvae_core.engine.events import Event, emit, sending
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.catalog import Effort, build_model, with_needs
from resvae_core.registry.checkpoints import Checkpoints
from resvae_core.tables import Screen
from resvae_core.training.watch import Record, watching

Models = dict[str, ResponseModel]
Files = Mapping[str, bytes]


@dataclass(frozen=True)
class FitTask:
    """What one worker fits.

    Parameters
    ----------
    kind
        Of the model.
    parts
        Kind to files of the fitted models that it is built from, each behind what it needs.
    effort
        As `models.catalog.build_model` takes it.
    """

    kind: str
    parts: Mapping[str, Files]
    effort: Effort = "full"


def fit_kinds(
    kinds: Sequence[str],
    samples: Samples,
    screen: Screen,
    *,
    checkpoints: Checkpoints | None = None,
    engine: Engine | None = None,
    progress: Callable[[str, int], None] = lambda step, done: None,
    on_event: Callable[[Event], None] | None = None,
    effort: Effort = "full",
) -> Models:
    """Fit models on all lines; those that `checkpoints` hold are loaded.

    Parameters
    ----------
    kinds
        Each behind those that it is built from.
    engine
        In this process, one after the other, where None.
    progress
        Called with (what is fitted next, models done).
    on_event
        Told what the fits have come to: ``fold`` = ``final``, ``kind``, and the record of
        `training.watch.report_epoch`. An error that it raises ends the run.

    Returns
    -------
    dict
        Kind to model, in the order in which they were done.
    """
    if engine is None:
        with sending(on_event or _nowhere), watching(_tell):
            return _fit_here(kinds, samples, screen, checkpoints, progress, effort)
    listen = (lambda index, event: on_event(event)) if on_event else None
    fitted: Models = {}
    with ExitStack() as stack:
        kept = checkpoints or Checkpoints(Path(stack.enter_context(TemporaryDirectory())))
        while len(fitted) < len(kinds):
            waiting = _load_ready(kinds, fitted, kept)
            progress(", ".join(waiting), len(fitted))
            tasks = [_task(kind, kept, effort) for kind in waiting]
            for index, files in engine.map(
                fit_alone, tasks, shared=(samples, screen), on_event=listen
            ):
                kind = tasks[index].kind
                fitted[kind] = _joined(kept.take_over(kind, files), fitted)
                waiting.remove(kind)
                progress(", ".join(waiting), len(fitted))
    return fitted


def fit_alone(task: FitTask, shared: tuple[Samples, Screen]) -> Files:
    """Fit one model and return its files, as `Checkpoints.files`."""
    samples, screen = shared
    parts = _read_parts(task.parts)
    model = build_model(task.kind, effort=task.effort)
    model.build_from({name: parts[name] for name in model.needs})
    with watching(_tell):
        model.fit(samples, screen)
    with TemporaryDirectory() as folder:
        here = Checkpoints(Path(folder))
        here.keep(model)
        return here.files(task.kind)


def _read_parts(files: Mapping[str, Files]) -> Models:
    """Return models from their files, which lie in a folder only while they are read.

    A worker may be killed at any moment of a fit, and could not remove them then.
    """
    parts: Models = {}
    with TemporaryDirectory() as folder:
        here = Checkpoints(Path(folder))
        for kind, content in files.items():
            parts[kind] = _joined(here.take_over(kind, content), parts)
    return parts


def _fit_here(
    kinds: Sequence[str],
    samples: Samples,
    screen: Screen,
    checkpoints: Checkpoints | None,
    progress: Callable[[str, int], None],
    effort: Effort,
) -> Models:
    fitted: Models = {}
    for kind in kinds:
        progress(kind, len(fitted))
        model = checkpoints.load(kind) if checkpoints else None
        if model is None:
            model = _joined(build_model(kind, effort=effort), fitted).fit(samples, screen)
            model = checkpoints.keep(model) if checkpoints else model
        fitted[kind] = _joined(model, fitted)
    return fitted


def _load_ready(kinds: Sequence[str], fitted: Models, kept: Checkpoints) -> list[str]:
    """Load what is kept, and return what can be fitted now: all that it needs is there."""
    ready = [kind for kind in kinds if kind not in fitted and _needs(kind) <= set(fitted)]
    for kind in ready:
        model = kept.load(kind)
        if model is not None:
            fitted[kind] = _joined(model, fitted)
    return [kind for kind in ready if kind not in fitted]


def _needs(kind: str) -> set[str]:
    return set(build_model(kind).needs)


def _joined(model: ResponseModel, fitted: Models) -> ResponseModel:
    """Return a model that has been handed what it is built from."""
    model.build_from({name: fitted[name] for name in model.needs})
    return model


def _task(kind: str, checkpoints: Checkpoints, effort: Effort) -> FitTask:
    parts = [name for name in with_needs([kind]) if name != kind]
    return FitTask(kind, {name: checkpoints.files(name) for name in parts}, effort)


def _tell(kind: str, record: Record) -> None:
    """Pass on what a fit reports."""
    emit({"fold": "final", "kind": kind, **record}, series=kind)


def _nowhere(event: Event) -> None:
    """Drop an event."""
