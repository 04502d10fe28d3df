"""A folder of scores: parts in Parquet, and a manifest that says what each must hold.

``manifest.json`` is written first and names input, model set and every part; each part appears
whole, and its digest is noted in ``parts.jsonl`` when it is there; at the end the digests go into
the manifest. So whoever was stopped goes on where they were, and a folder that is complete says so.

Parts are tidy, a row a sample, model and drug. Columns: ``sample``, ``model``, ``drug``;
``probability`` of resistance with ``lower`` and ``upper`` (90 % interval), as 32-bit floats;
``conformal``, ``call``, ``range`` and ``note`` as in `models.model_set.Forecast`. Words are stored
once a row group (dictionary-encoded): pandas reads them as categories, DuckDB as text.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from resvae_core.data.expression_parquet import NamesDigest
from resvae_core.data.files import file_digest
from resvae_core.durable_files import PARTIAL, write_json
from resvae_core.errors import ArtifactError, ConfigError
from resvae_core.features.range_check import RANGES
from resvae_core.models.model_set import CALLS
from resvae_core.models.pair_scores import SETS, PairScores
from resvae_core.process_locks import only_one

MANIFEST, JOURNAL = "manifest.json", "parts.jsonl"
LOCK, LOCK_SECONDS = ".lock", 5.0
"""How long to wait for the lock: a process that was killed may not be gone yet."""
SCHEMA_VERSION = 1
COMPRESSION, LEVEL = "zstd", 1
KEYS = ("sample", "model", "drug")
NUMBERS = ("probability", "lower", "upper")
WORDS = ("conformal", "call", "range", "note")
COLUMNS = (*KEYS, *NUMBERS, *WORDS)
"""Columns of a part, in order."""


@dataclass(frozen=True)
class PlannedPart:
    """What a part is to hold.

    Parameters
    ----------
    file
        Its name.
    samples, rows
        How many; rows = samples × models × drugs.
    names_sha256
        Of the samples' names, in order, as `NamesDigest` makes it.
    pieces
        Triples of input file, first row and the row behind the last, counted from 0.
    """

    file: str
    samples: int
    rows: int
    names_sha256: str
    pieces: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class WrittenPart:
    """A part that was written.

    Parameters
    ----------
    part
        Its number.
    bytes, sha256
        Its size and digest (hex).
    inputs
        When each input file that it was made from had been written (ns), in the order of its
        pieces: a part that was made from a file as it was at another time does not count.
    """

    part: int
    bytes: int
    sha256: str
    inputs: tuple[int, ...] = ()


@dataclass(frozen=True)
class ScorePlan:
    """What a folder of scores is made of; it never changes once the folder is there.

    Parameters
    ----------
    software
        Version of this program, for readers: another version may go on with the folder.
    program
        SHA-256 (hex) of all in the program that decides what is scored and how parts are written.
    input
        ``files`` (name, samples, bytes, sha256), ``samples`` and ``genes`` (how many are read).
    model_set
        ``name`` and ``digest``.
    models, drugs
        What every sample is scored with, in the order of the rows.
    cancer_type, reference
        As `ModelSet.predict` takes them.
    chunk
        Samples in a part, at most.
    parts
        In order.
    """

    software: str
    program: str
    input: dict[str, Any]
    model_set: dict[str, str]
    models: tuple[str, ...]
    drugs: tuple[str, ...]
    cancer_type: str | None
    reference: str
    chunk: int
    parts: tuple[PlannedPart, ...]

    def to_document(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document


class ScoreFolder:
    """Access to a folder of scores.

    Parameters
    ----------
    path
        Where ``manifest.json`` lies, or will lie.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """Make the folder where it is missing, and let nobody else score into it meanwhile.

        Raises
        ------
        ConfigError
            If it cannot be written.
        BusyError
            If another process scores into it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            (self.path / LOCK).touch()
        except OSError as error:
            raise ConfigError(
                f"The folder {self.path.name!r} cannot be written ({error.strerror}).",
                remedy="Choose another folder for the scores.",
            ) from error
        with only_one(self.path / LOCK, what="score into this folder", wait_seconds=LOCK_SECONDS):
            yield

    def begin(
        self, plan: ScorePlan, created: str, *, anew: Callable[[str], None] | None = None
    ) -> None:
        """Lay the folder, which is held, out for a plan; or go on with what has the same plan.

        Parameters
        ----------
        anew
            For a folder that belongs to one job alone: what another plan left in it is removed, and
            this is told why. None: it is refused.

        Raises
        ------
        ConfigError
            If the folder holds something else.
        ArtifactError
            As `document`.
        """
        if (self.path / MANIFEST).is_file():
            try:
                self._require_same(plan)
                return
            except (ArtifactError, ConfigError) as error:
                if anew is None:
                    raise
                anew(error.message)
            self._clear()
        self._require_empty()
        document = {"schema_version": SCHEMA_VERSION, "created": created, "finished": None}
        self._write({**document, **plan.to_document()})

    def document(self) -> dict[str, Any]:
        """Return the manifest.

        Raises
        ------
        ArtifactError
            If it is missing, is no JSON, or has another schema.
        """
        try:
            text = (self.path / MANIFEST).read_text(encoding="utf-8")
            document: dict[str, Any] = json.loads(text)
        except (OSError, ValueError) as error:
            raise ArtifactError(
                f"There is no readable {MANIFEST} in {self.path.name!r}.",
                remedy="Name a folder that batch scoring wrote, or score again in another folder.",
            ) from error
        if document.get("schema_version") != SCHEMA_VERSION:
            raise ArtifactError(
                f"The scores have schema version {document.get('schema_version')!r}; this program "
                f"reads {SCHEMA_VERSION}.",
                remedy="Read them with the version that wrote them, or score again.",
            )
        return document

    def record(self, written: WrittenPart) -> None:
        """Note that a part is there."""
        with (self.path / JOURNAL).open("a", encoding="utf-8") as stream:
            # a line that was cut short by a stop must not take the next one with it
            stream.write("\n" + json.dumps(asdict(written)) + "\n")
            stream.flush()
            os.fsync(stream.fileno())

    def written(self) -> dict[int, WrittenPart]:
        """Return what was noted of each part, by its number; the last note of a part counts."""
        path = self.path / JOURNAL
        notes = self.document().get("written") or []
        if path.is_file():
            notes = [*notes, *_complete_lines(path.read_text(encoding="utf-8"))]
        parts = [WrittenPart(**note | {"inputs": tuple(note.get("inputs", ()))}) for note in notes]
        return {part.part: part for part in parts}

    def void(self, numbers: Collection[int]) -> None:
        """Remove parts that must not count."""
        files = [part["file"] for part in self.document()["parts"]]
        for number in numbers:
            (self.path / files[number]).unlink(missing_ok=True)

    def intact(self) -> dict[int, WrittenPart]:
        """Return the parts that are there with the digest that was noted."""
        files = [part["file"] for part in self.document()["parts"]]
        return {
            number: part
            for number, part in self.written().items()
            if number < len(files) and _is_intact(self.path / files[number], part)
        }

    def finish(self, finished: str) -> None:
        """Put every part's digest into the manifest: the folder is complete."""
        parts = self.written()
        notes = [asdict(parts[number]) for number in sorted(parts)]
        self._write({**self.document(), "finished": finished, "written": notes})
        (self.path / JOURNAL).unlink(missing_ok=True)
        for left in self.path.glob(f"*{PARTIAL}*"):
            left.unlink(missing_ok=True)

    def reopen(self) -> None:
        """Say in the manifest that parts are to be written again."""
        document = self.document()
        if document["finished"] is not None:
            self._write({**document, "finished": None})

    def _require_same(self, plan: ScorePlan) -> None:
        found, expected = self.document(), plan.to_document()
        del expected["software"]
        other = [name for name, value in expected.items() if found.get(name) != value]
        if other:
            # parts follow from the rest
            told = [name.replace("_", " ") for name in other if name != "parts"] or other
            raise ConfigError(
                f"The folder {self.path.name!r} holds scores of another run: not the same "
                f"{', '.join(told)}.",
                remedy="Choose another folder, or remove this one if its scores are not needed.",
            )

    def _clear(self) -> None:
        """Remove everything but the lock, which is held; whoever is stopped half way comes back."""
        files = [file for file in self.path.iterdir() if file.name not in (LOCK, MANIFEST)]
        for file in (*files, self.path / MANIFEST):
            file.unlink()

    def _require_empty(self) -> None:
        files = [file.name for file in self.path.iterdir()]
        if any(name != LOCK and PARTIAL not in name for name in files):
            raise ConfigError(
                f"The folder {self.path.name!r} holds files that batch scoring did not write.",
                remedy="Choose a folder that is empty, or one that is not there yet.",
            )

    def _write(self, document: Mapping[str, Any]) -> None:
        write_json(self.path / MANIFEST, document)


