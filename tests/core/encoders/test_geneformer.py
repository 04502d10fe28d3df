"""Geneformer: token order by hand, published sizes, pooling against transformers' own states."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from resvae_core.encoders.geneformer import (
    TRANSFORMERS,
    Geneformer,
    close_sentence,
    load_geneformer,
    rank_genes,
    read_network,
)
from resvae_core.encoders.vocabularies import GeneformerVersion, geneformer_tokens
from resvae_core.errors import ArtifactError, ConfigError, GeneCoverageError, InputDataError
from resvae_core.tables import Expression
from tests.core.encoders.tiny import (
    bert_config,
    expression,
    random_expression,
    save_geneformer,
)

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("geneformer")
    return {version: save_geneformer(root / version, version) for version in ("v1", "v2")}


def encoder(folder: Path, rows_at_once: int | None = None) -> Geneformer:
    network, vocabulary = read_network(folder, "model.safetensors")
    return Geneformer(network, vocabulary, digest="0" * 64, rows_at_once=rows_at_once)


def parameters(version: GeneformerVersion, n_layers: int, width: int, feed_forward: int) -> int:
    """Return how many the masked-LM network has, tied weights once."""
    from transformers import BertConfig, BertForMaskedLM

    config = bert_config(
        version,
        hidden_size=width,
        intermediate_size=feed_forward,
        num_hidden_layers=n_layers,
        num_attention_heads=width // 64,
    )
    with torch.device("meta"):
        network = BertForMaskedLM(BertConfig.from_dict(config))
    return sum(parameter.numel() for parameter in network.parameters())


def test_v1_with_6_layers_has_the_10_288_722_parameters_of_the_real_file() -> None:
    assert parameters("v1", 6, 256, 512) == 10_288_722


@pytest.mark.parametrize(
    ("version", "n_layers", "width", "feed_forward", "millions"),
    [("v1", 12, 512, 1024, 40), ("v2", 12, 768, 3072, 104), ("v2", 18, 1152, 4608, 316)],
)
def test_published_sizes_give_the_published_number_of_parameters(
    version: GeneformerVersion, n_layers: int, width: int, feed_forward: int, millions: int
) -> None:
    found = parameters(version, n_layers, width, feed_forward) / 1e6
    assert found == pytest.approx(millions, rel=0.02)


@pytest.mark.parametrize("layers", [6, 12])
def test_official_configurations_are_accepted(layers: int, data: Path, tmp_path: Path) -> None:
    from resvae_core.encoders import geneformer

    path = data / f"encoders/geneformer/config_V1_{layers}L.json"
    document = geneformer._read_config(path)
    assert geneformer._choose_vocabulary(document) is geneformer_tokens("v1")
    assert document["hidden_size"] == {6: 256, 12: 512}[layers]


@pytest.mark.parametrize(
    ("version", "corpus", "n_tokens"), [("v1", "gc30M", 25426), ("v2", "gc104M", 20275)]
)
def test_vocabulary_is_the_official_one(
    version: GeneformerVersion, corpus: str, n_tokens: int, data: Path
) -> None:
    folder = data / "encoders/geneformer"
    tokens, medians = (
        json.loads((folder / f"{version.upper()}_{name}_{corpus}.json").read_text())
        for name in ("token_dictionary", "gene_median_dictionary")
    )
    vocabulary = geneformer_tokens(version)
    gene_of = {token: gene for gene, token in tokens.items()}
    assert vocabulary.n_tokens == n_tokens == len(tokens)
    assert vocabulary.specials == {name: t for name, t in tokens.items() if name[0] == "<"}
    assert len(set(vocabulary.symbols)) == len(vocabulary.symbols) > 19_500
    for token, median in zip(vocabulary.tokens.tolist(), vocabulary.medians, strict=True):
        assert medians[gene_of[token]] == median
    by_symbol = dict(zip(vocabulary.symbols, vocabulary.tokens.tolist(), strict=True))
    assert by_symbol["TP53"] == tokens["ENSG00000141510"]
    assert by_symbol["MARCHF1"] == tokens["ENSG00000145416"]


def test_token_order_of_a_known_profile_by_hand() -> None:
    # TPM over the median of Genecorpus-30M: EEF1A1 100 / 65.346 = 1.53, GAPDH 50 / 20.045 = 2.49,
    # TP53 30 / 1.896 = 15.8, EGFR 20 / 6.609 = 3.03; TTN is 0 and KRT5 was not measured
    tpm = {"EEF1A1": 100.0, "GAPDH": 50.0, "TP53": 30.0, "EGFR": 20.0, "TTN": 0.0, "KRT5": np.nan}
    vocabulary = geneformer_tokens("v1")
    sample = expression({gene: [float(np.log2(value + 1))] for gene, value in tpm.items()})
    values = sample.values.reindex(columns=list(vocabulary.symbols)).to_numpy(np.float32)[0]
    # tokens of TP53, EGFR, GAPDH, EEF1A1 in the official dictionary
    assert rank_genes(values, vocabulary).tolist() == [8088, 8822, 3906, 9945]


def test_ranks_do_not_depend_on_the_total_of_the_sample() -> None:
    vocabulary = geneformer_tokens("v1")
    tpm = np.random.default_rng(5).gamma(1, 20, len(vocabulary.symbols))
    ranked = [
        rank_genes(np.log2(factor * tpm + 1).astype(np.float32), vocabulary) for factor in (1, 8)
    ]
    agreement = np.mean(ranked[0][:2048] == ranked[1][:2048])
    assert agreement > 0.99  # float32 logarithms round, and may swap neighbours


def test_v1_keeps_the_first_2048_and_v2_4094_between_its_ends() -> None:
    many = np.arange(10, 10_000)
    v1 = close_sentence(many, geneformer_tokens("v1"))
    assert v1.tolist() == list(range(10, 2058))
    v2 = close_sentence(many, geneformer_tokens("v2"))
    assert v2.tolist() == [2, *range(10, 4104), 3]
    assert close_sentence(many[:3], geneformer_tokens("v2")).tolist() == [2, 10, 11, 12, 3]


def test_share_that_is_read_is_reported(folders: dict[str, Path]) -> None:
    model = encoder(folders["v1"])
    values = np.zeros((3, 8000), np.float32)
    values[0, :5000], values[1, :100] = 1, 1
    sample = random_expression(model.genes[:8000], 3, share_absent=0.0)
    sample = Expression(sample.values * values)
    table = model.reading_shares(sample)
    assert table["n_expressed"].tolist() == [5000, 100, 0]
    assert table["n_read"].tolist() == [2048, 100, 0]
    assert table["share_read"].tolist()[:2] == pytest.approx([0.4096, 1.0])
    assert np.isnan(table["share_read"].iloc[2])


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_embedding_is_the_mean_of_the_second_to_last_layer_without_special_tokens(
    version: str, folders: dict[str, Path]
) -> None:
    from transformers import BertForMaskedLM

    model = encoder(folders[version])
    sample = random_expression(model.genes[:60], 1, share_absent=0.3)
    tokens = model.sentences(sample)[0]
    reference = BertForMaskedLM.from_pretrained(folders[version], local_files_only=True).eval()
    with torch.inference_mode():
        states = reference(
            input_ids=torch.from_numpy(tokens)[None], output_hidden_states=True
        ).hidden_states
    assert len(states) == 4  # embeddings and three layers
    genes = slice(1, -1) if version == "v2" else slice(None)
    expected = states[-2][0, genes].mean(dim=0).numpy()
    np.testing.assert_allclose(model.embed(sample)[0], expected, atol=1e-6)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_sample_alone_has_the_embedding_it_has_among_others(
    version: str, folders: dict[str, Path]
) -> None:
    model = encoder(folders[version])
    samples = random_expression(model.genes[:200], 4, share_absent=0.5)
    together = model.embed(samples)
    assert together.shape == (4, 8)
    assert together.dtype == np.float32
    for row, name in enumerate(samples.samples):
        np.testing.assert_array_equal(model.embed(samples.select([name]))[0], together[row])
    padded = encoder(folders[version], rows_at_once=3).embed(samples)
    np.testing.assert_allclose(padded, together, atol=2e-6)


def test_gene_order_and_unknown_genes_change_nothing(folders: dict[str, Path]) -> None:
    model = encoder(folders["v1"])
    samples = random_expression(model.genes[:300], 2, share_absent=0.2)
    other = samples.values.iloc[:, ::-1].assign(NOT_A_GENE=np.float32(5))
    np.testing.assert_array_equal(model.embed(Expression(other)), model.embed(samples))


def test_missing_and_unexpressed_genes_are_not_read(folders: dict[str, Path]) -> None:
    model = encoder(folders["v1"])
    sample = random_expression(model.genes[:20], 1, share_absent=0.0)
    with_gaps = sample.values.assign(
        **{model.genes[30]: np.float32(np.nan), model.genes[31]: np.float32(0)}
    )
    assert len(model.sentences(Expression(with_gaps))[0]) == 20
    np.testing.assert_array_equal(model.embed(Expression(with_gaps)), model.embed(sample))


def test_sample_without_expression_is_refused(folders: dict[str, Path]) -> None:
    model = encoder(folders["v1"])
    with pytest.raises(InputDataError, match="'S1' expresses none of the genes"):
        model.embed(expression({"TP53": [0.0]}))
    with pytest.raises(GeneCoverageError, match="None of the"):
        model.embed(expression({"NOT_A_GENE": [3.0]}))


def test_reference_changes_nothing_but_must_be_known(folders: dict[str, Path]) -> None:
    model = encoder(folders["v1"])
    sample = expression({"TP53": [2.0], "A2M": [1.0]})
    np.testing.assert_array_equal(model.embed(sample, "tumours"), model.embed(sample))
    with pytest.raises(ConfigError, match="'mice' is no reference"):
        model.embed(sample, "mice")


def test_no_samples_give_no_rows(folders: dict[str, Path]) -> None:
    model = encoder(folders["v1"])
    assert model.embed(expression({"TP53": [1.0]}).select([])).shape == (0, 8)


def test_loading_leaves_the_callers_random_numbers_alone(folders: dict[str, Path]) -> None:
    torch.manual_seed(11)
    expected = torch.rand(3)
    torch.manual_seed(11)
    read_network(folders["v1"], "model.safetensors")
    assert torch.equal(torch.rand(3), expected)


def test_older_pytorch_file_gives_the_same_embedding(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    old = save_geneformer(tmp_path / "old", "v1", pytorch=True)
    network, vocabulary = read_network(old, "pytorch_model.bin")
    model = encoder(folders["v1"])
    sample = random_expression(model.genes[:40], 1, share_absent=0.0)
    found = Geneformer(network, vocabulary, digest="").embed(sample)
    np.testing.assert_array_equal(found, model.embed(sample))


def test_fetched_folder_is_loaded_and_v1_with_12_layers_is_preferred(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiny_weights: None
) -> None:
    monkeypatch.setenv("RESVAE_ENCODERS", str(tmp_path))
    save_geneformer(tmp_path / "geneformer" / "v2-104m", "v2")
    assert load_geneformer(device="cpu").title == "Geneformer V2"
    save_geneformer(tmp_path / "geneformer" / "v1-12l", "v1", pytorch=True)
    loaded = load_geneformer(device="cpu")
    assert (loaded.title, loaded.device, len(loaded.digest)) == ("Geneformer V1", "cpu", 64)
    assert loaded.digest != load_geneformer("geneformer/v2-104m", device="cpu").digest


def test_configuration_of_another_network_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    weights = (folders["v1"] / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(weights)
    cases = {
        '{"model_type": "bert"': "missing or no configuration",
        json.dumps(bert_config(num_hidden_layers=10**6)): "no configuration of a Geneformer",
        json.dumps(bert_config(model_type="gpt2")): "no configuration of a Geneformer",
        json.dumps(bert_config(vocab_size=30522)): "30522 tokens and a context of 2048",
        json.dumps(bert_config(num_hidden_layers=2)): "encoder.layer.2.* expected none",
        json.dumps(bert_config(hidden_size=16)): r"has shape \(8,\), expected \(16,\)",
    }
    for text, message in cases.items():
        (tmp_path / "config.json").write_text(text, encoding="utf-8")
        with pytest.raises(ArtifactError, match=message):
            read_network(tmp_path, "model.safetensors")


def test_damaged_weights_are_refused(folders: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(bert_config()), encoding="utf-8")
    whole = (folders["v1"] / "model.safetensors").read_bytes()
    for content in (b"", whole[:1000], b"\xff" * 100):
        (tmp_path / "model.safetensors").write_bytes(content)
        with pytest.raises(ArtifactError, match="no readable safetensors file"):
            read_network(tmp_path, "model.safetensors")


def test_weights_with_code_in_them_are_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    marker = tmp_path / "was-run"

    class Bomb:
        def __reduce__(self) -> tuple[object, ...]:
            return marker.touch, ()

    (tmp_path / "config.json").write_text(json.dumps(bert_config()), encoding="utf-8")
    torch.save({"bert.embeddings.word_embeddings.weight": Bomb()}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ArtifactError, match="objects that would run code"):
        read_network(tmp_path, "pytorch_model.bin")
    assert not marker.exists()


def test_missing_package_is_named_with_the_line_that_installs_it(
    folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ArtifactError, match=f"pip install {TRANSFORMERS}"):
        read_network(folders["v1"], "model.safetensors")


def test_version_that_users_are_told_is_the_tested_one() -> None:
    lines = (ROOT / "requirements-dev.txt").read_text(encoding="utf-8").splitlines()
    assert TRANSFORMERS in lines
