"""The transfer table on synthetic cohorts, and one real cohort where the data are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.data.screens import TrainingSet
from resvae_core.data.transfer_drugs import TRANSFER_COHORTS, load_transfer_drugs
from resvae_core.evaluation import transfer
from resvae_core.evaluation.transfer import (
    COLUMNS,
    KEYS,
    TASK_MODELS,
    Reading,
    clear_majority,
    member_stability,
    read_cohort,
    table_differences,
    transfer_cohort,
    transfer_table,
)
from resvae_core.models.base import CELL_LINES
from resvae_core.models.model_set import RESISTANT, SENSITIVE, ModelSet
from resvae_core.models.patients import load_patients
from resvae_core.models.ranking import FIVE
from resvae_core.tables import Expression

DRUGS = ["Cisplatin", "Gefitinib"]


@pytest.fixture(scope="module")
def table(installed: Path, shipped: ModelSet, lines: TrainingSet) -> pd.DataFrame:
    """Return the rows of one genome-wide cohort and one that was measured as z-scores."""
    cohorts = [load_patients(installed, code, shipped) for code in ("LUAD", "STAD")]
    parts = [transfer_cohort(one, DRUGS, shipped, lines.screen) for one in cohorts]
    return pd.concat(parts, ignore_index=True)


def test_five_cancers_nine_drugs_and_four_models_are_180_tasks() -> None:
    n_drugs = sum(len(load_transfer_drugs()[code]) for code in TRANSFER_COHORTS)
    assert n_drugs * len(TASK_MODELS) == 180


def test_one_row_a_cohort_drug_and_learned_model(table: pd.DataFrame, shipped: ModelSet) -> None:
    assert list(table.columns) == COLUMNS
    assert not table.duplicated(KEYS).any()
    assert len(table) == 2 * len(DRUGS) * len(shipped.learned)
    assert set(table.loc[table["task"], "model"]) == set(TASK_MODELS)
    assert table.groupby("cohort")["form"].first().to_dict() == {
        "LUAD": "log2tpm",
        "STAD": "zscore, aligned",
    }


def test_numbers_are_those_of_the_forecast(
    table: pd.DataFrame, installed: Path, shipped: ModelSet, lines: TrainingSet
) -> None:
    patients = load_patients(installed, "LUAD", shipped)
    forecast = shipped.predict(patients.expression, cancer_type="LUAD", drugs=DRUGS)
    rows = forecast.table[forecast.table["drug"] == "Cisplatin"]
    found = table.set_index(KEYS).sort_index().loc[("LUAD", "Cisplatin")]
    for kind in shipped.learned:
        probability = rows.loc[rows["model"] == kind, "probability"]
        quantiles = np.quantile(probability, [0.1, 0.25, 0.5, 0.75, 0.9])
        shown = found.loc[kind, ["q10", "q25", "median", "q75", "q90"]].to_numpy(float)
        assert shown == pytest.approx(quantiles, abs=1e-6)
    ranges = forecast.ranges["range"]
    assert found["in_range_share"].unique() == [(ranges == "in range").mean()]
    assert found["borderline_share"].unique() == [(ranges == "borderline").mean()]
    floor = rows.loc[rows["model"] == "drug_tissue_mean", "probability"]
    assert found["floor"].unique() == pytest.approx(floor.unique())
    luad = (lines.screen.tissue == "LUAD").to_numpy()
    measured = lines.screen.resistant.loc[luad, "Cisplatin"].dropna()
    assert found["line_share_resistant"].unique() == [measured.mean()]


def test_the_interval_rule_is_that_of_the_calls(
    table: pd.DataFrame, installed: Path, shipped: ModelSet
) -> None:
    patients = load_patients(installed, "LUAD", shipped)
    forecast = shipped.predict(patients.expression, drugs=DRUGS, models=["vae_ld"])
    inside = forecast.table[forecast.table["range"] == "in range"]
    names = inside["sample"].unique().tolist()
    readings, _ = read_cohort(shipped, patients.expression.select(names), "LUAD", DRUGS)
    reading = readings["vae_ld"]
    calls = inside.pivot(index="sample", columns="drug", values="call").loc[names, DRUGS].to_numpy()
    assert len(names) > 5
    assert np.array_equal(reading.resistant, calls == RESISTANT)
    assert np.array_equal(reading.sensitive, calls == SENSITIVE)
    shares = table[["share_resistant", "share_sensitive", "share_uncertain"]]
    assert shares.sum(axis=1).to_numpy() == pytest.approx(1)
    assert shares.to_numpy().min() >= -1e-12


def test_without_alignment_patients_are_read_as_cell_lines(
    table: pd.DataFrame, installed: Path, shipped: ModelSet
) -> None:
    patients = load_patients(installed, "LUAD", shipped)
    forecast = shipped.predict(
        patients.expression, drugs=["Cisplatin"], models=["xgboost"], reference=CELL_LINES
    )
    row = table.set_index(KEYS).loc[("LUAD", "Cisplatin", "xgboost")]
    assert row["median_unaligned"] == pytest.approx(forecast.table["probability"].median())
    z_scores = table[table["cohort"] == "STAD"]
    unaligned = ["median_unaligned", "share_resistant_unaligned", "spearman_unaligned"]
    assert z_scores[unaligned].isna().all(axis=None)
    assert (z_scores[["in_range_share", "borderline_share"]] == 0).all(axis=None)
    assert table.drop(columns=unaligned).notna().all(axis=None)


def test_correlations_are_correlations(table: pd.DataFrame) -> None:
    names = ["spearman_ensemble", "stability_members"]
    assert table[names].abs().to_numpy().max() <= 1 + 1e-12
    assert (table.loc[table["model"] == "ensemble", "spearman_ensemble"] == 1).all()
    assert (table["agreement"].between(0, 1)).all()
    assert (table.groupby(["cohort", "drug"])["agreement"].nunique() == 1).all()


def test_stability_is_the_mean_over_pairs_of_members(installed: Path, shipped: ModelSet) -> None:
    expression = load_patients(installed, "LUAD", shipped).expression
    model = shipped.models["elastic_net"]
    members = model.score_members(shipped.samples(expression))
    column = shipped.drugs.index("Gefitinib")
    scores = pd.DataFrame(members[:, :, column].T)
    expected = scores.corr(method="spearman").to_numpy()[np.triu_indices(5, 1)].mean()
    found = member_stability(shipped, expression, DRUGS)
    assert found["elastic_net"][1] == pytest.approx(expected)


def test_the_same_table_twice_and_for_any_order_of_patients(
    table: pd.DataFrame, installed: Path, shipped: ModelSet, lines: TrainingSet
) -> None:
    patients = load_patients(installed, "LUAD", shipped)
    turned = replace(patients, expression=Expression(patients.expression.values.iloc[::-1]))
    again = transfer_cohort(turned, DRUGS, shipped, lines.screen)
    first = table[table["cohort"] == "LUAD"]
    assert table_differences(again, first)["difference"].max() < 1e-6


def reading(probability: float) -> Reading:
    value = np.array([[probability]])
    return Reading(value, value, value, threshold=0.7)


@pytest.mark.parametrize(("n_resistant", "together"), [(5, 1), (4, 1), (3, 0), (2, 0), (1, 1)])
def test_four_of_five_that_lean_one_way_agree(n_resistant: int, together: float) -> None:
    five = {kind: reading(0.7 if at < n_resistant else 0.69) for at, kind in enumerate(FIVE)}
    assert clear_majority(five).tolist() == [together]
    assert np.isnan(clear_majority({"xgboost": reading(0.9)})).all()


def test_every_cohort_is_announced(
    installed: Path, shipped: ModelSet, lines: TrainingSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer, "load_training_set", lambda folder: lines)
    steps: list[tuple[str, int, int]] = []
    found = transfer_table(
        installed, shipped, cohorts=["STAD"], progress=lambda *step: steps.append(step)
    )
    assert steps == [("STAD", 0, 1), ("", 1, 1)]
    assert len(found) == 9 * len(shipped.learned)


def test_differences_are_found_wherever_they_are(table: pd.DataFrame) -> None:
    assert table_differences(table, table)["difference"].max() == 0
    other = table.copy()
    other.loc[3, "median"] += 0.01
    other.loc[5, "floor"] = np.nan
    gaps = table_differences(table, other)
    assert gaps["difference"].head(2).to_list() == [np.inf, pytest.approx(0.01)]
    assert gaps["column"].head(2).to_list() == ["floor", "median"]
    assert gaps["difference"].iloc[2] == 0
    missing = table_differences(table, table.iloc[1:])
    assert np.isinf(missing["difference"]).sum() > 10


@pytest.mark.data
def test_a_real_cohort_has_its_size_and_nobody_in_range(data: Path, shipped: ModelSet) -> None:
    found = transfer_table(data, shipped, cohorts=["PAAD"])
    assert set(found["n_patients"]) == {166}
    assert set(found["in_range_share"]) == {0.0}
    assert found["floor"].between(0, 1).all()
