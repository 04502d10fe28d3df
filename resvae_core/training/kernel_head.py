"""Fitting the kernel head: one regularised linear system a drug, in closed form."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from resvae_core.networks.heads import KernelHead

Array = NDArray[np.float64]


def fit_kernel_head(z: Array, target: Array, *, ridge: float) -> KernelHead:
    """Fit kernel ridge regressions that share one kernel.

    Parameters
    ----------
    z
        (n_lines, n_latent) latent means of the training lines.
    target
        (n_lines, n_drugs) standardised responses, NaN where not measured: such a line has no weight
        in that drug's regression.
    ridge
        Added to the kernel's diagonal, which is 1.

    Returns
    -------
    KernelHead
        Its scale is the median distance between two training lines.
    """
    distance = np.sqrt(np.maximum(_squared_distances(z), 0.0))
    scale = float(np.median(distance[np.triu_indices(len(z), k=1)])) or 1.0
    kernel = np.exp(-distance / scale)
    head = KernelHead(len(z), z.shape[1], target.shape[1])
    weight, bias = np.zeros(target.shape), np.zeros(target.shape[1])
    for drug in range(target.shape[1]):
        measured = np.flatnonzero(~np.isnan(target[:, drug]))
        bias[drug] = target[measured, drug].mean()
        system = kernel[np.ix_(measured, measured)] + ridge * np.eye(len(measured))
        weight[measured, drug] = np.linalg.solve(system, target[measured, drug] - bias[drug])
    state = {"support": z, "weight": weight, "bias": bias, "scale": np.array(scale)}
    head.load_state_dict({name: torch.from_numpy(v).float() for name, v in state.items()})
    return head


def _squared_distances(z: Array) -> Array:
    squares = np.square(z).sum(axis=1)
    distances: Array = squares[:, None] + squares[None, :] - 2 * z @ z.T
    np.fill_diagonal(distances, 0.0)
    return distances
