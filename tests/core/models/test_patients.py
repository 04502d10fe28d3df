"""Cohorts as models read them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.errors import ConfigError, InputDataError
from resvae_core.features.range_check import OUT_OF_RANGE
from resvae_core.models.base import CELL_LINES, TUMOURS
from resvae_core.models.model_set import NOT_ASSESSABLE, ModelSet
from resvae_core.models.patients import load_patients
from resvae_core.registry.store import load_model_set
from tests.core.synthetic_cohorts import N_ZSCORE_GENES, install_cohorts


@pytest.fixture(scope="module")
def model_set() -> ModelSet:
    return load_model_set()


@pytest.fixture(scope="module")
def folder(model_set: ModelSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_cohorts(tmp_path_factory.mktemp("cohorts"), model_set)


def test_a_genome_wide_cohort_is_read_as_it_is(folder: Path, model_set: ModelSet) -> None:
    patients = load_patients(folder, "luad", model_set)
    assert (patients.code, patients.aligned, patients.form, patients.note) == (
        *("LUAD", False, "log2tpm"),
        "",
    )
    assert patients.expression.genes == list(model_set.genes)
    genes = patients.expression.genes
    pd.testing.assert_frame_equal(patients.expression.values, patients.values[genes])
    assert patients.clinical.index.equals(patients.values.index)


def test_z_scores_are_put_on_the_references_scale_and_said_to_be(
    folder: Path, model_set: ModelSet
) -> None:
    patients = load_patients(folder, "STAD", model_set)
    assert (patients.aligned, patients.form) == (True, "zscore, aligned")
    assert len(patients.expression.genes) == N_ZSCORE_GENES
    assert f"{N_ZSCORE_GENES} of the 682 genes" in patients.note
    assert "level of the cohort is lost" in patients.note
    assert patients.values.to_numpy().min() < 0  # as installed
    tumours = model_set.references[TUMOURS]
    mean = pd.Series(tumours.moments.mean, list(tumours.genes))[patients.expression.genes]
    middle = patients.expression.values.median()
    assert np.abs(middle - mean).max() < 0.2
    order = patients.values[patients.expression.genes].rank()
    kept = patients.expression.values.rank().corrwith(order)
    assert kept.min() > 0.9  # a gene that is clipped at 0 has ties


def test_no_aligned_patient_gets_a_call(folder: Path, model_set: ModelSet) -> None:
    patients = load_patients(folder, "STAD", model_set)
    forecast = model_set.predict(patients.expression, drugs=["Cisplatin"], models=["ensemble"])
    assert set(forecast.table["range"]) == {OUT_OF_RANGE}
    assert set(forecast.table["call"]) == {NOT_ASSESSABLE}


def test_the_form_can_be_chosen(folder: Path, model_set: ModelSet) -> None:
    assert load_patients(folder, "LUAD", model_set, form="zscore").aligned
    with pytest.raises(InputDataError, match="STAD as log2tpm is not installed"):
        load_patients(folder, "STAD", model_set, form="log2tpm")


def test_the_synthetic_cohort_needs_no_folder(model_set: ModelSet) -> None:
    demo = load_patients(None, "DEMO", model_set)
    assert not demo.aligned
    assert "Synthetic" in demo.note


def test_z_scores_need_reference_tumours(folder: Path, model_set: ModelSet) -> None:
    without = replace(model_set, references={CELL_LINES: model_set.references[CELL_LINES]})
    with pytest.raises(ConfigError, match=r"STAD has z-scores.*no reference tumours"):
        load_patients(folder, "STAD", without)
