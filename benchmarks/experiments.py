"""What was tried to predict better, what it was worth, and whether it was kept.

    PYTHONPATH=. python benchmarks/experiments.py --data ../shared/data [--only NAME ...]

Every idea is one fit a fold of leave_cell_line_out (seed 0, five folds), without the members,
calibration and half precision of the shipped models: cheap enough to try many. Rows that are
finished are kept in artifacts/experiments and are not computed again while the data and encoders
they read stay the same; delete that folder after a change of this script. With --only, the rows
named and those they are held against are printed and nothing is written; without, the table goes to
benchmarks/experiments.md.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from resvae_core.compute import derive_seed, one_thread
from resvae_core.config import artifacts_folder
from resvae_core.data.drugs import Drug, load_drugs
from resvae_core.data.files import file_digest
from resvae_core.data.gdsc import read_response
from resvae_core.data.pretraining_profiles import MERGED_FILE
from resvae_core.data.screens import RESPONSE_FILE, load_training_set, read_lines
from resvae_core.data.splits import LEAVE_CELL_LINE_OUT, leave_cell_line_out
from resvae_core.data.symbols import current_symbols
from resvae_core.encoders.catalog import load_encoder
from resvae_core.evaluation.metrics import pearson, roc_auc, within_tissue_roc_auc
from resvae_core.evaluation.summary import compare, holm, summarise
from resvae_core.features.ranks import rank_genes
from resvae_core.features.scaling import Moments
from resvae_core.models.resvae_config import STANDARD, UNSUPERVISED, ResVAEConfig
from resvae_core.networks.resvae import ResVAE, ResVAEOutput
from resvae_core.training.config import TrainingConfig
from resvae_core.training.distillation import Teacher, ask_teacher
from resvae_core.training.loop import fit_network

Array = NDArray[np.float64]
Matrix = NDArray[np.float32]
Rows = NDArray[np.int_]

MUTATION_FILE = "gdsc/mutation.parquet"
COPY_NUMBER_FILE = "gdsc/copy_number.parquet"
REPORT = Path(__file__).with_suffix(".md")

RIDGE = 2.0
"""Strength of the linear kernels, whose diagonal is near 1."""
KERNEL_RIDGE = ResVAEConfig().kernel_ridge
"""Strength of the radial kernels, whose diagonal is 1: as the shipped kernel head."""
MUTATED = 0.5
"""A mutation's weight of evidence, 0 to 1, from which on it counts."""
MINIMAL_LINES = 200
"""Lines with expression that an auxiliary column must have been measured on."""
N_COMPONENTS, N_ROUNDS = 30, 20
"""Of the low-rank completion: components, and rounds of fitting and filling."""
PRIOR_LINES = 5.0
"""Lines of the drug's overall mean that a tissue's mean is shrunk with."""
TOLERANCE = 1e-4
"""Relative residual at which conjugate gradients stop."""
JUDGED = ("roc_auc", "within_tissue_roc_auc")


@dataclass(frozen=True)
class Split:
    """One fold, as row numbers of the study's lines."""

    number: int
    train: Rows
    test: Rows


class Study:
    """Lines, drugs and folds that every idea is judged on; what few ideas read is read on demand.

    Parameters
    ----------
    folder
        Folder of installed data.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        training_set = load_training_set(folder)
        self.expression, self.screen = training_set.expression, training_set.screen
        self.digests = training_set.digests
        self.genes: Matrix = self.expression.values.to_numpy(np.float32)
        self.ranks = rank_genes(self.genes)
        self.ln_ic50 = self.screen.ln_ic50.to_numpy(float)
        self.resistant = self.screen.resistant.to_numpy(float)
        self.tissue = self.screen.tissue.to_numpy(str)
        position = {line: row for row, line in enumerate(self.screen.lines)}
        self.splits = [
            Split(fold.number, *(np.array([position[i] for i in part]) for part in (a, b)))
            for fold in leave_cell_line_out(self.screen.tissue, seed=0)
            for a, b in [(fold.train, fold.test)]
        ]

    @cached_property
    def cosmic_ids(self) -> pd.Index:
        """COSMIC id of each line."""
        return pd.Index(read_lines(self.folder).loc[self.screen.lines, "cosmic_id"].astype(int))

    @cached_property
    def merged(self) -> pd.DataFrame:
        """(n_lines, 1,470) log2(TPM + 1), NaN where a gene was not measured."""
        return current_symbols(pd.read_parquet(self.folder / MERGED_FILE)).loc[self.screen.lines]

    @cached_property
    def mutated(self) -> Matrix:
        """(n_lines, n_genes) 1 where a gene of the panel is mutated; 0 where nobody looked."""
        table = pd.read_parquet(self.folder / MUTATION_FILE)
        table = table[table.columns.intersection(self.expression.genes)].abs() >= MUTATED
        return table.reindex(self.cosmic_ids, fill_value=False).to_numpy(np.float32)

    @cached_property
    def copy_number(self) -> Matrix:
        """(n_lines, n_genes) log2(copies / 2); 0, two copies, where nobody looked."""
        table = pd.read_parquet(self.folder / COPY_NUMBER_FILE).reindex(self.cosmic_ids)
        return table.fillna(0.0).to_numpy(np.float32)

    @cached_property
    def response(self) -> pd.DataFrame:
        """Every measured pair of these lines, in every release."""
        table = read_response(self.folder / RESPONSE_FILE)
        return table[table["cosmic_id"].isin(self.cosmic_ids)]

    @cached_property
    def auxiliary(self) -> Array:
        """(n_lines, n_columns) ln IC50, then dose–response AUC, of every well-measured screen."""
        parts = []
        for value in ("ln_ic50", "dose_response_auc"):
            wide = self.response.pivot(
                index="cosmic_id", columns=["dataset", "drug_id"], values=value
            )
            parts.append(wide.loc[:, wide.notna().sum() >= MINIMAL_LINES].reindex(self.cosmic_ids))
        return np.hstack([part.to_numpy(float) for part in parts])

    @cached_property
    def dose_response_auc(self) -> Array:
        """(n_lines, n_drugs) of each drug's own screen; NaN for lines of release 8.2."""
        wide = self.response.pivot(
            index="cosmic_id", columns=["dataset", "drug_id"], values="dose_response_auc"
        )
        names = [(drug.screen, drug.drug_id) for drug in load_drugs().values()]
        return wide.reindex(index=self.cosmic_ids, columns=names).to_numpy(float)

    @cached_property
    def large(self) -> Matrix:
        """(n_lines, n_dimensions) embedding of the shipped large encoder."""
        return load_encoder("large", device="cpu").embed(self.expression)

    @cached_property
    def small(self) -> Matrix:
        """(n_lines, n_dimensions) embedding of the shipped small encoder."""
        return load_encoder("small", device="cpu").embed(self.expression)


