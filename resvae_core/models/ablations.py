"""Variants that lack one thing: what the thing is worth. Judged, never shipped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from resvae_core.encoders.base import Encoder
from resvae_core.features.genes import arrange
from resvae_core.features.scaling import Moments
from resvae_core.models.base import CELL_LINES
from resvae_core.models.calibrated import Matrix
from resvae_core.models.resvae import ResVAE, VaeLD, VaeLL
from resvae_core.models.resvae_config import EMBEDDING, GENES, STANDARD, UNSUPERVISED
from resvae_core.tables import Expression
from resvae_core.training.config import TrainingConfig


class VaeLDUndistilled(VaeLD):
    """VAE_LD without a teacher."""

    kind = "vae_ld_undistilled"
    title = "VAE_LD without distillation"
    standard = replace(STANDARD["vae_ld"], training=UNSUPERVISED)
    teacher = None
    needs = ()


class VaeLDCosine(VaeLD):
    """VAE_LD distilled by the cosine alone, as published."""

    kind = "vae_ld_cosine"
    title = "VAE_LD distilled by cosine alone"
    standard = replace(
        STANDARD["vae_ld"], training=replace(UNSUPERVISED, cosine_weight=0.316, latent_weight=0.0)
    )


class VaeLDGenesOnly(VaeLDUndistilled):
    """VAE_LD that reads no ranks, without a teacher."""

    kind = "vae_ld_genes"
    title = "VAE_LD without ranks and distillation"
    standard = replace(VaeLDUndistilled.standard, channels=(GENES,))


class VaeLDMultiTask(VaeLDUndistilled):
    """One linear head over all drugs, trained together with the autoencoder."""

    kind = "vae_ld_multi_task"
    title = "VAE_LD, linear head trained with it"
    standard = replace(
        VaeLDUndistilled.standard,
        head="multi_task",
        dropout=0.7,
        training=TrainingConfig(n_epochs=40, input_dropout=0.6),
    )


class VaeLLUntrained(VaeLL):
    """VAE_LL on the embedding of an encoder that was never trained."""

    kind = "vae_ll_untrained"
    title = "VAE_LL, random encoder"
    standard = replace(STANDARD["vae_ll"], encoder="large-untrained")


class VaeLLEmbeddingOnly(VaeLL):
    """VAE_LL that reads the embedding and nothing beside it, as published."""

    kind = "vae_ll_embedding"
    title = "VAE_LL, embedding alone"
    standard = replace(STANDARD["vae_ll"], channels=(EMBEDDING,))


class VaeLLComponents(VaeLL):
    """VAE_LL on as many principal components of the training lines as the embedding has axes."""

    kind = "vae_ll_pca"
    title = "VAE_LL, PCA of equal width"
    standard = STANDARD["vae_ll"]

    def _load_encoder(self) -> None:
        super()._load_encoder()
        assert self.encoder_ is not None
        self.encoder_ = _Components(self.encoder_.n_dimensions, self.genes_, self.moments_)


class _Components(Encoder):
    """Principal components of standardised genes, fitted on the first samples that it sees."""

    name = "pca"
    title = "Principal components"
    device = "cpu"
    digest = ""

    def __init__(self, width: int, genes: tuple[str, ...], moments: dict[str, Moments]) -> None:
        self.genes = genes
        self.n_dimensions = width
        self._moments = moments
        self._axes: Matrix | None = None

    def embed(self, expression: Expression, reference: str = CELL_LINES) -> Matrix:
        z = self._moments[reference].standardise(arrange(expression, self.genes))
        if self._axes is None:
            _, _, axes = np.linalg.svd(z - z.mean(axis=0), full_matrices=False)
            padded = np.zeros((self.n_dimensions, z.shape[1]), np.float32)
            padded[: min(len(axes), len(padded))] = axes[: len(padded)]
            self._axes = padded
        embedding: Matrix = z @ self._axes.T
        return embedding


ABLATIONS: dict[str, type[ResVAE]] = {
    model.kind: model
    for model in (
        VaeLDUndistilled,
        VaeLDCosine,
        VaeLDGenesOnly,
        VaeLDMultiTask,
        VaeLLUntrained,
        VaeLLEmbeddingOnly,
        VaeLLComponents,
    )
}
