"""The loss of the Res VAE, as a typed record."""

from __future__ import annotations

from typing import NamedTuple

import torch

from resvae_core.networks.resvae import ResVAEOutput


class Loss(NamedTuple):
    """Parts of the loss, each a mean over what it is measured on."""

    response: torch.Tensor
    reconstruction: torch.Tensor
    kl: torch.Tensor

    def total(self, *, reconstruction_weight: float, kl_weight: float) -> torch.Tensor:
        """Return the weighted sum that is minimised."""
        return self.response + reconstruction_weight * self.reconstruction + kl_weight * self.kl


def resvae_loss(
    output: ResVAEOutput, x: torch.Tensor, target: torch.Tensor, measured: torch.Tensor
) -> Loss:
    """Compare an output with what it should be.

    Parameters
    ----------
    output
        Of `ResVAE`.
    x
        (batch, n_genes) expression to reconstruct.
    target
        (batch, n_drugs) standardised ln IC50; any value where not measured.
    measured
        (batch, n_drugs) 1 where measured, else 0: unmeasured pairs carry no loss.
    """
    squared = torch.square(output.response - target) * measured
    response = squared.sum() / measured.sum().clamp(min=1.0)
    reconstruction = torch.square(output.reconstruction - x).mean()
    return Loss(response, reconstruction, kl_divergence(output.mean, output.log_variance))


def kl_divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Return the mean over samples and latents of KL(N(μ, σ²) ‖ N(0, 1)) ≥ 0."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).mean()
