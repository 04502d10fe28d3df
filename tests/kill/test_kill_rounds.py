"""Everything is killed at random moments; nothing is lost, half-written, doubled or unloadable."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from resvae_core.config import PROJECT_ROOT
from tests.kill.rounds import SCENARIOS
from tests.kill.work import write_cohort
from tests.tiny_data import install_tiny_data

AT_A_TIME = 3
SECONDS = 600
Runs = dict[str, Future[dict[str, Any]]]

pytestmark = pytest.mark.timeout(1500)


def run(name: str, root: Path) -> dict[str, Any]:
    """Run a scenario in a process of its own and return its report."""
    command = [sys.executable, "-m", "tests.kill.rounds", name, str(root)]
    environment = {key: value for key, value in os.environ.items() if "RESVAE_" not in key}
    done = subprocess.run(
        command,
        cwd=PROJECT_ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    report: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return report


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """Start every scenario, a few at a time, once the work was done with nobody killed."""
    root = tmp_path_factory.mktemp("kill")
    install_tiny_data(root / "data")
    write_cohort(root / "cohort.parquet")
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        found = {name: pool.submit(run, name, root) for name in ("train", "score")}
        for undisturbed in found.values():
            undisturbed.result()
        found |= {name: pool.submit(run, name, root) for name in SCENARIOS}
        yield found
        pool.shutdown(cancel_futures=True)


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_killed_work_ends_as_if_nobody_had_been_killed(runs: Runs, name: str) -> None:
    report, scenario = runs[name].result(), SCENARIOS[name]
    assert report["kills"] == scenario.kills
    if scenario.victim != "promotion":
        assert report["outcome"] == runs[scenario.task].result()["outcome"]


def test_there_are_twenty_rounds_and_more() -> None:
    assert sum(scenario.kills for scenario in SCENARIOS.values()) >= 20
