from __future__ import annotations

import numpy as np
import pytest
import torch

from resvae_core.errors import ConfigError, TrainingDivergedError
from resvae_core.networks.resvae import ResVAE
from resvae_core.training.config import TrainingConfig
from resvae_core.training.distillation import ask_teacher
from resvae_core.training.loop import fit_network


def data(n: int = 90) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    z = rng.normal(size=(n, 15)).astype(np.float32)
    target = np.column_stack([z[:, 0] - z[:, 1], z[:, 2]]) + rng.normal(0, 0.1, (n, 2))
    target[rng.random(target.shape) < 0.2] = np.nan
    return z, target


def network() -> ResVAE:
    torch.manual_seed(1)
    return ResVAE(15, 2, hidden=(16, 8), n_latent=4)


def test_loss_falls_and_the_network_is_left_frozen() -> None:
    z, target = data()
    fitted = network()
    config = TrainingConfig(n_epochs=40, input_dropout=0.0)
    history = fit_network(fitted, z, target, config, seed=0)
    assert [record["epoch"] for record in history] == list(range(40))
    assert history[-1]["response"] < 0.5 * history[0]["response"]
    assert not fitted.training
    before = fitted.encoder[0].norm.running_mean.clone()
    fitted.response(torch.from_numpy(z))
    assert torch.equal(before, fitted.encoder[0].norm.running_mean)


def test_same_seed_same_weights() -> None:
    z, target = data()
    states = []
    for _ in range(2):
        fitted = network()
        torch.manual_seed(7)
        fit_network(fitted, z, target, TrainingConfig(n_epochs=5), seed=3)
        states.append(fitted.state_dict())
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])


def test_divergence_names_the_epoch() -> None:
    z, target = data()
    z[0, 0] = np.inf
    with pytest.raises(TrainingDivergedError, match="The loss is not finite in epoch 0"):
        fit_network(network(), z, target, TrainingConfig(n_epochs=3), seed=0)


def test_a_distilled_student_comes_close_to_its_teacher() -> None:
    z, target = data(200)
    teacher = network()
    fit_network(teacher, z, target, TrainingConfig(n_epochs=40, input_dropout=0.0), seed=0)
    said = ask_teacher(teacher, torch.from_numpy(z))
    unexplained = []
    for weight in (0.0, 5.0):
        torch.manual_seed(2)
        student = ResVAE(15, 2, hidden=(16, 8), n_latent=4)
        config = TrainingConfig(n_epochs=60, input_dropout=0.0, latent_weight=weight)
        fit_network(student, z, target, config, seed=0, teacher=said)
        with torch.inference_mode():
            error = (student.latent(torch.from_numpy(z)) - said.mean).square().mean()
        unexplained.append(float(error / said.mean.var()))
    assert unexplained[1] < 0.2 < unexplained[0]


def test_the_teacher_is_not_changed_by_its_student() -> None:
    z, target = data()
    teacher = network()
    fit_network(teacher, z, target, TrainingConfig(n_epochs=3), seed=0)
    before = {name: value.clone() for name, value in teacher.state_dict().items()}
    said = ask_teacher(teacher, torch.from_numpy(z))
    config = TrainingConfig(n_epochs=3, cosine_weight=1.0, response_distillation_weight=1.0)
    history = fit_network(network(), z, target, config, seed=0, teacher=said)
    assert all(torch.equal(v, before[name]) for name, v in teacher.state_dict().items())
    assert {"cosine", "latent", "response_distillation"} <= set(history[0])


def test_distilling_without_a_fitting_teacher_is_refused() -> None:
    z, target = data()
    config = TrainingConfig(n_epochs=1, cosine_weight=1.0)
    with pytest.raises(ConfigError, match="no teacher was given"):
        fit_network(network(), z, target, config, seed=0)
    wide = ResVAE(15, 2, hidden=(16, 8), n_latent=6)
    said = ask_teacher(wide, torch.from_numpy(z))
    with pytest.raises(ConfigError, match="has 6 dimensions, the student's 4"):
        fit_network(network(), z, target, config, seed=0, teacher=said)
