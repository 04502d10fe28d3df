"""The task ``attribute_cohort``: the same table by every engine, and after every interruption."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import pandas as pd
import pytest

from resvae_core.errors import CatalogError, ConfigError, InputDataError
from resvae_core.jobs import task_attribution
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.task_attribution import (
    ATTRIBUTE,
    CHUNK,
    EXPRESSION,
    N_GENES,
    RESULT_FILE,
)
from resvae_core.registry.store import set_digest
from resvae_core.tables import Expression

ARGUMENTS = {"cohort": "DEMO", "drug": "Gefitinib", "model": "elastic_net"}
ASKED = ARGUMENTS | {"cohort": "LUAD", "set_digest": "0" * 64}


@pytest.fixture(scope="module")
def arguments() -> dict[str, str]:
    return ARGUMENTS | {"set_digest": set_digest()}


@pytest.fixture(scope="module")
def table(arguments, tmp_path_factory) -> pd.DataFrame:
    return run(arguments, tmp_path_factory.mktemp("job"))


def run(arguments: dict[str, str], folder: Path) -> pd.DataFrame:
    result = ATTRIBUTE.run(JobContext.alone(folder, arguments))
    found = pd.read_parquet(folder / result["file"])
    assert result == {"file": RESULT_FILE, "rows": len(found)}
    return found


def test_the_leading_genes_of_every_patient_come_first(table) -> None:
    assert list(table.columns) == ["sample", "gene", "value", "attribution"]
    assert table["gene"].nunique() == N_GENES
    assert len(table) == N_GENES * table["sample"].nunique()
    means = table["attribution"].abs().groupby(table["gene"], sort=False).mean()
    assert means.is_monotonic_decreasing


def test_processes_make_the_same_table_and_finished_patients_are_not_explained_again(
    arguments, table, tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(task_attribution, "FEW_CHUNKS", 0)
    monkeypatch.setenv("RESVAE_ENGINE", "processes")
    monkeypatch.setenv("RESVAE_N_WORKERS", "2")
    pd.testing.assert_frame_equal(run(arguments, tmp_path), table)
    parts = sorted(tmp_path.glob("parts-*/*"))
    (tmp_path / RESULT_FILE).unlink()
    kept = {part: part.stat().st_mtime_ns for part in parts[1:]}
    parts[0].unlink()
    pd.testing.assert_frame_equal(run(arguments, tmp_path), table)
    assert {part: part.stat().st_mtime_ns for part in parts[1:]} == kept


class StopError(Exception):
    pass


def cohort(name: str) -> Expression:
    """Return a cohort of three chunks whose samples bear its name."""
    samples = [f"{name}-{number:03d}" for number in range(2 * CHUNK + 1)]
    return Expression(pd.DataFrame(1.0, samples, ["A", "B"], dtype="float32"))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> dict[str, Expression]:
    """Stand for the installed cohorts; explaining the last chunk of the old one is stopped."""
    found = {"LUAD": cohort("OLD")}

    def explain(start: int, arguments: dict[str, str]) -> pd.DataFrame:
        some = task_attribution._expression_as_begun("LUAD", arguments[EXPRESSION]).values
        if start == 2 * CHUNK and some.index[0].startswith("OLD"):
            raise StopError
        return some.iloc[start : start + CHUNK] * 0.5

    load = lru_cache(maxsize=1)(found.__getitem__)
    monkeypatch.setattr(task_attribution, "_expression", load)
    monkeypatch.setattr(task_attribution, "explain_chunk", explain)
    monkeypatch.setattr(task_attribution, "record_in_job", lambda *_, **__: None)
    return found


def stopped_attempt(folder: Path) -> None:
    with pytest.raises(StopError):
        ATTRIBUTE.run(JobContext.alone(folder, ASKED))


def test_a_cohort_that_is_installed_anew_is_explained_anew_and_never_mixed(
    installed, tmp_path
) -> None:
    stopped_attempt(tmp_path)
    installed["LUAD"] = cohort("NEW")
    context = JobContext.alone(tmp_path, ASKED)
    ATTRIBUTE.run(context)
    found = pd.read_parquet(tmp_path / RESULT_FILE)
    assert list(found["sample"].unique()) == installed["LUAD"].samples
    assert len(list(tmp_path.glob("parts*"))) == 1
    told = [sent["describe"] for sent in context.sent if "describe" in sent]
    assert told == [{"data_digests": {EXPRESSION: installed["LUAD"].digest()}}]


def test_parts_that_another_program_made_are_not_kept(installed, tmp_path, monkeypatch) -> None:
    stopped_attempt(tmp_path)
    (before,) = tmp_path.glob("parts-*")
    stopped_attempt(tmp_path)
    assert list(tmp_path.glob("parts-*")) == [before]
    monkeypatch.setattr(task_attribution, "code_digest", lambda: "another")
    stopped_attempt(tmp_path)
    (after,) = tmp_path.glob("parts-*")
    assert after != before


def test_a_worker_that_holds_an_earlier_cohort_reads_it_anew_or_refuses(installed) -> None:
    task_attribution._expression("LUAD")
    new = installed["LUAD"] = cohort("NEW")
    assert task_attribution._expression_as_begun("LUAD", new.digest()) is new
    with pytest.raises(InputDataError, match="LUAD was installed anew while it was explained"):
        task_attribution._expression_as_begun("LUAD", cohort("OLD").digest())


def test_arguments_are_checked_and_named(arguments) -> None:
    ATTRIBUTE.check(arguments)
    assert ATTRIBUTE.title_of(arguments) == "Explain DEMO: Gefitinib, elastic_net"
    with pytest.raises(ConfigError, match="was asked for with cohort, drug, model"):
        ATTRIBUTE.check(ARGUMENTS)
    with pytest.raises(ConfigError, match="was asked for with"):
        ATTRIBUTE.check(arguments | {"patient": "secret"})
    with pytest.raises(ConfigError, match="was asked for with"):
        ATTRIBUTE.check(arguments | {"drug": 3})


def test_a_cohort_or_set_that_is_not_there_is_said(arguments, tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("RESVAE_DATA", str(tmp_path))
    with pytest.raises(InputDataError, match="LUAD"):
        ATTRIBUTE.run(JobContext.alone(tmp_path, arguments | {"cohort": "LUAD"}))
    with pytest.raises(CatalogError, match="no model set with the digest 00000000"):
        ATTRIBUTE.run(JobContext.alone(tmp_path, arguments | {"set_digest": "0" * 64}))