Channel = Callable[[Study, Rows], Array]
"""From the training rows to features (n_lines, n_features): what it learns it learns from them."""
Kernel = Callable[[Study, Rows], Array]
"""From the training rows to likenesses (n_lines, n_lines)."""
Target = Callable[[Study], Array]
"""(n_lines, n_drugs), NaN where not measured; higher = more resistant."""
Predict = Callable[[Study, Split], Array]
"""(n_test, n_drugs) scores of the test lines, in standard deviations of the training lines."""
Latent = Callable[[Study, Split], Array]
"""(n_lines, n_latent)."""


# channels


def genes(study: Study, train: Rows) -> Array:
    """Standardised expression of the panel."""
    return _standardised(study.genes, train)


def ranks(study: Study, train: Rows) -> Array:
    """Standardised ranks of the panel's genes within the sample."""
    return _standardised(study.ranks, train)


def genes_measured_on(n_lines: int) -> Channel:
    """Return standardised expression of every gene measured on that many lines; unmeasured = 0."""

    def channel(study: Study, train: Rows) -> Array:
        chosen = study.merged.loc[:, study.merged.notna().sum() >= n_lines]
        return _standardised(chosen.to_numpy(np.float32), train)

    return channel


def embedding(name: str, weight: float = 1.0) -> Channel:
    """Return a shipped encoder's embedding, all its dimensions divided by one number."""

    def channel(study: Study, train: Rows) -> Array:
        return weight * _common_scale(getattr(study, name).astype(float), train)

    return channel


def mutations(study: Study, train: Rows) -> Array:
    """Standardised mutations of the panel's genes."""
    return _standardised(study.mutated, train)


def copies(study: Study, train: Rows) -> Array:
    """Standardised copy number."""
    return _standardised(study.copy_number, train)


def side_by_side(*channels: Channel) -> Channel:
    """Join channels."""
    return lambda study, train: np.hstack([channel(study, train) for channel in channels])


def _standardised(values: Matrix, train: Rows) -> Array:
    return Moments.of(values[train]).standardise(values).astype(float)


def _common_scale(values: Array, train: Rows) -> Array:
    """Divide all columns by one number: large axes stay large."""
    scaled: Array = (values - values[train].mean(axis=0)) / np.sqrt(values[train].var(0).mean())
    return scaled


# kernels


def linear(*channels: Channel) -> Kernel:
    """Return the mean over channels of their inner products, each over its number of features."""

    def kernel(study: Study, train: Rows) -> Array:
        features = [channel(study, train) for channel in channels]
        return np.mean([x @ x.T / x.shape[1] for x in features], axis=0)

    return kernel


def radial(*channels: Channel, power: float = 1.0) -> Kernel:
    """Return the mean over channels of exp(-(distance / median)^power): 1 Laplacian, 2 Gaussian."""

    def kernel(study: Study, train: Rows) -> Array:
        return np.mean([_radial(c(study, train), train, power) for c in channels], axis=0)

    return kernel


def same_tissue(study: Study, train: Rows) -> Array:
    """Return 1 for two lines of one tissue, else 0."""
    del train
    return (study.tissue[:, None] == study.tissue[None, :]).astype(float)


def plus(kernel: Kernel, *others: tuple[float, Kernel]) -> Kernel:
    """Add weighted kernels to one."""
    return lambda study, train: (
        kernel(study, train) + sum(weight * other(study, train) for weight, other in others)
    )


def _radial(features: Array, train: Rows, power: float) -> Array:
    squares = np.square(features).sum(axis=1)
    squared = squares[:, None] + squares[None, :] - 2 * features @ features.T
    np.fill_diagonal(squared, 0.0)
    distance = np.sqrt(np.maximum(squared, 0.0))
    between = distance[np.ix_(train, train)][np.triu_indices(len(train), k=1)]
    return np.exp(-((distance / np.median(between)) ** power))


# targets


def ln_ic50(study: Study) -> Array:
    """Return ln IC50, ln(µM)."""
    return study.ln_ic50


def dose_response_auc(study: Study) -> Array:
    """Return the dose–response AUC, 0 to 1."""
    return study.dose_response_auc


def label(study: Study) -> Array:
    """Return 1 for resistant, 0 for sensitive."""
    return study.resistant


def standardise(target: Array, train: Rows) -> Array:
    """Return a target in standard deviations of each drug's training lines."""
    mean, sd = np.nanmean(target[train], axis=0), np.nanstd(target[train], axis=0)
    return (target - mean) / sd


# regressions, in closed form


