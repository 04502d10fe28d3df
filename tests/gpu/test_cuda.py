from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resvae_core.models.base import MODEL_FILE, WEIGHTS_FILE, Samples
from resvae_core.models.resvae import ResVAE
from resvae_core.tables import Screen
from tests.core.conftest import SMALL_MODELS, synthetic_screen

TOLERANCE = 1e-4
"""Largest difference of a probability between CPU and CUDA."""

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def cuda() -> str:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return "cuda"


@pytest.fixture(scope="module")
def screen() -> tuple[Samples, Screen]:
    return synthetic_screen()


def test_cpu_and_cuda_predict_the_same(
    cuda: str, screen: tuple[Samples, Screen], tmp_path: Path
) -> None:
    samples, response = screen
    model = SMALL_MODELS["resvae"]()
    model.device = "cpu"
    model.fit(samples, response).save(tmp_path)
    assert (tmp_path / MODEL_FILE).is_file()
    assert (tmp_path / WEIGHTS_FILE).is_file()
    loaded = ResVAE.load(tmp_path)
    assert next(loaded.networks_[0].parameters()).device.type == cuda
    difference = model.predict(samples).probability - loaded.predict(samples).probability
    assert np.abs(difference.to_numpy()).max() <= TOLERANCE


def test_trains_on_cuda(cuda: str, screen: tuple[Samples, Screen]) -> None:
    samples, response = screen
    model = SMALL_MODELS["resvae"]()
    model.device = cuda
    probability = model.fit(samples, response).predict(samples).probability.to_numpy()
    assert np.isfinite(probability).all()
