"""Time and memory of one sample through the official encoders at their published sizes.

    PYTHONPATH=. python benchmarks/encoder_speed.py

The weights are random: only the speed means anything. One run an encoder and number of threads,
each in a process of its own, so that the peak memory is that run's.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from resvae_core.encoders.base import Encoder

N_EXPRESSED = 15_000
GENEFORMERS = {
    "Geneformer V1, 6 layers": ("v1", 256, 512, 6, 4),
    "Geneformer V1, 12 layers": ("v1", 512, 1024, 12, 8),
    "Geneformer V2, 104 million": ("v2", 768, 3072, 12, 12),
}


def main() -> None:
    """Print a row an encoder and number of threads."""
    if len(sys.argv) > 1:
        measure(sys.argv[1], int(sys.argv[2]))
        return
    print(
        "| encoder (random weights: speed only) | threads | one sample | estimated | peak memory |"
    )
    print("|---|---|---|---|---|")
    for name in ("scFoundation", *GENEFORMERS):
        for threads in (1, 2):
            environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
            subprocess.run(
                [sys.executable, __file__, name, str(threads)], env=environment, check=True
            )


def measure(name: str, threads: int) -> None:
    """Build an encoder, embed one sample and print a row of the table."""
    import torch

    from resvae_core.tables import Expression

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    encoder = scfoundation() if name == "scFoundation" else geneformer(*GENEFORMERS[name])
    values = np.zeros((1, len(encoder.genes)), np.float32)
    values[0, :N_EXPRESSED] = np.random.default_rng(0).gamma(2, 1.5, N_EXPRESSED)
    sample = Expression(pd.DataFrame(values, ["SYN-1"], list(encoder.genes)))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        seconds, busy = timed(lambda: encoder.embed(sample))
    words = [str(entry.message) for entry in told]
    estimate = words[0].split("about ")[1].split(" for")[0] if words else "below half a minute"
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    times = f"{seconds:.1f} s | {busy:.1f} s | {estimate}"
    print(f"| {name} | {threads} | {times} | {peak:.1f} GB |", flush=True)


def scfoundation() -> Encoder:
    """Return scFoundation at its published sizes, with random weights."""
    from resvae_core.encoders.scfoundation import ScFoundation
    from resvae_core.networks.scfoundation import ScFoundationEncoder

    return ScFoundation(ScFoundationEncoder().eval(), digest="random")


def geneformer(version: str, width: int, feed_forward: int, layers: int, heads: int) -> Encoder:
    """Return a Geneformer at its published sizes, with random weights."""
    from safetensors.torch import save_file
    from transformers import BertConfig, BertForMaskedLM

    from resvae_core.encoders.geneformer import Geneformer, read_network
    from resvae_core.encoders.vocabularies import geneformer_tokens

    vocabulary = geneformer_tokens("v1" if version == "v1" else "v2")
    document = {
        "model_type": "bert",
        "hidden_act": "relu",
        "hidden_size": width,
        "intermediate_size": feed_forward,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "vocab_size": vocabulary.n_tokens,
        "max_position_embeddings": vocabulary.context,
    }
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "config.json").write_text(json.dumps(document), encoding="utf-8")
        state = BertForMaskedLM(BertConfig.from_dict(document)).state_dict()
        del state["cls.predictions.decoder.weight"]
        save_file(
            {key: tensor.clone() for key, tensor in state.items()}, folder / "model.safetensors"
        )
        network, vocabulary = read_network(folder, "model.safetensors")
    return Geneformer(network, vocabulary, digest="random")


def timed(call: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of a call: by the clock, and of all processors together."""
    start, busy = time.perf_counter(), time.process_time()
    call()
    return time.perf_counter() - start, time.process_time() - busy


if __name__ == "__main__":
    main()