def kernel_ridge(kernel: Array, target: Array, split: Split, strength: float) -> Array:
    """Fit one regression a column of `target`; columns with the same measured lines share a solve.

    Parameters
    ----------
    kernel
        (n_lines, n_lines).
    target
        (n_lines, n_columns), NaN where not measured: such a line has no weight.
    strength
        Added to the kernel's diagonal.

    Returns
    -------
    ndarray
        (n_test, n_columns).
    """
    measured = ~np.isnan(target[split.train])
    patterns, pattern_of = np.unique(measured, axis=1, return_inverse=True)
    scores = np.empty((len(split.test), target.shape[1]))
    for number, pattern in enumerate(patterns.T):
        columns = np.flatnonzero(pattern_of.ravel() == number)
        lines = split.train[pattern]
        values = target[np.ix_(lines, columns)]
        offset = values.mean(axis=0)
        system = kernel[np.ix_(lines, lines)] + strength * np.eye(len(lines))
        weights = cho_solve(cho_factor(system), values - offset)
        scores[:, columns] = kernel[np.ix_(split.test, lines)] @ weights + offset
    return scores


def regress(kernel: Kernel, strength: float = KERNEL_RIDGE, target: Target = ln_ic50) -> Predict:
    """Kernel ridge regression, one a drug."""

    def predict(study: Study, split: Split) -> Array:
        values = standardise(target(study), split.train)
        return kernel_ridge(kernel(study, split.train), values, split, strength)

    return predict


def mean_of(*predictions: Predict) -> Predict:
    """Average scores."""
    return lambda study, split: np.mean([one(study, split) for one in predictions], axis=0)


def bagged(kernel: Kernel, strength: float = KERNEL_RIDGE, n_members: int = 5) -> Predict:
    """Average members that each miss a fifth of the training lines, as the shipped models do."""
    fit = regress(kernel, strength)

    def predict(study: Study, split: Split) -> Array:
        tissue = study.screen.tissue.iloc[split.train]
        position = {line: row for row, line in enumerate(study.screen.lines)}
        members = [
            replace(split, train=np.array([position[line] for line in fold.train]))
            for fold in leave_cell_line_out(tissue, n_folds=n_members, seed=0)
        ]
        return np.mean([fit(study, member) for member in members], axis=0)

    return predict


def tissue_mean(study: Study, split: Split) -> Array:
    """Mean of each drug over the training lines of the tissue, shrunk to the drug's mean."""
    return _tissue_means(study, standardise(study.ln_ic50, split.train), split)[split.test]


def _tissue_means(study: Study, target: Array, split: Split) -> Array:
    """Return (n_lines, n_columns) shrunk training means of each line's tissue."""
    means = np.zeros(target.shape)
    for tissue in np.unique(study.tissue):
        own = study.tissue == tissue
        values = target[split.train[own[split.train]]]
        means[own] = np.nansum(values, axis=0) / ((~np.isnan(values)).sum(axis=0) + PRIOR_LINES)
    return means


def residual(kernel: Kernel, *, of_tissue: bool, strength: float = KERNEL_RIDGE) -> Predict:
    """Predict the line's mean over drugs, and each drug's rest, and add them up."""

    def predict(study: Study, split: Split) -> Array:
        target = standardise(study.ln_ic50, split.train)
        base = _tissue_means(study, target, split) if of_tissue else np.zeros(target.shape)
        rest = target - base
        general = np.nanmean(rest, axis=1)
        slope = np.nansum(rest[split.train] * general[split.train, None], axis=0) / np.nansum(
            ~np.isnan(rest[split.train]) * np.square(general[split.train, None]), axis=0
        )
        likeness = kernel(study, split.train)
        rest = rest - general[:, None] * slope
        line = kernel_ridge(likeness, general[:, None], split, strength)
        return base[split.test] + line * slope + kernel_ridge(likeness, rest, split, strength)

    return predict


# sharing between drugs


def first_components(kernel: Kernel, n_components: int) -> Predict:
    """Keep the first principal components of the response in what a regression predicts."""
    fit = regress(kernel)

    def predict(study: Study, split: Split) -> Array:
        correlation = response_correlation(study, split.train)
        _, vectors = np.linalg.eigh(correlation)
        kept = vectors[:, -n_components:]
        return fit(study, split) @ kept @ kept.T

    return predict


def response_correlation(study: Study, train: Rows) -> Array:
    """Return (n_drugs, n_drugs) correlation of training responses over shared lines."""
    values = pd.DataFrame(study.ln_ic50[train]).corr(min_periods=30).fillna(0.0).to_numpy()
    eigenvalues, vectors = np.linalg.eigh(values)
    return (vectors * np.maximum(eigenvalues, 0.0)) @ vectors.T


def annotation_likeness(study: Study, train: Rows) -> Array:
    """Return (n_drugs, n_drugs): half for shared targets (Jaccard), half for the same pathway."""
    del train
    drugs = [load_drugs()[name] for name in study.screen.drugs]
    return np.array([[_likeness(one, other) for other in drugs] for one in drugs])


def mean_likeness(study: Study, train: Rows) -> Array:
    """Return the mean of `response_correlation` and `annotation_likeness`."""
    return (response_correlation(study, train) + annotation_likeness(study, train)) / 2


def _likeness(one: Drug, other: Drug) -> float:
    if one.name == other.name:
        return 1.0
    targets, others = set(one.target.split(", ")), set(other.target.split(", "))
    shared = len(targets & others) / len(targets | others)
    in_class = one.pathway == other.pathway and not one.pathway.startswith("Other")
    return (shared + in_class) / 2


def shared(kernel: Kernel, between_drugs: Kernel, weight: float = 0.5) -> Predict:
    """Kernel ridge over pairs of line and drug: likeness of lines times likeness of drugs.

    Only measured pairs enter. A drug is like itself by 1 and like another by `weight` times what
    `between_drugs` says; weight 0 is one regression a drug. Solved by conjugate gradients.
    """

    def predict(study: Study, split: Split) -> Array:
        likeness = kernel(study, split.train)
        drugs = weight * between_drugs(study, split.train)
        drugs += (1 - weight) * np.eye(len(drugs))
        target = standardise(study.ln_ic50, split.train)[split.train]
        inside = likeness[np.ix_(split.train, split.train)]
        weights = _conjugate_gradients(inside, drugs, target, KERNEL_RIDGE)
        return likeness[np.ix_(split.test, split.train)] @ weights @ drugs

    return predict


