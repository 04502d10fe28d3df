"""The catalogue of TCGA cancer types."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

from resvae_core.config import CATALOG, PROJECT_ROOT
from resvae_core.data.cancer_types import find_cancer_type, is_blood, load_cancer_types
from resvae_core.data.drugs import load_drugs
from resvae_core.errors import UnknownCohortError


def test_catalogue_has_the_33_cancer_types_of_tcga() -> None:
    types = load_cancer_types()
    assert len(types) == 33
    assert list(types) == sorted(types)
    assert all(kind.n_patients > 0 and kind.name for kind in types.values())


def test_every_first_line_drug_is_in_the_drug_catalogue() -> None:
    for kind in load_cancer_types().values():
        assert set(kind.first_line_drugs) <= set(load_drugs()), kind.code
        assert len(set(kind.first_line_drugs)) == len(kind.first_line_drugs), kind.code


def test_a_cancer_type_without_cell_lines_says_so() -> None:
    for kind in load_cancer_types().values():
        assert (kind.n_lines == 0) == (kind.gdsc_tissue == ""), kind.code
        assert ("No training line" in kind.note) == (kind.n_lines == 0), kind.code


@pytest.mark.parametrize("name", ["LUAD", "luad", "TCGA-LUAD", " Lung Adenocarcinoma "])
def test_a_cancer_type_is_found_by_code_or_name(name: str) -> None:
    assert find_cancer_type(name).code == "LUAD"


def test_an_unknown_cancer_type_is_refused_with_the_nearest() -> None:
    with pytest.raises(UnknownCohortError, match=r"'LUDA' is among the 33.*mean LUAD \(Lung"):
        find_cancer_type("LUDA")


def test_colon_and_rectum_share_the_label_of_the_lines() -> None:
    assert find_cancer_type("COAD").gdsc_tissue == find_cancer_type("READ").gdsc_tissue == "COREAD"


@pytest.mark.data
def test_the_shipped_catalogue_is_what_its_script_builds(data: Path) -> None:
    script = runpy.run_path(str(PROJECT_ROOT / "scripts/build_cohort_catalog.py"))
    built = script["build"](data).to_csv(index=False, lineterminator="\n")
    assert built == (CATALOG / "cohorts.csv").read_text(encoding="utf-8")


def test_blood_is_told_from_solid_tissue_by_its_label() -> None:
    labels = ["LAML", "MM", "LUAD", "unknown", "bone", "lymphoma"]
    assert is_blood(labels).tolist() == [True, True, False, False, False, True]
    blood = {kind.code for kind in load_cancer_types().values() if is_blood([kind.gdsc_tissue])[0]}
    assert blood == {"DLBC", "LAML"}
