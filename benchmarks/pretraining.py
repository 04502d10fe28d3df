"""What the shipped encoders are worth, and how much of it comes from having seen the test lines.

    PYTHONPATH=. python benchmarks/pretraining.py small --data ../shared/data

Ridge regression to ln IC50 of 72 drugs, leave_cell_line_out, five folds, on: the genes; PCA of
equal width, fitted on the training lines or on all profiles; the encoder untrained; pretrained on
tumours alone; pretrained anew in each fold without its test lines (their moments too are of the
training lines); and as it is shipped, having seen expression of all lines but those held out. Every
network is trained with the preset's settings; the one on tumours alone takes as many steps. A run
that is stopped goes on from its checkpoints in artifacts/pretraining.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from resvae_core.compute import choose_device
from resvae_core.config import artifacts_folder
from resvae_core.data.pretraining_profiles import CELL_LINES, PretrainingProfiles, load_profiles
from resvae_core.data.screens import TrainingSet, load_training_set
from resvae_core.data.splits import leave_cell_line_out
from resvae_core.encoders.shipped import ShippedEncoder, load_shipped
from resvae_core.evaluation.encoder_quality import principal_axes
from resvae_core.evaluation.linear_probe import mean_by_drug, probe
from resvae_core.features.genes import arrange
from resvae_core.features.scaling import Moments
from resvae_core.networks.masked_autoencoder import MaskedAutoencoder
from resvae_core.tables import Expression
from resvae_core.training.pretraining import (
    PRESETS,
    Checkpoints,
    Corpus,
    PretrainingConfig,
    prepare,
    pretrain,
    run_digest,
)

Rows = np.ndarray
Blocks = Callable[[Rows], list[np.ndarray]]


class Study:
    """Profiles, lines and folds that every representation is judged on."""

    def __init__(self, name: str, data: Path) -> None:
        self.name = name
        self.config: PretrainingConfig = PRESETS[name]
        self.profiles: PretrainingProfiles = load_profiles(data)
        training: TrainingSet = load_training_set(data)
        self.screen = training.screen
        self.panel = training.expression
        self.expression = Expression(self.profiles.group(CELL_LINES).values.loc[self.screen.lines])
        self.values = arrange(self.expression, self.profiles.genes)
        self.corpus = prepare(self.profiles, self.config)
        self.without_test: dict[tuple[int, ...], np.ndarray] = {}

    def genes(self, train: Rows) -> np.ndarray:
        """Return z-scores by the moments of the training lines."""
        return Moments.of(self.values[train]).standardise(self.values).astype(float)

    def genes_of_panel(self, train: Rows) -> np.ndarray:
        """Return the same for the genes that the drug-response models are trained on."""
        values = self.panel.values.to_numpy(np.float32)
        return Moments.of(values[train]).standardise(values).astype(float)

    def components(self, train: Rows, *, everything: bool) -> np.ndarray:
        """Return PCA scores of the encoder's width."""
        scaled = self.genes(train)
        fitted = self.corpus.z.astype(float) if everything else scaled[train]
        return scaled @ principal_axes(fitted, self.config.architecture.n_dimensions).T

    def embed(
        self, network: MaskedAutoencoder, corpus: Corpus, train: Rows | None = None
    ) -> np.ndarray:
        """Return embeddings of all lines; by the training lines' moments where told which."""
        moments = dict(corpus.moments)
        if train is not None:
            moments[CELL_LINES] = Moments.of(self.values[train])
        encoder = ShippedEncoder(
            self.name,
            network,
            corpus.genes,
            moments,
            clip=self.config.clip,
            digest="",
            device="cpu",
        )
        return encoder.embed(self.expression).astype(float)

    def pretrained_without_test_lines(self, train: Rows) -> np.ndarray:
        """Pretrain in this fold without its test lines, and embed all lines."""
        key = tuple(train)
        if key not in self.without_test:
            lines = np.array(self.screen.lines)
            corpus = prepare(self.profiles.without(list(np.delete(lines, train))), self.config)
            self.without_test[key] = self.embed(train_network(self.config, corpus), corpus)
        return self.without_test[key]

    def tumours_alone(self) -> tuple[MaskedAutoencoder, Corpus]:
        """Pretrain on tumours, for as many steps as the encoder is."""
        lines = [str(line) for line in self.profiles.group(CELL_LINES).values.index]
        corpus = prepare(self.profiles.without(lines), self.config)
        is_line = self.corpus.group[self.corpus.training] == CELL_LINES
        shown = np.where(is_line, self.config.cell_line_repeats, 1).sum()
        n_epochs = round(self.config.n_epochs * shown / len(corpus.training))
        return train_network(replace(self.config, n_epochs=n_epochs), corpus), corpus

    def untrained(self) -> MaskedAutoencoder:
        """Return the network as it starts, with principal axes."""
        network = self.config.build(len(self.corpus.genes)).eval()
        z, measured = (torch.from_numpy(a) for a in (self.corpus.z, self.corpus.measured))
        network.use_principal_axes(z, measured)
        return network


