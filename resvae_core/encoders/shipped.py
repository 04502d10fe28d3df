"""The encoders that come with the project: masked autoencoders pretrained on bulk expression.

``models/encoders/<name>/`` holds ``weights.safetensors`` (half precision; moments in single),
``encoder.json`` (architecture, genes, digest of the weights) and ``card.json``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resvae_core.compute import choose_device, derive_seed, in_batches
from resvae_core.config import models_folder
from resvae_core.data.files import file_digest, replacing_folder, write_json
from resvae_core.encoders.base import EXPRESSION_UNIT, REFERENCES, Encoder, require_reference
from resvae_core.errors import ArtifactError, CatalogError, GeneCoverageError
from resvae_core.features.genes import arrange
from resvae_core.features.scaling import Moments
from resvae_core.tables import Expression

if TYPE_CHECKING:
    import torch

    from resvae_core.networks.masked_autoencoder import MaskedAutoencoder

TITLES = {"large": "Large expression encoder", "small": "Small expression encoder"}
SHIPPED_NAMES = tuple(TITLES)
SCHEMA_VERSION = 1
WEIGHTS_FILE = "weights.safetensors"
ENCODER_FILE = "encoder.json"
CARD_FILE = "card.json"
BATCH_SIZE = 1024
RESTORE = "Restore the folder from the repository, or run: python -m resvae_core pretrain."


@dataclass(frozen=True)
class Architecture:
    """What `MaskedAutoencoder` is built from, beside its genes; fields as there."""

    n_dimensions: int
    width: int
    hidden: int
    n_blocks: int
    n_values: int

    def build(self, n_genes: int) -> MaskedAutoencoder:
        """Return an untrained network, drawn from torch's current random state."""
        from resvae_core.networks.masked_autoencoder import MaskedAutoencoder

        return MaskedAutoencoder(
            n_genes,
            n_dimensions=self.n_dimensions,
            width=self.width,
            hidden=self.hidden,
            n_blocks=self.n_blocks,
            n_values=self.n_values,
        )


