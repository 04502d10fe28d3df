"""Geneformer (Theodoris et al. 2023, Chen et al. 2024): the official weights behind our protocol.

A sample is read as a sentence: its genes, the one first that stands out most. Each gene's value is
divided by the gene's median over the cells of the pretraining corpus where it is not 0, and genes
above 0 are sorted in descending order. (The scaling of each sample to a total, which the authors
do first, multiplies all its values by the same number: the order stays.) A bulk sample has some
15,000 genes above 0 while the network reads 2,048 (V1) or 4,096 (V2): the rest is cut off, and
`Geneformer.reading_shares` says how much.

The network is a BERT that the package ``transformers`` builds. It is an extra of 160 MB that only
users of these weights need, so it is not among the requirements.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.compute import choose_device, in_batches
from resvae_core.encoders.base import Encoder, require_reference
from resvae_core.encoders.checkpoints import (
    check_state,
    join_digests,
    read_safetensors,
    read_torch_file,
)
from resvae_core.encoders.cost import transformer_flops, warn_if_slow
from resvae_core.encoders.vocabularies import (
    GeneformerTokens,
    GeneformerVersion,
    geneformer_tokens,
)
from resvae_core.encoders.weights import find_weights, verify_weights
from resvae_core.errors import ArtifactError, InputDataError
from resvae_core.features.genes import arrange
from resvae_core.tables import Expression

if TYPE_CHECKING:
    import torch

TRANSFORMERS = "transformers==5.23.0"
"""What the tests run with, as pip takes it."""

VERSIONS: tuple[GeneformerVersion, ...] = ("v1", "v2")
CONFIG_FILE = "config.json"
TOKENS_AT_ONCE_ON_GPU = 131_072
# no published network comes near: what is larger was not made by the authors
MAX_LAYERS, MAX_WIDTH = 48, 8192


class Geneformer(Encoder):
    """A Geneformer that is loaded.

    Parameters
    ----------
    network
        The BERT without its last layer, on its device, in evaluation mode.
    vocabulary
        Of the version that the network was trained with.
    digest
        Of the weights and their configuration.
    rows_at_once
        Samples in a batch. 1 on a CPU, where nothing is gained by more.
    """

    name = "geneformer"

    def __init__(
        self,
        network: Any,
        vocabulary: GeneformerTokens,
        *,
        title: str = "Geneformer",
        digest: str,
        rows_at_once: int | None = None,
    ) -> None:
        self.title = title
        self.genes = vocabulary.symbols
        self.n_dimensions = int(network.config.hidden_size)
        self.digest = digest
        self.device = str(network.device)
        self.rows_at_once = rows_at_once or (
            1 if self.device == "cpu" else TOKENS_AT_ONCE_ON_GPU // vocabulary.context
        )
        self._network = network
        self._vocabulary = vocabulary

    def embed(self, expression: Expression, reference: str = "cell_lines") -> NDArray[np.float32]:
        """Turn each sample into the mean of its genes' states in the second-to-last layer.

        Special tokens and padding are left out of the mean. Nothing is standardised beyond the
        corpus' medians, so `reference` is ignored. Genes that a sample lacks are not read.

        Raises
        ------
        GeneCoverageError
            If none of the genes is in the data.
        InputDataError
            If a sample expresses none of the genes.
        ConfigError
            If the reference is not known.
        """
        require_reference(reference)
        sentences = self.sentences(expression)
        self._warn(sentences)
        parts = in_batches(
            len(sentences),
            self.rows_at_once,
            lambda start, stop: self._embed_sentences(sentences[start:stop]),
        )
        return np.concatenate([np.empty((0, self.n_dimensions), np.float32), *parts])

    def sentences(self, expression: Expression) -> list[NDArray[np.int64]]:
        """Return each sample's tokens: genes in descending order, cut to what the network reads.

        Ties are broken by ascending token. In V2 the special tokens stand at both ends.
        """
        values = arrange(expression, self.genes)
        ranked = [rank_genes(row, self._vocabulary) for row in values]
        for sample, tokens in zip(expression.samples, ranked, strict=True):
            if not len(tokens):
                raise InputDataError(
                    f"Sample {sample!r} expresses none of the genes that {self.title} reads.",
                    remedy="Check the sample's unit and gene names, or leave it out.",
                )
        return [close_sentence(tokens, self._vocabulary) for tokens in ranked]

    def reading_shares(self, expression: Expression) -> pd.DataFrame:
        """Say how much of each sample the network reads.

        Returns
        -------
        pandas.DataFrame
            (n_samples, 3): ``n_expressed`` genes of the vocabulary above 0, ``n_read`` of them,
            and ``share_read`` (0 to 1; NaN where none is expressed). Index: samples.
        """
        values = arrange(expression, self.genes)
        expressed = np.count_nonzero(values > 0, axis=1)
        read = np.minimum(expressed, room_for_genes(self._vocabulary))
        table = pd.DataFrame({"n_expressed": expressed, "n_read": read}, index=expression.samples)
        table["share_read"] = table["n_read"] / table["n_expressed"].where(expressed > 0)
        return table

    def _warn(self, sentences: list[NDArray[np.int64]]) -> None:
        if self.device != "cpu":
            return
        config = self._network.config
        widths = (config.hidden_size, config.intermediate_size, config.num_hidden_layers - 1)
        flops = sum(transformer_flops(len(tokens), *widths) for tokens in sentences)
        warn_if_slow(flops, self.title, len(sentences))

    def _embed_sentences(self, sentences: list[NDArray[np.int64]]) -> NDArray[np.float32]:
        """Embed the samples of one batch."""
        import torch

        lengths = [len(tokens) for tokens in sentences]
        padded = np.zeros((len(sentences), max(lengths)), np.int64)  # <pad> is token 0
        for row, tokens in enumerate(sentences):
            padded[row, : len(tokens)] = tokens
        ids = torch.from_numpy(padded).to(self.device)
        mask = (ids != self._vocabulary.specials["<pad>"]).to(torch.int64)
        with torch.inference_mode():
            states = self._network(
                input_ids=ids, attention_mask=mask if min(lengths) < max(lengths) else None
            ).last_hidden_state
            pooled: NDArray[np.float32] = self._mean_over_genes(states, ids).cpu().numpy()
        return pooled

    def _mean_over_genes(self, states: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Return (batch, width) from states (batch, n_tokens, width)."""
        # special tokens have the lowest numbers
        is_gene = (ids >= len(self._vocabulary.specials))[:, :, None]
        return states.masked_fill(~is_gene, 0).sum(dim=1) / is_gene.sum(dim=1)