def _conjugate_gradients(lines: Array, drugs: Array, target: Array, strength: float) -> Array:
    """Solve for the weights of measured pairs, (n_train, n_drugs); 0 where not measured."""
    measured = ~np.isnan(target)
    weights = np.zeros(target.shape)
    rest = np.nan_to_num(target)
    direction, size = rest.copy(), np.square(rest).sum()
    limit = size * TOLERANCE**2
    while size > limit:
        image = measured * (lines @ direction @ drugs) + strength * direction
        step = size / (direction * image).sum()
        weights += step * direction
        rest -= step * image
        previous, size = size, np.square(rest).sum()
        direction = rest + size / previous * direction
    return weights


# auxiliary screens


def completed(kernel: Kernel, *, fill: bool, auxiliary: bool = True) -> Predict:
    """Learn from the response that a low-rank model of many screens explains.

    Parameters
    ----------
    fill
        Put the low-rank value where nobody measured; else leave those pairs out, and average
        measured values with theirs.
    auxiliary
        Whether the low-rank model sees all screens of GDSC, or the 72 drugs alone.
    """

    def predict(study: Study, split: Split) -> Array:
        target = standardise(study.ln_ic50, split.train)
        blocks = [target, standardise(study.auxiliary, split.train)] if auxiliary else [target]
        own = target[split.train]
        explained = complete(np.hstack(blocks)[split.train])[:, : target.shape[1]]
        learned = np.full(target.shape, np.nan)
        learned[split.train] = (
            np.where(np.isnan(own), explained, own) if fill else (own + explained) / 2
        )
        return kernel_ridge(kernel(study, split.train), learned, split, KERNEL_RIDGE)

    return predict


def complete(values: Array) -> Array:
    """Return a low-rank approximation of a matrix with gaps, each component shrunk by its noise.

    Parameters
    ----------
    values
        (n_lines, n_columns) standardised by column, NaN in gaps.
    """
    gaps = np.isnan(values)
    filled = np.nan_to_num(values)
    explained = np.zeros(values.shape)
    for _ in range(N_ROUNDS):
        power, axes = np.linalg.eigh(filled @ filled.T)
        noise = power[:-N_COMPONENTS].mean()
        axes, power = axes[:, -N_COMPONENTS:], power[-N_COMPONENTS:]
        explained = (axes * np.maximum(1 - noise / power, 0.0)) @ (axes.T @ filled)
        filled = np.where(gaps, explained, values)
    return explained


# networks


class Noisy(ResVAE):
    """Adds noise to what it reads in training; it still has to reconstruct the clean input."""

    noise = 0.7

    def forward(self, x: torch.Tensor) -> ResVAEOutput:
        """Encode, decode and predict."""
        return super().forward(x + self.noise * torch.randn_like(x) if self.training else x)


class Skipping(ResVAE):
    """Adds a linear function of the input to the response."""

    def __init__(self, n_inputs: int, n_drugs: int, **settings: Any) -> None:
        super().__init__(n_inputs, n_drugs, **settings)
        self.direct = torch.nn.Linear(n_inputs, n_drugs)
        torch.nn.init.zeros_(self.direct.weight)

    def forward(self, x: torch.Tensor) -> ResVAEOutput:
        """Encode, decode and predict."""
        output = super().forward(x)
        return output._replace(response=output.response + self.direct(x))

    def response(self, x: torch.Tensor) -> torch.Tensor:
        """Return the predicted response."""
        return super().response(x) + self.direct(x)


@dataclass(frozen=True)
class Recipe:
    """How a network is built and trained; the defaults are those of the shipped models."""

    channels: tuple[Channel, ...] = (genes, ranks)
    hidden: tuple[int, ...] = ResVAEConfig().hidden
    n_latent: int = ResVAEConfig().n_latent
    dropout: float = ResVAEConfig().dropout
    training: TrainingConfig = UNSUPERVISED
    network: type[ResVAE] = ResVAE
    mixed: bool = False
    teacher: Recipe | None = None
    draw: str = ""  # another word, another seed


def train_network(recipe: Recipe, study: Study, split: Split) -> tuple[ResVAE, Matrix]:
    """Train a network on the training lines; return it with the inputs of all lines."""
    inputs = side_by_side(*recipe.channels)(study, split.train).astype(np.float32)
    target = standardise(study.ln_ic50, split.train)
    teacher = _ask(recipe.teacher, study, split) if recipe.teacher else None
    seed = derive_seed("experiments", split.number, "student" if teacher else recipe.draw)
    read, wanted = inputs[split.train], target[split.train]
    if recipe.mixed:
        read, wanted = _mixed(read, wanted, seed)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = recipe.network(
            inputs.shape[1],
            target.shape[1],
            hidden=recipe.hidden,
            n_latent=recipe.n_latent,
            dropout=recipe.dropout,
        )
        fit_network(network, read, wanted, recipe.training, seed=seed, teacher=teacher)
    return network, inputs


def _ask(recipe: Recipe, study: Study, split: Split) -> Teacher:
    network, inputs = train_network(recipe, study, split)
    return ask_teacher(network, torch.from_numpy(inputs[split.train]))


def _mixed(inputs: Matrix, target: Array, seed: int) -> tuple[Matrix, Array]:
    """Add as many mixtures of two lines (mixup); a mixture lacks what either of the two lacks."""
    rng = np.random.default_rng(seed)
    share = rng.beta(0.5, 0.5, size=(len(inputs), 1))
    partner = rng.permutation(len(inputs))
    between = (share * inputs + (1 - share) * inputs[partner]).astype(np.float32)
    return np.vstack([inputs, between]), np.vstack(
        [target, share * target + (1 - share) * target[partner]]
    )


