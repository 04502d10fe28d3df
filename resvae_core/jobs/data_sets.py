"""Everything that can be fetched: data sets, encoders of other authors, gene sets, in one list.

Pages, the command line and the fetch job act through these functions: each asks who may, and what
changes an installation is recorded in the audit trail before it happens.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from resvae_core.access.audit import as_subject, record
from resvae_core.access.roles import Actor, require
from resvae_core.data import fetch as fetching
from resvae_core.data import gene_sets
from resvae_core.data.download import PATIENT, Cancelled, Patience, Progress
from resvae_core.data.fetch import State, install_folder
from resvae_core.data.receipts import VOUCHED, FileReceipt
from resvae_core.data.sources import find_data_set, load_data_sets, unknown_key, with_needs
from resvae_core.encoders import weights as encoders
from resvae_core.errors import ArtifactError, DownloadError
from resvae_core.process_locks import only_one

Kind = Literal["data", "gene sets", "encoder"]

GENE_SETS = "gene-sets"
ENCODER_PREFIX = "encoder-"


@dataclass(frozen=True)
class Entry:
    """Something that can be fetched, and what there is of it.

    Parameters
    ----------
    key
        What it is called in commands and jobs.
    kind, title, content
        What it is.
    state
        ``installed``, ``partial``, ``missing`` or ``altered``.
    release, installed_release
        Which version would be fetched, and which is installed ("" where none is).
    size, size_is_published
        Bytes; None where nobody states them. An estimate where they are not published.
    installed_at
        ISO date and time (UTC); "" where it is not installed or not known.
    licence, licence_url, requires_acceptance
        Terms, where they are written, and whether nothing is fetched before they are accepted.
    citation, homepage
        What to cite, and the owner's page.
    needs
        Keys of what is fetched with it where it is not there.
    checksum
        Who vouches for its files, in words.
    can_be_fetched
        Whether every file has an address; else they must be placed by hand.
    folder
        Where its files lie.
    """

    key: str
    kind: Kind
    title: str
    content: str
    state: State
    release: str
    installed_release: str
    size: int | None
    size_is_published: bool
    installed_at: str
    licence: str
    licence_url: str
    requires_acceptance: bool
    citation: str
    homepage: str
    needs: tuple[str, ...]
    checksum: str
    can_be_fetched: bool
    folder: Path


@dataclass(frozen=True)
class FileFact:
    """A file that was installed or verified: its state, digest, and who vouches for it in words."""

    path: str
    state: str
    sha256: str
    vouched: str

    @property
    def intact(self) -> bool:
        """Whether nothing speaks against it."""
        return self.state == "intact"


@dataclass(frozen=True)
class Request:
    """How something is to be fetched.

    Parameters
    ----------
    accept_licence
        Whether the licences were accepted.
    source
        A folder with the files, which are placed instead of being fetched.
    again
        Fetch it even where it is installed and intact.
    progress, cancelled, patience
        As in `resvae_core.data.fetch.fetch_data_set`.
    sha256
        Digest (hex) that the user gave: of an encoder's weights, or of the archive of gene sets
        where that is fetched. Files of data sets are compared with those of the catalogue.
    """

    accept_licence: bool = False
    source: Path | None = None
    again: bool = False
    progress: Progress | None = None
    cancelled: Cancelled | None = None
    patience: Patience = PATIENT
    sha256: str | None = None


def list_entries(folder: Path | None = None) -> list[Entry]:
    """Return everything that can be fetched, and what there is of it.

    Parameters
    ----------
    folder
        The data folder; `install_folder` where None.
    """
    return [shelf.entry(key) for shelf in _shelves(folder) for key in shelf.known()]


def find_entry(key: str, folder: Path | None = None) -> Entry:
    """Return one entry.

    Raises
    ------
    CatalogError
        If there is none of that key.
    """
    return _shelf(key, folder).entry(key.lower())


def licences_of(key: str, folder: Path | None = None) -> list[Entry]:
    """Return an entry behind those that would be fetched with it: all whose licences matter."""
    if key.lower() not in load_data_sets():
        return [find_entry(key, folder)]
    place = folder or install_folder()
    wanted = fetching.missing_needs(key, place, again=True)
    return [find_entry(one.key, folder) for one in wanted]


def fetch(
    key: str, request: Request, *, actor: Actor, folder: Path | None = None
) -> list[FileFact]:
    """Fetch something and what it needs; see `resvae_core.data.fetch.fetch_data_set`.

    Returns
    -------
    list[FileFact]
        Of each file that was installed; none where everything was there.

    Raises
    ------
    AccessError
        If the actor may not fetch.
    CatalogError, ConfigError, DownloadError, ArtifactError, JobCancelledError
        As in `fetch_data_set`.
    """
    require(actor, "fetch")
    return _shelf(key, folder).fetch(key.lower(), request, actor)


def verify(key: str, *, actor: Actor, folder: Path | None = None) -> list[FileFact]:
    """Read every installed file and compare its digest.

    Raises
    ------
    AccessError
        If the actor may not.
    CatalogError, ArtifactError
        If there is no such entry, or it is not installed.
    """
    require(actor, "fetch")
    shelf = _shelf(key, folder)
    record("data.verified", actor=actor, subject=as_subject("data", key.lower()))
    return shelf.verify(key.lower())


def remove(key: str, *, actor: Actor, folder: Path | None = None) -> None:
    """Remove something that was fetched; what was placed without a receipt stays.

    Raises
    ------
    AccessError
        If the actor may not.
    CatalogError, ArtifactError
        If there is no such entry, or nothing of it is there.
    DownloadError
        If its folder cannot be written.
    BusyError
        If somebody fetches it at this moment.
    """
    require(actor, "fetch")
    shelf = _shelf(key, folder)
    if shelf.entry(key.lower()).state == "missing":
        raise ArtifactError(
            f"{key!r} is not installed, so there is nothing to remove.",
            remedy="`data list` shows what is installed.",
        )

    def note() -> None:
        record("data.removed", actor=actor, subject=as_subject("data", key.lower()))

    shelf.remove(key.lower(), note)


def _shelves(folder: Path | None) -> list[_Shelf]:
    return [_DataShelf(folder or install_folder()), _GeneSetShelf(), _EncoderShelf()]


def _shelf(key: str, folder: Path | None) -> _Shelf:
    shelves = _shelves(folder)
    for shelf in shelves:
        if key.lower() in shelf.known():
            return shelf
    raise unknown_key(key, [one for shelf in shelves for one in shelf.known()])


class _Shelf(ABC):
    """One kind of what can be fetched."""

    @abstractmethod
    def known(self) -> list[str]: ...

    @abstractmethod
    def entry(self, key: str) -> Entry: ...

    @abstractmethod
    def fetch(self, key: str, request: Request, actor: Actor) -> list[FileFact]: ...

    @abstractmethod
    def verify(self, key: str) -> list[FileFact]: ...

    @abstractmethod
    def remove(self, key: str, note: Callable[[], None]) -> None:
        """Remove it; `note` is called when nothing stands in the way any more."""


class _DataShelf(_Shelf):
    """Data sets of `resvae_core.data.sources`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def known(self) -> list[str]:
        return list(load_data_sets())

    def entry(self, key: str) -> Entry:
        found = find_data_set(key)
        status = fetching.find_status(key, self._folder)
        published = all(file.sha256 or file.md5 for file in found.files)
        return Entry(
            key=found.key,
            kind="data",
            title=found.title,
            content=found.content,
            state=status.state,
            release=found.release,
            installed_release=status.release,
            size=status.size if status.installed_at else found.size,
            size_is_published=bool(status.installed_at) or found.size_is_published,
            installed_at=status.installed_at,
            licence=found.licence,
            licence_url=found.licence_url,
            requires_acceptance=found.requires_acceptance,
            citation=found.citation,
            homepage=found.homepage,
            needs=tuple(one.key for one in with_needs(key)[:-1]),
            checksum=_checksum(published),
            can_be_fetched=all(file.url for file in found.files),
            folder=self._folder,
        )

    def fetch(self, key: str, request: Request, actor: Actor) -> list[FileFact]:
        receipts = fetching.fetch_data_set(
            key,
            self._folder,
            accept_licence=request.accept_licence,
            progress=request.progress,
            cancelled=request.cancelled,
            source=request.source,
            again=request.again,
            patience=request.patience,
            before_install=lambda receipt: _record_fetched(
                receipt.key, [file.sha256 for file in receipt.files], actor
            ),
        )
        return [_fact(file) for receipt in receipts for file in receipt.files]

    def verify(self, key: str) -> list[FileFact]:
        return [
            FileFact(file.path, file.state, file.sha256, VOUCHED[file.voucher])
            for file in fetching.verify_data_set(key, self._folder)
        ]

    def remove(self, key: str, note: Callable[[], None]) -> None:
        fetching.remove_data_set(key, self._folder, before_remove=note)


