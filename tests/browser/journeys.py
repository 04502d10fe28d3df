"""The three journeys that the dashboard is made for, each from its start to its end.

`test_three_journeys.py` judges them, `benchmarks/journeys.py` times them.
"""

from __future__ import annotations

import gzip
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import Browser, ViewportSize, expect

from pages.components.frame import PAGES
from resvae_core.config import ASSETS
from tests.browser.dashboard import Visitor, visit

FAULT = "Something went wrong"
SAMPLE = "tumour-7"
DRUG = "Cisplatin"
expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong
WINDOW: ViewportSize = {"width": 1400, "height": 1300}
HEADER_PX = 35
"""Height of a table's header and of its rows."""
GROUNDS = {"light": "rgb(255, 255, 255)", "dark": "rgb(14, 17, 23)"}


@dataclass
class Diary:
    """What a journey's steps looked like, and how long they took.

    Parameters
    ----------
    folder
        Where the pictures go; nothing is kept where None.
    steps
        Step to the seconds since the start, time for pictures not counted.
    """

    folder: Path | None = None
    steps: dict[str, float] = field(default_factory=dict)
    _started: float = field(default_factory=time.perf_counter)

    def note(self, visitor: Visitor, step: str) -> None:
        """Keep when a step was reached, and a picture of it; no step may show a fault."""
        self.steps[step] = time.perf_counter() - self._started
        assert FAULT not in visitor.words(), step
        if self.folder is not None:
            self.folder.mkdir(parents=True, exist_ok=True)
            name = f"{len(self.steps):02d}-{step.replace(' ', '-')}.png"
            before = time.perf_counter()
            visitor.page.screenshot(path=self.folder / name)
            self._started += time.perf_counter() - before


def write_upload(file: Path) -> Path:
    """Write a synthetic patient as a user's own file would look: TPM, a study code as its name."""
    with gzip.open(ASSETS / "demo" / "patients.csv.gz", "rt", encoding="utf-8") as patients:
        header, *rows = (line.split(",")[:2] for line in patients)
    assert header[1].startswith("DEMO-1")
    lines = (",".join(row) for row in [("gene", SAMPLE), *rows])
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def take_upload(visitor: Visitor, file: Path) -> None:
    """Hand a file to the page Upload & QC, and wait until it has been read."""
    visitor.page.locator("input[type=file]").set_input_files(file)
    visitor.page.get_by_role("button", name="See all drugs").wait_for(timeout=60_000)
    visitor.settle()


def take_suggestion(visitor: Visitor) -> None:
    """Use the cancer type that the expression suggests."""
    visitor.page.get_by_role("button", name="Use lung adenocarcinoma").click()
    expect(visitor.box("Cancer type")).to_have_value(re.compile("LUAD"))
    visitor.settle()


def pick(visitor: Visitor, label: str, option: str) -> None:
    """Choose an option of a box by its words."""
    visitor.box(label).fill(option)
    visitor.page.get_by_role("option", name=option).first.click()
    visitor.settle()


def open_part(visitor: Visitor, name: str) -> None:
    """Open a tab of the page."""
    visitor.page.get_by_role("tab", name=name, exact=True).click()
    visitor.settle()


def load_demo(visitor: Visitor, sample: str) -> None:
    """Load a synthetic patient on Home."""
    visitor.follow("Home", PAGES["home"].heading)
    visitor.page.get_by_role("button", name=f"Load {sample}").click()
    visitor.at("Overview")


def _read(visitor: Visitor, *patterns: str) -> None:
    """Expect to read something on the page, each as a regular expression."""
    for pattern in patterns:
        expect(visitor.page.get_by_test_id("stMain")).to_contain_text(re.compile(pattern))


def save_pdf(visitor: Visitor, folder: Path) -> Path:
    """Download the report of the page Report."""
    with visitor.page.expect_download(timeout=30_000) as download:
        visitor.page.get_by_role("button", name=re.compile("PDF")).first.click()
    file = folder / download.value.suggested_filename
    download.value.save_as(file)
    return file


