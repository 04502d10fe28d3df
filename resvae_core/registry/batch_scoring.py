"""Scoring cohorts larger than memory: Parquet in, Parquet out, part by part, by several workers.

Each worker loads the models once, reads its own rows of the input and writes its own parts; what
comes back is a digest. So memory depends on the batch, not on the cohort, and a run that is stopped
goes on with the parts that are missing. Workers on other machines must see input, output and model
set under the same paths.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

from resvae_core import __version__
from resvae_core.compute import peak_memory
from resvae_core.config import CATALOG
from resvae_core.data.cancer_types import find_cancer_type
from resvae_core.data.drugs import find_drug
from resvae_core.data.expression_parquet import Cohort, NamesDigest, Piece, open_cohort
from resvae_core.data.files import file_digest
from resvae_core.durable_files import writing
from resvae_core.engine.engine import Engine, emit
from resvae_core.errors import ArtifactError, ConfigError, InputDataError, UnknownDrugError
from resvae_core.models.base import TUMOURS
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.card import library_versions
from resvae_core.registry.checkpoints import code_digest
from resvae_core.registry.description import active_set_folder
from resvae_core.registry.score_folder import (
    MANIFEST,
    PlannedPart,
    ScoreFolder,
    ScorePlan,
    WrittenPart,
    open_writer,
    part_name,
    to_table,
    verify_scores,
)
from resvae_core.registry.store import SetContents, load_model_set, read_contents

__all__ = ["ScoringRequest", "check_request", "score_cohort", "verify_scores"]

CHUNK = 8_192
"""Samples in a part."""
BATCH, MOST_PAIRS = 1_024, 2_048
"""Samples in memory at a time, and samples × models: a part's row groups hold so many."""

CODE = (
    *("compute.py", "tables.py", "data", "features", "networks", "encoders", "models"),
    *("registry/batch_scoring.py", "registry/score_folder.py", "registry/store.py"),
)
"""What decides how a cohort is scored; every other part may change under a stopped run."""

Planned = Callable[[ScorePlan], None]
"""Called with what is about to be scored."""
Report = Callable[[str, int, int], None]
"""Called with a step in words, how much of it is done, and of how much."""


@dataclass(frozen=True)
class ScoringRequest:
    """What to score, with what, and where to.

    Parameters
    ----------
    input
        A Parquet file, or a folder of them; see `data.expression_parquet`.
    out
        Folder for the scores; see `registry.score_folder`. Empty or absent, or one that an earlier
        run of the same request left.
    models, drugs
        Kinds and names; all of the set where empty.
    cancer_type
        TCGA code or name that holds for every sample; None where it is not known.
    reference
        ``tumours`` or ``cell_lines``.
    chunk
        Samples in a part.
    set_folder
        Where ``model_set.json`` lies; the active set where None.
    named
        Whether messages and the manifest call input files by name; else "file 1 of 3", for where
        they are kept: a name may be a patient's.
    """

    input: Path
    out: Path
    models: tuple[str, ...] = ()
    drugs: tuple[str, ...] = ()
    cancer_type: str | None = None
    reference: str = TUMOURS
    chunk: int = CHUNK
    set_folder: Path | None = None
    named: bool = True


@dataclass(frozen=True)
class Job:
    """What every worker needs to know."""

    cohort: Cohort
    plan: ScorePlan
    out: Path
    set_folder: Path


@dataclass(frozen=True)
class PartReport:
    """What a worker says of a part that it wrote, and the most memory that it ever held (bytes)."""

    written: WrittenPart
    process: int
    peak_memory: int


@dataclass(frozen=True)
class Scored:
    """What became of a request.

    Parameters
    ----------
    samples, rows, parts
        In the folder, all in all.
    parts_written
        By this run; the others were there already.
    model_set, set_digest
        Name and SHA-256 (hex) of the set.
    input_digests
        SHA-256 (hex) of each input file, in the order of their names.
    peak_memory
        Most bytes that each worker process held, by its process id; only of those that wrote.
    """

    samples: int
    rows: int
    parts: int
    parts_written: int
    model_set: str
    set_digest: str
    input_digests: tuple[str, ...]
    peak_memory: Mapping[int, int]


def check_request(request: ScoringRequest) -> None:
    """Refuse a request whose names are not known, before anything is read or written.

    Raises
    ------
    ConfigError, UnknownDrugError, UnknownCohortError
        If a model, drug, reference or cancer type is not known, or the chunk is below 1.
    InputDataError
        If there is no input.
    ArtifactError
        If there is no model set.
    """
    if request.chunk < 1:
        raise ConfigError(
            f"Parts of {request.chunk} samples were asked for; at least 1 was expected.",
            remedy=f"Leave it at {CHUNK:,}, or choose a number above 0.",
        )
    if not request.input.exists():
        what = f"no file or folder {request.input.name!r}" if request.named else "no input"
        raise InputDataError(
            f"There is {what}.",
            remedy="Check the path; it must be one that this machine and every worker can read.",
        )
    contents = read_contents(request.set_folder or active_set_folder())
    _choose_models(request, contents)
    _choose_drugs(request, contents)
    if request.cancer_type:
        find_cancer_type(request.cancer_type)
    if request.reference not in contents.references:
        raise ConfigError(
            f"{request.reference!r} is no reference of this model set.",
            remedy=f"Use one of: {', '.join(contents.references)}.",
        )


