"""Time from a cold start to a painted Home page, and time of page switches, in a real Chromium.

    PYTHONPATH=. python benchmarks/dashboard_speed.py

Needs Chromium on the path. A switch counts from the click until the new page's heading is there and
its script has finished.
"""

from __future__ import annotations

import re
import shutil
import statistics
import subprocess
import sys
import time

from playwright.sync_api import Error, Page, sync_playwright

from resvae_core.config import PROJECT_ROOT

PORT = 8799
ADDRESS = f"http://127.0.0.1:{PORT}"
READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'
PAGES = (
    *("Upload & QC", "Overview", "Drug", "Why?", "Similar", "Report"),
    *("Biomarkers", "Survival", "Cohort", "Models"),
)
N_ROUNDS = 5
NOT_YET = ("ERR_CONNECTION_REFUSED", "chrome-error://")
"""What Chromium says while the server does not listen; the second as its error page opens."""
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


def main() -> None:
    """Print a table of times."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        start = time.perf_counter()
        command = [sys.executable, "-m", "streamlit", "run", "app.py", "--server.port", str(PORT)]
        server = subprocess.Popen(
            command, cwd=PROJECT_ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            open_home(page)
            seconds = time.perf_counter() - start
            print(f"| cold start of the server to Home painted | {seconds:.2f} s |")
            page.get_by_role("button", name=re.compile("Load")).first.click()
            page.get_by_role("heading", name="Overview", exact=True).wait_for(timeout=60_000)
            page.wait_for_selector(READY, timeout=60_000)
            print_switches(page)
        finally:
            server.terminate()
            server.wait(timeout=30)
            browser.close()


def open_home(page: Page) -> None:
    """Ask for Home until the server answers, and wait until it is painted."""
    while True:
        try:
            page.goto(ADDRESS)
            break
        except Error as refused:
            if not any(word in str(refused) for word in NOT_YET):
                raise
            time.sleep(0.05)
    page.get_by_role("heading", level=1).first.wait_for(timeout=60_000)
    page.wait_for_selector(READY, timeout=60_000)


def print_switches(page: Page) -> None:
    """Print first and median time of a switch to every page."""
    seconds: dict[str, list[float]] = {title: [] for title in PAGES}
    menu = page.get_by_test_id("stSidebar")
    for _ in range(N_ROUNDS):
        for title in PAGES:
            start = time.perf_counter()
            menu.get_by_role("link", name=title, exact=True).click()
            page.get_by_role("heading", name=title, exact=True, level=1).wait_for()
            page.wait_for_selector(READY)
            seconds[title].append(time.perf_counter() - start)
    for title, times in seconds.items():
        warm = statistics.median(times[1:])
        print(f"| switch to {title}: first, then median | {times[0]:.2f} s, {warm:.2f} s |")


if __name__ == "__main__":
    main()
