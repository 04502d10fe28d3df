from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resvae_core.errors import ConfigError
from resvae_core.networks.heads import PerDrugHeads, build_head
from resvae_core.networks.losses import distillation_loss, kl_divergence, resvae_loss
from resvae_core.networks.residual import Frozen, ResidualBlock
from resvae_core.networks.resvae import ResVAE


@pytest.fixture
def network() -> ResVAE:
    torch.manual_seed(0)
    return ResVAE(20, 3, hidden=(12, 8), n_latent=5, dropout=0.2)


def test_shapes(network: ResVAE) -> None:
    output = network(torch.randn(7, 20))
    assert output.reconstruction.shape == (7, 20)
    assert output.mean.shape == output.log_variance.shape == (7, 5)
    assert output.response.shape == (7, 3)


def test_inference_uses_the_latent_mean_and_never_draws(network: ResVAE) -> None:
    network.eval()
    x = torch.randn(4, 20)
    assert torch.equal(network(x).response, network(x).response)
    assert torch.equal(network(x).response, network.response(x))


def test_training_draws_the_latent(network: ResVAE) -> None:
    network.train()
    x = torch.randn(4, 20)
    assert not torch.equal(network(x).reconstruction, network(x).reconstruction)


def test_block_is_activation_of_norm_plus_skip() -> None:
    block = ResidualBlock(6, 6).eval()
    x = torch.randn(5, 6)
    expected = torch.nn.functional.silu(block.norm(block.linear(x))) + x
    assert torch.allclose(block(x), expected)
    assert isinstance(ResidualBlock(6, 4).skip, torch.nn.Linear)


@settings(deadline=None)
@given(
    mean=st.floats(-5, 5, allow_nan=False),
    log_variance=st.floats(-8, 4, allow_nan=False),
)
def test_kl_is_never_negative_and_zero_at_the_prior(mean: float, log_variance: float) -> None:
    kl = kl_divergence(torch.full((2, 3), mean), torch.full((2, 3), log_variance))
    assert kl >= -1e-6
    assert kl_divergence(torch.zeros(2, 3), torch.zeros(2, 3)) == 0


def test_kl_matches_torch_distributions() -> None:
    mean, log_variance = torch.randn(4, 6), torch.randn(4, 6)
    ours = kl_divergence(mean, log_variance)
    normal = torch.distributions.Normal(mean, torch.exp(0.5 * log_variance))
    prior = torch.distributions.Normal(torch.zeros(4, 6), torch.ones(4, 6))
    assert torch.allclose(ours, torch.distributions.kl_divergence(normal, prior).mean(), atol=1e-5)


def test_unmeasured_pairs_carry_no_loss_and_no_gradient(network: ResVAE) -> None:
    network.eval()
    x = torch.randn(6, 20)
    measured = torch.ones(6, 3)
    measured[:, 1] = 0
    losses = []
    for hidden_value in (0.0, 1e6):
        target = torch.zeros(6, 3)
        target[:, 1] = hidden_value
        losses.append(resvae_loss(network(x), x, target, measured).response)
    assert losses[0] == losses[1]
    network.zero_grad()
    losses[1].backward()
    head = network.head[1].weight.grad
    assert head[1].abs().sum() == 0
    assert head[0].abs().sum() > 0


def test_frozen_means_frozen_batch_norm_included(network: ResVAE) -> None:
    frozen = Frozen(network)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    frozen.train()
    for _ in range(3):
        frozen(torch.randn(8, 20) * 5 + 3)
    assert frozen.training
    assert not network.training
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("kind", ["multi_task", "per_drug"])
def test_heads_give_one_response_a_drug(kind: str) -> None:
    head = build_head(kind, 10, 4, dropout=0.0)
    assert head(torch.randn(6, 10)).shape == (6, 4)


def test_per_drug_heads_are_the_published_two_layers() -> None:
    """z → z/2 → 2 for each drug; the response is the difference of the two logits."""
    torch.manual_seed(0)
    head = PerDrugHeads(10, 3)
    z = torch.randn(5, 10)
    assert head.weight1.shape == (3, 10, 5)
    for drug in range(3):
        hidden = torch.relu(z @ head.weight1[drug] + head.bias1[drug])
        logits = hidden @ head.weight2[drug] + head.bias2[drug]
        assert torch.allclose(head(z)[:, drug], logits[:, 1] - logits[:, 0], atol=1e-6)


def test_unknown_head_and_activation_are_refused() -> None:
    with pytest.raises(ConfigError, match="'tree' is no head"):
        build_head("tree", 4, 2, dropout=0.0)
    with pytest.raises(ConfigError, match="'step' is no activation"):
        ResidualBlock(4, 4, activation="step")


def test_label_loss_is_masked_cross_entropy(network: ResVAE) -> None:
    network.eval()
    x = torch.randn(6, 20)
    measured = torch.tensor([[1.0, 0.0, 1.0]]).repeat(6, 1)
    labels = (torch.rand(6, 3) > 0.5).float()
    loss = resvae_loss(network(x), x, labels, measured, is_label=True).response
    probability = torch.sigmoid(network(x).response)[:, [0, 2]]
    expected = torch.nn.functional.binary_cross_entropy(probability, labels[:, [0, 2]])
    assert torch.allclose(loss, expected, atol=1e-6)


def test_distillation_loss_is_zero_at_the_teacher_and_cosine_ignores_length() -> None:
    mean, response = torch.randn(4, 6), torch.randn(4, 3)
    same = distillation_loss(mean, response, mean, response)
    assert all(float(part.abs()) < 1e-6 for part in same)
    longer = distillation_loss(3 * mean, response, mean, response)
    assert float(longer.cosine.abs()) < 1e-6
    assert longer.latent > 0
