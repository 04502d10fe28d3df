from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.splits import LEAVE_CELL_LINE_OUT, Fold, leave_cell_line_out
from resvae_core.engine.engine import Engine, open_engine
from resvae_core.errors import ArtifactError
from resvae_core.evaluation import benchmark, report
from resvae_core.evaluation.benchmark import FoldTask
from resvae_core.evaluation.held_out import HeldOut, model_digest
from resvae_core.evaluation.report import benchmark_report, order_sentence
from resvae_core.evaluation.summary import (
    ablations,
    base_of,
    best_model,
    compare,
    evaluation_tables,
    reliability,
    summarise,
)
from resvae_core.models.base import Prediction, ResponseModel, Samples
from resvae_core.models.catalog import KINDS, floor_names
from resvae_core.models.elastic_net import ElasticNet
from resvae_core.tables import Screen

Data = tuple[Samples, Screen]


@pytest.fixture(scope="module")
def folds(screen: Data) -> list[Fold]:
    tissue = screen[1].tissue
    folds = [f for seed in range(2) for f in leave_cell_line_out(tissue, n_folds=3, seed=seed)]
    return folds + [benchmark.permuted(fold) for fold in folds[:3]]


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def table(screen: Data, folds: list[Fold], cache: Path) -> pd.DataFrame:
    samples, response = screen
    return benchmark.run(["elastic_net"], folds, samples.expression, response, cache=cache)


@pytest.fixture(scope="module")
def held_out(table: pd.DataFrame, screen: Data, folds: list[Fold], cache: Path) -> list[HeldOut]:
    samples, response = screen
    return benchmark.read_held_out(
        ["elastic_net"], folds, samples.expression, response, cache=cache
    )


def mean(table: pd.DataFrame, split: str, model: str) -> float:
    rows = summarise(table).set_index(["split", "model", "metric"])["mean"]
    return float(rows[split, model, "roc_auc"])


def test_floors_are_always_there(table: pd.DataFrame) -> None:
    assert set(table["model"]) == {"elastic_net", *floor_names()}


def test_model_beats_its_floor_and_permuted_labels_do_not(table: pd.DataFrame) -> None:
    floor = mean(table, LEAVE_CELL_LINE_OUT, "drug_tissue_mean")
    assert mean(table, LEAVE_CELL_LINE_OUT, "elastic_net") > floor + 0.1
    assert mean(table, LEAVE_CELL_LINE_OUT + "_permuted", "elastic_net") < 0.6
    assert best_model(summarise(table), ["elastic_net"]) == "elastic_net"


def test_always_resistant_has_no_ranking_and_a_good_f1(table: pd.DataFrame) -> None:
    rows = summarise(table).set_index(["split", "model", "metric"])["mean"]
    assert rows[LEAVE_CELL_LINE_OUT, "always_resistant", "roc_auc"] == 0.5
    assert rows[LEAVE_CELL_LINE_OUT, "always_resistant", "f1_resistant"] > 0.8


def test_summary_has_intervals_around_means_per_drug_too(table: pd.DataFrame) -> None:
    summary = summarise(table, by_drug=True)
    own = summary[(summary["model"] == "elastic_net") & (summary["metric"] == "roc_auc")]
    assert set(own["drug"]) == {"Cisplatin", "Erlotinib", "Gemcitabine"}
    assert (own["lower"] <= own["mean"]).all()
    assert (own["mean"] <= own["upper"]).all()
    curves = reliability(table)
    assert set(curves["bin"]) == set(range(10))


def test_only_what_is_not_kept_is_fitted_again(screen: Data, tmp_path: Path) -> None:
    samples, response = screen
    folds = leave_cell_line_out(response.tissue, n_folds=3)[:2]
    seen: list[tuple[int, int]] = []

    def run(responses: Screen = response, engine: Engine | None = None) -> pd.DataFrame:
        return benchmark.run(
            ["elastic_net"],
            folds,
            samples.expression,
            responses,
            cache=tmp_path,
            engine=engine,
            progress=lambda done, total: seen.append((done, total)),
        )

    first, again = run(), run()
    pd.testing.assert_frame_equal(first, again)
    assert seen == [(0, 2), (1, 2), (2, 2), (2, 2)]
    files = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.safetensors")}
    assert len(files) == 2 * (1 + len(floor_names()))

    # a run that was killed: one model of one fold is missing, another was being written
    lost = next(path for path in files if path.parent.name == "elastic_net")
    lost.rename(lost.with_suffix(".partial"))
    with open_engine("processes", 2) as engine:
        pd.testing.assert_frame_equal(run(engine=engine), first)
    assert seen[-2:] == [(1, 2), (2, 2)]
    changed = {p for p in files if p.stat().st_mtime_ns != files[p]}
    assert changed <= {lost}

    run(Screen(response.ln_ic50 + 1, response.resistant, response.tissue))
    assert len(list(tmp_path.rglob("*.safetensors"))) == 2 * len(files)


