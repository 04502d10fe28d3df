"""Unlabelled profiles: every source once, no patient twice, genes that nearly all lines have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.pretraining_profiles import (
    PretrainingProfiles,
    ProfileGroup,
    load_profiles,
)
from resvae_core.data.screens import MISASSIGNED_LINES, load_training_set
from resvae_core.errors import InputDataError


@pytest.fixture(scope="module")
def profiles(data: Path) -> PretrainingProfiles:
    return load_profiles(data)


def write_development_data(folder: Path, *, with_tumours: bool) -> None:
    """Write lines and two cohorts, one of them in both forms."""
    (folder / "gdsc").mkdir()
    (folder / "tcga").mkdir()
    rng = np.random.default_rng(0)

    def table(names: list[str], genes: list[str]) -> pd.DataFrame:
        return pd.DataFrame(rng.random((len(names), len(genes))), names, genes)

    lines = table(["ACH-1", "ACH-2", *MISASSIGNED_LINES], ["TP53", "EGFR", "KRAS"])
    lines.loc["ACH-1", "KRAS"] = np.nan
    lines.to_parquet(folder / "gdsc/expression_merged.parquet")
    clinical = pd.DataFrame({"patient": ["A", "B"], "cohort": ["LUAD", "BRCA"]})
    clinical.to_parquet(folder / "tcga/clinical.parquet")
    if with_tumours:
        table(["A"], ["EGFR", "TP53", "MYC"]).to_parquet(folder / "tcga/LUAD_expression.parquet")
        table(["A"], ["EGFR"]).to_parquet(folder / "tcga/LUAD_expression_zscore.parquet")
        table(["B"], ["EGFR"]).to_parquet(folder / "tcga/BRCA_expression_zscore.parquet")


def test_every_source_is_read_once_in_its_best_form(tmp_path: Path) -> None:
    write_development_data(tmp_path, with_tumours=True)
    found = load_profiles(tmp_path)
    assert found.genes == ("EGFR", "TP53")  # KRAS is measured in half of the lines
    assert [(g.name, g.form, len(g.values)) for g in found.groups] == [
        ("cell_lines", "log2tpm", 2),
        ("LUAD", "log2tpm", 1),
        ("BRCA", "zscore", 1),
    ]
    assert found.groups[2].values["TP53"].isna().all()
    assert found.n_profiles == 4
    with pytest.raises(InputDataError, match="No group of profiles is called 'SKCM'"):
        found.group("SKCM")


def test_genes_can_be_asked_for(tmp_path: Path) -> None:
    write_development_data(tmp_path, with_tumours=True)
    assert load_profiles(tmp_path, ["MYC", "KRAS"]).genes == ("KRAS", "MYC")


def test_without_tumours_there_is_nothing_to_pretrain_on(tmp_path: Path) -> None:
    write_development_data(tmp_path, with_tumours=False)
    with pytest.raises(InputDataError, match="No tumour cohort is installed"):
        load_profiles(tmp_path)


def test_digest_follows_names_and_values() -> None:
    values = pd.DataFrame([[1.0, 2.0]], ["S"], ["A", "B"]).astype(np.float32)
    group = ProfileGroup("LUAD", "log2tpm", values)
    assert group.digest() == ProfileGroup("LUAD", "log2tpm", values.copy()).digest()
    others = (values + 1, values.rename(index={"S": "T"}), values.rename(columns={"A": "C"}))
    assert all(ProfileGroup("LUAD", "log2tpm", v).digest() != group.digest() for v in others)


def test_profiles_without_some_samples(tmp_path: Path) -> None:
    write_development_data(tmp_path, with_tumours=True)
    left = load_profiles(tmp_path).without(["ACH-1", "A"])
    assert [(g.name, len(g.values)) for g in left.groups] == [("cell_lines", 1), ("BRCA", 1)]


def test_development_data(profiles: PretrainingProfiles) -> None:
    assert len(profiles.genes) == 779
    sizes = {group.name: len(group.values) for group in profiles.groups}
    assert sizes["cell_lines"] == 668
    assert sizes["LUAD"] + sizes["GBM"] + sizes["READ"] == 751
    assert profiles.n_profiles == 5774
    names = [name for group in profiles.groups for name in group.values.index]
    assert len(names) == len(set(names))


def test_lines_carry_the_expression_that_models_are_trained_on(
    profiles: PretrainingProfiles, data: Path
) -> None:
    panel = load_training_set(data).expression.values
    lines = profiles.group("cell_lines").values
    shared = [gene for gene in panel.columns if gene in lines.columns]
    assert len(shared) == 682
    np.testing.assert_allclose(lines.loc[panel.index, shared], panel[shared], atol=1e-5)
