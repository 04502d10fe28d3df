"""The residual variational autoencoder with a head over all drugs.

As published, the autoencoder can be trained first and the head on its latent afterwards. Differs
on purpose: one head over all drugs (``kernel``, or ``multi_task`` trained together with the
autoencoder) beside the published classifier a drug; at inference the head reads the mean μ, never
a draw (a head that is trained with the autoencoder reads the drawn z in training).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import nn

from resvae_core.networks.heads import MULTI_TASK, build_head
from resvae_core.networks.residual import residual_stack


class ResVAEOutput(NamedTuple):
    """What a forward pass gives, first axis = samples."""

    reconstruction: torch.Tensor  # (batch, n_inputs)
    mean: torch.Tensor  # μ (batch, n_latent)
    log_variance: torch.Tensor  # log σ² (batch, n_latent)
    response: torch.Tensor  # (batch, n_drugs) standardised ln IC50, or logit of resistance


class ResVAE(nn.Module):
    """Encoder, decoder and head.

    Parameters
    ----------
    n_inputs, n_drugs
        Widths of input and head.
    hidden
        Widths of the encoder's blocks; the decoder mirrors them.
    n_latent
        Width of z.
    dropout
        On the main path of the encoder's blocks and before the head.
    activation
        Of the blocks: ``swish`` or ``leaky_relu``.
    head
        ``multi_task``, ``kernel`` or, as published, ``per_drug``.
    n_support
        Training lines that a fitted ``kernel`` head compares with.
    decodes
        Whether it has what only training needs, decoder and log σ²; `forward` needs them.
    """

    def __init__(
        self,
        n_inputs: int,
        n_drugs: int,
        *,
        hidden: Sequence[int],
        n_latent: int,
        dropout: float = 0.0,
        activation: str = "swish",
        head: str = MULTI_TASK,
        n_support: int = 0,
        decodes: bool = True,
    ) -> None:
        super().__init__()
        self.encoder = residual_stack([n_inputs, *hidden], dropout=dropout, activation=activation)
        self.mean = nn.Linear(hidden[-1], n_latent)
        self.head = build_head(head, n_latent, n_drugs, dropout=dropout, n_support=n_support)
        if not decodes:
            return
        self.log_variance = nn.Linear(hidden[-1], n_latent)
        nn.init.zeros_(self.log_variance.weight)
        nn.init.constant_(self.log_variance.bias, -4.0)  # starts nearly deterministic
        self.decoder = residual_stack([n_latent, *reversed(hidden)], activation=activation)
        self.output = nn.Linear(hidden[0], n_inputs)

    def forward(self, x: torch.Tensor) -> ResVAEOutput:
        """Encode, decode and predict; x is (batch, n_inputs), standardised."""
        hidden = self.encoder(x)
        mean, log_variance = self.mean(hidden), self.log_variance(hidden)
        z = mean
        if self.training:
            z = mean + torch.exp(0.5 * log_variance) * torch.randn_like(mean)
        reconstruction = self.output(self.decoder(z))
        return ResVAEOutput(reconstruction, mean, log_variance, self.head(z))

    def latent(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, n_latent) latent means μ."""
        return self.mean(self.encoder(x))  # type: ignore[no-any-return]

    def response(self, x: torch.Tensor) -> torch.Tensor:
        """Return (batch, n_drugs) predicted response from the latent mean."""
        return self.head(self.latent(x))  # type: ignore[no-any-return]
