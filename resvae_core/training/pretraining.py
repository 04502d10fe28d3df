"""Pretraining of the shipped encoders: masked expression profiles, checkpointed and resumable.

Nothing random has a state: the order of an epoch and the masks of a step are drawn from generators
that are seeded by the epoch and the step. So a run that was stopped at any moment and taken up at
its last checkpoint gives the same weights, bit for bit, as one that never stopped (same machine,
device and number of threads).
"""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from resvae_core.compute import derive_seed
from resvae_core.data.pretraining_profiles import CELL_LINES, PretrainingProfiles, ProfileGroup
from resvae_core.encoders.shipped import Architecture
from resvae_core.errors import ArtifactError, TrainingDivergedError
from resvae_core.features.scaling import Moments
from resvae_core.networks.masked_autoencoder import MaskedAutoencoder

TUMOURS = "tumours"
CHECKPOINT_FILE = "checkpoint.safetensors"
MAXIMAL_GRADIENT = 1.0
"""Norm that the gradient of a step is cut to."""
WARM_UP = 0.05
"""Share of the steps over which the learning rate rises."""

Array = NDArray[np.float32]
State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class PretrainingConfig:
    """Architecture and training of one encoder.

    Parameters
    ----------
    architecture
        Of the network.
    n_epochs, batch_size, learning_rate, weight_decay
        AdamW; the learning rate rises over the first twentieth and falls to 0 along a cosine.
    minimal_mask, maximal_mask
        A sample's share of measured genes that is hidden is drawn evenly between the two.
    visible_weight
        Weight of the loss on visible genes beside that on hidden ones (1).
    cell_line_repeats
        How often an epoch shows each cell line; a tumour is shown once.
    clip
        z-scores are cut at plus and minus this value.
    held_out
        Share of the profiles that is never trained on, for the figures.
    seed
        Of everything random.
    """

    architecture: Architecture
    n_epochs: int = 60
    batch_size: int = 128
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    minimal_mask: float = 0.15
    maximal_mask: float = 0.7
    visible_weight: float = 0.25
    cell_line_repeats: int = 4
    clip: float = 5.0
    held_out: float = 0.1
    seed: int = 0

    def build(self, n_genes: int) -> MaskedAutoencoder:
        """Return the untrained network, the same for the same seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(derive_seed("pretraining", "weights", self.seed))
            return self.architecture.build(n_genes)


PRESETS = {
    "large": PretrainingConfig(Architecture(512, 512, 1024, n_blocks=4, n_values=3), n_epochs=25),
    "small": PretrainingConfig(
        Architecture(256, 192, 384, n_blocks=3, n_values=3), n_epochs=40, learning_rate=2e-3
    ),
}
"""What `pretrain` trains, by the encoder's name."""


@dataclass(frozen=True)
class Corpus:
    """Standardised profiles, ready for the network.

    Parameters
    ----------
    genes
        In the order of the columns.
    z
        (n_profiles, n_genes) z-scores, 0 where not measured.
    measured
        (n_profiles, n_genes) 1 where measured, else 0.
    group, form
        (n_profiles,) name and form of each profile's group.
    training, held_out
        Row numbers, ascending.
    moments
        ``cell_lines`` and ``tumours``: what `z` was standardised with.
    """

    genes: tuple[str, ...]
    z: Array
    measured: Array
    group: NDArray[np.str_]
    form: NDArray[np.str_]
    training: NDArray[np.int_]
    held_out: NDArray[np.int_]
    moments: dict[str, Moments]

    def digest(self) -> str:
        """Return the SHA-256 (hex) of everything that training reads."""
        digest = hashlib.sha256("\x1f".join([*self.genes, "", *self.group]).encode())
        for array in (self.z, self.measured, self.training):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often a run is saved.

    Parameters
    ----------
    folder
        Holds one file, replaced as a whole.
    seconds
        Least time between two checkpoints; the end of the run is always saved.
    """

    folder: Path
    seconds: float = 30.0


@dataclass
class Progress:
    """How far a run is; together with weights and moments of AdamW all that it needs to go on.

    Parameters
    ----------
    step
        Steps done.
    epoch_loss
        Sum of the losses of the running epoch.
    history
        One record a finished epoch: ``epoch`` and mean ``loss``.
    """

    step: int = 0
    epoch_loss: float = 0.0
    history: list[dict[str, float]] = field(default_factory=list)


@dataclass(frozen=True)
class Pretrained:
    """A trained network in eval mode, and one record an epoch."""

    network: MaskedAutoencoder
    history: list[dict[str, float]]


def prepare(profiles: PretrainingProfiles, config: PretrainingConfig) -> Corpus:
    """Standardise every group and set profiles aside.

    Cell lines are standardised with their own moments; cohorts in log2(TPM + 1) with moments over
    those cohorts, each weighing the same; z-score cohorts gene by gene to normal scores of their
    ranks, which no outlier can stretch.

    Parameters
    ----------
    profiles
        With at least one cohort in log2(TPM + 1). Cell lines may be absent.
    """
    moments = _measure(profiles)
    scaled = np.concatenate([_standardise(group, moments) for group in profiles.groups])
    z = np.nan_to_num(scaled, nan=0.0).clip(-config.clip, config.clip)
    rng = np.random.default_rng(derive_seed("pretraining", "held out", config.seed))
    order = rng.permutation(len(z))
    n_held_out = round(config.held_out * len(z))
    sizes = [len(group.values) for group in profiles.groups]
    return Corpus(
        genes=profiles.genes,
        z=z.astype(np.float32),
        measured=np.isfinite(scaled).astype(np.float32),
        group=np.repeat([group.name for group in profiles.groups], sizes),
        form=np.repeat([group.form for group in profiles.groups], sizes),
        training=np.sort(order[n_held_out:]),
        held_out=np.sort(order[:n_held_out]),
        moments=moments,
    )


def _measure(profiles: PretrainingProfiles) -> dict[str, Moments]:
    arrays = {
        group.name: group.values.to_numpy(np.float32)
        for group in profiles.groups
        if group.form == "log2tpm"
    }
    tumours = [array for name, array in arrays.items() if name != CELL_LINES]
    moments = {TUMOURS: Moments.of(*tumours)}
    if CELL_LINES in arrays:
        moments[CELL_LINES] = Moments.of(arrays[CELL_LINES])
    return moments


def _standardise(group: ProfileGroup, moments: dict[str, Moments]) -> Array:
    """Return (n_samples, n_genes) z-scores, NaN where not measured."""
    values = group.values.to_numpy(np.float32)
    if group.form == "zscore":
        return normal_scores(values)
    reference = moments[CELL_LINES if group.name == CELL_LINES else TUMOURS]
    return ((values - reference.mean) / reference.sd).astype(np.float32)


def normal_scores(values: Array) -> Array:
    """Return each column's normal scores of ranks (Blom); ties share a score, NaN stays NaN."""
    from scipy.stats import norm, rankdata

    ranks = rankdata(values, axis=0, nan_policy="omit")
    counts = np.isfinite(values).sum(axis=0)
    scores: Array = norm.ppf((ranks - 0.375) / (counts + 0.25)).astype(np.float32)
    return scores


