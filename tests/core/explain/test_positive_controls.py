"""Positive controls on synthetic lines where each is planted or not, and on the real lines."""

from __future__ import annotations

import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from resvae_core.data.screens import TrainingSet, load_training_set
from resvae_core.errors import InputDataError
from resvae_core.explain import positive_controls as controls
from resvae_core.explain.attribution import Parts
from resvae_core.explain.positive_controls import (
    ASSOCIATION,
    ATTRIBUTION,
    COLUMNS,
    CONTROLS,
    MERGED_FILE,
    MUTATION,
    MUTATION_FILE,
    WITHIN_TISSUE,
    best_by_kind,
    passed_pairs,
    positive_controls,
)
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.model_set import ModelSet
from resvae_core.tables import Expression, Screen

N_LINES = 120
PANEL = ["EGFR", "ERBB2", "BRAF", "TP53", "MDM2", "BCL2", "RB1", "CDKN2A", "MGMT"]
PANEL += [f"PANEL-{number}" for number in range(51)]
DRUGS = list(dict.fromkeys(control.drug for control in CONTROLS))
N_MERGED = 60
"""Lines on which the genes outside the panel are measured."""


@pytest.fixture(scope="module")
def lines() -> dict[str, Any]:
    """BCL2 and SLFN11 make sensitive; EGFR the wrong way; ERBB2 in breast alone; BRAF mutated."""
    rng = np.random.default_rng(7)
    names = pd.Index([f"ACH-{number:06d}" for number in range(N_LINES)])
    tissue = pd.Series(rng.choice(["LUAD", "BRCA", "GBM"], N_LINES), index=names)
    panel = pd.DataFrame(rng.uniform(0, 9, (N_LINES, len(PANEL))), names, PANEL).astype(np.float32)
    others = pd.DataFrame(
        rng.uniform(0, 9, (N_LINES, 20)), names, [f"OTHER-{n}" for n in range(20)]
    )
    others["SLFN11"] = rng.uniform(0, 9, N_LINES)
    others.iloc[N_MERGED:] = np.nan
    mutated = pd.DataFrame(
        rng.random((N_LINES, 30)) < 0.2, columns=[f"PANEL-{n}" for n in range(30)]
    )
    mutated["BRAF"] = rng.random(N_LINES) < 0.15
    mutated["TP53"] = np.arange(N_LINES) < 5
    noise = rng.normal(0, 1, (N_LINES, len(DRUGS)))
    ln_ic50 = pd.DataFrame(noise, names, DRUGS)
    ln_ic50["Venetoclax"] -= panel["BCL2"]
    ln_ic50["Gefitinib"] += panel["EGFR"]
    ln_ic50["Lapatinib"] -= panel["ERBB2"] * np.where(tissue == "BRCA", 2, -1)
    ln_ic50["Dabrafenib"] -= 3 * mutated["BRAF"].to_numpy()
    ln_ic50["Topotecan"] -= others["SLFN11"].fillna(0)
    ln_ic50.iloc[::7, 0] = np.nan
    merged = pd.concat([panel, others], axis=1)
    return {
        **{"tissue": tissue, "panel": panel, "merged": merged},
        **{"mutated": mutated.set_axis(range(1000, 1000 + N_LINES)), "ln_ic50": ln_ic50},
    }


