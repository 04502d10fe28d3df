"""Scenarios: real work, and somebody who kills a part of the machinery at random moments.

    python -m tests.kill.rounds SCENARIO ROOT

Each has a state folder of its own, so several run at a time. It prints how often it killed and the
digests of what came out, as JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resvae_core.access.roles import COMMAND_LINE
from resvae_core.compute import derive_seed
from resvae_core.config import PROJECT_ROOT
from resvae_core.jobs import processes, recovery, service
from resvae_core.registry.description import active_set_folder
from resvae_core.registry.library import active_set, list_sets, promote, roll_back
from resvae_core.registry.store import load_model_set, require_intact
from tests.kill import work
from tests.kill.dashboard_session import visit

Strike = Callable[[str, random.Random], bool]
"""Kills something of a job; says whether there was something to kill."""
Look = Callable[[], None]
"""Looks after the queue, as every page does."""


LOOK_SECONDS = 4.0


@dataclass(frozen=True)
class Scenario:
    """What is done, what is killed, how often, and where parts are computed."""

    task: str
    victim: str
    kills: int
    engine: str = "serial"


SCENARIOS = {
    "train-worker": Scenario("train", "worker", 3),
    "train-process": Scenario("train", "process", 3),
    "train-engine": Scenario("train", "engine", 2, "dask"),
    "train-scheduler": Scenario("train", "scheduler", 2, "cluster"),
    "train-server": Scenario("train", "server", 2),
    "score-worker": Scenario("score", "worker", 3),
    "score-process": Scenario("score", "process", 3, "processes"),
    "score-scheduler": Scenario("score", "scheduler", 2, "cluster"),
    "score-dask-worker": Scenario("score", "dask-worker", 2, "cluster"),
    "score-server": Scenario("score", "server", 2),
    "swap": Scenario("swap", "promotion", 4),
}
"""28 rounds."""


def main(name: str, root: Path) -> dict[str, Any]:
    """Run a scenario; ``train`` and ``score`` alone are the work with nobody killed."""
    state = root / name / "state"
    os.environ |= {"RESVAE_STATE": str(state), "RESVAE_DATA": str(root / "data")}
    os.environ["RESVAE_INBOX"] = str(root)
    os.environ |= {"RESVAE_N_WORKERS": "2", "RESVAE_ENGINE": "serial"}
    if name in ("train", "score"):
        job = work.settle(work.submit(name, root))
        return {"kills": 0, "outcome": work.outcome_of(job)}
    scenario, chance = SCENARIOS[name], random.Random(derive_seed("kill", name))
    if scenario.victim == "promotion":
        return {"kills": _kill_promotions(root, state, scenario.kills, chance)}
    os.environ["RESVAE_ENGINE"] = "dask" if scenario.engine == "cluster" else scenario.engine
    with _machinery(scenario, root / name) as (strike, look):
        return _run(scenario, root, strike, look, chance)


def _run(
    scenario: Scenario, root: Path, strike: Strike, look: Look, chance: random.Random
) -> dict[str, Any]:
    """Do the work again and again until something was killed often enough meanwhile."""
    kills, outcomes, jobs = 0, [], []
    while kills < scenario.kills:
        name = work.submit(scenario.task, root)
        jobs.append(name)
        while kills < scenario.kills and _await_moment(name, look, chance):
            kills += strike(name, chance)
            look()
        outcomes.append(work.outcome_of(work.settle(name, look)))
    assert {job.id for job in service.list_jobs()} == set(jobs), "a job was lost"
    assert all(outcome == outcomes[0] for outcome in outcomes)
    attempts = [service.get_job(name).attempt for name in jobs]
    return {"kills": kills, "outcome": outcomes[0], "attempts": attempts}


def _await_moment(name: str, look: Look, chance: random.Random) -> bool:
    """Wait until an attempt has written a random number of files, and a random moment more."""
    begun: int | None = None
    wanted, more = chance.randint(0, 6), chance.uniform(0, 0.4)
    end = time.monotonic() + work.PATIENCE
    while time.monotonic() < end:
        look()
        job = service.get_job(name)
        if job.state == "done":
            return False
        if job.state == "interrupted":
            service.resume(name, actor=COMMAND_LINE)
        if job.state == "running" and processes.processes_of(name):
            written = sum(path.is_file() for path in service.job_folder(name).rglob("*"))
            begun = written if begun is None else begun
            if written - begun >= wanted:
                time.sleep(more)
                return service.get_job(name).state == "running"
        time.sleep(0.03)
    raise AssertionError(f"no moment came: {work.log_of(name)}")


@contextmanager
def _machinery(scenario: Scenario, folder: Path) -> Iterator[tuple[Strike, Look]]:
    """Start what a scenario needs; give what kills a part of it and what looks after it."""
    folder.mkdir(parents=True, exist_ok=True)
    alone = {"worker": kill_worker, "process": kill_process, "engine": kill_engine}
    if scenario.engine == "cluster":
        with Cluster(folder) as cluster:
            scheduler = scenario.victim == "scheduler"
            strike = cluster.kill_scheduler if scheduler else cluster.kill_worker
            yield strike, recovery.recover
    elif scenario.victim == "server":
        with Dashboard(folder) as dashboard:
            yield dashboard.kill, dashboard.look
    else:
        yield alone[scenario.victim], recovery.recover


def kill_worker(name: str, chance: random.Random) -> bool:
    """Kill the process that looks after a job."""
    from resvae_core.jobs import store

    for job in store.running():
        if job.id == name:
            os.kill(job.worker.pid, signal.SIGKILL)
            return True
    return False


def kill_process(name: str, chance: random.Random) -> bool:
    """Kill the process that runs a job's task."""
    return _kill([p for p in processes.processes_of(name) if _runs_task(p)], chance)


