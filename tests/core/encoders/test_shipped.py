"""Shipped encoders: each sample on its own, order-free, robust to missing genes, verified."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from resvae_core.config import PROJECT_ROOT
from resvae_core.encoders.shipped import (
    Architecture,
    ShippedEncoder,
    load_shipped,
    save_shipped,
    shipped_folder,
)
from resvae_core.errors import ArtifactError, CatalogError, ConfigError, GeneCoverageError
from resvae_core.features.scaling import Moments
from resvae_core.tables import Expression

GENES = tuple(f"GENE{number:02d}" for number in range(20))
ARCHITECTURE = Architecture(n_dimensions=6, width=16, hidden=24, n_blocks=2, n_values=3)
SHIPPED = PROJECT_ROOT / "models" / "encoders"


def moments() -> dict[str, Moments]:
    mean, sd = np.full(20, 4, np.float32), np.full(20, 1.5, np.float32)
    unmeasured = mean.copy()
    unmeasured[3] = np.nan
    return {"cell_lines": Moments(mean, sd), "tumours": Moments(unmeasured + 1, sd)}


def save(folder: Path) -> None:
    torch.manual_seed(0)
    network = ARCHITECTURE.build(len(GENES))
    for parameter in network.parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    network.half().float()
    save_shipped(
        folder, "small", network, ARCHITECTURE, GENES, moments(), clip=5.0, card={"seed": 0}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(tmp_path / "small")
    return tmp_path / "small"


@pytest.fixture
def encoder(folder: Path) -> ShippedEncoder:
    return load_shipped("small", "cpu", folder=folder)


def expression(n: int = 7) -> Expression:
    values = np.abs(np.random.default_rng(0).normal(4, 1.5, (n, len(GENES))))
    names = [f"S{number}" for number in range(n)]
    return Expression(pd.DataFrame(values.astype(np.float32), names, list(GENES)))


def test_it_says_what_it_is(encoder: ShippedEncoder) -> None:
    assert encoder.genes == GENES
    assert encoder.unit == "log2(TPM + 1)"
    assert encoder.n_dimensions == 6
    assert len(encoder.digest) == 64
    assert encoder.device == "cpu"
    embedding = encoder.embed(expression())
    assert embedding.shape == (7, 6)
    assert embedding.dtype == np.float32
    assert np.isfinite(embedding).all()


def test_samples_and_genes_in_another_order_give_the_same(encoder: ShippedEncoder) -> None:
    values = expression().values
    whole = encoder.embed(expression())
    shuffled = values.iloc[::-1, ::-1].assign(UNKNOWN=np.float32(3))
    np.testing.assert_allclose(encoder.embed(Expression(shuffled))[::-1], whole, atol=1e-5)


def test_a_sample_alone_is_what_it_is_among_others(encoder: ShippedEncoder) -> None:
    whole = encoder.embed(expression())
    for row, name in enumerate(expression().samples):
        alone = encoder.embed(expression().select([name]))
        np.testing.assert_allclose(alone[0], whole[row], atol=1e-5)


def test_an_absent_gene_an_unmeasured_one_and_an_unknown_reference_value_are_alike(
    encoder: ShippedEncoder,
) -> None:
    values = expression().values
    absent = encoder.embed(Expression(values.drop(columns="GENE03")))
    unmeasured = values.assign(GENE03=np.float32(np.nan))
    np.testing.assert_array_equal(encoder.embed(Expression(unmeasured)), absent)
    assert not np.allclose(absent, encoder.embed(expression()))
    # the tumour reference never measured GENE03
    tumours = encoder.embed(Expression(values.drop(columns="GENE03")), "tumours")
    np.testing.assert_array_equal(encoder.embed(expression(), "tumours"), tumours)


def test_references_standardise_differently(encoder: ShippedEncoder) -> None:
    lines, tumours = (encoder.embed(expression(), name) for name in ("cell_lines", "tumours"))
    assert not np.allclose(lines, tumours)
    with pytest.raises(ConfigError, match="'normal' is no reference"):
        encoder.embed(expression(), "normal")


@pytest.mark.parametrize("reference", ["cell_lines", "tumours"])
def test_as_a_differentiable_function_it_gives_the_same(
    encoder: ShippedEncoder, reference: str
) -> None:
    values = expression().values.assign(OTHER=np.float32(1)).iloc[:, ::-1].drop(columns="GENE05")
    values.iloc[2, 4] = np.float32(np.nan)
    embed = encoder.differentiable(list(values.columns), reference)
    measured = torch.from_numpy(values.notna().to_numpy(np.float32))
    x = torch.from_numpy(values.fillna(0).to_numpy(np.float32)).requires_grad_()
    embedding = embed(x, measured)
    expected = encoder.embed(Expression(values), reference)
    np.testing.assert_allclose(embedding.detach().numpy(), expected, atol=1e-5)
    embedding.sum().backward()
    assert x.grad is not None
    unread = {"OTHER"} if reference == "cell_lines" else {"OTHER", "GENE03"}
    moved = (x.grad != 0).any(dim=0).numpy()
    assert set(values.columns[~moved]) == unread
    assert x.grad[2, 4] == 0
    with pytest.raises(GeneCoverageError, match="is among the 1 genes given"):
        encoder.differentiable(["OTHER"], reference)


def test_samples_without_any_gene_are_refused(encoder: ShippedEncoder) -> None:
    values = expression().values.copy()
    with pytest.raises(GeneCoverageError, match="None of the 20 genes"):
        encoder.embed(Expression(values.add_prefix("X")))
    values.loc["S4"] = np.float32(np.nan)
    with pytest.raises(GeneCoverageError, match="Sample 'S4' has a value for none of the 20"):
        encoder.embed(Expression(values))


def test_no_samples_give_no_rows(encoder: ShippedEncoder) -> None:
    assert encoder.embed(expression().select([])).shape == (0, 6)


def test_saved_again_it_is_the_same_file(folder: Path, encoder: ShippedEncoder) -> None:
    save(folder)
    assert load_shipped("small", "cpu", folder=folder).digest == encoder.digest
    assert sorted(path.name for path in folder.parent.iterdir()) == [".small.lock", "small"]


def test_loading_leaves_the_random_state_alone(folder: Path) -> None:
    torch.manual_seed(4)
    expected = torch.rand(3)
    torch.manual_seed(4)
    load_shipped("small", "cpu", folder=folder)
    assert torch.equal(torch.rand(3), expected)


def test_altered_weights_are_refused(folder: Path) -> None:
    path = folder / "weights.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(ArtifactError, match="is altered") as caught:
        load_shipped("small", "cpu", folder=folder)
    assert "resvae_core pretrain" in caught.value.remedy


def test_missing_files_are_refused(folder: Path) -> None:
    (folder / "weights.safetensors").unlink()
    with pytest.raises(ArtifactError, match="is missing"):
        load_shipped("small", "cpu", folder=folder)
    (folder / "encoder.json").unlink()
    with pytest.raises(ArtifactError, match=r"no readable encoder\.json"):
        load_shipped("small", "cpu", folder=folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_version": 99}, "schema version 99"),
        ({"genes": list(GENES[:-1])}, "do not fit"),
        ({"architecture": {"n_dimensions": 6}}, "do not fit"),
        ({"clip": "much"}, "do not fit"),
    ],
)
def test_a_description_that_does_not_fit_is_refused(
    folder: Path, change: dict[str, object], message: str
) -> None:
    path = folder / "encoder.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactError, match=message):
        load_shipped("small", "cpu", folder=folder)


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(CatalogError, match="'huge'") as caught:
        shipped_folder("huge")
    assert "large, small" in caught.value.remedy


@pytest.mark.parametrize("name", ["large", "small"])
def test_the_shipped_encoders_load_and_their_cards_speak_of_these_weights(name: str) -> None:
    encoder = load_shipped(name, "cpu", folder=SHIPPED / name)
    card = json.loads((SHIPPED / name / "card.json").read_text(encoding="utf-8"))
    assert card["weights_sha256"] == encoder.digest
    assert card["n_parameters"] == encoder.n_parameters
    assert card["notice"].startswith("Research use only")
    assert card["training"]["groups"]["cell_lines"] == 668
    values = pd.DataFrame(3.0, ["A"], list(encoder.genes)).astype(np.float32)
    assert encoder.embed(Expression(values)).shape == (1, encoder.n_dimensions)


@pytest.mark.parametrize("name", ["large", "small"])
def test_half_of_the_genes_give_nearly_the_same_embedding(name: str, data: Path) -> None:
    from resvae_core.data.screens import load_training_set

    encoder = load_shipped(name, "cpu", folder=SHIPPED / name)
    lines = load_training_set(data).expression.values.iloc[:100]
    whole = encoder.embed(Expression(lines))
    half = encoder.embed(Expression(lines.iloc[:, ::2]))
    similarity = (whole * half).sum(axis=1) / np.linalg.norm(whole, axis=1)
    similarity /= np.linalg.norm(half, axis=1)
    assert np.median(similarity) > 0.8
