"""scFoundation (Hao et al. 2024): the official checkpoint behind our protocol.

**Conversion.** The network reads ln(1 + value) of samples scaled to a common total. TPM are scaled
already, to a million over all genes of the sample, so ln(TPM + 1) = ln 2 · log2(TPM + 1) is what
enters. Scaling again would be wrong on a panel, whose total is not that of the sample; and the
authors' script scales to the median total of the samples in the file, so that a sample would
depend on its company. For a file of one sample that scaling changes nothing, and our result is
that of the script.

**Depth.** Two tokens tell the network the depth aimed at (T) and found (S). For bulk profiles the
script gives both the same value, computed from the sum *after* scaling and logarithm, not from
counts: ``log10_total`` (script: not normalised) or ``total`` (script: already normalised; far
outside of what the network saw in pretraining). We reproduce it: the weights ask for nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from resvae_core.compute import choose_device, in_batches
from resvae_core.encoders.base import Encoder, require_reference
from resvae_core.encoders.checkpoints import check_state, join_digests, read_torch_file
from resvae_core.encoders.cost import transformer_flops, warn_if_slow
from resvae_core.encoders.vocabularies import N_SCFOUNDATION_GENES, scfoundation_genes
from resvae_core.encoders.weights import find_weights, verify_weights
from resvae_core.errors import ArtifactError, InputDataError
from resvae_core.features.genes import arrange
from resvae_core.tables import Expression

if TYPE_CHECKING:
    import torch

    from resvae_core.networks.scfoundation import ScFoundationEncoder, ScFoundationSizes

Variant = Literal["rde", "cell", "gene"]
DepthToken = Literal["log10_total", "total"]

ENCODER_PARTS = ("token_emb.", "pos_emb.", "encoder.")
DECODER_PARTS = ("decoder.", "decoder_embed.", "norm.", "to_final.")
SEQ_LEN = N_SCFOUNDATION_GENES + 2
TOKENS_AT_ONCE_ON_GPU = 131_072
# no published network comes near: what is larger was not made by the authors
MAX_SIZE = 65_536


class ScFoundation(Encoder):
    """The encoder of scFoundation with a loaded variant.

    Parameters
    ----------
    network
        On its device, in evaluation mode.
    digest
        Of the checkpoint, the variant and the depth token.
    depth_token
        How T and S are computed, see the module.
    rows_at_once
        Samples in a batch. 1 on a CPU, where nothing is gained by more.
    """

    name = "scfoundation"
    title = "scFoundation"

    def __init__(
        self,
        network: ScFoundationEncoder,
        *,
        digest: str,
        depth_token: DepthToken = "log10_total",
        rows_at_once: int | None = None,
    ) -> None:
        genes = scfoundation_genes()
        self.genes = genes.symbols
        self.n_dimensions = 4 * network.sizes.hidden_dim
        self.digest = digest
        self.depth_token = depth_token
        device = network.pos_emb.weight.device
        self.device = str(device)
        self.rows_at_once = rows_at_once or (
            1 if device.type == "cpu" else TOKENS_AT_ONCE_ON_GPU // SEQ_LEN
        )
        self._network = network
        self._positions = genes.positions

    def embed(self, expression: Expression, reference: str = "cell_lines") -> NDArray[np.float32]:
        """Turn each sample into its embedding: outputs of S and T, maximum and mean over genes.

        Nothing is standardised, so `reference` is ignored. Genes that a sample lacks count as not
        expressed, as in pretraining. On a CPU a genome-wide sample takes minutes: a
        `SlowComputationWarning` says how many before the start.

        Raises
        ------
        GeneCoverageError
            If none of the genes is in the data.
        InputDataError
            If a sample expresses too few genes for the depth tokens to be above 0.
        ConfigError
            If the reference is not known.
        """
        require_reference(reference)
        values = np.nan_to_num(arrange(expression, self.genes), copy=False)
        depths = self._depths(values, expression.samples)
        self._warn(values)
        parts = in_batches(
            len(values),
            self.rows_at_once,
            lambda start, stop: self._embed_rows(values[start:stop], depths[start:stop]),
        )
        return np.concatenate([np.empty((0, self.n_dimensions), np.float32), *parts])

    def _depths(self, values: NDArray[np.float32], samples: list[str]) -> NDArray[np.float64]:
        """Return the value of T and S of each sample."""
        total: NDArray[np.float64] = values.sum(axis=1, dtype=float) * np.log(2)
        depths = total
        if self.depth_token == "log10_total":
            with np.errstate(divide="ignore"):
                depths = np.log10(total)
        if len(short := np.flatnonzero(~(depths > 0))):
            raise InputDataError(
                f"Sample {samples[short[0]]!r} expresses next to none of the genes that "
                f"{self.title} reads: they sum to {total[short[0]]:.2f}; more than 1 was expected.",
                remedy="Check the sample's unit and gene names, or leave it out.",
            )
        return depths

    def _warn(self, values: NDArray[np.float32]) -> None:
        if self.device != "cpu":
            return
        sizes = self._network.sizes
        flops = sum(
            transformer_flops(n + 2, sizes.hidden_dim, 4 * sizes.hidden_dim, sizes.depth)
            for n in np.count_nonzero(values > 0, axis=1).tolist()
        )
        warn_if_slow(flops, self.title, len(values))

    def _embed_rows(
        self, values: NDArray[np.float32], depths: NDArray[np.float64]
    ) -> NDArray[np.float32]:
        """Embed the samples of one batch."""
        import torch

        tokens, positions, lengths = self._gather(values * np.float32(np.log(2)), depths)
        with torch.inference_mode():
            out = self._network(
                *(torch.from_numpy(part).to(self.device) for part in (tokens, positions, lengths))
            )
        embedding: NDArray[np.float32] = out.cpu().numpy()
        return embedding

    def _gather(
        self, values: NDArray[np.float32], depths: NDArray[np.float64]
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        """Move what is above 0 to the left, put T and S behind it, and pad."""
        expressed = [np.flatnonzero(row > 0) for row in values]
        lengths = np.array([len(index) + 2 for index in expressed])
        tokens = np.zeros((len(values), lengths.max()), np.float32)
        positions = np.full(tokens.shape, SEQ_LEN, np.int64)
        for row, index in enumerate(expressed):
            end = lengths[row]
            tokens[row, : end - 2] = values[row, index]
            tokens[row, end - 2 : end] = depths[row]
            positions[row, : end - 2] = self._positions[index]
            positions[row, end - 2 : end] = N_SCFOUNDATION_GENES, N_SCFOUNDATION_GENES + 1
        return tokens, positions, lengths


def load_scfoundation(
    name: str = "scfoundation",
    *,
    device: str = "auto",
    variant: Variant = "rde",
    depth_token: DepthToken = "log10_total",
) -> ScFoundation:
    """Load the checkpoint that the user placed.

    Parameters
    ----------
    name
        Of the weights, as `find_weights` takes it.
    device
        As `choose_device`.
    variant
        Which network of the checkpoint: ``rde`` (read-depth enhancement), ``cell`` or ``gene``.
    depth_token
        How T and S are computed, see the module.

    Raises
    ------
    ArtifactError
        If the checkpoint is missing, altered, unsafe to read, or of another architecture.
    DeviceError
        If the device is not there.
    """
    weights = find_weights(name)
    target = choose_device(device)
    (file,) = verify_weights(weights)
    network = read_network(weights.folder / file.path, variant)
    digest = join_digests(file.sha256, variant, depth_token)
    return ScFoundation(network.to(target).eval(), digest=digest, depth_token=depth_token)


def read_network(path: Path, variant: Variant = "rde") -> ScFoundationEncoder:
    """Read one variant of a ``models.ckpt`` and load it strictly.

    Raises
    ------
    ArtifactError
        If the file cannot be read safely, lacks the variant, or does not fit the architecture.
    """
    import torch

    from resvae_core.networks.scfoundation import ScFoundationEncoder

    checkpoint = _choose_variant(read_torch_file(path), variant, path.name)
    sizes = _read_sizes(checkpoint.get("config"))
    state = _encoder_state(checkpoint.get("state_dict"))
    with torch.device("meta"):
        network = ScFoundationEncoder(sizes)
    check_state(network, state, f"scFoundation ({variant})")
    network.load_state_dict(state, strict=True, assign=True)
    return network.requires_grad_(False)


def _choose_variant(document: object, variant: str, name: str) -> Mapping[str, Any]:
    found = document if isinstance(document, Mapping) else {}
    if not isinstance(chosen := found.get(variant), Mapping):
        raise ArtifactError(
            f"{name} holds no variant {variant!r}, but {', '.join(map(str, found)) or 'none'}.",
            remedy="Place the official models.ckpt, which holds cell, rde and gene.",
        )
    return chosen


def _read_sizes(config: object) -> ScFoundationSizes:
    """Read the sizes from a configuration of the authors' training framework."""
    from resvae_core.networks.scfoundation import ScFoundationSizes

    try:
        settings = _flatten(config)
        layout = settings["encoder"]
        if (layout["module_type"], bool(layout.get("norm_first"))) != ("transformer", False):
            raise ValueError("another kind of encoder")
        given = {**settings, **layout, "seq_len": settings["seq_len"]}
        sizes = ScFoundationSizes(**{f.name: given[f.name] for f in fields(ScFoundationSizes)})
        _check_sizes(sizes)
    except (KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"The configuration in the checkpoint is none of scFoundation's ({error}).",
            remedy="Place the official models.ckpt, unchanged.",
        ) from error
    return sizes


