"""Integrated gradients of the Res VAE, to genes.

Sundararajan et al., ICML 2017: the gradients along the straight path from a background to the
sample, times the way that each gene goes. They add up to the difference of the two scores as far as
the path is sampled finely enough, so it is sampled more finely where they do not.

Gradients pass through the expression encoder where there is one. What a gene's rank within the
sample adds is counted to that gene. All members and all drugs share the forward pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resvae_core.compute import in_batches
from resvae_core.models.base import Samples
from resvae_core.models.calibrated import Array
from resvae_core.models.resvae import GeneFunction, ResVAE
from resvae_core.tables import Expression

if TYPE_CHECKING:
    import torch

N_NODES = 20
"""Points (Gauss and Legendre) on a piece of the path; the first piece is the whole path."""
ACCEPTED_GAP = 2e-4
"""Gap of a score (standardised ln IC50, or logit) that no more points are spent on. Calibration
stretches a score at most fourfold, which leaves it below 1e-3 log-odds."""
SMALLEST_GAP = 1e-5
"""Gap that single precision cannot tell from none."""
MAX_HALVINGS = 10
"""Halvings of a piece, at most: what is left of a bend in the function is a millionth then."""
N_POINTS = 256
"""Points that gradients are taken at in one go: what the processor's caches hold."""


@dataclass(frozen=True)
class _Path:
    """Where integration starts and ends, first axis = samples."""

    start: torch.Tensor  # (n_samples, k · n_genes)
    end: torch.Tensor  # (n_samples, k · n_genes)
    measured: torch.Tensor  # (n_samples, n_genes), 1 or 0

    def __getitem__(self, rows: NDArray[np.intp]) -> _Path:
        return _Path(self.start[rows], self.end[rows], self.measured[rows])

    def points(self, where: Array) -> torch.Tensor:
        """Return (n_samples · n, features) n points of each path, at shares (n_samples, n) of it.

        Each is reckoned from the nearer end, so that both ends are met to the last digit.
        """
        import torch

        share = torch.from_numpy(where.astype(np.float32))[:, :, None]
        start, end = self.start[:, None], self.end[:, None]  # (n_samples, 1, features)
        return torch.lerp(start, end, share).flatten(0, 1)


