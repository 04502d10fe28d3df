from __future__ import annotations

import json
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.files import replace_folder
from resvae_core.data.screens import TrainingSet
from resvae_core.data.splits import leave_cell_line_out
from resvae_core.errors import ArtifactError, ConfigError, UnknownDrugError
from resvae_core.evaluation.benchmark import read_held_out, run
from resvae_core.evaluation.summary import evaluation_tables
from resvae_core.models.ablations import ABLATIONS
from resvae_core.models.base import ResponseModel, Samples
from resvae_core.models.catalog import floor_names
from resvae_core.models.conformal import WORDS
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.models.model_set import (
    BASELINE,
    COLUMNS,
    NOT_ASSESSABLE,
    RESISTANT,
    SENSITIVE,
    UNCERTAIN,
    ModelSet,
)
from resvae_core.registry import store
from resvae_core.registry.store import (
    SET_FILE,
    list_cards,
    load_evaluation,
    load_model_set,
    require_intact,
    save_model_set,
    set_digest,
    verify_model_set,
)
from resvae_core.registry.training_run import Plan, fit_set, publish
from resvae_core.tables import Expression, Screen

Data = tuple[Samples, Screen]


class Unscaled(ElasticNet):
    """An ablation by name; nobody fits it here."""

    kind = "elastic_net_unscaled"
    title = "Elastic net, unscaled"