def _flatten(config: Any) -> dict[str, Any]:
    """Join the settings of the model with those of its data, which hold the sequence's length."""
    return {**config["model_config"][config["model"]], **config["dataset_config"]["rnaseq"]}


def _check_sizes(sizes: ScFoundationSizes) -> None:
    whole = (sizes.hidden_dim, sizes.depth, sizes.heads, sizes.bin_num)
    if not all(isinstance(size, int) and 0 < size <= MAX_SIZE for size in whole):
        raise ValueError(f"sizes {whole}")
    if sizes.hidden_dim % sizes.heads:
        raise ValueError(f"{sizes.heads} heads for a width of {sizes.hidden_dim}")
    if sizes.seq_len != SEQ_LEN:
        raise ValueError(f"{sizes.seq_len} tokens instead of {SEQ_LEN}")


def _encoder_state(state: object) -> dict[str, torch.Tensor]:
    """Take the encoder's tensors out of the state of the whole network."""
    import torch

    if not isinstance(state, Mapping):
        raise ArtifactError(
            "The checkpoint holds no state of a network.",
            remedy="Place the official models.ckpt, unchanged.",
        )
    named = {str(key).removeprefix("model."): tensor for key, tensor in state.items()}
    known = ENCODER_PARTS + DECODER_PARTS
    odd = [
        key
        for key, tensor in named.items()
        if not key.startswith(known) or not isinstance(tensor, torch.Tensor)
    ]
    if odd:
        raise ArtifactError(
            f"The checkpoint holds {odd[0]!r}, which is no part of scFoundation.",
            remedy="Place the official models.ckpt, unchanged.",
        )
    return {
        key: tensor.to(torch.float32, copy=True)  # the file is mapped: do not depend on it
        for key, tensor in named.items()
        if key.startswith(ENCODER_PARTS)
    }
