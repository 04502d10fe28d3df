"""What the z-score path leaves of the direct reading."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from resvae_core.evaluation.alignment import (
    CELL_LINE_PATH,
    PATHS,
    alignment_effect,
    compare_paths,
    read_paths,
)
from resvae_core.models.model_set import ModelSet
from resvae_core.models.patients import load_patients


def test_every_path_and_model_is_compared(installed: Path, shipped: ModelSet) -> None:
    steps: list[tuple[str, int, int]] = []
    table = alignment_effect(
        installed, shipped, cohorts=["LUAD"], progress=lambda *step: steps.append(step)
    )
    assert steps[-1] == ("", 1, 1)
    assert table["path"].drop_duplicates().tolist() == list(PATHS)
    assert len(table) == len(PATHS) * len(shipped.learned)
    assert table["spearman"].abs().max() <= 1
    genes = table.groupby("path")["n_genes"].first()
    assert (genes[CELL_LINE_PATH], genes["own z, all genes"]) == (682, 682)
    assert genes["z-scores, normal scores"] == 418
    assert set(table["n_patients"]) == {40}


def test_a_path_that_changes_nothing_is_found_to_change_nothing(
    installed: Path, shipped: ModelSet
) -> None:
    direct = load_patients(installed, "LUAD", shipped).expression
    table = compare_paths(shipped, "LUAD", direct, {"none": direct})
    assert (table["spearman"] == 1).all()
    assert (table[["mean_shift", "calls_changed"]] == 0).all(axis=None)


def test_paths_list_the_same_patients_in_the_same_order(installed: Path, shipped: ModelSet) -> None:
    direct, paths = read_paths(installed, "LUAD", shipped)
    assert list(paths) == list(PATHS)
    assert all(one.samples == direct.samples for one in paths.values())
    # the order of patients within a gene is what ranks keep, whatever the scale it came on
    linear, own = paths["z-scores, normal scores"].values, paths["own ranks, fewer genes"].values
    np.testing.assert_allclose(linear[own.columns], own, atol=1e-4)


@pytest.mark.data
def test_normal_scores_keep_more_of_the_direct_reading_than_moments(
    data: Path, shipped: ModelSet
) -> None:
    table = alignment_effect(data, shipped, cohorts=["GBM"]).set_index(["path", "model"])
    kept = table["spearman"]
    assert kept["z-scores, normal scores", "ensemble"] > kept["z-scores, moments", "ensemble"]
    assert kept["z-scores, normal scores", "ensemble"] == pytest.approx(0.80, abs=0.03)
