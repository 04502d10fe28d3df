from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from resvae_core.networks.losses import kl_divergence, resvae_loss
from resvae_core.networks.residual import ResidualBlock
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