def part_name(number: int) -> str:
    """Return the name of a part's file."""
    return f"part-{number:05d}.parquet"


def open_writer(stream: Any) -> Any:
    """Return a Parquet writer for parts."""
    import pyarrow.parquet as pq

    return pq.ParquetWriter(
        stream,
        _schema(),
        compression=COMPRESSION,
        compression_level=LEVEL,
        use_dictionary=[name for name in COLUMNS if name not in NUMBERS],
        column_encoding=dict.fromkeys(NUMBERS, "BYTE_STREAM_SPLIT"),
    )


def to_table(scores: PairScores) -> Any:
    """Return scores as an Arrow table with the columns of a part."""
    import pyarrow as pa

    n_samples, n_models, n_drugs = scores.probability.shape
    sample, model, drug = np.indices((n_samples, n_models, n_drugs), np.int32, sparse=True)
    shape = scores.probability.shape

    def words(codes: NDArray[Any], among: Sequence[str]) -> Any:
        full = np.ascontiguousarray(np.broadcast_to(codes, shape), np.int32)
        return pa.DictionaryArray.from_arrays(pa.array(full.ravel()), pa.array([*among], "string"))

    columns = {
        "sample": words(sample, scores.samples),
        "model": words(model, scores.models),
        "drug": words(drug, scores.drugs),
        "probability": pa.array(scores.probability.ravel().astype(np.float32)),
        "lower": pa.array(scores.lower.ravel().astype(np.float32)),
        "upper": pa.array(scores.upper.ravel().astype(np.float32)),
        "conformal": words(scores.sets, SETS),
        "call": words(scores.calls, CALLS),
        "range": words(scores.ranges[:, None, None], RANGES),
        "note": words(scores.notes, scores.note_words),
    }
    return pa.table(columns, schema=_schema())