@pytest.fixture(scope="module")
def folder(screen: Data, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Train and save a set of one model and its floors on the synthetic screen."""
    samples, response = screen
    root = tmp_path_factory.mktemp("registry")
    training_set = TrainingSet(
        samples.expression, response, {"gdsc/response.parquet": "0" * 64}, pd.DataFrame()
    )
    # drawn once more with other noise: a stand-in for tumours of two cancer types
    rng = np.random.default_rng(3)
    tumours = {}
    for code, shift in (("LUAD", 0.0), ("GBM", 0.4)):
        values = samples.expression.values + rng.normal(shift, 0.2, (160, 40))
        tumours[code] = Expression(values.clip(lower=0).astype(np.float32))
    folds = leave_cell_line_out(response.tissue, n_folds=3)
    judged = (["elastic_net"], folds, samples.expression, response)
    table = run(*judged, cache=root / "cache")
    held_out = read_held_out(*judged, cache=root / "cache")
    worse = table[table["model"] == "elastic_net"].assign(
        model="elastic_net_unscaled", value=lambda rows: rows["value"] - 0.1
    )
    evaluation = evaluation_tables(pd.concat([table, worse]), held_out, response)
    plan = Plan("test-set", ("elastic_net",), "2026-01-01")
    model_set = fit_set(plan, training_set, tumours)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ABLATIONS, "elastic_net_unscaled", Unscaled)
        publish(plan, model_set, training_set, tumours, evaluation, root / "models")
    return root / "models"


@pytest.fixture
def model_set(folder: Path) -> ModelSet:
    return load_model_set(folder)


def test_forecast_has_the_stated_columns_and_words(model_set: ModelSet, screen: Data) -> None:
    expression = screen[0].expression
    forecast = model_set.predict(expression, cancer_type="luad", reference="cell_lines")
    table = forecast.table
    assert list(table.columns) == COLUMNS
    assert len(table) == 160 * 3 * len(model_set.models)
    assert set(table["call"]) <= {RESISTANT, SENSITIVE, UNCERTAIN, NOT_ASSESSABLE, BASELINE}
    floor = table["model"] == "drug_mean"
    assert set(table.loc[floor, "call"]) == {BASELINE}
    assert set(table.loc[floor, "conformal"]) == {""}
    assert set(table.loc[table["model"] == "elastic_net", "conformal"]) <= set(WORDS)
    assert (table["lower"] <= table["probability"]).all()
    assert (table["probability"] <= table["upper"]).all()
    assert forecast.cancer_type == "LUAD"


def test_cancer_type_chooses_the_conformal_sets_and_no_probability(
    model_set: ModelSet, screen: Data
) -> None:
    expression = screen[0].expression
    told = {
        code: model_set.predict(
            expression, cancer_type=code, models=["elastic_net"], reference="cell_lines"
        ).table
        for code in ("LUAD", "LAML", None)
    }
    # there is no blood line in training: nothing can be excluded for leukaemia, nor unnamed
    assert set(told["LUAD"]["conformal"]) > {"both"}
    assert set(told["LAML"]["conformal"]) == set(told[None]["conformal"]) == {"both"}
    for code in ("LAML", None):
        pd.testing.assert_frame_equal(
            told[code].drop(columns="conformal"), told["LUAD"].drop(columns="conformal")
        )


def test_call_needs_the_whole_interval_on_one_side(model_set: ModelSet, screen: Data) -> None:
    forecast = model_set.predict(
        screen[0].expression, models=["elastic_net"], reference="cell_lines"
    )
    table, limit = forecast.table, model_set.threshold("elastic_net")
    assert (table.loc[table["call"] == RESISTANT, "lower"] >= limit).all()
    assert (table.loc[table["call"] == SENSITIVE, "upper"] < limit).all()
    straddles = (table["lower"] < limit) & (table["upper"] >= limit)
    out = table["call"] == NOT_ASSESSABLE
    assert set(table.loc[straddles & ~out, "call"]) == {UNCERTAIN}


def test_out_of_range_sample_gets_no_call(model_set: ModelSet, screen: Data) -> None:
    spoilt = screen[0].expression.values.iloc[:3] + 9
    forecast = model_set.predict(Expression(spoilt), models=["elastic_net"])
    assert set(forecast.table["range"]) == {"out of range"}
    assert set(forecast.table["call"]) == {NOT_ASSESSABLE}
    assert forecast.table["note"].str.startswith("out of range: ").all()


def test_forecast_alone_equals_among_others(model_set: ModelSet, screen: Data) -> None:
    expression = screen[0].expression
    together = model_set.predict(expression, cancer_type="LUAD").table
    for sample in expression.samples[:3]:
        alone = model_set.predict(expression.select([sample]), cancer_type="LUAD").table
        among = together[together["sample"] == sample].reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, among)


def test_names_are_checked(model_set: ModelSet, screen: Data) -> None:
    expression = screen[0].expression
    with pytest.raises(UnknownDrugError):
        model_set.predict(expression, drugs=["Aspirin-like"])
    with pytest.raises(ConfigError, match="has no model 'oracle'"):
        model_set.predict(expression, models=["oracle"])
    with pytest.raises(ConfigError, match="'mars' is no reference"):
        model_set.predict(expression, reference="mars")
    synonym = model_set.predict(expression, drugs=["Gemzar", "gemcitabine"]).table
    assert set(synonym["drug"]) == {"Gemcitabine"}


def test_cards_state_data_metrics_beside_floors_and_limits(folder: Path) -> None:
    cards = {card.kind: card for card in list_cards(folder)}
    card = cards["elastic_net"]
    assert card.id.startswith("elastic_net-")
    for section in ("not_for", "purpose", "inputs", "training", "limits", "versions", "genes"):
        assert card.document[section]
    metrics = card.metrics().set_index("metric")
    assert metrics.loc["roc_auc", "mean"] > metrics.loc["roc_auc", "floor"]
    assert card.document["training"]["data_digests"] == {"gdsc/response.parquet": "0" * 64}
    assert "Research use only" in card.document["notice"]


def test_ablations_stand_in_the_card_of_the_whole_model(folder: Path) -> None:
    cards = {card.kind: card for card in list_cards(folder)}
    found = {row["metric"]: row for row in cards["elastic_net"].document["ablations"]}
    assert found["roc_auc"]["name"] == "elastic_net_unscaled"
    assert found["roc_auc"]["title"] == "Elastic net, unscaled"
    assert found["roc_auc"]["difference"] == pytest.approx(-0.1)
    assert cards["drug_mean"].document["ablations"] == []
    assert set(load_evaluation("summary", folder)["model"]) == {"elastic_net", *floor_names()}


@pytest.mark.parametrize(
    "name",
    [
        "summary",
        "per_drug",
        "comparisons",
        "reliability",
        "reliability_by_tissue",
        "coverage_by_tissue",
        "coverage_by_drug",
        "ablations",
    ],
)
def test_every_table_of_the_evaluation_is_kept(name: str, folder: Path) -> None:
    assert len(load_evaluation(name, folder)) > 0


def test_a_table_that_is_not_there_is_refused(folder: Path) -> None:
    with pytest.raises(ArtifactError, match="The table 'external' of the evaluation is missing"):
        load_evaluation("external", folder)


def test_every_file_is_verified(folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "models"
    shutil.copytree(folder, copy)
    assert {item.state for item in verify_model_set(copy)} == {"intact"}
    before = set_digest(copy)
    with (copy / "elastic_net" / "weights.safetensors").open("r+b") as stream:
        stream.seek(-3, 2)
        stream.write(b"\0\1\2")
    with pytest.raises(ArtifactError, match=r"elastic_net/weights\.safetensors in models/ is alt"):
        load_model_set(copy)
    (copy / "elastic_net" / "card.json").unlink()
    states = {item.file: item.state for item in verify_model_set(copy)}
    assert states["elastic_net/card.json"] == "missing"
    assert set_digest(copy) == before


def test_two_runs_that_save_into_one_folder_leave_the_second_set_whole(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model_set, target = load_model_set(folder), tmp_path / "models"
    cards = {card.kind: card for card in list_cards(folder)}
    evaluation = {"per_drug": load_evaluation("per_drug", folder)}
    half_way, save = threading.Event(), ResponseModel.save

    def save_slowly(model: ResponseModel, where: Path) -> None:
        save(model, where)
        half_way.set()
        time.sleep(0.05)

    monkeypatch.setattr(ResponseModel, "save", save_slowly)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(save_model_set, model_set, cards, evaluation, target)
        assert half_way.wait(30)
        other = replace(model_set, name="second")
        second = threads.submit(save_model_set, other, cards, evaluation, target)
        first.result()
        second.result()
    assert {item.state for item in verify_model_set(target)} == {"intact"}
    assert load_model_set(target).name == "second"
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["models"]


def test_set_that_is_replaced_while_it_is_loaded_is_loaded_again(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "models"
    shutil.copytree(folder, copy)
    other = shutil.copytree(folder, tmp_path / "other")
    document = json.loads((other / SET_FILE).read_text(encoding="utf-8")) | {"name": "second"}
    (other / SET_FILE).write_text(json.dumps(document), encoding="utf-8")

    def replace_and_verify(where: Path) -> None:
        if other.exists():
            replace_folder(other, copy)
        require_intact(where)

    monkeypatch.setattr(store, "require_intact", replace_and_verify)
    loaded = load_model_set(copy)
    assert (loaded.name, loaded.digest) == ("second", set_digest(copy))


def test_missing_or_foreign_sets_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"There is no readable model_set\.json"):
        load_model_set(tmp_path)
    (tmp_path / SET_FILE).write_text(json.dumps({"schema_version": 99}), encoding="utf-8")
    with pytest.raises(ArtifactError, match="has schema version 99"):
        load_model_set(tmp_path)
