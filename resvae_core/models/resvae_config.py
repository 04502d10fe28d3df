"""The configurations of the residual VAE: one definition, three variants.

``STANDARD`` is sized for the shipped data and chosen by measurement (`benchmarks/experiments.md`);
all three use Swish, whose gradients are smooth, so that attributions add up in few steps.
``FAITHFUL`` has the published widths, activations, losses and heads; its source is the public
description of the ancestor method (scATD, Briefings in Bioinformatics 2025, bbaf268).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from resvae_core.errors import ConfigError
from resvae_core.training.config import LABEL, LN_IC50, TrainingConfig

EMBEDDING, GENES, RANKS = "embedding", "genes", "ranks"
CHANNELS = (EMBEDDING, GENES, RANKS)


UNSUPERVISED = TrainingConfig(response_weight=0.0, n_epochs=40, input_dropout=0.5)
"""The autoencoder first, as published; the head is fitted on its latent afterwards."""


@dataclass(frozen=True)
class ResVAEConfig:
    """What a Res VAE reads, how it is built and how it is trained.

    Parameters
    ----------
    channels
        What it reads, side by side: ``embedding`` of the encoder, ``genes``, and ``ranks`` of the
        genes within the sample; each standardised.
    encoder
        Name of an expression encoder; needed where ``embedding`` is read.
    embedding_weight
        Spread of the embedding's dimensions, taken together, relative to that of a gene.
    hidden, n_latent, dropout, activation, head
        See `resvae_core.networks.resvae.ResVAE`.
    kernel_ridge
        Regularisation of the ``kernel`` head.
    target
        ``ln_ic50`` (squared error) or ``label`` (cross-entropy); unmeasured pairs carry no loss.
    n_networks
        Networks per member that differ in their seed; their scores are averaged.
    training
        See `resvae_core.training.config.TrainingConfig`.
    """

    channels: tuple[str, ...] = (GENES,)
    encoder: str | None = None
    embedding_weight: float = 0.5
    hidden: tuple[int, ...] = (256,)
    n_latent: int = 128
    dropout: float = 0.1
    activation: str = "swish"
    head: str = "kernel"
    kernel_ridge: float = 0.2
    target: str = LN_IC50
    n_networks: int = 1
    training: TrainingConfig = field(default_factory=lambda: UNSUPERVISED)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.channels) - set(CHANNELS))
        if unknown or not self.channels:
            raise ConfigError(
                f"A Res VAE was asked to read {unknown or 'nothing'}.",
                remedy=f"Name one or more of: {', '.join(CHANNELS)}.",
            )
        if EMBEDDING in self.channels and not self.encoder:
            raise ConfigError(
                "A Res VAE that reads an embedding has no encoder.",
                remedy="Name one, for example 'large' or 'small'.",
            )
        if self.target not in (LN_IC50, LABEL):
            raise ConfigError(
                f"{self.target!r} is no target.", remedy=f"Use {LN_IC50!r} or {LABEL!r}."
            )

    def with_changes(self, changes: Mapping[str, Any]) -> ResVAEConfig:
        """Return the same configuration with some fields changed.

        Parameters
        ----------
        changes
            Names to values; ``training`` may name some of its own fields.

        Raises
        ------
        ConfigError
            If a field is not known.
        """
        training = dict(changes.get("training", {}))
        _require_known(changes, ResVAEConfig)
        _require_known(training, TrainingConfig)
        values = asdict(self) | dict(changes)
        values["channels"], values["hidden"] = tuple(values["channels"]), tuple(values["hidden"])
        values["training"] = TrainingConfig(**(asdict(self.training) | training))
        return ResVAEConfig(**values)


def _require_known(changes: Mapping[str, Any], kind: type) -> None:
    known = [entry.name for entry in fields(kind)]
    unknown = sorted(set(changes) - set(known))
    if unknown:
        raise ConfigError(
            f"{unknown[0]!r} is no setting of {kind.__name__}.",
            remedy=f"Use some of: {', '.join(known)}.",
        )


PUBLISHED_TRAINING = TrainingConfig(
    input_dropout=0.0, reconstruction_weight=500.0, kl_weight=1.0, kl_warmup_epochs=10
)

STANDARD = {
    "vae_ll": ResVAEConfig(channels=(EMBEDDING, GENES, RANKS), encoder="large"),
    "vae_ls": ResVAEConfig(channels=(EMBEDDING, GENES, RANKS), encoder="small"),
    "vae_ld": ResVAEConfig(
        channels=(GENES, RANKS),
        # cosine to reconstruction as published, 158 : 500
        training=replace(UNSUPERVISED, cosine_weight=0.316, latent_weight=0.316),
    ),
}

FAITHFUL = {
    "vae_ll": ResVAEConfig(
        channels=(EMBEDDING,),
        encoder="scfoundation",
        hidden=(1926, 850, 262),
        n_latent=421,
        dropout=0.0,
        activation="leaky_relu",
        head="per_drug",
        target=LABEL,
        training=PUBLISHED_TRAINING,
    ),
    "vae_ls": ResVAEConfig(
        channels=(EMBEDDING,),
        encoder="geneformer",
        hidden=(1415, 1250, 1050, 293),
        n_latent=498,
        dropout=0.0,
        head="per_drug",
        target=LABEL,
        training=PUBLISHED_TRAINING,
    ),
    "vae_ld": ResVAEConfig(
        channels=(GENES,),
        hidden=(1664, 359),
        n_latent=421,
        dropout=0.0,
        head="per_drug",
        target=LABEL,
        training=replace(PUBLISHED_TRAINING, cosine_weight=158.0),
    ),
}