@pytest.fixture(scope="module")
def folder(lines: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lines")
    (folder / "gdsc").mkdir()
    lines["merged"].to_parquet(folder / MERGED_FILE)
    lines["mutated"].astype(float).rename_axis("cosmic_id").to_parquet(folder / MUTATION_FILE)
    return folder


@pytest.fixture
def table(lines: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch) -> pd.DataFrame:
    names = lines["panel"].index
    ids = pd.DataFrame({"cosmic_id": range(1000, 1000 + N_LINES)}, index=names)
    monkeypatch.setattr(controls, "read_lines", lambda folder: ids)
    monkeypatch.setattr(controls, "matrices_of_set", attributions)
    ln_ic50 = lines["ln_ic50"]
    labels = (ln_ic50 > 0).astype(float).where(ln_ic50.notna())
    screen = Screen(ln_ic50, labels, lines["tissue"])
    training_set = TrainingSet(Expression(lines["panel"]), screen, {}, pd.DataFrame())
    model_set = SimpleNamespace(
        genes=tuple(PANEL),
        learned=[*Ensemble.needs, "elastic_net", Ensemble.kind],
        samples=lambda expression, reference: expression.values,
    )
    return positive_controls(model_set, training_set, folder)


def attributions(model_set, samples, drugs, *, kinds, progress) -> dict[tuple[str, str], Parts]:
    """Attribute to BCL2 what makes sensitive, in every model but one, and little to the others."""
    centred = samples.to_numpy(float) - samples.to_numpy(float).mean(axis=0)
    found = {}
    for kind in kinds:
        weights = np.linspace(0.01, 0.02, len(PANEL))
        weights[PANEL.index("BCL2")] = 1.0 if kind == "xgboost" else -1.0
        nothing = np.zeros(len(centred))
        found |= {(kind, drug): Parts(centred * weights, nothing, nothing) for drug in drugs}
    return found


def row_of(table: pd.DataFrame, drug: str, gene: str, measure: str, model: str = "") -> pd.Series:
    chosen = (table["drug"] == drug) & (table["gene"] == gene) & (table["measure"] == measure)
    rows = table[chosen & (table["model"] == model)]
    assert len(rows) == 1
    return rows.iloc[0]


def test_every_control_is_listed_in_order(table: pd.DataFrame) -> None:
    assert list(table.columns) == list(COLUMNS)
    pairs = table[["drug", "gene"]].drop_duplicates()
    expected = [(control.drug, control.gene) for control in CONTROLS]
    assert list(pairs.itertuples(index=False, name=None)) == expected
    assert len(expected) == 21


def test_a_gene_that_is_not_measured_says_so(table: pd.DataFrame) -> None:
    rows = table[table["gene"] == "ABCB1"]
    assert set(rows["why_not_assessable"]) == {"ABCB1 is not measured"}
    assert not rows["passes"].any()
    assert rows["rank"].isna().all()


def test_association_matches_scipy_spearmanr(table: pd.DataFrame, lines: dict[str, Any]) -> None:
    row = row_of(table, "Gefitinib", "EGFR", ASSOCIATION)
    response = lines["ln_ic50"]["Gefitinib"].dropna()
    values = lines["panel"].loc[response.index]
    rho = {gene: stats.spearmanr(values[gene], response).statistic for gene in PANEL}
    assert row["effect"] == pytest.approx(rho["EGFR"])
    assert row["rank"] == 1 + sum(abs(one) > abs(rho["EGFR"]) for one in rho.values())
    assert (row["n_genes"], row["n_lines"]) == (len(PANEL), len(response))
    assert row["rank"] == 1
    assert not row["passes"]  # the strongest of all, in the wrong direction


def test_planted_pairs_pass_and_others_do_not(table: pd.DataFrame) -> None:
    assert row_of(table, "Venetoclax", "BCL2", ASSOCIATION)["passes"]
    assert row_of(table, "Topotecan", "SLFN11", ASSOCIATION)["passes"]
    assert row_of(table, "Dabrafenib", "BRAF", MUTATION)["passes"]
    assert not row_of(table, "Dabrafenib", "BRAF", ASSOCIATION)["passes"]
    assert not row_of(table, "PLX-4720", "BRAF", MUTATION)["passes"]


def test_a_pair_of_one_tissue_is_found_there(table: pd.DataFrame) -> None:
    assert not row_of(table, "Lapatinib", "ERBB2", ASSOCIATION)["passes"]
    here = row_of(table, "Lapatinib", "ERBB2", "association in BRCA")
    assert here["passes"]
    assert here["n_lines"] < N_LINES / 2


def test_within_tissue_takes_the_tissues_level_away(
    table: pd.DataFrame, lines: dict[str, Any]
) -> None:
    row = row_of(table, "Venetoclax", "BCL2", WITHIN_TISSUE)
    ranks = pd.DataFrame(
        {"gene": lines["panel"]["BCL2"].rank(), "drug": lines["ln_ic50"]["Venetoclax"].rank()}
    )
    left = ranks - ranks.groupby(lines["tissue"]).transform("mean")
    assert row["effect"] == pytest.approx(stats.pearsonr(left["gene"], left["drug"]).statistic)


def test_genes_outside_the_panel_are_ranked_on_the_lines_that_have_them(
    table: pd.DataFrame,
) -> None:
    row = row_of(table, "Irinotecan", "SLFN11", ASSOCIATION)
    assert row["n_lines"] == N_MERGED
    assert row["n_genes"] == len(PANEL) + 21


def test_mutation_is_the_difference_of_means(table: pd.DataFrame, lines: dict[str, Any]) -> None:
    row = row_of(table, "Dabrafenib", "BRAF", MUTATION)
    mutant = lines["mutated"]["BRAF"].to_numpy()
    response = lines["ln_ic50"]["Dabrafenib"].to_numpy()
    assert row["effect"] == pytest.approx(response[mutant].mean() - response[~mutant].mean())
    assert row["expected_direction"] == "sensitive"
    few = table[(table["gene"] == "TP53") & (table["why_not_assessable"] != "")]
    assert few["why_not_assessable"].tolist() == ["fewer than 10 lines have a mutated TP53"]
    assert few["measure"].tolist() == [MUTATION]
    assert few["expected_direction"].tolist() == ["resistant"]


def test_attribution_is_ranked_by_size_and_judged_by_direction(table: pd.DataFrame) -> None:
    shown = table.loc[table["measure"] == ATTRIBUTION, "model"].unique()
    assert list(shown) == [Ensemble.kind, *Ensemble.needs, "elastic_net"]
    for kind in shown:
        row = row_of(table, "Venetoclax", "BCL2", ATTRIBUTION, kind)
        assert row["rank"] == 1
        assert row["passes"] == (kind != "xgboost")
    assert row_of(table, "Gefitinib", "EGFR", ATTRIBUTION, "vae_ll")["rank"] > 3


def test_pairs_pass_by_the_ensemble_or_the_lines(table: pd.DataFrame) -> None:
    pairs = passed_pairs(table, PANEL).set_index(["drug", "gene"])
    assert len(pairs) == 13
    assert pairs.loc[("Dabrafenib", "BRAF"), "measures"] == MUTATION
    assert pairs.loc[("Venetoclax", "BCL2"), "passes"]
    assert not pairs.loc[("PLX-4720", "BRAF"), "passes"]


def test_best_of_each_kind_prefers_the_expected_direction(table: pd.DataFrame) -> None:
    best = best_by_kind(table)
    assert not best.duplicated(["drug", "gene", "kind"]).any()
    lapatinib = best[(best["drug"] == "Lapatinib") & (best["kind"] == "associated")].iloc[0]
    assert lapatinib["measure"] == "association in BRCA"
    assert set(best["kind"]) == {"attributed", "associated"}
    trees = best_by_kind(table, "xgboost")
    bcl2 = trees[(trees["gene"] == "BCL2") & (trees["kind"] == "attributed")]
    assert bcl2["direction"].tolist() == ["resistant"]
    absent = best[best["gene"] == "ABCB1"]
    assert absent["top_share"].isna().all()


def test_a_table_that_was_kept_as_csv_is_read_the_same(table: pd.DataFrame) -> None:
    kept = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    for made in (best_by_kind, lambda one: passed_pairs(one, PANEL)):
        pd.testing.assert_frame_equal(
            made(kept).fillna(""), made(table).fillna(""), check_dtype=False
        )


def test_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match=r"expression_merged\.parquet"):
        positive_controls(ModelSet("none", {}, {}, ""), None, tmp_path)