class ShippedEncoder(Encoder):
    """A pretrained masked autoencoder that reads z-scores of frozen references.

    A sample's embedding depends on its own genes alone. A gene that is missing, or that the
    reference never measured, is left out of the sum over genes: nothing is filled in.

    Parameters
    ----------
    name
        ``large`` or ``small``.
    network
        Trained; it is put on the device in eval mode and single precision.
    genes
        (n_genes,) in the network's order.
    moments
        ``cell_lines`` and ``tumours``: mean and spread of each gene, NaN where never measured.
    clip
        z-scores are cut at plus and minus this value.
    digest
        SHA-256 (hex) of the weights' file.
    device
        As `compute.choose_device` takes it.
    """

    def __init__(
        self,
        name: str,
        network: MaskedAutoencoder,
        genes: tuple[str, ...],
        moments: Mapping[str, Moments],
        *,
        clip: float,
        digest: str,
        device: str = "auto",
    ) -> None:
        chosen = choose_device(device)
        self.name = name
        self.title = TITLES.get(name, name)
        self.genes = genes
        self.unit = EXPRESSION_UNIT
        self.n_dimensions = network.n_dimensions
        self.digest = digest
        self.device = str(chosen)
        self._network = network.float().to(chosen).eval()
        self._moments = dict(moments)
        self._clip = clip

    @property
    def n_parameters(self) -> int:
        """Number of learned values, decoder included."""
        return sum(parameter.numel() for parameter in self._network.parameters())

    def embed(self, expression: Expression, reference: str = "cell_lines") -> NDArray[np.float32]:
        """Turn each sample into its embedding; parameters and errors as in `Encoder.embed`.

        Raises
        ------
        GeneCoverageError
            Also if a sample has a value for none of the genes.
        """
        import torch

        z, visible = self._standardise(expression, reference)

        def run(start: int, stop: int) -> NDArray[np.float32]:
            with torch.inference_mode():
                inputs = (torch.from_numpy(a[start:stop]).to(self.device) for a in (z, visible))
                embedding: NDArray[np.float32] = self._network.embed(*inputs).cpu().numpy()
            return embedding

        parts = in_batches(len(z), BATCH_SIZE, run)
        return np.concatenate(parts) if parts else np.empty((0, self.n_dimensions), np.float32)

    def differentiable(
        self, genes: Sequence[str], reference: str
    ) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
        """Return the embedding as a function of genes that gradients pass through.

        Parameters
        ----------
        genes
            (n,) the caller's genes, in the caller's order; those that the encoder does not read
            are ignored, those that it reads and that are not among them are missing.
        reference
            As in `embed`.

        Returns
        -------
        callable
            Takes log2(TPM + 1) and what was measured (1 or 0), both (n_samples, n), on the
            encoder's device, and returns (n_samples, n_dimensions) as `embed` does.

        Raises
        ------
        GeneCoverageError
            If none of the genes is one that the encoder reads.
        ConfigError
            If the reference is not known.
        """
        import torch

        require_reference(reference)
        moments = self._moments[reference]
        source, place = self._shared(genes, np.isfinite(moments.mean))
        mean, sd = (torch.from_numpy(m[place]).to(self.device) for m in (moments.mean, moments.sd))
        columns = torch.from_numpy(source).to(self.device)
        places = torch.from_numpy(place).to(self.device)

        def embed(values: torch.Tensor, measured: torch.Tensor) -> torch.Tensor:
            empty = values.new_zeros(len(values), len(self.genes))
            seen = measured.index_select(1, columns)
            z = (values.index_select(1, columns) - mean) / sd
            z = torch.where(seen > 0, z, torch.zeros_like(z)).clamp(-self._clip, self._clip)
            return self._network.embed(
                empty.index_copy(1, places, z), empty.index_copy(1, places, seen.to(empty))
            )

        return embed

    def _shared(
        self, genes: Sequence[str], usable: NDArray[np.bool_]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the caller's columns that are read, and where the network takes each."""
        column = {gene: number for number, gene in enumerate(genes)}
        pairs = [
            (column[gene], place)
            for place, gene in enumerate(self.genes)
            if gene in column and usable[place]
        ]
        if not pairs:
            raise GeneCoverageError(
                f"None of the {len(self.genes)} genes that the encoder {self.name!r} reads is "
                f"among the {len(column)} genes given.",
                remedy="Check that genes are named by current symbols.",
            )
        shared = np.array(pairs, dtype=np.int64)
        return shared[:, 0], shared[:, 1]

    def _standardise(
        self, expression: Expression, reference: str
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return z-scores and what may be read of them, each (n_samples, n_genes)."""
        require_reference(reference)
        moments = self._moments[reference]
        scaled = (arrange(expression, self.genes) - moments.mean) / moments.sd
        measured = np.isfinite(scaled)
        empty = np.flatnonzero(~measured.any(axis=1))
        if len(empty):
            raise GeneCoverageError(
                f"Sample {expression.samples[empty[0]]!r} has a value for none of the "
                f"{len(self.genes)} genes that the encoder {self.name!r} reads.",
                remedy="Leave the sample out, or check how its genes are named.",
            )
        z = np.where(measured, scaled.clip(-self._clip, self._clip), 0.0).astype(np.float32)
        return z, measured.astype(np.float32)


def shipped_folder(name: str) -> Path:
    """Return where a shipped encoder lies.

    Raises
    ------
    CatalogError
        If no shipped encoder has this name.
    """
    if name not in SHIPPED_NAMES:
        raise CatalogError(
            f"No shipped encoder is called {name!r}.",
            remedy=f"Use one of: {', '.join(SHIPPED_NAMES)}.",
        )
    return models_folder() / "encoders" / name


def load_card(name: str, *, folder: Path | None = None) -> dict[str, Any]:
    """Return the card of a shipped encoder, without loading its weights.

    Parameters
    ----------
    name
        ``large`` or ``small``.
    folder
        Where its files lie; the shipped place by default.

    Raises
    ------
    CatalogError
        If no shipped encoder has this name.
    ArtifactError
        If there is no readable card.
    """
    path = (shipped_folder(name) if folder is None else folder) / CARD_FILE
    try:
        card: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"The card of the encoder {name!r} is missing or is no JSON.", remedy=RESTORE
        ) from error
    return card


def load_shipped(name: str, device: str = "auto", *, folder: Path | None = None) -> ShippedEncoder:
    """Load a shipped encoder, verified.

    Parameters
    ----------
    name
        ``large`` or ``small``.
    device
        As `compute.choose_device` takes it.
    folder
        Where its files lie; the shipped place by default.

    Raises
    ------
    CatalogError
        If no shipped encoder has this name.
    ArtifactError
        If a file is missing, altered, or of another schema, or weights do not fit.
    """
    folder = shipped_folder(name) if folder is None else folder
    document = _read_document(folder)
    digest = _verified_digest(folder, document)
    try:
        architecture = Architecture(**document["architecture"])
        genes = tuple(document["genes"])
        network, moments = _load_weights(folder, architecture, genes)
        clip = float(document["clip"])
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise ArtifactError(
            f"The weights of the encoder {name!r} do not fit its {ENCODER_FILE} ({error}).",
            remedy=RESTORE,
        ) from error
    return ShippedEncoder(name, network, genes, moments, clip=clip, digest=digest, device=device)


def load_untrained(name: str, device: str = "auto") -> ShippedEncoder:
    """Return a shipped encoder with weights as they were before pretraining: an ablation.

    Parameters
    ----------
    name
        ``large`` or ``small``.
    device
        As `compute.choose_device` takes it.
    """
    import torch

    folder = shipped_folder(name)
    document = _read_document(folder)
    genes = tuple(document["genes"])
    architecture = Architecture(**document["architecture"])
    _, moments = _load_weights(folder, architecture, genes)
    with torch.random.fork_rng():
        torch.manual_seed(derive_seed("untrained", name))
        network = architecture.build(len(genes))
    clip, digest = float(document["clip"]), f"untrained-{document['weights_sha256']}"
    title = f"{name}-untrained"
    return ShippedEncoder(title, network, genes, moments, clip=clip, digest=digest, device=device)


def save_shipped(
    folder: Path,
    name: str,
    network: MaskedAutoencoder,
    architecture: Architecture,
    genes: tuple[str, ...],
    moments: Mapping[str, Moments],
    *,
    clip: float,
    card: Mapping[str, Any],
) -> None:
    """Replace an encoder's folder; it is written beside first, so a stop keeps the old one.

    Parameters
    ----------
    folder
        ``models/encoders/<name>``.
    card
        JSON-ready; the digest of the weights is added.
    """
    from safetensors.torch import save_file

    with replacing_folder(folder) as staged:
        staged.mkdir()
        save_file(_tensors(network, moments), staged / WEIGHTS_FILE)
        (staged / WEIGHTS_FILE).chmod(0o644)
        digest = file_digest(staged / WEIGHTS_FILE)
        document = {
            "schema_version": SCHEMA_VERSION,
            "name": name,
            "unit": EXPRESSION_UNIT,
            "architecture": vars(architecture),
            "clip": clip,
            "genes": list(genes),
            "weights_sha256": digest,
        }
        write_json(staged / ENCODER_FILE, document)
        write_json(staged / CARD_FILE, {**card, "weights_sha256": digest})


def _tensors(network: MaskedAutoencoder, moments: Mapping[str, Moments]) -> dict[str, torch.Tensor]:
    import torch

    tensors = {
        f"network.{key}": value.detach().cpu().half().contiguous()
        for key, value in network.state_dict().items()
    }
    for reference, found in moments.items():
        tensors[f"moments.{reference}.mean"] = torch.from_numpy(found.mean.copy())
        tensors[f"moments.{reference}.sd"] = torch.from_numpy(found.sd.copy())
    return tensors


def _load_weights(
    folder: Path, architecture: Architecture, genes: tuple[str, ...]
) -> tuple[MaskedAutoencoder, dict[str, Moments]]:
    import torch
    from safetensors.torch import load_file

    tensors = load_file(folder / WEIGHTS_FILE)
    with torch.device("meta"):  # nothing is drawn: loading leaves the random state alone
        network = architecture.build(len(genes))
    prefix = "network."
    state = {key[len(prefix) :]: v.float() for key, v in tensors.items() if key.startswith(prefix)}
    network.load_state_dict(state, strict=True, assign=True)
    moments: dict[str, Moments] = {
        name: Moments(*(tensors[f"moments.{name}.{part}"].numpy() for part in ("mean", "sd")))
        for name in REFERENCES
    }
    if any(found.mean.shape != (len(genes),) for found in moments.values()):
        raise ValueError(f"moments are not those of {len(genes)} genes")
    return network, moments


def _read_document(folder: Path) -> dict[str, Any]:
    try:
        document: dict[str, Any] = json.loads((folder / ENCODER_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"There is no readable {ENCODER_FILE} in {folder.parent.name}/{folder.name}/.",
            remedy=RESTORE,
        ) from error
    if document.get("schema_version") != SCHEMA_VERSION:
        raise ArtifactError(
            f"The encoder has schema version {document.get('schema_version')!r}; this program "
            f"reads {SCHEMA_VERSION}.",
            remedy="Run: python -m resvae_core pretrain, with this version.",
        )
    return document


def _verified_digest(folder: Path, document: Mapping[str, Any]) -> str:
    path = folder / WEIGHTS_FILE
    if not path.is_file():
        raise ArtifactError(f"{WEIGHTS_FILE} of {folder.name!r} is missing.", remedy=RESTORE)
    digest = file_digest(path)
    if digest != document.get("weights_sha256"):
        raise ArtifactError(
            f"{WEIGHTS_FILE} of {folder.name!r} is altered: its SHA-256 is not the recorded one.",
            remedy=RESTORE,
        )
    return digest
