"""The training set: masked labels, the right thresholds, facts that are known of the data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resvae_core.data.drugs import Drug, load_drugs
from resvae_core.data.gdsc import RESPONSE_DTYPES
from resvae_core.data.screens import (
    LINES_FILE,
    MISASSIGNED_LINES,
    TrainingSet,
    build_screen,
    label_resistant,
    load_training_set,
    restrict,
    survey,
)
from resvae_core.errors import InputDataError
from tests.tiny_data import install_tiny_data


@pytest.fixture(scope="module")
def training(data: Path) -> TrainingSet:
    return load_training_set(data)


def synthetic_response(rows: list[tuple[int, str, float]]) -> pd.DataFrame:
    """Make responses to drug 1 from (line, data set, ln IC50)."""
    table = pd.DataFrame(rows, columns=["cosmic_id", "dataset", "ln_ic50"])
    table = table.assign(drug_id=1, drug_name="X", cell_line_name="L", dose_response_auc=0.5)
    return table.assign(z_score=np.nan, max_conc=10.0).astype(RESPONSE_DTYPES)


def synthetic_drug(**changes: object) -> Drug:
    """Make drug 1 with the threshold 0."""
    base = load_drugs()["Cisplatin"]
    return replace(base, name="X", drug_id=1, threshold_ln_ic50=0.0, **changes)


LINES = pd.DataFrame(
    {"cosmic_id": [11, 12, 13], "tissue": ["LUAD", "LUAD", "other"]},
    index=pd.Index(["ACH-1", "ACH-2", "ACH-3"], name="depmap_id"),
)


def test_the_threshold_itself_is_sensitive_and_unmeasured_stays_unlabelled() -> None:
    response = synthetic_response([(11, "GDSC2", 0.0), (13, "GDSC2", 0.1)])
    screen, sources = build_screen(response, LINES, [synthetic_drug()])
    np.testing.assert_array_equal(screen.resistant["X"], [0.0, np.nan, 1.0])
    np.testing.assert_array_equal(screen.ln_ic50["X"], [0.0, np.nan, 0.1])
    assert sources.loc["X"].to_dict() == {"GDSC1": 0, "GDSC2": 2, "GDSC2_r8.2": 0}


def test_the_earlier_release_fills_absent_lines_but_never_replaces_a_value() -> None:
    response = synthetic_response(
        [(11, "GDSC2_r8.2", -5.0), (12, "GDSC2_r8.2", -1.0), (11, "GDSC2", 2.0)]
    )
    drug = synthetic_drug(uses_release_82=True)
    screen, sources = build_screen(response, LINES, [drug])
    np.testing.assert_array_equal(screen.ln_ic50["X"], [2.0, -1.0, np.nan])
    assert sources.loc["X", "GDSC2_r8.2"] == 1
    without, _ = build_screen(response, LINES, [drug], include_release_82=False)
    np.testing.assert_array_equal(without.ln_ic50["X"], [2.0, np.nan, np.nan])


def test_a_release_that_disagrees_is_not_used() -> None:
    response = synthetic_response([(12, "GDSC2_r8.2", -1.0)])
    screen, _ = build_screen(response, LINES, [synthetic_drug(uses_release_82=False)])
    assert screen.ln_ic50["X"].isna().all()


def test_another_screen_of_the_same_drug_is_never_mixed_in() -> None:
    response = synthetic_response([(11, "GDSC1", -1.0)])
    screen, _ = build_screen(response, LINES, [synthetic_drug(screen="GDSC2")])
    assert screen.ln_ic50["X"].isna().all()


@given(
    values=st.lists(st.floats(-10, 10) | st.just(np.nan), min_size=1, max_size=30),
    threshold=st.floats(-10, 10),
)
def test_labels_are_missing_exactly_where_ln_ic50_is(values: list[float], threshold: float) -> None:
    ln_ic50 = pd.DataFrame({"X": values}, dtype=float)
    labels = label_resistant(ln_ic50, {"X": threshold})["X"]
    np.testing.assert_array_equal(labels.isna(), ln_ic50["X"].isna())
    assert (ln_ic50["X"][labels == 0] <= threshold).all()
    assert (ln_ic50["X"][labels == 1] > threshold).all()


def test_a_folder_without_data_is_refused_with_what_is_missing(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match=r"no gdsc/expression_panel\.parquet.*has none"):
        load_training_set(tmp_path)


def test_a_partial_folder_names_the_missing_files(tmp_path: Path) -> None:
    (tmp_path / "gdsc").mkdir()
    pd.DataFrame().to_parquet(tmp_path / "gdsc/expression_panel.parquet")
    with pytest.raises(InputDataError, match=r"lacks gdsc/expression_lines\.parquet"):
        load_training_set(tmp_path)


def write_official_release(folder: Path) -> None:
    """Write a synthetic release in the official formats: 3 lines, cisplatin only."""
    (folder / "depmap").mkdir()
    (folder / "gdsc").mkdir()
    (folder / "depmap/OmicsExpressionProteinCodingGenesTPMLogp1.csv").write_text(
        ",TP53 (7157),CARS (833)\nACH-000001,5.1,2\nACH-000002,0,3.5\nACH-000003,1,1\n"
    )
    (folder / "depmap/Model.csv").write_text(
        "ModelID,PatientID,CellLineName,COSMICID,OncotreeLineage\n"
        "ACH-000001,PT-1,A,11,Lung\nACH-000002,PT-2,B,12,Bone\nACH-000003,PT-3,C,,Skin\n"
    )
    header = (
        "DATASET,NLME_RESULT_ID,NLME_CURVE_ID,COSMIC_ID,CELL_LINE_NAME,SANGER_MODEL_ID,TCGA_DESC,"
        "DRUG_ID,DRUG_NAME,PUTATIVE_TARGET,PATHWAY_NAME,COMPANY_ID,WEBRELEASE,MIN_CONC,MAX_CONC,"
        "LN_IC50,AUC,RMSE,Z_SCORE\n"
    )
    row = "{0},1,1,{1},N,SIDM1,{2},1005,Cisplatin,DNA,DNA,1046,Y,0.1,8,{3},0.9,0.1,0.5\n"
    (folder / "gdsc/GDSC1_fitted_dose_response_27Oct23.csv").write_text(
        header + row.format("GDSC1", 11, "LUAD", -9)
    )
    (folder / "gdsc/GDSC2_fitted_dose_response_27Oct23.csv").write_text(
        header + row.format("GDSC2", 11, "LUAD", 0.5) + row.format("GDSC2", 12, "UNCLASSIFIED", 4)
    )


def test_official_files_give_the_same_kind_of_training_set(tmp_path: Path) -> None:
    write_official_release(tmp_path)
    training = load_training_set(tmp_path)
    assert training.expression.genes == ["TP53", "CARS1"]
    assert training.screen.drugs == list(load_drugs())
    assert training.screen.tissue.to_dict() == {"ACH-000001": "LUAD", "ACH-000002": "bone"}
    assert training.screen.ln_ic50["Cisplatin"].to_list() == [0.5, 4.0]
    assert training.screen.resistant["Cisplatin"].to_list() == [0.0, 1.0]
    assert len(training.digests) == 4


def test_two_releases_side_by_side_are_refused(tmp_path: Path) -> None:
    write_official_release(tmp_path)
    release = tmp_path / "gdsc/GDSC2_fitted_dose_response_27Oct23.csv"
    release.with_name("GDSC2_fitted_dose_response_24Jul22.csv").write_bytes(release.read_bytes())
    with pytest.raises(InputDataError, match=r"24Jul22.*27Oct23.*expected one file"):
        load_training_set(tmp_path)


@pytest.mark.data
def test_training_set_has_668_lines_682_genes_and_72_drugs(training: TrainingSet) -> None:
    assert training.expression.values.shape == (668, 682)
    assert training.screen.drugs == list(load_drugs())
    assert training.screen.lines == training.expression.samples
    assert training.screen.tissue.notna().all()


@pytest.mark.data
def test_renamed_genes_carry_their_current_symbols(training: TrainingSet) -> None:
    current = {"CARS1", "H3-3A", "H3-3B", "SEPTIN5", "SEPTIN6", "SEPTIN9", "CEP43"}
    assert current <= set(training.expression.genes)
    assert not {"CARS", "H3F3A", "SEPT9", "FGFR1OP"} & set(training.expression.genes)


@pytest.mark.data
def test_counts_in_the_drug_catalogue_are_those_of_the_training_set(training: TrainingSet) -> None:
    for name, drug in load_drugs().items():
        labels = training.screen.resistant[name]
        assert labels.notna().sum() == drug.n_training_lines, name
        assert (labels == 0).sum() == drug.n_sensitive_lines, name
        assert training.sources.loc[name, "GDSC2_r8.2"] == drug.n_lines_from_release_82, name


@pytest.mark.data
def test_colorectal_lines_have_one_label_and_no_line_is_unclassifiable(
    training: TrainingSet,
) -> None:
    tissues = training.screen.tissue.value_counts()
    assert tissues["COREAD"] == 43
    assert not {"COAD/READ", "UNABLE TO CLASSIFY"} & set(tissues.index)


@pytest.mark.data
def test_the_earlier_release_only_adds_measurements(training: TrainingSet, data: Path) -> None:
    current = load_training_set(data, include_release_82=False).screen.ln_ic50
    measured = current.notna()
    pd.testing.assert_frame_equal(training.screen.ln_ic50.where(measured), current)
    added = int((training.screen.ln_ic50.notna() & ~measured).sum().sum())
    assert added == training.sources["GDSC2_r8.2"].sum()
    assert f"{added:,} from GDSC2_r8.2" in training.describe_sources()


@pytest.mark.data
def test_venetoclax_follows_bcl2_expression(training: TrainingSet) -> None:
    pair = pd.concat(
        [training.expression.values["BCL2"], training.screen.ln_ic50["Venetoclax"]], axis=1
    ).dropna()
    assert pair.corr(method="spearman").iloc[0, 1] == pytest.approx(-0.45, abs=0.03)


@pytest.mark.data
def test_no_two_lines_carry_one_profile(training: TrainingSet) -> None:
    values = training.expression.values.to_numpy(float)
    correlation = np.corrcoef(values) - np.eye(len(values))
    assert correlation.max() < 0.99
    assert not set(MISASSIGNED_LINES) & set(training.screen.lines)


def test_synthetic_lines_are_never_called_measured(tmp_path: Path) -> None:
    found = load_training_set(install_tiny_data(tmp_path))
    n_pairs = int(found.sources.sum().sum())
    assert found.synthetic
    assert found.describe_sources() == (
        f"Synthetic data, no measurement: {n_pairs} made-up pairs of line and drug."
    )
    assert restrict(found, ["Erlotinib"]).synthetic
    assert survey(tmp_path).synthetic


def test_lines_of_another_source_are_measured(tmp_path: Path) -> None:
    lines = pd.read_parquet(install_tiny_data(tmp_path) / LINES_FILE)
    lines.assign(expr_source="depmap").to_parquet(tmp_path / LINES_FILE)
    found = load_training_set(tmp_path)
    assert not found.synthetic
    assert "measured pairs of line and drug" in found.describe_sources()