def oncologist(visitor: Visitor, diary: Diary, file: Path) -> Path:
    """One sample: upload, verdict, call, models, genes, report; return the saved PDF."""
    visitor.page.set_viewport_size(WINDOW)
    visitor.open("/")
    visitor.at(PAGES["home"].heading)
    diary.note(visitor, "home")
    visitor.page.get_by_role("button", name="Upload a profile").click()
    visitor.at("Upload & QC")
    take_upload(visitor, file)
    take_suggestion(visitor)
    _read(
        visitor,
        r"19,\d{3} of 19,\d{3} genes, looks like TPM; lung adenocarcinoma stated; "
        "expression agrees; in range",
    )
    diary.note(visitor, "verdict")

    visitor.page.get_by_role("button", name="See all drugs").click()
    visitor.at("Overview")
    pick(visitor, "Drug", DRUG)
    _read(
        visitor,
        f"{DRUG}: ▲ Resistant",
        r"Probability of resistance 0\.\d\d \(90 % interval 0\.\d\d–[01]\.\d\d",
        r"Of 100 cell lines .* about \d+ to be resistant",
        r"\d of 5 models leans? resistant",
        r"Drug and tissue alone, without this profile, would say 0\.\d\d",
    )
    assert f"drug={DRUG}" in visitor.page.url
    diary.note(visitor, "overview")

    visitor.follow("Drug")
    for model in ("Ensemble of five", "VAE_LL", "VAE_LS", "VAE_LD", "Random forest", "XGBoost"):
        expect(visitor.page.locator(".ytick", has_text=model).first).to_be_visible()
    diary.note(visitor, "drug")

    visitor.follow("Why?")
    _read(visitor, "Base and attributions add up to the score")
    expect(visitor.page.get_by_test_id("stPlotlyChart").first).to_be_visible()
    diary.note(visitor, "why")
    for part in ("Shared by the models", "Pathways"):
        open_part(visitor, part)
        diary.note(visitor, part.lower())

    visitor.follow("Report")
    diary.note(visitor, "report")
    assert SAMPLE not in visitor.page.url
    assert file.name not in visitor.page.url
    report = save_pdf(visitor, file.parent)
    diary.note(visitor, "report saved")
    return report


def scientist(visitor: Visitor, diary: Diary, chromium: Browser) -> None:
    """A cohort: findings from a link, a gene to the basket, survival with an honest cut."""
    visitor.page.set_viewport_size(WINDOW)
    visitor.open("/biomarkers?cancer=LUAD&drug=Gefitinib")
    visitor.at("Biomarkers")
    expect(visitor.box("Cohort")).to_have_value(re.compile("LUAD"))
    expect(visitor.box("Predicted resistance to")).to_have_value("Gefitinib")
    diary.note(visitor, "biomarkers")
    for switch in ("Still there given general resistance", "Without flagged genes"):
        visitor.page.get_by_text(switch).click()
        visitor.settle()
    gene = _open_first_row(visitor)
    diary.note(visitor, "gene")
    visitor.page.get_by_role("button", name=f"Put {gene} in the basket").click()
    visitor.page.get_by_text(f"Basket: {gene}").wait_for()

    visitor.page.get_by_role("link", name=f"Survival by {gene}").click()
    visitor.at("Survival")
    expect(visitor.box("Gene")).to_have_value(gene)
    expect(visitor.box("Cohort")).to_have_value(re.compile("LUAD"))
    _read(visitor, "log-rank test p")
    diary.note(visitor, "survival at the median")
    pick(visitor, "Cohort", "Demonstration cohort")
    expect(visitor.box("Gene")).to_have_value(gene)
    pick(visitor, "Groups", "Best-separating cut")
    _read(visitor, "corrected p = ", "Prognostic, not predictive")
    diary.note(visitor, "survival at a searched cut")

    _expect_same_view(chromium, visitor)
    open_part(visitor, "Table")
    expect(visitor.page.get_by_test_id("stDataFrame").first).to_be_visible()
    diary.note(visitor, "table")
    visitor.page.get_by_text("Methods text").click()
    methods = visitor.page.get_by_test_id("stCode").first
    expect(methods).to_contain_text("log-rank")
    methods.scroll_into_view_if_needed()
    diary.note(visitor, "methods text")
    visitor.page.get_by_role("radio", name="A signature of genes").click()
    visitor.settle()
    expect(visitor.page.get_by_role("textbox", name="Genes of the signature")).to_have_value(gene)
    diary.note(visitor, "signature")


