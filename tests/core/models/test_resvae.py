"""The residual VAEs beyond the contract that every model keeps."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from resvae_core.encoders.catalog import load_encoder
from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.models.ablations import ABLATIONS
from resvae_core.models.base import MODEL_FILE, ResponseModel, Samples
from resvae_core.models.catalog import KINDS, build_model, load_model
from resvae_core.models.resvae import ResVAE, VaeLD, VaeLL, VaeLS
from resvae_core.models.resvae_config import FAITHFUL, STANDARD, ResVAEConfig
from resvae_core.networks.resvae import ResVAE as Network
from resvae_core.tables import Screen
from tests.core.conftest import SMALL_VAE, fit_small

Fitted = dict[str, ResponseModel]
Data = tuple[Samples, Screen]

PUBLISHED = {
    "vae_ll": ([3072, 1926, 850, 262], 421, torch.nn.LeakyReLU),
    "vae_ls": ([512, 1415, 1250, 1050, 293], 498, torch.nn.SiLU),
    "vae_ld": ([19264, 1664, 359], 421, torch.nn.SiLU),
}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_faithful_configuration_has_the_published_widths(kind: str) -> None:
    config = FAITHFUL[kind]
    widths, n_latent, activation = PUBLISHED[kind]
    with torch.device("meta"):
        network = Network(
            widths[0],
            72,
            hidden=config.hidden,
            n_latent=config.n_latent,
            activation=config.activation,
            head=config.head,
        )
    shapes = [(block.linear.in_features, block.linear.out_features) for block in network.encoder]
    assert shapes == list(pairwise(widths))
    assert network.mean.out_features == n_latent
    assert all(isinstance(block.activation, activation) for block in network.encoder)
    assert network.head.weight1.shape == (72, n_latent, n_latent // 2)
    assert config.target == "label"


def test_faithful_distillation_has_the_published_weights() -> None:
    training = FAITHFUL["vae_ld"].training
    assert (training.reconstruction_weight, training.cosine_weight) == (500, 158)
    assert training.latent_weight == training.response_distillation_weight == 0


def test_a_faithful_student_can_be_fitted_from_a_faithful_teacher(screen: Data) -> None:
    """On the shipped encoder in place of scFoundation, and with one epoch: it runs, no more."""
    samples, response = screen
    train = tuple(response.lines[:60])
    changes = {"training": {"n_epochs": 1}, "n_latent": 12, "hidden": [24]}
    parts = (samples.select(train), response.select(train))
    teacher_settings = asdict(FAITHFUL["vae_ll"]) | changes | {"encoder": "small"}
    teacher_settings["training"] = asdict(FAITHFUL["vae_ll"].training) | {"n_epochs": 1}
    teacher = VaeLL(teacher_settings, n_members=2).fit(*parts)
    settings = asdict(FAITHFUL["vae_ld"]) | changes
    settings["training"] = asdict(FAITHFUL["vae_ld"].training) | {"n_epochs": 1}
    student = VaeLD(settings, n_members=2)
    student.build_from({"vae_ll": teacher})
    prediction = student.fit(*parts).predict(samples)
    assert np.isfinite(prediction.log_odds.to_numpy()).all()
    assert prediction.ln_ic50.isna().to_numpy().all()  # a label's logit says nothing about ln IC50


def test_three_configurations_of_one_definition() -> None:
    for kind in (VaeLL, VaeLS, VaeLD):
        written = {name for name in vars(kind) if name != "__slotnames__"}  # left by copying one
        own = written - {"__module__", "__doc__", "__abstractmethods__", "_abc_impl"}
        assert own <= {"kind", "title", "standard", "teacher", "needs", "__annotations__"}
        assert issubclass(kind, ResVAE)
        assert kind().config == STANDARD[kind.kind]


def test_only_the_embedding_variants_load_an_encoder(fitted: Fitted) -> None:
    encoders = {kind: getattr(fitted[kind], "encoder_", None) for kind in PUBLISHED}
    names = {kind: encoder and encoder.name for kind, encoder in encoders.items()}
    assert names == {"vae_ll": "large", "vae_ls": "small", "vae_ld": None}


def test_a_model_of_another_encoder_is_refused(fitted: Fitted, tmp_path: Path) -> None:
    fitted["vae_ls"].save(tmp_path)
    path = tmp_path / MODEL_FILE
    document = json.loads(path.read_text(encoding="utf-8"))
    assert document["learned"]["encoder"]["digest"] == load_encoder("small").digest
    document["learned"]["encoder"]["digest"] = "0" * 64
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(ArtifactError, match="trained with another version of the encoder 'small'"):
        load_model(tmp_path)


def test_settings_that_do_not_exist_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"'depth' is no setting of ResVAEConfig"):
        VaeLD({"depth": 3})
    with pytest.raises(ConfigError, match=r"'epochs' is no setting of TrainingConfig"):
        VaeLD({"training": {"epochs": 3}})
    with pytest.raises(ConfigError, match="asked to read"):
        ResVAEConfig(channels=("pathways",))
    with pytest.raises(ConfigError, match="has no encoder"):
        ResVAEConfig(channels=("embedding",))
    with pytest.raises(ConfigError, match="'auc' is no target"):
        ResVAEConfig(target="auc")


def test_a_student_needs_a_teacher_of_the_same_folds(fitted: Fitted) -> None:
    with pytest.raises(ConfigError, match="distilled from 'vae_ll', which is missing"):
        VaeLD().build_from({})
    with pytest.raises(ConfigError, match="fitted on other folds than VAE_LD"):
        VaeLD(SMALL_VAE, n_members=4).build_from(fitted)


def test_every_network_of_a_member_counts(screen: Data) -> None:
    samples, response = screen
    settings = SMALL_VAE | {"n_networks": 2, "training": {"n_epochs": 2, "cosine_weight": 0.0}}
    settings["training"]["latent_weight"] = 0.0
    model = VaeLD(settings, n_members=2).fit(samples, response)
    z = model.inputs(samples)
    both = model._score_member(0, z)
    first, second = (
        np.asarray(network.response(torch.from_numpy(z)).detach()) for network in model.networks_[0]
    )
    assert not np.allclose(first, second)
    assert np.allclose(both, (first + second) / 2, atol=1e-6)


@pytest.mark.parametrize("kind", ABLATIONS)
def test_ablations_fit_and_predict(kind: str, screen: Data, fitted: Fitted) -> None:
    samples, response = screen
    train = tuple(response.lines[:120])
    changes = SMALL_VAE | {"training": {"n_epochs": 2}}
    model = ABLATIONS[kind](changes, n_members=3)
    model.build_from(fitted)
    model.fit(samples.select(train), response.select(train))
    log_odds = model.predict(samples).log_odds
    assert np.isfinite(log_odds.to_numpy()).all()
    assert kind not in KINDS
    assert build_model(kind).kind == kind


def test_the_random_encoder_differs_from_the_trained_one(screen: Data) -> None:
    trained, untrained = load_encoder("small"), load_encoder("small-untrained")
    assert trained.digest != untrained.digest
    assert trained.n_dimensions == untrained.n_dimensions
    one, other = (encoder.embed(screen[0].expression) for encoder in (trained, untrained))
    assert not np.allclose(one, other)


def test_fit_small_hands_parts_over(screen: Data) -> None:
    samples, response = screen
    student = fit_small("vae_ld", samples, response)
    assert isinstance(student, VaeLD)
    assert student.teacher_.kind == "vae_ll"
