"""What needs a CUDA device: agreement with the CPU, training, and memory that runs out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.compute import choose_device, describe_device, in_batches
from resvae_core.data.pretraining_profiles import PretrainingProfiles, ProfileGroup
from resvae_core.encoders.catalog import load_encoder
from resvae_core.encoders.shipped import Architecture
from resvae_core.errors import DeviceError
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.catalog import KINDS, load_model
from resvae_core.models.gradient_boosting import fitting_device
from resvae_core.models.resvae import ResVAE
from resvae_core.tables import Screen
from tests.core.conftest import SMALL_MODELS, fit_small, synthetic_screen

TOLERANCE = 1e-4
"""Largest difference of a probability between CPU and CUDA."""
EMBEDDING_TOLERANCE = 1e-3
"""Largest difference of an embedding between CPU and CUDA, as a share of its largest value."""

NETWORKS = [kind for kind, model in KINDS.items() if issubclass(model, ResVAE)]
Data = tuple[Samples, Screen]

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def cuda() -> str:
    """Return ``cuda``; tests that take it skip where there is no such device."""
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, and torch finds none here")
    return "cuda"


@pytest.fixture(scope="module")
def screen() -> Data:
    return synthetic_screen()


@pytest.fixture(scope="module")
def fitted_on_cpu(cuda: str, screen: Data) -> dict[str, ResponseModel]:
    """Return every network kind fitted on the CPU."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RESVAE_DEVICE", "cpu")
        models: dict[str, ResponseModel] = {}
        for kind in NETWORKS:
            models[kind] = fit_small(kind, *screen, models)
    return models


@pytest.mark.parametrize("kind", NETWORKS)
def test_cpu_and_cuda_predict_the_same(
    kind: str, cuda: str, fitted_on_cpu: dict[str, ResponseModel], screen: Data, tmp_path: Path
) -> None:
    samples, model = screen[0], fitted_on_cpu[kind]
    model.save(tmp_path)
    loaded = load_model(tmp_path)
    assert isinstance(model, ResVAE)
    assert isinstance(loaded, ResVAE)
    assert device_of(model) == "cpu"
    assert device_of(loaded) == cuda
    difference = model.predict(samples).probability - loaded.predict(samples).probability
    assert np.abs(difference.to_numpy()).max() <= TOLERANCE


def device_of(model: ResVAE) -> str:
    return str(next(model.networks_[0][0].parameters()).device.type)


@pytest.mark.parametrize("kind", NETWORKS)
def test_trains_on_cuda(kind: str, cuda: str, screen: Data) -> None:
    samples, response = screen
    model = fit_small(kind, samples, response)
    assert isinstance(model, ResVAE)
    assert device_of(model) == cuda
    log_odds = model.predict(samples).log_odds
    assert np.isfinite(log_odds.to_numpy()).all()
    assert mean_roc_auc(log_odds, response) > 0.65


def mean_roc_auc(score: pd.DataFrame, response: Screen) -> float:
    """Return how well training lines are ranked, over drugs: by chance 0.5."""
    from sklearn.metrics import roc_auc_score

    labels = response.resistant
    return float(
        np.mean([roc_auc_score(labels[d].dropna(), score.loc[labels[d].notna(), d]) for d in score])
    )


@pytest.mark.parametrize("name", ["large", "small"])
def test_shipped_encoders_embed_the_same_on_cpu_and_cuda(
    name: str, cuda: str, screen: Data
) -> None:
    expression = screen[0].expression
    on_cpu = load_encoder(name, device="cpu").embed(expression)
    on_cuda = load_encoder(name, device=cuda).embed(expression)
    assert np.abs(on_cpu - on_cuda).max() <= EMBEDDING_TOLERANCE * np.abs(on_cpu).max()


def test_pretraining_learns_on_cuda(cuda: str) -> None:
    from resvae_core.training.pretraining import PretrainingConfig, prepare, pretrain

    rng = np.random.default_rng(0)
    genes = tuple(f"G{number:02d}" for number in range(30))
    values = 5 + rng.normal(size=(120, 3)) @ rng.normal(size=(3, 30))
    table = pd.DataFrame(values, [f"P{number}" for number in range(120)], list(genes))
    profiles = PretrainingProfiles(genes, (ProfileGroup("LUAD", "log2tpm", table),))
    architecture = Architecture(n_dimensions=4, width=16, hidden=32, n_blocks=1, n_values=3)
    config = PretrainingConfig(architecture, n_epochs=20, batch_size=32)
    trained = pretrain(config, prepare(profiles, config), device=cuda)
    losses = [record["loss"] for record in trained.history]
    assert next(trained.network.parameters()).device.type == cuda
    assert np.isfinite(losses).all()
    assert losses[-1] < 0.8 * losses[0]


def test_memory_that_runs_out_halves_the_batch(cuda: str) -> None:
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    done: list[tuple[int, int]] = []

    def run(start: int, stop: int) -> int:
        # a row takes a quarter of the device's memory: 16, 8 and 4 rows cannot fit
        filled = torch.empty((stop - start) * (total // 4), dtype=torch.uint8, device=cuda)
        done.append((start, stop))
        return int(filled.shape[0] // (total // 4))

    assert sum(in_batches(16, 16, run)) == 16
    assert max(stop - start for start, stop in done) <= 2
    assert [start for start, _ in done] == [0, *(stop for _, stop in done[:-1])]


def test_memory_that_holds_no_row_is_an_error(cuda: str) -> None:
    import torch

    total = torch.cuda.get_device_properties(0).total_memory
    with pytest.raises(DeviceError, match="for a single sample"):
        in_batches(4, 4, lambda a, b: torch.empty(2 * total, dtype=torch.uint8, device=cuda))
    assert torch.ones(3, device=cuda).sum() == 3  # the device is usable afterwards


def test_auto_chooses_cuda_and_names_it(cuda: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RESVAE_DEVICE", raising=False)
    assert choose_device().type == cuda
    assert describe_device(choose_device()).endswith("(cuda)")
    monkeypatch.setenv("RESVAE_DEVICE", "cpu")
    assert choose_device().type == "cpu"


def test_xgboost_fits_on_cuda_and_predicts_as_saved(
    cuda: str, screen: Data, tmp_path: Path
) -> None:
    xgboost = pytest.importorskip("xgboost")
    if not xgboost.build_info()["USE_CUDA"]:
        pytest.skip("needs a build of XGBoost with CUDA; this one has none")
    samples, response = screen
    assert fitting_device("auto") == cuda
    model = SMALL_MODELS["xgboost"]()
    model.device = cuda
    probability = model.fit(samples, response).predict(samples).probability
    assert mean_roc_auc(probability, response) > 0.75
    model.save(tmp_path)
    pd.testing.assert_frame_equal(load_model(tmp_path).predict(samples).probability, probability)
