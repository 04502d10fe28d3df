"""Expression in Parquet files that are read a piece at a time: cohorts larger than memory.

A cohort is one file or a folder of them: a row a sample, a column a gene, log2(TPM + 1). Which
column is which gene is decided once, from the columns' names; only columns that are asked for are
ever read. Messages name file and row, never a sample or a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from resvae_core.data.files import file_digest
from resvae_core.data.genes import load_gene_table
from resvae_core.data.symbols import current_symbols
from resvae_core.errors import (
    DuplicateSampleError,
    ExpressionUnitsError,
    GeneCoverageError,
    InputDataError,
)
from resvae_core.tables import Expression

SAMPLE = "sample"
"""Column of sample names where the table has no index of names."""
LARGEST_LOG = 24.0
"""log2 of 16 million; TPM end at 19.9."""
MOST_CUTS = 16
"""Pieces that a row group is cut into at most: who reads one decodes what lies before it too."""
NAMES_AT_ONCE = 65_536
READ_BUFFER = 65_536
"""Bytes read ahead in each column: a row group's columns never lie in memory as a whole."""


@dataclass(frozen=True)
class CohortFile:
    """One file of a cohort.

    Parameters
    ----------
    name
        Path below the cohort's folder.
    size
        In bytes.
    sha256
        Of the whole file.
    groups
        Samples in each row group.
    mtime_ns
        When it was last written, as the file system says, before it was read.
    """

    name: str
    size: int
    sha256: str
    groups: tuple[int, ...]
    mtime_ns: int = 0

    @property
    def n_samples(self) -> int:
        """Samples in all row groups."""
        return sum(self.groups)

    def is_at(self, path: Path) -> bool:
        """Tell whether size and time of the file at a path are this one's, without reading it."""
        found = path.stat()
        return (found.st_size, found.st_mtime_ns) == (self.size, self.mtime_ns)


@dataclass(frozen=True)
class Piece:
    """Neighbouring rows of one file, counted from 0, `stop` not among them."""

    file: int
    start: int
    stop: int

    @property
    def n_samples(self) -> int:
        """How many rows."""
        return self.stop - self.start


Pieces = tuple[Piece, ...]


