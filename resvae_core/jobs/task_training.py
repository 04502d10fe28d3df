"""The task ``train``: a training request becomes a candidate in the library of model sets."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from resvae_core.config import data_folder
from resvae_core.durable_files import write_json
from resvae_core.errors import ArtifactError, CatalogError, InputDataError
from resvae_core.jobs.audit_lines import record_added
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.queue_watch import are_external
from resvae_core.jobs.tasks import Task
from resvae_core.settings import device_for, load_settings

if TYPE_CHECKING:
    from pathlib import Path

    from resvae_core.registry.candidate_run import Log, Report
    from resvae_core.registry.gates import Gate
    from resvae_core.registry.library import SetEntry
    from resvae_core.registry.training_request import Problem, TrainingRequest

ADDED_FILE = "candidate.json"
"""Says which set a run has added to the library: a later attempt adds no other."""


def check(arguments: dict[str, Any]) -> None:
    """Refuse a request that cannot be run on the installed data.

    Raises
    ------
    ConfigError
        Naming every problem with its remedy.
    """
    from resvae_core.registry.training_request import TrainingRequest, refuse

    refuse(find_problems(TrainingRequest.from_arguments(arguments)))


def find_problems(request: TrainingRequest) -> list[Problem]:
    """Find what speaks against a request as a job on the installed data."""
    from resvae_core.registry.training_request import check_request

    hours = load_settings().time_limit_hours
    return check_request(request, data_folder(), limit_hours=hours, elsewhere=are_external())


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
    found = hold_against_active(added, data, report=context.report, log=context.log)
    gates: dict[str, str] = {gate.key: gate.state for gate in found}
    for name in ("evaluation", "training"):  # nothing goes on from here
        shutil.rmtree(context.folder / name, ignore_errors=True)
    return {"set": added.id, "gates": gates}


def hold_against_active(added: SetEntry, data: Path, *, report: Report, log: Log) -> list[Gate]:
    """Measure how far a candidate moves predictions, and ask the gates.

    It is in the library by now: an active set that shares no drug with it, or that is damaged,
    must not make a failure of hours of training.

    Parameters
    ----------
    added
        The candidate.
    data
        Folder of installed data.
    report, log
        Told how far this is, and in words what was left out and how the candidate stands.

    Returns
    -------
    list[Gate]
        None where they cannot be asked.
    """
    from resvae_core.registry.drift import write_drift
    from resvae_core.registry.gates import check_gates
    from resvae_core.registry.library import active_set

    try:
        report(step="How far predictions move", done=0, total=2)
        active = active_set()
        if set(_drugs(added)) & set(_drugs(active)):
            write_drift(added, active, data)
        else:
            log("It shares no drug with the active set: no drift is computed.")
        report(step="Asking the gates", done=1, total=2)
        gates = check_gates(added, active)
    except ArtifactError as error:
        log(f"It was not held against the active set: {error.message} {error.remedy}")
        return []
    log(f"Candidate {added.id}: {_counted(gates)}.")
    report(done=2, total=2)
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
    context.log(f"Computing on: {prefer_device(device_for(request.device))}.")
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
    recorded = partial(record_added, by=context)
    added = add_candidate(staged, origin=context.id, before_add=recorded)
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


def _counted(gates: Sequence[Gate]) -> str:
    counts = Counter[str](gate.state for gate in gates)
    states = ("passed", "failed", "not assessable")
    return ", ".join(f"{counts[state]} gates {state}" for state in states if counts[state])


TRAIN = Task(
    name="train",
    title=title,
    run=run,
    permission="train",
    lane="training",
    resumable=True,
    check=check,
)
