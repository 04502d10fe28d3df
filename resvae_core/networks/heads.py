"""Heads that turn a latent into responses to drugs."""

from __future__ import annotations

import torch
from torch import nn

from resvae_core.errors import ConfigError

MULTI_TASK, PER_DRUG, KERNEL = "multi_task", "per_drug", "kernel"


class PerDrugHeads(nn.Module):
    """One small classifier a drug, as published: z → z/2 → 2 logits.

    The response is the logit of resistant minus the logit of sensitive, which is what the softmax
    of the two depends on.

    Parameters
    ----------
    n_latent, n_drugs
        Widths of input and output.
    """

    def __init__(self, n_latent: int, n_drugs: int) -> None:
        super().__init__()
        n_hidden = max(1, n_latent // 2)
        self.weight1 = nn.Parameter(_uniform((n_drugs, n_latent, n_hidden), n_latent))
        self.bias1 = nn.Parameter(torch.zeros(n_drugs, n_hidden))
        self.weight2 = nn.Parameter(_uniform((n_drugs, n_hidden, 2), n_hidden))
        self.bias2 = nn.Parameter(torch.zeros(n_drugs, 2))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return (batch, n_drugs) from z (batch, n_latent)."""
        hidden = torch.relu(torch.einsum("bl,dlh->bdh", z, self.weight1) + self.bias1)
        logits = torch.einsum("bdh,dhc->bdc", hidden, self.weight2) + self.bias2
        return logits[..., 1] - logits[..., 0]


class KernelHead(nn.Module):
    """Kernel ridge regression on the latent: responses of similar lines, weighted.

    The kernel is exp(-distance / scale). Filled in closed form when the autoencoder is trained
    (`resvae_core.training.kernel_head`); before that it has no support and answers 0.

    Parameters
    ----------
    n_support
        Training lines that it compares with.
    n_latent, n_drugs
        Widths of input and output.
    """

    support: torch.Tensor  # (n_support, n_latent)
    weight: torch.Tensor  # (n_support, n_drugs)
    bias: torch.Tensor  # (n_drugs,)
    scale: torch.Tensor  # ()

    def __init__(self, n_support: int, n_latent: int, n_drugs: int) -> None:
        super().__init__()
        self.register_buffer("support", torch.zeros(n_support, n_latent))
        self.register_buffer("weight", torch.zeros(n_support, n_drugs))
        self.register_buffer("bias", torch.zeros(n_drugs))
        self.register_buffer("scale", torch.ones(()))

    def forward(self, z: torch.Tensor) -> torch.Tensor:
        """Return (batch, n_drugs) from z (batch, n_latent)."""
        # no matrix products for distances: a sample alone must score as it does among others
        distance = torch.cdist(z, self.support, compute_mode="donot_use_mm_for_euclid_dist")
        response: torch.Tensor = torch.exp(-distance / self.scale) @ self.weight + self.bias
        return response


def build_head(
    kind: str, n_latent: int, n_drugs: int, *, dropout: float, n_support: int = 0
) -> nn.Module:
    """Return a head by name: ``multi_task`` (one linear layer), ``per_drug`` or ``kernel``.

    Parameters
    ----------
    n_latent, n_drugs
        Widths of input and output.
    dropout
        Before the linear layer of ``multi_task``.
    n_support
        Training lines that a ``kernel`` head compares with; 0 before it is fitted.

    Raises
    ------
    ConfigError
        If the name is not known.
    """
    if kind == MULTI_TASK:
        return nn.Sequential(nn.Dropout(dropout), nn.Linear(n_latent, n_drugs))
    if kind == PER_DRUG:
        return PerDrugHeads(n_latent, n_drugs)
    if kind == KERNEL:
        return KernelHead(n_support, n_latent, n_drugs)
    raise ConfigError(
        f"{kind!r} is no head of the Res VAE.",
        remedy=f"Use {MULTI_TASK}, {PER_DRUG} or {KERNEL}.",
    )


def _uniform(shape: tuple[int, ...], n_in: int) -> torch.Tensor:
    """Draw from the range that PyTorch's linear layers start in."""
    return torch.empty(shape).uniform_(-(n_in**-0.5), n_in**-0.5)
