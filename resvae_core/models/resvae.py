"""The residual VAE behind the model contract: reads genes, predicts all drugs at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resvae_core.compute import choose_device, derive_seed
from resvae_core.models.base import Arrays, Document
from resvae_core.models.cross_fitted import Array, CrossFittedModel, Matrix
from resvae_core.training.config import TrainingConfig

if TYPE_CHECKING:
    import torch

    from resvae_core.networks.resvae import ResVAE as Network

BATCH = 4096
"""Samples scored at a time: bounds the memory."""


class ResVAE(CrossFittedModel):
    """Residual variational autoencoder with a multi-task head (the undistilled basis of VAE_LD).

    Weights are rounded to half precision when training ends, so the saved model is half as large
    and predicts the same before and after saving.

    Parameters
    ----------
    hidden, n_latent, dropout
        See `resvae_core.networks.resvae.ResVAE`.
    training
        Fields of `resvae_core.training.config.TrainingConfig`; its defaults where absent.
    device
        ``auto``, ``cpu`` or ``cuda``. Predictions agree within 1e-4; training draws other random
        numbers on CUDA, so it gives another, equally good model.
    n_members, seed
        See `CrossFittedModel`.
    """

    kind = "resvae"
    title = "Res VAE"

    networks_: list[Network]

    def __init__(
        self,
        *,
        hidden: tuple[int, ...] = (512, 128),
        n_latent: int = 128,
        dropout: float = 0.5,
        training: Mapping[str, float] | None = None,
        device: str = "auto",
        n_members: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__(n_members=n_members, seed=seed)
        self.hidden = tuple(hidden)
        self.n_latent = n_latent
        self.dropout = dropout
        self.training = TrainingConfig(**(training or {}))  # type: ignore[arg-type]
        self.device = device
        self._history: list[dict[str, float]] = []

    def configuration(self) -> Document:
        """Return the constructor's arguments, without the device."""
        return {
            "hidden": list(self.hidden),
            "n_latent": self.n_latent,
            "dropout": self.dropout,
            "training": asdict(self.training),
            "n_members": self.n_members,
            "seed": self.seed,
        }

    def history(self) -> list[dict[str, float]]:
        """Return one record an epoch and member."""
        return self._history

    def _fit_member(self, member: int, z: Matrix, target: Array) -> None:
        import torch

        from resvae_core.training.loop import fit_network

        if member == 0:
            self.networks_, self._history = [], []
        seed = derive_seed(self.kind, self.seed, member)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = self._network(z.shape[1], target.shape[1])
            history = fit_network(network, z, target, self.training, seed=seed)
        self.networks_.append(network.half().float())
        self._history += [{"member": member, **record} for record in history]

    def _network(self, n_genes: int, n_drugs: int) -> Network:
        from resvae_core.networks.resvae import ResVAE as Network

        return Network(
            n_genes, n_drugs, hidden=self.hidden, n_latent=self.n_latent, dropout=self.dropout
        ).to(choose_device(self.device))

    def _score_member(self, member: int, z: Matrix) -> Array:
        import torch

        network = self.networks_[member]
        device = next(network.parameters()).device
        with torch.inference_mode():
            parts = [
                network.response(torch.from_numpy(z[start : start + BATCH]).to(device)).cpu()
                for start in range(0, len(z), BATCH)
            ]
        return np.asarray(torch.cat(parts), float)

    def _member_arrays(self) -> Arrays:
        return {
            f"member{number}.{name}": _to_numpy(tensor)
            for number, network in enumerate(self.networks_)
            for name, tensor in network.state_dict().items()
        }

    def _restore_members(self, arrays: Arrays) -> None:
        import torch

        self.networks_ = []
        for number in range(self.n_members):
            prefix = f"member{number}."
            state = {
                name.removeprefix(prefix): torch.from_numpy(array).float()
                if array.dtype == np.float16
                else torch.from_numpy(array)
                for name, array in arrays.items()
                if name.startswith(prefix)
            }
            network = self._network(len(self.genes_), len(self.drugs_))
            network.load_state_dict(state, strict=True)
            self.networks_.append(network.eval())


def _to_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    array = tensor.cpu().numpy()
    return array.astype(np.float16) if array.dtype == np.float32 else array
