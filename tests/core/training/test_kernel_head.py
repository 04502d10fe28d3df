from __future__ import annotations

import numpy as np
import torch
from sklearn.kernel_ridge import KernelRidge

from resvae_core.networks.heads import KernelHead
from resvae_core.training.kernel_head import fit_kernel_head


def data() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(60, 7))
    target = np.column_stack([np.sin(z[:, 0]), z[:, 1] * z[:, 2]])
    return z, target + rng.normal(0, 0.1, target.shape)


def respond(head: KernelHead, z: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return np.asarray(head(torch.from_numpy(z).float()))


def test_kernel_head_matches_sklearn_kernel_ridge() -> None:
    z, target = data()
    head = fit_kernel_head(z, target, ridge=0.3)
    distance = np.linalg.norm(z[:, None] - z[None, :], axis=2)
    kernel = np.exp(-distance / float(head.scale))
    oracle = KernelRidge(alpha=0.3, kernel="precomputed").fit(kernel, target - target.mean(axis=0))
    expected = oracle.predict(kernel) + target.mean(axis=0)
    assert np.abs(respond(head, z) - expected).max() < 1e-4


def test_scale_is_the_median_distance_of_two_lines() -> None:
    z, target = data()
    distance = np.linalg.norm(z[:, None] - z[None, :], axis=2)
    expected = np.median(distance[np.triu_indices(60, k=1)])
    assert np.isclose(float(fit_kernel_head(z, target, ridge=0.3).scale), expected, rtol=1e-6)


def test_an_unmeasured_pair_has_no_weight_and_no_influence() -> None:
    z, target = data()
    target[40:, 1] = np.nan
    head = fit_kernel_head(z, target, ridge=0.3)
    assert np.all(head.weight[40:, 1].numpy() == 0)
    # the scale is that of all lines; with it, the drug's weights are those of its own lines
    kernel = np.exp(-np.linalg.norm(z[:40, None] - z[None, :40], axis=2) / float(head.scale))
    centred = target[:40, 1] - target[:40, 1].mean()
    expected = np.linalg.solve(kernel + 0.3 * np.eye(40), centred)
    assert np.abs(head.weight[:40, 1].numpy() - expected).max() < 1e-4


def test_far_from_every_line_it_answers_the_drugs_mean() -> None:
    z, target = data()
    head = fit_kernel_head(z, target, ridge=0.3)
    assert np.allclose(respond(head, np.full((1, 7), 1e3)), target.mean(axis=0), atol=1e-6)


def test_an_unfitted_head_has_no_support_and_answers_zero() -> None:
    assert torch.equal(KernelHead(0, 5, 3)(torch.randn(4, 5)), torch.zeros(4, 3))
