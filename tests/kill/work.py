"""The work that is done while things are killed, and what must come out of it."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.config import state_folder
from resvae_core.data.inbox import entry_id
from resvae_core.jobs import processes, recovery, service
from resvae_core.jobs.record import JobRecord
from resvae_core.jobs.task_scoring import to_arguments
from resvae_core.registry.library import find_set, list_sets
from resvae_core.registry.store import load_model_set, require_intact
from resvae_core.registry.training_request import TrainingRequest

DRUGS = ("Erlotinib", "Cisplatin")
N_SAMPLES, CHUNK = 360, 10
PATIENCE = 400.0
"""Seconds; far more than it takes, for machines that have much else to do."""
REASON = "A test of what happens when everything is killed."


def write_cohort(path: Path) -> None:
    """Write a synthetic cohort of Parquet: the demo patients, with noise."""
    from resvae_core.data.cohorts import load_cohort

    demo = load_cohort(None, "DEMO").expression.values
    rng = np.random.default_rng(0)
    rows = demo.iloc[rng.integers(0, len(demo), N_SAMPLES)]
    noisy = (rows + rng.normal(0, 0.05, rows.shape)).clip(lower=0).astype("float32")
    noisy.insert(0, "sample", [f"SYN-{number:05d}" for number in range(N_SAMPLES)])
    noisy.to_parquet(path, index=False)


def arguments_of(task: str, root: Path) -> dict[str, Any]:
    """Return what a training or a scoring is asked for."""
    if task == "train":
        request = TrainingRequest(
            "tiny", drugs=DRUGS, kinds=("elastic_net",), n_seeds=1, effort="short"
        )
        return request.to_arguments()
    return to_arguments(
        entry_id("cohort.parquet"), models=["elastic_net"], drugs=DRUGS, chunk=CHUNK
    )


def submit(task: str, root: Path) -> str:
    """Queue the work; return the job's id."""
    return service.submit(task, arguments_of(task, root), actor=COMMAND_LINE).id


def settle(name: str, look: Callable[[], None] = recovery.recover) -> JobRecord:
    """Look after a job as pages do, until it is done; what is interrupted is resumed by hand."""
    end = time.monotonic() + PATIENCE
    while True:
        look()
        job = service.get_job(name)
        if job.state == "done":
            return job
        if job.state == "interrupted":
            service.resume(name, actor=COMMAND_LINE)
        elif job.state not in ("queued", "running"):
            raise AssertionError(f"{job.state}: {job.error}, {log_of(name)}")
        assert time.monotonic() < end, f"{job.state} {job.step}: {log_of(name)}"
        time.sleep(0.1)


def log_of(name: str) -> list[str]:
    """Return the lines of a job's log."""
    return [line.text for line in service.job_log(name)]


def outcome_of(job: JobRecord) -> dict[str, Any]:
    """Check that a job's result is whole, and return digests of what must be the same each time."""
    assert processes.processes_of(job.id) == []
    return _set_outcome(job) if job.task == "train" else _scores_outcome(job)


def _set_outcome(job: JobRecord) -> dict[str, Any]:
    """Return the digests of weights, references and evaluation of the one candidate."""
    assert [entry.id for entry in list_sets()] == ["shipped", job.result["set"]]
    folder = find_set(job.result["set"]).folder
    require_intact(folder)
    assert load_model_set(folder).models
    found = [path.name for path in (state_folder() / "sets").iterdir() if path.is_dir()]
    assert found == [job.result["set"]], "something half-written lies beside it"
    digests = json.loads((folder / "model_set.json").read_text())["digests"]
    dated = ("card.json", "history.json")
    return {name: digest for name, digest in digests.items() if not name.endswith(dated)}


def _scores_outcome(job: JobRecord) -> dict[str, Any]:
    """Check that every sample has one row for each drug; return the digest of all of them."""
    parts = sorted((service.job_folder(job.id) / "scores").glob("*.parquet"))
    scores = pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)
    keys = scores[["sample", "model", "drug"]]
    assert not keys.duplicated().any()
    assert len(scores) == N_SAMPLES * len(DRUGS) == job.result["rows"]
    assert scores["sample"].nunique() == N_SAMPLES
    text = scores.to_csv(index=False).encode()
    return {"scores": hashlib.sha256(text).hexdigest()}