def _schema() -> Any:
    import pyarrow as pa

    kinds = {name: pa.float32() for name in NUMBERS}
    return pa.schema([(name, kinds.get(name, _words_type())) for name in COLUMNS])


def _words_type() -> Any:
    import pyarrow as pa

    return pa.dictionary(pa.int32(), pa.string())


def _complete_lines(text: str) -> Iterator[dict[str, Any]]:
    """Yield the lines that are JSON: one that was cut short by a stop notes nothing."""
    for line in text.splitlines():
        with contextlib.suppress(ValueError):
            if line:
                yield json.loads(line)


def _is_intact(path: Path, part: WrittenPart) -> bool:
    return path.is_file() and path.stat().st_size == part.bytes and file_digest(path) == part.sha256


@dataclass(frozen=True)
class ScoreCheck:
    """What a complete folder of scores holds."""

    parts: int
    samples: int
    rows: int
    bytes: int


def verify_scores(folder: Path) -> ScoreCheck:
    """Check that a folder holds every sample of its input × model × drug exactly once.

    Every part is read in full: its digest, its samples (by the digest of their names, which was
    taken from the input), and its rows.

    Raises
    ------
    ArtifactError
        If scoring has not finished; if a part is missing or altered; or if a row is missing, too
        many, or of another sample, model or drug.
    """
    scores = ScoreFolder(folder)
    document = scores.document()
    written, intact = scores.written(), scores.intact()
    parts = [PlannedPart(**part) for part in document["parts"]]
    if document["finished"] is None or len(written) < len(parts):
        raise ArtifactError(
            f"Scoring has not finished: {len(intact)} of {len(parts)} parts are there.",
            remedy="Start it again with the same input and folder: it goes on where it stopped.",
        )
    for number, part in enumerate(parts):
        if number not in intact:
            raise _broken(part.file, "is missing or altered: its SHA-256 is not the one noted")
        _PartCheck(folder, part, document["models"], document["drugs"]).run()
    _require_no_others(folder, {part.file for part in parts})
    n_bytes = sum(written[number].bytes for number in range(len(parts)))
    samples, rows = sum(part.samples for part in parts), sum(part.rows for part in parts)
    if samples != document["input"]["samples"]:
        raise _broken(MANIFEST, "plans another number of samples than the input has")
    return ScoreCheck(len(parts), samples, rows, n_bytes)


