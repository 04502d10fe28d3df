"""What travels with the models: made by this code, of the installed set, and nobody's data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.config import models_folder
from resvae_core.data.transfer_drugs import TRANSFER_COHORTS, load_transfer_drugs
from resvae_core.evaluation import alignment, clinical_response, transfer
from resvae_core.explain import biomarkers, named_panel
from resvae_core.models.ranking import FIVE
from resvae_core.registry.evidence import EVIDENCE, TABLES, describe_evidence, load_evidence
from resvae_core.registry.evidence_needs import require_needs, tables_left_out
from resvae_core.survival.aggregate import CURVE_COLUMNS


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return {name: load_evidence(name) for name in TABLES}


def test_every_table_is_there_and_of_the_installed_set(tables) -> None:
    about = describe_evidence()
    assert tuple(about.cohorts) == TRANSFER_COHORTS
    files = {path.name for path in (models_folder() / EVIDENCE).iterdir()}
    assert files == {*about.digests, "evidence.json"}
    assert all(len(table) for table in tables.values())


def test_tables_have_the_columns_that_this_code_makes(tables) -> None:
    assert list(tables["transfer_tasks"]) == list(transfer.COLUMNS)
    assert set(clinical_response.COLUMNS) <= set(tables["clinical_response"])
    assert set(alignment.COLUMNS) <= set(tables["alignment"])
    assert list(tables["biomarkers"]) == list(biomarkers.COLUMNS)
    assert list(tables["named_panel"]) == list(named_panel.COLUMNS)
    assert set(CURVE_COLUMNS) <= set(tables["survival_curves"])


def test_there_are_180_tasks_and_every_drug_is_there_for_every_model(tables) -> None:
    tasks = tables["transfer_tasks"]
    assert tasks["task"].sum() == 180
    for code, drugs in load_transfer_drugs().items():
        rows = tasks[tasks["cohort"] == code]
        assert set(rows["drug"]) == {entry.drug for entry in drugs}
        assert (rows.groupby("drug")["model"].nunique() == len(FIVE) + 2).all()


def test_responses_are_within_one_cancer_and_drug_with_floors_and_ridge(tables) -> None:
    rows = tables["clinical_response"]
    pairs = rows.drop_duplicates(["cohort", "drug"])
    assert len(pairs) >= 8
    assert rows["n"].min() >= 20
    for _, pair in rows.groupby(["cohort", "drug"]):
        assert {"ensemble", "plain_ridge", "drug_tissue_mean", *FIVE} <= set(pair["model"])


def test_survival_points_are_shared_by_the_genes_and_rounded(tables) -> None:
    curves = tables["survival_curves"]
    assert (curves["at_risk"] % 10 == 0).all()
    np.testing.assert_allclose(
        curves["survival"] * 100, (curves["survival"] * 100).round(), atol=1e-3
    )
    for _, cohort in curves.groupby("cohort"):
        longest = set(cohort["time_days"].round(2))
        for _, gene in cohort.groupby("gene"):
            times = set(gene["time_days"].round(2))
            assert times <= longest
            assert len(longest - {t for t in longest if t > max(times)} - times) == 0


def test_nothing_names_a_patient_and_no_group_is_under_ten(tables) -> None:
    for name, table in tables.items():
        for column in table.select_dtypes("object"):
            values = table[column].dropna().astype(str)
            assert not values.str.startswith("TCGA-").any(), (name, column)
        for column in {"n_patients", "smallest_group"} & set(table.columns):
            assert table[column].min() >= 10, (name, column)


def test_the_paper_s_genes_keep_their_verdict_by_the_stated_rule(tables) -> None:
    panel = tables["named_panel"]
    assert set(panel["gene"]) == {claim.gene for claim in named_panel.CLAIMS}
    for _, rows in panel.groupby("gene"):
        ensemble = rows[rows["model"] == "ensemble"].iloc[0]
        opposite = (ensemble["effect"] > 0) != (ensemble["claimed_direction"] == "resistant")
        if ensemble["q_value"] >= 0.05:
            assert ensemble["verdict"] == named_panel.NOT_CONFIRMED
        elif ensemble["verdict"] == named_panel.CONFIRMED:
            assert not opposite
        elif ensemble["verdict"] == named_panel.OPPOSITE:
            assert opposite


def test_nothing_is_left_out_of_it(tables) -> None:
    assert describe_evidence().left_out == {}
    assert set(tables) == set(TABLES)


@pytest.mark.data
def test_development_data_suffice_for_every_table(data: Path) -> None:
    require_needs(data, models_folder())
    assert tables_left_out(data) == {}