def explain_networks(
    model: ResVAE, samples: Samples, drugs: Sequence[int], background: Expression | None = None
) -> tuple[Array, Array]:
    """Attribute the mean score of the members to genes.

    Parameters
    ----------
    model
        Fitted.
    samples
        What is explained.
    drugs
        Positions of drugs in the model's order.
    background
        One profile; every gene and every rank at the reference's mean where None. A gene that it
        lacks is at that mean. The encoder sees of it the genes that the sample has.

    Returns
    -------
    values
        (n_drugs, n_samples, n_genes).
    base
        (n_drugs, n_samples).
    """
    function = model.gene_function(samples.reference)

    def respond(features: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        return function(features, measured).mean(dim=0)[:, list(drugs)]

    values, base = _integrate(respond, _path(model, samples, background))
    return _by_gene(values, model), base


def explain_network_members(
    model: ResVAE, samples: Samples, drug: int, background: Expression | None = None
) -> Array:
    """Return (n_members, n_samples, n_genes) attributions of each member's score of one drug."""
    function = model.gene_function(samples.reference)

    def respond(features: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
        return function(features, measured)[:, :, drug].T

    return _by_gene(_integrate(respond, _path(model, samples, background))[0], model)


def _path(model: ResVAE, samples: Samples, background: Expression | None) -> _Path:
    import torch

    end = torch.from_numpy(model.gene_features(samples))
    measured = samples.expression.values.reindex(columns=list(model.genes_)).notna()
    start = torch.zeros_like(end)
    if background is not None:
        profile = Samples(background, reference=samples.reference)
        start = torch.from_numpy(model.gene_features(profile)).expand_as(end)
    return _Path(start, end, torch.from_numpy(measured.to_numpy(np.float32)))


def _by_gene(values: Array, model: ResVAE) -> Array:
    """Add up a gene's channels: (n, n_samples, k · n_genes) becomes (n, n_samples, n_genes)."""
    folded: Array = values.reshape(*values.shape[:2], -1, len(model.genes_)).sum(axis=2)
    return folded


def _integrate(function: GeneFunction, path: _Path) -> tuple[Array, Array]:
    """Integrate the gradients of every target of a function.

    A piece of the path whose integral misses the difference of the function at its two ends is
    halved: where the function bends (values that the encoder clips, ReLU), pieces become short.

    Parameters
    ----------
    function
        From features and what was measured to (n_samples, n_targets).
    path
        From where to where.

    Returns
    -------
    values
        (n_targets, n_samples, n_features).
    base
        (n_targets, n_samples) the function where the path starts.
    """
    pieces = _Pieces.whole(function, path)
    base = pieces.at_start
    values = np.zeros((*base.shape, path.end.shape[1]))
    for n_halved in range(MAX_HALVINGS + 1):
        found = _gradients_times_way(function, path, pieces)
        gap = np.abs(found.sum(axis=2) - (pieces.at_stop - pieces.at_start))
        accepted = gap <= max(ACCEPTED_GAP / 2**n_halved, SMALLEST_GAP)
        settled = pieces.wanted & (accepted | (n_halved == MAX_HALVINGS))
        for target, chosen in enumerate(settled):
            np.add.at(values[target], pieces.row[chosen], found[target, chosen])
        open_ = pieces.wanted & ~settled
        if not open_.any():
            break
        pieces = pieces.halve(function, path, open_)
    return values, base


@dataclass(frozen=True)
class _Pieces:
    """Pieces of the paths of samples, all of the same length.

    Parameters
    ----------
    row
        (n_pieces,) sample whose path it is a piece of.
    start, stop
        (n_pieces,) share of the path where it starts and stops.
    at_start, at_stop
        (n_targets, n_pieces) the function there.
    wanted
        (n_targets, n_pieces) targets that have not been integrated with a longer piece.
    """

    row: NDArray[np.intp]
    start: Array
    stop: Array
    at_start: Array
    at_stop: Array
    wanted: NDArray[np.bool_]

    @classmethod
    def whole(cls, function: GeneFunction, path: _Path) -> _Pieces:
        """Return one piece a sample."""
        n = len(path.end)
        row, start, stop = np.arange(n), np.zeros(n), np.ones(n)
        ends = (_evaluate(function, path, row, where) for where in (start, stop))
        at_start, at_stop = ends
        return cls(row, start, stop, at_start, at_stop, np.ones(at_start.shape, bool))

    def halve(self, function: GeneFunction, path: _Path, open_: NDArray[np.bool_]) -> _Pieces:
        """Return the two halves of every piece that is open for some target."""
        kept = open_.any(axis=0)
        row, start, stop = self.row[kept], self.start[kept], self.stop[kept]
        at_start, at_stop, open_ = self.at_start[:, kept], self.at_stop[:, kept], open_[:, kept]
        middle = (start + stop) / 2
        at_middle = _evaluate(function, path, row, middle)
        return _Pieces(
            np.concatenate([row, row]),
            np.concatenate([start, middle]),
            np.concatenate([middle, stop]),
            np.concatenate([at_start, at_middle], axis=1),
            np.concatenate([at_middle, at_stop], axis=1),
            np.concatenate([open_, open_], axis=1),
        )


def _evaluate(function: GeneFunction, path: _Path, row: NDArray[np.intp], where: Array) -> Array:
    """Return (n_targets, n) values of a function, each at one point of a sample's path."""
    import torch

    def run(first: int, last: int) -> NDArray[np.float32]:
        chosen = path[row[first:last]]
        with torch.inference_mode():
            points = chosen.points(where[first:last, None])
            found: NDArray[np.float32] = function(points, chosen.measured).numpy()
            return found

    return np.concatenate(in_batches(len(row), N_POINTS, run)).T.astype(float)


def _gradients_times_way(function: GeneFunction, path: _Path, pieces: _Pieces) -> Array:
    """Return (n_targets, n_pieces, n_features) integrals over pieces."""
    import torch

    nodes, weights = np.polynomial.legendre.leggauss(N_NODES)  # on [-1, 1]
    length = pieces.stop - pieces.start
    where = pieces.start[:, None] + length[:, None] * (nodes + 1) / 2  # (n_pieces, N_NODES)
    weight = torch.from_numpy((length[:, None] * weights / 2).astype(np.float32))

    def run(first: int, last: int) -> Array:
        chosen = path[pieces.row[first:last]]
        points = chosen.points(where[first:last]).requires_grad_()
        measured = chosen.measured.repeat_interleave(N_NODES, dim=0)
        totals = function(points, measured).sum(dim=0)  # (n_targets,)
        means = []
        for number, total in enumerate(totals):
            keep = number + 1 < len(totals)
            (slopes,) = torch.autograd.grad(total, points, retain_graph=keep)
            slopes = slopes.reshape(last - first, N_NODES, -1)
            means.append(torch.einsum("psf,ps->pf", slopes, weight[first:last]))
        way = chosen.end - chosen.start
        return (torch.stack(means) * way).numpy().astype(float)

    batch = max(1, N_POINTS // N_NODES)
    return np.concatenate(in_batches(len(pieces.row), batch, run), axis=1)
