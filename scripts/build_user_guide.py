"""Take every picture of the user guide, and the README's, from the dashboard itself.

    PYTHONPATH=. python scripts/build_user_guide.py              # all of them, into docs/
    PYTHONPATH=. python scripts/build_user_guide.py forest cut   # some, by name

Starts a dashboard of its own, without any real data, so that the pictures show what ships; every
patient in them is synthetic. Pictures of the settings come from a second one, on a small synthetic
installation, which trains for them. Needs Chromium on the path.
"""

from __future__ import annotations

import argparse
import io
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Browser, sync_playwright
from scipy.spatial import cKDTree

from resvae_core.config import PROJECT_ROOT
from tests.browser.dashboard import (
    FLAGS,
    Scheme,
    Server,
    Visitor,
    find_chromium,
    running_server,
    visit,
)
from tests.browser.journeys import (
    FAULT,
    load_demo,
    open_part,
    take_suggestion,
    take_upload,
    write_upload,
)
from tests.browser.training import COMPARE, fill_in, open_training, start
from tests.tiny_data import install_tiny_data

DOCS = PROJECT_ROOT / "docs"
WIDTH = 1280
COLOURS = 256
"""Colours of a picture: enough for text, marks and both grounds, at a third of the bytes."""
N_EXACT = 128
"""Of these, how many are the commonest ones as they are, so that grounds do not change."""
STILL_MS = 2500
"""After a script has ended, until figures are drawn and nothing moves."""


@dataclass(frozen=True)
class Picture:
    """One picture of the guide.

    Parameters
    ----------
    lead
        Leads a new visitor to what is shown.
    height
        Of the window, in pixels.
    scheme
        ``light`` or ``dark``.
    top
        Selector of what is scrolled to the top of the window; empty for the top of the page.
    only
        Selector of the one element that is shown; empty for the window.
    file
        Where it goes, within ``docs/``; ``images/<name>.png`` where empty.
    trains
        Whether it is of the installation with synthetic data.
    """

    lead: Callable[[Visitor, Path], None]
    height: int = 900
    scheme: Scheme = "light"
    top: str = ""
    only: str = ""
    file: str = ""
    trains: bool = False


def at_home(visitor: Visitor, folder: Path) -> None:
    """Stay on Home."""


def at_upload(visitor: Visitor, folder: Path) -> None:
    """Have a file read; it holds a synthetic patient."""
    visitor.follow("Upload & QC")
    take_upload(visitor, write_upload(folder / "synthetic.csv"))
    take_suggestion(visitor)


def of_patient(sample: str, page: str) -> Callable[[Visitor, Path], None]:
    """Return what leads to a page with a synthetic patient."""

    def lead(visitor: Visitor, folder: Path) -> None:
        load_demo(visitor, sample)
        if page != "Overview":
            visitor.follow(page)

    return lead


def at_tour(visitor: Visitor, folder: Path) -> None:
    """Take the tour to its third step."""
    visitor.page.get_by_role("button", name="Take the tour").click()
    for page in ("Upload & QC", "Overview"):
        visitor.at(page)
        visitor.page.get_by_role("button", name="Next").click()
    visitor.at("Drug")


def at_link(link: str, heading: str, part: str = "") -> Callable[[Visitor, Path], None]:
    """Return what leads to an address, and to a tab of its page."""

    def lead(visitor: Visitor, folder: Path) -> None:
        visitor.open(link)
        visitor.at(heading)
        if part:
            open_part(visitor, part)

    return lead


def at_form(visitor: Visitor, folder: Path) -> None:
    """Fill in what is to be trained."""
    open_training(visitor)
    fill_in(visitor, "practice", "VAE_LS", "Random forest")


def at_training(visitor: Visitor, folder: Path) -> None:
    """Start a training, unless one runs or has run, and wait until folds are judged."""
    open_training(visitor)
    if visitor.page.get_by_text("Train practice").count() == 0:
        fill_in(visitor, "practice", "VAE_LS", "Random forest")
        start(visitor)
    judged = visitor.page.get_by_text(re.compile("ROC AUC so far: .* over [3-9] folds"))
    judged.or_(visitor.page.get_by_role("button", name=COMPARE)).first.wait_for(timeout=TRAINING_MS)


def at_candidate(visitor: Visitor, folder: Path) -> None:
    """Wait for the training's candidate and hold it against the active set."""
    at_training(visitor, folder)
    compare = visitor.page.get_by_role("button", name=COMPARE)
    compare.wait_for(timeout=TRAINING_MS)
    compare.click()
    visitor.page.get_by_text(re.compile("Gates: ")).wait_for(timeout=TRAINING_MS)
    visitor.settle()


