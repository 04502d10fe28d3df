"""What every expression encoder can do: turn each sample into an embedding, on its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from resvae_core.errors import ConfigError
from resvae_core.tables import Expression

if TYPE_CHECKING:
    import torch

EXPRESSION_UNIT = "log2(TPM + 1)"

ReferenceName = Literal["cell_lines", "tumours"]
REFERENCES: tuple[ReferenceName, ...] = get_args(ReferenceName)


class Encoder(ABC):
    """A trained network that turns an expression profile into an embedding.

    Attributes
    ----------
    name
        As in the catalogue: ``large``, ``small``, ``scfoundation`` or ``geneformer``.
    title
        Name for people.
    genes
        Current gene symbols that the encoder can read, in its order, each once. A gene that a
        sample lacks is treated as missing.
    unit
        Unit of the expression that `embed` takes.
    n_dimensions
        Width of the embedding.
    digest
        SHA-256 (hex) of the weights and of the settings that change an embedding: two encoders with
        the same digest give the same embeddings.
    device
        Where it computes: ``cpu`` or ``cuda:N``.
    """

    name: str
    title: str
    genes: tuple[str, ...]
    unit: str = EXPRESSION_UNIT
    n_dimensions: int
    digest: str
    device: str

    @abstractmethod
    def embed(self, expression: Expression, reference: str = "cell_lines") -> NDArray[np.float32]:
        """Turn each sample into its embedding; no sample's depends on another's.

        Parameters
        ----------
        expression
            (n_samples, n_genes) log2(TPM + 1), genes in any order, more or fewer than `genes`.
        reference
            ``cell_lines`` or ``tumours``: whose moments standardise the genes. Encoders that do
            not standardise ignore it.

        Returns
        -------
        ndarray
            (n_samples, n_dimensions), finite, rows in the order of the samples.

        Raises
        ------
        GeneCoverageError
            If none of the encoder's genes is in the data.
        ConfigError
            If the reference is not known.
        """

    def differentiable(
        self, genes: Sequence[str], reference: str
    ) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Return the embedding as a function of genes that gradients pass through.

        Parameters
        ----------
        genes
            (n,) the caller's genes, in the caller's order.
        reference
            As in `embed`.

        Returns
        -------
        callable
            Takes log2(TPM + 1) and what was measured (1 or 0), both (n_samples, n), and returns
            (n_samples, n_dimensions).

        Raises
        ------
        ConfigError
            Always here: encoders that turn a profile into tokens have no such function.
        """
        raise ConfigError(
            f"The embedding of {self.title} cannot be attributed to genes: it reads tokens.",
            remedy="Explain a model that reads genes, for example VAE_LD.",
        )


def require_reference(reference: str) -> None:
    """Check that a reference is one that encoders know.

    Raises
    ------
    ConfigError
        If it is not.
    """
    if reference not in REFERENCES:
        raise ConfigError(
            f"{reference!r} is no reference of an encoder.",
            remedy=f"Use one of: {', '.join(REFERENCES)}.",
        )