def _open_first_row(visitor: Visitor) -> str:
    """Sort the page's table by direction, select its first row, and return the gene that opens."""
    table = visitor.page.get_by_test_id("stDataFrame").last
    table.scroll_into_view_if_needed()
    first = table.get_by_role("gridcell", include_hidden=True).first
    unsorted = first.text_content()
    box = table.bounding_box()
    assert box is not None
    visitor.page.mouse.click(box["x"] + 180, box["y"] + HEADER_PX / 2)
    expect(first).not_to_have_text(unsorted or "")
    gene = first.text_content() or ""
    visitor.page.mouse.click(box["x"] + 15, box["y"] + 1.5 * HEADER_PX)
    visitor.page.get_by_role("link", name=f"Survival by {gene}").wait_for()
    visitor.settle()
    return gene


def _expect_same_view(chromium: Browser, visitor: Visitor) -> None:
    """Expect another person to see the same at the address that the visitor has now."""
    seen = visitor.words()
    link = visitor.page.url
    with visit(chromium, visitor.address) as other:
        other.open(link.removeprefix(visitor.address))
        other.at("Survival")
        place = other.page.get_by_test_id("stMain")
        expect(place).to_have_text(seen, use_inner_text=True, timeout=30_000)
        assert other.page.url == link


def demonstration(visitor: Visitor, diary: Diary, folder: Path) -> Path:
    """Synthetic patients: every page, the tour, the ones without a call, dark mode, the PDF."""
    visitor.page.set_viewport_size(WINDOW)
    visitor.open("/")
    visitor.page.get_by_role("button", name="Load a demo patient").click()
    visitor.at("Overview")
    diary.note(visitor, "demo patient")
    visitor.page.get_by_role("link", name=re.compile("Genes behind")).click()
    visitor.at("Why?")
    _follow_first_gene(visitor)
    diary.note(visitor, "survival by a gene")
    _see_every_page(visitor, diary)
    visitor.follow("Models")
    open_part(visitor, "Cards")
    _read(visitor, "Diagnosis, or choosing")
    diary.note(visitor, "model cards")
    _take_the_tour(visitor, diary)
    load_demo(visitor, "DEMO-3")
    _read(visitor, f"{DRUG}: ◆ Uncertain", "the interval includes this model's limit")
    diary.note(visitor, "uncertain")
    load_demo(visitor, "DEMO-4")
    for page in ("Overview", "Drug", "Why?", "Report"):
        visitor.follow(page)
        _read(visitor, "Not assessable")
        assert not re.search(r": [▲▼] ", visitor.words()), page
    diary.note(visitor, "out of range")
    load_demo(visitor, "DEMO-1")
    _turn(visitor, "dark")
    diary.note(visitor, "dark")
    visitor.follow("Report")
    diary.note(visitor, "report dark")
    return save_pdf(visitor, folder)


def _follow_first_gene(visitor: Visitor) -> None:
    """Go from a gene of the explanation to survival by it."""
    genes = visitor.page.get_by_test_id("stMain").get_by_test_id("stPageLink")
    gene = genes.first.inner_text().strip().split("\n")[-1]
    genes.first.get_by_role("link").click()
    visitor.at("Survival")
    expect(visitor.box("Gene")).to_have_value(gene)


def _see_every_page(visitor: Visitor, diary: Diary) -> None:
    """Follow the menu; with a demo patient each page of results has a figure or a table."""
    for page in PAGES.values():
        visitor.follow(page.title, page.heading or None)
        diary.note(visitor, page.title.lower().strip("?"))
        assert "No sample yet" not in visitor.words()
        if page.title not in ("Home", "Settings"):
            shown = "[data-testid=stPlotlyChart], [data-testid=stDataFrame], iframe"
            expect(visitor.page.locator(shown).filter(visible=True).first).to_be_visible()


def _take_the_tour(visitor: Visitor, diary: Diary) -> None:
    """Take three steps of the tour and leave it."""
    visitor.follow("Home", PAGES["home"].heading)
    visitor.page.get_by_role("button", name="Take the tour").click()
    for step, page in enumerate(("Upload & QC", "Overview", "Drug"), start=1):
        visitor.at(page)
        expect(visitor.page.get_by_text(re.compile(rf"^Step {step} of \d+"))).to_be_visible()
        if step < 3:
            visitor.page.get_by_role("button", name="Next").click()
    diary.note(visitor, "tour")
    visitor.page.get_by_role("button", name="Leave the tour").click()
    visitor.page.get_by_text(re.compile(r"^Step \d+ of")).wait_for(state="detached")


def _turn(visitor: Visitor, scheme: str) -> None:
    """Let the system ask for the dark or the light look; the page follows."""
    visitor.page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    ground = visitor.page.get_by_test_id("stApp")
    expect(ground).to_have_css("background-color", GROUNDS[scheme])
