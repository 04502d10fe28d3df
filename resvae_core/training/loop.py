"""The training loop of the Res VAE."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from resvae_core.errors import ConfigError, TrainingDivergedError
from resvae_core.networks.losses import distillation_loss, resvae_loss
from resvae_core.networks.resvae import ResVAE
from resvae_core.training.config import TrainingConfig
from resvae_core.training.distillation import Teacher

PARTS = ("reconstruction", "kl", "response")
DISTILLATION_PARTS = ("cosine", "latent", "response_distillation")


@dataclass(frozen=True)
class Lines:
    """Training lines on the device of the network, first axis = lines."""

    inputs: torch.Tensor  # (n_lines, n_inputs)
    target: torch.Tensor  # (n_lines, n_drugs), 0 where not measured
    measured: torch.Tensor  # (n_lines, n_drugs) 1 where measured, else 0
    teacher: Teacher | None


def fit_network(
    network: ResVAE,
    inputs: NDArray[np.float32],
    target: NDArray[np.float64],
    config: TrainingConfig,
    *,
    seed: int,
    is_label: bool = False,
    teacher: Teacher | None = None,
    on_epoch: Callable[[dict[str, float]], None] | None = None,
) -> list[dict[str, float]]:
    """Train a network in place; it is left in eval mode.

    Parameters
    ----------
    inputs
        (n_lines, n_inputs) standardised inputs.
    target
        (n_lines, n_drugs) standardised ln IC50, or labels where `is_label`; NaN where not measured.
    teacher
        What to distil from, row by row; needed where the configuration distils.
    on_epoch
        Called after every epoch with its number from 1 as ``epoch``, ``n_epochs``, ``loss`` as it
        was minimised, and the parts of the loss.

    Returns
    -------
    list of dict
        One record an epoch: ``epoch`` and each part of the loss, unweighted.

    Raises
    ------
    TrainingDivergedError
        If a loss is not finite.
    ConfigError
        If the configuration distils and there is no teacher, or its latent has another width.
    """
    device = next(network.parameters()).device
    _check_teacher(network, teacher, config)
    lines = Lines(
        torch.from_numpy(inputs).to(device),
        torch.from_numpy(np.nan_to_num(target).astype(np.float32)).to(device),
        torch.from_numpy((~np.isnan(target)).astype(np.float32)).to(device),
        teacher,
    )
    n_batches = max(1, len(inputs) // config.batch_size)
    optimiser, cycle = _optimiser(network, config, config.n_epochs * n_batches)
    generator = torch.Generator().manual_seed(seed)
    history: list[dict[str, float]] = []
    network.train()
    for epoch in range(config.n_epochs):
        weights = _weights(config, epoch, distils=teacher is not None)
        sums = torch.zeros(len(weights))
        # tensor_split: the last batch is never so small that BatchNorm has nothing to average
        for rows in torch.randperm(len(inputs), generator=generator).tensor_split(n_batches):
            losses = _losses(network, lines, rows, config, is_label)
            parts = torch.stack([losses[name] for name in weights])
            total = parts @ torch.tensor(list(weights.values()), device=device)
            optimiser.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimiser.step()
            cycle.step()
            sums += parts.detach().cpu()
        history.append(_record(epoch, dict(zip(weights, sums / n_batches, strict=True)), history))
        if on_epoch:
            on_epoch(_progress(history[-1], weights, config.n_epochs))
    network.eval()
    return history


def _optimiser(
    network: ResVAE, config: TrainingConfig, n_steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.OneCycleLR]:
    optimiser = torch.optim.AdamW(network.parameters(), weight_decay=config.weight_decay)
    n_steps = max(n_steps, 5)  # a cycle of fewer steps has no room to rise and fall
    return optimiser, torch.optim.lr_scheduler.OneCycleLR(
        optimiser, config.learning_rate, total_steps=n_steps, pct_start=max(0.2, 2 / n_steps)
    )


def _weights(config: TrainingConfig, epoch: int, *, distils: bool) -> dict[str, float]:
    """Return the weight of each part of the loss that counts; the KL part warms up."""
    warmup = min(1.0, epoch / max(1, config.kl_warmup_epochs))
    values = [config.reconstruction_weight, config.kl_weight * warmup, config.response_weight]
    n_parts = len(PARTS) if config.response_weight > 0 else len(PARTS) - 1
    weights = dict(zip(PARTS[:n_parts], values[:n_parts], strict=True))
    if distils:
        values = [config.cosine_weight, config.latent_weight, config.response_distillation_weight]
        weights |= dict(zip(DISTILLATION_PARTS, values, strict=True))
    return weights


def _losses(
    network: ResVAE, lines: Lines, rows: torch.Tensor, config: TrainingConfig, is_label: bool
) -> dict[str, torch.Tensor]:
    x = lines.inputs[rows]
    output = network(functional.dropout(x, config.input_dropout))
    loss = resvae_loss(output, x, lines.target[rows], lines.measured[rows], is_label=is_label)
    losses = loss._asdict()
    if lines.teacher is not None:
        distilled = distillation_loss(
            output.mean, output.response, lines.teacher.mean[rows], lines.teacher.response[rows]
        )
        losses |= dict(zip(DISTILLATION_PARTS, distilled, strict=True))
    return losses


def _check_teacher(network: ResVAE, teacher: Teacher | None, config: TrainingConfig) -> None:
    if config.distils and teacher is None:
        raise ConfigError(
            "The configuration distils, but no teacher was given.",
            remedy="Fit the teacher first, or set the distillation weights to 0.",
        )
    width = network.mean.out_features
    if config.distils and teacher is not None and teacher.mean.shape[1] != width:
        raise ConfigError(
            f"The teacher's latent has {teacher.mean.shape[1]} dimensions, the student's {width}.",
            remedy="Give both the same n_latent.",
        )


def _record(
    epoch: int, means: dict[str, torch.Tensor], history: list[dict[str, float]]
) -> dict[str, float]:
    values = {name: float(mean) for name, mean in means.items()}
    if not all(math.isfinite(value) for value in values.values()):
        last = history[-1]["reconstruction"] if history else float("nan")
        raise TrainingDivergedError(
            f"The loss is not finite in epoch {epoch}; "
            f"the last finite reconstruction loss was {last:.4g}.",
            remedy="Lower the learning rate, or check the inputs for extreme values.",
        )
    return {"epoch": epoch, **{name: round(value, 6) for name, value in values.items()}}


def _progress(
    record: dict[str, float], weights: dict[str, float], n_epochs: int
) -> dict[str, float]:
    """Return an epoch's record for somebody who watches."""
    loss = sum(weight * record[name] for name, weight in weights.items())
    return {**record, "epoch": record["epoch"] + 1, "n_epochs": n_epochs, "loss": loss}
