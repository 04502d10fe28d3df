"""The residual VAE behind the model contract: one definition, three configurations.

VAE_LL and VAE_LS read the embedding of a large and of a small expression encoder, and what their
configuration names beside it. VAE_LD reads genes alone; its latent is distilled from VAE_LL's,
member by member, so that a teacher never saw a line that its student's member has not seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from resvae_core.compute import choose_device, derive_seed, in_batches
from resvae_core.encoders.base import Encoder
from resvae_core.encoders.catalog import load_encoder
from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.features.genes import arrange
from resvae_core.features.ranks import rank_genes
from resvae_core.features.scaling import Moments
from resvae_core.models.base import CELL_LINES, Arrays, Document, ResponseModel, Samples
from resvae_core.models.calibrated import Array, Matrix
from resvae_core.models.cross_fitted import CrossFittedModel, Rows
from resvae_core.models.resvae_config import EMBEDDING, GENES, RANKS, STANDARD, ResVAEConfig
from resvae_core.tables import Expression, Screen
from resvae_core.training.config import LABEL
from resvae_core.training.watch import report_epoch

if TYPE_CHECKING:
    import torch

    from resvae_core.networks.resvae import ResVAE as Network
    from resvae_core.training.distillation import Teacher

GeneFunction = Callable[["torch.Tensor", "torch.Tensor"], "torch.Tensor"]
"""From genes and what was measured of them to an embedding or to responses."""

TRAINING_ONLY = ("decoder.", "output.", "log_variance.")
"""Parts of a network that predict nothing: not saved."""
CHANNEL_MOMENTS = "channel_moments"
BATCH = 4096
"""Samples scored at a time: bounds the memory."""


class ResVAE(CrossFittedModel):
    """Residual variational autoencoder with heads over all drugs.

    Weights are rounded to half precision when training ends, so the saved model is half as large
    and predicts the same before and after saving. Decoders are not saved.

    Parameters
    ----------
    settings
        Changes to the variant's standard configuration: fields of `ResVAEConfig`.
    device
        ``auto``, ``cpu`` or ``cuda``. Predictions agree within 1e-4; training draws other random
        numbers on CUDA, so it gives another, equally good model.
    n_members, seed
        See `CalibratedModel`.
    """

    standard: ClassVar[ResVAEConfig]
    """The variant's standard configuration."""
    teacher: ClassVar[str | None] = None
    """Kind of the model that the latent is distilled from."""

    networks_: list[list[Network]]
    encoder_: Encoder | None
    channel_moments_: dict[tuple[str, str], Moments]
    """By channel and reference; the genes' own are in `moments_`."""
    teacher_: ResVAE
    _teacher_inputs: Matrix

    def __init__(
        self,
        settings: Mapping[str, Any] | None = None,
        *,
        device: str = "auto",
        n_members: int = 5,
        seed: int = 0,
    ) -> None:
        super().__init__(n_members=n_members, seed=seed)
        self.config: ResVAEConfig = self.standard.with_changes(settings or {})
        self.device = device

    def configuration(self) -> Document:
        """Return the constructor's arguments, without the device."""
        return {"settings": asdict(self.config), "n_members": self.n_members, "seed": self.seed}

    def build_from(self, parts: Mapping[str, ResponseModel]) -> None:
        """Take the teacher, where this variant has one.

        Raises
        ------
        ConfigError
            If the teacher is missing or was fitted on other folds.
        """
        if self.teacher is None:
            return
        teacher = parts.get(self.teacher)
        if not isinstance(teacher, ResVAE):
            raise ConfigError(
                f"{self.title} is distilled from {self.teacher!r}, which is missing.",
                remedy="Fit or load it first.",
            )
        if (teacher.n_members, teacher.seed) != (self.n_members, self.seed):
            raise ConfigError(
                f"The teacher {self.teacher!r} was fitted on other folds than {self.title} is.",
                remedy="Use the same seed and number of members for both.",
            )
        self.teacher_ = teacher

    def inputs(self, samples: Samples) -> Matrix:
        """Return (n_samples, n_inputs) the configuration's channels, each standardised."""
        genes = self.standardise(samples)  # first of all: it refuses unknown references
        return np.concatenate(
            [
                genes if name == GENES else self._standardised(name, samples)
                for name in self.config.channels
            ],
            axis=1,
        )

    def gene_features(self, samples: Samples) -> Matrix:
        """Return (n_samples, k · n_genes): standardised genes, and their ranks where it reads them.

        What `gene_function` takes: column g of every block belongs to gene g.
        """
        blocks = [self.standardise(samples)]
        if RANKS in self.config.channels:
            blocks.append(self._standardised(RANKS, samples))
        return np.concatenate(blocks, axis=1)

    def gene_function(self, reference: str) -> GeneFunction:
        """Return the members' scores as one differentiable function of `gene_features`.

        One function, because all members read the same inputs: the encoder is evaluated once.

        Parameters
        ----------
        reference
            Whose moments standardise.

        Returns
        -------
        callable
            Takes features (n_samples, k · n_genes) and which genes were measured, 1 or 0,
            (n_samples, n_genes), and returns (n_members, n_samples, n_drugs) on the CPU.

        Raises
        ------
        ConfigError
            If the encoder's embedding is no differentiable function of genes.
        """
        import torch

        device = next(self.networks_[0][0].parameters()).device
        embed = self._embedding_function(reference, device)
        n_genes = len(self.genes_)

        def respond(features: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
            features = features.to(device)
            z = features[:, :n_genes]
            channels = {GENES: z, RANKS: features[:, n_genes:]}
            if embed is not None:
                channels[EMBEDDING] = embed(z, measured.to(device))
            inputs = torch.cat([channels[name] for name in self.config.channels], dim=1)
            return torch.stack([_mean_response(each, inputs) for each in self.networks_]).cpu()

        return respond

    def add_reference(self, name: str, cohorts: Sequence[Expression]) -> None:
        """Learn the moments of every channel in another reference."""
        super().add_reference(name, cohorts)
        self._learn_channels(name, cohorts)

    def learned(self) -> tuple[Arrays, Document]:
        """Return networks, moments, calibration, and which encoder the model was trained with."""
        arrays, document = super().learned()
        for (channel, reference), moments in self.channel_moments_.items():
            arrays[f"{CHANNEL_MOMENTS}.{channel}.{reference}.mean"] = moments.mean
            arrays[f"{CHANNEL_MOMENTS}.{channel}.{reference}.sd"] = moments.sd
        if self.encoder_ is not None:
            document["encoder"] = {"name": self.encoder_.name, "digest": self.encoder_.digest}
        return arrays, document

    def restore(self, arrays: Arrays, document: Document) -> None:
        """Take over what `learned` returned.

        Raises
        ------
        ArtifactError
            If the installed encoder is not the one that the model was trained with.
        """
        self._load_encoder()
        trained_with = document.get("encoder", {}).get("digest")
        if self.encoder_ is not None and self.encoder_.digest != trained_with:
            raise ArtifactError(
                f"{self.title} was trained with another version of the encoder "
                f"{self.encoder_.name!r} (digest {str(trained_with)[:12]}) than the installed one "
                f"({self.encoder_.digest[:12]}).",
                remedy="Restore the encoder that belongs to the model, or train the model again.",
            )
        names = {
            (name.split(".")[1], name.split(".")[2])
            for name in arrays
            if name.startswith(CHANNEL_MOMENTS)
        }
        self.channel_moments_ = {
            (channel, reference): Moments(
                arrays[f"{CHANNEL_MOMENTS}.{channel}.{reference}.mean"],
                arrays[f"{CHANNEL_MOMENTS}.{channel}.{reference}.sd"],
            )
            for channel, reference in sorted(names)
        }
        super().restore(arrays, document)

    def _prepare(self, samples: Samples) -> None:
        super()._prepare(samples)
        self._load_encoder()
        self.networks_, self._history = [], []
        self.channel_moments_ = {}
        self._learn_channels(CELL_LINES, [samples.expression])
        if self._distils:
            self._teacher_inputs = self.teacher_.inputs(samples)

    def _fit_members(self, z: Matrix, target: Array, screen: Screen) -> Array:
        if self.config.target == LABEL:
            target = screen.resistant.to_numpy(float)
        return super()._fit_members(z, target, screen)

    def _load_encoder(self) -> None:
        name = self.config.encoder if EMBEDDING in self.config.channels else None
        self.encoder_ = load_encoder(name, device=self.device) if name else None

    def _learn_channels(self, reference: str, cohorts: Sequence[Expression]) -> None:
        for name in self.config.channels:
            if name == GENES:  # in `moments_`, as in every model
                continue
            moments = Moments.of(*(self._channel(name, cohort, reference) for cohort in cohorts))
            if name == EMBEDDING:
                moments = _common_scale(moments, self.config.embedding_weight)
            self.channel_moments_[name, reference] = moments

    def _standardised(self, name: str, samples: Samples) -> Matrix:
        values = self._channel(name, samples.expression, samples.reference)
        return self.channel_moments_[name, samples.reference].standardise(values)

    def _channel(self, name: str, expression: Expression, reference: str) -> Matrix:
        if name == RANKS:
            return rank_genes(arrange(expression, self.genes_))
        return self._embed(expression, reference)

    def _embed(self, expression: Expression, reference: str) -> Matrix:
        """Embed the model's own genes: what else a file holds must not change its scores."""
        assert self.encoder_ is not None
        known = expression.values.columns.intersection(list(self.genes_))
        return self.encoder_.embed(Expression(expression.values[list(known)]), reference)

    def _fit_member(self, member: int, z: Matrix, target: Array, rows: Rows) -> None:
        networks = []
        for number in range(self.config.n_networks):
            seed = derive_seed(self.kind, self.seed, member, number)
            teacher = self._ask_teacher(member, number, rows)
            network, history = self._train(
                z, target, teacher, seed, partial(self._report, member, number)
            )
            networks.append(network)
            self._history = [
                *self._history,
                *({"member": member, "network": number, **record} for record in history),
            ]
        self.networks_.append(networks)

    def _report(self, member: int, number: int, record: dict[str, float]) -> None:
        """Tell whoever watches which network is at which epoch."""
        where = {"member": member, "n_members": self.n_members}
        where |= {"network": number, "n_networks": self.config.n_networks}
        report_epoch(self.kind, {**where, **record})

    def _train(
        self,
        z: Matrix,
        target: Array,
        teacher: Teacher | None,
        seed: int,
        on_epoch: Callable[[dict[str, float]], None],
    ) -> tuple[Network, list[dict[str, float]]]:
        import torch

        from resvae_core.training.kernel_head import fit_kernel_head
        from resvae_core.training.loop import fit_network

        config = self.config
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            network = self._network(z.shape[1], target.shape[1])
            history = fit_network(
                network,
                z,
                target,
                config.training,
                seed=seed,
                is_label=config.target == LABEL,
                teacher=teacher,
                on_epoch=on_epoch,
            )
        network.half().float()
        if config.head == "kernel":
            latent = _evaluate(network, network.latent, z)
            head = fit_kernel_head(latent, target, ridge=config.kernel_ridge)
            network.head = head.to(choose_device(self.device)).half().float().eval()
        return network, history

    def _embedding_function(self, reference: str, device: torch.device) -> GeneFunction | None:
        """Return the standardised embedding as a function of standardised genes."""
        if self.encoder_ is None:
            return None
        import torch

        def on_device(moments: Moments) -> list[torch.Tensor]:
            return [torch.from_numpy(part).to(device) for part in (moments.mean, moments.sd)]

        embed = self.encoder_.differentiable(self.genes_, reference)
        gene_mean, gene_sd = on_device(self.moments_[reference])
        mean, sd = on_device(self.channel_moments_[EMBEDDING, reference])
        return lambda z, measured: (embed(z * gene_sd + gene_mean, measured) - mean) / sd

    def _ask_teacher(self, member: int, number: int, rows: Rows) -> Teacher | None:
        """Return what the teacher's member of the same fold says of the training lines."""
        if not self._distils:
            return None
        import torch

        from resvae_core.training.distillation import ask_teacher

        networks = self.teacher_.networks_[member]
        device = choose_device(self.device)
        inputs = torch.from_numpy(self._teacher_inputs[rows]).to(device)
        return ask_teacher(networks[number % len(networks)].to(device), inputs)

    @property
    def _distils(self) -> bool:
        return self.teacher is not None and self.config.training.distils

    def _n_inputs(self) -> int:
        widths = {GENES: len(self.genes_), RANKS: len(self.genes_)}
        if self.encoder_ is not None:
            widths[EMBEDDING] = self.encoder_.n_dimensions
        return sum(widths[name] for name in self.config.channels)

    def _network(
        self, n_inputs: int, n_drugs: int, *, n_support: int = 0, decodes: bool = True
    ) -> Network:
        from resvae_core.networks.resvae import ResVAE as Network

        config = self.config
        return Network(
            n_inputs,
            n_drugs,
            hidden=config.hidden,
            n_latent=config.n_latent,
            dropout=config.dropout,
            activation=config.activation,
            head=config.head,
            n_support=n_support,
            decodes=decodes,
        ).to(choose_device(self.device))

    def _score_member(self, member: int, z: Matrix) -> Array:
        scores: Array = np.mean(
            [_evaluate(network, network.response, z) for network in self.networks_[member]], axis=0
        )
        return scores

    def _ln_ic50(self, score: Array) -> Array:
        if self.config.target == LABEL:  # a logit says nothing about ln IC50
            return np.full(score.shape, np.nan)
        return super()._ln_ic50(score)

    def _member_arrays(self) -> Arrays:
        return {
            f"member{member}.network{number}.{name}": _to_numpy(tensor)
            for member, networks in enumerate(self.networks_)
            for number, network in enumerate(networks)
            for name, tensor in network.state_dict().items()
            if not name.startswith(TRAINING_ONLY)
        }

    def _restore_members(self, arrays: Arrays) -> None:
        self.networks_ = [
            [
                self._restore_network(arrays, f"member{member}.network{number}.")
                for number in range(self.config.n_networks)
            ]
            for member in range(self.n_members)
        ]

    def _restore_network(self, arrays: Arrays, prefix: str) -> Network:
        state = {
            name.removeprefix(prefix): _to_tensor(array)
            for name, array in arrays.items()
            if name.startswith(prefix)
        }
        support = state.get("head.support")
        network = self._network(
            self._n_inputs(),
            len(self.drugs_),
            n_support=0 if support is None else len(support),
            decodes=False,
        )
        network.load_state_dict(state, strict=True)
        return network.eval()


class VaeLL(ResVAE):
    """Reads the embedding of the large expression encoder, and what stands beside it."""

    kind = "vae_ll"
    title = "VAE_LL"
    standard = STANDARD["vae_ll"]


class VaeLS(ResVAE):
    """Reads the embedding of the small expression encoder, and what stands beside it."""

    kind = "vae_ls"
    title = "VAE_LS"
    standard = STANDARD["vae_ls"]


class VaeLD(ResVAE):
    """Reads genes alone; its latent is distilled from VAE_LL's."""

    kind = "vae_ld"
    title = "VAE_LD"
    standard = STANDARD["vae_ld"]
    teacher: ClassVar[str | None] = "vae_ll"
    needs: ClassVar[tuple[str, ...]] = ("vae_ll",)


def _common_scale(moments: Moments, weight: float) -> Moments:
    """Divide every dimension by the same number: the encoder's large axes stay large."""
    scale = np.sqrt(np.mean(np.square(moments.sd))) / weight
    return Moments(moments.mean, np.full_like(moments.sd, scale))


def _mean_response(networks: Sequence[Network], inputs: torch.Tensor) -> torch.Tensor:
    """Return (n_samples, n_drugs) the mean response of a member's networks."""
    import torch

    return torch.stack([network.response(inputs) for network in networks]).mean(dim=0)


def _evaluate(
    network: Network, function: Callable[[torch.Tensor], torch.Tensor], z: Matrix
) -> Array:
    """Return a network's function of inputs, in batches that the memory holds."""
    import torch

    device = next(network.parameters()).device

    def run(start: int, stop: int) -> NDArray[np.float32]:
        with torch.inference_mode():
            values = function(torch.from_numpy(z[start:stop]).to(device))
            found: NDArray[np.float32] = values.cpu().numpy()
            return found

    return np.concatenate(in_batches(len(z), BATCH, run)).astype(float)


def _to_numpy(tensor: torch.Tensor) -> NDArray[Any]:
    array = tensor.cpu().numpy()
    return array.astype(np.float16) if array.dtype == np.float32 else array


def _to_tensor(array: NDArray[Any]) -> torch.Tensor:
    import torch

    tensor = torch.from_numpy(array)
    return tensor.float() if array.dtype == np.float16 else tensor