def rank_genes(values: NDArray[np.float32], vocabulary: GeneformerTokens) -> NDArray[np.int64]:
    """Sort the tokens of a sample's genes by value over median, in descending order.

    Parameters
    ----------
    values
        (n_symbols,) log2(TPM + 1) in the order of the vocabulary; NaN where not measured.
    vocabulary
        Genes with their tokens and medians.

    Returns
    -------
    ndarray
        (n_expressed,) tokens of the genes above 0, all of them.
    """
    expressed = np.flatnonzero(values > 0)
    tpm = np.expm1(values[expressed].astype(float) * np.log(2))
    order = np.argsort(-tpm / vocabulary.medians[expressed], kind="stable")
    return vocabulary.tokens[expressed[order]]


def room_for_genes(vocabulary: GeneformerTokens) -> int:
    """Return how many genes fit between the special tokens of a sentence."""
    return vocabulary.context - (2 if vocabulary.has_ends else 0)


def close_sentence(tokens: NDArray[np.int64], vocabulary: GeneformerTokens) -> NDArray[np.int64]:
    """Cut a sample's tokens to the context, and put the special ones at the ends if there are any.

    Parameters
    ----------
    tokens
        (n_expressed,) in descending order.
    vocabulary
        Says the context and the special tokens.

    Returns
    -------
    ndarray
        (at most the context,) tokens.
    """
    kept = tokens[: room_for_genes(vocabulary)]
    if not vocabulary.has_ends:
        return kept
    first, last = vocabulary.specials["<cls>"], vocabulary.specials["<eos>"]
    return np.concatenate([[first], kept, [last]])


def load_geneformer(name: str = "geneformer", *, device: str = "auto") -> Geneformer:
    """Load the weights that the user fetched or placed.

    Parameters
    ----------
    name
        ``geneformer`` (the first variant that is installed) or ``geneformer/<variant>``.
    device
        As `choose_device`.

    Raises
    ------
    ArtifactError
        If the weights are missing, altered, unsafe to read or of another architecture, or the
        package ``transformers`` is not installed.
    DeviceError
        If the device is not there.
    """
    weights = find_weights(name)
    target = choose_device(device)
    digests = verify_weights(weights)
    network, vocabulary = read_network(weights.folder, weights.files[-1].path)
    return Geneformer(
        network.to(target),
        vocabulary,
        title=weights.title.split(",")[0],
        digest=join_digests(*(file.sha256 for file in digests)),
    )


