from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import t as student_t

from resvae_core.evaluation.summary import best_model, compare, holm, reliability, summarise

FOLDS = [0.70, 0.74, 0.72, 0.80, 0.69]


def table(
    metric: str, values: list[float], n: list[int] | None = None, model: str = "elastic_net"
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "split": "leave_cell_line_out",
            "seed": 0,
            "fold": range(len(values)),
            "model": model,
            "drug": "Cisplatin",
            "metric": metric,
            "value": values,
            "n": n or [100] * len(values),
        }
    )


def with_floor(own: pd.DataFrame, metric: str) -> pd.DataFrame:
    floor = table(metric, [0.65, 0.70, 0.71, 0.72, 0.66], model="drug_tissue_mean")
    return pd.concat([own, floor], ignore_index=True)


def test_interval_and_test_match_nadeau_and_bengio_by_hand() -> None:
    summary = summarise(with_floor(table("roc_auc", FOLDS), "roc_auc"))
    row = summary[summary["model"] == "elastic_net"].iloc[0]
    variance = np.var(FOLDS, ddof=1) * (1 / 5 + 1 / 4)  # five folds: n_test / n_train = 1 / 4
    assert row["mean"] == pytest.approx(np.mean(FOLDS))
    reach = student_t.ppf(0.975, df=4) * np.sqrt(variance)
    assert row["upper"] - row["mean"] == pytest.approx(reach)
    difference = np.array(FOLDS) - [0.65, 0.70, 0.71, 0.72, 0.66]
    error = np.sqrt(np.var(difference, ddof=1) * (1 / 5 + 1 / 4))
    statistic = difference.mean() / error
    assert row["difference_to_floor"] == pytest.approx(difference.mean())
    assert row["p_value"] == pytest.approx(2 * student_t.sf(statistic, df=4))


def test_within_tissue_weighs_pairs_and_other_metrics_weigh_drugs() -> None:
    parts = []
    for metric in ("roc_auc", "within_tissue_roc_auc"):
        many = table(metric, [0.9, 0.9], n=[300, 300])
        few = table(metric, [0.5, 0.5], n=[100, 100]).assign(drug="Erlotinib")
        parts += [many, few, table(metric, [0.5, 0.5], model="drug_tissue_mean")]
    summary = summarise(pd.concat(parts)).set_index(["model", "metric"])["mean"]
    assert summary["elastic_net", "roc_auc"] == pytest.approx(0.7)
    assert summary["elastic_net", "within_tissue_roc_auc"] == pytest.approx(0.8)


def test_a_fold_without_a_value_is_left_out() -> None:
    summary = summarise(with_floor(table("mcc", [*FOLDS[:4], float("nan")]), "mcc"))
    row = summary[summary["model"] == "elastic_net"].iloc[0]
    assert row["n_folds"] == 4
    assert row["mean"] == pytest.approx(np.mean(FOLDS[:4]))


def test_bounds_of_errors_are_never_negative() -> None:
    summary = summarise(with_floor(table("brier", [0.01, 0.02, 0.3, 0.01, 0.02]), "brier"))
    assert summary.loc[summary["model"] == "elastic_net", "lower"].iloc[0] == 0


@pytest.mark.parametrize("metric", ["roc_auc", "within_tissue_roc_auc", "pearson"])
def test_intervals_end_where_their_metric_does(metric: str) -> None:
    row = summarise(table(metric, [1.0, 0.99, 1.0, 0.9, 1.0])).iloc[0]
    assert row["upper"] == 1.0
    assert 0.8 < row["lower"] < row["mean"] < 1


def test_reliability_counts_pairs_of_one_seed_and_weighs_folds() -> None:
    parts = []
    for seed in (0, 1):
        for what, values in (("predicted", [0.8, 0.6]), ("observed", [0.9, 0.5])):
            part = table(f"reliability_{what}_0", values, n=[30, 10])
            parts.append(part.assign(seed=seed, drug="(all)"))
    curve = reliability(pd.concat(parts)).iloc[0]
    assert curve["n"] == 40
    assert curve["predicted"] == pytest.approx(0.75)
    assert curve["observed"] == pytest.approx(0.8)


def test_every_model_is_compared_with_each_reference_on_the_same_folds() -> None:
    forest = table("roc_auc", [0.71, 0.70, 0.73, 0.79, 0.70], model="random_forest")
    tests = compare(pd.concat([with_floor(table("roc_auc", FOLDS), "roc_auc"), forest]))
    found = tests.set_index(["model", "reference"])
    assert len(found) == 6  # three models, each against the two others
    row = found.loc[("elastic_net", "random_forest")]
    difference = np.array(FOLDS) - [0.71, 0.70, 0.73, 0.79, 0.70]
    error = np.sqrt(np.var(difference, ddof=1) * (1 / 5 + 1 / 4))
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["p_value"] == pytest.approx(2 * student_t.sf(abs(difference.mean()) / error, df=4))
    reach = student_t.ppf(0.975, df=4) * error
    assert row["upper"] - row["difference"] == pytest.approx(reach)
    mirrored = found.loc[("random_forest", "elastic_net")]
    assert mirrored["difference"] == pytest.approx(-row["difference"])
    assert (found["p_holm"] >= found["p_value"]).all()


def test_models_that_agree_in_every_fold_have_no_p_value() -> None:
    same = with_floor(table("roc_auc", [0.65, 0.70, 0.71, 0.72, 0.66]), "roc_auc")
    row = compare(same).set_index("model").loc["elastic_net"]
    assert row["difference"] == 0
    assert np.isnan(row["p_value"])


def test_holm_by_hand() -> None:
    corrected = holm(pd.Series([0.04, 0.01, np.nan, 0.03, 0.5]))
    np.testing.assert_allclose(corrected, [0.09, 0.04, np.nan, 0.09, 0.5])


def test_coverage_weighs_pairs_and_stays_below_one() -> None:
    many = table("coverage_sensitive", [1.0, 0.98, 1.0], n=[90, 90, 90])
    few = table("coverage_sensitive", [0.5, 0.5, 0.5], n=[10, 10, 10]).assign(drug="Erlotinib")
    row = summarise(pd.concat([many, few])).iloc[0]
    assert row["mean"] == pytest.approx(np.mean([0.95, 0.932, 0.95]))
    row = summarise(many).iloc[0]
    assert row["upper"] == 1.0


def test_first_model_speaks_where_no_figure_is_known() -> None:
    kinds = ("elastic_net", "xgboost")
    judged = table("within_tissue_roc_auc", [float("nan")] * 5)
    unknown = summarise(with_floor(judged, "within_tissue_roc_auc"))
    assert best_model(unknown, kinds) == "elastic_net"
    other = summarise(with_floor(table("roc_auc", FOLDS), "roc_auc"))
    assert best_model(other, kinds) == "elastic_net"
    known = table("within_tissue_roc_auc", FOLDS, model="xgboost")
    both = pd.concat([judged, with_floor(known, "within_tissue_roc_auc")])
    assert best_model(summarise(both), kinds) == "xgboost"
