"""Whether the figures of VAE_LS gain from an encoder that has seen the test lines' expression.

    PYTHONPATH=. python benchmarks/encoder_leak.py --data ../shared/data

The shipped encoders are pretrained on expression of all cell lines, so on the lines of a test fold
too (never on a response). Here VAE_LS is fitted in each fold of seed 0 on an encoder that was
pretrained anew without the test lines, and held against VAE_LS on the shipped one. Pretraining
takes a few minutes a fold; it goes on from checkpoints in artifacts/pretraining, where
``benchmarks/pretraining.py small`` has left them too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.pretraining import train_network
from resvae_core.data.pretraining_profiles import PretrainingProfiles, load_profiles
from resvae_core.data.screens import TrainingSet, load_training_set
from resvae_core.data.splits import Fold, leave_cell_line_out
from resvae_core.encoders.base import Encoder
from resvae_core.encoders.shipped import ShippedEncoder, load_shipped
from resvae_core.evaluation.benchmark import tabulate
from resvae_core.evaluation.held_out import predict_held_out
from resvae_core.models.base import Samples
from resvae_core.models.floors import DrugTissueMean
from resvae_core.models.resvae import VaeLS
from resvae_core.training.pretraining import PRESETS, prepare

METRICS = ("roc_auc", "within_tissue_roc_auc", "pearson")


class VaeLSOn(VaeLS):
    """VAE_LS on an encoder that is handed over."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self._handed_over = encoder

    def _load_encoder(self) -> None:
        self.encoder_ = self._handed_over


def main() -> None:
    """Print the metrics of both, and their difference, fold by fold."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    training_set, profiles = load_training_set(data), load_profiles(data)
    folds = leave_cell_line_out(training_set.screen.tissue, seed=0)
    print("| fold | encoder | " + " | ".join(METRICS) + " |\n|---|---|---|---|---|")
    rows = []
    for fold in folds:
        encoders = {
            "shipped": load_shipped("small"),
            "without test lines": pretrained_without(fold, profiles),
        }
        for name, encoder in encoders.items():
            values = judge(encoder, fold, training_set)
            rows.append((name, *values))
            cells = " | ".join(f"{value:.4f}" for value in values)
            print(f"| {fold.number} | {name} | {cells} |", flush=True)
    table = pd.DataFrame(rows, columns=["encoder", *METRICS]).groupby("encoder", sort=False)
    for name, values in table.mean().iterrows():
        print(f"| mean | {name} | " + " | ".join(f"{value:.4f}" for value in values) + " |")


def pretrained_without(fold: Fold, profiles: PretrainingProfiles) -> Encoder:
    """Return the small encoder, pretrained with its preset on everything but the test lines."""
    config = PRESETS["small"]
    corpus = prepare(profiles.without(list(fold.test)), config)
    network = train_network(config, corpus)
    return ShippedEncoder(
        "small", network, corpus.genes, corpus.moments, clip=config.clip, digest="", device="cpu"
    )


def judge(encoder: Encoder, fold: Fold, training_set: TrainingSet) -> list[float]:
    """Fit VAE_LS on a fold's training lines and return `METRICS` on its test lines."""
    screen = training_set.screen
    samples = Samples(training_set.expression, screen.tissue)
    held_out = []
    for model in (VaeLSOn(encoder), DrugTissueMean()):  # the table wants its floor
        model.fit(samples.select(fold.train), screen.select(fold.train))
        held_out.append(predict_held_out(model, samples, fold))
    table = tabulate(held_out, screen)
    own = table[table["model"] == VaeLS.kind]
    return [_mean(own[own["metric"] == metric]) for metric in METRICS]


def _mean(rows: pd.DataFrame) -> float:
    """Average over drugs; within tissue, pairs of all drugs weigh the same."""
    known = rows.dropna(subset=["value"])
    within = (known["metric"] == "within_tissue_roc_auc").all()
    return float(np.average(known["value"], weights=known["n"] if within else None))


if __name__ == "__main__":
    main()
