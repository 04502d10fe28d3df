"""Every expression encoder by name."""

from __future__ import annotations

from resvae_core.encoders.base import Encoder
from resvae_core.errors import CatalogError

SHIPPED = ("large", "small")
"""Encoders that come with this program: pretrained on bulk expression, nothing to fetch."""

OFFICIAL = ("scfoundation", "geneformer")
"""Encoders of other authors, whose weights the user fetches or places."""

UNTRAINED = "-untrained"
"""Ending of a shipped encoder's name: the same without its pretraining, for ablations."""

NAMES = SHIPPED + OFFICIAL


def load_encoder(name: str, *, device: str = "auto") -> Encoder:
    """Load an encoder: verified, in evaluation mode, on its device.

    Parameters
    ----------
    name
        ``large``, ``small``, ``scfoundation`` or ``geneformer``; ``geneformer/v2-104m`` for a
        certain variant.
    device
        ``auto`` (CUDA where there is one), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises
    ------
    CatalogError
        If there is no such encoder.
    ArtifactError
        If its weights are missing, altered, unsafe to read or of another architecture.
    DeviceError
        If the device is not there.
    """
    kind = name.partition("/")[0]
    if name.removesuffix(UNTRAINED) in SHIPPED and name not in SHIPPED:
        from resvae_core.encoders.shipped import load_untrained

        return load_untrained(name.removesuffix(UNTRAINED), device=device)
    if name in SHIPPED:
        from resvae_core.encoders.shipped import load_shipped

        return load_shipped(name, device=device)
    if kind == "scfoundation":
        from resvae_core.encoders.scfoundation import load_scfoundation

        return load_scfoundation(name, device=device)
    if kind == "geneformer":
        from resvae_core.encoders.geneformer import load_geneformer

        return load_geneformer(name, device=device)
    raise CatalogError(f"{name!r} is no encoder.", remedy=f"Use one of: {', '.join(NAMES)}.")
