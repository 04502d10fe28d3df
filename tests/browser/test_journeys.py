from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from pages.components.frame import PAGES
from pages.components.resources import demo_stories
from resvae_core.config import RESEARCH_USE

STORIES = {story["story"]: story for story in demo_stories()}
PATHS = {name: "/" if name == "home" else f"/{name}" for name in PAGES}


def load_demo(visitor, story: str) -> dict[str, str]:
    chosen = STORIES[story]
    visitor.open("/")
    visitor.page.get_by_role("button", name=f"Load {chosen['sample']}").click()
    visitor.at("Overview")
    return chosen


def test_first_visit_by_a_deep_link_shows_our_menu_and_the_link_s_choices(first_visitor) -> None:
    first_visitor.open("/overview?cancer=LUAD&drug=Gefitinib&model=elastic_net")
    first_visitor.at("Overview")
    labels = [page.title for page in PAGES.values()]
    links = first_visitor.menu.get_by_role("link")
    expect(links).to_have_text([re.compile(rf"{re.escape(label)}$") for label in labels])
    expect(first_visitor.box("Drug")).to_have_value("Gefitinib")
    assert "No sample yet" in first_visitor.words()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_by_its_own_address(visitor, name: str) -> None:
    visitor.open(PATHS[name])
    visitor.at(PAGES[name].heading or PAGES[name].title)
    words = visitor.words()
    assert words.count(RESEARCH_USE) >= 2
    assert "Something went wrong" not in words
    assert "ResVAE" in visitor.page.title()


def test_reload_keeps_choices_in_the_address_and_nothing_of_the_patient(visitor) -> None:
    chosen = load_demo(visitor, "sensitive")
    visitor.box("Model").click()
    visitor.page.get_by_role("option", name="Elastic net").click()
    visitor.settle()
    address = visitor.page.url
    assert f"cancer={chosen['cancer_type']}" in address
    assert f"drug={chosen['drug']}" in address
    assert "model=elastic_net" in address
    assert chosen["sample"] not in address
    visitor.page.reload()
    visitor.at("Overview")
    assert visitor.page.url == address
    expect(visitor.box("Drug")).to_have_value(chosen["drug"])
    expect(visitor.box("Model")).to_have_value("Elastic net")
    assert "No sample yet" in visitor.words()
    assert chosen["sample"] not in visitor.words()


def test_back_button_returns_to_the_page_before(visitor) -> None:
    load_demo(visitor, "resistant")
    visitor.follow("Drug")
    visitor.page.go_back()
    visitor.at("Overview")
    assert "Resistant" in visitor.words()


@pytest.mark.data
def test_upload_of_a_real_file_leads_to_a_ranking(visitor, data: Path) -> None:
    visitor.open("/upload?cancer=LUAD")
    file = data / "uploads" / "luad_3_patients_counts_ensembl.tsv.gz"
    visitor.page.locator("input[type=file]").set_input_files(file)
    visitor.page.get_by_role("button", name="See all drugs").wait_for(timeout=60_000)
    words = visitor.words()
    assert "read counts" in words or "counts" in words
    assert "3 samples" in words
    visitor.page.get_by_role("button", name="See all drugs").click()
    visitor.at("Overview")
    assert "72 drugs" in visitor.words()
    sample = visitor.box("Sample").input_value()
    assert sample
    assert sample not in visitor.page.url
    assert file.name not in visitor.page.url


def test_broken_file_says_what_where_and_how_and_leaves_the_earlier_sample(
    visitor, server, tmp_path: Path
) -> None:
    chosen = load_demo(visitor, "resistant")
    visitor.follow("Upload & QC")
    broken = tmp_path / "jane_doe.csv"
    broken.write_text("gene,P1,P2\nTP53,5.1,6.0\nEGFR,n.d.,7.2\nKRAS,4.0,oops\nMYC,3.1,2.2\n")
    visitor.page.locator("input[type=file]").set_input_files(broken)
    alert = visitor.page.get_by_test_id("stAlert").first
    alert.wait_for(timeout=60_000)
    said = alert.inner_text()
    assert "oops" in said or "n.d." in said or "row" in said
    assert len(said.strip().split("\n\n")) >= 2
    assert "sample from before is still here" in visitor.words()
    visitor.follow("Overview")
    expect(visitor.box("Sample")).to_have_value(chosen["sample"])
    assert f"{chosen['drug']}: ▲ Resistant" in visitor.words()
    assert "jane" not in server.log().lower()
