from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.config import ASSETS
from resvae_core.data.synthetic import FactorModel
from resvae_core.errors import InputDataError
from resvae_core.survival import cox_per_sd, group_by_category, log_rank
from resvae_core.tables import SurvivalOutcome

DEMO = ASSETS / "demo"


def real_like(n_samples: int = 200, n_genes: int = 60, n_factors: int = 4) -> pd.DataFrame:
    """Profiles of known structure, far enough above 0 not to be clipped."""
    generator = np.random.default_rng(11)
    loadings = generator.normal(0, 0.8, (n_factors, n_genes))
    values = 12 + generator.normal(size=(n_samples, n_factors)) @ loadings
    values += generator.normal(0, 0.4, (n_samples, n_genes))
    return pd.DataFrame(values, columns=[f"G{n}" for n in range(n_genes)])


@pytest.fixture(scope="module")
def cohort() -> pd.DataFrame:
    return pd.read_parquet(DEMO / "cohort_expression.parquet")


@pytest.fixture(scope="module")
def clinical() -> pd.DataFrame:
    return pd.read_csv(DEMO / "cohort_clinical.csv", index_col="patient")


def test_samples_have_the_moments_of_what_was_fitted() -> None:
    real = real_like()
    drawn = FactorModel.fit(real, 4).sample(4000, seed=1).values
    np.testing.assert_allclose(drawn.mean(), real.mean(), atol=0.1)
    np.testing.assert_allclose(drawn.std(), real.std(), rtol=0.08)
    np.testing.assert_allclose(drawn.corr(), real.corr(), atol=0.12)


def test_model_variance_of_each_gene_is_exactly_the_real_one() -> None:
    real = real_like()
    model = FactorModel.fit(real, 3)
    variance = (model.loadings**2).sum(axis=0) + model.residual_sd**2
    np.testing.assert_allclose(variance, real.var(), rtol=1e-9)


def test_same_seed_gives_the_same_profiles_and_another_does_not() -> None:
    model = FactorModel.fit(real_like(), 3)
    assert model.sample(5, seed=2).digest() == model.sample(5, seed=2).digest()
    assert model.sample(5, seed=2).digest() != model.sample(5, seed=3).digest()


def test_directions_have_one_sign_whatever_the_library_chose() -> None:
    loadings = FactorModel.fit(real_like(), 4).loadings
    assert (loadings.max(axis=1) >= -loadings.min(axis=1)).all()


def test_samples_are_named_and_never_negative() -> None:
    real = real_like() - 12
    drawn = FactorModel.fit(real.clip(lower=0), 3).sample(30, seed=0, prefix="DEMO")
    assert drawn.samples[:2] == ["DEMO-0001", "DEMO-0002"]
    assert (drawn.values.to_numpy() >= 0).all()
    assert (drawn.values.to_numpy() == 0).any()
    assert drawn.genes == list(real.columns)


def test_too_few_samples_are_refused() -> None:
    with pytest.raises(InputDataError, match="5 samples cannot give 4 factors; more than 5"):
        FactorModel.fit(real_like(5), 4)


def test_missing_values_are_refused() -> None:
    real = real_like()
    real.iloc[0, 0] = np.nan
    with pytest.raises(InputDataError, match="1 genes have a missing value"):
        FactorModel.fit(real, 3)


def test_shipped_cohort_is_small_synthetic_and_says_so(cohort, clinical) -> None:
    assert (DEMO / "cohort_expression.parquet").stat().st_size <= 600_000
    assert "These 300 patients do not exist" in (DEMO / "cohort.md").read_text(encoding="utf-8")
    assert list(cohort.index) == [f"SYN-{number:04d}" for number in range(1, 301)]
    assert list(clinical.index) == list(cohort.index)


def test_shipped_cohort_has_the_biomarkers_and_the_units_of_expression(cohort) -> None:
    named = {"TFF1", "SLFN11", "MGMT", "OPALIN", "LTF", "IL2RA", "SLC17A7", "ABCB1"}
    assert named <= set(cohort.columns)
    assert set(cohort.dtypes) == {np.dtype(np.float32)}
    assert cohort.to_numpy().min() >= 0
    assert cohort.to_numpy().max() < 20


def test_shipped_cohort_holds_the_planted_effects(cohort, clinical) -> None:
    # planted and stated in cohort.md: hazard × 1.5 per SD of TFF1; stage II 1.8, III 2.6, IV 4.0
    outcome = SurvivalOutcome(clinical["os_time_days"].astype(float), clinical["os_event"] == 1)
    ratio = cox_per_sd(outcome, cohort["TFF1"].astype(float))
    assert ratio.lower < 1.5 < ratio.upper
    assert ratio.p_value < 0.01
    assert log_rank(outcome, group_by_category(clinical["stage_simple"])).p_value < 1e-4


@pytest.mark.data
def test_clinical_columns_are_named_as_in_the_real_table(data, clinical) -> None:
    import pyarrow.parquet as pq

    real = set(pq.read_schema(data / "tcga" / "clinical.parquet").names)
    assert {*clinical.columns, "patient"} <= real


def nearest(one: np.ndarray, other: np.ndarray, *, same: bool = False) -> np.ndarray:
    """Return for each row of `one` its highest correlation with a row of `other`."""
    correlation = np.corrcoef(one, other)[: len(one), len(one) :]
    if same:
        np.fill_diagonal(correlation, -1.0)
    return correlation.max(axis=1)


@pytest.mark.data
def test_no_synthetic_patient_is_a_near_copy_of_a_real_one(data: Path, cohort) -> None:
    import pyarrow.parquet as pq

    path = data / "tcga" / "LUAD_expression.parquet"
    known = set(pq.read_schema(path).names)
    genes = [gene for gene in cohort.columns if gene in known]
    assert len(genes) > 600
    tumours = pd.read_parquet(path, columns=genes)
    mean, spread = tumours[genes].mean(), tumours[genes].std().clip(lower=0.1)
    real, synthetic = (
        ((table[genes] - mean) / spread).to_numpy(float) for table in (tumours, cohort)
    )
    between_real = nearest(real, real, same=True)
    to_real = nearest(synthetic, real)
    assert to_real.max() < between_real.max()
    for level in (0.25, 0.5, 0.75, 0.95):
        assert np.quantile(to_real, level) < np.quantile(between_real, level)
    assert to_real.max() < 0.9
