"""Devices, seeds, threads and batches: decided once, here."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from resvae_core.errors import ConfigError, DeviceError

if TYPE_CHECKING:
    import torch

Result = TypeVar("Result")

DEVICE_VARIABLE = "RESVAE_DEVICE"
"""Environment variable that says what ``auto`` means."""


def derive_seed(*parts: str | int) -> int:
    """Give a 32-bit seed that depends on nothing but its parts.

    Parameters
    ----------
    parts
        What the seed is for, for example ``("xgboost", "Cisplatin", fold, seed)``.

    Returns
    -------
    int
        Between 0 and 2**31 - 1: the same on every machine and in every process.
    """
    digest = hashlib.sha256("\x1f".join(map(str, parts)).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1


def choose_device(name: str = "auto") -> torch.device:
    """Return the torch device to compute on.

    Parameters
    ----------
    name
        ``cpu``, ``cuda``, ``cuda:N``, or ``auto``: what the environment variable RESVAE_DEVICE
        names, else CUDA where there is one, else the CPU. Settings are not asked here: who trains
        hands over what `settings.device_for` says.

    Raises
    ------
    DeviceError
        If the name is of no such device, or a CUDA device is asked for and it is not there.
    """
    import torch

    if name == "auto":
        name = os.environ.get(DEVICE_VARIABLE) or "auto"
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        device = torch.device("meta")
    if device.type not in ("cpu", "cuda"):
        raise DeviceError(
            f"{name!r} is no device that this program computes on.",
            remedy="Use 'auto', 'cpu', 'cuda' or 'cuda:0'.",
        )
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise DeviceError(
            f"Device {name!r} was asked for, but this machine shows no CUDA device"
            f"{f' {device.index}' if device.index else ''}.",
            remedy="Use 'auto' or 'cpu'.",
        )
    return device


def prefer_device(name: str) -> str:
    """Make ``auto`` mean a device in this process and in those it starts.

    Returns
    -------
    str
        The device in words, for example ``CPU`` or ``NVIDIA A100 (cuda)``.

    Raises
    ------
    DeviceError
        As `choose_device`.
    """
    device = choose_device(name)
    os.environ[DEVICE_VARIABLE] = str(device)
    return describe_device(device)


def describe_device(device: torch.device) -> str:
    """Name a device for people, for example ``CPU`` or ``NVIDIA A100 (cuda)``."""
    import torch

    if device.type == "cpu":
        return "CPU"
    return f"{torch.cuda.get_device_name(device)} ({device})"


@contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread inside a ``with`` block, as whatever is fitted must be.

    How a sum is dealt to threads decides its last digits, and training makes them grow: with one
    thread the result is the same on machines with other numbers of cores. Run folds, not fits, in
    parallel.
    """
    import torch
    from threadpoolctl import threadpool_limits

    before = torch.get_num_threads()
    with threadpool_limits(1):
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)


def peak_memory() -> int:
    """Return the most memory in bytes that this process ever held; 0 where that is not told."""
    status = Path("/proc/self/status")
    if status.is_file():  # Linux: getrusage counts what the process that started this one held
        text = status.read_text(encoding="ascii")
        return int(text.split("VmHWM:")[1].split()[0]) * 1024
    try:
        import resource
    except ImportError:  # Windows
        return 0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def in_batches(n: int, batch: int, run: Callable[[int, int], Result]) -> list[Result]:
    """Run something over slices that are halved where the GPU's memory does not hold them.

    Parameters
    ----------
    n
        Rows in all.
    batch
        Rows in a slice at first, at least 1. Once halved, slices stay small.
    run
        Called with start and stop of each slice, in order. It is called again with a shorter slice
        after a CUDA out-of-memory error, so it must keep nothing of a call that failed.

    Returns
    -------
    list
        What the calls returned, in the order of the rows.

    Raises
    ------
    DeviceError
        If the memory does not hold one row.
    ConfigError
        If `batch` is below 1.
    """
    if batch < 1:
        raise ConfigError(
            f"A batch of {batch} rows was asked for; at least 1 was expected.",
            remedy="Use a batch of 1 or more.",
        )
    results: list[Result] = []
    start = 0
    while start < n:
        stop = min(start + batch, n)
        try:
            results.append(run(start, stop))
            start = stop
            continue
        except RuntimeError as error:
            if not _out_of_memory(error):
                raise
        # outside of the handler: until here the error's traceback kept the tensors alive
        batch = _halve(stop - start)
    return results


def _halve(size: int) -> int:
    """Free what the GPU's cache holds and return the next batch size to try."""
    sys.modules["torch"].cuda.empty_cache()
    if size == 1:
        raise DeviceError(
            "The GPU's memory does not hold the computation for a single sample.",
            remedy="Close other programs that use the GPU, or compute on the CPU (device 'cpu').",
        )
    return size // 2


def _out_of_memory(error: RuntimeError) -> bool:
    """Tell whether an error says that CUDA ran out of memory, without importing torch for it."""
    torch = sys.modules.get("torch")
    if torch is None:
        return False
    # libraries under torch report it in their own words
    words = ("CUDA error: out of memory", "CUBLAS_STATUS_ALLOC_FAILED")
    return isinstance(error, torch.cuda.OutOfMemoryError) or any(w in str(error) for w in words)
