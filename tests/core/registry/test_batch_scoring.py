"""Cohorts larger than memory: every row once, whatever stops, alters or repeats it."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resvae_core.config import PROJECT_ROOT, models_folder
from resvae_core.data import expression_parquet
from resvae_core.data.expression_parquet import (
    MOST_CUTS,
    Cohort,
    CohortFile,
    open_cohort,
)
from resvae_core.data.files import file_digest
from resvae_core.data.genes import load_gene_table
from resvae_core.engine.engine import open_engine
from resvae_core.engine.serial import SerialEngine
from resvae_core.errors import (
    ArtifactError,
    BusyError,
    ConfigError,
    DuplicateSampleError,
    EngineError,
    ExpressionUnitsError,
    GeneCoverageError,
    InputDataError,
    UnknownCohortError,
    UnknownDrugError,
)
from resvae_core.features.range_check import RANGES, Reference
from resvae_core.models.base import TUMOURS
from resvae_core.models.model_set import ModelSet
from resvae_core.process_locks import only_one
from resvae_core.registry import batch_scoring
from resvae_core.registry.batch_scoring import Scored, ScoringRequest, check_request, score_cohort
from resvae_core.registry.score_folder import (
    COLUMNS,
    JOURNAL,
    LOCK,
    MANIFEST,
    ScoreFolder,
    verify_scores,
)
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression

MODELS = ("vae_ld", "xgboost", "drug_mean")
DRUGS = ("Cisplatin", "Erlotinib", "Gefitinib")
KEY = ["sample", "model", "drug"]
N = 40
ROUNDING = 5e-6
"""Matrix products of another number of rows round otherwise; an interval's ends multiply that."""


@pytest.fixture(scope="module")
def shipped() -> ModelSet:
    return load_model_set(models_folder(), kinds=MODELS)


@pytest.fixture(scope="module")
def reference(shipped: ModelSet) -> Reference:
    return shipped.references[TUMOURS]


@pytest.fixture(scope="module")
def values(reference: Reference) -> pd.DataFrame:
    """Synthetic profiles: in range, far away, and with genes that were not measured."""
    rng = np.random.default_rng(0)
    centre = reference.centres[0] @ reference.directions
    z = centre + 0.6 * rng.standard_normal((N, len(reference.genes)))
    z[5] += 6 * rng.standard_normal(len(reference.genes))
    drawn = np.clip(reference.moments.mean + reference.moments.sd * z, 0, 19).astype(np.float32)
    drawn[6, :100] = np.nan
    drawn[7, :300] = np.nan
    return pd.DataFrame(drawn, [f"SYN-{k}" for k in range(N)], list(reference.genes))


