"""What ``evaluate`` and ``train`` judge: models on every fold, their ablations on the first."""

from __future__ import annotations

from pathlib import Path

import pytest

from resvae_core.cli import evaluate
from resvae_core.data.splits import LEAVE_CELL_LINE_OUT, leave_cell_line_out
from resvae_core.engine.serial import SerialEngine
from resvae_core.errors import ConfigError
from resvae_core.evaluation import benchmark
from resvae_core.models.ablations import ABLATIONS
from resvae_core.models.catalog import floor_names, learned_names, title_of
from resvae_core.models.elastic_net import ElasticNet
from tests.core.registry.tiny_training import tiny_training_set
from tests.tiny_data import install_tiny_data


def test_ablations_follow_the_models_that_are_judged() -> None:
    assert evaluate.ablations_of(["elastic_net", "random_forest"]) == []
    found = evaluate.ablations_of(["vae_ll"])
    assert found
    assert all(name.startswith("vae_ll_") for name in found)
    assert evaluate.ablations_of(learned_names()) == list(ABLATIONS)
    assert len({title_of(name) for name in [*ABLATIONS, *learned_names()]}) == len(
        [*ABLATIONS, *learned_names()]
    )


class Loose(ElasticNet):
    """The elastic net with hardly a penalty."""

    kind = "elastic_net_loose"
    title = "Elastic net, loose"

    def __init__(self) -> None:
        super().__init__(alpha=0.01)


def test_ablations_are_judged_on_the_first_folds_of_left_out_lines_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    training_set = tiny_training_set()
    fold = leave_cell_line_out(training_set.screen.tissue, n_folds=3)[0]
    folds = [fold, benchmark.permuted(fold)]
    monkeypatch.setenv("RESVAE_ARTIFACTS", str(tmp_path))
    monkeypatch.setitem(ABLATIONS, Loose.kind, Loose)
    monkeypatch.setattr(evaluate, "read_sites", lambda folder, training_set: None)
    monkeypatch.setattr(evaluate, "plan_folds", lambda training_set, sites, seeds: folds)
    # in this process: another one would not know the ablation that is made up here
    table = evaluate.judge(training_set, tmp_path, 1, SerialEngine(), ["elastic_net"])
    judged = table.groupby("model")["split"].agg(set).to_dict()
    both = {LEAVE_CELL_LINE_OUT, LEAVE_CELL_LINE_OUT + benchmark.PERMUTED}
    assert judged == {
        **dict.fromkeys(["elastic_net", *floor_names()], both),
        Loose.kind: {LEAVE_CELL_LINE_OUT},
    }
    assert not table.duplicated(["split", "seed", "fold", "model", "drug", "metric"]).any()
    tables = evaluate.tables_of(table, training_set, tmp_path, 1, ["elastic_net"])
    assert set(tables["ablations"]["model"]) == {Loose.kind}
    assert Loose.kind not in set(tables["summary"]["model"])


def test_an_unknown_engine_is_refused_before_anything_is_fitted(tmp_path: Path) -> None:
    data = install_tiny_data(tmp_path / "data")
    with pytest.raises(ConfigError, match=r"'threads' is no engine\. Use one of: serial, proc"):
        evaluate.evaluate(data=data, kind=["elastic_net"], engine="threads")