def jointly(recipe: Recipe) -> Predict:
    """Predict with the network's own linear head."""

    def predict(study: Study, split: Split) -> Array:
        network, inputs = train_network(recipe, study, split)
        with torch.inference_mode():
            return network.response(torch.from_numpy(inputs[split.test])).numpy().astype(float)

    return predict


def on_latent(
    recipe: Recipe, head: Callable[[Channel], Predict] = lambda latent: regress(radial(latent))
) -> Predict:
    """Predict in closed form from the network's latent mean."""

    def predict(study: Study, split: Split) -> Array:
        network, inputs = train_network(recipe, study, split)
        with torch.inference_mode():
            latent = network.latent(torch.from_numpy(inputs)).numpy().astype(float)
        return head(lambda _, train: _common_scale(latent, train))(study, split)

    return predict


# the ideas

WEAK, STRONG = (0.5, 0.3), (0.7, 0.6)
"""Dropout before the head and of the inputs of networks with a linear head."""


def joint(strength: tuple[float, float], weight: float = 1.0, **changes: Any) -> Recipe:
    """Return a recipe whose linear head is trained together with the autoencoder."""
    dropout, input_dropout = strength
    training = TrainingConfig(n_epochs=40, input_dropout=input_dropout, response_weight=weight)
    return replace(Recipe(dropout=dropout, training=training), **changes)


def distilled(teacher: Recipe, cosine: float, latent: float) -> Recipe:
    """Return a recipe whose latent follows a teacher's."""
    training = replace(UNSUPERVISED, cosine_weight=cosine, latent_weight=latent)
    return Recipe(training=training, teacher=teacher)


