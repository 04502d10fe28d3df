"""Devices and seeds: decided once, here."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from resvae_core.errors import DeviceError

if TYPE_CHECKING:
    import torch


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
        ``auto`` (CUDA where there is one, else the CPU), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    DeviceError
        If a CUDA device is asked for and there is none.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name.startswith("cuda") and not torch.cuda.is_available():
        raise DeviceError(
            f"Device {name!r} was asked for, but this machine shows no CUDA device.",
            remedy="Use 'auto' or 'cpu'.",
        )
    return torch.device(name)
