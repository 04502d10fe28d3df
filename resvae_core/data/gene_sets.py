"""Collections of gene sets: GMT files that the user installs or fetches.

None is shipped. They lie in `gene_sets_folders`: ``RESVAE_GENE_SETS`` where it is set, else
``gene_sets/`` of the installed data and of this project. Reactome's can be fetched (CC0); those of
MSigDB need a registration and are placed by hand.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import shutil
import zipfile
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from resvae_core.config import PROJECT_ROOT, data_folder
from resvae_core.data.download import ONCE, Cancelled, Patience, Progress, download
from resvae_core.data.files import file_digest, write_json
from resvae_core.data.genes import load_gene_table
from resvae_core.errors import ArtifactError, CatalogError, InputDataError

SUFFIXES = (".gmt", ".gmt.gz")
MAX_BYTES = 200_000_000
"""Largest collection that is read, unpacked; MSigDB as a whole has about 30 MB."""
REACTOME = "ReactomePathways"
REACTOME_URL = "https://reactome.org/download/current/ReactomePathways.gmt.zip"
REACTOME_LICENCE = "Reactome pathways: CC0 1.0, https://reactome.org/license"
DIGESTS_FILE = "digests.json"
HOW_TO_GET = (
    "Fetch Reactome's with `python -m resvae_core enrich --fetch`, or put a .gmt file into {folder}"
    " (MSigDB's can be downloaded after a registration at https://www.gsea-msigdb.org). The few"
    " shipped pathways need neither: `--gmt pathways`."
)


@dataclass(frozen=True)
class GeneSets:
    """A collection of gene sets.

    Parameters
    ----------
    name
        Of the collection.
    sets
        Name of the set to its genes: current symbols, each once, in the order of the file.
    source
        Where it comes from, in a sentence.
    sha256
        Digest (hex) of the file's bytes.
    """

    name: str
    sets: Mapping[str, tuple[str, ...]]
    source: str
    sha256: str

    @property
    def genes(self) -> frozenset[str]:
        """Every gene of any set."""
        return frozenset(gene for genes in self.sets.values() for gene in genes)


@dataclass(frozen=True)
class FetchedSets:
    """What was fetched.

    Parameters
    ----------
    path
        The GMT.
    sha256
        Digest (hex) of the archive that the host sent. The host publishes none to compare with.
    earlier_sha256
        Digest of the archive that was fetched before; None on the first time.
    n_sets
        Gene sets in it.
    """

    path: Path
    sha256: str
    earlier_sha256: str | None
    n_sets: int


def gene_sets_folders() -> list[Path]:
    """Return where collections are looked for, the first being where fetched ones are put.

    ``RESVAE_GENE_SETS`` alone where it is set; else ``gene_sets/`` of this project, and of the
    folder of installed data. None of them need exist.
    """
    named = os.environ.get("RESVAE_GENE_SETS")
    if named:
        return [Path(named)]
    data = data_folder()
    return [PROJECT_ROOT / "gene_sets", *([data / "gene_sets"] if data else [])]


def list_gene_sets() -> dict[str, Path]:
    """Return the installed collections, name to file, alphabetical."""
    found: dict[str, Path] = {}
    for folder in gene_sets_folders():
        for path in sorted(folder.glob("*.gmt*")) if folder.is_dir() else []:
            if path.name.endswith(SUFFIXES):
                found.setdefault(_name(path), path)
    return dict(sorted(found.items()))


def find_gene_sets(name: str | None = None) -> GeneSets:
    """Read an installed collection.

    Parameters
    ----------
    name
        As listed, or a path of a GMT file; where None the only one, or Reactome's.

    Raises
    ------
    CatalogError
        If none is installed, there is none of that name, or one of several must be chosen.
    InputDataError
        If the file cannot be read.
    """
    installed = list_gene_sets()
    if name is not None and (name.endswith(SUFFIXES) or Path(name).is_file()):
        return read_gmt(Path(name))
    remedy = HOW_TO_GET.format(folder=gene_sets_folders()[0])
    if not installed:
        raise CatalogError("No collection of gene sets is installed.", remedy=remedy)
    if name is None:
        name = REACTOME if REACTOME in installed else next(iter(installed))
        if name != REACTOME and len(installed) > 1:
            raise CatalogError(
                f"{len(installed)} collections of gene sets are installed.",
                remedy=f"Name one of: {', '.join(installed)}.",
            )
    if name not in installed:
        raise CatalogError(
            f"No installed collection of gene sets is called {name!r}.",
            remedy=f"Use one of: {', '.join(installed)}, or the path of a .gmt file.",
        )
    return read_gmt(installed[name])


def read_gmt(path: Path) -> GeneSets:
    """Read a GMT file: a set a line, its name, a description, and its genes, separated by tabs.

    Parameters
    ----------
    path
        ``.gmt`` or ``.gmt.gz``. Genes by symbol, Ensembl or Entrez id; names that are not known
        stay as they are, and weights after a comma (``TP53,1.0``) are left out.

    Returns
    -------
    GeneSets
        Two sets of one name are told apart by their descriptions.

    Raises
    ------
    InputDataError
        If there is no such file, it is no text, a line has no genes, or two sets cannot be told
        apart; the message names the line.
    """
    if not path.is_file():
        raise InputDataError(
            f"There is no gene-set file {path}.",
            remedy=HOW_TO_GET.format(folder=gene_sets_folders()[0]),
        )
    rows = _rows(_text(path), path.name)
    names = _set_names(rows, path.name)
    symbols = _current([gene for *_, genes in rows for gene in genes])
    sets = {
        name: tuple(dict.fromkeys(symbols[gene] for gene in genes))
        for name, (*_, genes) in zip(names, rows, strict=True)
    }
    return GeneSets(_name(path), sets, f"Gene sets of the file {path.name}.", file_digest(path))


def fetch_reactome(
    folder: Path | None = None,
    *,
    url: str = REACTOME_URL,
    sha256: str | None = None,
    progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    patience: Patience = ONCE,
) -> FetchedSets:
    """Fetch Reactome's pathways and unpack them.

    Reactome publishes no checksum. The digest of the archive is recorded in ``digests.json``
    beside it, so that a later fetch can say whether it is the same; a new release is not.

    Parameters
    ----------
    folder
        Where to put them; the first of `gene_sets_folders` by default.
    url
        The archive.
    sha256
        Digest that the archive must have, where the user knows one.
    progress
        Told of the bytes as they arrive.
    cancelled
        Asked between chunks; what has arrived stays.
    patience
        How often to try the host again.

    Raises
    ------
    JobCancelledError
        If `cancelled` said so.
    DownloadError
        If it cannot be fetched.
    ArtifactError
        If it has another digest, or is no archive of one GMT file.
    InputDataError
        If the file in it is no GMT.
    """
    folder = folder or gene_sets_folders()[0]
    archive = folder / f"{REACTOME}.gmt.zip"
    fetched = download(
        url, archive, sha256=sha256, progress=progress, cancelled=cancelled, patience=patience
    )
    return _install(folder, url, archive, fetched.sha256)


def place_reactome(source: Path, folder: Path | None = None) -> FetchedSets:
    """Unpack Reactome's archive that the user downloaded; otherwise like `fetch_reactome`.

    Parameters
    ----------
    source
        ``ReactomePathways.gmt.zip``.
    folder
        Where to put them; the first of `gene_sets_folders` by default.

    Raises
    ------
    ArtifactError, InputDataError
        As in `fetch_reactome`; also if there is no such file.
    """
    folder = folder or gene_sets_folders()[0]
    if not source.is_file():
        raise ArtifactError(
            f"There is no file {source.name} in {source.parent}.",
            remedy=f"Download it from {REACTOME_URL}.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    archive = folder / f"{REACTOME}.gmt.zip"
    shutil.copyfile(source, archive)
    return _install(folder, "", archive, file_digest(archive))


def verify_reactome() -> str:
    """Compare the installed sets with their digest of when they came; return it (SHA-256, hex).

    Raises
    ------
    ArtifactError
        If they are not installed, were altered, or came without a record.
    """
    path = gene_sets_folders()[0] / f"{REACTOME}.gmt"
    remedy = "Fetch them again: python -m resvae_core data fetch gene-sets --again."
    if not path.is_file():
        raise ArtifactError("Reactome's gene sets are not installed.", remedy=remedy)
    expected = recorded(path.parent).get("gmt_sha256")
    found = file_digest(path)
    if found != expected:
        raise ArtifactError(
            f"{path.name} has SHA-256 {found}; expected {expected or 'one that was recorded'}.",
            remedy=remedy,
        )
    return found


def recorded(folder: Path) -> dict[str, str]:
    """Return what was recorded of Reactome's sets when they came; nothing where nothing was."""
    try:
        document = json.loads((folder / DIGESTS_FILE).read_text(encoding="utf-8"))
        return dict(document.get(REACTOME, {}))
    except (OSError, ValueError, AttributeError, TypeError):
        return {}


