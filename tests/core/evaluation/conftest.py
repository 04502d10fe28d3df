"""The shipped models, a folder of synthetic cohorts that they can read, and synthetic lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.screens import TrainingSet
from resvae_core.models.base import CELL_LINES
from resvae_core.models.model_set import ModelSet
from resvae_core.registry.store import load_model_set
from resvae_core.tables import Expression, Screen
from tests.core.synthetic_cohorts import install_cohorts

N_LINES = 60


@pytest.fixture(scope="package")
def shipped() -> ModelSet:
    return load_model_set()


@pytest.fixture(scope="package")
def installed(shipped: ModelSet, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return install_cohorts(tmp_path_factory.mktemp("cohorts"), shipped)


@pytest.fixture(scope="package")
def lines(shipped: ModelSet) -> TrainingSet:
    """Synthetic lines of two cancer types: ln IC50 of every drug follows the first gene."""
    rng = np.random.default_rng(11)
    reference = shipped.references[CELL_LINES]
    mean, sd = reference.moments.mean, reference.moments.sd
    values = np.maximum(mean + sd * rng.normal(size=(N_LINES, len(mean))), 0).astype(np.float32)
    names = [f"LINE-{number:02d}" for number in range(N_LINES)]
    expression = pd.DataFrame(values, index=names, columns=list(reference.genes))
    ln_ic50 = pd.DataFrame(
        values[:, :1] + rng.normal(0, 0.1, (N_LINES, len(shipped.drugs))),
        index=names,
        columns=list(shipped.drugs),
    ).mask(rng.random((N_LINES, len(shipped.drugs))) < 0.2)
    resistant = ln_ic50.gt(ln_ic50.median()).astype(float).where(ln_ic50.notna())
    tissue = pd.Series(["LUAD", "STAD"] * (N_LINES // 2), index=names)
    screen = Screen(ln_ic50, resistant, tissue)
    return TrainingSet(Expression(expression), screen, {}, pd.DataFrame())