def few_lines(n_lines: int = 60, n_luad: int = 9) -> controls._Lines:
    """BCL2 is above its lowest value in nine lines, all of one tissue, which it makes sensitive."""
    rng = np.random.default_rng(11)
    names = pd.Index([f"ACH-{number:06d}" for number in range(n_lines)])
    genes = pd.DataFrame(rng.uniform(1, 9, (n_lines, len(PANEL))), names, PANEL)
    genes["BCL2"] = np.where(np.arange(n_lines) < 9, 5.0, 0.0)
    ln_ic50 = pd.DataFrame(rng.normal(0, 1, (n_lines, len(DRUGS))), names, DRUGS)
    ln_ic50["Venetoclax"] -= 9 * genes["BCL2"]
    tissue = pd.Series(np.where(np.arange(n_lines) < n_luad, "LUAD", "BRCA"), index=names)
    return controls._Lines(genes, PANEL, pd.DataFrame(index=names), ln_ic50, tissue)


def test_a_gene_that_hardly_varies_is_not_assessable_and_does_not_pass() -> None:
    control = next(one for one in CONTROLS if one.gene == "BCL2")
    rows = controls._associations(control, few_lines())
    assert [row["measure"] for row in rows] == [ASSOCIATION, WITHIN_TISSUE]
    for row in rows:
        assert row["why_not_assessable"] == "BCL2 varies in fewer than 10 of 60 lines"
        assert not row["passes"]
        assert "rank" not in row
    varying = next(one for one in CONTROLS if one.gene == "MDM2")
    for row in controls._associations(varying, few_lines()):
        assert row["why_not_assessable"] == ""
        assert row["n_genes"] == len(PANEL) - 1  # it is no rival of other genes either