class _GeneSetShelf(_Shelf):
    """Reactome's pathways."""

    def known(self) -> list[str]:
        return [GENE_SETS]

    def entry(self, key: str) -> Entry:
        folder = gene_sets.gene_sets_folders()[0]
        path = folder / f"{gene_sets.REACTOME}.gmt"
        noted = gene_sets.recorded(folder) if path.is_file() else {}
        arrived = (folder / f"{gene_sets.REACTOME}.gmt.zip.part").is_file()
        return Entry(
            key=GENE_SETS,
            kind="gene sets",
            title="Reactome pathways",
            content="Gene sets of pathways, for enrichment of a basket of genes.",
            state="installed" if path.is_file() else "partial" if arrived else "missing",
            release="current release",
            installed_release=f"fetched {noted['fetched']}" if "fetched" in noted else "",
            size=path.stat().st_size if path.is_file() else None,
            size_is_published=path.is_file(),
            installed_at=noted.get("fetched", ""),
            licence="CC0 1.0",
            licence_url="https://reactome.org/license",
            requires_acceptance=False,
            citation="Milacic et al. 2024, Nucleic Acids Res 52:D672",
            homepage="https://reactome.org/download-data",
            needs=(),
            checksum=_checksum(published=False),
            can_be_fetched=True,
            folder=folder,
        )

    def fetch(self, key: str, request: Request, actor: Actor) -> list[FileFact]:
        folder = gene_sets.gene_sets_folders()[0]
        if self.entry(key).state == "installed" and not request.again:
            return []
        with _held(folder, key):
            record("data.fetched", actor=actor, subject=as_subject("data", key))
            if request.source is not None:
                found = gene_sets.place_reactome(
                    request.source / f"{gene_sets.REACTOME}.gmt.zip", folder
                )
            else:
                found = gene_sets.fetch_reactome(
                    folder,
                    sha256=request.sha256,
                    progress=request.progress,
                    cancelled=request.cancelled,
                    patience=request.patience,
                )
        return [FileFact(found.path.name, "intact", found.sha256, VOUCHED["first use"])]

    def verify(self, key: str) -> list[FileFact]:
        digest = gene_sets.verify_reactome()
        return [FileFact(f"{gene_sets.REACTOME}.gmt", "intact", digest, VOUCHED["first use"])]

    def remove(self, key: str, note: Callable[[], None]) -> None:
        with _held(gene_sets.gene_sets_folders()[0], key):
            note()
            gene_sets.remove_reactome()


