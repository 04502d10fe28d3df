"""Fetch, verify and remove the data sets of `resvae_core.data.sources`.

Files arrive in ``fetched/<key>/staged/`` of the data folder. When all of a set are there, and size,
digest and form are right, they are moved to where readers look for them, and a receipt is written.
Until then the files that were installed before stay as they are. What broke off goes on where it
stopped; one process at a time works on a set.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from resvae_core.config import PROJECT_ROOT
from resvae_core.data.download import (
    PATIENT,
    Cancelled,
    Expected,
    Patience,
    Progress,
    download,
    wrong_in,
)
from resvae_core.data.files import file_digest
from resvae_core.data.formats import require_form
from resvae_core.data.receipts import (
    ALTERED_FILE,
    FETCHED,
    LOCK_FILE,
    PENDING_FILE,
    RECEIPT_FILE,
    STAGED,
    FileReceipt,
    FileState,
    Receipt,
    Voucher,
    check_file,
    finish_installation,
    finish_installations,
    install_staged,
    note_altered,
    read_receipt,
    receipt_folder,
    staged_path,
)
from resvae_core.data.sources import DataSet, RemoteFile, find_data_set, load_data_sets, with_needs
from resvae_core.durable_files import writing
from resvae_core.errors import ArtifactError, ConfigError, DownloadError, JobCancelledError
from resvae_core.process_locks import only_one

State = Literal["installed", "partial", "missing", "altered"]
READ_ONLY = PROJECT_ROOT.parent / "shared" / "data"
"""Data of the development machines: read, never written."""


@dataclass(frozen=True)
class DataSetStatus:
    """A data set, and what there is of it.

    Parameters
    ----------
    data_set
        What the table says.
    state
        ``installed``; ``partial`` (a transfer that can go on); ``missing``; ``altered`` (installed,
        and changed or removed since, or its receipt cannot be read).
    size
        Bytes installed, or that have arrived.
    installed_at
        ISO date and time (UTC); "" where it is not installed, or nobody can say.
    release
        What is installed; "" where nothing is, or nobody can say.
    """

    data_set: DataSet
    state: State
    size: int
    installed_at: str
    release: str

    @property
    def key(self) -> str:
        """The data set's key."""
        return self.data_set.key


@dataclass(frozen=True)
class FileCheck:
    """An installed file that was read and compared with its receipt."""

    path: str
    state: FileState
    sha256: str
    voucher: Voucher


def install_folder() -> Path:
    """Return where data are fetched to: ``RESVAE_DATA`` where it is set, else ``data/`` here.

    It need not exist. `resvae_core.config.data_folder` looks there first.
    """
    return Path(os.environ.get("RESVAE_DATA") or PROJECT_ROOT / "data")


def list_data_sets(folder: Path | None) -> list[DataSetStatus]:
    """Say of every known data set whether it is installed, without reading its files.

    Parameters
    ----------
    folder
        The data folder; where None, or where there is none, every set is missing.
    """
    return [_status(folder, data_set) for data_set in load_data_sets().values()]


def find_status(key: str, folder: Path | None) -> DataSetStatus:
    """Say of one data set whether it is installed; see `list_data_sets`."""
    return _status(folder, find_data_set(key))


def missing_needs(key: str, folder: Path | None, *, again: bool = False) -> list[DataSet]:
    """Return what is to be fetched for a data set: itself and its needs, where not installed.

    Parameters
    ----------
    key
        As in the table.
    folder
        The data folder.
    again
        The set itself in any case.
    """
    return [
        one
        for one in with_needs(key)
        if (again and one.key == key.lower()) or not _is_current(_status(folder, one))
    ]


