"""Biomarkers of a synthetic cohort in which the truth is planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from resvae_core.errors import InputDataError
from resvae_core.explain.associations import false_discovery
from resvae_core.explain.biomarkers import (
    ASSOCIATED,
    ATTRIBUTED,
    COLUMNS,
    FALLS_WITH_PURITY,
    RECURRENT,
    biomarker_table,
    drug_class,
    recurrent,
    shipped_rows,
)
from resvae_core.explain.cohort_reading import ENSEMBLE, CohortReading, score_patients
from resvae_core.models.patients import load_patients
from resvae_core.registry.evidence import load_evidence
from resvae_core.registry.store import load_model_set

KINDS = ("vae_ll", "vae_ls", "vae_ld", "random_forest", "xgboost")
DRUGS = ["Cisplatin", "Paclitaxel", "Erlotinib", "Trametinib", "Olaparib"]
N_PATIENTS, N_PANEL, N_OTHERS, N_MEMBERS = 120, 40, 60, 5
PANEL = [f"P{number}" for number in range(N_PANEL)]
OTHERS = [f"G{number}" for number in range(N_OTHERS - 3)] + ["OPALIN", "CD3D", "COL1A1"]


def synthetic_reading(seed: int = 0) -> CohortReading:
    """Return a cohort where P0 and G0 make resistant to Cisplatin, P1 to every drug.

    G1 follows purity alone, which goes with resistance to every drug; G2 is never expressed.
    """
    rng = np.random.default_rng(seed)
    genes = [*PANEL, *OTHERS]
    values = pd.DataFrame(
        rng.normal(5, 1, (N_PATIENTS, len(genes))),
        index=[f"PATIENT-{number}" for number in range(N_PATIENTS)],
        columns=genes,
    )
    purity = rng.uniform(0.2, 0.95, N_PATIENTS)
    values["G1"] = -6 * purity + rng.normal(0, 0.5, N_PATIENTS)
    values["G2"] = 0.0
    general = values["P1"].to_numpy() + 3 * purity
    log_odds, slopes, members = {}, {}, {}
    noise = {kind: rng.normal(0, 0.3, (N_PATIENTS, len(DRUGS))) for kind in KINDS}
    for kind in KINDS:
        scores = pd.DataFrame(general[:, None] + noise[kind], values.index, DRUGS)
        scores["Cisplatin"] += (values["P0"] + values["G0"]) / 2
        log_odds[kind] = scores
    ensemble = sum(log_odds[kind] for kind in KINDS) / len(KINDS)
    for drug in DRUGS:
        slope = rng.normal(0, 0.01, (len(KINDS), N_PANEL))
        slope[:, 0] += 1.0 if drug == "Cisplatin" else 0.0
        slope[:, 1] += 1.0
        slopes[drug] = slope
        members[drug] = slope[:, None] + rng.normal(0, 0.001, (len(KINDS), N_MEMBERS, N_PANEL))
    return CohortReading(
        cohort="LUAD",
        values=values,
        log_odds={ENSEMBLE: ensemble, **log_odds},
        slopes=slopes,
        member_slopes=members,
        genes=(*PANEL, "NOT-MEASURED-HERE"),
        purity=purity,
    )


@pytest.fixture(scope="module")
def reading() -> CohortReading:
    whole = synthetic_reading()
    lacking = {
        drug: np.column_stack([slope, np.full(len(KINDS), np.nan)])
        for drug, slope in whole.slopes.items()
    }
    members = {
        drug: np.concatenate([slope, np.full((len(KINDS), N_MEMBERS, 1), np.nan)], axis=2)
        for drug, slope in whole.member_slopes.items()
    }
    return replace(whole, slopes=lacking, member_slopes=members)


@pytest.fixture(scope="module")
def table(reading: CohortReading) -> pd.DataFrame:
    return biomarker_table([reading])


def row_of(table: pd.DataFrame, gene: str, drug: str = "Cisplatin") -> pd.Series:
    found = table[(table["gene"] == gene) & (table["drug"] == drug)]
    assert len(found) == 1
    return found.iloc[0]


def test_every_gene_that_is_assessable_has_one_row_a_drug_and_one_kind(table) -> None:
    assert list(table.columns) == list(COLUMNS)
    assert not table.duplicated(["cohort", "drug", "gene"]).any()
    kinds = table.groupby("gene")["kind"].first()
    assert set(kinds[kinds == ATTRIBUTED].index) == set(PANEL)
    assert set(kinds[kinds == ASSOCIATED].index) == set(OTHERS) - {"G2"}
    assert set(table["drug"]) == set(DRUGS)
    assert table["stability"].isna().equals(table["kind"] == ASSOCIATED)


def test_an_attributed_effect_stands_with_its_range_over_the_models(reading, table) -> None:
    row = row_of(table, "P7", "Erlotinib")
    slopes = [float(reading.slopes["Erlotinib"][model, 7]) for model in range(5)]
    assert row["effect"] == pytest.approx(sum(slopes) / 5)
    assert (row["lower"], row["upper"]) == (min(slopes), max(slopes))
    assert row["n_models"] == 5
    attributed = table[table["kind"] == ATTRIBUTED]
    assert (attributed["lower"] <= attributed["effect"]).all()
    assert (attributed["effect"] <= attributed["upper"]).all()


@pytest.mark.parametrize("gene", ["P7", "G5"])
def test_correlations_of_both_kinds_match_scipy_pearsonr(reading, table, gene) -> None:
    row = row_of(table, gene, "Erlotinib")
    values, score = reading.values[gene], reading.log_odds[ENSEMBLE]["Erlotinib"]
    expected = stats.pearsonr(values, score)
    assert row["correlation"] == pytest.approx(expected.statistic)
    assert row["p_value"] == pytest.approx(expected.pvalue)
    given = {"purity": reading.purity, "general": reading.general(["Erlotinib"])[:, 0]}
    for name, covariate in given.items():
        left = [
            one - np.polyval(np.polyfit(covariate, one, 1), covariate) for one in (values, score)
        ]
        assert row[f"correlation_{name}"] == pytest.approx(stats.pearsonr(*left).statistic)


def test_the_correlation_of_an_associated_gene_is_its_effect(table) -> None:
    associated = table[table["kind"] == ASSOCIATED]
    assert associated["correlation"].equals(associated["effect"])


def test_attributions_that_models_share_by_chance_get_no_p_value(reading, table) -> None:
    rng = np.random.default_rng(3)
    slopes, by_t_test = {}, []
    for drug in DRUGS:  # noise that five models of the same labels have in common
        shared = rng.normal(0, 1, N_PANEL + 1)
        slopes[drug] = shared + rng.normal(0, 0.5, (len(KINDS), N_PANEL + 1))
        slopes[drug][:, -1] = np.nan
        by_t_test.append(stats.ttest_1samp(slopes[drug][:, :-1], 0).pvalue < 0.05)
    assert np.mean(by_t_test) > 0.4  # replicates would give 0.05
    noise = biomarker_table([replace(reading, slopes=slopes)])
    of_score = ["correlation", "p_value", "q_value", "q_purity", "q_general"]
    pd.testing.assert_frame_equal(noise[of_score], table[of_score])
    for row in noise[noise["kind"] == ATTRIBUTED].to_dict("records"):
        score = reading.log_odds[ENSEMBLE][row["drug"]]
        assert row["p_value"] == pytest.approx(
            stats.pearsonr(reading.values[row["gene"]], score)[1]
        )


def test_stability_is_unknown_where_no_member_has_a_slope(reading) -> None:
    members = {drug: slopes.copy() for drug, slopes in reading.member_slopes.items()}
    members["Cisplatin"][:, :, 7] = np.nan
    table = biomarker_table([replace(reading, member_slopes=members)])
    assert np.isnan(row_of(table, "P7")["stability"])
    assert row_of(table, "P0")["stability"] == 1
    assert row_of(table, "P7", "Erlotinib")["stability"] >= 0


def test_associated_effects_match_scipy_pearsonr(reading, table) -> None:
    row = row_of(table, "G5", "Paclitaxel")
    expected = stats.pearsonr(reading.values["G5"], reading.log_odds[ENSEMBLE]["Paclitaxel"])
    assert row["effect"] == pytest.approx(expected.statistic)
    assert row["p_value"] == pytest.approx(expected.pvalue)


def test_planted_genes_are_found_with_their_direction_and_every_vote(table) -> None:
    for gene in ("P0", "G0"):
        row = row_of(table, gene)
        assert row["direction"] == "resistant"
        assert row["q_value"] < 0.05
        assert row["votes"] == 5
        assert row["correlation_general"] > 0.3
        assert row["q_general"] < 0.001
    assert row_of(table, "P0")["stability"] == 1
    strongest = table[(table["drug"] == "Cisplatin") & (table["kind"] == ASSOCIATED)]
    assert strongest.loc[strongest["correlation_general"].abs().idxmax(), "gene"] == "G0"


def test_a_gene_that_follows_purity_loses_its_effect_given_purity(table) -> None:
    row = row_of(table, "G1", "Erlotinib")
    assert row["effect"] < -0.3
    assert row["q_value"] < 0.001
    assert abs(row["correlation_purity"]) < 0.25
    assert row["q_purity"] > 0.05
    assert FALLS_WITH_PURITY in row["flags"]
    assert FALLS_WITH_PURITY not in row_of(table, "G5")["flags"]


def test_a_gene_that_moves_every_drug_recurs_and_loses_its_effect_given_the_others(table) -> None:
    row = row_of(table, "P1", "Trametinib")
    assert RECURRENT in row["flags"]
    assert abs(row["correlation_general"]) < 0.25
    assert RECURRENT not in row_of(table, "P0")["flags"]


@pytest.mark.parametrize(
    ("gene", "flag"), [("OPALIN", "normal tissue"), ("CD3D", "immune"), ("COL1A1", "stroma")]
)
def test_markers_of_other_cells_are_flagged(table, gene, flag) -> None:
    assert row_of(table, gene)["flags"].split("; ") == [flag]


def test_q_is_benjamini_hochberg_over_the_whole_grid_of_a_kind(reading) -> None:
    other = replace(synthetic_reading(seed=1), cohort="GBM", purity=np.full(N_PATIENTS, np.nan))
    both = biomarker_table([reading, other])
    for kind in (ATTRIBUTED, ASSOCIATED):
        rows = both[both["kind"] == kind]
        assert rows["q_value"].to_numpy() == pytest.approx(false_discovery(rows["p_value"]))
    without = both[both["cohort"] == "GBM"]
    assert without[["correlation_purity", "q_purity"]].isna().all(axis=None)
    assert (without["n_purity"] == 0).all()
    assert (both.loc[both["cohort"] == "LUAD", "n_purity"] == N_PATIENTS).all()
    assert without["q_general"].notna().all()
    assert not without["flags"].str.contains(FALLS_WITH_PURITY).any()


def test_patients_and_genes_in_another_order_change_nothing(reading, table) -> None:
    patients = np.random.default_rng(1).permutation(N_PATIENTS)
    names = reading.values.index[patients]
    shuffled = replace(
        reading,
        values=reading.values.loc[names].sample(frac=1, axis="columns", random_state=2),
        log_odds={kind: scores.loc[names] for kind, scores in reading.log_odds.items()},
        purity=reading.purity[patients],
    )
    key = ["cohort", "drug", "gene"]
    again = biomarker_table([shuffled]).set_index(key).loc[table.set_index(key).index]
    pd.testing.assert_frame_equal(again.reset_index(), table[again.reset_index().columns])


def test_models_that_disagree_have_a_range_on_both_sides_and_fewer_votes(reading) -> None:
    slopes = {drug: slope.copy() for drug, slope in reading.slopes.items()}
    slopes["Cisplatin"][:, 0] = [1.0, -0.9, 0.8, -0.7, 0.1]
    row = row_of(biomarker_table([replace(reading, slopes=slopes)]), "P0")
    assert (row["lower"], row["upper"]) == (-0.9, 1.0)
    assert row["votes"] < 5


def test_shipped_rows_hold_the_panel_the_strongest_and_the_named(table) -> None:
    kept = shipped_rows(table, n_strongest=5, always=("OPALIN",))
    attributed = kept[kept["kind"] == ATTRIBUTED]
    assert len(attributed) == N_PANEL * len(DRUGS)
    for drug in DRUGS:
        everything = table[(table["drug"] == drug) & (table["kind"] == ASSOCIATED)]
        strongest = everything.loc[everything["effect"].abs().nlargest(5).index, "gene"]
        rows = kept[(kept["drug"] == drug) & (kept["kind"] == ASSOCIATED)]
        assert set(rows["gene"]) == {*strongest, "OPALIN"}
    pairs = ["drug", "gene"]
    same = table.merge(kept[pairs], on=pairs)
    pd.testing.assert_frame_equal(same, kept)


def test_recurrence_counts_classes_and_not_drugs() -> None:
    drugs = ["Gefitinib", "Erlotinib", "Afatinib", "Lapatinib"]
    assert {drug_class(drug) for drug in drugs} == {"EGFR signaling"}
    effect = np.zeros((4, 40))
    effect[:, 3] = 1
    assert not recurrent(effect, drugs).any()
    found = recurrent(effect, ["Gefitinib", "Cisplatin", "Paclitaxel", "Trametinib"])
    assert np.flatnonzero(found).tolist() == [3]


@pytest.mark.data
def test_shipped_associations_are_those_of_the_real_cohort(data: Path) -> None:
    model_set = load_model_set()
    drug = "Temozolomide"
    scored = score_patients(model_set, load_patients(data, "GBM", model_set))
    unknown = np.full((len(KINDS), len(scored.genes)), np.nan)
    whole = replace(
        scored, slopes={drug: unknown}, member_slopes={drug: unknown[:, None].repeat(5, axis=1)}
    )
    found = biomarker_table([whole]).set_index("gene")
    shipped = load_evidence("biomarkers").query("cohort == 'GBM' and drug == @drug")
    shipped = shipped[shipped["kind"] == ASSOCIATED].set_index("gene")
    assert len(shipped) >= 300
    found = found.loc[shipped.index]
    assert (found["votes"] == shipped["votes"]).mean() > 0.99
    for column in ("effect", "lower", "correlation_purity", "correlation_general"):
        assert found[column].to_numpy() == pytest.approx(shipped[column].to_numpy(), abs=1e-3)


def test_no_cohort_is_refused() -> None:
    with pytest.raises(InputDataError, match="no cohort to look at"):
        biomarker_table([])


def test_a_cohort_of_nine_is_refused(reading) -> None:
    few = replace(
        reading,
        values=reading.values.iloc[:9],
        log_odds={kind: scores.iloc[:9] for kind, scores in reading.log_odds.items()},
        purity=reading.purity[:9],
    )
    with pytest.raises(InputDataError, match="at least 10 are required"):
        biomarker_table([few])
