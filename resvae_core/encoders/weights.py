"""Weights of the official encoders: which are known, where they lie, and whether they are intact.

The table ``assets/catalog/encoder_weights.json`` knows the files, their hosts and, where they are
published, their digests. Beside the files of a variant lies ``digests.json``: what each file's
digest was when it came, and who vouches for it.

=================  ================================================================================
``published``      equal to the digest in the table
``host``           equal to the digest that the host stated when the file was fetched
``user``           equal to the digest that the user gave
``first use``      nobody vouches: it is only known to be the same file as on first use
=================  ================================================================================
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from resvae_core.config import CATALOG, encoders_folder
from resvae_core.data.download import ONCE, Cancelled, Patience, Progress, download
from resvae_core.data.files import file_digest
from resvae_core.durable_files import write_json
from resvae_core.errors import ArtifactError, CatalogError, ConfigError, DownloadError

DIGESTS_FILE = "digests.json"
PARTS = ("", ".part", ".part.json")
"""What may lie of a file: itself, and what has arrived of it."""
Voucher = Literal["published", "host", "user", "first use"]


@dataclass(frozen=True)
class WeightFile:
    """One file of an encoder.

    Parameters
    ----------
    path
        Its name in the folder of the variant.
    url
        Where it is fetched, at a fixed revision; None where it must be placed by hand.
    size
        Bytes; None if not published.
    sha256
        Published digest (hex); None if there is none.
    """

    path: str
    url: str | None
    size: int | None
    sha256: str | None


@dataclass(frozen=True)
class EncoderWeights:
    """The weights of one variant of an official encoder.

    Parameters
    ----------
    encoder, variant
        Names as in the catalogue, for example ``geneformer`` and ``v1-12l``.
    title
        Name for people, with size and width.
    licence, licence_url
        Terms in one sentence, and where they are written.
    homepage, citation
        Official page, and what to cite.
    files
        What belongs into the folder.
    """

    encoder: str
    variant: str
    title: str
    licence: str
    licence_url: str
    homepage: str
    citation: str
    files: tuple[WeightFile, ...]

    @property
    def name(self) -> str:
        """``encoder/variant``, which is unique."""
        return f"{self.encoder}/{self.variant}"

    @property
    def folder(self) -> Path:
        """Where its files lie, or belong."""
        return encoders_folder() / self.encoder / self.variant

    @property
    def installed(self) -> bool:
        """Whether all its files are there; their digests are another matter."""
        return all((self.folder / file.path).is_file() for file in self.files)

    @property
    def can_be_fetched(self) -> bool:
        """Whether every file has an address."""
        return all(file.url for file in self.files)


@dataclass(frozen=True)
class FileDigest:
    """A file's digest, and who vouches for it."""

    path: str
    sha256: str
    voucher: Voucher


@lru_cache(maxsize=4)
def list_weights(table: Path = CATALOG / "encoder_weights.json") -> tuple[EncoderWeights, ...]:
    """Return the known weights, each encoder's preferred variant first.

    Raises
    ------
    CatalogError
        If the table is missing or cannot be read.
    """
    try:
        rows = json.loads(table.read_text(encoding="utf-8"))
        return tuple(
            EncoderWeights(**row | {"files": tuple(WeightFile(**file) for file in row["files"])})
            for row in rows
        )
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise CatalogError(
            f"The table of encoder weights {table.name} cannot be read: {error!r}.",
            remedy="Restore it from the repository.",
        ) from error


def find_weights(name: str) -> EncoderWeights:
    """Return the weights of that name.

    Parameters
    ----------
    name
        ``encoder/variant``, or the encoder alone: its first variant that is installed, else its
        preferred one.

    Raises
    ------
    CatalogError
        If no such weights are known.
    """
    known = list_weights()
    found = [weights for weights in known if name in (weights.name, weights.encoder)]
    if not found:
        raise CatalogError(
            f"{name!r} is no encoder whose weights can be fetched or placed.",
            remedy=f"Use one of: {', '.join(weights.name for weights in known)}.",
        )
    return next((weights for weights in found if weights.installed), found[0])


