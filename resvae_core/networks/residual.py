"""Residual blocks of the Res VAE.

As in the published model: main path Linear → BatchNorm → activation, skip path identity or a linear
projection, their sum, nothing after. Not in the published model: dropout on the main path.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import nn


class ResidualBlock(nn.Module):
    """One block, (batch, n_in) to (batch, n_out)."""

    def __init__(self, n_in: int, n_out: int, *, dropout: float = 0.0) -> None:
        super().__init__()
        self.linear = nn.Linear(n_in, n_out)
        self.norm = nn.BatchNorm1d(n_out)
        self.activation = nn.SiLU()  # "Swish"
        self.dropout = nn.Dropout(dropout)
        self.skip: nn.Module = nn.Identity() if n_in == n_out else nn.Linear(n_in, n_out)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return activation(norm(Wx)) + skip(x)."""
        main: torch.Tensor = self.dropout(self.activation(self.norm(self.linear(x))))
        return main + self.skip(x)  # type: ignore[no-any-return]  # nn.Module calls are untyped


def residual_stack(widths: Sequence[int], *, dropout: float = 0.0) -> nn.Sequential:
    """Return blocks from widths[0] to widths[-1]."""
    blocks = (ResidualBlock(a, b, dropout=dropout) for a, b in pairwise(widths))
    return nn.Sequential(*blocks)
