"""The nine drugs of each transfer cohort."""

from __future__ import annotations

from pathlib import Path

import pytest

from resvae_core.data.drugs import load_drugs
from resvae_core.data.transfer_drugs import LINES, TRANSFER_COHORTS, load_transfer_drugs
from resvae_core.errors import CatalogError

# the same active substance, screened under two names
ONE_SUBSTANCE = ({"Irinotecan", "SN-38"}, {"Camptothecin", "SN-38"}, {"PLX-4720", "Dabrafenib"})


@pytest.mark.parametrize("code", TRANSFER_COHORTS)
def test_each_cohort_has_nine_drugs_that_the_models_know(code: str) -> None:
    names = [entry.drug for entry in load_transfer_drugs()[code]]
    assert len(names) == len(set(names)) == 9
    assert set(names) <= set(load_drugs())
    assert not any(pair <= set(names) for pair in ONE_SUBSTANCE)


def test_every_row_says_line_setting_and_source() -> None:
    for entries in load_transfer_drugs().values():
        for entry in entries:
            assert entry.line in LINES
            assert entry.setting, entry.drug
            assert entry.source.startswith("US label of") or " et al. " in entry.source


def test_the_drugs_that_the_source_work_and_the_responses_ask_for_are_in() -> None:
    names = {code: {e.drug for e in entries} for code, entries in load_transfer_drugs().items()}
    assert names["LUAD"] >= {"Gefitinib", "Cisplatin", "Paclitaxel"}
    assert names["BLCA"] >= {"Gemcitabine", "Cisplatin"}
    assert names["STAD"] >= {"5-Fluorouracil", "Cisplatin", "Epirubicin"}
    assert names["PAAD"] >= {"Gemcitabine", "5-Fluorouracil"}


def test_glioblastoma_is_said_to_have_one_first_line_drug() -> None:
    first = [e.drug for e in load_transfer_drugs()["GBM"] if "first" in e.line]
    assert first == ["Temozolomide"]


def test_a_broken_catalogue_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "transfer_drugs.csv"
    header = "code,drug,line,setting,source\n"
    path.write_text(header + "LUAD,Cisplatin,best,advanced,US label of cisplatin\n")
    with pytest.raises(CatalogError, match=r"transfer_drugs\.csv cannot be read.*best.*Restore"):
        load_transfer_drugs(path)
    with pytest.raises(CatalogError, match=r"nothing\.csv cannot be read"):
        load_transfer_drugs(tmp_path / "nothing.csv")
