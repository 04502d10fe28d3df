"""The official encoders give the same embeddings on a GPU, in batches, as on the CPU alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from resvae_core.encoders import geneformer, scfoundation
from resvae_core.encoders.base import Encoder
from tests.core.encoders.tiny import random_expression, save_geneformer, save_scfoundation

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


def encoder(kind: str, folder: Path, device: str) -> Encoder:
    if kind == "scfoundation":
        network = scfoundation.read_network(save_scfoundation(folder / "models.ckpt"))
        return scfoundation.ScFoundation(network.to(device).eval(), digest="")
    save_geneformer(folder)
    bert, vocabulary = geneformer.read_network(folder, "model.safetensors")
    return geneformer.Geneformer(bert.to(device), vocabulary, digest="")


@pytest.mark.parametrize("kind", ["scfoundation", "geneformer"])
def test_cuda_agrees_with_the_cpu(kind: str, tmp_path: Path) -> None:
    on_cpu, on_gpu = (encoder(kind, tmp_path, device) for device in ("cpu", "cuda"))
    samples = random_expression(on_cpu.genes[:3000], 40, share_absent=0.4)
    assert on_gpu.device == "cuda:0"
    np.testing.assert_allclose(on_gpu.embed(samples), on_cpu.embed(samples), atol=1e-4)