def fetch_data_set(
    key: str,
    folder: Path,
    *,
    accept_licence: bool,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    source: Path | None = None,
    again: bool = False,
    patience: Patience = PATIENT,
    before_install: Callable[[Receipt], None] = lambda receipt: None,
) -> list[Receipt]:
    """Fetch a data set and those that it needs, or place files that the user has.

    Parameters
    ----------
    key
        As in `sources.load_data_sets`.
    folder
        The data folder; made where it does not exist.
    accept_licence
        Whether the licences were accepted; where one requires that, nothing is fetched otherwise.
    progress
        Told of the bytes of everything that is fetched, together.
    cancelled
        Asked several times a second; what has arrived stays, and the next call goes on there.
    source
        A folder on this machine with the files, by their names; nothing is fetched then. The same
        checks hold.
    again
        Fetch it even where it is installed and intact.
    patience
        How often to try a host again.
    before_install
        Called when the files of a set are complete and right, before they are put in place; what
        it raises keeps them from that.

    Returns
    -------
    list[Receipt]
        Of each set that was installed, the one asked for last; none where all is there.

    Raises
    ------
    CatalogError
        If there is no such data set.
    ConfigError
        If a licence was not accepted, or the folder must not be written.
    DownloadError
        If a file cannot be fetched or written.
    BusyError
        If somebody else fetches the same set.
    ArtifactError
        If a file is not what it should be; what was installed before stays.
    JobCancelledError
        If `cancelled` said so.
    """
    wanted = missing_needs(key, folder, again=again)
    for data_set in wanted:
        _require_licence(data_set, accept_licence)
    _require_writable(folder)
    _require_room(folder, wanted)
    meter = _Meter([file for one in wanted for file in one.files], progress)
    delivery = _Delivery(folder, source, meter, cancelled, patience, before_install)
    return [delivery.install(data_set) for data_set in wanted]


def verify_data_set(key: str, folder: Path) -> list[FileCheck]:
    """Read every installed file of a data set and compare it with its receipt.

    What is found altered is noted, so that nothing reads it from then on; what was noted and is
    well again is read again.

    Raises
    ------
    CatalogError
        If there is no such data set.
    ArtifactError
        If it is not installed, its receipt cannot be read, or what was found cannot be noted.
    """
    data_set = find_data_set(key)
    finish_installations(folder)
    receipt = read_receipt(folder, data_set.key)
    if receipt is None:
        raise _not_installed(data_set)
    states = [check_file(folder, receipt.key, file, read=True) for file in receipt.files]
    found = list(zip(receipt.files, states, strict=True))
    note_altered(folder, receipt.key, [file for file, state in found if state == "altered"])
    return [FileCheck(file.path, state, file.sha256, file.voucher) for file, state in found]


def remove_data_set(
    key: str, folder: Path, *, before_remove: Callable[[], None] = lambda: None
) -> int:
    """Remove the files of a data set, its receipt, and what had arrived of it.

    Files that were put there by hand, which no receipt knows, stay. Where the receipt cannot be
    read, the files that the table of data sets knows are removed.

    Parameters
    ----------
    key
        As in `sources.load_data_sets`.
    folder
        The data folder.
    before_remove
        Called when nobody else works on the set and the folder can be written; what it raises keeps
        the files.

    Returns
    -------
    int
        Bytes that were freed.

    Raises
    ------
    CatalogError
        If there is no such data set.
    ArtifactError
        If nothing of it is there.
    DownloadError
        If a file cannot be removed.
    BusyError
        If somebody fetches it at this moment.
    """
    data_set = find_data_set(key)
    status = _status(folder, data_set)
    if status.state == "missing":
        raise _not_installed(data_set)
    with _alone(folder, data_set.key), _as_download_error(folder):
        before_remove()
        for path in _installed_paths(folder, data_set):
            (folder / path).unlink(missing_ok=True)
        own = receipt_folder(folder, data_set.key)
        shutil.rmtree(own / STAGED, ignore_errors=True)
        # the receipt goes last: a stop before leaves a set that is known to be incomplete
        for name in (ALTERED_FILE, PENDING_FILE, RECEIPT_FILE):
            (own / name).unlink(missing_ok=True)
    return status.size


def _installed_paths(folder: Path, data_set: DataSet) -> list[str]:
    """Return what was installed of a data set; by the table where its receipt cannot be read."""
    try:
        finish_installation(folder, data_set.key)
        receipt = read_receipt(folder, data_set.key)
    except ArtifactError:
        return [file.path for file in data_set.files]
    return [file.path for file in receipt.files] if receipt else []


