"""The encoder of scFoundation: a transformer over the genes that a sample expresses.

Hao et al. 2024, Nat Methods 21:1481. The names of the modules are those of the official
checkpoint, so that its state can be loaded strictly. The decoder (a performer, needed for
pretraining only) is not built.

What differs from a textbook transformer:

- a token is a gene with its value: the value is spread softly over learned bins, the gene is an
  entry of a position table, and both vectors are added
- only genes with a value above 0 are tokens; two more tokens at the end hold the sequencing depth
  aimed at (T) and found (S)
- layers normalise after each residual sum; one more normalisation follows the last layer
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

N_DEPTH_TOKENS = 2
"""The tokens T and S, which follow the genes in this order."""


@dataclass(frozen=True)
class ScFoundationSizes:
    """Sizes of the encoder; the defaults are the published ones (99,941,692 parameters).

    Parameters
    ----------
    seq_len
        Genes and depth tokens: 19,264 + 2.
    hidden_dim
        Width of a token.
    depth, heads
        Layers, and attention heads a layer.
    bin_num
        Bins that a value is spread over.
    bin_alpha
        Weight of the skip connection on the way to the bins.
    """

    seq_len: int = 19266
    hidden_dim: int = 768
    depth: int = 12
    heads: int = 12
    bin_num: int = 100
    bin_alpha: float = 1.0


class ValueEmbedding(nn.Module):
    """Expression values → vectors, by a soft choice among learned bins."""

    def __init__(self, sizes: ScFoundationSizes) -> None:
        super().__init__()
        self.alpha = sizes.bin_alpha
        self.mlp = nn.Linear(1, sizes.bin_num)
        self.mlp2 = nn.Linear(sizes.bin_num, sizes.bin_num)
        self.emb = nn.Embedding(sizes.bin_num, sizes.hidden_dim)
        # in the checkpoint; embeddings of whole samples use neither
        self.emb_mask = nn.Embedding(1, sizes.hidden_dim)
        self.emb_pad = nn.Embedding(1, sizes.hidden_dim)

    def forward(self, values: Tensor) -> Tensor:
        """Return (batch, n_tokens, hidden_dim) from (batch, n_tokens) values."""
        bins = functional.leaky_relu(self.mlp(values.unsqueeze(-1)), 0.1)
        weights = torch.softmax(self.alpha * bins + self.mlp2(bins), dim=-1)
        vectors: Tensor = weights @ self.emb.weight  # (batch, n_tokens, hidden_dim)
        return vectors


class SelfAttention(nn.Module):
    """Multi-head attention whose memory grows with the tokens, not with their square."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.xavier_uniform_(self.in_proj_weight)

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        """Return (batch, n_tokens, width); `attended` (batch, n_tokens) is False for padding."""
        batch, n_tokens, width = x.shape
        projected = functional.linear(x, self.in_proj_weight, self.in_proj_bias)
        heads = projected.view(batch, n_tokens, 3, self.heads, width // self.heads)
        query, key, value = heads.permute(2, 0, 3, 1, 4)  # (batch, heads, n_tokens, width / heads)
        mask = None if attended is None else attended[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(query, key, value, attn_mask=mask)
        joined: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, n_tokens, width))
        return joined


class TransformerLayer(nn.Module):
    """Attention and a feed-forward network, each with a residual sum and a normalisation after."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.self_attn = SelfAttention(width, heads)
        self.linear1 = nn.Linear(width, 4 * width)
        self.linear2 = nn.Linear(4 * width, width)
        self.norm1 = nn.LayerNorm(width)
        self.norm2 = nn.LayerNorm(width)

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        """Return (batch, n_tokens, width)."""
        x = self.norm1(x + self.self_attn(x, attended))
        out: Tensor = self.norm2(x + self.linear2(torch.relu(self.linear1(x))))
        return out


class TransformerStack(nn.Module):
    """The layers, and a normalisation at the end."""

    def __init__(self, sizes: ScFoundationSizes) -> None:
        super().__init__()
        width = sizes.hidden_dim
        self.transformer_encoder = nn.ModuleList(
            TransformerLayer(width, sizes.heads) for _ in range(sizes.depth)
        )
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor, attended: Tensor | None) -> Tensor:
        """Return (batch, n_tokens, width)."""
        for layer in self.transformer_encoder:
            x = layer(x, attended)
        out: Tensor = self.norm(x)
        return out


class ScFoundationEncoder(nn.Module):
    """Genes with their values → one vector a sample.

    Parameters
    ----------
    sizes
        Published sizes by default.
    """

    def __init__(self, sizes: ScFoundationSizes | None = None) -> None:
        super().__init__()
        self.sizes = sizes or ScFoundationSizes()
        self.token_emb = ValueEmbedding(self.sizes)
        # the last row is the position of padding
        self.pos_emb = nn.Embedding(self.sizes.seq_len + 1, self.sizes.hidden_dim)
        self.encoder = TransformerStack(self.sizes)

    def forward(self, values: Tensor, positions: Tensor, lengths: Tensor) -> Tensor:
        """Embed samples and pool their tokens in the way that the authors call "all".

        Parameters
        ----------
        values
            (batch, n_tokens) values above 0, genes first, then T and S, then padding.
        positions
            (batch, n_tokens) index of each token's gene; seq_len for padding.
        lengths
            (batch,) tokens of each sample without padding, T and S included; at least 3.

        Returns
        -------
        Tensor
            (batch, 4 × hidden_dim): outputs of S and of T, maximum and mean over the genes.
        """
        order = torch.arange(values.shape[1], device=values.device)
        attended = order < lengths[:, None]  # (batch, n_tokens)
        x = self.token_emb(values) + self.pos_emb(positions)
        padded = bool((lengths < values.shape[1]).any())
        hidden = self.encoder(x, attended if padded else None)
        return pool_all(hidden, lengths)


def pool_all(hidden: Tensor, lengths: Tensor) -> Tensor:
    """Join the outputs of S and T with the maximum and the mean over the gene tokens.

    Parameters
    ----------
    hidden
        (batch, n_tokens, width).
    lengths
        (batch,) tokens of each sample without padding.

    Returns
    -------
    Tensor
        (batch, 4 × width) in the order S, T, maximum, mean.
    """
    rows = torch.arange(hidden.shape[0], device=hidden.device)
    order = torch.arange(hidden.shape[1], device=hidden.device)
    n_genes = (lengths - N_DEPTH_TOKENS)[:, None]
    is_gene = (order < n_genes)[:, :, None]  # (batch, n_tokens, 1)
    largest = hidden.masked_fill(~is_gene, -torch.inf).amax(dim=1)
    mean = hidden.masked_fill(~is_gene, 0).sum(dim=1) / n_genes
    target, source = hidden[rows, lengths - 2], hidden[rows, lengths - 1]
    return torch.cat([source, target, largest, mean], dim=1)
