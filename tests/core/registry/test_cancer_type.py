"""The cancer-type suggestion on disk: saved, loaded, refused where anything does not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file, save_file

from resvae_core.cli.main import main
from resvae_core.config import ASSETS, RESEARCH_USE, models_folder
from resvae_core.data.cancer_types import load_cancer_types
from resvae_core.data.files import file_digest
from resvae_core.data.type_tumours import load_type_tumours
from resvae_core.data.uploads import read_expression
from resvae_core.errors import ArtifactError, InputDataError
from resvae_core.features.genes import order_genes
from resvae_core.models.cancer_type import UNCLEAR, CancerTypeModel, fit_cancer_type_model
from resvae_core.registry import cancer_type as registry
from resvae_core.registry.cancer_type import (
    CARD_FILE,
    WEIGHTS_FILE,
    describe,
    load_cancer_type_card,
    load_cancer_type_model,
    save_cancer_type_model,
)
from resvae_core.registry.store import BESIDE, CANCER_TYPE, verify_model_set
from resvae_core.tables import Expression
from tests.core.models.type_cohorts import CODES, GENES, draw_tumours, draw_type


@pytest.fixture(scope="module")
def fitted() -> CancerTypeModel:
    return fit_cancer_type_model(draw_tumours(3))


@pytest.fixture
def saved(fitted: CancerTypeModel, tmp_path: Path) -> Path:
    folder = tmp_path / "cancer_type"
    save_cancer_type_model(fitted, describe(fitted, draw_tumours(3), {}), folder)
    return folder


def test_save_then_load_gives_identical_answers(fitted: CancerTypeModel, saved: Path) -> None:
    loaded = load_cancer_type_model(saved)
    expression = Expression(pd.concat([draw_type(n, 3, prefix=f"S{n}").values for n in range(5)]))
    pd.testing.assert_frame_equal(
        loaded.suggest(expression), fitted.suggest(expression), check_exact=True
    )
    assert loaded.calibration == fitted.calibration
    card = load_cancer_type_card(saved)
    assert card["genes"] == list(fitted.genes)
    assert card["training"]["tumours"] == {"BLCA": 40, "GBM": 40, "LUAD": 40}
    assert sorted(path.name for path in saved.iterdir()) == [CARD_FILE, WEIGHTS_FILE]


def test_a_missing_card_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"card .* is missing or is no JSON.*cancer-type"):
        load_cancer_type_model(tmp_path)


def test_missing_or_altered_weights_are_refused(saved: Path) -> None:
    weights = saved / WEIGHTS_FILE
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match="altered: its SHA-256 is not that of its card"):
        load_cancer_type_model(saved)
    weights.unlink()
    with pytest.raises(ArtifactError, match=r"weights\.safetensors in cancer_type/ is missing"):
        load_cancer_type_model(saved)


def _edit_card(folder: Path, change: Callable[[dict[str, object]], None]) -> None:
    card = json.loads((folder / CARD_FILE).read_text(encoding="utf-8"))
    change(card)
    (folder / CARD_FILE).write_text(json.dumps(card), encoding="utf-8")


def test_another_schema_is_refused(saved: Path) -> None:
    _edit_card(saved, lambda card: card.update(schema_version=2))
    with pytest.raises(ArtifactError, match="schema version 2; this program reads"):
        load_cancer_type_model(saved)


@pytest.mark.parametrize("key", ["genes", "types"])
def test_genes_or_types_in_another_order_are_refused(saved: Path, key: str) -> None:
    _edit_card(saved, lambda card: card.update({key: card[key][::-1]}))
    with pytest.raises(ArtifactError, match="not those that the weights were made for"):
        load_cancer_type_model(saved)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a.pop("means"), "'means'"),
        (lambda a: a.update(extra=np.zeros(1)), "unknown array 'extra'"),
        (lambda a: a.update(variance=a["variance"][1:]), r"variance: \(\d+,\), expected finite"),
        (lambda a: a.update(reference=a["reference"] * np.nan), "reference: .* expected finite"),
    ],
)
def test_weights_that_do_not_fit_the_card_are_refused(
    saved: Path, change: Callable[[dict[str, np.ndarray]], None], words: str
) -> None:
    arrays = load_file(saved / WEIGHTS_FILE)
    change(arrays)
    save_file(arrays, saved / WEIGHTS_FILE)
    digest = file_digest(saved / WEIGHTS_FILE)
    _edit_card(saved, lambda card: card.update(weights_sha256=digest))
    with pytest.raises(ArtifactError, match=words):
        load_cancer_type_model(saved)


def test_a_new_model_set_leaves_the_suggestion_where_it_is() -> None:
    assert CANCER_TYPE in BESIDE
    assert all(not v.file.startswith(f"{CANCER_TYPE}/") for v in verify_model_set())


def test_the_command_writes_a_suggestion_with_its_figures(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = draw_type(0, 4, prefix="L")
    monkeypatch.setattr(registry, "load_type_tumours", lambda folder: draw_tumours(n=10))
    labels = pd.Series(["BLCA", "BLCA", "bone", "COREAD"], lines.samples)
    monkeypatch.setattr(registry, "load_labelled_lines", lambda folder: (lines, labels))
    for module, n_folds in (("evaluation", 1), ("models", 2)):
        monkeypatch.setattr(f"resvae_core.{module}.cancer_type.N_FOLDS", n_folds)
    target = tmp_path / "out"
    with pytest.raises(SystemExit) as stopped:
        main(["cancer-type", "--data", str(tmp_path), "--out", str(target)])
    assert not stopped.value.code
    out, err = capsys.readouterr()
    assert "left_out" in out
    assert "without GBM" in err
    assert RESEARCH_USE in err
    figures = load_cancer_type_card(target)["figures"]
    assert [row["type"] for row in figures["cell_lines"]] == ["BLCA", "other"]
    assert [row["n"] for row in figures["cell_lines"]] == [2, 2]
    assert {row["left_out"] for row in figures["left_out"]} == set(CODES)
    assert load_cancer_type_model(target).types == CODES


def test_the_command_wants_four_types(tmp_path: Path) -> None:
    with pytest.raises(InputDataError, match=r"0 cancer types are installed.*at least 4"):
        load_type_tumours(tmp_path)


# --- what is shipped ---


@pytest.fixture(scope="module")
def shipped() -> CancerTypeModel:
    return load_cancer_type_model()


def test_the_shipped_suggestion_is_what_its_card_says(shipped: CancerTypeModel) -> None:
    card = load_cancer_type_card()
    assert card["id"] == f"cancer_type-{card['weights_sha256'][:8]}"
    assert list(shipped.types) == card["types"] == list(card["training"]["tumours"])
    assert set(shipped.types) <= set(load_cancer_types())
    assert list(shipped.genes) == card["genes"] == list(order_genes(card["genes"]))
    assert card["inputs"]["n_genes"] == len(shipped.genes)
    assert card["inputs"]["minimal_genes"] == shipped.minimal_genes
    assert card["notice"] == RESEARCH_USE


def test_the_shipped_card_states_floor_intervals_and_unseen_types(
    shipped: CancerTypeModel,
) -> None:
    figures = load_cancer_type_card()["figures"]
    by_type = {row["type"]: row for row in figures["out_of_fold"]}
    assert set(by_type) == {*shipped.types, "all", "mean of types"}
    for name in (*shipped.types, "all"):
        row = by_type[name]
        assert row["lower"] <= row["right"] <= row["upper"]
        assert row["right"] + row["wrong"] + row["unclear"] == pytest.approx(1, abs=2e-4)
    assert by_type["all"]["right"] > by_type["all"]["floor"] + 0.4
    assert {row["left_out"] for row in figures["left_out"]} == set(shipped.types)


def test_demo_patients_look_like_lung_and_the_damaged_one_is_unclear(
    shipped: CancerTypeModel,
) -> None:
    demo = read_expression(ASSETS / "demo" / "patients.csv.gz").expression
    answers = shipped.suggest(demo).set_index("sample")
    assert answers["suggestion"].to_dict() == {
        "DEMO-1": "LUAD",
        "DEMO-2": "LUAD",
        "DEMO-3": "LUAD",
        "DEMO-4": UNCLEAR,
    }


def test_a_copy_of_the_shipped_folder_loads_alone(tmp_path: Path) -> None:
    shutil.copytree(models_folder() / CANCER_TYPE, tmp_path / "copy")
    assert load_cancer_type_model(tmp_path / "copy").genes


def test_panel_genes_alone_are_too_few_to_suggest(shipped: CancerTypeModel) -> None:
    few = draw_type(0, 1).values.set_axis(list(shipped.genes)[: len(GENES)], axis=1)
    answer = shipped.suggest(Expression(few)).iloc[0]
    assert answer["suggestion"] == UNCLEAR
    assert answer["n_genes"] == len(GENES)


@pytest.mark.data
@pytest.mark.parametrize(
    ("file", "code"),
    [
        ("gbm_3_patients_counts_ensembl.tsv.gz", "GBM"),
        ("luad_1_patient_tpm_symbols.csv", "LUAD"),
    ],
)
def test_real_uploads_get_their_type(
    data: Path, shipped: CancerTypeModel, file: str, code: str
) -> None:
    answers = shipped.suggest(read_expression(data / "uploads" / file).expression)
    assert set(answers["suggestion"]) == {code}
