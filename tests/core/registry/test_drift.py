from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import spearmanr

from resvae_core.data.cohorts import DEMO, load_cohort
from resvae_core.errors import ConfigError
from resvae_core.jobs.task_drift import DRIFT
from resvae_core.models.model_set import RESISTANT, SENSITIVE, UNCERTAIN, Forecast, ModelSet
from resvae_core.registry import drift
from resvae_core.registry.drift import (
    COLUMNS,
    drift_folder,
    drift_stamp,
    installed_references,
    load_drift,
    prediction_drift,
    reference_cohorts,
    why_outdated,
    write_drift,
)
from resvae_core.registry.library import find_set
from resvae_core.registry.store import load_model_set
from resvae_core.registry.training_run import load_tumours
from resvae_core.tables import Expression
from tests.core.data.official_files import xena_matrix
from tests.core.registry.test_comparison import entry_of
from tests.core.registry.tiny_sets import tiny_set, wide_set
from tests.tiny_data import install_tiny_data

MODEL = "elastic_net"
DRUGS = ["A", "B"]


class Spoken:
    """Stands for a model set that says what it is told."""

    default_model = MODEL
    learned = (MODEL,)
    drugs = tuple(DRUGS)

    def __init__(self, name: str, probabilities: np.ndarray, calls: list[list[str]]) -> None:
        self.name, self.probabilities, self.calls = name, probabilities, calls

    def predict(self, expression: Expression, **options: object) -> Forecast:
        names = expression.samples
        table = pd.DataFrame(
            {
                "sample": np.repeat(names, len(DRUGS)),
                "drug": np.tile(DRUGS, len(names)),
                "model": MODEL,
                "probability": self.probabilities.ravel(),
                "call": np.array(self.calls).ravel(),
            }
        )
        ranges = pd.DataFrame({"range": ["in range"] * 3 + [self.name]}, index=names)
        return Forecast(table, ranges, self.name, "tumours", None)


def spoken_drift() -> pd.DataFrame:
    names = [f"P{n}" for n in range(4)]
    expression = Expression(pd.DataFrame({"G": [1.0, 2.0, 3.0, 4.0]}, index=names))
    before = Spoken(
        "in range",
        np.array([[0.1, 0.5], [0.2, 0.5], [0.8, 0.5], [0.9, 0.5]]),
        [[SENSITIVE, UNCERTAIN], [SENSITIVE, RESISTANT], [RESISTANT] * 2, [RESISTANT, UNCERTAIN]],
    )
    after = Spoken(
        "borderline",
        np.array([[0.3, 0.6], [0.1, 0.7], [0.9, 0.8], [0.7, 0.9]]),
        [[RESISTANT, UNCERTAIN], [SENSITIVE, SENSITIVE], [UNCERTAIN, RESISTANT], [RESISTANT] * 2],
    )
    found = prediction_drift(after, before, {"LUAD": expression})  # type: ignore[arg-type]
    return found[found["model"] == MODEL].set_index("drug")


def test_changes_of_probabilities_match_numpy_and_scipy() -> None:
    found = spoken_drift()
    assert found.loc["A", "mean_change"] == pytest.approx(0.0)
    changes = [0.2, 0.1, 0.1, 0.2]
    assert found.loc["A", "p95_change"] == pytest.approx(np.percentile(changes, 95))
    expected = spearmanr([0.1, 0.2, 0.8, 0.9], [0.3, 0.1, 0.9, 0.7]).statistic
    assert found.loc["A", "spearman"] == pytest.approx(expected)
    assert np.isnan(found.loc["B", "spearman"])


def test_calls_that_turn_over_are_counted_apart() -> None:
    found = spoken_drift()
    counts = found[["n", "n_firm_active", "n_firm", "to_resistant", "to_sensitive"]]
    assert counts.loc["A"].tolist() == [4, 4, 3, 1, 0]
    assert counts.loc["B"].tolist() == [4, 2, 2, 0, 1]
    assert found["changed_calls"].tolist() == [0.5, 0.5]


def test_change_of_range_is_a_share_of_patients() -> None:
    row = spoken_drift().iloc[0]
    assert (row["in_range_active"], row["in_range_candidate"]) == (1.0, 0.75)
    assert row["changed_range"] == 0.25


def test_set_does_not_move_from_itself() -> None:
    model_set = load_model_set(tiny_set())
    some = Expression(load_cohort(None, DEMO).expression.values.iloc[:20])
    found = prediction_drift(model_set, model_set, {DEMO: some})
    assert list(found.columns) == list(COLUMNS)
    assert found[["mean_change", "p95_change", "changed_calls", "changed_range"]].eq(0).all(None)
    assert found["spearman"].dropna().to_numpy() == pytest.approx(1.0)
    assert found["synthetic"].all()
    assert set(found["model"]) == {"default", MODEL}


def test_sets_without_a_common_drug_are_refused() -> None:
    one = load_model_set(tiny_set())
    other = Spoken("other", np.zeros((4, 2)), [])
    with pytest.raises(ConfigError, match="share no drug"):
        prediction_drift(other, one, {})  # type: ignore[arg-type]


def test_real_cohorts_come_before_the_synthetic_one(tmp_path: Path) -> None:
    assert set(reference_cohorts(None)) == {DEMO}
    assert set(reference_cohorts(install_tiny_data(tmp_path))) == {"LUAD", "GBM"}