def require_acceptance(weights: EncoderWeights, *, accepted: bool) -> None:
    """Refuse to go on where the user did not accept the licence.

    Raises
    ------
    ConfigError
        Naming the licence and where it is written.
    """
    if not accepted:
        raise ConfigError(
            f"The licence of {weights.title} was not accepted: {weights.licence}.",
            remedy=f"Read {weights.licence_url}; if you accept it, add --accept-licence.",
        )


def fetch_weights(
    weights: EncoderWeights,
    *,
    accept_licence: bool,
    source: Path | None = None,
    sha256: str | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    patience: Patience = ONCE,
) -> list[FileDigest]:
    """Fetch the files of an encoder, or place one that the user has.

    Parameters
    ----------
    weights
        As listed.
    accept_licence
        Whether the user accepted the licence; nothing is fetched otherwise.
    source
        A file on this machine that is placed as the last of the files (the weights themselves),
        instead of fetching it; or a folder that has all files, by their names.
    sha256
        Digest that the weights file must have, given by the user; it counts before the published
        one.
    progress
        Told of the bytes of each file.
    cancelled
        Asked between chunks; what has arrived stays.
    patience
        How often to try a host again.

    Returns
    -------
    list[FileDigest]
        One a file, with who vouches for it.

    Raises
    ------
    JobCancelledError
        If `cancelled` said so.
    ConfigError
        If the licence was not accepted.
    DownloadError
        If a file has no address, or cannot be fetched or copied.
    ArtifactError
        If a digest is wrong.
    """
    require_acceptance(weights, accepted=accept_licence)
    recorded = _read_digests(weights.folder)
    fetching = _Fetching(weights, progress, cancelled, patience)
    *others, main = weights.files
    is_folder = source is not None and source.is_dir()
    for file in others:
        if source is not None and is_folder:
            recorded[file.path] = _place_file(weights, file, source / file.path, None)
        else:
            recorded[file.path] = fetching.file(file, None)
    if source is None:
        recorded[main.path] = fetching.file(main, sha256)
    else:
        given = source / main.path if is_folder else source
        recorded[main.path] = _place_file(weights, main, given, sha256)
    _write_digests(weights.folder, recorded)
    return [recorded[file.path] for file in weights.files]


def verify_weights(weights: EncoderWeights) -> list[FileDigest]:
    """Compare every file with the digest that is vouched for.

    A file for which there is no digest yet is recorded as it is: trusted on first use.

    Returns
    -------
    list[FileDigest]
        One a file.

    Raises
    ------
    ArtifactError
        If a file is missing or has another digest.
    """
    recorded = _read_digests(weights.folder)
    found = [_verify_file(weights, file, recorded.get(file.path)) for file in weights.files]
    new = {digest.path: digest for digest in found if digest.voucher == "first use"}
    if not new.items() <= recorded.items():
        _write_digests(weights.folder, recorded | new)
    return found


def remove_weights(weights: EncoderWeights) -> None:
    """Remove the files of an encoder and the record of their digests.

    Raises
    ------
    ArtifactError
        If none of them is there, or one cannot be removed.
    """
    names = [DIGESTS_FILE, *(f"{file.path}{end}" for file in weights.files for end in PARTS)]
    there = [path for name in names if (path := weights.folder / name).is_file()]
    if not there:
        raise ArtifactError(f"{weights.title} is not installed.", remedy=_how_to_get(weights))
    try:
        for path in there:
            path.unlink()
    except OSError as error:
        raise ArtifactError(
            f"{weights.title} could not be removed from {weights.folder} ({error.strerror}).",
            remedy="Check the permissions of the folder.",
        ) from error


def _verify_file(
    weights: EncoderWeights, file: WeightFile, recorded: FileDigest | None
) -> FileDigest:
    path = weights.folder / file.path
    if not path.is_file():
        raise ArtifactError(
            f"{weights.title} is not installed: {file.path} is missing in {weights.folder}.",
            remedy=_how_to_get(weights),
        )
    found = file_digest(path)
    expected = _expected(file, recorded)
    if expected is not None and found != expected.sha256:
        raise ArtifactError(
            f"{file.path} of {weights.title} has SHA-256 {found}; expected {expected.sha256} "
            f"({_VOUCHERS[expected.voucher]}).",
            remedy="Get the official file again. If yours is meant to differ, place it with "
            f"`encoders fetch {weights.name} --from FILE --sha256 DIGEST --accept-licence`.",
        )
    return expected or FileDigest(file.path, found, "first use")


