"""The loss of the Res VAE, as typed records."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch.nn import functional

from resvae_core.networks.resvae import ResVAEOutput


class Loss(NamedTuple):
    """Parts of the loss, each a mean over what it is measured on."""

    response: torch.Tensor
    reconstruction: torch.Tensor
    kl: torch.Tensor


class DistillationLoss(NamedTuple):
    """How far a student is from its teacher."""

    cosine: torch.Tensor  # 1 − cosine of the latent means
    latent: torch.Tensor  # mean squared difference of the latent means
    response: torch.Tensor  # mean squared difference of the responses, over all drugs


def resvae_loss(
    output: ResVAEOutput,
    x: torch.Tensor,
    target: torch.Tensor,
    measured: torch.Tensor,
    *,
    is_label: bool = False,
) -> Loss:
    """Compare an output with what it should be.

    Parameters
    ----------
    output
        Of `ResVAE`.
    x
        (batch, n_inputs) inputs to reconstruct.
    target
        (batch, n_drugs) standardised ln IC50, or 1 resistant and 0 sensitive where `is_label`; any
        value where not measured.
    measured
        (batch, n_drugs) 1 where measured, else 0: unmeasured pairs carry no loss.
    is_label
        Whether the response is a logit to be compared with labels (cross-entropy) rather than a
        value (squared error).
    """
    if is_label:
        error = functional.binary_cross_entropy_with_logits(
            output.response, target, reduction="none"
        )
    else:
        error = torch.square(output.response - target)
    response = (error * measured).sum() / measured.sum().clamp(min=1.0)
    reconstruction = torch.square(output.reconstruction - x).mean()
    return Loss(response, reconstruction, kl_divergence(output.mean, output.log_variance))


def kl_divergence(mean: torch.Tensor, log_variance: torch.Tensor) -> torch.Tensor:
    """Return the mean over samples and latents of KL(N(μ, σ²) ‖ N(0, 1)) ≥ 0."""
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).mean()


def distillation_loss(
    mean: torch.Tensor,
    response: torch.Tensor,
    teacher_mean: torch.Tensor,
    teacher_response: torch.Tensor,
) -> DistillationLoss:
    """Compare a student with its teacher on the same samples.

    Parameters
    ----------
    mean, teacher_mean
        (batch, n_latent) latent means μ.
    response, teacher_response
        (batch, n_drugs).
    """
    cosine = functional.cosine_similarity(mean, teacher_mean, dim=1)
    return DistillationLoss(
        (1 - cosine).mean(),
        functional.mse_loss(mean, teacher_mean),
        functional.mse_loss(response, teacher_response),
    )
