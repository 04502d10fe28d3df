"""The residual variational autoencoder with a head over all drugs.

Differs from the published model on purpose: one multi-task head, trained together with the
autoencoder, instead of one classifier a drug; at inference the head reads the mean μ, never a draw
(in training it reads the drawn z).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from resvae_core.networks.residual import residual_stack


class ResVAEOutput(NamedTuple):
    """What a forward pass gives, first axis = samples."""

    reconstruction: torch.Tensor  # (batch, n_genes)
    mean: torch.Tensor  # μ (batch, n_latent)
    log_variance: torch.Tensor  # log σ² (batch, n_latent)
    response: torch.Tensor  # (batch, n_drugs) standardised ln IC50


class ResVAE(nn.Module):
    """Encoder, decoder and head.

    Parameters
    ----------
    n_genes, n_drugs
        Widths of input and head.
    hidden
        Widths of the encoder's blocks; the decoder mirrors them.
    n_latent
        Width of z.
    dropout
        On the main path of the encoder's blocks and before the head.
    """

    def __init__(
        self,
        n_genes: int,
        n_drugs: int,
        *,
        hidden: Sequence[int],
        n_latent: int,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.encoder = residual_stack([n_genes, *hidden], dropout=dropout)
        self.mean = nn.Linear(hidden[-1], n_latent)
        self.log_variance = nn.Linear(hidden[-1], n_latent)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, -4.0)  # starts nearly deterministic
        self.decoder = residual_stack([n_latent, *reversed(hidden)])
        self.output = nn.Linear(hidden[0], n_genes)
        self.head = nn.Sequential(nn.Dropout(dropout), nn.Linear(n_latent, n_drugs))

    def forward(self, x: torch.Tensor) -> ResVAEOutput:
        """Encode, decode and predict; x is (batch, n_genes) standardised expression."""
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        z = mean
        if self.training:
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        reconstruction = self.output(self.decoder(z))
        return ResVAEOutput(reconstruction, mean, log_variance, self.head(z))

    def response(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, n_drugs) predicted standardised ln IC50 from the latent mean."""
        return self.head(self.mean(self.encoder(x)))  # type: ignore[no-any-return]