def score_cohort(
    request: ScoringRequest,
    engine: Engine,
    *,
    planned: Planned | None = None,
    report: Report | None = None,
    anew: Callable[[str], None] | None = None,
) -> Scored:
    """Score a cohort, or what an earlier run has left of it.

    Parameters
    ----------
    request
        See `ScoringRequest`.
    engine
        Where parts are computed. The scores do not depend on it.
    planned
        Told the plan, with the digests of the files, before anything is scored; an error that it
        raises ends the run.
    report
        Told how far it is; an error that it raises ends the run, which can be taken up again.
    anew
        As `ScoreFolder.begin` takes it.

    Raises
    ------
    ConfigError
        If the folder belongs to another request, or holds other files.
    InputDataError, GeneCoverageError, ExpressionUnitsError, DuplicateSampleError
        If the input cannot be used, the message names file and row; or if it was altered while it
        was scored: what this run made of it is removed then.
    EngineError
        If workers are lost for good; what was written stays.
    """
    check_request(request)
    tell = report or _nobody
    set_folder = (request.set_folder or active_set_folder()).absolute()
    contents = read_contents(set_folder)
    tell("Reading the input", 0, 0)
    cohort = open_cohort(request.input.absolute(), contents.genes, named=request.named)
    cohort.require_unique_names()
    plan = _plan(request, contents, cohort)
    folder = ScoreFolder(request.out.absolute())
    with folder.held():
        if planned is not None:
            planned(plan)
        folder.begin(plan, _now(), anew=anew)
        tell("Checking parts that are there", 0, 0)
        job = Job(cohort, plan, folder.path, set_folder)
        reports = _write_parts(job, folder, _made_before(folder, job), engine, tell)
        tell("Checking the input", cohort.n_samples, cohort.n_samples)
        _require_same_input(job, folder, reports)
        folder.finish(_now())
    return Scored(
        samples=cohort.n_samples,
        rows=sum(part.rows for part in plan.parts),
        parts=len(plan.parts),
        parts_written=len(reports),
        model_set=contents.name,
        set_digest=contents.digest,
        input_digests=tuple(file.sha256 for file in cohort.files),
        peak_memory=_highest(reports),
    )


def _made_before(folder: ScoreFolder, job: Job) -> set[int]:
    """Return the parts that are there, and were made from the input as it is now."""
    parts = job.plan.parts
    return {
        number
        for number, written in folder.intact().items()
        if written.inputs == _times_read(parts[number], job.cohort)
    }


def _times_read(part: PlannedPart, cohort: Cohort) -> tuple[int, ...]:
    return tuple(cohort.files[file].mtime_ns for file, _, _ in part.pieces)


def _require_same_input(job: Job, folder: ScoreFolder, reports: list[PartReport]) -> None:
    """Refuse to finish, and remove what this run wrote, if the input is not what was planned."""
    if not reports:
        return
    try:
        job.cohort.require_unchanged()
    except InputDataError:
        folder.void([found.written.part for found in reports])
        raise


def _write_parts(
    job: Job, folder: ScoreFolder, done: set[int], engine: Engine, tell: Report
) -> list[PartReport]:
    """Have the parts that are missing written, and note each."""
    parts = job.plan.parts
    missing = [number for number in range(len(parts)) if number not in done]
    total = job.cohort.n_samples
    progress = {number: parts[number].samples for number in done}
    if missing:
        folder.reopen()
    tell("Scoring samples", sum(progress.values()), total)

    def count(index: int, event: Mapping[str, Any]) -> None:
        # set, not added: a part that is computed again counts once
        progress[missing[index]] = int(event["samples"])
        tell("Scoring samples", sum(progress.values()), total)

    reports = []
    for _, found in engine.map(score_part, missing, shared=job, on_event=count):
        folder.record(found.written)
        reports.append(found)
    return reports


def score_part(number: int, job: Job) -> PartReport:
    """Score one part and write it: what a worker does.

    Raises
    ------
    ArtifactError
        If the model set is not the one that the scoring began with.
    InputDataError
        If the input has changed, or this machine does not see it.
    ConfigError
        If this machine does not see the folder for the scores.
    """
    if not (job.out / MANIFEST).is_file():
        raise ConfigError(
            "A worker does not see the folder for the scores.",
            remedy="Put it, the input and the model set on a path that every worker shares.",
        )
    models = _load(job.set_folder, job.plan.model_set["digest"], job.plan.models)
    part = job.plan.parts[number]
    path = job.out / part.file
    with writing(path) as stream:
        names = _score_into(stream, part, models, job)
        if names != part.names_sha256:
            raise InputDataError(
                "The input has changed since the scoring began: it has other samples.",
                remedy="Keep it as it is until the scoring is done; then start again in another "
                "folder.",
            )
        # whoever alters a file while it is read leaves another time
        job.cohort.require_untouched({file for file, _, _ in part.pieces})
        stream.flush()
        digest = file_digest(Path(stream.name))
    written = WrittenPart(number, path.stat().st_size, digest, _times_read(part, job.cohort))
    return PartReport(written, os.getpid(), peak_memory())


