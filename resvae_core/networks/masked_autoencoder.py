"""Masked autoencoder over expression profiles: genes as learned embeddings, values as features.

A sample is a set of (gene, value) pairs, in any number. Each visible gene contributes
``E_g ⊙ v(x) + B_g``: its embedding times a value embedding of its z-score, plus a vector that says
that it was seen. The mean over visible genes passes residual blocks to the embedding z; the
prediction of a gene is the dot product of z with that gene's output vector.

Differs on purpose from a masked transformer: the sum over genes is a matrix product, with no
attention between genes, far cheaper a step and better at the size of our data. Differs from the
usual autoencoder: the decoder is linear, so that distances between embeddings can be made those
between the predicted profiles (`use_principal_axes`), which a ridge reads best.
"""

from __future__ import annotations

import torch
from torch import nn


class PreNormBlock(nn.Module):
    """Residual block, (batch, width) to (batch, width): x + W₂ GELU(W₁ norm(x))."""

    def __init__(self, width: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.expand = nn.Linear(width, hidden)
        self.activation = nn.GELU()
        self.project = nn.Linear(hidden, width)
        nn.init.zeros_(self.project.weight)  # starts as the identity
        nn.init.zeros_(self.project.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return x plus its correction."""
        change: torch.Tensor = self.project(self.activation(self.expand(self.norm(x))))
        return x + change


class MaskedAutoencoder(nn.Module):
    """Encoder with a linear decoder.

    Parameters
    ----------
    n_genes
        Genes that it can read and predict.
    n_dimensions
        Width of the embedding z.
    width
        Width of the gene embeddings and of the residual blocks.
    hidden
        Width inside a block.
    n_blocks
        Residual blocks.
    n_values
        Features of a value: itself, and n_values - 1 learned sigmoids (tanh) of it.
    """

    def __init__(
        self,
        n_genes: int,
        *,
        n_dimensions: int,
        width: int,
        hidden: int,
        n_blocks: int,
        n_values: int,
    ) -> None:
        super().__init__()
        self.n_genes = n_genes
        self.n_dimensions = n_dimensions
        self.gene = nn.Parameter(torch.randn(n_genes, width))  # E
        self.seen = nn.Parameter(torch.zeros(n_genes, width))  # B
        self.value = nn.Parameter(0.1 * torch.randn(n_values, width))  # v, a row a feature
        nn.init.ones_(self.value[0])
        self.slope = nn.Parameter(torch.linspace(0.5, 1.5, n_values - 1))
        self.shift = nn.Parameter(torch.linspace(-1.5, 1.5, n_values - 1))
        self.blocks = nn.Sequential(*(PreNormBlock(width, hidden) for _ in range(n_blocks)))
        self.to_embedding = nn.Linear(width, n_dimensions)
        self.output = nn.Parameter(torch.randn(n_genes, n_dimensions) * n_dimensions**-0.5)
        self.output_bias = nn.Parameter(torch.zeros(n_genes))

    def embed(self, x: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        """Return z (batch, n_dimensions).

        Parameters
        ----------
        x
            (batch, n_genes) z-scores; any finite value where not visible.
        visible
            (batch, n_genes) 1 where the gene may be read, else 0.
        """
        z: torch.Tensor = self.to_embedding(self.blocks(self._pool(x, visible)))
        return z

    def decode(self, z: torch.Tensor) -> torch.Tensor:
        """Return (batch, n_genes) predicted z-scores of every gene, from (batch, n_dimensions)."""
        return z @ self.output.T + self.output_bias

    def forward(self, x: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        """Predict every gene from the visible ones."""
        return self.decode(self.embed(x, visible))

    @torch.no_grad()
    def use_principal_axes(self, x: torch.Tensor, visible: torch.Tensor) -> None:
        """Turn and scale z so that its distances are those between predicted profiles.

        The prediction does not change. Axes are orthogonal in expression space, sorted by the
        spread of the predictions, and z is centred on the profiles given.

        Parameters
        ----------
        x, visible
            (n_profiles, n_genes) as for `embed`.
        """
        z = self.embed(x, visible)
        basis, triangle = torch.linalg.qr(self.output.double())  # output = basis @ triangle
        coordinates = z.double() @ triangle.T
        centre = coordinates.mean(dim=0)
        _, _, axes = torch.linalg.svd(coordinates - centre, full_matrices=False)
        turn = axes @ triangle  # (n_dimensions, n_dimensions): z becomes turn z - axes centre
        layer = self.to_embedding
        self.output_bias.copy_(self.output_bias + basis @ centre)
        layer.bias.copy_(turn @ layer.bias.double() - axes @ centre)
        layer.weight.copy_(turn @ layer.weight.double())
        self.output.copy_(basis @ axes.T)

    def _pool(self, x: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        """Return (batch, width): the mean of visible genes' vectors, times √n_genes.

        The factor keeps the spread of the result near 1 when every gene is visible.
        """
        total: torch.Tensor = ((x * visible) @ self.gene) * self.value[0]
        for slope, shift, mixing in zip(self.slope, self.shift, self.value[1:], strict=True):
            bent = torch.tanh(slope * x + shift) * visible
            total = total + (bent @ self.gene) * mixing
        total = total + visible @ self.seen
        scale: torch.Tensor = self.n_genes**0.5 / visible.sum(dim=1, keepdim=True).clamp(min=1.0)
        return total * scale
