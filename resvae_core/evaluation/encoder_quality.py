"""How good a pretrained encoder is: what it can predict of hidden genes, and of drug response."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.compute import derive_seed
from resvae_core.data.pretraining_profiles import CELL_LINES
from resvae_core.data.splits import Fold
from resvae_core.encoders.base import Encoder
from resvae_core.evaluation.linear_probe import Features, mean_by_drug, probe
from resvae_core.features.genes import arrange
from resvae_core.features.scaling import Moments
from resvae_core.networks.masked_autoencoder import MaskedAutoencoder
from resvae_core.tables import Expression, Screen
from resvae_core.training.pretraining import Corpus

HIDDEN_SHARE = 0.3
"""Share of the measured genes of a held-out profile that is hidden."""
MAXIMAL_CHECK = 150
"""Training profiles, at most, on which width and ridge of the PCA are chosen."""
PCA_WIDTHS = (16, 32, 64, 128, 256)
PCA_PENALTIES = (1.0, 3.0, 10.0, 30.0, 100.0)

Array = NDArray[np.float64]


def reconstruction(network: MaskedAutoencoder, corpus: Corpus, *, seed: int = 0) -> pd.DataFrame:
    """Compare what is predicted of hidden genes with the truth, on held-out profiles.

    Parameters
    ----------
    network
        In eval mode, on any device.
    corpus
        What it was trained on, with its held-out profiles.
    seed
        Of the choice of hidden genes (30 %).

    Returns
    -------
    pd.DataFrame
        One row a kind of profile (``cell lines``, ``tumours, log2(TPM + 1)``, ``tumours,
        z-scores``) and method (``mean``, ``pca, same kind``, ``pca, all kinds``, ``encoder``):
        ``n_profiles`` and ``r2``, 1 minus squared error over that of predicting 0, the
        reference's mean. PCA is fitted on the training profiles, of the same kind (which the
        encoder is not told) or of all; its width and the ridge on the visible genes are chosen on
        a tenth of them, at most 150.
    """
    records = []
    for kind, rows in _kinds(corpus).items():
        held_out = np.intersect1d(corpus.held_out, rows)
        training = np.intersect1d(corpus.training, rows)
        if not len(held_out) or len(training) < 2:
            continue
        x, measured = corpus.z[held_out].astype(float), corpus.measured[held_out] > 0
        hidden = _hide(measured, derive_seed("reconstruction", kind, seed))
        predictions = {
            "mean": np.zeros_like(x),
            "pca, same kind": _impute(corpus, training, x, measured & ~hidden, seed),
            "pca, all kinds": _impute(corpus, corpus.training, x, measured & ~hidden, seed),
            "encoder": _predict(network, x, measured & ~hidden),
        }
        for method, predicted in predictions.items():
            r2 = _r2(x, predicted, hidden)
            records.append({"kind": kind, "method": method, "n_profiles": len(x), "r2": r2})
    return pd.DataFrame(records)


def linear_probes(
    encoder: Encoder, expression: Expression, screen: Screen, folds: Sequence[Fold]
) -> pd.DataFrame:
    """Judge an encoder by ridge regression to ln IC50, beside PCA and the genes themselves.

    Parameters
    ----------
    encoder
        A pretrained encoder.
    expression
        The screen's lines in their order.
    screen, folds
        As for `linear_probe.probe`.

    Returns
    -------
    pd.DataFrame
        One row a ``representation``, means over drugs of the metrics. PCA and moments of the genes
        are fitted on the training lines of each fold; the encoder is what it is.
    """
    embedding = encoder.embed(expression).astype(float)
    values = arrange(expression, encoder.genes)

    def genes(train: NDArray[np.int_]) -> Array:
        return Moments.of(values[train]).standardise(values).astype(float)

    def components(train: NDArray[np.int_]) -> Array:
        scaled = genes(train)
        return scaled @ principal_axes(scaled[train], encoder.n_dimensions).T

    representations: dict[str, Features] = {
        "embedding": lambda train: [embedding],
        "genes": lambda train: [genes(train)],
        "genes + embedding": lambda train: [genes(train), embedding],
        "pca of equal width, training lines": lambda train: [components(train)],
    }
    means = {
        name: mean_by_drug(probe(features, screen, folds)).mean()
        for name, features in representations.items()
    }
    return pd.DataFrame(means).T.rename_axis("representation").reset_index()


def principal_axes(x: Array, n: int) -> Array:
    """Return the first axes, (n or fewer, n_features), of rows that are centred first."""
    axes: Array = np.linalg.svd(x - x.mean(axis=0), full_matrices=False)[2]
    return axes[:n]


def _kinds(corpus: Corpus) -> dict[str, NDArray[np.int_]]:
    lines = corpus.group == CELL_LINES
    plain = corpus.form == "log2tpm"
    return {
        "cell lines": np.flatnonzero(lines),
        "tumours, log2(TPM + 1)": np.flatnonzero(plain & ~lines),
        "tumours, z-scores": np.flatnonzero(~plain),
    }


def _hide(measured: NDArray[np.bool_], seed: int) -> NDArray[np.bool_]:
    drawn = np.random.default_rng(seed).random(measured.shape) < HIDDEN_SHARE
    return np.asarray(measured & drawn)


def _r2(x: Array, predicted: Array, hidden: NDArray[np.bool_]) -> float:
    return float(1 - np.square(x - predicted)[hidden].sum() / np.square(x)[hidden].sum())


def _predict(network: MaskedAutoencoder, x: Array, visible: NDArray[np.bool_]) -> Array:
    import torch

    device = network.output.device
    inputs = (torch.from_numpy(a.astype(np.float32)).to(device) for a in (x, visible))
    with torch.inference_mode():
        predicted: Array = network(*inputs).cpu().numpy().astype(float)
    return predicted


def _impute(
    corpus: Corpus, training: NDArray[np.int_], x: Array, visible: NDArray[np.bool_], seed: int
) -> Array:
    """Predict all genes from the visible ones by ridge in the space of the best PCA."""
    rng = np.random.default_rng(derive_seed("pca width", seed))
    shuffled = rng.permutation(training)
    n_check = min(max(1, len(training) // 10), MAXIMAL_CHECK)
    check, fit = shuffled[:n_check], shuffled[n_check:]
    truth, measured = corpus.z[check].astype(float), corpus.measured[check] > 0
    hidden = _hide(measured, derive_seed("pca check", seed))
    best, chosen = -np.inf, (PCA_WIDTHS[0], PCA_PENALTIES[0])
    axes, mean, spread = _components(corpus.z[fit].astype(float))
    for width in PCA_WIDTHS:
        for penalty in PCA_PENALTIES:
            parts = (axes[:width], mean, spread[:width])
            found = _r2(truth, _fill(truth, measured & ~hidden, *parts, penalty), hidden)
            if found > best:
                best, chosen = found, (width, penalty)
    axes, mean, spread = _components(corpus.z[training].astype(float))
    width, penalty = chosen
    return _fill(x, visible, axes[:width], mean, spread[:width], penalty)


def _components(x: Array) -> tuple[Array, Array, Array]:
    """Return axes, mean and variance along each axis."""
    mean = x.mean(axis=0)
    _, singular, axes = np.linalg.svd(x - mean, full_matrices=False)
    return axes, mean, np.square(singular) / len(x)


def _fill(
    x: Array,
    visible: NDArray[np.bool_],
    axes: Array,
    mean: Array,
    spread: Array,
    penalty: float,
) -> Array:
    """Return the mean plus the axes times scores that a ridge finds from the visible genes."""
    filled = np.empty_like(x)
    prior = np.diag(penalty / np.maximum(spread, 1e-9))
    for row, (values, seen) in enumerate(zip(x, visible, strict=True)):
        part = axes[:, seen]
        scores = np.linalg.solve(part @ part.T + prior, part @ (values[seen] - mean[seen]))
        filled[row] = mean + scores @ axes
    return filled
