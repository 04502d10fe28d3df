from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pandas as pd
import pytest

from resvae_core.explain import cohort_reading
from resvae_core.explain.associations import correlate_given
from resvae_core.explain.attribution import Parts
from resvae_core.explain.biomarkers import ATTRIBUTED, biomarker_table
from resvae_core.explain.cohort_reading import (
    ENSEMBLE,
    PURITY,
    CohortReading,
    adjusted_correlations,
    attribution_slopes,
    general_resistance,
    predicted_log_odds,
    purity_of,
    read_patients,
)
from resvae_core.models.base import CELL_LINES, TUMOURS, ResponseModel, Samples
from resvae_core.models.ensemble import Ensemble
from resvae_core.models.model_set import ModelSet
from resvae_core.models.patients import Patients
from resvae_core.models.ranking import FIVE
from resvae_core.tables import Expression, Screen
from tests.core.conftest import GENES

DRUGS = ["Cisplatin", "Gemcitabine"]


@pytest.fixture(scope="module")
def model_set(fitted: dict[str, ResponseModel], screen: tuple[Samples, Screen]) -> ModelSet:
    """The small models; their reference tumours are the lines once more."""
    models = {kind: copy.deepcopy(fitted[kind]) for kind in (*FIVE, ENSEMBLE)}
    for model in models.values():
        model.add_reference(TUMOURS, [screen[0].expression])
    models[ENSEMBLE].parts_ = {kind: models[kind] for kind in FIVE}
    return ModelSet("tiny", models, dict.fromkeys((TUMOURS, CELL_LINES)), ENSEMBLE)


@pytest.fixture(scope="module")
def patients(screen: tuple[Samples, Screen]) -> Patients:
    values = screen[0].expression.values.iloc[50:].copy()
    values["OPALIN"] = np.linspace(0, 5, len(values))
    values = values.drop(columns=GENES[7])
    clinical = pd.DataFrame({PURITY: 0.5}, index=values.index)
    read = Expression(values.drop(columns="OPALIN"))
    return Patients("LUAD", read, values, clinical, False, "")


def weights_of(kind: str, drug: str) -> np.ndarray:
    """Return what each gene adds per unit of expression: the planted ones and a little more."""
    rng = np.random.default_rng([FIVE.index(kind), DRUGS.index(drug)])
    weights = rng.normal(0, 0.01, len(GENES))
    weights[:2] += (1.0, -1.0)
    return weights


def of_set(model_set, samples, drugs, *, kinds, progress=lambda done, total: None):
    """Stand in for `matrices_of_set`: attributions of straight lines."""
    values = samples.expression.values.reindex(columns=GENES).to_numpy(float)
    progress(0, len(values))
    progress(len(values), len(values))
    nothing = np.zeros(len(values))
    return {
        (kind, drug): Parts(values * weights_of(kind, drug), nothing, nothing)
        for kind in kinds
        for drug in drugs
    }


def of_members(model_set, samples, drug, *, kinds):
    """Stand in for `member_matrices_of_set`: members that differ a little."""
    found = of_set(model_set, samples, [drug], kinds=kinds)
    sizes = np.array([0.8, 1.0, 1.2])[:, None, None]
    return {kind: sizes * found[kind, drug].values for kind in kinds}


