"""What the tests let engines compute: functions that other processes can import."""

from __future__ import annotations

import os
import time
from pathlib import Path

from resvae_core.engine.engine import emit
from resvae_core.errors import InputDataError


def scaled(item: int, factor: int) -> tuple[int, int]:
    """Return the product and who computed it."""
    return item * factor, os.getpid()


def alone(item: int) -> int:
    """Return the item's square."""
    return item * item


def threads(item: int) -> tuple[int, str]:
    """Return how many threads the libraries use here."""
    import torch
    from threadpoolctl import threadpool_info

    most = max([torch.get_num_threads(), *(pool["num_threads"] for pool in threadpool_info())])
    return most, os.environ.get("OMP_NUM_THREADS", "")


def telling(item: int) -> int:
    """Emit far more than anybody reads: two series, each counting up."""
    for series in ("first", "second"):
        for step in range(200):
            emit({"series": series, "step": step, "item": item}, series=series)
    return item


def failing(item: int) -> int:
    """Fail at the third item."""
    if item == 3:
        raise InputDataError("Item 3 is wrong.", remedy="Leave it out.")
    return item


def wrong(item: int) -> int:
    """Fail as a program does that has an error."""
    return 1 // item


def slow(item: float, folder: str) -> int:
    """Note who computes, in a file, and take some time."""
    Path(folder, f"{os.getpid()}").touch()
    for step in range(int(item * 20)):
        emit({"step": step})
        time.sleep(0.05)
    return os.getpid()


def suicidal(item: int, folder: str) -> int:
    """Be killed once: the first time that the item 2 is computed."""
    marker = Path(folder, "killed")
    if item == 2 and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), 9)
    return item


def doomed(item: int) -> int:
    """Be killed every time."""
    os.kill(os.getpid(), 9)
    return item


def unsendable(item: int) -> object:
    """Return something that cannot leave its process."""
    return lambda: item
