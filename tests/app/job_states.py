"""Jobs in every state, written as a worker writes them, without one that works.

The process that calls is the worker: its jobs run for as long as it does.
"""

from __future__ import annotations

import os
import time
from typing import Any

from resvae_core.jobs import processes, store
from resvae_core.jobs.record import JobRecord, Limits, State

ARGUMENTS: dict[str, Any] = {"name": "practice", "kinds": ["vae_ld"], "n_seeds": 1}
METRICS = {"drug_tissue_mean": 0.72, "vae_ll": 0.80, "vae_ld": 0.79}


def queue(title: str = "Train practice", task: str = "train", **arguments: Any) -> JobRecord:
    """Put a job into the queue."""
    lane = {"train": "training", "fetch": "fetch"}.get(task, "scoring")
    job = store.NewJob(
        task=task,
        title=title,
        arguments=ARGUMENTS | arguments,
        lane=lane,  # type: ignore[arg-type]
        device="cpu" if lane == "training" else "",
        resumable=True,
        submitted_by="a steward",
        limits=Limits(24.0, 8.0, 20.0),
    )
    return store.add(job, store.new_id())[0]


def run(title: str = "Train practice", task: str = "train", **arguments: Any) -> store.Claim:
    """Put a job into an empty queue and take it, with progress, log and curves."""
    job = queue(title, task, **arguments)
    pid = os.getpid()
    worker = store.Worker(processes.host(), pid, processes.mark_of(pid) or "")
    held = store.claim(job.lane, worker, device="cpu" if job.lane == "training" else "")
    assert held is not None
    assert held.id == job.id
    store.keep(held, _news())
    return held


def end(held: store.Claim, state: State, **what: Any) -> JobRecord:
    """End a job that was taken."""
    store.finish(held, state, line=f"It is {state}.", **what)
    return store.read(held.id)


def _news() -> store.News:
    progress: dict[str, Any] = {"step": "Judging on held-out lines", "done": 3, "total": 5}
    # the step began 90 seconds ago, so that there is a pace
    now = time.time()
    progress |= {"pace_done": 0, "pace_at": now - 90, "told_at": now}
    losses = {
        (f"{kind}/0/{fold}", epoch, "loss"): 2.0 / epoch + fold / 10
        for kind in ("vae_ll", "vae_ld")
        for fold in range(3)
        for epoch in range(1, 41)
    }
    metrics = {
        (f"{kind}/0/{fold}", 0, name): value - 0.03 * fold - lower
        for kind, value in METRICS.items()
        for fold in range(3)
        for name, lower in (("roc_auc", 0.0), ("within_tissue_roc_auc", 0.12))
    }
    log = [(time.time(), f"Fold {fold} is done.") for fold in range(1, 4)]
    return store.News({**progress, "epoch": 40, "seed": 0}, log, losses | metrics)
