"""The estimate that is told before a network runs on a CPU."""

from __future__ import annotations

import warnings

import pytest

from resvae_core.encoders import cost
from resvae_core.encoders.cost import transformer_flops, warn_if_slow
from resvae_core.errors import SlowComputationWarning


def test_operations_of_a_small_transformer_by_hand() -> None:
    # 3 tokens, width 2, hidden 5: a multiplication and an addition for each weight and token
    # (q, k, v, output: 4 × 4; feed-forward: 2 × 10), and scores and mixing: 2 × 3 × 3 × 2 each
    assert transformer_flops(3, 2, 5, n_layers=1) == 2 * 3 * (16 + 20) + 2 * (2 * 3 * 3 * 2)
    assert transformer_flops(3, 2, 5, n_layers=4) == 4 * transformer_flops(3, 2, 5, n_layers=1)


def test_long_computation_is_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "matrix_product_speed", lambda: 1e11)
    seconds = {8e12: "100 seconds", 8e13: "17 minutes", 8e15: "28 hours"}
    for flops, words in seconds.items():
        with pytest.warns(SlowComputationWarning, match=f"about {words} for 7 sample"):
            warn_if_slow(flops, "scFoundation", 7)


def test_short_computation_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost, "matrix_product_speed", lambda: 1e11)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warn_if_slow(1e12, "Geneformer", 1)
        warn_if_slow(1e9, "Geneformer", 1)


def test_speed_of_this_machine_is_measured() -> None:
    assert 1e8 < cost.matrix_product_speed() < 1e15