@pytest.fixture(autouse=True)
def _straight_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attributions are tested elsewhere, and take long."""
    monkeypatch.setattr(cohort_reading, "matrices_of_set", of_set)
    monkeypatch.setattr(cohort_reading, "member_matrices_of_set", of_members)


@pytest.fixture
def reading(model_set: ModelSet, patients: Patients) -> CohortReading:
    return read_patients(model_set, patients, DRUGS)


def test_log_odds_are_those_that_models_predict(model_set, patients, reading) -> None:
    samples = model_set.samples(patients.expression)
    assert list(reading.log_odds) == [ENSEMBLE, *FIVE]
    for kind, found in reading.log_odds.items():
        expected = model_set.model(kind).predict(samples).log_odds
        pd.testing.assert_frame_equal(found, expected, rtol=1e-3, atol=1e-4)
    some = model_set.samples(patients.expression.select(tuple(patients.expression.samples[3:5])))
    alone = predicted_log_odds(model_set, some)[ENSEMBLE]
    expected = reading.log_odds[ENSEMBLE].iloc[3:5]
    pd.testing.assert_frame_equal(alone, expected, rtol=1e-3, atol=1e-4)


def test_slopes_are_weights_per_standard_deviation_of_what_was_read(patients, reading) -> None:
    sd = patients.expression.values.reindex(columns=GENES).std(ddof=0).to_numpy(float)
    for drug in DRUGS:
        expected = np.stack([weights_of(kind, drug) * sd for kind in FIVE])
        assert reading.slopes[drug] == pytest.approx(expected, nan_ok=True)
        shares = reading.member_slopes[drug] / reading.member_slopes[drug][:, [1]]
        assert np.nanmax(np.abs(shares - np.array([0.8, 1.0, 1.2])[:, None])) < 1e-9


def test_attributions_that_are_at_hand_are_not_computed_again(
    model_set, patients, reading, monkeypatch
) -> None:
    samples = model_set.samples(patients.expression)
    matrices = of_set(model_set, samples, DRUGS, kinds=FIVE)
    monkeypatch.delattr(cohort_reading, "matrices_of_set")
    again = read_patients(model_set, patients, DRUGS, matrices=matrices)
    for drug in DRUGS:
        assert np.array_equal(again.slopes[drug], reading.slopes[drug], equal_nan=True)


def test_a_gene_that_the_cohort_lacks_has_no_slope_and_no_row(reading) -> None:
    assert np.isnan(reading.slopes["Cisplatin"][:, 7]).all()
    table = biomarker_table([reading])
    assert GENES[7] not in set(table["gene"])
    assert (table.loc[table["gene"] == "OPALIN", "kind"] == "associated").all()


def test_planted_genes_lead_the_attributed_ones(reading) -> None:
    table = biomarker_table([reading])
    rows = table[(table["kind"] == ATTRIBUTED) & (table["drug"] == "Cisplatin")]
    assert set(rows.loc[rows["effect"].abs().nlargest(2).index, "gene"]) == set(GENES[:2])
    first = rows.set_index("gene").loc[GENES[0]]
    assert (first["direction"], first["votes"], first["stability"]) == ("resistant", 5, 1)
    assert rows.set_index("gene").loc[GENES[1], "direction"] == "sensitive"


def test_correlations_are_given_purity_where_it_is_recorded(reading) -> None:
    n_patients, genes = reading.values.shape
    purity = np.linspace(0.2, 0.9, n_patients)
    purity[:5] = np.nan
    known = dataclasses.replace(reading, purity=purity)
    found = adjusted_correlations(known, known.scores(), known.general())
    assert found.plain.effect.shape == (genes, len(DRUGS))
    assert found.plain.n_patients == found.general.n_patients == n_patients
    assert found.purity is not None
    assert found.purity.n_patients == n_patients - 5
    values, scores = known.values.to_numpy(float), known.scores()
    expected = correlate_given(values, scores, purity)
    np.testing.assert_array_equal(found.purity.effect, expected.effect)
    unknown = dataclasses.replace(reading, purity=np.full(n_patients, np.nan))
    assert adjusted_correlations(unknown, scores, known.general()).purity is None


def test_one_covariate_serves_scores_of_one_drug_by_several_models(reading) -> None:
    scores = np.column_stack([reading.scores(kind, DRUGS[:1])[:, 0] for kind in reading.log_odds])
    general = reading.general(DRUGS[:1])
    found = adjusted_correlations(reading, scores, general[:, 0]).general
    first = adjusted_correlations(reading, scores[:, :1], general).general
    np.testing.assert_allclose(found.effect[:, 0], first.effect[:, 0])


def test_progress_runs_to_the_end(model_set, patients) -> None:
    seen: list[tuple[int, int]] = []

    def show(done: int, total: int) -> None:
        seen.append((done, total))

    read_patients(model_set, patients, DRUGS, progress=show)
    assert seen[-1][0] == seen[-1][1] == 2 * (len(patients.values) + 64)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_slopes_match_numpy_polyfit() -> None:
    rng = np.random.default_rng(0)
    expression = pd.DataFrame(rng.normal(5, 2, (30, 4)), columns=list("ABCD"))
    attributions = rng.normal(size=(3, 30, 4))
    found = attribution_slopes(attributions, expression)
    z = (expression - expression.mean()) / expression.std(ddof=0)
    for model in range(3):
        for gene in range(4):
            expected = np.polyfit(z.iloc[:, gene], attributions[model, :, gene], 1)[0]
            assert found[model, gene] == pytest.approx(expected)


def test_general_resistance_is_the_mean_of_the_other_drugs() -> None:
    rng = np.random.default_rng(0)
    log_odds = pd.DataFrame(rng.normal(2, 3, (25, 4)), columns=["A", "B", "C", "D"])
    log_odds["D"] = 1.5  # the same for everybody: says nothing
    z = (log_odds - log_odds.mean()) / log_odds.std(ddof=0)
    found = general_resistance(log_odds)
    assert found["A"].to_numpy() == pytest.approx(z[["B", "C"]].mean(axis=1))
    assert found["D"].to_numpy() == pytest.approx(z[["A", "B", "C"]].mean(axis=1))


def test_purity_is_missing_where_it_is_not_recorded() -> None:
    clinical = pd.DataFrame({"age": [1.0, 2.0]})
    assert np.isnan(purity_of(clinical)).all()
    assert purity_of(clinical.assign(**{PURITY: [0.5, np.nan]})).tolist()[0] == 0.5


def test_the_ensembles_parts_are_the_five() -> None:
    assert Ensemble.needs == FIVE