class _EncoderShelf(_Shelf):
    """Checkpoints of the official encoders."""

    def known(self) -> list[str]:
        return [encoder_key(one) for one in encoders.list_weights()]

    def entry(self, key: str) -> Entry:
        found = self._find(key)
        sizes = [file.size for file in found.files]
        size = None if None in sizes else sum(one for one in sizes if one is not None)
        installed = _encoder_state(found) == "installed"
        noted = found.folder / encoders.DIGESTS_FILE
        when = datetime.fromtimestamp(noted.stat().st_mtime, UTC) if noted.is_file() else None
        return Entry(
            key=key,
            kind="encoder",
            title=found.title,
            content="Weights of an expression encoder of other authors.",
            state=_encoder_state(found),
            release=found.variant,
            installed_release=found.variant if installed else "",
            size=_size_of(found) if installed else size,
            size_is_published=installed or size is not None,
            installed_at=when.isoformat(timespec="seconds") if when and installed else "",
            licence=found.licence,
            licence_url=found.licence_url,
            requires_acceptance=True,
            citation=found.citation,
            homepage=found.homepage,
            needs=(),
            checksum=_checksum(all(file.sha256 for file in found.files)),
            can_be_fetched=found.can_be_fetched,
            folder=found.folder,
        )

    def fetch(self, key: str, request: Request, actor: Actor) -> list[FileFact]:
        found = self._find(key)
        if _encoder_state(found) == "installed" and not request.again:
            return []
        encoders.require_acceptance(found, accepted=request.accept_licence)
        with _held(found.folder, key):
            record("data.fetched", actor=actor, subject=as_subject("data", key))
            digests = encoders.fetch_weights(
                found,
                accept_licence=request.accept_licence,
                source=request.source,
                sha256=request.sha256,
                progress=request.progress,
                cancelled=request.cancelled,
                patience=request.patience,
            )
        return [_encoder_fact(one) for one in digests]

    def verify(self, key: str) -> list[FileFact]:
        return [_encoder_fact(one) for one in encoders.verify_weights(self._find(key))]

    def remove(self, key: str, note: Callable[[], None]) -> None:
        found = self._find(key)
        with _held(found.folder, key):
            note()
            encoders.remove_weights(found)

    def _find(self, key: str) -> encoders.EncoderWeights:
        return next(one for one in encoders.list_weights() if encoder_key(one) == key)


