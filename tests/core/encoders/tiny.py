"""Checkpoints in the official formats, tiny, with random weights: nothing biological is in them."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from resvae_core.encoders import weights
from resvae_core.networks.scfoundation import ScFoundationEncoder, ScFoundationSizes
from resvae_core.tables import Expression

SIZES = ScFoundationSizes(hidden_dim=8, depth=2, heads=2, bin_num=5)


def trust_tiny_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let tiny weights pass as official ones: the known list without published digests."""
    known = tuple(
        dataclasses.replace(
            entry,
            files=tuple(dataclasses.replace(file, sha256=None, size=None) for file in entry.files),
        )
        for entry in weights.list_weights()
    )
    monkeypatch.setattr(weights, "list_weights", lambda: known)


def expression(values: dict[str, list[float]], *samples: str) -> Expression:
    """Return log2(TPM + 1) of genes given by symbol."""
    names = samples or ("S1",)
    return Expression(pd.DataFrame(values, index=list(names)).astype(np.float32))


def random_expression(genes: tuple[str, ...], n_samples: int, share_absent: float) -> Expression:
    """Return samples in which a share of the genes is 0."""
    rng = np.random.default_rng(7)
    values = rng.gamma(2, 1.5, (n_samples, len(genes)))
    values[rng.random(values.shape) < share_absent] = 0
    names = [f"S{number}" for number in range(n_samples)]
    return Expression(pd.DataFrame(values.astype(np.float32), names, list(genes)))


def scfoundation_config(**changes: Any) -> dict[str, Any]:
    """Return a configuration laid out as in the official checkpoint."""
    layout = {"hidden_dim": 8, "depth": 2, "heads": 2, "dim_head": 4, "module_type": "transformer"}
    settings = {
        "encoder": {**layout, "seq_len": 19266, "norm_first": False},
        "decoder": {**layout, "hidden_dim": 4, "module_type": "performer"},
        "n_class": 104,
        "pad_token_id": 103,
        "mask_token_id": 102,
        "bin_num": 5,
        "bin_alpha": 1.0,
    }
    for key, value in changes.items():
        (settings["encoder"] if key in layout else settings)[key] = value
    return {
        "model": "mae_autobin",
        "model_config": {"mae_autobin": settings},
        "dataset_config": {"rnaseq": {"seq_len": changes.get("seq_len", 19266)}},
    }


def scfoundation_variant(seed: int, **changes: Any) -> dict[str, Any]:
    """Return one variant: configuration and state of encoder and decoder."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        state = ScFoundationEncoder(SIZES).state_dict()
        state["decoder_embed.weight"] = torch.randn(4, 8)
        state["norm.weight"] = torch.randn(4)
        state["to_final.weight"] = torch.randn(1, 4)
        state["decoder.layers.0.attn.weight"] = torch.randn(4, 4)
    named = {f"model.{key}": tensor for key, tensor in state.items()}
    return {"config": scfoundation_config(**changes), "state_dict": named}


def save_scfoundation(path: Path) -> Path:
    """Write a ``models.ckpt`` with its three variants."""
    path.parent.mkdir(parents=True, exist_ok=True)
    variants = {key: scfoundation_variant(seed) for seed, key in enumerate(("cell", "rde", "gene"))}
    torch.save(variants, path)
    return path


def bert_config(version: str = "v1", **changes: Any) -> dict[str, Any]:
    """Return a configuration as in the official folders, with small widths."""
    vocabulary = {"v1": (25426, 2048), "v2": (20275, 4096)}[version]
    return {
        "architectures": ["BertForMaskedLM"],
        "attention_probs_dropout_prob": 0.02,
        "hidden_act": "relu",
        "hidden_dropout_prob": 0.02,
        "hidden_size": 8,
        "initializer_range": 0.02,
        "intermediate_size": 16,
        "layer_norm_eps": 1e-12,
        "max_position_embeddings": vocabulary[1],
        "model_type": "bert",
        "num_attention_heads": 2,
        "num_hidden_layers": 3,
        "pad_token_id": 0,
        "type_vocab_size": 2,
        "vocab_size": vocabulary[0],
        **changes,
    }


def save_geneformer(folder: Path, version: str = "v1", *, pytorch: bool = False) -> Path:
    """Write a folder as transformers writes it: configuration and weights of a BertForMaskedLM."""
    from transformers import BertConfig, BertForMaskedLM

    folder.mkdir(parents=True, exist_ok=True)
    document = bert_config(version)
    (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = BertForMaskedLM(BertConfig.from_dict(document))
    state = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    # shared with the word embeddings, so the official files leave it out
    del state["cls.predictions.decoder.weight"]
    if pytorch:
        state["bert.embeddings.position_ids"] = torch.arange(2048)[None]
        torch.save(state, folder / "pytorch_model.bin")
    else:
        save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    return folder