def run_digest(config: PretrainingConfig, corpus: Corpus) -> str:
    """Return the SHA-256 (hex) of configuration and data: what a checkpoint belongs to."""
    document = json.dumps(asdict(config), sort_keys=True) + corpus.digest()
    return hashlib.sha256(document.encode()).hexdigest()


def pretrain(
    config: PretrainingConfig,
    corpus: Corpus,
    *,
    device: torch.device | str = "cpu",
    checkpoints: Checkpoints | None = None,
    report: Callable[[Progress, int], None] = lambda progress, n_steps: None,
) -> Pretrained:
    """Train an encoder, from its last checkpoint where there is one.

    Parameters
    ----------
    device
        Where to compute.
    checkpoints
        None to keep none.
    report
        Called after every step with the progress and the number of steps of the run.

    Raises
    ------
    TrainingDivergedError
        If a loss is not finite.
    ArtifactError
        If the checkpoint is unreadable or belongs to another configuration or data.
    """
    run = _Run(config, corpus, torch.device(device))
    digest = run_digest(config, corpus)
    if checkpoints is not None and (checkpoints.folder / CHECKPOINT_FILE).is_file():
        run.restore(checkpoints.folder / CHECKPOINT_FILE, digest)
    saved = time.monotonic()
    while run.progress.step < run.n_steps:
        run.advance()
        finished = run.progress.step == run.n_steps
        if checkpoints and (finished or time.monotonic() - saved >= checkpoints.seconds):
            run.save(checkpoints.folder / CHECKPOINT_FILE, digest)
            saved = time.monotonic()
        report(run.progress, run.n_steps)
    return run.finish()