def test_an_attribution_without_a_direction_is_not_assessable() -> None:
    control = next(one for one in CONTROLS if one.gene == "BCL2")
    row = controls._row(control, ATTRIBUTION, "vae_ll", np.nan, 1, 682, 60)
    assert (row["measure"], row["model"], row["passes"]) == (ATTRIBUTION, "vae_ll", False)
    assert "varies in fewer than 10" in str(row["why_not_assessable"])


def test_a_tissue_with_few_lines_costs_its_measure_alone() -> None:
    control = next(one for one in CONTROLS if one.tissue == "LUAD")
    *others, here = controls._associations(control, few_lines(n_luad=9))
    assert here["measure"] == "association in LUAD"
    assert here["why_not_assessable"] == "only 9 lines, fewer than 10"
    assert not here["passes"]
    assert all(row["why_not_assessable"] == "" for row in others)
    enough = controls._associations(control, few_lines(n_luad=11))[-1]
    assert (enough["n_lines"], enough["why_not_assessable"]) == (11, "")


def test_a_drug_with_few_lines_has_no_association() -> None:
    lines = few_lines()
    lines.ln_ic50.loc[lines.ln_ic50.index[9:], "Gefitinib"] = np.nan
    rows = controls._associations(CONTROLS[0], lines)
    assert {row["why_not_assessable"] for row in rows} == {"only 9 lines, fewer than 10"}


def test_rows_that_are_not_assessable_never_are_the_best_or_pass() -> None:
    control = next(one for one in CONTROLS if one.gene == "BCL2")
    rows = controls._associations(control, few_lines())
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    assert not passed_pairs(table, PANEL)["passes"].any()
    assert best_by_kind(table)["top_share"].isna().all()
    known = controls._row(control, ASSOCIATION, "", 0.1, 40, 60, 60)  # the wrong direction
    best = best_by_kind(pd.DataFrame([*rows, known], columns=list(COLUMNS)))
    assert best["top_share"].tolist() == [40 / 60]


@pytest.mark.data
def test_the_real_lines_show_what_was_checked_independently(data: Path) -> None:
    lines = controls._read(load_training_set(data), data)
    by_pair = {(control.drug, control.gene): control for control in CONTROLS}
    nutlin = controls._mutation(by_pair["Nutlin-3a (-)", "TP53"], lines)
    assert nutlin["effect"] == pytest.approx(5.25 - 3.04, abs=0.1)
    assert nutlin["rank"] == 1
    venetoclax = controls._associations(by_pair["Venetoclax", "BCL2"], lines)[0]
    assert venetoclax["effect"] == pytest.approx(-0.45, abs=0.01)
    lapatinib = controls._associations(by_pair["Lapatinib", "ERBB2"], lines)
    assert [row["effect"] for row in lapatinib][::2] == pytest.approx([0, -0.48], abs=0.02)
    slfn11 = controls._associations(by_pair["Topotecan", "SLFN11"], lines)
    assert [row["rank"] for row in slfn11] == [1, 1]
