"""Devices by name, and batches that shrink where the GPU's memory is short."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import weakref

import pytest
import torch

from resvae_core.compute import (
    choose_device,
    describe_device,
    in_batches,
    one_thread,
    prefer_device,
)
from resvae_core.errors import ConfigError, DeviceError

NO_CUDA = pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has a CUDA device")


class Memory:
    """A stand-in for a GPU: a call fails where its slice is longer than the memory holds."""

    def __init__(self, holds: int, error: type[Exception] = torch.cuda.OutOfMemoryError) -> None:
        self.holds, self.error = holds, error
        self.calls: list[tuple[int, int]] = []

    def run(self, start: int, stop: int) -> list[int]:
        self.calls.append((start, stop))
        if stop - start > self.holds:
            raise self.error("out of memory")
        return list(range(start, stop))


@pytest.mark.parametrize(("n", "batch", "holds"), [(10, 4, 4), (10, 4, 1), (7, 100, 3), (0, 4, 4)])
def test_every_row_is_computed_once_and_in_order(n: int, batch: int, holds: int) -> None:
    parts = in_batches(n, batch, Memory(holds).run)
    assert [row for part in parts for row in part] == list(range(n))


def test_batch_is_halved_and_goes_on_from_the_same_slice() -> None:
    memory = Memory(holds=3)
    in_batches(10, 8, memory.run)
    assert memory.calls == [(0, 8), (0, 4), (0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]


def test_slice_shorter_than_the_batch_is_halved_itself() -> None:
    memory = Memory(holds=3)
    in_batches(6, 4096, memory.run)
    assert memory.calls == [(0, 6), (0, 3), (3, 6)]


def test_memory_that_holds_no_row_is_an_error_with_a_remedy() -> None:
    memory = Memory(holds=0)
    with pytest.raises(DeviceError, match="does not hold the computation for a single sample"):
        in_batches(4, 4, memory.run)
    assert memory.calls == [(0, 4), (0, 2), (0, 1)]


@pytest.mark.parametrize("error", [RuntimeError, ValueError])
def test_other_errors_are_raised_as_they_are(error: type[Exception]) -> None:
    memory = Memory(holds=1, error=error)
    with pytest.raises(error, match=r"^out of memory$"):
        in_batches(4, 4, memory.run)
    assert memory.calls == [(0, 4)]


@pytest.mark.parametrize(
    "message", ["CUDA error: out of memory", "cuBLAS failed: CUBLAS_STATUS_ALLOC_FAILED"]
)
def test_memory_errors_of_libraries_below_torch_are_known(message: str) -> None:
    failures = [RuntimeError(message)]

    def run(start: int, stop: int) -> int:
        if failures:
            raise failures.pop()
        return stop - start

    assert in_batches(4, 4, run) == [2, 2]


def test_what_the_failed_call_held_is_free_before_the_next_one() -> None:
    held: list[weakref.ref[torch.Tensor]] = []

    def run(start: int, stop: int) -> None:
        assert not held or held[0]() is None
        tensor = torch.zeros(3)
        if not held:
            held.append(weakref.ref(tensor))
            raise torch.cuda.OutOfMemoryError("out of memory")

    gc.disable()  # freed by the end of the traceback, not by the collector
    try:
        in_batches(2, 2, run)
    finally:
        gc.enable()


def test_batch_below_one_is_refused() -> None:
    with pytest.raises(ConfigError, match="A batch of 0 rows"):
        in_batches(4, 0, Memory(4).run)


def test_batches_need_no_torch() -> None:
    code = (
        "import sys; from resvae_core.compute import in_batches\n"
        "assert in_batches(3, 2, lambda a, b: b - a) == [2, 1]\n"
        "try: in_batches(3, 2, lambda a, b: int('x'))\n"
        "except ValueError: pass\n"
        "def broken(a, b): raise RuntimeError('boom')\n"
        "try: in_batches(3, 2, broken)\n"
        "except RuntimeError as error: assert str(error) == 'boom'\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_unknown_devices_are_refused() -> None:
    for name in ("gpu", "meta", "cpu:x"):
        with pytest.raises(DeviceError, match=f"'{name}' is no device"):
            choose_device(name)


@NO_CUDA
def test_absent_cuda_is_refused() -> None:
    with pytest.raises(DeviceError, match=r"'cuda:3' was asked for, but .* no CUDA device 3"):
        choose_device("cuda:3")


@NO_CUDA
def test_environment_says_what_auto_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESVAE_DEVICE", "cuda")
    with pytest.raises(DeviceError, match="shows no CUDA device"):
        choose_device()
    assert choose_device("cpu").type == "cpu"
    monkeypatch.setenv("RESVAE_DEVICE", "")
    assert choose_device().type == "cpu"


def test_preferred_device_is_handed_to_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESVAE_DEVICE", "cuda")
    assert prefer_device("cpu") == "CPU"
    assert os.environ["RESVAE_DEVICE"] == "cpu"
    assert describe_device(choose_device()) == "CPU"


def test_one_thread_holds_inside_the_block_alone() -> None:
    def fail() -> None:
        with one_thread():
            assert torch.get_num_threads() == 1
            raise KeyError

    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(KeyError):
            fail()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