class _Run:
    """Network, optimiser and progress of one training run."""

    def __init__(self, config: PretrainingConfig, corpus: Corpus, device: torch.device) -> None:
        self.config = config
        self.network = config.build(len(corpus.genes)).to(device)
        self.optimiser = torch.optim.AdamW(
            self.network.parameters(), weight_decay=config.weight_decay, betas=(0.9, 0.98)
        )
        self.progress = Progress()
        self._z = torch.from_numpy(corpus.z).to(device)
        self._measured = torch.from_numpy(corpus.measured).to(device)
        self._rows = _shown(config, corpus)
        self._n_batches = max(1, len(self._rows) // config.batch_size)
        self.n_steps = config.n_epochs * self._n_batches
        self._order: tuple[int, tuple[torch.Tensor, ...]] = (-1, ())

    def advance(self) -> None:
        """Do one step."""
        step = self.progress.step
        epoch, batch = divmod(step, self._n_batches)
        for group in self.optimiser.param_groups:
            group["lr"] = self.config.learning_rate * schedule(step, self.n_steps)
        loss = self._loss(self._batches(epoch)[batch], step)
        self.optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), MAXIMAL_GRADIENT)
        self.optimiser.step()
        self._note(epoch, batch, float(loss.detach()))

    def finish(self) -> Pretrained:
        """Return the trained network, its embedding turned to principal axes."""
        network = self.network.eval()
        rows = torch.unique(self._rows)
        network.use_principal_axes(self._z[rows], self._measured[rows])
        return Pretrained(network, self.progress.history)

    def _batches(self, epoch: int) -> tuple[torch.Tensor, ...]:
        """Return the rows of each batch of an epoch."""
        if self._order[0] != epoch:
            generator = _generator("order", self.config.seed, epoch)
            shuffled = self._rows[torch.randperm(len(self._rows), generator=generator)]
            self._order = (epoch, shuffled.tensor_split(self._n_batches))
        return self._order[1]

    def _loss(self, rows: torch.Tensor, step: int) -> torch.Tensor:
        """Hide genes and compare what is predicted with what was measured."""
        x, measured = self._z[rows], self._measured[rows]
        hidden = _draw_hidden(self.config, x.shape, step).to(x.device)
        predicted = self.network(x, measured * (1 - hidden))
        weight = measured * (hidden + self.config.visible_weight * (1 - hidden))
        error = (torch.square(predicted - x) * weight).sum(dim=1)
        # every sample weighs the same, however many genes it has
        return (error / weight.sum(dim=1).clamp(min=1.0)).mean()

    def _note(self, epoch: int, batch: int, loss: float) -> None:
        progress = self.progress
        if not math.isfinite(loss):
            last = progress.history[-1]["loss"] if progress.history else float("nan")
            raise TrainingDivergedError(
                f"The loss is not finite in epoch {epoch}; the last finite one was {last:.4g}.",
                remedy="Lower the learning rate, or check the profiles for extreme values.",
            )
        progress.step += 1
        progress.epoch_loss += loss
        if batch == self._n_batches - 1:
            mean = progress.epoch_loss / self._n_batches
            progress.history.append({"epoch": epoch, "loss": round(mean, 6)})
            progress.epoch_loss = 0.0

    def save(self, path: Path, digest: str) -> None:
        """Write everything that the run needs to go on, whole or not at all."""
        path.parent.mkdir(parents=True, exist_ok=True)
        tensors = {f"weight.{key}": value for key, value in self.network.state_dict().items()}
        for number, state in self.optimiser.state_dict()["state"].items():
            tensors |= {f"adamw.{number}.{key}": value for key, value in state.items()}
        metadata = {"digest": digest, "progress": json.dumps(asdict(self.progress))}
        staged = path.with_name(path.name + ".partial")
        contiguous = {key: value.detach().cpu().contiguous() for key, value in tensors.items()}
        save_file(contiguous, staged, metadata=metadata)
        staged.replace(path)

    def restore(self, path: Path, digest: str) -> None:
        """Take up a saved run."""
        tensors, metadata = _read_checkpoint(path)
        if metadata.get("digest") != digest:
            raise ArtifactError(
                f"{path.name} belongs to another configuration or other data.",
                remedy=f"Delete {path.parent.name}/{path.name} and start again.",
            )
        self.network.load_state_dict(_below(tensors, "weight."))
        document = self.optimiser.state_dict()
        numbers = {key.split(".")[1] for key in tensors if key.startswith("adamw.")}
        document["state"] = {int(n): _below(tensors, f"adamw.{n}.") for n in numbers}
        self.optimiser.load_state_dict(document)
        self.progress = Progress(**json.loads(metadata["progress"]))


def schedule(step: int, n_steps: int) -> float:
    """Return the factor of the learning rate: a linear rise, then a cosine to 0."""
    rise = min(1.0, (step + 1) / max(1.0, WARM_UP * n_steps))
    return rise * 0.5 * (1 + math.cos(math.pi * step / n_steps))


def _shown(config: PretrainingConfig, corpus: Corpus) -> torch.Tensor:
    """Return the rows of one epoch; cell lines several times."""
    repeats = np.where(corpus.group == CELL_LINES, config.cell_line_repeats, 1)
    return torch.from_numpy(np.repeat(corpus.training, repeats[corpus.training]))


def _draw_hidden(config: PretrainingConfig, shape: torch.Size, step: int) -> torch.Tensor:
    """Return (batch, n_genes) 1 where a gene is hidden; drawn on the CPU on every device."""
    generator = _generator("mask", config.seed, step)
    spread = config.maximal_mask - config.minimal_mask
    share = config.minimal_mask + spread * torch.rand(shape[0], 1, generator=generator)
    return (torch.rand(shape, generator=generator) < share).float()


def _generator(*parts: str | int) -> torch.Generator:
    return torch.Generator().manual_seed(derive_seed("pretraining", *parts))


def _below(tensors: State, prefix: str) -> State:
    return {key[len(prefix) :]: v for key, v in tensors.items() if key.startswith(prefix)}


def _read_checkpoint(path: Path) -> tuple[State, dict[str, str]]:
    try:
        with safe_open(path, framework="pt") as stream:
            metadata = stream.metadata() or {}
            return {key: stream.get_tensor(key) for key in stream.keys()}, metadata  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"The checkpoint {path.name} cannot be read ({error}).",
            remedy=f"Delete {path.parent.name}/{path.name} and start again.",
        ) from error
