"""Time from a cold start to a painted Home page, and time of page switches, in a real Chromium.

    PYTHONPATH=. python benchmarks/dashboard_speed.py

Needs Chromium on the path. A switch counts from the click until the new page is painted.
"""

from __future__ import annotations

import re
import statistics
import subprocess
import sys
import time

from playwright.sync_api import Error, sync_playwright

from resvae_core.config import PROJECT_ROOT
from tests.browser.dashboard import FLAGS, Visitor, find_chromium

PORT = 8799
ADDRESS = f"http://127.0.0.1:{PORT}"
PAGES = (
    *("Upload & QC", "Overview", "Drug", "Why?", "Similar", "Report"),
    *("Biomarkers", "Survival", "Cohort", "Models"),
)
N_ROUNDS = 5
NOT_YET = ("ERR_CONNECTION_REFUSED", "chrome-error://")
"""What Chromium says while the server does not listen; the second as its error page opens."""


def main() -> None:
    """Print a table of times."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        visitor = Visitor(browser.new_page(viewport={"width": 1400, "height": 900}), ADDRESS)
        start = time.perf_counter()
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(PORT)]
        server = subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            open_home(visitor)
            seconds = time.perf_counter() - start
            print(f"| cold start of the server to Home painted | {seconds:.2f} s |")
            visitor.page.get_by_role("button", name=re.compile("Load")).first.click()
            visitor.finish("Overview")
            print_switches(visitor)
        finally:
            server.terminate()
            server.wait(timeout=30)
            browser.close()


def open_home(visitor: Visitor) -> None:
    """Ask for Home until the server answers, and wait until it is painted."""
    while True:
        try:
            visitor.page.goto(ADDRESS)
            break
        except Error as refused:
            if not any(word in str(refused) for word in NOT_YET):
                raise
            time.sleep(0.05)
    visitor.page.get_by_role("heading", level=1).first.wait_for(timeout=60_000)
    visitor.finish()


def print_switches(visitor: Visitor) -> None:
    """Print first and median time of a switch to every page."""
    seconds: dict[str, list[float]] = {title: [] for title in PAGES}
    for _ in range(N_ROUNDS):
        for title in PAGES:
            start = time.perf_counter()
            visitor.menu.get_by_role("link", name=title, exact=True).click()
            visitor.finish(title)
            seconds[title].append(time.perf_counter() - start)
    for title, times in seconds.items():
        warm = statistics.median(times[1:])
        print(f"| switch to {title}: first, then median | {times[0]:.2f} s, {warm:.2f} s |")


if __name__ == "__main__":
    main()
