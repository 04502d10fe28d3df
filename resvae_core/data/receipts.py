"""Receipts of fetched data: what was installed, when, from where, and whether it is still that.

A receipt is ``fetched/<key>/installed.json`` in the data folder, one a data set. Readers ask
`require_intact` before they use a file: one that a receipt knows and that is not as it was
installed is never read. Files without a receipt are whoever's put them there.

Reading a file in full is slow, so readers go by its size and time. What a check in full found
altered is noted in ``altered.json`` beside the receipt, and counts until the set is installed anew
or a later check finds it well.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from resvae_core.config import ARRIVING
from resvae_core.data.files import file_digest
from resvae_core.data.sources import load_data_sets
from resvae_core.durable_files import write_json
from resvae_core.errors import ArtifactError
from resvae_core.process_locks import only_one

FETCHED = ARRIVING
RECEIPT_FILE = "installed.json"
PENDING_FILE = "installing.json"
ALTERED_FILE = "altered.json"
STAGED = "staged"
LOCK_FILE = "lock"
SWAP_SECONDS = 10.0
"""How long a reader waits for another process that puts files in place."""

Voucher = Literal["published", "host", "first use"]
FileState = Literal["intact", "altered", "missing"]
VOUCHED: dict[Voucher, str] = {
    "published": "as its owner publishes it",
    "host": "as the host stated",
    "first use": "same as on first use; its owner publishes no checksum, so nobody vouches for it",
}
"""Who vouches for a file, in words."""


@dataclass(frozen=True)
class FileReceipt:
    """One installed file.

    Parameters
    ----------
    path
        In the data folder.
    size, sha256
        Bytes and digest (hex) of what was installed.
    url
        Where it came from; "" where it was placed by hand.
    voucher
        Who says that this is the right digest.
    mtime_ns
        When the file was last written, as the file system says: with the size, it tells a file
        that nobody touched without reading it.
    """

    path: str
    size: int
    sha256: str
    url: str
    voucher: Voucher
    mtime_ns: int


@dataclass(frozen=True)
class Receipt:
    """What was installed of a data set.

    Parameters
    ----------
    key, title, release
        As in the table of data sets at that time.
    licence, licence_accepted
        Its terms, and whether somebody accepted them.
    installed_at
        ISO date and time (UTC).
    files
        Each file.
    """

    key: str
    title: str
    release: str
    licence: str
    licence_accepted: bool
    installed_at: str
    files: tuple[FileReceipt, ...]

    @property
    def size(self) -> int:
        """Bytes in all."""
        return sum(file.size for file in self.files)


def receipt_folder(folder: Path, key: str) -> Path:
    """Return where a data set's receipt lies, and what of it has not come in full."""
    return folder / FETCHED / key


def read_receipt(folder: Path, key: str) -> Receipt | None:
    """Return the receipt of a data set; None where it was never installed.

    Raises
    ------
    ArtifactError
        If there is one that cannot be read, also one of what is being installed.
    """
    own = receipt_folder(folder, key)
    _read(own / PENDING_FILE)
    return _read(own / RECEIPT_FILE)


