"""Published survival data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from resvae_core.survival import Groups, group_by_category
from resvae_core.tables import SurvivalOutcome

REFERENCE = Path(__file__).parents[2] / "reference"


def read_reference(name: str) -> tuple[SurvivalOutcome, Groups]:
    table = pd.read_csv(REFERENCE / f"{name}.csv", index_col="patient")
    outcome = SurvivalOutcome(table["time"].astype(float), table["event"] == 1)
    return outcome, group_by_category(table["group"])


@pytest.fixture
def aml() -> tuple[SurvivalOutcome, Groups]:
    return read_reference("aml")


@pytest.fixture
def gehan() -> tuple[SurvivalOutcome, Groups]:
    return read_reference("gehan")


@pytest.fixture
def lung() -> pd.DataFrame:
    from lifelines.datasets import load_lung

    table = load_lung()
    return table.set_axis([f"P{number:03d}" for number in range(len(table))], axis=0)


@pytest.fixture
def lung_outcome(lung: pd.DataFrame) -> SurvivalOutcome:
    return SurvivalOutcome(lung["time"].astype(float), lung["status"] == 1)
