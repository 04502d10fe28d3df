"""How networks are trained, beside nothing that needs torch."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingConfig:
    """How the Res VAE is trained.

    Parameters
    ----------
    n_epochs, batch_size, learning_rate, weight_decay
        AdamW with one learning-rate cycle that peaks at `learning_rate`.
    gene_dropout
        Share of input genes set to 0 (the reference's mean) at each step: makes the model robust
        to missing genes.
    reconstruction_weight, kl_weight
        Weights beside the response loss (weight 1).
    kl_warmup_epochs
        Epochs over which the KL weight rises from 0.
    """

    n_epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    gene_dropout: float = 0.3
    reconstruction_weight: float = 1.0
    kl_weight: float = 1e-3
    kl_warmup_epochs: int = 20
