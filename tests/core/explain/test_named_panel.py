"""Every verdict on a synthetic cohort, and the real ones where the cohorts are installed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from resvae_core.explain.associations import false_discovery
from resvae_core.explain.cohort_reading import ENSEMBLE, CohortReading, score_patients
from resvae_core.explain.named_panel import (
    CLAIMS,
    COLUMNS,
    CONFIRMED,
    NOT_ASSESSABLE,
    NOT_CONFIRMED,
    OPPOSITE,
    RULE,
    Claim,
    named_panel,
    panel_sentence,
)
from resvae_core.models.patients import load_patients
from resvae_core.models.ranking import FIVE
from resvae_core.registry.store import load_model_set

N_PATIENTS = 150
DRUG = "Gefitinib"
GENES = ("HOLDS", "OPPOSITE", "PURITY", "GENERAL", "NOTHING", "OFF", "ONE-MODEL")
EXPECTED = {
    "HOLDS": CONFIRMED,
    "OPPOSITE": OPPOSITE,
    "PURITY": NOT_CONFIRMED,
    "GENERAL": NOT_CONFIRMED,
    "NOTHING": NOT_CONFIRMED,
    "OFF": NOT_ASSESSABLE,
    "ONE-MODEL": NOT_CONFIRMED,
    "ABSENT": NOT_ASSESSABLE,
}


@pytest.fixture(scope="module")
def reading() -> CohortReading:
    rng = np.random.default_rng(5)
    values = pd.DataFrame(rng.normal(5, 1, (N_PATIENTS, 40)), columns=[f"G{n}" for n in range(40)])
    values.index = [f"PATIENT-{n}" for n in range(N_PATIENTS)]
    for gene in GENES:
        values[gene] = rng.normal(5, 1, N_PATIENTS)
    purity = rng.uniform(0, 1, N_PATIENTS)
    values["PURITY"] = 5 * purity + rng.normal(0, 0.2, N_PATIENTS)
    values["OFF"] = 0.0
    drugs = [DRUG, "Cisplatin", "Paclitaxel", "Trametinib"]
    shared = values["GENERAL"] + 4 * purity
    log_odds = {}
    for kind in FIVE:
        scores = pd.DataFrame(dict.fromkeys(drugs, shared))
        scores += rng.normal(0, 0.3, scores.shape)
        scores[DRUG] += values["HOLDS"] - values["OPPOSITE"]
        if kind == "xgboost":
            scores[DRUG] += 8 * values["ONE-MODEL"]
        log_odds[kind] = scores
    ensemble = sum(log_odds.values()) / len(FIVE)
    return CohortReading(
        "LUAD", values, {ENSEMBLE: ensemble, **log_odds}, {}, {}, ("G1", "G2"), purity
    )


@pytest.fixture(scope="module")
def panel(reading: CohortReading) -> pd.DataFrame:
    claims = tuple(Claim("LUAD", DRUG, gene) for gene in (*GENES, "ABSENT"))
    return named_panel({"LUAD": reading}, claims)


@pytest.mark.parametrize(("gene", "verdict"), EXPECTED.items())
def test_verdicts_follow_the_rule(panel: pd.DataFrame, gene: str, verdict: str) -> None:
    rows = panel[panel["gene"] == gene]
    assert list(rows["model"]) == [ENSEMBLE, *FIVE]
    assert set(rows["verdict"]) == {verdict}


@pytest.mark.parametrize(
    ("gene", "words"),
    [
        ("PURITY", "does not hold given tumour purity"),
        ("GENERAL", "given the resistance to other drugs"),
        ("NOTHING", "no clear correlation"),
        ("OFF", "too few patients express it"),
        ("ABSENT", "it is not measured"),
        ("ONE-MODEL", "of 5 models alone agree"),
    ],
)
def test_reasons_say_what_speaks_against_it(panel: pd.DataFrame, gene: str, words: str) -> None:
    assert words in panel.loc[panel["gene"] == gene, "reason"].iloc[0]


def test_numbers_match_scipy_pearsonr(panel: pd.DataFrame, reading: CohortReading) -> None:
    row = panel[(panel["gene"] == "HOLDS") & (panel["model"] == "vae_ls")].iloc[0]
    scores = reading.log_odds["vae_ls"][DRUG]
    assessable = reading.values.drop(columns="OFF")
    of_all = [stats.pearsonr(assessable[gene], scores) for gene in assessable]
    at = list(assessable).index("HOLDS")
    assert list(panel.columns) == list(COLUMNS)
    assert row["effect"] == pytest.approx(of_all[at].statistic)
    assert row["p_value"] == pytest.approx(of_all[at].pvalue)
    q_values = false_discovery(np.array([found.pvalue for found in of_all]))
    assert row["q_value"] == pytest.approx(q_values[at])
    sizes = np.abs([found.statistic for found in of_all])
    assert row["rank"] == 1 + (sizes > sizes[at]).sum()
    assert row["n_genes"] == len(of_all)
    assert (row["votes"], row["n_models"]) == (4, 5)


def test_a_cohort_without_purity_is_judged_without_it(reading: CohortReading) -> None:
    unknown = np.full(N_PATIENTS, np.nan)
    without = CohortReading(**{**vars(reading), "purity": unknown})
    rows = named_panel({"LUAD": without}, (Claim("LUAD", DRUG, "HOLDS"),))
    assert rows["effect_purity"].isna().all()
    assert set(rows["verdict"]) == {CONFIRMED}


def test_a_sentence_says_verdict_direction_and_rank(panel: pd.DataFrame) -> None:
    sentence = panel_sentence(panel[panel["gene"] == "OPPOSITE"])
    assert sentence.startswith("OPPOSITE (LUAD, Gefitinib): opposite direction. High expression")
    assert "goes with sensitive scores" in sentence
    absent = panel_sentence(panel[panel["gene"] == "ABSENT"])
    assert absent == "ABSENT (LUAD, Gefitinib): not assessable; it is not measured."


def test_cohorts_that_are_not_there_are_left_out() -> None:
    assert named_panel({}).empty
    assert list(named_panel({}).columns) == list(COLUMNS)


def test_rule_names_its_figures() -> None:
    assert "q < 0.05" in RULE
    assert "4 of the five" in RULE


@pytest.mark.data
def test_real_verdicts_of_the_shipped_models(data: Path) -> None:
    model_set = load_model_set()
    readings = {
        code: score_patients(model_set, load_patients(data, code, model_set))
        for code in ("LUAD", "GBM")
    }
    panel = named_panel(readings)
    assert not panel["in_panel"].any()
    verdicts = panel.groupby("gene")["verdict"].first()
    assert set(verdicts.index) == {claim.gene for claim in CLAIMS}
    assert verdicts.to_dict() == {
        "TFF1": OPPOSITE,
        "OPALIN": NOT_CONFIRMED,
        "LTF": NOT_CONFIRMED,
        "IL2RA": NOT_CONFIRMED,
        "SLC17A7": NOT_CONFIRMED,
    }
    il2ra = panel[(panel["gene"] == "IL2RA") & (panel["model"] == ENSEMBLE)].iloc[0]
    assert abs(il2ra["effect_purity"]) < 0.05 < abs(il2ra["effect"])
