"""Many samples are predicted and written a few at a time, with the same result."""

from __future__ import annotations

import os
import threading
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.cli.options import write_tables
from resvae_core.errors import ConfigError, UnknownDrugError
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.training_run import Plan, fit_set
from resvae_core.tables import Expression
from tests.core.registry.tiny_training import tiny_training_set, tiny_tumours

KEY = ["sample", "drug", "model"]


@pytest.fixture(scope="module")
def model_set() -> ModelSet:
    plan = Plan("tiny", ("elastic_net",), "2026-01-01")
    return fit_set(plan, tiny_training_set(), tiny_tumours())


def many(n: int) -> Expression:
    values = tiny_training_set().expression.values
    drawn = values.iloc[np.random.default_rng(0).integers(0, len(values), n)]
    return Expression(drawn.set_axis([f"S{number}" for number in range(n)]))


def test_chunks_say_what_one_forecast_says(model_set: ModelSet) -> None:
    samples = many(25)
    chunks = [
        forecast.table
        for forecast in model_set.predict_in_chunks(samples, chunk=7, cancer_type="LUAD")
    ]
    assert [table["sample"].nunique() for table in chunks] == [7, 7, 7, 4]
    whole = model_set.predict(samples, cancer_type="LUAD").table.set_index(KEY)
    found = pd.concat(chunks).set_index(KEY).loc[whole.index]
    pd.testing.assert_frame_equal(found, whole)


def test_options_reach_every_chunk(model_set: ModelSet) -> None:
    chunks = list(
        model_set.predict_in_chunks(
            many(3), chunk=2, drugs=["Cisplatin"], models=["drug_mean"], reference="cell_lines"
        )
    )
    table = pd.concat([forecast.table for forecast in chunks])
    assert set(table["drug"]) == {"Cisplatin"}
    assert set(table["model"]) == {"drug_mean"}
    assert {forecast.reference for forecast in chunks} == {"cell_lines"}
    with pytest.raises(UnknownDrugError):
        next(model_set.predict_in_chunks(many(3), drugs=["Aspirin-like"]))


def peak_bytes(model_set: ModelSet, samples: Expression, chunk: int) -> int:
    tracemalloc.start()
    try:
        write_tables(
            (forecast.table for forecast in model_set.predict_in_chunks(samples, chunk=chunk)),
            Path(os.devnull),
        )
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_samples(model_set: ModelSet) -> None:
    few, lots = many(100), many(1000)
    bounded = peak_bytes(model_set, lots, chunk=50)
    assert bounded < 1.3 * peak_bytes(model_set, few, chunk=50)
    assert bounded < 0.3 * peak_bytes(model_set, lots, chunk=1000)


def tables() -> list[pd.DataFrame]:
    return [pd.DataFrame({"a": [0.1, 2.0], "b": ["x", "y"]}), pd.DataFrame({"a": [3.0], "b": "é"})]


WRITTEN = "a,b\n0.1,x\n2,y\n3,é\n"


def test_tables_become_one_csv(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old", encoding="utf-8")
    write_tables(tables(), out)
    assert out.read_text(encoding="utf-8") == WRITTEN
    assert "3 rows written" in capsys.readouterr().err
    write_tables(tables(), None)
    assert capsys.readouterr().out == WRITTEN
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_names_that_a_spreadsheet_would_run_are_marked_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.csv"
    table = pd.DataFrame({"sample": ["=1+1", "S-2"], "effect": [-0.5, -1.0]})
    write_tables([tables()[0], table.set_axis(["a", "b"], axis=1)], out)
    assert out.read_text(encoding="utf-8").splitlines()[3:] == ["'=1+1,-0.5", "S-2,-1"]
    assert "has an apostrophe (') in front" in capsys.readouterr().err
    write_tables(tables(), out)
    assert "apostrophe" not in capsys.readouterr().err


def test_half_a_table_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old", encoding="utf-8")

    def broken() -> Iterator[pd.DataFrame]:
        yield tables()[0]
        raise UnknownDrugError("No such drug.", remedy="Choose another.")

    with pytest.raises(UnknownDrugError):
        write_tables(broken(), out)
    assert out.read_text(encoding="utf-8") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]


def test_unwritable_place_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be written"):
        write_tables(tables(), tmp_path / "no folder" / "out.csv")
    with pytest.raises(ConfigError, match="cannot be written"):
        write_tables(tables(), tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_pipe_is_written_to_as_it_is(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text(encoding="utf-8")))
    reader.start()
    write_tables(tables(), pipe)
    reader.join()
    assert read == [WRITTEN]
    assert pipe.is_fifo()


def test_model_of_a_set_is_never_asked_for_all_samples(
    model_set: ModelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    kind = type(model_set.model("elastic_net"))
    score_members = kind.score_members  # type: ignore[attr-defined]

    def count(model: ResponseModel, samples: Samples) -> object:
        asked.append(len(samples.expression.samples))
        return score_members(model, samples)

    monkeypatch.setattr(kind, "score_members", count)
    list(model_set.predict_in_chunks(many(600), models=["elastic_net"]))
    assert asked == [256, 256, 88]