def kill_engine(name: str, chance: random.Random) -> bool:
    """Kill a process of a job that is not the one of its task: a worker of its engine."""
    end = time.monotonic() + 10  # they start a little later
    while time.monotonic() < end and service.get_job(name).state == "running":
        helpers = [p for p in processes.processes_of(name) if not _runs_task(p)]
        if _kill(helpers, chance):
            return True
        time.sleep(0.05)
    return False


def _runs_task(process: Any) -> bool:
    with contextlib.suppress(processes.psutil.Error):
        return "resvae_core.jobs.child" in process.cmdline()
    return False


def _kill(candidates: list[Any], chance: random.Random) -> bool:
    if not candidates:
        return False
    with contextlib.suppress(processes.psutil.Error):
        chance.choice(candidates).kill()
        return True
    return False


class Cluster(AbstractContextManager["Cluster"]):
    """A Dask scheduler and two workers on loopback; what is killed is started again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = _free_port()
        self.address = f"tcp://127.0.0.1:{self._port}"
        os.environ["RESVAE_SCHEDULER"] = self.address
        self._scheduler = self._start_scheduler()
        self._workers = [self._start_worker(), self._start_worker()]

    def __exit__(self, *error: object) -> None:
        for process in (self._scheduler, *self._workers):
            process.kill()
            process.wait()

    def kill_scheduler(self, name: str, chance: random.Random) -> bool:
        """Kill the scheduler; its workers are ended as well, and all come back after a while."""
        for process in (self._scheduler, *self._workers):
            process.kill()
            process.wait()
        time.sleep(chance.uniform(0, 1))
        self._scheduler = self._start_scheduler()
        self._workers = [self._start_worker(), self._start_worker()]
        return True

    def kill_worker(self, name: str, chance: random.Random) -> bool:
        """Kill one of the workers; another one takes its place."""
        place = chance.randrange(2)
        self._workers[place].kill()
        self._workers[place].wait()
        self._workers[place] = self._start_worker()
        return True

    def _start_scheduler(self) -> subprocess.Popen[bytes]:
        options = ["--host", "127.0.0.1", "--port", str(self._port), "--no-dashboard"]
        return _dask(self._folder, "scheduler", *options)

    def _start_worker(self) -> subprocess.Popen[bytes]:
        options = ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--death-timeout", "60"]
        place = ["--local-directory", str(self._folder / "dask")]
        return _dask(self._folder, "worker", self.address, *options, *place)


def _dask(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    with (folder / "dask.log").open("ab") as log:
        return subprocess.Popen(
            [sys.executable, "-m", "dask", *arguments],
            cwd=PROJECT_ROOT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


class Dashboard(AbstractContextManager["Dashboard"]):
    """The real web server, which starts the workers: this process only queues."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port = _free_port()
        self._looked = 0.0
        os.environ["RESVAE_WORKERS"] = "external"
        self._start()

    def __exit__(self, *error: object) -> None:
        self._process.kill()
        self._process.wait()

    def kill(self, name: str, chance: random.Random) -> bool:
        """Kill the server with whatever belongs to its group, and start it again."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._start()
        job = service.get_job(name)
        assert job.state in ("running", "done"), "the job ended with the server"
        assert job.attempt == 1, "the job was taken for lost"
        return True

    def look(self) -> None:
        """Open a page every few seconds: that starts workers, here nothing else does."""
        if time.monotonic() - self._looked > LOOK_SECONDS:
            visit(self._port)
            self._looked = time.monotonic()

    def _start(self) -> None:
        command = [sys.executable, "-m", "streamlit", "run", "app.py"]
        environment = {key: os.environ[key] for key in os.environ if key != "RESVAE_WORKERS"}
        with (self._folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*command, "--server.port", str(self._port), "--server.headless", "true"],
                cwd=PROJECT_ROOT,
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        end = time.monotonic() + work.PATIENCE
        while not self._answers():
            assert time.monotonic() < end, "the server did not answer"
            time.sleep(0.2)

    def _answers(self) -> bool:
        with contextlib.suppress(OSError):
            url = f"http://127.0.0.1:{self._port}/_stcore/health"
            urllib.request.urlopen(url, timeout=5).close()
            return True
        return False


def _kill_promotions(root: Path, state: Path, kills: int, chance: random.Random) -> int:
    """Kill whoever promotes and rolls back, while somebody loads the active set all the time."""
    import shutil

    shutil.copytree(root / "train" / "state" / "sets", state / "sets")
    (candidate,) = [entry.id for entry in list_sets() if entry.state == "candidate"]
    reader = _start_part("read", root)
    for _ in range(kills):
        swapper = _start_part("swap", root, candidate)
        assert swapper.stdout is not None
        swapper.stdout.readline()  # it has begun
        time.sleep(chance.uniform(0, 2))
        assert swapper.poll() is None, "it ended by itself"
        swapper.kill()
        swapper.communicate()
        assert active_set().id in ("shipped", candidate)
        require_intact(active_set_folder())
    reader.terminate()
    loaded, _ = reader.communicate()
    assert reader.returncode == 0, "the active set could not be loaded"
    assert int(loaded) > 0
    return kills


def _start_part(part: str, *arguments: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.kill.rounds", part, *map(str, arguments)]
    return subprocess.Popen(command, cwd=PROJECT_ROOT, stdout=subprocess.PIPE, text=True)


def _swap(candidate: str) -> None:
    """Promote and roll back until killed."""
    print("begun", flush=True)  # noqa: T201 - whoever started this waits for it
    while True:
        if active_set().id == "shipped":
            promote(candidate, actor=COMMAND_LINE, reason=work.REASON)
        else:
            roll_back(actor=COMMAND_LINE)


def _read() -> None:
    """Load the active set again and again until told to end; say how often."""
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    loaded = 0
    while not ended:
        folder = active_set_folder()
        assert load_model_set(folder, kinds=("elastic_net",)).models
        loaded += 1
    print(loaded)  # noqa: T201 - the only result


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    if sys.argv[1] == "read":
        _read()
    elif sys.argv[1] == "swap" and len(sys.argv) > 3:
        _swap(sys.argv[3])
    else:
        report = main(sys.argv[1], Path(sys.argv[2]))
        print(json.dumps(report))  # noqa: T201 - the test reads it