@pytest.fixture(scope="module")
def cohort_file(values: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cohort") / "cohort.parquet"
    values.to_parquet(path, row_group_size=8)
    return path


def request(source: Path, out: Path, **changes: object) -> ScoringRequest:
    made = ScoringRequest(
        source, out, models=MODELS, drugs=DRUGS, chunk=16, set_folder=models_folder()
    )
    return dataclasses.replace(made, **changes)  # type: ignore[arg-type]


def light(source: Path, out: Path, **changes: object) -> ScoringRequest:
    """Return a request of a model that costs nothing."""
    return request(source, out, **{"models": ("drug_mean",), **changes})


def score(wanted: ScoringRequest) -> Scored:
    return score_cohort(wanted, SerialEngine())


def read(folder: Path) -> pd.DataFrame:
    parts = [pd.read_parquet(path) for path in sorted(folder.glob("*.parquet"))]
    return pd.concat(
        [part.astype({n: str for n in COLUMNS if part[n].dtype != np.float32}) for part in parts],
        ignore_index=True,
    )


def digests(folder: Path) -> dict[str, str]:
    return {path.name: file_digest(path) for path in sorted(folder.glob("*.parquet"))}


@pytest.fixture(scope="module")
def scored(cohort_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("scored") / "scores"
    score(request(cohort_file, out, cancer_type="LUAD"))
    return out


def test_scores_are_those_of_a_forecast(
    scored: Path, shipped: ModelSet, values: pd.DataFrame
) -> None:
    found = read(scored)
    assert list(found.columns) == list(COLUMNS)
    assert len(found) == N * len(MODELS) * len(DRUGS)
    expected = shipped.predict(
        Expression(values), cancer_type="LUAD", drugs=DRUGS, models=MODELS
    ).table.set_index(KEY)
    found = found.set_index(KEY).loc[expected.index]
    for name in ("probability", "lower", "upper"):
        assert found[name].dtype == np.float32
        np.testing.assert_allclose(found[name], expected[name], rtol=0, atol=1e-6)
    words = ["conformal", "call", "range", "note"]
    pd.testing.assert_frame_equal(found[words], expected[words], check_names=False)
    assert set(found["range"]) == set(RANGES)  # all three are there to be compared


def test_a_sample_alone_scores_as_among_others(
    scored: Path, values: pd.DataFrame, tmp_path: Path
) -> None:
    values.iloc[[6]].to_parquet(tmp_path / "one.parquet")
    score(request(tmp_path / "one.parquet", tmp_path / "out", cancer_type="LUAD"))
    alone = read(tmp_path / "out").set_index(KEY)
    among = read(scored).set_index(KEY).loc[alone.index]
    pd.testing.assert_frame_equal(alone, among, rtol=0, atol=ROUNDING)


def test_files_gene_ids_column_order_and_other_columns_change_nothing(
    scored: Path, values: pd.DataFrame, tmp_path: Path
) -> None:
    table = load_gene_table()
    ids = {gene: f"{table.record(gene).ensembl}.7" for gene in values.columns[::3]}
    renamed = values.rename(columns=ids).iloc[:, ::-1].astype(float)
    renamed.insert(3, "cohort", "A")
    folder = tmp_path / "many" / "site=a"
    folder.mkdir(parents=True)
    edges = [0, 7, 8, 30, N]
    for number, (start, stop) in enumerate(pairwise(edges)):
        part = renamed.iloc[start:stop].rename_axis("sample").reset_index()
        part.to_parquet(folder / f"{number}.parquet", index=False, row_group_size=5)
    (folder / "_notes.parquet").write_bytes(b"no Parquet: names that begin so are left out")
    score(request(tmp_path / "many", tmp_path / "out", cancer_type="LUAD"))
    pd.testing.assert_frame_equal(
        read(tmp_path / "out").set_index(KEY), read(scored).set_index(KEY), rtol=0, atol=ROUNDING
    )
    check = verify_scores(tmp_path / "out")
    assert (check.samples, check.rows) == (N, N * 9)


def test_two_columns_of_one_gene_add_up(values: pd.DataFrame, tmp_path: Path) -> None:
    gene = str(values.columns[0])
    ensembl = load_gene_table().record(gene).ensembl
    halves = values.iloc[:3].copy()
    halves[gene] = np.log2((2 ** values[gene].iloc[:3] - 1) / 2 + 1)
    halves[f"{ensembl}.1"] = halves[gene]
    halves.to_parquet(tmp_path / "halves.parquet")
    cohort = open_cohort(tmp_path / "halves.parquet", set(values.columns))
    (read_back,) = cohort.read(*cohort.split(10)[0], batch=10)
    assert sorted(read_back.genes) == sorted(values.columns)
    found = read_back.values[list(values.columns)]
    np.testing.assert_allclose(found, values.iloc[:3], rtol=1e-5)


@pytest.mark.parametrize("chunk", [1, 3, 10, 64, 1000])
def test_parts_hold_every_row_once_and_in_order(chunk: int) -> None:
    groups = [(4, 4, 1), (200,), (), (7, 0, 30)]
    files = tuple(CohortFile(str(k), 1, "", group) for k, group in enumerate(groups))
    cohort = Cohort(Path(), files, "sample", ())
    parts = cohort.split(chunk)
    rows = [(p.file, row) for part in parts for p in part for row in range(p.start, p.stop)]
    assert rows == [(k, row) for k, group in enumerate(groups) for row in range(sum(group))]
    largest = max(chunk, -(-200 // MOST_CUTS))
    assert all(0 < sum(p.n_samples for p in part) <= largest for part in parts)


def test_a_restart_writes_what_is_missing_or_altered_and_nothing_else(
    scored: Path, cohort_file: Path, tmp_path: Path
) -> None:
    wanted = request(cohort_file, tmp_path / "out", cancer_type="LUAD")
    assert score(wanted).parts_written == 3
    before = digests(tmp_path / "out")
    assert before == digests(scored)
    assert score(wanted).parts_written == 0
    (tmp_path / "out" / "part-00000.parquet").unlink()
    altered = tmp_path / "out" / "part-00002.parquet"
    content = bytearray(altered.read_bytes())
    content[len(content) // 2] ^= 1
    altered.write_bytes(content)
    with pytest.raises(ArtifactError, match=r"part-00000.parquet is missing or altered"):
        verify_scores(tmp_path / "out")
    again = score(wanted)
    assert (again.parts, again.parts_written, again.samples) == (3, 2, N)
    assert digests(tmp_path / "out") == before
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        LOCK,
        MANIFEST,
        *before,
    ]


class _Stopped(Exception):
    """Stands for whatever ends a run."""


def stop_after(n_samples: int) -> Callable[[str, int, int], None]:
    def report(step: str, done: int, total: int) -> None:
        if total and done >= n_samples:
            raise _Stopped

    return report


def test_a_run_that_was_stopped_goes_on_where_it_was(cohort_file: Path, tmp_path: Path) -> None:
    wanted = light(cohort_file, tmp_path / "out")
    with pytest.raises(_Stopped):
        score_cohort(wanted, SerialEngine(), report=stop_after(30))
    assert list(digests(tmp_path / "out")) == ["part-00000.parquet"]
    with pytest.raises(ArtifactError, match="has not finished: 1 of 3 parts"):
        verify_scores(tmp_path / "out")
    with (tmp_path / "out" / JOURNAL).open("a", encoding="utf-8") as stream:
        stream.write('{"part": 1, "byt')  # what a power cut leaves
    (tmp_path / "out" / "part-00001.parquet.partial-0123").write_bytes(b"PAR1")
    seen: list[tuple[int, int]] = []
    done = score_cohort(
        wanted, SerialEngine(), report=lambda step, n, total: seen.append((n, total))
    )
    assert done.parts_written == 2
    assert (16, N) in seen
    assert seen[-1] == (N, N)
    assert verify_scores(tmp_path / "out").rows == N * len(DRUGS)
    assert not list((tmp_path / "out").glob("*.partial-*"))


def test_another_version_with_the_same_code_that_scores_goes_on(
    cohort_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = light(cohort_file, tmp_path / "out")
    with pytest.raises(_Stopped):
        score_cohort(wanted, SerialEngine(), report=stop_after(30))
    monkeypatch.setattr(batch_scoring, "__version__", "99.0.0")
    assert score(wanted).parts_written == 2
    assert verify_scores(tmp_path / "out").samples == N


def test_parts_of_another_program_are_refused_or_made_anew_never_mixed(
    cohort_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = light(cohort_file, tmp_path / "out")
    monkeypatch.setattr(batch_scoring, "program_digest", lambda: "0" * 64)
    with pytest.raises(_Stopped):
        score_cohort(wanted, SerialEngine(), report=stop_after(30))
    monkeypatch.undo()
    kept = digests(tmp_path / "out")
    with pytest.raises(ConfigError, match="not the same program") as refused:
        score(wanted)
    assert "Choose another folder" in refused.value.remedy
    assert digests(tmp_path / "out") == kept
    told: list[str] = []
    monkeypatch.setattr(ScoreFolder, "_write", fail)  # all is removed, and nothing begun
    with pytest.raises(OSError, match="power"):
        score_cohort(wanted, SerialEngine(), anew=told.append)
    monkeypatch.undo()
    assert [path.name for path in (tmp_path / "out").iterdir()] == [LOCK]
    assert told == ["The folder 'out' holds scores of another run: not the same program."]
    assert score_cohort(wanted, SerialEngine(), anew=told.append).parts_written == 3
    assert len(told) == 1
    assert verify_scores(tmp_path / "out").samples == N


def fail(*_: object) -> None:
    raise OSError("no power")


def test_the_program_is_told_by_code_catalogue_and_libraries_and_not_by_its_version(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batch_scoring, "library_versions", lambda: {"resvae": "1", "numpy": "2"})
    first = batch_scoring.program_digest()
    monkeypatch.setattr(batch_scoring, "library_versions", lambda: {"resvae": "9", "numpy": "2"})
    assert batch_scoring.program_digest() == first
    monkeypatch.setattr(batch_scoring, "library_versions", lambda: {"resvae": "9", "numpy": "3"})
    assert batch_scoring.program_digest() != first
    monkeypatch.undo()
    every_part = batch_scoring.program_digest()
    for part in batch_scoring.CODE:
        assert (PROJECT_ROOT / "resvae_core" / part).exists()
        rest = tuple(name for name in batch_scoring.CODE if name != part)
        monkeypatch.setattr(batch_scoring, "CODE", rest)
        assert batch_scoring.program_digest() != every_part
        monkeypatch.undo()


def test_a_killed_worker_loses_no_row_and_repeats_none(cohort_file: Path, tmp_path: Path) -> None:
    def kill(step: str, done: int, total: int) -> None:
        if done >= 16:
            # not the tracker of multiprocessing, which serves the tests that come later
            for child in psutil.Process().children():
                if "resource_tracker" not in " ".join(child.cmdline()):
                    os.kill(child.pid, signal.SIGKILL)

    wanted = light(cohort_file, tmp_path / "out", chunk=4)
    with open_engine("processes", 1) as engine, pytest.raises(EngineError, match="worker process"):
        score_cohort(wanted, engine, report=kill)
    here = score(wanted)
    assert 0 < here.parts_written < here.parts == 10
    assert verify_scores(tmp_path / "out").samples == N
    score(light(cohort_file, tmp_path / "serial", chunk=4))
    assert digests(tmp_path / "out") == digests(tmp_path / "serial")


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"drugs": ("Cisplatin",)}, "drugs"),
        ({"models": ("tissue_mean",)}, "models"),
        ({"cancer_type": "GBM"}, "cancer type"),
        ({"reference": "cell_lines"}, "reference"),
        ({"chunk": 8}, "chunk"),
    ],
)
def test_a_folder_of_another_request_is_refused(
    change: dict[str, object], what: str, cohort_file: Path, tmp_path: Path
) -> None:
    wanted = light(cohort_file, tmp_path / "out")
    score(wanted)
    before = digests(tmp_path / "out")
    with pytest.raises(ConfigError, match=f"not the same {what}") as error:
        score(dataclasses.replace(wanted, **change))  # type: ignore[arg-type]
    assert "Choose another folder" in error.value.remedy
    assert digests(tmp_path / "out") == before


def test_a_folder_of_another_input_is_refused(values: pd.DataFrame, tmp_path: Path) -> None:
    values.to_parquet(tmp_path / "in.parquet")
    wanted = light(tmp_path / "in.parquet", tmp_path / "out")
    score(wanted)
    (values + np.float32(0.001)).to_parquet(tmp_path / "in.parquet")
    with pytest.raises(ConfigError, match="not the same input"):
        score(wanted)


def test_a_folder_with_other_files_is_refused(cohort_file: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match="did not write"):
        score(light(cohort_file, tmp_path))
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be written"):
        score(light(cohort_file, tmp_path / "file"))


def test_two_runs_never_share_a_folder(
    cohort_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resvae_core.registry.score_folder.LOCK_SECONDS", 0.0)
    (tmp_path / "out").mkdir()
    with (
        only_one(tmp_path / "out" / LOCK, what="score"),
        pytest.raises(BusyError, match="score into this folder"),
    ):
        score(light(cohort_file, tmp_path / "out"))


def rewrite(folder: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Alter a part as somebody would who also knows about digests."""
    path = folder / "part-00001.parquet"
    pq.write_table(change(pq.read_table(path)), path)
    document = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    document["written"][1] |= {"bytes": path.stat().st_size, "sha256": file_digest(path)}
    (folder / MANIFEST).write_text(json.dumps(document), encoding="utf-8")


def rename(table: pa.Table, column: str, old: str, new: str) -> pa.Table:
    frame = table.to_pandas()
    frame[column] = frame[column].astype(str).replace({old: new})
    return pa.Table.from_pandas(frame)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda t: t.slice(1), "exactly once"),
        (lambda t: pa.concat_tables([t, t.slice(0, 1)]), "exactly once"),
        (lambda t: t.slice(len(DRUGS)), "exactly once"),
        (lambda t: rename(t, "sample", "SYN-16", "SYN-15"), "other samples"),
        (lambda t: rename(t, "drug", "Cisplatin", "Aspirin"), "another model or drug"),
        (lambda t: rename(t, "model", "drug_mean", "xgboost"), "another model or drug"),
        (lambda t: rename(t, "drug", "Cisplatin", "Erlotinib"), "exactly once"),
    ],
)
def test_a_row_missing_repeated_or_foreign_is_found(
    change: Callable[[pa.Table], pa.Table], what: str, cohort_file: Path, tmp_path: Path
) -> None:
    wanted = light(cohort_file, tmp_path / "out")
    score(wanted)
    verify_scores(tmp_path / "out")
    rewrite(tmp_path / "out", change)
    with pytest.raises(ArtifactError, match=rf"part-00001.parquet .*{what}") as error:
        verify_scores(tmp_path / "out")
    assert "anew" in error.value.remedy


def test_a_part_too_many_is_found(cohort_file: Path, tmp_path: Path) -> None:
    score(light(cohort_file, tmp_path / "out"))
    part = tmp_path / "out" / "part-00001.parquet"
    (tmp_path / "out" / "part-00009.parquet").write_bytes(part.read_bytes())
    with pytest.raises(ArtifactError, match=r"part-00009\.parquet .*count twice"):
        verify_scores(tmp_path / "out")


def test_a_folder_without_manifest_is_no_folder_of_scores(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"no readable manifest\.json"):
        verify_scores(tmp_path)
    (tmp_path / MANIFEST).write_text('{"schema_version": 0}', encoding="utf-8")
    with pytest.raises(ArtifactError, match="schema version 0"):
        ScoreFolder(tmp_path).document()


@pytest.mark.parametrize(
    ("value", "error", "what"),
    [
        (-0.5, ExpressionUnitsError, "a negative value"),
        (np.inf, ExpressionUnitsError, "an infinite value"),
        (431.25, ExpressionUnitsError, "a value above 24"),
        (None, InputDataError, "no value in any gene"),
    ],
)
def test_values_that_are_no_log2_tpm_are_refused_by_file_and_row(
    value: float | None,
    error: type[InputDataError],
    what: str,
    values: pd.DataFrame,
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    wrong = values.copy()
    wrong.iloc[20, 3 if value is not None else slice(None)] = value
    wrong.iloc[:15].to_parquet(folder / "a.parquet")
    wrong.iloc[15:].to_parquet(folder / "b.parquet", row_group_size=4)
    with pytest.raises(error, match=rf"Row 6 of b.parquet has {what}") as raised:
        score(light(folder, tmp_path / "out"))
    assert "431" not in str(raised.value)
    assert "SYN" not in str(raised.value)


def test_a_name_that_occurs_twice_is_refused_wherever_it_lies(
    values: pd.DataFrame, tmp_path: Path
) -> None:
    values.iloc[:15].to_parquet(tmp_path / "a.parquet")
    values.iloc[14:].to_parquet(tmp_path / "b.parquet")
    with pytest.raises(DuplicateSampleError, match=r"Row 1 of b\.parquet .* row 15 of a\.parquet"):
        score(light(tmp_path, tmp_path / "out"))


def test_names_that_share_a_hash_are_compared_in_full(
    cohort_file: Path, values: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        expression_parquet, "_hashes", lambda names: np.zeros(len(names), np.uint64)
    )
    open_cohort(cohort_file, set(values.columns)).require_unique_names()


def unusable(values: pd.DataFrame) -> dict[str, Callable[[Path], object]]:
    some = values.iloc[:4]
    unnamed = some.set_axis(["A", "B", None, "D"])
    return {
        "There is no Parquet file": lambda path: path.mkdir(),
        "cannot be read as Parquet": lambda path: path.write_bytes(b"PAR1 and so on"),
        "has no names of samples": lambda path: some.reset_index(drop=True).to_parquet(path),
        "The input holds no samples": lambda path: some.iloc[:0].to_parquet(path),
        r"Row 3 of in\.parquet has no sample name": lambda path: unnamed.to_parquet(path),
        "is of type .*string; numbers were": lambda path: some.astype(str).to_parquet(path),
        "of type double; text was": lambda path: some.set_axis([0.5, 1.5, 2.5, 3.5]).to_parquet(
            path
        ),
        "None of the 682 genes": lambda path: some.T.to_parquet(path),
    }


KINDS = range(8)


@pytest.mark.parametrize("number", KINDS)
def test_input_that_cannot_be_used_is_refused(
    number: int, values: pd.DataFrame, tmp_path: Path
) -> None:
    cases = unusable(values)
    assert len(cases) == len(KINDS)
    message, write = list(cases.items())[number]
    write(tmp_path / "in.parquet")
    error = GeneCoverageError if "682" in message else InputDataError
    with pytest.raises(error, match=message):
        score(light(tmp_path / "in.parquet", tmp_path / "out"))
    assert not (tmp_path / "out" / MANIFEST).exists()


def test_files_with_other_columns_are_refused(values: pd.DataFrame, tmp_path: Path) -> None:
    values.iloc[:4].to_parquet(tmp_path / "a.parquet")
    values.iloc[4:, 1:].to_parquet(tmp_path / "b.parquet")
    with pytest.raises(InputDataError, match=r"b\.parquet has other columns"):
        score(light(tmp_path, tmp_path / "out"))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"models": ("crystal_ball",)}, ConfigError, "no model 'crystal_ball'"),
        ({"drugs": ("Aspirin",)}, UnknownDrugError, "Aspirin"),
        ({"cancer_type": "XXXX"}, UnknownCohortError, "XXXX"),
        ({"reference": "mice"}, ConfigError, "'mice' is no reference"),
        ({"chunk": 0}, ConfigError, "Parts of 0 samples"),
        ({"input": Path("nowhere.parquet")}, InputDataError, "no file or folder"),
    ],
)
def test_a_wrong_request_is_refused_before_anything_is_read(
    change: dict[str, object], error: type[Exception], message: str, cohort_file: Path
) -> None:
    with pytest.raises(error, match=message):
        check_request(light(cohort_file, Path("out"), **change))


def test_all_models_and_drugs_of_the_set_where_none_are_named(
    cohort_file: Path, shipped: ModelSet
) -> None:
    wanted = request(cohort_file, Path("out"), models=(), drugs=())
    contents = batch_scoring.read_contents(models_folder())
    assert batch_scoring._choose_drugs(wanted, contents) == shipped.drugs
    assert batch_scoring._choose_models(wanted, contents) == contents.models
    assert set(shipped.genes) == contents.genes


def planned(wanted: ScoringRequest) -> batch_scoring.Job:
    contents = batch_scoring.read_contents(models_folder())
    cohort = open_cohort(wanted.input, contents.genes)
    plan = batch_scoring._plan(wanted, contents, cohort)
    folder = ScoreFolder(wanted.out)
    wanted.out.mkdir()
    folder.begin(plan, "now")
    return batch_scoring.Job(cohort, plan, wanted.out, models_folder())


def test_a_worker_refuses_input_that_changed_meanwhile(
    values: pd.DataFrame, tmp_path: Path
) -> None:
    values.to_parquet(tmp_path / "in.parquet")
    job = planned(light(tmp_path / "in.parquet", tmp_path / "out"))
    values.iloc[:30].to_parquet(tmp_path / "in.parquet")
    with pytest.raises(InputDataError, match=r"in\.parquet has changed"):
        batch_scoring.score_part(0, job)
    (tmp_path / "in.parquet").unlink()
    with pytest.raises(InputDataError, match="is not there"):
        batch_scoring.score_part(0, job)
    assert not digests(tmp_path / "out")


def test_a_worker_refuses_another_model_set_and_folders_it_does_not_see(
    cohort_file: Path, tmp_path: Path
) -> None:
    job = planned(light(cohort_file, tmp_path / "out"))
    other = dataclasses.replace(job.plan, model_set={"name": "other", "digest": "0" * 64})
    with pytest.raises(ArtifactError, match="model set has changed"):
        batch_scoring.score_part(0, dataclasses.replace(job, plan=other))
    with pytest.raises(ArtifactError, match="does not see the model set"):
        batch_scoring.score_part(0, dataclasses.replace(job, set_folder=tmp_path / "away"))
    with pytest.raises(ConfigError, match="does not see the folder"):
        batch_scoring.score_part(0, dataclasses.replace(job, out=tmp_path / "away"))


def test_quick_verdicts_are_those_of_one_by_one(reference: Reference, values: pd.DataFrame) -> None:
    rng = np.random.default_rng(1)
    mixed = values.copy()
    mixed.iloc[10:13] = mixed.iloc[10:13].mask(rng.random((3, values.shape[1])) < 0.1)
    mixed.iloc[13, 20:] = np.nan  # too few genes to be placed at all
    mixed.iloc[14:20, 4] = np.nan
    both = Expression(mixed)
    slow, quick = reference.assess(both), reference.judge(both)
    assert [RANGES[code] for code in quick.codes] == list(slow["range"])
    assert quick.reasons == list(slow["reasons"])


def test_a_sample_at_a_limit_gets_the_verdict_of_one_by_one(
    reference: Reference, values: pd.DataFrame
) -> None:
    # limits moved onto what was measured: rounding alone would decide
    row = values.iloc[[0]]
    matrix = row.to_numpy()[0]
    distance, residual = reference._measure(matrix, np.isfinite(matrix))
    for limit in (distance, np.nextafter(distance, 0)):
        thresholds = dataclasses.replace(
            reference.thresholds, distance_good=limit, residual_good=residual
        )
        moved = dataclasses.replace(reference, thresholds=thresholds)
        expected = moved.assess(Expression(row))["range"].item()
        assert RANGES[moved.judge(Expression(row)).codes[0]] == expected


def alter_at_the_end(path: Path, keep_time: bool) -> Callable[[str, int, int], None]:
    """Return what replaces a cohort's values, at the same size, when all samples are scored."""

    def report(step: str, done: int, total: int) -> None:
        if total and done == total:
            content, found = path.read_bytes(), path.stat()
            # a page's bytes are not checked by Parquet: the file can still be read
            path.write_bytes(content[:100] + bytes(8) + content[108:])
            if keep_time:
                os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))

    return report


def test_scores_of_input_that_was_altered_meanwhile_are_never_finished(
    values: pd.DataFrame, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "out"
    values.to_parquet(source, row_group_size=16)
    with pytest.raises(InputDataError, match=r"in\.parquet has changed since the scoring began"):
        score_cohort(
            light(source, out), SerialEngine(), report=alter_at_the_end(source, keep_time=True)
        )
    assert not digests(out), "what was made of it is gone"
    with pytest.raises(ArtifactError, match="has not finished: 0 of 3 parts"):
        verify_scores(out)
    values.to_parquet(source, row_group_size=16)
    assert score(light(source, out)).parts_written == 3
    assert verify_scores(out).samples == N


def test_parts_of_input_as_it_was_at_another_time_are_made_anew(
    values: pd.DataFrame, tmp_path: Path
) -> None:
    source, out = tmp_path / "in.parquet", tmp_path / "out"
    values.to_parquet(source, row_group_size=16)
    with pytest.raises(_Stopped):
        score_cohort(light(source, out), SerialEngine(), report=stop_after(40))
    assert len(digests(out)) == 2
    # altered, scored, killed, and put back as it was: only its time tells
    content = source.read_bytes()
    source.write_bytes(content)
    assert score(light(source, out)).parts_written == 3
    assert verify_scores(out).samples == N


def test_a_worker_refuses_a_part_whose_input_was_touched_while_it_was_read(
    values: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    values.to_parquet(tmp_path / "in.parquet")
    job = planned(light(tmp_path / "in.parquet", tmp_path / "out"))
    scored_into = batch_scoring._score_into

    def slowly(*arguments: Any) -> str:
        names = scored_into(*arguments)
        os.utime(tmp_path / "in.parquet", ns=(1, 1))
        return names

    monkeypatch.setattr(batch_scoring, "_score_into", slowly)
    with pytest.raises(InputDataError, match=r"in\.parquet has changed"):
        batch_scoring.score_part(0, job)
    assert not digests(tmp_path / "out")
