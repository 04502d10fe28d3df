"""Take the README's picture: the Overview page with a synthetic demo patient.

    PYTHONPATH=. python scripts/build_screenshot.py http://127.0.0.1:8501

Needs Chromium on the path and a running dashboard (``python3 run.py``).
"""

from __future__ import annotations

import argparse
import shutil

from playwright.sync_api import sync_playwright

from resvae_core.config import PROJECT_ROOT

READY = '[data-testid="stApp"][data-test-script-state="notRunning"]'


def main() -> None:
    """Load the sensitive patient and save what the page shows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    address = parser.parse_args().address
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1400, "height": 1000}, color_scheme="light")
        page.goto(address)
        page.get_by_role("button", name="Load DEMO-2").click()
        page.get_by_text("Probability of resistance").first.wait_for(timeout=60_000)
        page.wait_for_selector(READY)
        page.wait_for_timeout(3000)
        page.screenshot(path=PROJECT_ROOT / "docs" / "overview.png")
        browser.close()


if __name__ == "__main__":
    main()