def _expected(file: WeightFile, recorded: FileDigest | None) -> FileDigest | None:
    """Say which digest counts: the user's, else the published one, else what was recorded."""
    if recorded is not None and recorded.voucher == "user":
        return recorded
    if file.sha256 is not None:
        return FileDigest(file.path, file.sha256, "published")
    return recorded


_VOUCHERS = {
    "published": "as published",
    "host": "as the host stated",
    "user": "as you gave it",
    "first use": "what it was on first use",
}


def _how_to_get(weights: EncoderWeights) -> str:
    if weights.can_be_fetched:
        return f"Run: python -m resvae_core encoders fetch {weights.name} --accept-licence."
    return (
        f"Download {weights.files[-1].path} from {weights.homepage}, then run: python -m "
        f"resvae_core encoders fetch {weights.name} --from FILE --accept-licence."
    )


@dataclass(frozen=True)
class _Fetching:
    """Fetches files of one encoder."""

    weights: EncoderWeights
    progress: Progress | None
    cancelled: Cancelled | None
    patience: Patience

    def file(self, file: WeightFile, sha256: str | None) -> FileDigest:
        """Fetch a file, unless it is there with the digest that is expected."""
        path = self.weights.folder / file.path
        expected = sha256 or file.sha256
        if expected is not None and path.is_file() and file_digest(path) == expected:
            return FileDigest(file.path, expected, "user" if sha256 else "published")
        if file.url is None:
            raise DownloadError(
                f"{file.path} of {self.weights.title} has no address that could be fetched: its "
                "authors give it out from a shared folder.",
                remedy=_how_to_get(self.weights),
            )
        fetched = download(
            file.url,
            path,
            sha256=expected,
            progress=self.progress,
            cancelled=self.cancelled,
            patience=self.patience,
        )
        voucher: Voucher = "user" if sha256 else "published" if file.sha256 else "first use"
        if voucher == "first use" and fetched.stated_sha256 == fetched.sha256:
            voucher = "host"
        return FileDigest(file.path, fetched.sha256, voucher)


def _place_file(
    weights: EncoderWeights, file: WeightFile, source: Path, sha256: str | None
) -> FileDigest:
    """Copy a file of the user's into the folder, if its digest is right."""
    expected = sha256 or file.sha256
    try:
        found = file_digest(source)
        if expected is not None and found != expected:
            raise ArtifactError(
                f"{source.name} has SHA-256 {found}; expected {expected}.",
                remedy="Get the official file again. If yours is meant to differ, say so with "
                "--sha256 DIGEST.",
            )
        weights.folder.mkdir(parents=True, exist_ok=True)
        part = weights.folder / (file.path + ".part")
        shutil.copyfile(source, part)
        part.replace(weights.folder / file.path)
    except OSError as error:
        raise DownloadError(
            f"{source} could not be copied to {weights.folder} ({error.strerror}).",
            remedy="Check the path and the free space.",
        ) from error
    voucher: Voucher = "user" if sha256 else "published" if file.sha256 else "first use"
    return FileDigest(file.path, found, voucher)


def _read_digests(folder: Path) -> dict[str, FileDigest]:
    path = folder / DIGESTS_FILE
    if not path.is_file():
        return {}
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {name: FileDigest(name, **entry) for name, entry in document.items()}
    except (OSError, TypeError, ValueError, AttributeError) as error:
        raise ArtifactError(
            f"{path} cannot be read, so nobody can say whether the weights are the same.",
            remedy="Remove it if you trust the files beside it, and run `encoders verify`.",
        ) from error


def _write_digests(folder: Path, digests: dict[str, FileDigest]) -> None:
    document = {
        digest.path: {"sha256": digest.sha256, "voucher": digest.voucher}
        for digest in digests.values()
    }
    try:
        write_json(folder / DIGESTS_FILE, document)
    except OSError as error:
        raise ArtifactError(
            f"The digests of the weights could not be written to {folder} ({error.strerror}).",
            remedy="Make the folder writable, or choose another one with RESVAE_ENCODERS.",
        ) from error