@dataclass(frozen=True)
class Cohort:
    """A cohort on disk; it holds no values.

    Parameters
    ----------
    folder
        Where the files lie.
    files
        In the order of their names, which is the order of the samples.
    sample_column
        Column of the samples' names.
    columns
        Columns that the genes asked for are read from.
    named
        Whether messages call files by name, or by number: a name may be a patient's.
    """

    folder: Path
    files: tuple[CohortFile, ...]
    sample_column: str
    columns: tuple[str, ...]
    named: bool = True

    @property
    def n_samples(self) -> int:
        """Samples in all files."""
        return sum(file.n_samples for file in self.files)

    def split(self, chunk: int) -> list[Pieces]:
        """Divide the samples into parts, each once and in order.

        Parameters
        ----------
        chunk
            Samples in a part, at most, unless a row group is so large that it would be cut into
            more than `MOST_CUTS` parts: then that many parts are made of it.
        """
        parts: list[list[Piece]] = []
        held = chunk
        for piece in self._cuts(chunk):
            if held + piece.n_samples > chunk:
                parts.append([])
                held = 0
            parts[-1].append(piece)
            held += piece.n_samples
        return [tuple(_merge(part)) for part in parts]

    def _cuts(self, chunk: int) -> Iterator[Piece]:
        for number, file in enumerate(self.files):
            first = 0
            for rows in file.groups:
                size = max(chunk, -(-rows // MOST_CUTS))
                edges = [*range(0, rows, size), rows]
                yield from (Piece(number, first + a, first + b) for a, b in pairwise(edges))
                first += rows

    def read(self, piece: Piece, batch: int) -> Iterator[Expression]:
        """Read a piece of a file, at most `batch` samples at a time.

        Yields
        ------
        Expression
            Samples in the order of the file, genes by their current symbols; NaN where a gene was
            not measured.

        Raises
        ------
        ExpressionUnitsError
            If a value cannot be log2(TPM + 1): negative, infinite, or too large.
        InputDataError
            If a sample has no measured gene, or the file cannot be read or has changed.
        """
        first = piece.start
        for table in self._batches(piece, [self.sample_column, *self.columns], batch):
            names = _names(table.column(0))
            values = _matrix(table.columns[1:])
            self._check(values, piece.file, first)
            frame = pd.DataFrame(values.T, index=pd.Index(names, dtype=object))
            yield Expression(current_symbols(frame.set_axis(list(self.columns), axis=1)))
            first += len(names)

    def names(self, piece: Piece) -> Iterator[list[str]]:
        """Read the names of a piece's samples, some thousand at a time.

        Raises
        ------
        InputDataError
            If a sample has no name, or the file cannot be read or has changed.
        """
        first = piece.start
        for table in self._batches(piece, [self.sample_column], NAMES_AT_ONCE):
            column = table.column(0)
            if column.null_count:
                row = first + int(np.flatnonzero(column.is_null().to_numpy(False))[0]) + 1
                raise InputDataError(
                    f"Row {row:,} of {self.label(piece.file)} has no sample name.",
                    remedy="Give every row a name of its own.",
                )
            yield _names(column)
            first += table.num_rows

    def names_digest(self, pieces: Sequence[Piece]) -> str:
        """Return the SHA-256 (hex) of the samples' names, in order."""
        digest = NamesDigest()
        for piece in pieces:
            for names in self.names(piece):
                digest.add(names)
        return digest.hex()

    def require_unique_names(self) -> None:
        """Refuse two samples of the same name, wherever they lie.

        Holds eight bytes a sample; names that share them are then compared in full.

        Raises
        ------
        DuplicateSampleError
            Naming the files and rows of the first two.
        InputDataError
            If a sample has no name, or a file cannot be read.
        """
        hashes = [_hashes(names) for _, _, names in self._all_names()]
        ordered = np.sort(np.concatenate(hashes))
        del hashes
        repeated = ordered[1:][ordered[1:] == ordered[:-1]]
        if len(repeated):
            self._compare(np.unique(repeated))

    def label(self, file: int) -> str:
        """Return what messages call a file."""
        return _label(self.files[file].name, file, len(self.files), self.named)

    def require_untouched(self, files: Collection[int]) -> None:
        """Check size and time of some files, without reading them.

        Raises
        ------
        InputDataError
            If one has been written since the cohort was opened, or is gone.
        """
        for number in files:
            try:
                same = self.files[number].is_at(self.folder / self.files[number].name)
            except OSError as error:
                raise _changed(self.label(number)) from error
            if not same:
                raise _changed(self.label(number))

    def require_unchanged(self) -> None:
        """Read every file again and compare it with what it was when the cohort was opened.

        Raises
        ------
        InputDataError
            If one is another, or is gone.
        """
        for number, file in enumerate(self.files):
            path = self.folder / file.name
            try:
                same = path.stat().st_size == file.size and file_digest(path) == file.sha256
            except OSError as error:
                raise _changed(self.label(number)) from error
            if not same:
                raise _changed(self.label(number))

    def _compare(self, suspects: NDArray[np.uint64]) -> None:
        """Raise if two of the samples with these hashes have the same name."""
        seen: dict[str, tuple[int, int]] = {}
        for file, first, names in self._all_names():
            for row in np.flatnonzero(np.isin(_hashes(names), suspects)):
                other = seen.setdefault(names[row], here := (file, first + int(row)))
                if other != here:
                    raise DuplicateSampleError(
                        f"Row {here[1] + 1:,} of {self.label(here[0])} has the same sample name as "
                        f"row {other[1] + 1:,} of {self.label(other[0])}; names must be unique.",
                        remedy="Rename or remove the repeated samples.",
                    )

    def _all_names(self) -> Iterator[tuple[int, int, list[str]]]:
        """Yield file, first row and names, from the first sample to the last."""
        for number, file in enumerate(self.files):
            first = 0
            for names in self.names(Piece(number, 0, file.n_samples)):
                yield number, first, names
                first += len(names)

    def _batches(self, piece: Piece, columns: list[str], batch: int) -> Iterator[Any]:
        """Yield record batches of a piece, cut to its rows."""
        file = self.files[piece.file]
        edges = np.cumsum([0, *file.groups])
        groups = np.flatnonzero((edges[1:] > piece.start) & (edges[:-1] < piece.stop))
        if not len(groups):
            return
        path, label = self.folder / file.name, self.label(piece.file)
        with _reading(path, label) as parquet:
            if not file.is_at(path) or parquet.metadata.num_rows != file.n_samples:
                raise _changed(label)
            at = int(edges[groups[0]])
            for found in parquet.iter_batches(
                batch, row_groups=groups.tolist(), columns=columns, use_threads=False
            ):
                start, stop = max(piece.start - at, 0), min(piece.stop - at, found.num_rows)
                at += found.num_rows
                if stop > start:
                    yield found.slice(start, stop - start).select(columns)
                if at >= piece.stop:
                    return

    def _check(self, values: NDArray[np.float32], file: int, first: int) -> None:
        """Refuse values (n_genes, n_samples) that are no log2(TPM + 1)."""
        lowest, highest = np.fmin.reduce(values, axis=0), np.fmax.reduce(values, axis=0)
        problems = (
            (lowest < 0, "a negative value"),
            (np.isinf(highest), "an infinite value"),
            (highest > LARGEST_LOG, f"a value above {LARGEST_LOG:g}"),
        )
        for wrong, what in problems:
            if wrong.any():
                raise ExpressionUnitsError(
                    f"Row {first + int(np.flatnonzero(wrong)[0]) + 1:,} of {self.label(file)} has "
                    f"{what}; log2(TPM + 1), which lies between 0 and 20, was expected.",
                    remedy="Convert the values to log2(TPM + 1): not TPM, counts, z-scores or "
                    "ratios.",
                )
        if np.isnan(lowest).any():
            row = first + int(np.flatnonzero(np.isnan(lowest))[0]) + 1
            raise InputDataError(
                f"Row {row:,} of {self.label(file)} has no value in any gene that the models read.",
                remedy="Remove samples that were not measured.",
            )


class NamesDigest:
    """SHA-256 of sample names, in order, taken up a few at a time."""

    def __init__(self) -> None:
        self._digest = hashlib.sha256()

    def add(self, names: Sequence[str]) -> None:
        """Take up names that follow those before."""
        self._digest.update("".join(f"{name}\n" for name in names).encode())

    def hex(self) -> str:
        """Return the digest of all names so far."""
        return self._digest.hexdigest()


def open_cohort(path: Path, genes: Collection[str], *, named: bool = True) -> Cohort:
    """Look at a Parquet file, or at all those below a folder, without reading values.

    Parameters
    ----------
    path
        A file; or a folder, whose files ``*.parquet`` hold the same columns.
    genes
        Current symbols of the genes that are wanted.
    named
        Whether messages call files by name, or by number: a name may be a patient's.

    Raises
    ------
    InputDataError
        If there is no such file, one is no Parquet, has other columns than the first, no names of
        samples, or a gene in a column that holds no numbers.
    GeneCoverageError
        If no column is one of the genes.
    """
    folder, names = _list_files(path, named)
    labels = [_label(name, number, len(names), named) for number, name in enumerate(names)]
    schemas, files = [], []
    for name, label in zip(names, labels, strict=True):
        file, schema = _look_at(folder, name, label)
        files.append(file)
        schemas.append(schema)
    sample_column = _sample_column(schemas[0], labels[0])
    columns = _gene_columns(schemas[0].names, sample_column, genes)
    for schema, label in zip(schemas, labels, strict=True):
        _require_columns(schema, label, sample_column, columns, set(schemas[0].names))
    if not sum(file.n_samples for file in files):
        raise InputDataError(
            "The input holds no samples.", remedy="Name files that have at least one row."
        )
    return Cohort(folder, tuple(files), sample_column, tuple(columns), named)


def list_parquet(folder: Path) -> list[str]:
    """Return the paths below a folder of the Parquet files of a cohort, in order.

    Names that begin with ``.`` or ``_`` are left out.
    """
    return sorted(
        file.relative_to(folder).as_posix()
        for file in folder.rglob("*.parquet")
        if not any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)
    )


def _look_at(folder: Path, name: str, label: str) -> tuple[CohortFile, Any]:
    """Return a file as it is now, and its schema."""
    with _reading(folder / name, label) as parquet:
        metadata, schema = parquet.metadata, parquet.schema_arrow
        groups = tuple(metadata.row_group(k).num_rows for k in range(metadata.num_row_groups))
        # before the digest: who writes meanwhile leaves another time
        found = (folder / name).stat()
        digest = file_digest(folder / name)
    return CohortFile(name, found.st_size, digest, groups, found.st_mtime_ns), schema


def _label(name: str, number: int, n_files: int, named: bool) -> str:
    return name if named else f"file {number + 1} of {n_files}"


def _list_files(path: Path, named: bool) -> tuple[Path, list[str]]:
    """Return a folder and the names of its files, in order."""
    if path.is_file():
        return path.parent, [path.name]
    found = list_parquet(path)
    if not found:
        where = f"{'in' if path.is_dir() else 'at'} {path.name!r}" if named else "in the input"
        raise InputDataError(
            f"There is no Parquet file {where}.",
            remedy="Name a Parquet file, or a folder of files that end in .parquet.",
        )
    return path, found


@contextmanager
def _reading(path: Path, name: str) -> Iterator[Any]:
    """Open a Parquet file so that pages are read as they are needed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path, pre_buffer=False, buffer_size=READ_BUFFER) as parquet:
            yield parquet
    except FileNotFoundError as error:
        raise InputDataError(
            f"The file {name} is not there.",
            remedy="Put it back, on a path that every worker can read.",
        ) from error
    except (pa.ArrowException, OSError) as error:
        raise InputDataError(
            f"{name} cannot be read as Parquet ({type(error).__name__}).",
            remedy="Write the file again: it is damaged, cut short or of another format.",
        ) from error


def _changed(name: str) -> InputDataError:
    return InputDataError(
        f"{name} has changed since the scoring began.",
        remedy="Keep the input as it is until the scoring is done; then start again in another "
        "folder.",
    )


def _sample_column(schema: Any, name: str) -> str:
    """Return the column of sample names: `SAMPLE`, or the index that pandas wrote."""
    if SAMPLE in schema.names:
        return SAMPLE
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    if len(index) == 1 and index[0] in schema.names:
        return str(index[0])
    raise InputDataError(
        f"{name} has no names of samples; a column {SAMPLE!r}, or an index of names as pandas "
        "writes it, was expected.",
        remedy=f"Add a column {SAMPLE!r} with a name of its own for each row.",
    )


def _gene_columns(names: Sequence[str], sample_column: str, genes: Collection[str]) -> list[str]:
    """Return the columns that are one of the genes by any of its names."""
    others = [name for name in names if name != sample_column]
    wanted = set(genes)
    symbols = load_gene_table().canonical(others)
    columns = [name for name, symbol in zip(others, symbols, strict=True) if symbol in wanted]
    if not columns:
        raise GeneCoverageError(
            f"None of the {len(wanted)} genes that the models read is among the columns "
            f"({len(others)}).",
            remedy="Check that samples are rows, and genes are columns named by symbol, Ensembl or "
            "Entrez id.",
        )
    return columns


def _require_columns(
    schema: Any, name: str, sample_column: str, columns: Sequence[str], expected: set[str]
) -> None:
    import pyarrow.types as types

    if set(schema.names) != expected or len(schema.names) != len(expected):
        raise InputDataError(
            f"{name} has other columns than the first file of the input, or a column twice.",
            remedy="Write all files with the same columns, each once; their order does not matter.",
        )
    for column in columns:
        kind = schema.field(column).type
        if not (types.is_floating(kind) or types.is_integer(kind)):
            raise InputDataError(
                f"The column {column} of {name} is of type {kind}; numbers were expected.",
                remedy="Write genes as floating-point numbers, log2(TPM + 1).",
            )
    if not _names_samples(schema.field(sample_column).type):
        raise InputDataError(
            f"The sample names of {name} are of type {schema.field(sample_column).type}; text was "
            "expected.",
            remedy="Write the names of samples as text.",
        )


def _names_samples(kind: Any) -> bool:
    import pyarrow.types as types

    if types.is_dictionary(kind):
        return _names_samples(kind.value_type)
    return bool(
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_integer(kind)
        or types.is_null(kind)  # no rows, or none with a name
    )


def _names(column: Any) -> list[str]:
    return [str(name) for name in column.to_pylist()]


def _matrix(columns: Sequence[Any]) -> NDArray[np.float32]:
    """Return (n_genes, n_samples) numbers, NaN where there is none."""
    values = np.empty((len(columns), len(columns[0])), np.float32)
    for row, column in zip(values, columns, strict=True):
        row[:] = column.to_numpy(zero_copy_only=False)
    return values


def _hashes(names: Sequence[str]) -> NDArray[np.uint64]:
    array = np.empty(len(names), object)
    array[:] = names
    return pd.util.hash_array(array, categorize=False)


def _merge(pieces: Sequence[Piece]) -> Iterator[Piece]:
    """Join pieces that follow each other in one file."""
    held = pieces[0]
    for piece in pieces[1:]:
        if piece.file == held.file and piece.start == held.stop:
            held = Piece(held.file, held.start, piece.stop)
        else:
            yield held
            held = piece
    yield held
