"""How networks are trained, beside nothing that needs torch."""

from __future__ import annotations

from dataclasses import dataclass

LN_IC50, LABEL = "ln_ic50", "label"


@dataclass(frozen=True)
class TrainingConfig:
    """How the Res VAE is trained.

    Parameters
    ----------
    n_epochs, batch_size, learning_rate, weight_decay
        AdamW with one learning-rate cycle that peaks at `learning_rate`.
    input_dropout
        Share of inputs set to 0 (the reference's mean) at each step: makes the model robust to
        missing genes.
    response_weight, reconstruction_weight, kl_weight
        Weights of the parts of the loss.
    kl_warmup_epochs
        Epochs over which the KL weight rises from 0.
    cosine_weight, latent_weight, response_distillation_weight
        Distillation, where there is a teacher: 1 − cosine of the latents (as published), their
        mean squared difference, and that of the responses (which the teacher also gives where
        nobody measured).
    """

    n_epochs: int = 60
    batch_size: int = 64
    learning_rate: float = 3e-3
    weight_decay: float = 1e-2
    input_dropout: float = 0.3
    response_weight: float = 1.0
    reconstruction_weight: float = 1.0
    kl_weight: float = 1e-3
    kl_warmup_epochs: int = 20
    cosine_weight: float = 0.0
    latent_weight: float = 0.0
    response_distillation_weight: float = 0.0

    @property
    def distils(self) -> bool:
        """Whether any part of the loss looks at a teacher."""
        weights = (self.cosine_weight, self.latent_weight, self.response_distillation_weight)
        return any(weight > 0 for weight in weights)
