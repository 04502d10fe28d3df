"""The masked autoencoder: what it may read, and axes that change no prediction."""

from __future__ import annotations

import torch

from resvae_core.networks.masked_autoencoder import MaskedAutoencoder

N_GENES = 30


def network(n_dimensions: int = 6) -> MaskedAutoencoder:
    torch.manual_seed(0)
    built = MaskedAutoencoder(
        N_GENES, n_dimensions=n_dimensions, width=16, hidden=24, n_blocks=2, n_values=3
    )
    for parameter in built.parameters():  # blocks start as the identity: make them count
        parameter.data += 0.1 * torch.randn_like(parameter)
    return built.eval()


def profiles(n: int = 40) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(n, N_GENES, generator=generator)
    return x, (torch.rand(n, N_GENES, generator=generator) < 0.8).float()


def test_shapes() -> None:
    x, visible = profiles()
    assert network().embed(x, visible).shape == (40, 6)
    assert network()(x, visible).shape == (40, N_GENES)


def test_the_value_of_a_hidden_gene_changes_nothing() -> None:
    x, visible = profiles()
    other = torch.where(visible > 0, x, torch.full_like(x, 99.0))
    assert torch.equal(network()(x, visible), network()(other, visible))


def test_a_hidden_gene_is_not_a_gene_at_the_mean() -> None:
    x, visible = profiles()
    everything = torch.ones_like(visible)
    assert not torch.allclose(network().embed(x * visible, everything), network().embed(x, visible))


def test_principal_axes_keep_predictions_and_make_distances_those_of_predictions() -> None:
    x, visible = profiles()
    plain, turned = network(), network()
    turned.use_principal_axes(x, visible)
    with torch.inference_mode():
        torch.testing.assert_close(turned(x, visible), plain(x, visible), atol=1e-4, rtol=1e-4)
        z, predicted = turned.embed(x, visible), turned(x, visible)
    torch.testing.assert_close(torch.pdist(z), torch.pdist(predicted), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(z.mean(dim=0), torch.zeros(6), atol=1e-4, rtol=0)
    assert (z.var(dim=0).diff() <= 0).all()
    covariance = z.T @ z
    torch.testing.assert_close(covariance, torch.diag(covariance.diagonal()), atol=1e-2, rtol=0)