def _score_into(stream: Any, part: PlannedPart, models: ModelSet, job: Job) -> str:
    """Write a part's scores, a batch at a time; return the digest of its samples' names."""
    from resvae_core.models.pair_scores import score_pairs

    plan, digest, n_samples = job.plan, NamesDigest(), 0
    batch = min(BATCH, max(1, MOST_PAIRS // len(plan.models)))
    with open_writer(stream) as writer:
        for piece in part.pieces:
            for expression in job.cohort.read(Piece(*piece), batch):
                scores = score_pairs(
                    models,
                    expression,
                    models=plan.models,
                    drugs=plan.drugs,
                    cancer_type=plan.cancer_type,
                    reference=plan.reference,
                )
                writer.write_table(to_table(scores), row_group_size=scores.probability.size)
                digest.add(scores.samples)
                n_samples += len(scores.samples)
                emit({"samples": n_samples})
    return digest.hex()


@lru_cache(maxsize=1)
def _load(folder: Path, digest: str, kinds: tuple[str, ...]) -> ModelSet:
    """Load a set once a process, as long as it is the same."""
    if not folder.is_dir():
        raise ArtifactError(
            "A worker does not see the model set.",
            remedy="Put it on a path that every worker shares.",
        )
    models = load_model_set(folder, kinds=kinds)
    if models.digest != digest:
        raise ArtifactError(
            "The model set has changed since the scoring began.",
            remedy="Score with the new set in another folder.",
        )
    return models


def _plan(request: ScoringRequest, contents: SetContents, cohort: Cohort) -> ScorePlan:
    models, drugs = _choose_models(request, contents), _choose_drugs(request, contents)
    cancer = find_cancer_type(request.cancer_type) if request.cancer_type else None
    parts = []
    for number, pieces in enumerate(cohort.split(request.chunk)):
        samples = sum(piece.n_samples for piece in pieces)
        parts.append(
            PlannedPart(
                file=part_name(number),
                samples=samples,
                rows=samples * len(models) * len(drugs),
                names_sha256=cohort.names_digest(pieces),
                pieces=tuple((piece.file, piece.start, piece.stop) for piece in pieces),
            )
        )
    files = [
        {"name": cohort.label(k), "samples": f.n_samples, "bytes": f.size, "sha256": f.sha256}
        for k, f in enumerate(cohort.files)
    ]
    return ScorePlan(
        software=__version__,
        program=program_digest(),
        input={"files": files, "samples": cohort.n_samples, "genes": len(cohort.columns)},
        model_set={"name": contents.name, "digest": contents.digest},
        models=models,
        drugs=drugs,
        cancer_type=cancer.code if cancer else None,
        reference=request.reference,
        chunk=request.chunk,
        parts=tuple(parts),
    )


def program_digest() -> str:
    """Return the SHA-256 (hex) of what scores: code, encoders' weights, catalogue and libraries."""
    catalog = {path.name: file_digest(path) for path in sorted(CATALOG.iterdir()) if path.is_file()}
    libraries = {name: found for name, found in library_versions().items() if name != "resvae"}
    decisive = json.dumps([code_digest(CODE), catalog, libraries])
    return hashlib.sha256(decisive.encode()).hexdigest()


def _choose_models(request: ScoringRequest, contents: SetContents) -> tuple[str, ...]:
    models = tuple(dict.fromkeys(request.models)) or contents.models
    unknown = [kind for kind in models if kind not in contents.models]
    if unknown:
        raise ConfigError(
            f"The model set {contents.name} has no model {unknown[0]!r}.",
            remedy=f"Use one or more of: {', '.join(contents.models)}.",
        )
    return models


def _choose_drugs(request: ScoringRequest, contents: SetContents) -> tuple[str, ...]:
    drugs = tuple(dict.fromkeys(find_drug(drug).name for drug in request.drugs)) or contents.drugs
    unknown = [drug for drug in drugs if drug not in contents.drugs]
    if unknown:
        raise UnknownDrugError(
            f"The model set {contents.name} was not trained on {unknown[0]}.",
            remedy=f"Choose one of its {len(contents.drugs)} drugs, or train a set with it.",
        )
    return drugs


def _highest(reports: list[PartReport]) -> dict[int, int]:
    peaks: dict[int, int] = {}
    for found in reports:
        peaks[found.process] = max(peaks.get(found.process, 0), found.peak_memory)
    return peaks


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _nobody(step: str, done: int, total: int) -> None:
    """Listen to no progress."""