TRAINING_MS = 600_000
"""The longest that a small training takes on a busy machine."""
TABS = '[data-testid="stTabs"]'
PLANTED = "/survival?cohort=DEMO&gene=TFF1"
PICTURES = {
    "home": Picture(at_home),
    "upload": Picture(at_upload, top='[data-testid="stMainBlockContainer"]'),
    "overview": Picture(of_patient("DEMO-2", "Overview"), height=1200, file="overview.png"),
    "headline": Picture(
        of_patient("DEMO-1", "Overview"),
        only='[data-testid="stVerticalBlock"]:has(h3:has-text("▲ Resistant"))',
    ),
    "drug": Picture(of_patient("DEMO-1", "Drug"), top='h3:has-text("What each model says")'),
    "why": Picture(of_patient("DEMO-1", "Why?"), top=TABS),
    "report": Picture(of_patient("DEMO-1", "Report"), height=1250),
    "uncertain": Picture(of_patient("DEMO-3", "Overview"), height=700),
    "out-of-range": Picture(of_patient("DEMO-4", "Overview"), height=700),
    "tour": Picture(at_tour),
    "overview-dark": Picture(of_patient("DEMO-1", "Overview"), scheme="dark"),
    "biomarkers": Picture(
        at_link("/biomarkers?cohort=LUAD&study=Cisplatin&gene=PDGFB", "Biomarkers"), height=1250
    ),
    "survival": Picture(at_link(PLANTED, "Survival"), height=1350),
    "cut": Picture(at_link(PLANTED, "Survival", "Searching a cut"), top=TABS),
    "forest": Picture(at_link(PLANTED, "Survival", "Adjusted"), top=TABS),
    "survival-dark": Picture(at_link(PLANTED, "Survival"), height=1350, scheme="dark"),
    "models": Picture(at_link("/models", "Models"), top=TABS),
    "settings": Picture(at_form, top=TABS, trains=True),
    "settings-running": Picture(at_training, height=1150, top=TABS, trains=True),
    "settings-sets": Picture(at_candidate, height=1250, top=TABS, trains=True),
}


def main() -> None:
    """Take the pictures that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="all if none is named", metavar="NAME")
    names = parser.parse_args().names or list(PICTURES)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        with two_servers(Path(folder)) as servers:
            for name in names:
                server = servers[PICTURES[name].trains]
                content = take(PICTURES[name], browser, server, Path(folder))
                file = DOCS / (PICTURES[name].file or f"images/{name}.png")
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(content)
                print(f"{file.relative_to(PROJECT_ROOT)}: {len(content) / 1000:.0f} kB")
        browser.close()


@contextmanager
def two_servers(folder: Path) -> Iterator[dict[bool, Server]]:
    """Start a dashboard without data and one with a synthetic installation, each on its own."""
    environments = {}
    for trains, name in ((False, "plain"), (True, "training")):
        place = folder / name
        place.mkdir()
        environments[trains] = {
            "RESVAE_STATE": str(place / "state"),
            "RESVAE_DATA": str(place / "data"),
            "RESVAE_ENGINE": "serial",
        }
    install_tiny_data(folder / "training" / "data")
    with (
        running_server(folder / "plain", environments[False]) as plain,
        running_server(folder / "training", environments[True]) as training,
    ):
        yield {False: plain, True: training}
    shutil.rmtree(folder / "training" / "state", ignore_errors=True)  # its worker ends without it


def take(picture: Picture, browser: Browser, server: Server, folder: Path) -> bytes:
    """Return a picture as the bytes of a PNG file."""
    with visit(browser, server.address, picture.scheme) as visitor:
        visitor.page.set_viewport_size({"width": WIDTH, "height": picture.height})
        visitor.open("/")
        visitor.page.get_by_role("heading", level=1).wait_for()
        picture.lead(visitor, folder)
        visitor.page.mouse.move(0, 0)  # what it pointed at shows buttons
        visitor.page.wait_for_timeout(STILL_MS)
        visitor.settle()
        assert FAULT not in visitor.words()
        if picture.top:
            visitor.page.locator(picture.top).first.evaluate("place => place.scrollIntoView()")
            visitor.page.wait_for_timeout(500)
        place = visitor.page.locator(picture.only).last if picture.only else visitor.page
        return fewer_colours(place.screenshot(animations="disabled", caret="hide"))


def fewer_colours(content: bytes) -> bytes:
    """Return a PNG with a palette, a third of the size; its commonest colours are kept exactly."""
    picture = Image.open(io.BytesIO(content)).convert("RGB")
    pixels = np.asarray(picture).reshape(-1, 3)
    colours, place, times = np.unique(pixels, axis=0, return_inverse=True, return_counts=True)
    exact = colours[np.argsort(-times, kind="stable")[:N_EXACT]]
    rest = picture.quantize(COLOURS - N_EXACT, method=Image.Quantize.MAXCOVERAGE).getpalette()
    palette = np.vstack([exact, np.reshape(rest, (-1, 3))]).astype(np.uint8)
    nearest = cKDTree(palette).query(colours)[1].astype(np.uint8)
    small = Image.fromarray(nearest[place.ravel()].reshape(picture.height, picture.width))
    small.putpalette(palette.tobytes())
    out = io.BytesIO()
    small.save(out, format="PNG", optimize=True)
    return out.getvalue()


if __name__ == "__main__":
    main()
