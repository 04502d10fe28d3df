"""The training loop of the Res VAE."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from resvae_core.errors import TrainingDivergedError
from resvae_core.networks.losses import resvae_loss
from resvae_core.networks.resvae import ResVAE
from resvae_core.training.config import TrainingConfig


def fit_network(
    network: ResVAE,
    z: NDArray[np.float32],
    target: NDArray[np.float64],
    config: TrainingConfig,
    *,
    seed: int,
) -> list[dict[str, float]]:
    """Train a network in place; it is left in eval mode.

    Parameters
    ----------
    z
        (n_lines, n_genes) standardised expression.
    target
        (n_lines, n_drugs) standardised ln IC50, NaN where not measured.

    Returns
    -------
    list of dict
        One record an epoch: ``epoch``, ``response``, ``reconstruction``, ``kl``.

    Raises
    ------
    TrainingDivergedError
        If a loss is not finite.
    """
    device = next(network.parameters()).device
    inputs = torch.from_numpy(z).to(device)
    truth = torch.from_numpy(np.nan_to_num(target).astype(np.float32)).to(device)
    measured = torch.from_numpy((~np.isnan(target)).astype(np.float32)).to(device)
    n_batches = max(1, len(z) // config.batch_size)
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=config.weight_decay)
    n_steps = config.n_epochs * n_batches
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=n_steps, pct_start=max(0.2, 2 / n_steps)
    )
    generator = torch.Generator().manual_seed(seed)
    history: list[dict[str, float]] = []
    network.train()
    for epoch in range(config.n_epochs):
        warmup = min(1.0, epoch / max(1, config.kl_warmup_epochs))
        sums = np.zeros(3)
        # array_split: the last batch is never so small that BatchNorm has nothing to average
        for rows in torch.randperm(len(z), generator=generator).tensor_split(n_batches):
            x = inputs[rows]
            output = network(functional.dropout(x, config.gene_dropout))
            loss = resvae_loss(output, x, truth[rows], measured[rows])
            total = loss.total(
                reconstruction_weight=config.reconstruction_weight,
                kl_weight=config.kl_weight * warmup,
            )
            optimiser.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            cycle.step()
            sums += [float(part.detach()) for part in loss]
        history.append(_record(epoch, sums / n_batches, history))
    network.eval()
    return history


def _record(
    epoch: int, means: NDArray[np.float64], history: list[dict[str, float]]
) -> dict[str, float]:
    if not all(math.isfinite(mean) for mean in means):
        last = history[-1]["response"] if history else float("nan")
        raise TrainingDivergedError(
            f"The loss is not finite in epoch {epoch}; "
            f"the last finite response loss was {last:.4g}.",
            remedy="Lower the learning rate, or check the inputs for extreme values.",
        )
    response, reconstruction, kl = (round(float(mean), 6) for mean in means)
    return {"epoch": epoch, "response": response, "reconstruction": reconstruction, "kl": kl}