def train_network(config: PretrainingConfig, corpus: Corpus) -> MaskedAutoencoder:
    """Train, or go on from a checkpoint."""
    folder = artifacts_folder() / "pretraining" / run_digest(config, corpus)[:16]
    device = choose_device()
    trained = pretrain(config, corpus, device=device, checkpoints=Checkpoints(folder))
    return trained.network


def representations(study: Study) -> dict[str, Blocks]:
    """Return what is compared, by name."""
    shipped = load_shipped(study.name, "cpu")
    embedding = shipped.embed(study.expression).astype(float)
    embedding_of_panel = shipped.embed(study.panel).astype(float)
    untrained = study.untrained()
    tumours, tumour_corpus = study.tumours_alone()
    return {
        "genes (779)": lambda train: [study.genes(train)],
        "genes (682, the panel)": lambda train: [study.genes_of_panel(train)],
        "PCA of equal width, training lines": lambda train: [
            study.components(train, everything=False)
        ],
        "PCA of equal width, all profiles": lambda train: [
            study.components(train, everything=True)
        ],
        "untrained encoder": lambda train: [study.embed(untrained, study.corpus, train)],
        "(b) encoder, tumours alone": lambda train: [study.embed(tumours, tumour_corpus, train)],
        "(a) encoder, without test lines": lambda train: [
            study.pretrained_without_test_lines(train)
        ],
        "(c) encoder, as shipped": lambda train: [embedding],
        "(c) encoder, as shipped, reading the panel": lambda train: [embedding_of_panel],
        "genes + (b)": lambda train: [
            study.genes(train),
            study.embed(tumours, tumour_corpus, train),
        ],
        "genes + (a)": lambda train: [
            study.genes(train),
            study.pretrained_without_test_lines(train),
        ],
        "genes + (c)": lambda train: [study.genes(train), embedding],
    }


def main() -> None:
    """Print one row a representation, against the genes themselves."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("encoder", choices=list(PRESETS))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folds", type=int, default=5, help="how many of the five to judge")
    options = parser.parse_args()
    study = Study(options.encoder, options.data)
    folds = leave_cell_line_out(study.screen.tissue, seed=options.seed)[: options.folds]
    columns = (
        "representation",
        "Pearson",
        "ROC AUC",
        "within tissue",
        "Pearson against genes (779)",
        "better drugs",
    )
    print(f"| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    base: pd.DataFrame | None = None
    for name, blocks in representations(study).items():
        found = mean_by_drug(probe(blocks, study.screen, folds))
        base = found if base is None else base
        gain = (found - base)["pearson"]
        error = gain.std() / len(gain) ** 0.5
        cells = [f"{found[m].mean():.4f}" for m in found.columns]
        against = f"{gain.mean():+.4f} ± {error:.4f}"
        print(f"| {name} | {' | '.join(cells)} | {against} | {(gain > 0).mean():.0%} |", flush=True)


if __name__ == "__main__":
    main()