def read_network(folder: Path, weights_file: str) -> tuple[Any, GeneformerTokens]:
    """Read a BERT from its folder, check it strictly and drop its last layer.

    Parameters
    ----------
    folder
        With ``config.json`` and the weights.
    weights_file
        ``model.safetensors``, or ``pytorch_model.bin``, which is read without running its code.

    Returns
    -------
    tuple
        The network in evaluation mode, and the vocabulary that fits it.

    Raises
    ------
    ArtifactError
        If a file is missing or damaged, or they do not fit together.
    """
    import torch

    document = _read_config(folder / CONFIG_FILE)
    vocabulary = _choose_vocabulary(document)
    state = _read_state(folder / weights_file)
    bert, config = _import_bert(document)
    with torch.device("meta"):
        check_state(bert(config, add_pooling_layer=False), state, "Geneformer")
    # transformers draws random weights first; the caller's random numbers are none of its business
    with torch.random.fork_rng(devices=[]):
        network = bert(config, add_pooling_layer=False)
    network.load_state_dict(state, strict=True)
    # the embedding is the output of the second-to-last layer: the last one need not run
    network.encoder.layer = network.encoder.layer[:-1]
    return network.eval().requires_grad_(False), vocabulary


def _read_config(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        sizes = (document["hidden_size"], document["intermediate_size"])
        layers, heads = document["num_hidden_layers"], document["num_attention_heads"]
        fits = document["model_type"] == "bert" and sizes[0] % heads == 0
        if not (fits and 1 < layers <= MAX_LAYERS and min(sizes) > 0 and max(sizes) <= MAX_WIDTH):
            raise ValueError("sizes of no Geneformer")
    except (OSError, ValueError, KeyError, TypeError, ArithmeticError) as error:
        raise ArtifactError(
            f"{path.name} in {path.parent.name}/ is missing or no configuration of a Geneformer "
            f"({type(error).__name__}).",
            remedy="Run `python -m resvae_core encoders fetch` for this encoder again.",
        ) from error
    return dict(document)


def _choose_vocabulary(document: dict[str, Any]) -> GeneformerTokens:
    """Tell the version by the number of tokens: V1 has 25,426, V2 20,275."""
    found = (document.get("vocab_size"), document.get("max_position_embeddings"))
    for version in VERSIONS:
        vocabulary = geneformer_tokens(version)
        if found == (vocabulary.n_tokens, vocabulary.context):
            return vocabulary
    raise ArtifactError(
        f"A network with {found[0]} tokens and a context of {found[1]} is no Geneformer: V1 has "
        "25,426 and 2,048, V2 has 20,275 and 4,096.",
        remedy="Place the official weights with their own config.json.",
    )


def _read_state(path: Path) -> dict[str, torch.Tensor]:
    """Return the BERT's tensors; the head that guesses masked genes is left out."""
    import torch

    read = read_safetensors if path.suffix == ".safetensors" else read_torch_file
    state = read(path)
    if not isinstance(state, dict) or not all(isinstance(t, torch.Tensor) for t in state.values()):
        raise ArtifactError(
            f"{path.name} holds no state of a network.",
            remedy="Get the official file again, unchanged.",
        )
    # older files list the numbers of the positions too
    ignored = ("bert.embeddings.position_ids", "bert.pooler.dense.weight", "bert.pooler.dense.bias")
    return {
        key.removeprefix("bert."): tensor.to(torch.float32)
        for key, tensor in state.items()
        if key not in ignored and not key.startswith("cls.")
    }


def _import_bert(document: dict[str, Any]) -> tuple[Any, Any]:
    """Return the class of the network and its configuration."""
    try:
        from transformers import BertConfig, BertModel
    except ImportError as error:
        raise ArtifactError(
            "Geneformer needs the package transformers, which is not installed.",
            remedy=f"Run: pip install {TRANSFORMERS}",
        ) from error
    return BertModel, BertConfig.from_dict(document)