@dataclass(frozen=True)
class _Delivery:
    """How the files of data sets come into a folder."""

    folder: Path
    source: Path | None
    meter: _Meter
    cancelled: Cancelled | None
    patience: Patience
    before_install: Callable[[Receipt], None]

    def install(self, data_set: DataSet) -> Receipt:
        """Bring every file of a set, then put them in place together."""
        with _alone(self.folder, data_set.key), _as_download_error(self.folder):
            finish_installation(self.folder, data_set.key)
            earlier = read_receipt(self.folder, data_set.key)
            files = tuple(self._bring(data_set, file, earlier) for file in data_set.files)
            receipt = Receipt(
                key=data_set.key,
                title=data_set.title,
                release=data_set.release,
                licence=data_set.licence,
                licence_accepted=data_set.requires_acceptance,
                installed_at=datetime.now(UTC).isoformat(timespec="seconds"),
                files=files,
            )
            self.before_install(receipt)
            install_staged(self.folder, receipt)
            shutil.rmtree(receipt_folder(self.folder, data_set.key) / STAGED)
        return receipt

    def _bring(self, data_set: DataSet, file: RemoteFile, earlier: Receipt | None) -> FileReceipt:
        """Stage one file: what arrived before, a file of the user's, or from its host."""
        url = "" if self.source is not None else file.url or ""
        staged = staged_path(self.folder, data_set.key, file.path, url)
        stated = None
        if self.source is not None:
            self._place(self.source / file.name, staged)
        elif not url:
            raise _by_hand(data_set, file)
        elif not staged.is_file():
            stated = self._fetch(url, file, staged)
        digest = _require_right(staged, file)
        self.meter.finished(file, staged.stat().st_size)
        found = staged.stat()
        voucher = _voucher(file, stated == digest)
        receipt = FileReceipt(file.path, found.st_size, digest, url, voucher, found.st_mtime_ns)
        _require_known(data_set, receipt, earlier, staged)
        return receipt

    def _fetch(self, url: str, file: RemoteFile, staged: Path) -> str | None:
        return download(
            url,
            staged,
            sha256=file.sha256,
            md5=file.md5,
            size=file.size,
            progress=self.meter.of(file),
            cancelled=self.cancelled,
            patience=self.patience,
        ).stated_sha256

    def _place(self, given: Path, staged: Path) -> None:
        """Copy a file of the user's to the staged ones."""
        if not given.is_file():
            raise DownloadError(
                f"{given.parent} has no file {given.name}.",
                remedy="Put all files of the data set there, under their official names.",
            )
        staged.parent.mkdir(parents=True, exist_ok=True)
        with given.open("rb") as read, writing(staged) as write:
            while chunk := read.read(1 << 20):
                if self.cancelled is not None and self.cancelled():
                    raise JobCancelledError(
                        f"Copying {given.name} was cancelled.", remedy="Start it again."
                    )
                write.write(chunk)


def _voucher(file: RemoteFile, host_states_it: bool) -> Voucher:
    if file.sha256 or file.md5:
        return "published"
    return "host" if host_states_it else "first use"


def _require_right(staged: Path, file: RemoteFile) -> str:
    """Check size, digest and form of a staged file; remove it where one is wrong."""
    try:
        digest = file_digest(staged)
        if wrong := wrong_in(staged, digest, Expected(file.size, file.sha256, file.md5)):
            raise ArtifactError(
                f"{file.name} {wrong}; it is not used.",
                remedy="Get the official file again.",
            )
        require_form(staged, file)
    except ArtifactError:
        staged.unlink(missing_ok=True)
        raise
    return digest


def _require_known(
    data_set: DataSet, file: FileReceipt, earlier: Receipt | None, staged: Path
) -> None:
    """Refuse a file of the same release that is not the one of first use."""
    if earlier is None or earlier.release != data_set.release or file.voucher == "published":
        return
    before = next((old for old in earlier.files if old.path == file.path), None)
    if before is None or before.sha256 == file.sha256:
        return
    staged.unlink(missing_ok=True)
    raise ArtifactError(
        f"{file.path} is not what it was when it was installed on {earlier.installed_at[:10]}: "
        f"SHA-256 {before.sha256[:16]}… then, {file.sha256[:16]}… now. The earlier file stays.",
        remedy=f"If its owner has published a new version that you want, run `data remove "
        f"{data_set.key}` first.",
    )