@dataclass(frozen=True)
class _PartCheck:
    folder: Path
    part: PlannedPart
    models: list[str]
    drugs: list[str]

    @cached_property
    def _n_pairs(self) -> int:
        return len(self.models) * len(self.drugs)

    def run(self) -> None:
        import pyarrow.parquet as pq

        digest, rows = NamesDigest(), 0
        with pq.ParquetFile(self.folder / self.part.file) as parquet:
            for group in range(parquet.metadata.num_row_groups):
                table = parquet.read_row_group(group, columns=list(KEYS), use_threads=False)
                digest.add(self._samples_of(table))
                rows += table.num_rows
        if rows != self.part.rows or digest.hex() != self.part.names_sha256:
            raise _broken(self.part.file, "holds other samples than its rows of the input")

    def _samples_of(self, table: Any) -> list[str]:
        """Return a row group's samples in order, each of which has every pair exactly once."""
        names, samples = _codes(table.column("sample"))
        models = _positions(table.column("model"), self.models)
        drugs = _positions(table.column("drug"), self.drugs)
        if (models < 0).any() or (drugs < 0).any():
            raise _broken(self.part.file, "has a row of another model or drug")
        triples = (samples * len(self.models) + models) * len(self.drugs) + drugs
        counts = np.bincount(triples, minlength=len(names) * self._n_pairs)
        if (counts != 1).any():
            raise _broken(self.part.file, "does not hold each sample, model and drug exactly once")
        return names


def _codes(column: Any) -> tuple[list[str], NDArray[np.int64]]:
    """Return the distinct words of a column and each row's position among them."""
    array = column.dictionary_encode().unify_dictionaries().combine_chunks()
    return array.dictionary.to_pylist(), array.indices.to_numpy(False).astype(np.int64)


def _positions(column: Any, words: Sequence[str]) -> NDArray[np.int64]:
    """Return where each row's word stands among `words`, -1 where it does not."""
    found, codes = _codes(column)
    place = {word: position for position, word in enumerate(words)}
    table = np.array([place.get(word, -1) for word in found], np.int64)
    return table[codes]


def _require_no_others(folder: Path, files: set[str]) -> None:
    others = {path.name for path in folder.glob("*.parquet")} - files
    if others:
        raise _broken(min(others), "does not belong to the scores: its rows would count twice")


def _broken(file: str, what: str) -> ArtifactError:
    return ArtifactError(
        f"{file} {what}.",
        remedy="Start the scoring again with the same input and folder: it makes such parts anew.",
    )
