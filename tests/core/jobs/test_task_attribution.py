"""The task ``attribute_cohort``: the same table by every engine, and after every interruption."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from resvae_core.errors import CatalogError, ConfigError, InputDataError
from resvae_core.jobs import task_attribution
from resvae_core.jobs.context import JobContext
from resvae_core.jobs.task_attribution import ATTRIBUTE, N_GENES, RESULT_FILE
from resvae_core.registry.store import set_digest

ARGUMENTS = {"cohort": "DEMO", "drug": "Gefitinib", "model": "elastic_net"}


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
    parts = sorted((tmp_path / "parts").iterdir())
    (tmp_path / RESULT_FILE).unlink()
    kept = {part: part.stat().st_mtime_ns for part in parts[1:]}
    parts[0].unlink()
    pd.testing.assert_frame_equal(run(arguments, tmp_path), table)
    assert {part: part.stat().st_mtime_ns for part in parts[1:]} == kept


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
