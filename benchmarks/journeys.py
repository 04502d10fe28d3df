"""How long the three journeys take in a real Chromium, the oncologist's above all.

    PYTHONPATH=. python benchmarks/journeys.py

Needs Chromium on the path. Every step counts from the start of its journey, on a server that
nobody has visited, until the step's page is there and its script has finished; what was loaded
and predicted for it is within. Time that a person reads is not. Limit: the oncologist's journey,
from Home to the saved PDF, in 60 s.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from tests.browser.dashboard import FLAGS, find_chromium, running_server, visit
from tests.browser.journeys import Diary, demonstration, oncologist, scientist, write_upload


def main() -> None:
    """Take the journeys and print their steps."""
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        for name in ("oncologist", "scientist", "demonstration"):
            print_steps(name, take(name, browser, Path(folder)))
        browser.close()


def take(name: str, browser: Browser, folder: Path) -> Diary:
    """Take one journey on a server of its own."""
    diary = Diary()
    with running_server(folder) as server, visit(browser, server.address) as visitor:
        diary = Diary()
        if name == "oncologist":
            oncologist(visitor, diary, write_upload(folder / "sample.csv"))
        elif name == "scientist":
            scientist(visitor, diary, browser)
        else:
            demonstration(visitor, diary, folder)
            diary.note(visitor, "report saved")
    return diary


def print_steps(name: str, diary: Diary) -> None:
    """Print a table of steps."""
    print(
        f"\n## {name.capitalize()}\n\n| step | reached after | of which this step |\n|---|---|---|"
    )
    before = 0.0
    for step, seconds in diary.steps.items():
        print(f"| {step} | {seconds:.1f} s | {seconds - before:.1f} s |")
        before = seconds


if __name__ == "__main__":
    main()