def remove_reactome() -> int:
    """Remove Reactome's sets and what is recorded of them; return the bytes that were freed.

    Raises
    ------
    ArtifactError
        If they are not installed.
    """
    folder = gene_sets_folders()[0]
    path = folder / f"{REACTOME}.gmt"
    if not path.is_file():
        raise ArtifactError("Reactome's gene sets are not installed.", remedy="Nothing to do.")
    size = path.stat().st_size
    path.unlink()
    (folder / DIGESTS_FILE).unlink(missing_ok=True)
    return size


def _install(folder: Path, url: str, archive: Path, sha256: str) -> FetchedSets:
    """Unpack an archive and put its sets in place."""
    part = folder / f".{REACTOME}.gmt"  # a name that is not listed
    try:
        part.write_bytes(_unpack(archive))
        n_sets = len(read_gmt(part).sets)
        part.replace(folder / f"{REACTOME}.gmt")
    finally:
        part.unlink(missing_ok=True)
        archive.unlink(missing_ok=True)
    path = folder / f"{REACTOME}.gmt"
    earlier = _record(folder, url, sha256, file_digest(path))
    return FetchedSets(path, sha256, earlier, n_sets)


def _name(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".gmt").lstrip(".")


def _text(path: Path) -> str:
    try:
        with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise InputDataError(
                f"{path.name} is larger than the {MAX_BYTES // 10**6} MB that are read.",
                remedy="Use one collection, not all of them in one file.",
            )
        return content.decode("utf-8")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise InputDataError(
            f"{path.name} cannot be read as text ({type(error).__name__}).",
            remedy="Use the official .gmt or .gmt.gz file, unchanged.",
        ) from error