def encoder_key(weights: encoders.EncoderWeights) -> str:
    """Return what the weights of an encoder are called among everything that can be fetched."""
    return f"{ENCODER_PREFIX}{weights.encoder}-{weights.variant}"


def _encoder_state(weights: encoders.EncoderWeights) -> State:
    """Judge by sizes; the digests are compared where the weights are loaded."""
    if weights.installed:
        whole = all(
            file.size is None or (weights.folder / file.path).stat().st_size == file.size
            for file in weights.files
        )
        return "installed" if whole else "altered"
    arrived = weights.folder.is_dir() and any(
        path.name not in (encoders.DIGESTS_FILE, _LOCK) for path in weights.folder.iterdir()
    )
    return "partial" if arrived else "missing"


def _size_of(weights: encoders.EncoderWeights) -> int:
    return sum((weights.folder / file.path).stat().st_size for file in weights.files)


def _encoder_fact(digest: encoders.FileDigest) -> FileFact:
    vouched = "as you gave it" if digest.voucher == "user" else VOUCHED[digest.voucher]
    return FileFact(digest.path, "intact", digest.sha256, vouched)


_LOCK = "lock"


@contextmanager
def _held(folder: Path, key: str) -> Iterator[None]:
    """Hold the lock of what lies in a folder of its own."""
    with ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(only_one(folder / _LOCK, what=f"fetch or remove {key}"))
        except OSError as error:
            raise DownloadError(
                f"{folder} cannot be written ({error.strerror}).",
                remedy="Check its permissions, or choose another folder.",
            ) from error
        yield


def _fact(file: FileReceipt) -> FileFact:
    return FileFact(file.path, "intact", file.sha256, VOUCHED[file.voucher])


def _checksum(published: bool) -> str:
    if published:
        return "published by the owner, and compared"
    return "none published: recorded on first use, and compared from then on"


def _record_fetched(key: str, digests: Iterable[str], actor: Actor) -> None:
    """Record what is about to be installed; its digest is that of the files' digests."""
    joined = hashlib.sha256("\n".join(digests).encode()).hexdigest()
    record("data.fetched", actor=actor, file_digest=joined, subject=as_subject("data", key))