@dataclass(frozen=True)
class Idea:
    """One row: what was changed against which other row, and what became of it.

    Parameters
    ----------
    name
        Key, also of the stored predictions.
    change
        In words.
    predict
        The names of rows to average, or what predicts.
    reference
        Name of the row it is held against; "" for the floor.
    kept
        In words.
    reads
        Encoders whose weights the row depends on.
    """

    name: str
    change: str
    predict: Predict | tuple[str, ...]
    reference: str
    kept: str
    reads: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the rows that this one cannot be shown without."""
        parts = self.predict if isinstance(self.predict, tuple) else ()
        return tuple(name for name in (self.reference, *parts) if name)


BOTH = radial(genes, ranks)
FLOOR = "tissue_floor"
BASE = "laplacian_genes_ranks"
LARGE, SMALL = embedding("large", 0.5), embedding("small", 0.5)
READ_LL, READ_LS = Recipe((LARGE, genes, ranks)), Recipe((SMALL, genes, ranks))
PUBLISHED_RATIO = STANDARD["vae_ld"].training.cosine_weight
ENCODERS = ("large", "small")

LINEAR = [
    Idea(FLOOR, "no expression: mean ln IC50 of drug and tissue", tissue_mean, "", "yes: a floor"),
    Idea("ridge", "ridge on 682 genes, strength 2", regress(linear(genes), RIDGE), FLOOR,
         "no: an elastic net stands for it"),
    Idea("ridge_1", "strength 1", regress(linear(genes), 1.0), "ridge", "no"),
    Idea("ridge_3", "strength 3", regress(linear(genes), 3.0), "ridge", "no"),
    Idea("ridge_ranks", "ranks within the sample for genes", regress(linear(ranks), RIDGE),
         "ridge", "no: beside the genes, not for them"),
    Idea("ridge_genes_ranks", "genes and ranks", regress(linear(genes, ranks), RIDGE), "ridge",
         "yes: what every Res VAE reads"),
    Idea("ridge_779", "+ 97 genes measured on nearly all lines",
         regress(linear(genes_measured_on(660)), RIDGE), "ridge", "no"),
    Idea("ridge_1470", "+ 97, + 691 genes measured on 286 lines, else read as their mean",
         regress(linear(genes_measured_on(1)), RIDGE), "ridge", "no"),
]  # fmt: skip

TISSUE_REASON = "no: the models read expression alone"
KERNELS = [
    Idea("gaussian", "Gaussian kernel on genes", regress(radial(genes, power=2.0)), "ridge", "no"),
    Idea("laplacian", "Laplacian kernel on genes", regress(radial(genes)), "ridge",
         "yes: the head of the Res VAE"),
    Idea("laplacian_ranks", "on ranks", regress(radial(ranks)), "laplacian",
         "no: beside the genes, not for them"),
    Idea(BASE, "on genes and ranks", regress(BOTH), "laplacian", "yes: channels and head"),
    Idea("laplacian_0.1", "genes and ranks, strength 0.1", regress(BOTH, 0.1), BASE, "no"),
    Idea("laplacian_0.4", "genes and ranks, strength 0.4", regress(BOTH, 0.4), BASE, "no"),
    Idea("tissue", "+ 0.1 × same tissue", regress(plus(BOTH, (0.1, same_tissue))), BASE,
         TISSUE_REASON),
    Idea("tissue_0.3", "+ 0.3 × same tissue", regress(plus(BOTH, (0.3, same_tissue))), BASE,
         TISSUE_REASON),
    Idea("large", "on the large encoder's embedding alone", regress(radial(embedding("large"))),
         BASE, "no: beside genes and ranks", ("large",)),
    Idea("small", "on the small encoder's embedding alone", regress(radial(embedding("small"))),
         BASE, "no: beside genes and ranks", ("small",)),
    Idea("large_genes_ranks", "+ the large encoder's embedding",
         regress(radial(embedding("large"), genes, ranks)), BASE, "yes: VAE_LL reads all three",
         ("large",)),
    Idea("bagged", "mean of five members that each miss a fifth of the training lines",
         bagged(BOTH), BASE, "yes: intervals and calibration need the members"),
]  # fmt: skip

OMICS_REASON = "no: not in an upload of RNA-seq"
OMICS = [
    Idea("mutations", "+ 0.2 × mutations of the panel's genes",
         regress(plus(BOTH, (0.2, linear(mutations)))), BASE, OMICS_REASON),
    Idea("copy_number", "+ 0.2 × copy number", regress(plus(BOTH, (0.2, linear(copies)))), BASE,
         OMICS_REASON),
    Idea("mutations_copy_number", "+ 0.2 × each, + 0.1 × same tissue",
         regress(plus(BOTH, (0.2, linear(mutations)), (0.2, linear(copies)), (0.1, same_tissue))),
         BASE, OMICS_REASON),
]  # fmt: skip

RESPONSES = [
    Idea("target_auc", "target dose–response AUC, which lines of release 8.2 lack",
         regress(BOTH, target=dose_response_auc), BASE, "no"),
    Idea("target_label", "target label", regress(BOTH, target=label), BASE, "no"),
    Idea("target_all", "mean of the three targets' scores",
         mean_of(*(regress(BOTH, target=one) for one in (ln_ic50, dose_response_auc, label))),
         BASE, "no"),
    Idea("residual_general", "the line's mean over drugs, then the rest",
         residual(BOTH, of_tissue=False), BASE, "no"),
    Idea("residual_tissue", "tissue mean, then the line's mean over drugs, then the rest",
         residual(BOTH, of_tissue=True), BASE, "no"),
    Idea("components_10", "predictions cut to 10 principal components of the response",
         first_components(BOTH, 10), BASE, "no"),
    Idea("components_30", "predictions cut to 30", first_components(BOTH, 30), BASE, "no"),
    Idea("shared_correlation", "pairs of line and drug; drugs alike by their training responses",
         shared(BOTH, response_correlation), BASE, "no"),
    Idea("shared_annotation", "pairs of line and drug; drugs alike by target and pathway",
         shared(BOTH, annotation_likeness), BASE, "no"),
    Idea("shared_both", "pairs of line and drug; the mean of these two likenesses",
         shared(BOTH, mean_likeness), BASE, "no"),
    Idea("shared_annotation_tissue", "drugs alike by target and pathway, lines + 0.1 × same tissue",
         shared(plus(BOTH, (0.1, same_tissue)), annotation_likeness), BASE, TISSUE_REASON),
    Idea("filled_72", "unmeasured pairs filled by a low-rank model of the 72 drugs",
         completed(BOTH, fill=True, auxiliary=False), BASE, "no: unmeasured pairs stay unmeasured"),
    Idea("filled_auxiliary", "the same from all screens: 729 of ln IC50, 547 of dose–response AUC",
         completed(BOTH, fill=True), BASE, "no: unmeasured pairs stay unmeasured"),
    Idea("denoised_auxiliary", "measured pairs averaged with that low-rank model, none filled",
         completed(BOTH, fill=False), BASE, "no"),
]  # fmt: skip

AUTOENCODERS = [
    Idea("vae_genes", "unsupervised Res VAE of genes, kernel head",
         on_latent(Recipe((genes,))), "laplacian", "no: reads ranks as well"),
    Idea("vae_genes_ranks", "of genes and ranks", on_latent(Recipe()), BASE,
         "yes: the channels of VAE_LD"),
    Idea("vae_large", "of the large embedding, genes and ranks", on_latent(READ_LL),
         "vae_genes_ranks", "yes: VAE_LL", ("large",)),
    Idea("vae_small", "of the small embedding, genes and ranks", on_latent(READ_LS),
         "vae_genes_ranks", "yes: VAE_LS", ("small",)),
    Idea("vae_large_full", "the large embedding at weight 1 instead of 0.5",
         on_latent(Recipe((embedding("large"), genes, ranks))), "vae_large", "no", ("large",)),
    Idea("vae_wide", "genes and ranks, 512 wide, latent 256",
         on_latent(Recipe(hidden=(512,), n_latent=256)), "vae_genes_ranks",
         "no: within the noise, and twice as wide"),
    Idea("vae_input_dropout", "input dropout 0.3 instead of 0.5",
         on_latent(Recipe(training=replace(UNSUPERVISED, input_dropout=0.3))), "vae_genes_ranks",
         "no"),
    Idea("vae_seed", "genes and ranks, another seed", on_latent(Recipe(draw="again")),
         "vae_genes_ranks", "says how much a seed changes"),
    Idea("vae_ridge", "linear ridge on the latent instead of the kernel",
         on_latent(Recipe(), lambda latent: regress(linear(latent), RIDGE)), "vae_genes_ranks",
         "no"),
    Idea("vae_shared", "kernel head over pairs of line and drug, drugs alike by target and pathway",
         on_latent(Recipe(), lambda latent: shared(radial(latent), annotation_likeness)),
         "vae_genes_ranks", "no"),
    Idea("vae_tissue", "kernel head, lines + 0.1 × same tissue",
         on_latent(Recipe(), lambda latent: regress(plus(radial(latent), (0.1, same_tissue)))),
         "vae_genes_ranks", TISSUE_REASON),
    Idea("distilled", "student of VAE_LL: cosine and squared error at 0.316 each",
         on_latent(distilled(READ_LL, PUBLISHED_RATIO, PUBLISHED_RATIO)), "vae_genes_ranks",
         "yes: VAE_LD", ("large",)),
    Idea("distilled_cosine", "student of VAE_LL: cosine alone, as published",
         on_latent(distilled(READ_LL, PUBLISHED_RATIO, 0.0)), "distilled",
         "no: level, and blind to the latent's length", ("large",)),
]  # fmt: skip

NETWORKS = [
    Idea("joint", "genes, linear head trained with the autoencoder, dropout 0.5 and 0.3",
         jointly(joint(WEAK, channels=(genes,))), "ridge", "no"),
    Idea("joint_strong", "dropout 0.7 and 0.6", jointly(joint(STRONG, channels=(genes,))),
         "joint", "no"),
    Idea("joint_noise", "noise of 0.7 standard deviations",
         jointly(joint(WEAK, channels=(genes,), network=Noisy)), "joint", "no"),
    Idea("joint_mixup", "as many mixtures of two lines added",
         jointly(joint(WEAK, channels=(genes,), mixed=True)), "joint", "no"),
    Idea("joint_skip", "dropout 0.7 and 0.6, a linear path from genes to response",
         jointly(joint(STRONG, channels=(genes,), network=Skipping)), "joint_strong", "no"),
    Idea("joint_ranks", "dropout 0.7 and 0.6, genes and ranks", jointly(joint(STRONG)),
         "vae_genes_ranks", "no"),
    Idea("joint_kernel", "kernel head on that network's latent", on_latent(joint(STRONG)),
         "vae_genes_ranks", "no"),
    Idea("joint_weak_kernel", "the same, response at a tenth of the weight",
         on_latent(joint(STRONG, 0.1)), "vae_genes_ranks", "no"),
]  # fmt: skip

ENSEMBLES = [
    Idea("mean_ridge_kernel", "mean of ridge and Laplacian kernel on genes and ranks",
         ("ridge", BASE), BASE, "no"),
    Idea("mean_kernel_joint", "mean of that kernel and the joint network of genes and ranks",
         (BASE, "joint_ranks"), BASE, "no"),
    Idea("mean_vae", "mean of VAE_LL, VAE_LS and VAE_LD",
         ("vae_large", "vae_small", "distilled"), "vae_large",
         "yes: with Random Forest and XGBoost, whose gain the evaluation tells", ENCODERS),
    Idea("mean_all", "the same, ridge and the joint network of genes and ranks",
         ("vae_large", "vae_small", "distilled", "ridge", "joint_ranks"), "vae_large",
         "no: the five kinds are the ensemble", ENCODERS),
]  # fmt: skip

SECTIONS = {
    "Linear models and genes": LINEAR,
    "Kernels": KERNELS,
    "Mutations and copy number": OMICS,
    "Targets, sharing between drugs, auxiliary screens": RESPONSES,
    "Unsupervised Res VAE with a kernel head": AUTOENCODERS,
    "Res VAE with a linear head trained together": NETWORKS,
    "Means of standardised scores": ENSEMBLES,
}
IDEAS = {idea.name: idea for section in SECTIONS.values() for idea in section}


def main() -> None:
    """Compute the rows that are not there yet, print the table and write it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", nargs="+", choices=IDEAS, metavar="NAME", help="rows")
    options = parser.parse_args()
    names = with_needs(options.only or IDEAS)
    with one_thread():
        study = Study(options.data)
        scores: dict[str, Array] = {}
        for name in names:
            scores[name] = compute(IDEAS[name], study, scores)
    text = report(pd.concat([judge(study, name, scores[name]) for name in names]))
    print(text)
    if not options.only:
        REPORT.write_text(text, encoding="utf-8")


