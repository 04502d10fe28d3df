"""The task ``train``: a training request becomes a candidate in the library of model sets."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from resvae_core.access.audit import as_subject
from resvae_core.config import data_folder
from resvae_core.durable_files import write_json
from resvae_core.errors import ArtifactError, CatalogError, InputDataError
from resvae_core.jobs.audit_lines import record_in_job
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.tasks import Task

if TYPE_CHECKING:
    from pathlib import Path

    from resvae_core.registry.library import SetEntry

ADDED_FILE = "candidate.json"
"""Says which set a run has added to the library: a later attempt adds no other."""


def check(arguments: dict[str, Any]) -> None:
    """Refuse a request that cannot be run on the installed data.

    Raises
    ------
    ConfigError
        Naming every problem with its remedy.
    """
    from resvae_core.registry.training_request import TrainingRequest, require_request

    require_request(TrainingRequest.from_arguments(arguments), data_folder())


def title(arguments: dict[str, Any]) -> str:
    """Return what a training is called: by the set that it makes."""
    from resvae_core.registry.training_request import TrainingRequest

    return f"Train {TrainingRequest.from_arguments(arguments).set_name}"


def run(context: JobContext) -> dict[str, Any]:
    """Train, add the set to the library, and measure how far it moves predictions.

    Returns
    -------
    dict
        ``set``: id in the library; ``gates``: key to passed, failed or not assessable, at this
        moment; promoting asks them again.

    Raises
    ------
    JobInterruptedError
        If the budget is used up.
    """
    data = data_folder()
    if data is None:
        raise InputDataError(
            "There is no data folder any more.", remedy="Set RESVAE_DATA, then resume the job."
        )
    added = _added(context.folder) or _train(context, data)
    gates = _judged(context, added, data)
    for name in ("evaluation", "training"):  # nothing goes on from here
        shutil.rmtree(context.folder / name, ignore_errors=True)
    return {"set": added.id, "gates": gates}


def _judged(context: JobContext, added: SetEntry, data: Path) -> dict[str, str]:
    """Return how the candidate stands at the gates; nothing where that cannot be asked.

    It is in the library by now: an active set that shares no drug with it, or that is damaged,
    must not make a failure of hours of training.
    """
    from resvae_core.registry.drift import write_drift
    from resvae_core.registry.gates import check_gates
    from resvae_core.registry.library import active_set

    try:
        context.report(step="How far predictions move", done=0, total=2)
        active = active_set()
        if set(_drugs(added)) & set(_drugs(active)):
            write_drift(added, active, data)
        else:
            context.log("It shares no drug with the active set: no drift is computed.")
        context.report(step="Asking the gates", done=1, total=2)
        gates: dict[str, str] = {gate.key: gate.state for gate in check_gates(added, active)}
    except ArtifactError as error:
        context.log(f"It was not held against the active set: {error.message} {error.remedy}")
        return {}
    context.log(f"Candidate {added.id}: {_counted(gates)}.")
    context.report(done=2, total=2)
    return gates


def _drugs(entry: SetEntry) -> tuple[str, ...]:
    """Return the drugs of a set, told without loading it."""
    from resvae_core.registry.description import describe_model_set

    return describe_model_set(entry.folder).drugs


def _train(context: JobContext, data: Path) -> SetEntry:
    from resvae_core.compute import prefer_device
    from resvae_core.registry.candidate_run import train_candidate
    from resvae_core.registry.library import add_candidate
    from resvae_core.registry.training_request import TrainingRequest, workers_for

    request = TrainingRequest.from_arguments(context.arguments)
    context.log(f"Computing on: {prefer_device(request.device)}.")
    with context.engine(workers_for(request, data, context.memory_gb)) as engine:
        context.log(f"Engine: {engine.name}, {engine.n_workers} at a time.")
        staged = train_candidate(
            request,
            data,
            engine=engine,
            work=context.folder,
            report=context.report,
            log=context.log,
            describe=context.describe,
        )
    added = add_candidate(staged, origin=context.id)
    subject = as_subject("set", added.id)
    record_in_job(context, "set.added", model_set=added.digest, subject=subject)
    write_json(context.folder / ADDED_FILE, {"set": added.id})
    return added


def _added(folder: Path) -> SetEntry | None:
    """Return the set that an earlier attempt added; None where there is none, or no more."""
    from resvae_core.registry.library import find_set

    try:
        document = json.loads((folder / ADDED_FILE).read_text(encoding="utf-8"))
        return find_set(str(document["set"]))
    except (FileNotFoundError, CatalogError):
        return None


def _counted(gates: Mapping[str, str]) -> str:
    states = ("passed", "failed", "not assessable")
    counts = {state: list(gates.values()).count(state) for state in states}
    return ", ".join(f"{n} gates {state}" for state, n in counts.items() if n)


TRAIN = Task(
    name="train",
    title=title,
    run=run,
    permission="train",
    lane="training",
    resumable=True,
    check=check,
)
