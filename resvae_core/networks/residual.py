"""Residual blocks of the Res VAE.

As in the published model: main path Linear → BatchNorm → activation, skip path identity or a linear
projection, their sum, nothing after. Not in the published model: dropout on the main path.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn

from resvae_core.errors import ConfigError

ACTIVATIONS: dict[str, type[nn.Module]] = {"swish": nn.SiLU, "leaky_relu": nn.LeakyReLU}
"""Swish in VAE_LS and VAE_LD, leaky ReLU in VAE_LL, as published."""


class ResidualBlock(nn.Module):
    """One block, (batch, n_in) to (batch, n_out)."""

    def __init__(
        self, n_in: int, n_out: int, *, dropout: float = 0.0, activation: str = "swish"
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.norm = nn.BatchNorm1d(n_out)
        self.activation = _activation(activation)
        self.dropout = nn.Dropout(dropout)
        self.skip: nn.Module = nn.Identity() if n_in == n_out else nn.Linear(n_in, n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return activation(norm(Wx)) + skip(x)."""
        main: torch.Tensor = self.dropout(self.activation(self.norm(self.linear(x))))
        return main + self.skip(x)  # type: ignore[no-any-return]  # nn.Module calls are untyped


def residual_stack(
    widths: Sequence[int], *, dropout: float = 0.0, activation: str = "swish"
) -> nn.Sequential:
    """Return blocks from widths[0] to widths[-1].

    Raises
    ------
    ConfigError
        If the activation is not known.
    """
    return nn.Sequential(
        *(ResidualBlock(a, b, dropout=dropout, activation=activation) for a, b in pairwise(widths))
    )


def _activation(name: str) -> nn.Module:
    if name not in ACTIVATIONS:
        raise ConfigError(
            f"{name!r} is no activation of the residual blocks.",
            remedy=f"Use one of: {', '.join(ACTIVATIONS)}.",
        )
    return ACTIVATIONS[name]()


class Frozen(nn.Module):
    """A trained module that nothing changes any more, not even through BatchNorm.

    Without gradients alone, BatchNorm in training mode would go on moving its running moments, and
    a frozen network would drift. Here `train` leaves the module in evaluation mode.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module.requires_grad_(False).eval()

    def train(self, mode: bool = True) -> Frozen:
        """Set the mode of the wrapper; the module inside stays in evaluation mode."""
        super().train(mode)
        self.module.eval()
        return self

    def forward(self, *inputs: torch.Tensor) -> object:
        """Return what the module returns."""
        return self.module(*inputs)
