"""How long a large network will take on a CPU, said before it starts."""

from __future__ import annotations

import time
import warnings

from resvae_core.errors import SlowComputationWarning

WARN_ABOVE_SECONDS = 30.0
# below this, no machine of our day takes long enough to warn; so nothing is timed
NEGLIGIBLE_FLOPS = 1e11
EFFICIENCY = 0.8
"""Share of the speed of a large matrix product that a whole transformer reaches
(``benchmarks/encoder_speed.md``)."""


def transformer_flops(n_tokens: int, width: int, feed_forward: int, n_layers: int) -> float:
    """Return the floating-point operations of one sequence through a transformer.

    Parameters
    ----------
    n_tokens
        Length of the sequence.
    width, feed_forward
        Widths of a token and of the hidden layer of the feed-forward network.
    n_layers
        Layers.
    """
    projections = 2 * n_tokens * width * (4 * width + 2 * feed_forward)
    attention = 4 * n_tokens**2 * width
    return float(n_layers) * (projections + attention)


def warn_if_slow(flops: float, name: str, n_samples: int) -> None:
    """Warn where a computation on the CPU will take more than half a minute.

    The speed of this machine is measured by a matrix product, which takes a fraction of a second.

    Parameters
    ----------
    flops
        Floating-point operations in all.
    name
        What computes, for the message.
    n_samples
        Samples, for the message.
    """
    if flops < NEGLIGIBLE_FLOPS:
        return
    seconds = flops / (EFFICIENCY * matrix_product_speed())
    if seconds > WARN_ABOVE_SECONDS:
        warnings.warn(
            f"{name} on the CPU: about {_in_words(seconds)} for {n_samples} sample(s). "
            "A GPU does this in seconds.",
            SlowComputationWarning,
            stacklevel=3,
        )


def matrix_product_speed() -> float:
    """Return the floating-point operations a second of a product of large matrices."""
    import torch

    left, right = torch.ones(1024, 768), torch.ones(768, 3072)
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        left @ right
        best = min(best, time.perf_counter() - start)
    return 2 * 1024 * 768 * 3072 / best


def _in_words(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} seconds"
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours"