class _Meter:
    """Adds the progress of single files up to one."""

    def __init__(self, files: list[RemoteFile], progress: Progress | None) -> None:
        self._sizes = {file.path: file.expected_size for file in files}
        self._done = dict.fromkeys(self._sizes, 0)
        self._progress = progress

    def of(self, file: RemoteFile) -> Progress:
        """Return what is told of one file."""

        def told(done: int, total: int | None) -> None:
            if total is not None:
                self._sizes[file.path] = total
            self._done[file.path] = done
            self._tell()

        return told

    def finished(self, file: RemoteFile, size: int) -> None:
        """Note that a file is there."""
        self._sizes[file.path] = self._done[file.path] = size
        self._tell()

    def _tell(self) -> None:
        if self._progress is None:
            return
        known = [size for size in self._sizes.values() if size is not None]
        total = sum(known) if len(known) == len(self._sizes) else None
        self._progress(sum(self._done.values()), total)


@contextmanager
def _alone(folder: Path, key: str) -> Iterator[None]:
    """Hold the lock of a data set."""
    own = receipt_folder(folder, key)
    with ExitStack() as held:
        with _as_download_error(folder):
            own.mkdir(parents=True, exist_ok=True)
            held.enter_context(only_one(own / LOCK_FILE, what=f"fetch or remove {key}"))
        yield


@contextmanager
def _as_download_error(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DownloadError(
            f"{folder} cannot be written ({error.strerror}).",
            remedy="Make room, check its permissions, or choose another folder with RESVAE_DATA.",
        ) from error


def _status(folder: Path | None, data_set: DataSet) -> DataSetStatus:
    nothing = DataSetStatus(data_set, "missing", 0, "", "")
    if folder is None:
        return nothing
    arrived = _arrived(folder, data_set.key)
    try:
        receipt = read_receipt(folder, data_set.key)
    except ArtifactError:
        present = [folder / file.path for file in data_set.files]
        size = sum(path.stat().st_size for path in present if path.is_file())
        return DataSetStatus(data_set, "altered", arrived + size, "", "")
    if receipt is None:
        return DataSetStatus(data_set, "partial", arrived, "", "") if arrived else nothing
    whole = all(check_file(folder, receipt.key, file) == "intact" for file in receipt.files)
    state: State = "installed" if whole else "altered"
    return DataSetStatus(data_set, state, receipt.size, receipt.installed_at, receipt.release)


def _is_current(status: DataSetStatus) -> bool:
    return status.state == "installed" and status.release == status.data_set.release


def _arrived(folder: Path, key: str) -> int:
    """Return the bytes that have come of a set that is not complete."""
    staged = receipt_folder(folder, key) / STAGED
    return sum(path.stat().st_size for path in staged.glob("*/*") if path.suffix != ".json")


def _require_licence(data_set: DataSet, accepted: bool) -> None:
    if data_set.requires_acceptance and not accepted:
        raise ConfigError(
            f"The licence of {data_set.title} was not accepted: {data_set.licence}.",
            remedy=f"Read {data_set.licence_url}; if you accept it, add --accept-licence.",
        )


def _require_writable(folder: Path) -> None:
    if folder.resolve() == READ_ONLY.resolve():
        raise ConfigError(
            f"{folder} is shared and read-only; data are not fetched into it.",
            remedy="Set RESVAE_DATA to a folder of your own, or name one with --data.",
        )
    with _as_download_error(folder):
        (folder / FETCHED).mkdir(parents=True, exist_ok=True)


def _require_room(folder: Path, wanted: list[DataSet]) -> None:
    """Refuse before anything is fetched where the disk cannot hold it."""
    needed = sum(
        sum(file.expected_size or 0 for file in one.files) - _arrived(folder, one.key)
        for one in wanted
    )
    free = shutil.disk_usage(folder).free
    if needed > free:
        names = " and ".join(one.key for one in wanted)
        raise DownloadError(
            f"The disk is too small for {names}: {needed / 1e6:,.1f} MB are needed, {folder} has "
            f"{free / 1e6:,.1f} MB.",
            remedy="Make room or choose another folder, then run it again.",
        )


def _by_hand(data_set: DataSet, file: RemoteFile) -> DownloadError:
    return DownloadError(
        f"{file.name} has no address that could be fetched.",
        remedy=f"Download it from {data_set.homepage}, and place it: python -m resvae_core data "
        f"fetch {data_set.key} --from FOLDER.",
    )


def _not_installed(data_set: DataSet) -> ArtifactError:
    return ArtifactError(
        f"The data set {data_set.key!r} is not installed.",
        remedy=f"Run: python -m resvae_core data fetch {data_set.key}.",
    )