def install_official(folder: Path, *codes: str) -> Path:
    """Install synthetic cohorts as the project fetches them: a matrix each, and one record."""
    (folder / "tcga").mkdir(parents=True)
    patients = ["TCGA-AA-0001", "TCGA-AA-0002"]
    for code in codes:
        matrix = xena_matrix(patients, ["ENSG00000141510.18", "ENSG00000146648.18"])
        (folder / f"tcga/TCGA-{code}.star_tpm.tsv.gz").write_bytes(matrix)
    (folder / "tcga/Survival_SupplementalTable_S1_20171025_xena_sp").write_text(
        "sample\tOS\tOS.time\t_PATIENT\n"
        + "".join(f"{patient}-01\t1\t9\t{patient}\n" for patient in patients)
    )
    return folder


def test_cohorts_that_the_development_data_lack_genome_wide_are_references_once_fetched(
    tmp_path: Path,
) -> None:
    folder = install_official(tmp_path, "BLCA", "STAD")
    found = reference_cohorts(folder)
    assert list(found) == ["BLCA", "STAD"]
    assert found["BLCA"].values.shape == (2, 2)
    assert list(load_tumours(folder)) == ["BLCA", "STAD"]


def test_kept_drift_says_of_which_cohorts_it_is_and_why_it_is_outdated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Expression(load_cohort(None, DEMO).expression.values.iloc[:20])
    monkeypatch.setattr(
        drift, "reference_cohorts", lambda data: dict.fromkeys(installed_references(data), some)
    )
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    candidate = entry_of(wide_set(tmp_path / "wide", name="wide"))
    active = entry_of(tiny_set(), "active")
    folder = install_official(tmp_path / "data", "BLCA", "STAD")
    assert why_outdated(candidate, active, folder) == "", "there is none yet"
    write_drift(candidate, active, None)
    assert why_outdated(candidate, active, None) == ""
    assert why_outdated(candidate, active, folder) == (
        "It was computed on the synthetic cohort alone; BLCA, STAD can be read now."
    )
    write_drift(candidate, active, folder)
    assert why_outdated(candidate, active, folder) == ""
    assert why_outdated(candidate, active, None) == "", "without them it cannot be computed better"
    (folder / "tcga/TCGA-BLCA.star_tpm.tsv.gz").write_bytes(b"another release")
    (folder / "tcga/TCGA-STAD.star_tpm.tsv.gz").rename(folder / "tcga/TCGA-OV.star_tpm.tsv.gz")
    assert why_outdated(candidate, active, folder) == (
        "Installed since: OV. No longer installed: STAD. Other files since: BLCA."
    )
    path = drift_folder(candidate, active) / "drift.json"
    document = json.loads(path.read_text())
    del document["cohorts"]
    path.write_text(json.dumps(document))
    assert load_drift(candidate, active) is not None, "one of an earlier version is read"
    assert "does not say what was installed" in why_outdated(candidate, active, folder)


def test_kept_drift_counts_for_these_two_sets_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    some = Expression(load_cohort(None, DEMO).expression.values.iloc[:20])
    monkeypatch.setattr(drift, "reference_cohorts", lambda data: {DEMO: some})
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path / "state"))
    candidate = entry_of(wide_set(tmp_path / "wide", name="wide"))
    active = entry_of(tiny_set(), "active")
    assert load_drift(candidate, active) is None
    assert drift_stamp(candidate, active) == ""
    before = files_below(candidate.folder)
    written = write_drift(candidate, active, None)
    assert files_below(candidate.folder) == before
    kept = load_drift(candidate, active)
    assert kept is not None
    pd.testing.assert_frame_equal(kept, written, rtol=1e-5, check_dtype=False)
    assert load_drift(candidate, replace(active, digest="0" * 64)) is None
    same_digits = replace(active, digest=active.digest[:8] + "0" * 56)
    assert load_drift(candidate, same_digits) is None
    path = drift_folder(candidate, active) / "drift.csv"
    assert files_below(path.parent) == ["drift.csv", "drift.json"]
    path.write_text(path.read_text().replace("DEMO", "LUAD"))
    assert load_drift(candidate, active) is None


def files_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_shipped_set_is_no_candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RESVAE_STATE", str(tmp_path))
    monkeypatch.setenv("RESVAE_MODELS", str(tiny_set()))
    shipped = find_set("shipped")
    with pytest.raises(ConfigError, match="came with the program is no candidate") as refusal:
        write_drift(shipped, shipped, None)
    assert refusal.value.remedy == "Roll back to it, or promote it with a reason."
    with pytest.raises(ConfigError, match="came with the program is no candidate"):
        DRIFT.check({"set": "shipped", "against": shipped.digest})


def test_progress_counts_cohorts() -> None:
    model_set = load_model_set(tiny_set())
    some = Expression(load_cohort(None, DEMO).expression.values.iloc[:4])
    told: list[tuple[int, int]] = []
    prediction_drift(
        model_set, model_set, {"A": some, "B": some}, progress=lambda *steps: told.append(steps)
    )
    assert told == [(0, 2), (1, 2), (2, 2)]
    assert isinstance(model_set, ModelSet)