def _rows(text: str, name: str) -> list[tuple[int, str, str, list[str]]]:
    """Return line number, name, description and genes of every set."""
    rows = []
    reader = csv.reader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, fields in enumerate(reader, start=1):
        cells = [field.strip() for field in fields]
        if not any(cells):
            continue
        genes = [cell.split(",")[0] for cell in cells[2:] if cell]
        if not cells[0] or not genes:
            raise InputDataError(
                f"Line {number} of {name} has {'no name' if genes else 'no genes'}; expected a "
                "name, a description and one gene or more, separated by tabs.",
                remedy="Use the official .gmt file, unchanged, or mend that line.",
            )
        rows.append((number, cells[0], cells[1], genes))
    if not rows:
        raise InputDataError(
            f"{name} holds no gene set.", remedy="Use the official .gmt file, unchanged."
        )
    return rows


def _set_names(rows: list[tuple[int, str, str, list[str]]], name: str) -> list[str]:
    """Return the sets' names, with their descriptions where a name is not unique."""
    counts = Counter(title for _, title, *_ in rows)
    names: dict[str, int] = {}
    for number, title, description, _ in rows:
        full = f"{title} ({description})" if counts[title] > 1 else title
        if full in names:
            raise InputDataError(
                f"Lines {names[full]} and {number} of {name} both hold a set called {full!r}.",
                remedy="Keep one of them, or give them different names.",
            )
        names[full] = number
    return list(names)


def _current(genes: list[str]) -> dict[str, str]:
    """Map names of any age to current symbols."""
    unique = list(dict.fromkeys(genes))
    return dict(zip(unique, load_gene_table().canonical(unique), strict=True))


def _unpack(archive: Path) -> bytes:
    try:
        with zipfile.ZipFile(archive) as content:
            members = [one for one in content.infolist() if one.filename.endswith(".gmt")]
            if len(members) == 1 and members[0].file_size <= MAX_BYTES:
                with content.open(members[0]) as stream:
                    return stream.read(MAX_BYTES)
    except (zipfile.BadZipFile, zlib.error) as error:
        raise ArtifactError(
            f"{archive.name} was fetched but is no zip archive; it was removed.",
            remedy="Run the command again, or download the file by hand.",
        ) from error
    raise ArtifactError(
        f"{archive.name} holds {len(members)} GMT files; one of at most {MAX_BYTES // 10**6} MB "
        "was expected.",
        remedy="Download the file by hand and put the .gmt into the folder.",
    )


def _record(folder: Path, url: str, sha256: str, gmt_sha256: str) -> str | None:
    """Write the digest down; return the one that stood there before."""
    path = folder / DIGESTS_FILE
    digests: dict[str, dict[str, str]]
    try:
        digests = json.loads(path.read_text(encoding="utf-8"))
        earlier = digests.get(REACTOME, {}).get("sha256")
    except (OSError, ValueError, AttributeError):
        digests, earlier = {}, None
    today = datetime.now(UTC).date().isoformat()
    entry = {"url": url, "sha256": sha256, "gmt_sha256": gmt_sha256, "fetched": today}
    write_json(path, {**digests, REACTOME: entry})
    return earlier