def test_a_damaged_file_is_refused(screen: Data, tmp_path: Path) -> None:
    samples, response = screen
    folds = leave_cell_line_out(response.tissue, n_folds=3)[:1]
    arguments = (["elastic_net"], folds, samples.expression, response)
    benchmark.run(*arguments, cache=tmp_path)
    next((tmp_path / "elastic_net").iterdir()).write_bytes(b"not what was written")
    with pytest.raises(ArtifactError, match="'elastic_net' are missing or cannot be read"):
        benchmark.run(*arguments, cache=tmp_path)


class Halved(ElasticNet):
    """Half the log-odds of a fitted elastic net: a model that is built from another."""

    kind = "halved"
    needs = ("elastic_net",)

    def build_from(self, parts: Mapping[str, ResponseModel]) -> None:
        self.part = parts["elastic_net"]

    def predict(self, samples: Samples) -> Prediction:
        whole = self.part.predict(samples)
        return replace(whole, log_odds=whole.log_odds / 2)


def test_models_built_from_others_are_handed_the_ones_of_the_fold(
    screen: Data, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, response = screen
    monkeypatch.setitem(KINDS, "halved", Halved)
    fits: list[str] = []
    fit = ElasticNet.fit

    def counted(self: ElasticNet, samples: Samples, screen: Screen) -> ElasticNet:
        fits.append(self.kind)
        return fit(self, samples, screen)

    monkeypatch.setattr(ElasticNet, "fit", counted)
    fold = leave_cell_line_out(response.tissue, n_folds=3)[0]
    assert benchmark.with_needs(["halved", "elastic_net"]) == ["elastic_net", "halved"]
    data = (samples, response)
    elastic_net, halved = benchmark.fit_fold(FoldTask(fold, ("halved", "elastic_net")), data)
    assert (elastic_net.kind, halved.kind) == ("elastic_net", "halved")
    assert fits == ["elastic_net", "halved"]  # each once, what is needed first
    np.testing.assert_allclose(halved.log_odds, elastic_net.log_odds / 2, rtol=1e-6)
    (again,) = benchmark.fit_fold(FoldTask(fold, ("halved",)), data)
    assert fits[2:] == ["elastic_net", "halved"]
    assert again.log_odds.tobytes() == halved.log_odds.tobytes()


def test_a_digest_changes_with_the_configuration_of_what_a_model_is_built_from(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(KINDS, "halved", Halved)
    before = model_digest("halved", 0, {})
    assert model_digest("halved", 0, {}) == before
    assert model_digest("halved", 1, {}) != before
    monkeypatch.setitem(KINDS, "elastic_net", partial(ElasticNet, alpha=0.123))
    assert model_digest("halved", 0, {}) != before


def test_a_digest_changes_with_the_encoder() -> None:
    found = {
        kind: [model_digest(kind, 0, {"large": large, "small": "s"}) for large in ("a", "b")]
        for kind in ("vae_ll", "vae_ls", "vae_ld", "elastic_net")
    }
    assert found["vae_ll"][0] != found["vae_ll"][1]
    assert found["vae_ld"][0] != found["vae_ld"][1]  # its teacher reads the large one
    assert found["vae_ls"][0] == found["vae_ls"][1]
    assert found["elastic_net"][0] == found["elastic_net"][1]


def test_report_lists_models_beside_floors(
    table: pd.DataFrame, held_out: list[HeldOut], screen: Data
) -> None:
    tables = evaluation_tables(table, held_out, screen[1])
    text = benchmark_report(table, tables)
    assert "| Elastic net |" in text
    assert "| Drug × tissue mean |" in text
    assert "## leave_cell_line_out_permuted (3 folds)" in text
    assert "| `within_tissue_roc_auc` | against Drug × tissue mean |" in text
    assert "| Elastic net | sensitive | 0." in text  # coverage
    assert "published order" not in text  # VAE_LD was not judged


def with_ablation(table: pd.DataFrame) -> pd.DataFrame:
    """Add an ablation that is worse by 0.05, and in a further repetition by more."""
    own = table[table["model"] == "elastic_net"]
    loss = np.where(own["seed"] == 0, 0.05, 0.5)
    noise = np.random.default_rng(0).normal(0, 0.001, len(own))
    return pd.concat(
        [table, own.assign(model="elastic_net_unscaled", value=own["value"] - loss + noise)],
        ignore_index=True,
    )


def test_ablations_are_held_against_the_whole_model_and_stand_in_no_other_table(
    table: pd.DataFrame, held_out: list[HeldOut], screen: Data
) -> None:
    plain = evaluation_tables(table, held_out, screen[1])
    ablated = [replace(one, kind="elastic_net_unscaled") for one in held_out[:3]]
    tables = evaluation_tables(with_ablation(table), [*held_out, *ablated], screen[1])
    found = tables.pop("ablations").set_index("metric")
    assert "ablations" not in plain
    assert tables.keys() == plain.keys()
    for name, expected in plain.items():
        pd.testing.assert_frame_equal(tables[name], expected)
    assert set(found["base"]) == {"elastic_net"}
    assert set(found["n_folds"]) == {3}  # of the first repetition
    row = found.loc["roc_auc"]
    assert row["difference"] == pytest.approx(-0.05, abs=0.002)
    assert row["mean"] == pytest.approx(row["base_mean"] + row["difference"])
    assert row["difference_lower"] < row["difference"] < row["difference_upper"]
    assert row["p_value"] < 0.05
    assert row["p_holm"] == row["p_value"]  # one ablation


def test_holm_counts_every_ablation_of_a_metric(table: pd.DataFrame) -> None:
    twice = with_ablation(table)
    other = twice[twice["model"] == "elastic_net_unscaled"].assign(model="elastic_net_unweighted")
    found = ablations(pd.concat([twice, other], ignore_index=True))
    np.testing.assert_allclose(found["p_holm"], np.minimum(2 * found["p_value"], 1.0))


def test_an_ablation_is_of_the_longest_kind_in_its_name() -> None:
    assert base_of("vae_ld_undistilled") == "vae_ld"
    assert base_of("drug_tissue_mean_raw") == "drug_tissue_mean"


def test_report_has_ablations_in_a_section_of_their_own(
    table: pd.DataFrame, held_out: list[HeldOut], screen: Data, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = report.title_of

    def titled(kind: str) -> str:
        return "Elastic net, unscaled" if kind == "elastic_net_unscaled" else known(kind)

    monkeypatch.setattr(report, "title_of", titled)
    judged = with_ablation(table)
    text = benchmark_report(judged, evaluation_tables(judged, held_out, screen[1]))
    before, section = text.split("## Ablations (leave_cell_line_out, seed 0)")
    assert "Elastic net, unscaled" not in before
    assert "| Elastic net, unscaled | 0." in section
    assert " (-0.05" in section


@pytest.mark.parametrize(("distilled", "word"), [(0.80, "holds"), (0.70, "does not hold")])
def test_report_says_whether_the_published_order_holds(distilled: float, word: str) -> None:
    rng = np.random.default_rng(0)
    parts = [
        pd.DataFrame(
            {
                "split": LEAVE_CELL_LINE_OUT,
                "seed": 0,
                "fold": range(5),
                "model": model,
                "drug": "Cisplatin",
                "metric": metric,
                "value": level + rng.normal(0, 0.01, 5),
                "n": 100,
            }
        )
        for model, level in (("vae_ld", distilled), ("random_forest", 0.75))
        for metric in ("roc_auc", "within_tissue_roc_auc")
    ]
    table = pd.concat(parts, ignore_index=True)
    sentence = order_sentence(summarise(table), compare(table))
    assert f"VAE_LD best of the five, {word} here" in sentence
    rank = 1 if word == "holds" else 2
    assert sentence.count(f"it comes {rank} of 2") == 2
    assert "(a difference: paired p = " in sentence
