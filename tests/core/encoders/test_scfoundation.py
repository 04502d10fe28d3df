"""scFoundation: the network against torch's own layers, the tokens by hand, the checkpoint."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from resvae_core.encoders.scfoundation import ScFoundation, load_scfoundation, read_network
from resvae_core.encoders.vocabularies import scfoundation_genes
from resvae_core.encoders.weights import DIGESTS_FILE
from resvae_core.errors import ArtifactError, ConfigError, GeneCoverageError, InputDataError
from resvae_core.networks.scfoundation import (
    ScFoundationEncoder,
    ScFoundationSizes,
    TransformerStack,
    pool_all,
)
from resvae_core.tables import Expression
from tests.core.encoders.tiny import (
    SIZES,
    expression,
    random_expression,
    save_scfoundation,
    scfoundation_variant,
)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_scfoundation(tmp_path_factory.mktemp("scfoundation") / "models.ckpt")


def encoder(checkpoint: Path, **settings: Any) -> ScFoundation:
    return ScFoundation(read_network(checkpoint), digest="0" * 64, **settings)


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_published_sizes_give_100_million_parameters_and_3072_dimensions() -> None:
    with torch.device("meta"):
        network = ScFoundationEncoder()
        pooled = pool_all(torch.empty(2, 9, network.sizes.hidden_dim), torch.tensor([9, 7]))
    assert tuple(pooled.shape) == (2, 3072)
    assert count(network) == 99_941_692
    assert network.pos_emb.weight.shape == (19_267, 768)


def test_encoder_and_decoder_together_have_the_119_252_285_parameters_of_the_real_file() -> None:
    # a performer of 6 layers and width 512, as docs/encoders.md describes: four projections with
    # biases, a feed-forward network of 2,048 and two normalisations a layer
    width = 512
    attention = 4 * (width * width + width)
    feed_forward = 2 * width * 4 * width + 5 * width
    performer = 6 * (attention + feed_forward + 4 * width) + 2 * width
    around = (768 * width + width) + 2 * width + (width + 1)
    with torch.device("meta"):
        assert count(ScFoundationEncoder()) + performer + around == 119_252_285


@pytest.mark.parametrize("lengths", [[7, 7], [7, 4]])
def test_transformer_matches_torch_encoder_layers(lengths: list[int]) -> None:
    torch.manual_seed(0)
    stack = TransformerStack(SIZES).eval()
    reference = [
        nn.TransformerEncoderLayer(8, 2, 32, dropout=0.0, batch_first=True).eval()
        for _ in range(SIZES.depth)
    ]
    for layer, own in zip(reference, stack.transformer_encoder, strict=True):
        layer.load_state_dict(own.state_dict(), strict=True)
    x = torch.randn(2, 7, 8)
    attended = torch.arange(7) < torch.tensor(lengths)[:, None]
    expected = x
    for layer in reference:
        expected = layer(expected, src_key_padding_mask=~attended)
    with torch.inference_mode():
        found = stack(x, attended)
    torch.testing.assert_close(found[attended], stack.norm(expected)[attended])


def test_value_embedding_by_hand() -> None:
    network = ScFoundationEncoder(ScFoundationSizes(hidden_dim=2, depth=1, heads=1, bin_num=2))
    part = network.token_emb
    with torch.no_grad():
        part.mlp.weight.copy_(torch.tensor([[1.0], [-1.0]]))
        part.mlp.bias.zero_()
        part.mlp2.weight.copy_(torch.eye(2))
        part.mlp2.bias.copy_(torch.tensor([0.0, 1.0]))
        part.emb.weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0]]))
    # value 2 → (2, −2) → leaky (2, −0.2) → own + linear of itself (4, −0.4 + 1)
    share = math.exp(4) / (math.exp(4) + math.exp(0.6))
    found = part(torch.tensor([[2.0]]))[0, 0].tolist()
    assert found == pytest.approx([share, 1 - share], abs=1e-6)


def test_pooling_joins_source_target_maximum_and_mean_in_this_order() -> None:
    hidden = torch.tensor([[[1.0], [5.0], [3.0], [20.0], [30.0], [99.0]]])  # genes 1 5 3, T, S, pad
    assert pool_all(hidden, torch.tensor([5])).tolist() == [[30.0, 20.0, 5.0, 3.0]]


def test_tokens_of_a_known_profile_by_hand(checkpoint: Path) -> None:
    # A1BG, A2M and TSPAN6 are 0, 2 and somewhere in the list; A1CF is measured and 0
    sample = expression({"TSPAN6": [3.0], "A2M": [1.0], "A1CF": [0.0], "A1BG": [2.0]})
    model = encoder(checkpoint)
    values = np.nan_to_num(sample.values.reindex(columns=list(model.genes)).to_numpy(np.float32))
    depths = model._depths(values, sample.samples)
    tokens, positions, lengths = model._gather(values * np.float32(np.log(2)), depths)
    place = scfoundation_genes().positions[model.genes.index("TSPAN6")]
    assert positions.tolist() == [[0, 2, place, 19264, 19265]]
    assert lengths.tolist() == [5]
    # ln(TPM + 1) of log2(TPM + 1) = 2, 1, 3; depth log10 of their sum
    depth = math.log10(6 * math.log(2))
    expected = [2 * math.log(2), math.log(2), 3 * math.log(2), depth, depth]
    assert tokens[0].tolist() == pytest.approx(expected, abs=1e-6)


def test_already_normalised_profiles_give_the_total_itself_as_depth(checkpoint: Path) -> None:
    values = np.array([[2.0, 4.0]], np.float32)
    depths = encoder(checkpoint, depth_token="total")._depths(values, ["S1"])
    assert depths == pytest.approx([6 * math.log(2)])


def test_order_of_the_genes_is_the_official_one(data: Path) -> None:
    lines = (data / "encoders/scfoundation/OS_scRNA_gene_index.19264.tsv").read_text().splitlines()
    official = [line.split("\t")[0] for line in lines[1:]]
    genes = scfoundation_genes()
    unchanged = {
        symbol: position
        for symbol, position in zip(genes.symbols, genes.positions, strict=True)
        if official[position] == symbol
    }
    assert len(official) == 19264
    assert len(unchanged) > 19_000
    assert len(set(genes.symbols)) == len(genes.symbols) > 19_250
    assert all(official[position] == symbol for symbol, position in unchanged.items())


def test_outdated_name_is_read_by_the_current_symbol() -> None:
    genes = scfoundation_genes()
    assert "MARCHF1" in genes.symbols
    assert "MARCH1" not in genes.symbols


def test_sample_alone_has_the_embedding_it_has_among_others(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    samples = random_expression(model.genes[:400], 5, share_absent=0.5)
    together = model.embed(samples)
    assert together.shape == (5, 32)
    assert together.dtype == np.float32
    assert np.isfinite(together).all()
    for row, name in enumerate(samples.samples):
        np.testing.assert_array_equal(model.embed(samples.select([name]))[0], together[row])


def test_padding_changes_nothing(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    samples = random_expression(model.genes[:400], 5, share_absent=0.5)
    padded = encoder(checkpoint, rows_at_once=3).embed(samples)
    np.testing.assert_allclose(padded, model.embed(samples), atol=2e-6)


def test_gene_order_and_unknown_genes_change_nothing(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    samples = random_expression(model.genes[:300], 2, share_absent=0.2)
    other = samples.values.iloc[:, ::-1].assign(NOT_A_GENE=np.float32(5))
    np.testing.assert_array_equal(model.embed(Expression(other)), model.embed(samples))


def test_absent_missing_and_zero_genes_are_the_same(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    measured = random_expression(model.genes[:50], 1, share_absent=0.0)
    gene = model.genes[100]
    expected = model.embed(measured)
    for value in (np.nan, 0.0):
        found = model.embed(Expression(measured.values.assign(**{gene: np.float32(value)})))
        np.testing.assert_array_equal(found, expected)
    found = model.embed(Expression(measured.values.assign(**{gene: np.float32(4)})))
    assert np.abs(found - expected).max() > 1e-4


def test_reference_changes_nothing_but_must_be_known(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    sample = expression({"TP53": [2.0], "A2M": [1.0]})
    np.testing.assert_array_equal(model.embed(sample, "tumours"), model.embed(sample))
    with pytest.raises(ConfigError, match="'mice' is no reference"):
        model.embed(sample, "mice")


def test_no_samples_give_no_rows(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    none = random_expression(model.genes[:10], 2, share_absent=0.0).select([])
    assert model.embed(none).shape == (0, 32)


def test_sample_without_expression_is_refused(checkpoint: Path) -> None:
    model = encoder(checkpoint)
    with pytest.raises(InputDataError, match="'S1' expresses next to none of the genes"):
        model.embed(expression({"A1BG": [0.0], "A2M": [0.0]}))
    with pytest.raises(GeneCoverageError, match="None of the 19258 genes"):
        model.embed(expression({"NOT_A_GENE": [3.0]}))


def test_variants_differ_and_rde_is_the_default(checkpoint: Path) -> None:
    states = {name: read_network(checkpoint, name).state_dict() for name in ("rde", "cell")}
    default = read_network(checkpoint).state_dict()
    key = "token_emb.emb.weight"
    torch.testing.assert_close(default[key], states["rde"][key], rtol=0, atol=0)
    assert not torch.equal(states["rde"][key], states["cell"][key])


def test_placed_checkpoint_is_loaded_and_its_digest_names_variant_and_depth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_weights: None
) -> None:
    monkeypatch.setenv("RESVAE_ENCODERS", str(tmp_path))
    save_scfoundation(tmp_path / "scfoundation" / "01b" / "models.ckpt")
    loaded = load_scfoundation(device="cpu")
    assert (loaded.name, loaded.device, loaded.n_dimensions) == ("scfoundation", "cpu", 32)
    assert loaded.unit == "log2(TPM + 1)"
    digests = {
        loaded.digest,
        load_scfoundation(device="cpu", variant="cell").digest,
        load_scfoundation(device="cpu", depth_token="total").digest,
    }
    assert len(digests) == 3
    assert load_scfoundation(device="cpu").digest == loaded.digest
    assert (tmp_path / "scfoundation" / "01b" / DIGESTS_FILE).is_file()


def test_checkpoint_with_code_in_it_is_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "was-run"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return marker.touch, ()

    path = tmp_path / "models.ckpt"
    torch.save({"rde": {"config": Bomb(), "state_dict": {}}}, path)
    with pytest.raises(ArtifactError, match=r"objects that would run code.*Nothing in this one"):
        read_network(path)
    assert not marker.exists()


@pytest.mark.parametrize("n_kept", [0, 100, 20_000])
def test_truncated_checkpoint_is_refused(checkpoint: Path, tmp_path: Path, n_kept: int) -> None:
    path = tmp_path / "models.ckpt"
    path.write_bytes(checkpoint.read_bytes()[:n_kept])
    with pytest.raises(ArtifactError, match="no readable checkpoint"):
        read_network(path)


def changed(**changes: Any) -> dict[str, Any]:
    return scfoundation_variant(1, **changes)


def altered_state(key: str, tensor: torch.Tensor | None) -> dict[str, Any]:
    variant = scfoundation_variant(1)
    if tensor is None:
        del variant["state_dict"][key]
    else:
        variant["state_dict"][key] = tensor
    return variant


BROKEN = {
    "another number of genes": (changed(seq_len=5001), "5001 tokens instead of 19266"),
    "another width": (changed(hidden_dim=16), r"encoder.norm.bias has shape \(8,\), expected"),
    "fewer layers": (changed(depth=1), r"transformer_encoder.1.* has shape \(32,\), expected none"),
    "heads that do not divide": (changed(heads=3), "3 heads for a width of 8"),
    "giant": (changed(depth=10**9), "sizes"),
    "size of the wrong kind": (changed(depth="many"), "sizes"),
    "another module": (changed(module_type="performer"), "another kind of encoder"),
    "missing tensor": (
        altered_state("model.pos_emb.weight", None),
        "pos_emb.weight has shape none",
    ),
    "foreign tensor": (altered_state("model.evil.weight", torch.zeros(1)), "holds 'evil.weight'"),
    "not a number": (
        altered_state("model.encoder.norm.bias", torch.full((8,), torch.nan)),
        "values that are no numbers, first in encoder.norm.bias",
    ),
    "no state": ({**scfoundation_variant(1), "state_dict": [1]}, "holds no state of a network"),
    "no configuration": ({"state_dict": {}}, "configuration in the checkpoint is none of"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_checkpoint_that_does_not_fit_is_refused_with_a_remedy(case: str, tmp_path: Path) -> None:
    variant, message = BROKEN[case]
    path = tmp_path / "models.ckpt"
    torch.save({"rde": variant}, path)
    with pytest.raises(ArtifactError, match=message) as refused:
        read_network(path)
    assert "official" in refused.value.remedy


def test_missing_variant_is_named(checkpoint: Path) -> None:
    with pytest.raises(ArtifactError, match="no variant 'other', but cell, rde, gene"):
        read_network(checkpoint, "other")  # type: ignore[arg-type]