def write_receipt(path: Path, receipt: Receipt) -> None:
    """Write a receipt, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(receipt))


def read_receipts(folder: Path) -> dict[str, Receipt]:
    """Return every receipt of a data folder that can be read, key to receipt.

    One that cannot be read concerns its own data set alone: `require_intact` refuses its files.
    """
    return _read_all(folder)[0]


def check_file(folder: Path, key: str, file: FileReceipt, *, read: bool = False) -> FileState:
    """Say whether an installed file is still what it was.

    Parameters
    ----------
    folder
        The data folder.
    key
        The data set that it is of.
    file
        Its receipt.
    read
        Read and digest it in any case, whatever was noted; else only where its size or its time
        changed, once.
    """
    path = folder / file.path
    try:
        found = path.stat()
    except OSError:
        return "missing"
    if found.st_size != file.size:
        return "altered"
    if not read and _is_noted(folder, key, file):
        return "altered"
    if not read and found.st_mtime_ns == file.mtime_ns:
        return "intact"
    digest = file_digest(path) if read else _digest(path, found.st_size, found.st_mtime_ns)
    return "intact" if digest == file.sha256 else "altered"


def note_altered(folder: Path, key: str, files: Sequence[FileReceipt]) -> None:
    """Keep which files of a data set were found altered, in place of what was noted before.

    The receipts are kept, not the names: of a file that is installed anew they say nothing.

    Parameters
    ----------
    folder
        The data folder.
    key
        The data set.
    files
        Receipts of the altered files; none where all is well.

    Raises
    ------
    ArtifactError
        If that cannot be written, for example because the folder is read-only.
    """
    path = receipt_folder(folder, key) / ALTERED_FILE
    try:
        if files:
            write_json(path, [asdict(file) for file in files])
        elif path.exists():  # else a folder that is read-only would be complained of
            path.unlink(missing_ok=True)
    except OSError as error:
        what = f"{files[0].path} is altered" if files else f"All of {key} is well again"
        raise ArtifactError(
            f"{what}, but that cannot be noted in {path.parent} ({error.strerror}): readers would "
            "not know.",
            remedy=f"Run it where the folder can be written: python -m resvae_core data verify "
            f"{key}.",
        ) from error


def require_intact(
    folder: Path, paths: Iterable[Path], digests: Mapping[str, str] | None = None
) -> None:
    """Refuse files that were fetched and are not what they were.

    Parameters
    ----------
    folder
        The data folder.
    paths
        Files that are about to be read. Those that no receipt knows pass.
    digests
        Path in the data folder to SHA-256 (hex), where they are known anyhow: then these decide.

    Raises
    ------
    ArtifactError
        Naming the file and the command that fetches it again; of a data set whose receipt cannot
        be read, for each file that the table of data sets knows.
    """
    finish_installations(folder)
    receipts, unreadable = _read_all(folder)
    known = {file.path: (receipt, file) for receipt in receipts.values() for file in receipt.files}
    for path in paths:
        name = path.relative_to(folder).as_posix()
        if name in unreadable:
            raise unreadable[name]
        if name not in known:
            continue
        receipt, file = known[name]
        given = (digests or {}).get(name)
        if given is None:
            intact = check_file(folder, receipt.key, file) == "intact"
        else:
            intact = given == file.sha256
        if not intact:
            raise ArtifactError(
                f"{name} is not as it was installed on {receipt.installed_at[:10]}: its bytes were "
                "changed since. It is not used.",
                remedy=f"Fetch it again: python -m resvae_core data fetch {receipt.key}.",
            )


def staged_path(folder: Path, key: str, path: str, url: str) -> Path:
    """Return where a file lies until its data set is complete; another place for each source."""
    place = hashlib.sha256(f"{path} {url}".encode()).hexdigest()[:8]
    return receipt_folder(folder, key) / STAGED / place / PurePosixPath(path).name


def install_staged(folder: Path, receipt: Receipt) -> None:
    """Put complete, verified files in place of the installed ones, and their receipt beside them.

    The receipt is written down first as what is being installed: whoever is stopped half way is
    finished by `finish_installation`. The caller holds the lock of the data set.
    """
    write_receipt(receipt_folder(folder, receipt.key) / PENDING_FILE, receipt)
    finish_installation(folder, receipt.key)


def finish_installation(folder: Path, key: str) -> None:
    """Move what is staged, then make its receipt count; nothing where nothing was begun.

    Doing it twice does no harm. The caller holds the lock of the data set.
    """
    own = receipt_folder(folder, key)
    receipt = _read(own / PENDING_FILE)
    if receipt is None:
        return
    for file in receipt.files:
        staged, target = staged_path(folder, key, file.path, file.url), folder / file.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if staged.is_file():
            staged.replace(target)
    earlier = _read(own / RECEIPT_FILE)
    kept = {file.path for file in receipt.files}
    for old in earlier.files if earlier else ():
        if old.path not in kept:
            (folder / old.path).unlink(missing_ok=True)
    (own / ALTERED_FILE).unlink(missing_ok=True)
    (own / PENDING_FILE).replace(own / RECEIPT_FILE)


def finish_installations(folder: Path) -> None:
    """Finish whatever was stopped while its files were put in place.

    What cannot be finished because its receipt cannot be read is left: `require_intact` refuses its
    files.

    Raises
    ------
    ArtifactError
        If that cannot be done here, for example because the folder is read-only.
    """
    for path in sorted((folder / FETCHED).glob(f"*/{PENDING_FILE}")):
        key = path.parent.name
        lock = path.with_name(LOCK_FILE)
        try:
            alone = only_one(lock, what=f"install {key}", wait_seconds=SWAP_SECONDS)
            with alone, suppress(ArtifactError):
                finish_installation(folder, key)
        except OSError as error:
            raise ArtifactError(
                f"The installation of the data set {key!r} stopped while its files were put in "
                f"place, and cannot be finished ({error.strerror}).",
                remedy=f"Run it where the folder can be written: python -m resvae_core data fetch "
                f"{key}.",
            ) from error


def _read_all(folder: Path) -> tuple[dict[str, Receipt], dict[str, ArtifactError]]:
    """Return the receipts by key, and by path why a file has none that can be read."""
    receipts: dict[str, Receipt] = {}
    unreadable: dict[str, ArtifactError] = {}
    for own in sorted((folder / FETCHED).glob("*/")):
        try:
            receipt = read_receipt(folder, own.name)
        except ArtifactError as error:
            data_set = load_data_sets().get(own.name)
            unreadable |= {file.path: error for file in data_set.files} if data_set else {}
            continue
        if receipt is not None:
            receipts[receipt.key] = receipt
    return receipts, unreadable


def _is_noted(folder: Path, key: str, file: FileReceipt) -> bool:
    """Whether a check in full found the file altered; a note that cannot be read is of any file."""
    try:
        noted = json.loads((receipt_folder(folder, key) / ALTERED_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    except (OSError, ValueError):
        return True
    return not isinstance(noted, list) or asdict(file) in noted


@lru_cache(maxsize=256)
def _digest(path: Path, size: int, mtime_ns: int) -> str:
    """Digest a file; once, as long as its size and time stay."""
    return file_digest(path)


def _read(path: Path) -> Receipt | None:
    if not path.is_file():
        return None
    try:
        document: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        files = tuple(FileReceipt(**file) for file in document["files"])
        return Receipt(**document | {"files": files})
    except FileNotFoundError:  # another process has put it in place since
        return None
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ArtifactError(
            f"The receipt {path} cannot be read ({type(error).__name__}): nobody can say whether "
            "its files are whole.",
            remedy=f"Run: python -m resvae_core data remove {path.parent.name}, and fetch again.",
        ) from error
