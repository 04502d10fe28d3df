"""The drug catalogue: complete, findable, honest about its thresholds."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from resvae_core.config import CATALOG, PROJECT_ROOT
from resvae_core.data.drugs import find_drug, load_drugs
from resvae_core.errors import CatalogError, UnknownDrugError


def test_catalogue_has_the_working_set_of_26_chemotherapies_and_46_targeted_drugs() -> None:
    drugs = load_drugs().values()
    assert len(drugs) == 72
    assert sum(drug.drug_class == "chemotherapy" for drug in drugs) == 26
    assert sum(drug.drug_class == "targeted" for drug in drugs) == 46


def test_every_drug_says_target_threshold_and_source() -> None:
    for drug in load_drugs().values():
        assert drug.target, drug.name
        assert drug.pathway, drug.name
        assert math.isfinite(drug.threshold_ln_ic50), drug.name
        wanted = "Table S5C" if drug.screen == "GDSC1" else "15th percentile"
        assert wanted in drug.threshold_source, drug.name


def test_drug_ids_are_unique() -> None:
    ids = [drug.drug_id for drug in load_drugs().values()]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("gefitinib", "Gefitinib"),
        ("IRESSA", "Gefitinib"),
        ("5 fu", "5-Fluorouracil"),
        ("nutlin-3a", "Nutlin-3a (-)"),
        ("sirolimus", "Rapamycin"),
        ("torisel", "Temsirolimus"),
        ("abt 199", "Venetoclax"),
        ("azacitidine", "5-azacytidine"),
    ],
)
def test_a_drug_is_found_by_name_or_synonym_whatever_case_and_hyphens(
    written: str, name: str
) -> None:
    assert find_drug(written).name == name


def test_no_name_or_synonym_means_two_drugs() -> None:
    owner: dict[str, str] = {}
    for drug in load_drugs().values():
        for name in {drug.name, *drug.synonyms}:
            key = name.casefold().replace("-", "").replace(" ", "")
            assert owner.setdefault(key, drug.name) == drug.name, name


def test_an_unknown_drug_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(UnknownDrugError, match=r"'gefitnib' is among the 72.*mean Gefitinib"):
        find_drug("gefitnib")


@pytest.mark.parametrize(
    "name", ["Temozolomide", "Dacarbazine", "Ribociclib", "Ruxolitinib", "Gefitinib"]
)
def test_drugs_whose_ln_ic50_is_extrapolated_are_of_low_confidence(name: str) -> None:
    drug = load_drugs()[name]
    assert drug.low_confidence
    assert "below the top dose" in drug.low_confidence_reason
    assert drug.threshold_above_top_dose


def test_low_confidence_follows_the_stated_rule() -> None:
    for drug in load_drugs().values():
        expected = drug.fraction_below_top_dose < 0.10 or drug.rho_ln_ic50_auc < 0.50
        assert drug.low_confidence == expected, drug.name
        assert bool(drug.low_confidence_reason) == drug.low_confidence, drug.name


def test_a_threshold_above_the_top_dose_is_noted() -> None:
    for drug in load_drugs().values():
        assert ("above the top dose" in drug.note) == drug.threshold_above_top_dose, drug.name


def test_threshold_is_also_given_as_a_concentration() -> None:
    drug = load_drugs()["Cisplatin"]
    assert drug.threshold_um == pytest.approx(math.exp(drug.threshold_ln_ic50))


def test_a_broken_catalogue_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "drugs.csv"
    path.write_text("name,target\nCisplatin,DNA\n")
    with pytest.raises(CatalogError, match=r"drugs\.csv cannot be read.*build_drug_catalog"):
        load_drugs(path)


@pytest.mark.data
def test_the_shipped_catalogue_is_what_its_script_builds(data: Path) -> None:
    script = runpy.run_path(str(PROJECT_ROOT / "scripts/build_drug_catalog.py"))
    built = script["build"](data / "gdsc").to_csv(index=False, lineterminator="\n")
    assert built == (CATALOG / "drugs.csv").read_text(encoding="utf-8")


@pytest.mark.data
def test_gdsc2_thresholds_are_the_15th_percentile_of_all_lines_screened(data: Path) -> None:
    response = pd.read_parquet(data / "gdsc/response.parquet")
    screened = response[response["dataset"] == "GDSC2"].groupby("drug_id")["ln_ic50"]
    quantiles = screened.quantile(0.15)
    for drug in load_drugs().values():
        if drug.screen == "GDSC2":
            assert drug.threshold_ln_ic50 == pytest.approx(quantiles[drug.drug_id], abs=1e-12)
            assert drug.n_lines_screened == len(screened.get_group(drug.drug_id))


@pytest.mark.data
def test_gdsc1_thresholds_are_those_of_table_s5c(data: Path) -> None:
    published = pd.read_csv(data / "gdsc/thresholds.csv").set_index("drug_id")
    gdsc1 = [drug for drug in load_drugs().values() if drug.screen == "GDSC1"]
    assert len(gdsc1) == 7
    for drug in gdsc1:
        expected = published.loc[drug.drug_id, "threshold_ln_ic50"]
        assert drug.threshold_ln_ic50 == pytest.approx(expected, abs=1e-4)


@pytest.mark.data
def test_release_82_is_used_only_where_it_agrees_with_the_current_release(data: Path) -> None:
    response = pd.read_parquet(data / "gdsc/response.parquet")
    wide = response.pivot_table(
        index=["drug_id", "cosmic_id"], columns="dataset", values="ln_ic50"
    )[["GDSC2", "GDSC2_r8.2"]].dropna()
    for drug in load_drugs().values():
        if drug.uses_release_82:
            both = wide.loc[drug.drug_id]
            shift = float((both["GDSC2_r8.2"] - both["GDSC2"]).median())
            assert np.corrcoef(both.to_numpy().T)[0, 1] >= 0.95, drug.name
            assert abs(shift) <= 0.25, drug.name
