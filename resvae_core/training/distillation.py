"""A teacher that a student network learns from."""

from __future__ import annotations

from typing import NamedTuple

import torch

from resvae_core.networks.residual import Frozen
from resvae_core.networks.resvae import ResVAE


class Teacher(NamedTuple):
    """What a teacher says of the student's training lines, row by row.

    The teacher is frozen and its inputs do not change, so it is asked once, not at every step.
    """

    mean: torch.Tensor  # μ (n_lines, n_latent)
    response: torch.Tensor  # (n_lines, n_drugs)


def ask_teacher(network: ResVAE, inputs: torch.Tensor) -> Teacher:
    """Return a frozen network's latent means and responses.

    Parameters
    ----------
    network
        A trained Res VAE; left frozen, in evaluation mode.
    inputs
        (n_lines, n_inputs) standardised inputs of the teacher.
    """
    Frozen(network)
    with torch.inference_mode():
        mean = network.latent(inputs)
        response = network.head(mean)
    return Teacher(mean.clone(), response.clone())  # clones: autograd takes no inference tensors
