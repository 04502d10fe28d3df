"""Linear probes and reconstruction: oracles, and no look at the test lines."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import RidgeCV

from resvae_core.data.splits import leave_cell_line_out
from resvae_core.evaluation.encoder_quality import principal_axes, reconstruction
from resvae_core.evaluation.linear_probe import PENALTIES, _ridge, mean_by_drug, probe
from resvae_core.models.base import Samples
from resvae_core.tables import Screen
from resvae_core.training.pretraining import prepare, pretrain
from tests.core.training.tiny_profiles import CONFIG, tiny_profiles


def test_ridge_matches_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 12))
    x -= x.mean(axis=0)
    y = x @ rng.normal(size=12) + rng.normal(0, 2, 60)
    kernel = x @ x.T
    weights, offset = _ridge(kernel, y)
    # scikit-learn's own leave-one-out also leaves the offset out: compare without one
    reference = RidgeCV(PENALTIES * np.trace(kernel), fit_intercept=False).fit(x, y - y.mean())
    np.testing.assert_allclose(kernel @ weights, reference.predict(x), atol=1e-8)
    assert offset == pytest.approx(y.mean())


def test_genes_that_decide_are_read_and_noise_is_not(screen: tuple[Samples, Screen]) -> None:
    samples, response = screen
    values = samples.expression.values.to_numpy(float)
    noise = np.random.default_rng(3).normal(size=values.shape)
    folds = leave_cell_line_out(response.tissue, n_folds=3)
    good = mean_by_drug(probe(lambda train: [values], response, folds)).mean()
    none = mean_by_drug(probe(lambda train: [noise], response, folds)).mean()
    assert good["pearson"] > 0.8
    assert good["roc_auc"] > 0.85
    assert abs(none["pearson"]) < 0.2


def test_features_are_told_the_training_lines_alone(screen: tuple[Samples, Screen]) -> None:
    _, response = screen
    folds = leave_cell_line_out(response.tissue, n_folds=4)
    asked: list[set[str]] = []

    def features(train: np.ndarray) -> list[np.ndarray]:
        asked.append({response.lines[row] for row in train})
        return [np.eye(len(response.lines))]

    probe(features, response, folds)
    assert asked == [set(fold.train) for fold in folds]


def test_responses_of_test_lines_do_not_reach_their_scores(
    screen: tuple[Samples, Screen],
) -> None:
    """Reversed test responses must give exactly the reversed correlation."""
    samples, response = screen
    values = samples.expression.values.to_numpy(float)
    fold = leave_cell_line_out(response.tissue, n_folds=4)[0]
    reversed_ = response.ln_ic50.copy()
    reversed_.loc[list(fold.test)] *= -1
    turned = Screen(reversed_, response.resistant, response.tissue)
    plain, other = (probe(lambda train: [values], s, [fold]) for s in (response, turned))
    np.testing.assert_allclose(plain["pearson"], -other["pearson"])


def test_reconstruction_reports_mean_pca_and_encoder_by_kind() -> None:
    corpus = prepare(tiny_profiles(), CONFIG)
    table = reconstruction(pretrain(CONFIG, corpus).network, corpus)
    r2 = table.pivot(index="kind", columns="method", values="r2")
    assert list(r2.index) == ["cell lines", "tumours, log2(TPM + 1)", "tumours, z-scores"]
    assert (r2["mean"] == 0).all()
    # three factors make the profiles: a PCA finds them
    assert (r2.loc[["cell lines", "tumours, log2(TPM + 1)"], "pca, same kind"] > 0.5).all()
    assert isinstance(table, pd.DataFrame)
    assert table.groupby("kind")["n_profiles"].first().sum() == len(corpus.held_out)


def test_principal_axes_are_those_of_numpy() -> None:
    x = np.random.default_rng(1).normal(size=(30, 5)) * [5, 3, 2, 1, 0.1]
    values, vectors = np.linalg.eigh(np.cov(x.T))
    axes = principal_axes(x, 2)
    np.testing.assert_allclose(np.abs(axes @ vectors[:, ::-1][:, :2]), np.eye(2), atol=1e-8)
    assert (np.diff(values) > 0).all()