def with_needs(names: Iterable[str]) -> list[str]:
    """Add the rows that some cannot be shown without, each before what needs it."""
    found: dict[str, None] = {}
    for name in names:
        found |= dict.fromkeys([*with_needs(IDEAS[name].needs), name])
    return list(found)


def compute(idea: Idea, study: Study, scores: dict[str, Array]) -> Array:
    """Return (n_lines, n_drugs) scores of left-out lines, from the store where they are there."""
    if isinstance(idea.predict, tuple):
        return np.mean([scores[part] for part in idea.predict], axis=0)
    path = artifacts_folder() / "experiments" / f"{idea.name}-{digest(idea, study)[:12]}.npy"
    if path.is_file():
        found: Array = np.load(path)
        return found
    print(f"{idea.name} …", flush=True)
    result = np.full(study.ln_ic50.shape, np.nan)
    for split in study.splits:
        result[split.test] = idea.predict(study, split)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}.npy")
    np.save(unfinished, result)
    unfinished.replace(path)
    return result


def digest(idea: Idea, study: Study) -> str:
    """Return the SHA-256 (hex) of the data and of the encoders that a row reads."""
    encoders = [load_encoder(name, device="cpu").digest for name in idea.reads]
    others = [MERGED_FILE, MUTATION_FILE, COPY_NUMBER_FILE]
    files = [*study.digests.values(), *(file_digest(study.folder / name) for name in others)]
    return hashlib.sha256("\x1f".join([*files, *encoders]).encode()).hexdigest()


def judge(study: Study, name: str, scores: Array) -> pd.DataFrame:
    """Return one row a fold, drug and metric, as the evaluation's tables have them."""
    rows: list[tuple[int, str, str, float, int]] = []
    for split in study.splits:
        for column, drug in enumerate(study.screen.drugs):
            lines = split.test[~np.isnan(study.ln_ic50[split.test, column])]
            score, positive = scores[lines, column], study.resistant[lines, column] == 1
            within, pairs = within_tissue_roc_auc(score, positive, study.tissue[lines])
            found = {
                "roc_auc": (roc_auc(score, positive), len(lines)),
                "within_tissue_roc_auc": (within, pairs),
                "pearson": (pearson(score, study.ln_ic50[lines, column]), len(lines)),
            }
            rows += [(split.number, drug, metric, *value) for metric, value in found.items()]
    table = pd.DataFrame(rows, columns=["fold", "drug", "metric", "value", "n"])
    return table.assign(model=name, split=LEAVE_CELL_LINE_OUT, seed=0)


