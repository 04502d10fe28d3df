from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from resvae_core.features.range_check import BORDERLINE, IN_RANGE, OUT_OF_RANGE, fit_reference
from resvae_core.tables import Expression

N_GENES = 200
GENES = [f"G{number:03d}" for number in range(N_GENES)]


def cohort(shift: int, n: int = 150, seed: int = 0) -> Expression:
    """Return samples that vary along five shared directions around a centre of their own."""
    shared = np.random.default_rng(99)
    loadings = shared.normal(0, 0.6, (5, N_GENES))
    centre = shared.uniform(3, 8, N_GENES) + np.random.default_rng(shift).normal(0, 0.5, N_GENES)
    rng = np.random.default_rng(1000 * shift + seed)
    values = centre + rng.normal(size=(n, 5)) @ loadings + rng.normal(0, 0.3, (n, N_GENES))
    names = [f"S{shift}-{seed}-{number}" for number in range(n)]
    return Expression(pd.DataFrame(np.abs(values).astype(np.float32), names, GENES))


@pytest.fixture(scope="module")
def reference():
    return fit_reference({"A": cohort(1), "B": cohort(2)}, GENES)


def share(verdicts: pd.DataFrame, verdict: str) -> float:
    return float((verdicts["range"] == verdict).mean())


def test_about_95_percent_of_new_reference_samples_are_in_range(reference) -> None:
    verdicts = reference.assess(cohort(1, n=400, seed=7))
    assert 0.90 <= share(verdicts, IN_RANGE) <= 0.99


def test_shuffled_genes_are_out_of_range(reference) -> None:
    values = cohort(1, n=20, seed=8).values
    shuffled = np.random.default_rng(0).permuted(values.to_numpy(), axis=1)
    spoilt = Expression(pd.DataFrame(shuffled, values.index, GENES))
    assert share(reference.assess(spoilt), OUT_OF_RANGE) == 1.0


def test_missing_genes_lower_the_verdict_step_by_step(reference) -> None:
    values = cohort(1, n=60, seed=9).values
    good = reference.assess(Expression(values))
    sample = good.index[good["range"] == IN_RANGE][0]
    verdicts = [
        reference.assess(Expression(values.loc[[sample], GENES[:kept]]))["range"].iloc[0]
        for kept in (200, 170, 120)
    ]
    assert verdicts == [IN_RANGE, BORDERLINE, OUT_OF_RANGE]


def test_reasons_name_the_genes_that_are_missing(reference) -> None:
    verdict = reference.assess(Expression(cohort(1, n=1, seed=3).values[GENES[:120]])).iloc[0]
    assert verdict["n_missing"] == 80
    assert verdict["gene_coverage"] == pytest.approx(0.6)
    assert "120 of 200 genes that the models read were measured" in verdict["reasons"]


def test_each_sample_is_judged_on_its_own(reference) -> None:
    many = cohort(2, n=30, seed=5)
    together = reference.assess(many)
    for sample in many.samples[:5]:
        alone = reference.assess(many.select([sample]))
        assert alone.iloc[0].to_dict() == together.loc[sample].to_dict()
