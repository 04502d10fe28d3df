"""Starting workers: detached processes, one a lane and device, that outlive whoever starts them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from resvae_core.config import PROJECT_ROOT, data_folder, state_folder
from resvae_core.database import DATABASE_VARIABLE, absolute_url
from resvae_core.jobs import store
from resvae_core.jobs.locks import try_lock
from resvae_core.jobs.processes import JOB_VARIABLE
from resvae_core.jobs.record import Lane

WORKERS_VARIABLE = "RESVAE_WORKERS"
EXTERNAL = "external"
"""Value that says that workers are services of their own: this program starts none."""
PLACES = (
    "RESVAE_DATA",
    "RESVAE_MODELS",
    "RESVAE_INBOX",
    "RESVAE_ENCODERS",
    "RESVAE_ARTIFACTS",
    "RESVAE_GENE_SETS",
    "RESVAE_DATA_SOURCES",
)
"""Variables that name a folder or a file."""

# Started by a process that ends at once: whoever asked for a worker is not its parent, so nothing
# of it stays behind as a zombie, and it does not end with a terminal or a server.
_DETACH = (
    "import subprocess, sys\n"
    "with open(sys.argv[1], 'wb') as errors:\n"
    "    subprocess.Popen(sys.argv[2:], start_new_session=True, stdin=subprocess.DEVNULL,\n"
    "                     stdout=subprocess.DEVNULL, stderr=errors)\n"
)


def lock_name(lane: Lane, device: str) -> str:
    """Return the name of the lock that the worker of a lane and device holds."""
    return "-".join(filter(None, ["worker", lane, device.replace(":", "")]))


def start_missing_workers() -> None:
    """Start a worker for every lane and device in which jobs wait and none lives."""
    if os.environ.get(WORKERS_VARIABLE) == EXTERNAL:
        return
    for lane, device in store.waiting():
        with try_lock(lock_name(lane, device)) as free:
            pass
        if free:
            start_worker(lane, device)


def start_worker(lane: Lane, device: str = "") -> None:
    """Start a worker. Where one lives already, the new one ends at once."""
    folder = state_folder() / "jobs"
    folder.mkdir(parents=True, exist_ok=True)
    errors = folder / f"{lock_name(lane, device)}.err"
    command = [sys.executable, "-m", "resvae_core.jobs.worker", lane, *filter(None, [device])]
    subprocess.run(
        [sys.executable, "-S", "-c", _DETACH, str(errors.absolute()), *command],
        cwd=PROJECT_ROOT,
        env=environment(),
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def environment() -> dict[str, str]:
    """Return this process's environment with places that do not depend on the working folder.

    Workers, and the processes of jobs, work in the folder of the project.
    """
    same = {name: value for name, value in os.environ.items() if name != JOB_VARIABLE}
    same["RESVAE_STATE"] = str(state_folder().absolute())
    if (data := data_folder()) is not None:
        same["RESVAE_DATA"] = str(data)
    for name in PLACES:
        if same.get(name):
            same[name] = str(Path(same[name]).absolute())
    if same.get(DATABASE_VARIABLE):
        same[DATABASE_VARIABLE] = absolute_url(same[DATABASE_VARIABLE])
    return same
