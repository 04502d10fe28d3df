from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from resvae_core.errors import InputDataError
from resvae_core.explain.associations import correlate, correlate_given, false_discovery

N_PATIENTS, N_GENES, N_DRUGS = 60, 25, 4


@pytest.fixture
def patients() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Expression, scores, and a covariate that both follow."""
    rng = np.random.default_rng(3)
    covariate = rng.normal(0, 1, N_PATIENTS)
    values = rng.normal(4, 1, (N_PATIENTS, N_GENES)) + np.outer(covariate, rng.normal(size=N_GENES))
    scores = values[:, :N_DRUGS] + rng.normal(0, 1, (N_PATIENTS, N_DRUGS)) - covariate[:, None]
    return values, scores, covariate


def residual(column: np.ndarray, covariate: np.ndarray) -> np.ndarray:
    """Return what a straight line through the covariate leaves."""
    design = np.column_stack([np.ones_like(covariate), covariate])
    return column - design @ np.linalg.lstsq(design, column, rcond=None)[0]


def test_correlations_match_scipy_pearsonr(patients) -> None:
    values, scores, _ = patients
    found = correlate(values, scores)
    assert found.n_patients == N_PATIENTS
    for gene in range(N_GENES):
        for drug in range(N_DRUGS):
            expected = stats.pearsonr(values[:, gene], scores[:, drug])
            interval = expected.confidence_interval(0.95)
            assert found.effect[gene, drug] == pytest.approx(expected.statistic, abs=1e-12)
            assert found.p_value[gene, drug] == pytest.approx(expected.pvalue, rel=1e-8)
            assert found.lower[gene, drug] == pytest.approx(interval.low, abs=1e-12)
            assert found.upper[gene, drug] == pytest.approx(interval.high, abs=1e-12)


def test_correlations_of_ranks_match_scipy_spearmanr(patients) -> None:
    values, scores, _ = patients
    values = np.round(values)  # ties
    found = correlate(values, scores, ranks=True)
    for gene in range(N_GENES):
        expected = stats.spearmanr(values[:, gene], scores[:, 1])
        assert found.effect[gene, 1] == pytest.approx(expected.statistic, abs=1e-12)
        assert found.p_value[gene, 1] == pytest.approx(expected.pvalue, rel=1e-8)


@pytest.mark.parametrize("ranks", [False, True])
def test_partial_correlations_match_residuals_of_regressions(patients, ranks) -> None:
    values, scores, covariate = patients
    found = correlate_given(values, scores, covariate, ranks=ranks)
    if ranks:
        values, scores, covariate = (stats.rankdata(x, axis=0) for x in (values, scores, covariate))
    for gene in range(N_GENES):
        left = residual(values[:, gene], covariate)
        expected = stats.pearsonr(left, residual(scores[:, 2], covariate)).statistic
        freedom = N_PATIENTS - 3
        p_value = 2 * stats.t.sf(abs(expected) * np.sqrt(freedom / (1 - expected**2)), freedom)
        assert found.effect[gene, 2] == pytest.approx(expected, abs=1e-12)
        assert found.p_value[gene, 2] == pytest.approx(p_value, rel=1e-8)


def test_each_score_may_have_its_own_covariate(patients) -> None:
    values, scores, covariate = patients
    covariates = np.column_stack([covariate, covariate**2, np.cos(covariate), -covariate])
    together = correlate_given(values, scores, covariates)
    for drug in range(N_DRUGS):
        alone = correlate_given(values, scores[:, [drug]], covariates[:, drug])
        assert together.effect[:, drug] == pytest.approx(alone.effect[:, 0], abs=1e-12)


def test_patients_without_the_covariate_are_left_out(patients) -> None:
    values, scores, covariate = patients
    covariate = covariate.copy()
    covariate[:20] = np.nan
    found = correlate_given(values, scores, covariate)
    expected = correlate_given(values[20:], scores[20:], covariate[20:])
    assert found.n_patients == 40
    assert np.array_equal(found.effect, expected.effect)


def test_genes_that_cannot_be_assessed_are_nan_and_leave_the_others_alone(patients) -> None:
    values, scores, covariate = patients
    expected = correlate(values, scores)
    values = values.copy()
    values[:, 0] = 3.3
    values[5, 1] = np.nan
    values[:, 2] = 0.0
    values[:9, 2] = 5.0  # on in nine patients
    for found in (correlate(values, scores), correlate_given(values, scores, covariate)):
        assert np.isnan(found.effect[:3]).all()
        assert np.isnan(found.p_value[:3]).all()
        assert np.isnan(found.lower[:3]).all()
    found = correlate(values, scores)
    assert np.array_equal(found.effect[3:], expected.effect[3:])
    values[:10, 2] = 5.0
    assert np.isfinite(correlate(values, scores).effect[2]).all()


def test_nothing_is_left_of_a_gene_that_is_the_covariate(patients) -> None:
    values, scores, covariate = patients
    values = np.column_stack([2 * covariate + 1, values])
    found = correlate_given(values, scores, covariate)
    assert np.isnan(found.effect[0]).all()
    assert np.isfinite(found.effect[1:]).all()


def test_a_gene_that_is_the_score_correlates_fully(patients) -> None:
    _, scores, _ = patients
    found = correlate(np.column_stack([scores[:, 0], -scores[:, 0]]), scores[:, :1])
    assert found.effect[:, 0] == pytest.approx([1, -1])
    assert found.p_value[:, 0] == pytest.approx([0, 0], abs=1e-100)


def test_patients_in_another_order_change_nothing(patients) -> None:
    values, scores, covariate = patients
    order = np.random.default_rng(0).permutation(N_PATIENTS)
    one = correlate_given(values, scores, covariate).effect
    other = correlate_given(values[order], scores[order], covariate[order]).effect
    assert one == pytest.approx(other, abs=1e-12)


def test_too_few_patients_are_refused(patients) -> None:
    values, scores, covariate = patients
    covariate = covariate.copy()
    covariate[9:] = np.nan
    with pytest.raises(InputDataError, match="9 of 60 patients have every value"):
        correlate_given(values, scores, covariate)


def test_false_discovery_matches_scipy_and_passes_over_what_was_not_tested() -> None:
    p_values = np.array([[0.01, np.nan, 0.04], [0.03, 0.5, np.nan]])
    tested = np.isfinite(p_values)
    q_values = false_discovery(p_values)
    assert np.isnan(q_values[~tested]).all()
    assert q_values[tested] == pytest.approx(stats.false_discovery_control(p_values[tested]))
    assert np.isnan(false_discovery(np.array([np.nan]))).all()


def test_false_discovery_of_random_scores_finds_next_to_nothing() -> None:
    rng = np.random.default_rng(0)
    found = correlate(rng.normal(size=(100, 2000)), rng.normal(size=(100, 5)))
    assert (false_discovery(found.p_value) < 0.05).sum() <= 3
    assert np.mean(found.p_value < 0.05) == pytest.approx(0.05, abs=0.01)
