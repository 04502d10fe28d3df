"""Weights that others made: read without running anything in them, and loaded strictly."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resvae_core.errors import ArtifactError

if TYPE_CHECKING:
    from torch import Tensor, nn


def read_torch_file(path: Path) -> Any:
    """Read a file that ``torch.save`` wrote, tensors and plain containers only.

    Parameters
    ----------
    path
        ``.ckpt``, ``.bin`` or ``.pt``. Tensors are mapped, not copied, where the format allows.

    Raises
    ------
    ArtifactError
        If the file is missing, damaged, or would run code when it is read.
    """
    import torch

    if not path.is_file():
        raise ArtifactError(
            f"There is no file {path.name} in {path.parent.name}/.",
            remedy="Run `python -m resvae_core encoders list` to see what belongs there.",
        )
    try:
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )
    except Exception as error:  # a damaged or hostile file may raise anything
        raise ArtifactError(
            f"{path.name} is no readable checkpoint: it is damaged, or holds objects that would "
            f"run code ({type(error).__name__}).",
            remedy="Get the official file again, unchanged. Nothing in this one was run.",
        ) from error


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file.

    Raises
    ------
    ArtifactError
        If the file is missing or damaged.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"{path.name} is missing or no readable safetensors file ({type(error).__name__}).",
            remedy="Get the official file again, unchanged.",
        ) from error


def check_state(module: nn.Module, state: Mapping[str, Tensor], name: str) -> None:
    """Check that a state fits a module: every tensor there, none besides, all of its shape.

    Parameters
    ----------
    module
        May lie on the meta device.
    state
        Names as in the module.
    name
        What the weights are, for the message.

    Raises
    ------
    ArtifactError
        Naming the first tensor that does not fit.
    """
    expected = {key: tuple(tensor.shape) for key, tensor in module.state_dict().items()}
    found = {key: tuple(tensor.shape) for key, tensor in state.items()}
    for key in sorted(expected.keys() | found.keys()):
        if expected.get(key) != found.get(key):
            raise ArtifactError(
                f"The weights of {name} do not fit its architecture: {key} has shape "
                f"{found.get(key, 'none')}, expected {expected.get(key, 'none')}.",
                remedy="Get the official file of the variant that the configuration describes.",
            )
    if bad := [key for key, tensor in state.items() if not bool(tensor.isfinite().all())]:
        raise ArtifactError(
            f"The weights of {name} hold values that are no numbers, first in {bad[0]}.",
            remedy="Get the official file again, unchanged.",
        )


def join_digests(*parts: str) -> str:
    """Return the SHA-256 (hex) of several digests and settings, in their order."""
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()
