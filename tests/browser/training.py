"""Training from the page, as a steward does it; for the tests and for the guide's pictures."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.dashboard import Visitor

START = "Start training"
COMPARE = "Compare it with the active set"


def open_training(visitor: Visitor) -> None:
    """Open the form."""
    visitor.open("/settings?part=training")
    visitor.at("Settings")


def fill_in(visitor: Visitor, name: str, *models: str, short: bool = True) -> None:
    """Ask for some models, judged on one seed."""
    page = visitor.page
    box = page.get_by_role("textbox", name="Name of the candidate")
    box.fill(name)
    box.press("Enter")
    visitor.settle()
    for model in models:
        page.get_by_role("combobox", name="Models").click()
        page.get_by_role("option", name=model, exact=True).click()
        visitor.settle()
    page.keyboard.press("Escape")
    if short:
        page.get_by_text("Short, to try it").click()
        visitor.settle()
    seeds = page.get_by_role("spinbutton", name="Seeds")
    seeds.fill("1")
    seeds.press("Enter")
    visitor.settle()
    expect(page.get_by_text("Estimate.", exact=True)).to_be_visible()


def start(visitor: Visitor) -> None:
    """Press the button."""
    visitor.page.get_by_role("button", name=START).click()
    visitor.settle()