def tests(table: pd.DataFrame) -> pd.DataFrame:
    """Hold each row against its reference, fold by fold; index model and metric.

    Corrected resampled t of `resvae_core.evaluation.summary`; p_holm corrects for all rows.
    """
    parts = []
    for name in table["model"].unique():
        reference = IDEAS[name].reference
        if reference:
            pair = table[table["model"].isin([name, reference])]
            parts.append(compare(pair, (reference,), JUDGED))
    found = pd.concat(parts, ignore_index=True)
    found["p_holm"] = found.groupby("metric")["p_value"].transform(holm)
    return found.set_index(["model", "metric"])


def report(table: pd.DataFrame) -> str:
    """Write the rows that were judged as Markdown."""
    means = summarise(table).set_index(["model", "metric"])["mean"]
    found = tests(table)
    lines = [INTRODUCTION, _looks(found)]
    for title, ideas in SECTIONS.items():
        chosen = [idea for idea in ideas if (idea.name, "roc_auc") in means.index]
        if chosen:
            lines += [f"\n## {title}\n", HEADER, *(_row(idea, means, found) for idea in chosen)]
    return "\n".join([*lines, CONCLUSION])


def _row(idea: Idea, means: pd.Series[float], found: pd.DataFrame) -> str:
    values = [f"{means[idea.name, metric]:.4f}" for metric in (*JUDGED, "pearson")]
    against = [_difference(found.loc[idea.name, metric]) for metric in JUDGED if idea.reference]
    against = against or ["–"] * len(JUDGED)
    cells = [f"`{idea.name}`", idea.change, *values, f"`{idea.reference}`", *against, idea.kept]
    return f"| {' | '.join(cells)} |".replace("``", "–")


def _difference(test: pd.Series[float]) -> str:
    shown = f"{test['difference']:+.4f} ({test['lower']:+.4f} to {test['upper']:+.4f})"
    shown = shown.replace("-", "−")
    return f"{shown}, p {test['p_value']:.2g} ({test['p_holm']:.2g})"


def _looks(found: pd.DataFrame) -> str:
    """Say how many looks were taken, and how many differences outlast the correction."""
    parts = []
    for metric, name in zip(JUDGED, ("ROC AUC", "within-tissue ROC AUC"), strict=True):
        rows = found.xs(metric, level="metric")
        sure = rows[rows["p_holm"] < 0.05]
        gains = ", ".join(f"`{model}`" for model in sure.index[sure["difference"] > 0]) or "none"
        losses = ", ".join(f"`{model}`" for model in sure.index[sure["difference"] < 0]) or "none"
        parts.append(
            f"{len(rows)} differences in {name}; with p < 0.05 after Holm's correction: "
            f"gains {gains}; losses {losses}."
        )
    return "\n\n".join(parts)


COLUMNS: Sequence[str] = (
    "name",
    "change",
    "ROC AUC",
    "within-tissue ROC AUC",
    "mean Pearson",
    "against",
    "difference in ROC AUC (95 %), p (Holm)",
    "difference within tissue (95 %), p (Holm)",
    "kept?",
)
HEADER = f"| {' | '.join(COLUMNS)} |\n|{'---|' * len(COLUMNS)}"

INTRODUCTION = """# Ideas tried for quality

Made by `PYTHONPATH=. python benchmarks/experiments.py --data ../shared/data` (one thread; rows that
are finished are kept, so it goes on where it stopped).

668 cell lines, 72 drugs, leave_cell_line_out, five folds of seed 0; one fit a fold, without
members, calibration or half precision. Means over drugs and folds; higher is better in every
column. Differences are paired over the five folds, with the corrected resampled t of Nadeau and
Bengio (4 degrees of freedom); in brackets after p its value corrected by Holm for all rows here.

**How to read it.** What the models do was chosen on these same folds, in more looks than there are
rows: other strengths, widths and rates were tried and left out. So the best rows here are
optimistic, most differences are within the noise, and no row is evidence for a shipped model. The
judgement is `evaluation.md`: three seeds, members, calibration, and floors on the same folds. A
"no" beside a figure as good as the reference's means that the simpler way was kept.

The shipped encoders have read the expression of nearly all lines, test lines included, but no
response; `pretraining.md` measures what that is worth. Mutations and copy number are measured by
other assays: no upload of RNA-seq has them, so a model that needs them could not be used here.
"""

CONCLUSION = """
## What came of it

- **What the table shows**: expression tells lines of one tissue apart, which the tissue cannot.
  Next to that every difference is small, and none outlasts the correction. The autoencoder is
  level with the same kernel on its own inputs, and so is the embedding beside genes and ranks: they
  are kept for what the method is, a compact latent that a student can follow, not for a gain shown
  here.
- **Kept**: genes and their ranks as channels; the autoencoder trained first, without responses (256
  wide, latent 128, 40 epochs, input dropout 0.5), and then a Laplacian kernel head on its latent
  (strength 0.2); beside the two channels the embedding of the large or small encoder at weight 0.5
  (VAE_LL, VAE_LS); a student of VAE_LL by cosine and squared error of the latents at 0.316 each,
  the published 158 : 500 of cosine to reconstruction (VAE_LD); the mean over the five kinds as the
  ensemble; five members, for their intervals and calibration.
- **Not kept, worse or within the noise**: heads trained together with the autoencoder, with every
  regularisation tried (dropout, noise, mixup, a linear path); further genes; wider latents; labels
  or dose–response AUC as the target; residuals on general sensitivity and tissue; response
  components; drugs shared by correlation, target or pathway.
- **Not kept, whatever the figure**: low-rank filling from other screens, because pairs that nobody
  measured stay unmeasured; mutations and copy number, because an upload of RNA-seq has none; the
  tissue as an input, because the models read expression alone and the tissue's own share stands
  beside them as a floor.
"""

if __name__ == "__main__":
    main()
